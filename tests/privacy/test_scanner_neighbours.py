"""What stands beside a datum, between its groups, and says what it is; and numbers that are nobody's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.privacy.personal_data.scanner import scan


def detections(text: str) -> list[tuple[str, str]]:
    return [(s.kind, s.value) for s in scan(text) if s.valid]


GROUPS = {
    "card": ("4111", "1111", "1111", "1111"),
    "iban": ("DE89", "3704", "0044", "0532", "0130", "00"),
    "ssn": ("460", "89", "9847"),
    "phone": ("+44", "20", "7946", "0123"),
    "national-id": ("86", "095", "742", "719"),
}
WORDS = {"card": "card", "iban": "IBAN", "ssn": "SSN", "phone": "Tel", "national-id": "Steuer-ID"}
BETWEEN = (
    " -./\u00a0\u2000\u2007\u2009\u200a\u202f"
    "\u205f\u3000\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d\u00ad\u200b\u200c\u200d\u2060\ufeff"
)
LEFT = " :=/([\"'<>|;,#\t{}*~`\n!?&\u00a0\u200b\u2014\u00ab"
RIGHT = " :=/)]\"'<>|;,#\t{}*~`\n!?&.\u00a0\u200b\u2014\u00bb"


@settings(max_examples=400)
@given(
    st.sampled_from(sorted(GROUPS)),
    st.sampled_from(["", *BETWEEN]),
    st.sampled_from(LEFT),
    st.sampled_from(RIGHT),
    st.booleans(),
)
def test_any_separator_and_any_neighbours(kind: str, between: str, left: str, right: str, wide: bool) -> None:
    datum = between.join(GROUPS[kind])
    if wide:
        datum = "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in datum)
    text = f"Ann, {WORDS[kind]}{left}{datum}{right}and so on"
    assert detections(text) == [(kind, datum)]


PLAIN = {
    "email": "ann.o'neil+x@sub.exämple.org",
    "ip": "203.0.113.77",
    "secret": f"ghp_{'a1B2' * 9}",
    "card": "4111-1111-1111-1111",
    "ssn": "460-89-9847",
    "iban": "NL91 ABNA 0417 1643 00",
    "phone": "(212) 555-0187",
}


@pytest.mark.parametrize("kind", PLAIN)
@given(st.sampled_from(LEFT), st.sampled_from(RIGHT))
def test_what_needs_no_word_is_found_behind_any_character(kind: str, left: str, right: str) -> None:
    # An apostrophe belongs to a name, and an invisible character may stand within a word.
    before = "so " if left in "'\u200b" else "so"
    after = " x" if right == "\u200b" else "x"
    assert detections(f"{before}{left}{PLAIN[kind]}{right}{after} y") == [(kind, PLAIN[kind])]


@pytest.mark.parametrize(
    "address",
    [
        "2001:db8::1",
        "2001:db8:0:0:8a2e:370:7334:1",
        "::ffff:203.0.113.9",
        "64:ff9b::203.0.113.9",
        "fe80::1ff:fe23:4567%eth0",
        "fe80::1%1",
        "2001:db8::",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:203.0.113.9",
        "2001:DB8::A",
    ],
)
@pytest.mark.parametrize(
    "around", ["{}", "ip={}", "[{}]:443", "addr:{}", "({})", "{}/64", "from {}.", '"{}"', "http://[{}]/x"]
)
def test_every_form_of_an_ipv6_address(address: str, around: str) -> None:
    assert detections(around.format(address)) == [("ip", address)]


@pytest.mark.parametrize(
    "text",
    [
        "numpy 1.26.4.1",
        "numpy==1.26.4.1",
        "version 10.2.3.4",
        "v1.2.3.4",
        "§ 3.2.1.4",
        "see section 3.2.1.4",
        "3.2.1.4 Scope of it",
        "part no. 460-89-9847",
        "SKU 212-555-0187",
        "ABC-460-89-9847",
        "order=4111111111111111",
        '"orderId": "4111111111111111"',
        "Bestellung 4111111111111111",
        "numéro de commande : 4111111111111111",
        "pedido nº 4111 1111 1111 1111",
        "ref 0207946 0123",
        "Decimal('+3521234567')",
        "float('+352123456')",
        "1234567890 bytes",
        "0.4111111111111111",
        "4111111111111111.5",
        "550e8400-e29b-41d4-a716-446655440000",
        "d41d8cd98f00b204e9800998ecf8427e",
        "00:1a:2b:3c:4d:5e",
        "x[1::2]",
        "fe::add()",
        "12:30:45",
        "ISBN 978-3-16-148410-0",
        "doi:10.1000/182.4111111",
        "arXiv:2101.00001",
        "48.858370, 2.294481",
        "geo:37.786971,-122.399677",
        "IMEI 490154203237518",
        "2024-01-02T03:04:05.678Z",
        "1700000000123",
        "icon@2x.png",
        "git@github.com:a/b",
        "Message-ID: <1.2@mail.example.org>",
        "460 89 9847 12 33 871",
        "0123 4567 89ab cdef",
        "46089-9847",
        "tracking 940011020088 2713",
        "Kundennummer 0711123456",
    ],
)
def test_what_is_nobodys(text: str) -> None:
    assert detections(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("teléfono 612345678", ("phone", "612345678")),
        ("móvil:655 123 456", ("phone", "655 123 456")),
        ("tél. 01.23.45.67.89", ("phone", "01.23.45.67.89")),
        ("Rufnummer: 0711/123456", ("phone", "0711/123456")),
        ("home_phone=2125550187", ("phone", "2125550187")),
        ("customerPhone: 2125550187", ("phone", "2125550187")),
        ("tarjeta 4111/1111/1111/1111", ("card", "4111/1111/1111/1111")),
        ("carte n° 4111111111111111", ("card", "4111111111111111")),
        ("número de seguro social 460899847", ("ssn", "460899847")),
        ("D.N.I. 12.345.678-Z", ("national-id", "12.345.678-Z")),
        ("12345678Z (DNI)", ("national-id", "12345678Z")),
        ("sécurité sociale : 1 85 05 78 006 084 91", ("national-id", "1 85 05 78 006 084 91")),
        ("Rentenversicherungsnummer 65 170839 J 003", ("national-id", "65 170839 J 003")),
        ("fecha de nacimiento: 12-05-1970", ("birth-date", "12-05-1970")),
        ("née le 1er mars 1984", ("birth-date", "1er mars 1984")),
        ("*12.05.1970 in Ulm", ("birth-date", "12.05.1970")),
        ("BDAY:19840312", ("birth-date", "19840312")),
        ('"dateOfBirth":"1984-03-12T00:00:00Z"', ("birth-date", "1984-03-12")),
        ("vive en Calle de Alcalá 45, 2º B, 28014 Madrid.", ("address", "Calle de Alcalá 45, 2º B, 28014 Madrid")),
        (
            "3 place de la République, 3e étage, 69001 Lyon",
            ("address", "3 place de la République, 3e étage, 69001 Lyon"),
        ),
        ("Hauptstr. 7, 3. OG, 70173 Stuttgart", ("address", "Hauptstr. 7, 3. OG, 70173 Stuttgart")),
        ("Am Markt 5, 50667 Köln", ("address", "Am Markt 5, 50667 Köln")),
        ("Flat 3, 10 High Street, Oxford OX1 4AB", ("address", "Flat 3, 10 High Street, Oxford OX1 4AB")),
        (
            "350 Fifth Avenue, Suite 200, New York, NY 10118",
            ("address", "350 Fifth Avenue, Suite 200, New York, NY 10118"),
        ),
    ],
)
def test_words_and_ways_of_writing_of_four_languages(text: str, expected: tuple[str, str]) -> None:
    assert detections(text) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[
            (f"card {s.join(['4111', '1111', '1111', '1111'])}", "card")
            for s in ("_", "|", "~", ":", ";", ",", " / ", "   ")
        ],
        *[(f"IBAN {s.join(['GB82', 'WEST', '1234', '5698', '7654', '32'])}", "iban") for s in ("_", "|", ":", "~")],
        *[(f"SSN {s.join(['460', '89', '9847'])}", "ssn") for s in ("_", "|", ":", "~")],
        ("my number is 4111111111111111, valid", "card"),
        ("the number is 5067 9912 3456 7898", "card"),
        ("DE893704 00440532013000", "iban"),
        ("SS number 460899847", "ssn"),
        ("SSN/TIN 460899847", "ssn"),
        ("s.s.n. 460 89 9847", "ssn"),
        ("src:2001:db8::ff00:42:8329 dst", "ip"),
        ("eth0:fe80::1ff:fe23:4567", "ip"),
    ],
)
def test_less_usual_separators_and_labels(text: str, expected: str) -> None:
    assert [s.kind for s in scan(text) if s.valid] == [expected]


def test_words_are_no_broken_account() -> None:
    assert scan("Bring me 834 letters and the ring from there; the bus leaves at 74678 of noon and so on") == []


@pytest.mark.parametrize("separator", ["_", "|", "~", ":", ";", ",", " / ", "   "])
def test_less_usual_separators_make_no_card_without_a_word(separator: str) -> None:
    assert detections(f"we had {separator.join(['4111', '1111', '1111', '1111'])} of them") == []


@given(st.integers(0, 10**16 - 1))
def test_an_order_number_is_never_a_card(number: int) -> None:
    assert detections(f"order={number:016d} shipped") == []
