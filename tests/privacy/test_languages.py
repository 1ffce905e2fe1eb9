"""Dates of birth and streets in the words of other languages than English, and words that only look like these."""

from __future__ import annotations

import pytest

from guardrails.privacy.personal_data.scanner import canonical, scan


def detections(text: str) -> list[tuple[str, str]]:
    return [(s.kind, s.value) for s in scan(text) if s.valid]


@pytest.mark.parametrize(
    "text",
    [
        "nato a Roma il 12 maggio 1970",
        "Data di nascita: 12.05.1970",
        "nasceu a 12 de maio de 1970",
        "Data de nascimento: 12/05/1970",
        "nascuda el 12 de maig de 1970",
        "geboren op 12 mei 1970",
        "Geboortedatum 12-05-1970",
        "urodzony 12 maja 1970",
        "ur. 12.05.1970 w Łodzi",
        "född den 12 maj 1970",
        "fødselsdato 12.05.1970",
        "syntynyt 12. toukokuuta 1970",
        "narozena 12. května 1970",
        "datum narození: 12. 5. 1970",
        "született 1970. május 12.",
        "Születési idő: 1970. 05. 12.",
        "data nașterii: 12.05.1970",
        "12 Mayıs 1970 doğumlu",
        "ημερομηνία γέννησης: 12/05/1970",
        "родилась 12 мая 1970 года",
        "д.р. 12.05.1970",
        "出生日期:1970-05-12",
        "生年月日:1970年5月12日",
        "(b. 12 May 1970)",
    ],
)
def test_a_date_of_birth_in_many_languages(text: str) -> None:
    assert [canonical(s) for s in scan(text) if s.valid] == ["birth-date:1970-5-12"]


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("narozen 3. června 1970", 6),
        ("narozen 3. července 1970", 7),
        ("syntynyt 3. maaliskuuta 1970", 3),
        ("syntynyt 3. marraskuuta 1970", 11),
        ("urodzona 3 października 1970", 10),
        ("родился 3 марта 1970", 3),
    ],
)
def test_months_that_begin_alike(text: str, month: int) -> None:
    assert [canonical(s) for s in scan(text)] == [f"birth-date:1970-{min(3, month)}-{max(3, month)}"]


@pytest.mark.parametrize(
    "text", ["every hour. 12.05.2020", "the harbour. 12.05.1970 storm", "народные 12.05.1970", "(b. 12 points)"]
)
def test_no_date_of_birth(text: str) -> None:
    assert detections(text) == []


@pytest.mark.parametrize(
    "address",
    [
        "Karl Johans gate 22, 0026 Oslo",
        "Storgatan 5, 111 51 Stockholm",
        "Mannerheimintie 12 A, 00100 Helsinki",
        "Vesterbrogade 12, 1620 København",
        "Laugavegur 5",
        "Heiligengeistbrücke 77",
        "Andrássy út 12, 1061 Budapest",
        "İstiklal Cad. No:12",
        "ul. Marszałkowska 10/12, 00-590 Warszawa",
        "al. Jerozolimskie 65",
        "náměstí Míru 5",
        "Rua Augusta, 1500, 01304-001 São Paulo",
        "Passeig de Gràcia 43",
        "Piazzale Loreto 4",
        "Strada Lungă nr. 12",
        "Λεωφόρος Κηφισίας 119, 11742 Αθήνα",
        "ул. Ленина, д. 5, кв. 12",
        "Невский проспект 28",
        "Laan van Meerdervoort 55, 2517 AG Den Haag",
        "12 Broadway, New York, NY 10012",
        "45 The Ridings, Guildford GU1 2AB",
        "120 Bloor, Toronto, ON M4W 1B7",
        "7 Wattle, Fitzroy VIC 3065",
        "3747 fourth avenue suite 112",
        "Rue de la Loi 16, 1000 Bruxelles",
        "Rua das Flores 123, 1200-195 Lisboa",
        "Damrak 1-5, 1012 LG Amsterdam",
        "Plac Zamkowy 4, 00-277 Warszawa",
        "Strandvejen 100, 2900 Hellerup",
        "Mariahilfer Straße 10/5/12, 1070 Wien",
        "Via Roma 12/B, 00184 Roma",
        "Goethestr. 3 a, 60313 Frankfurt am Main",
        "Carrera 7 No. 71-21, Bogotá",
        "Na Příkopě 33, 110 00 Praha",
        "12 Larch Street\n> Apt. 4\n> Ford, OH 83080",
    ],
)
def test_a_street_in_the_way_of_its_country(address: str) -> None:
    assert detections(address) == [("address", address)]


def test_the_corner_of_two_streets() -> None:
    assert detections("Meet at the corner of 159 Larch str and Quarry Lane.") == [
        ("address", "159 Larch str and Quarry Lane")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "During 2017 it rained; Spring 2018 was dry; String 5 broke",
        "Brigade 12 marched for a Decade 3 times",
        "at Heathrow gate 12, boarding Gate 22",
        "the corner of the room and the door",
        "Smith et al. Nature 12",
        "10 minute drive, a 3 way street",
        "The 2019 Oscar Winners, Los Angeles, CA 90001",
        "moved to Windows 11",
        "May 12, 20000 People; Fig. 3, 12-345 Units; Apollo 11, 1969 Moon",
    ],
)
def test_no_street(text: str) -> None:
    assert detections(text) == []
