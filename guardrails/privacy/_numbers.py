"""Numbers with a checksum: bank accounts, payment cards, and the numbers that states give to people."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from ._recognizers import BEFORE, Found, Recognizer, any_word

_ISSUER = re.compile(r"4|5|6|3[0689]|3[47]|35|2131|1800|2[2-7]")


def bare(value: str) -> str:
    """Return the letters and digits alone."""
    return re.sub(r"\W", "", value)


@cache
def stdnum_check(module: str) -> Callable[[str], bool]:
    """Return ``is_valid`` of a module of python-stdnum."""
    check: Callable[[str], bool] = import_module(f"stdnum.{module}").is_valid
    return check


def _iban(value: str) -> bool:
    from stdnum import iban

    return bool(iban.is_valid(value.replace(" ", "").upper(), check_country=False))


def _card(value: str) -> bool | None:
    from stdnum import luhn

    digits = bare(value)
    if not _ISSUER.match(digits):
        return None
    return len(digits) >= 12 and len(set(digits)) > 1 and bool(luhn.is_valid(digits))


def _ssn(value: str) -> bool:
    area, group, serial = re.split("[- ]", value)
    return not (area in ("000", "666") or area[0] == "9" or group == "00" or serial == "0000")


IBAN = Recognizer(
    "bank account (ISO 13616, mod 97)",
    "iban",
    re.compile(
        r"(?<![^\W_])[A-Za-z]{2}\d{2}(?:[A-Za-z0-9]{11,30}|(?: [A-Za-z0-9]{4}){2,7}(?: [A-Za-z0-9]{1,3})?)(?![^\W_])"
    ),
    _iban,
    cut=" ",
)
CARD = Recognizer(
    "payment card (ISO 7812, issuer and Luhn)",
    "card",
    re.compile(r"[0-9](?<![\w.,+-].)(?:\d{11,18}|\d{3}([ -])\d{4,6}\1\d{4,5}(?:\1\d{3,4}){0,2})(?![\w-])"),
    _card,
    cut=" -",
)
SSN = Recognizer(
    "US social security number (ranges that were never issued left out)",
    "ssn",
    re.compile(r"[0-9](?<![\w-].)\d{2}([- ])\d{2}\1\d{4}(?![\w-])"),
    _ssn,
)


@dataclass(frozen=True)
class _Scheme:
    """The personal number of one country.

    `alone` is the way of writing it that its checksum vouches for; in any other a word must say what it is, as one
    number in ten or eleven passes a single check digit.
    """

    name: str
    shape: re.Pattern[str]
    module: str | None
    words: re.Pattern[str]
    alone: re.Pattern[str] | None = None


_ANY = (
    "national id",
    "identity (?:card|number|code|no)",
    "personal (?:id|code|number)",
    "tax (?:id|number|file)",
    "citizen",
)


def _scheme(name: str, shape: str, module: str | None, *own: str, alone: str | None = None) -> _Scheme:
    return _Scheme(
        name,
        re.compile(rf"(?:{shape})(?![\w-])"),
        module,
        any_word((*own, *_ANY)),
        None if alone is None else re.compile(alone),
    )


SCHEMES = (
    _scheme("AU TFN", r"\d{3} ?\d{3} ?\d{2,3}", "au.tfn", "tfn"),
    _scheme(
        "BE rijksregisternummer", r"\d{2}\.?\d{2}\.?\d{2}-?\d{3}\.?\d{2}", "be.nn",
        "rijksregister", "niss", "registre national", alone=r"..\.\d",
    ),
    _scheme("BR CPF", r"\d{3}\.\d{3}\.\d{3}-\d{2}|\d{11}", "br.cpf", "cpf", alone=r"...\."),
    _scheme("CA SIN", r"\d{3}[ -]\d{3}[ -]\d{3}|\d{9}", "ca.sin", r"sin\b", "social insurance"),
    _scheme("CH AHV", r"756\.\d{4}\.\d{4}\.\d{2}|756\d{10}", "ch.ssn", "ahv", "avs", alone=r"756\."),
    _scheme("CZ rodné číslo", r"\d{6}/?\d{3,4}", "cz.rc", "rodn", r"r\. ?č"),
    _scheme("DE IdNr", r"\d{2} ?\d{3} ?\d{3} ?\d{3}", "de.idnr", "idnr", "steuer"),
    _scheme("DK CPR", r"\d{6}-?\d{4}", "dk.cpr", "cpr", "personnummer"),
    _scheme("ES DNI", r"\d{8}-?[A-Z]", "es.dni", "dni", "nif", "documento"),
    _scheme("ES NIE", r"[XYZ]-?\d{7}-?[A-Z]", "es.nie", "nie", "nif", "extranjer"),
    _scheme("FI henkilötunnus", r"\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]", "fi.hetu", "hetu", "henkilötunnus", alone=r""),
    _scheme(
        "FR NIR", r"[12] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}", "fr.nir",
        r"nir\b", "sécu", "insee", "securit", alone=r". ",
    ),
    _scheme("GB NHS number", r"\d{3}[ -]?\d{3}[ -]?\d{4}", "gb.nhs", "nhs", "patient"),
    _scheme(
        "GB NINO", r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]", None,
        r"ni(?:no)?\b", "national insurance",
    ),
    _scheme("IE PPS", r"\d{7}[A-W][A-IW]?", "ie.pps", "pps"),
    _scheme("IN Aadhaar", r"[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}", "in_.aadhaar", "aadh?aa?r", "uidai"),
    _scheme("IT codice fiscale", r"[A-Z]{6}\d[\dL-V][A-Z]\d[\dL-V][A-Z]\d{3}[A-Z]", "it.codicefiscale", alone=r""),
    _scheme("KR RRN", r"\d{6}-?[1-8]\d{6}", "kr.rrn", "rrn", "resident", "주민"),
    _scheme("MX CURP", r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d", "mx.curp", alone=r""),
    _scheme("NL BSN", r"\d{9}|\d{4}\.\d{2}\.\d{3}", "nl.bsn", "bsn", "burgerservice", "sofi"),
    _scheme("NO fødselsnummer", r"\d{6} ?\d{5}", "no.fodselsnummer", "fødsel", "personnummer"),
    _scheme("PL PESEL", r"\d{11}", "pl.pesel", "pesel"),
    _scheme("SE personnummer", r"(?:\d{2})?\d{6}[-+]?\d{4}", "se.personnummer", "personn?um", "pnr"),
    _scheme("TR T.C. kimlik", r"\d{11}", "tr.tckimlik", "kimlik", r"t\.?c\.? ?(?:no|id)"),
    _scheme("ZA ID", r"\d{13}", "za.idnr", r"(?:sa|south african) id", r"id (?:number|no)"),
)  # fmt: skip
"""Personal numbers with a check digit, by ISO country; GB NINO has none and is held against its prefixes."""

_START = re.compile(r"[0-9A-Z](?<![\w.,+/-].)(?:(?<=\d)|(?=[A-Z]{0,5} ?\d))(?=(?:[ ./+-]?[0-9A-Z]){7})")


@dataclass(frozen=True)
class NationalIds:
    """Finds the personal numbers of `SCHEMES`: where a word with digits begins, each is tried.

    A number of the right shape beside the scheme's own word that fails its checksum is found and is not valid.
    """

    kind: str = "national-id"

    def find(self, text: str) -> Iterator[Found]:
        """Yield every number, valid or not."""
        for m in _START.finditer(text):
            before = text[max(0, m.start() - BEFORE) : m.start()]
            broken = None
            for scheme in SCHEMES:
                found = scheme.shape.match(text, m.start())
                if found is None:
                    continue
                named = scheme.words.search(before) is not None
                if not named and (scheme.alone is None or not scheme.alone.match(found[0])):
                    continue
                if scheme.module is None or stdnum_check(scheme.module)(found[0]):
                    yield found.start(), found.end(), True
                    break
                broken = found.end() if named else broken
            else:
                if broken is not None:
                    yield m.start(), broken, False


NATIONAL_IDS = NationalIds()
