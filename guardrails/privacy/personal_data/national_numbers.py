"""The numbers that states give to people: how each is written, what checks it, and the words that name it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module

ANY_WORDS = (
    r"national (?:id|identity|insurance)", r"identity (?:card|number|code|no)", r"personal (?:id|code|number)",
    r"tax[ _-]?(?:id|number|file|payer|code)\w{0,4}", r"citizen", r"identifica\w{0,8}",
    r"identitätsnummer", r"identité",
)  # fmt: skip


@cache
def stdnum_check(module: str) -> Callable[[str], bool]:
    """Return ``is_valid`` of a module of python-stdnum."""
    check: Callable[[str], bool] = import_module(f"stdnum.{module}").is_valid
    return check


def bare(value: str) -> str:
    """Return the letters and digits alone."""
    return re.sub(r"[\W_]", "", value)


@dataclass(frozen=True)
class Scheme:
    """The personal number of one country.

    Attributes
    ----------
    name : str
        Country (ISO 3166) and what the number is called there.
    shape : re.Pattern
        How it is written, with any separators.
    check : callable
        Of the number without separators.
    words : tuple of str
        What names it, as regular expressions.
    alone : re.Pattern, optional
        The way of writing it that its checksum vouches for; in any other a word must say what it is, as one number in
        ten or eleven passes a single check digit.
    """

    name: str
    shape: re.Pattern[str]
    check: Callable[[str], bool]
    words: tuple[str, ...]
    alone: re.Pattern[str] | None = None

    @cached_property
    def named(self) -> re.Pattern[str]:
        """The pattern of its words and of those that name any such number."""
        return re.compile(rf"(?i)(?<![^\W_])(?:{'|'.join((*self.words, *ANY_WORDS))})")


def _scheme(
    name: str, groups: str, check: str | Callable[[str], bool], *words: str, alone: str | None = None
) -> Scheme:
    """Make a scheme; a blank in `groups` stands for an optional separator."""
    written = groups.replace(" ", "[ ./-]?")
    is_valid = (lambda value: stdnum_check(check)(value)) if isinstance(check, str) else check
    return Scheme(
        name,
        re.compile(rf"(?i:{written})(?![^\W_]|[./-]\d)"),
        is_valid,
        words,
        None if alone is None else re.compile(alone, re.I),
    )


def _form_only(value: str) -> bool:
    return True


def german_insurance(value: str) -> bool:
    """Whether the check digit of a Rentenversicherungsnummer is right (§ 4 VKVV): a letter counts as its two digits."""
    digits = f"{value[:8]}{ord(value[8].upper()) - 64:02d}{value[9:]}"
    sums = (sum(divmod(int(d) * w, 10)) for d, w in zip(digits, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=False))
    return sum(sums) % 10 == int(digits[-1])


def spanish_insurance(value: str) -> bool:
    """Whether the last two digits of a número de la Seguridad Social are the rest of the others by 97."""
    province, number = value[:2], value[2:10]
    return int(province + (number[1:] if number[0] == "0" else number)) % 97 == int(value[10:])


SCHEMES = (
    _scheme("AR CUIL", r"\d{2} \d{8} \d", "ar.cuit", "cui[lt]"),
    _scheme("AT Sozialversicherungsnummer", r"\d{4} \d{6}", "at.vnr", "sozialvers", "sv-?n", "svnr"),
    _scheme("AU TFN", r"\d{3} \d{3} \d{2,3}", "au.tfn", "tfn"),
    _scheme(
        "BE rijksregisternummer", r"\d{2} \d{2} \d{2} \d{3} \d{2}", "be.nn",
        "rijksregister", "niss", "registre national", alone=r"..\.\d",
    ),
    _scheme("BG EGN", r"\d{10}", "bg.egn", "egn", "егн"),
    _scheme("BR CPF", r"\d{3} \d{3} \d{3} \d{2}", "br.cpf", "cpf", alone=r"...\....\....-"),
    _scheme("CA SIN", r"\d{3} \d{3} \d{3}", "ca.sin", r"sin\b", "social insurance", r"n\.?a\.?s\b", "assurance soc"),
    _scheme("CH AHV", r"756 \d{4} \d{4} \d{2}", "ch.ssn", "ahv", "avs", "oasi", alone=r"756\."),
    _scheme("CL RUT", r"\d{1,2} \d{3} \d{3} [\dK]", "cl.rut", r"rut\b", r"run\b"),
    _scheme("CN ID", r"\d{17}[\dX]", "cn.ric", "身份证", "resident id"),
    _scheme("CZ rodné číslo", r"\d{6}/?\d{3,4}", "cz.rc", "rodn", r"r\. ?č"),
    _scheme("DE IdNr", r"\d{2} \d{3} \d{3} \d{3}", "de.idnr", "idnr", "id-nr", "steuer", "tin"),
    _scheme(
        "DE Rentenversicherungsnummer", r"\d{2} \d{6} [A-Z] \d{3}", german_insurance,
        "sozialvers", "rentenvers", "versicherungs", "sv-?n", "rvnr", "svnr",
    ),
    _scheme("DK CPR", r"\d{6} \d{4}", "dk.cpr", "cpr", "personnummer"),
    _scheme("EE isikukood", r"[1-8]\d{10}", "ee.ik", "isikukood", "asmens"),
    _scheme("ES DNI", r"\d{2} \d{3} \d{3} [A-Z]", "es.dni", r"d\.?n\.?i\b", r"n\.?i\.?f\b", "documento", "carnet"),
    _scheme("ES NIE", r"[XYZ] \d{7} [A-Z]", "es.nie", r"n\.?i\.?e\b", r"n\.?i\.?f\b", "extranjer", "documento"),
    _scheme(
        "ES Seguridad Social", r"\d{2} \d{8} \d{2}", spanish_insurance,
        "seguridad social", r"nss\b", r"naf\b", "afiliaci",
    ),
    _scheme("FI henkilötunnus", r"\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]", "fi.hetu", "hetu", "henkilötunnus", alone=r""),
    _scheme("FR numéro fiscal", r"[0-3]\d \d{2} \d{3} \d{3} \d{3}", "fr.nif", "fiscal", r"spi\b", "impôt"),
    _scheme(
        "FR NIR", r"[12] \d{2} (?:0[1-9]|1[0-2]|[2-9]\d) (?:\d{2}|2[AB]) \d{3} \d{3} \d{2}", "fr.nir",
        r"nir\b", "sécu", "secu", "insee", "assuré", "vitale", r"nss\b",
        alone=r"[12]([ .-]?)\d\d\1(?:0[1-9]|1[0-2])\1\w\w\1\d{3}\1\d{3}(?:\1| (?=\d\d$))\d\d$",
    ),
    _scheme("GB NHS number", r"\d{3} \d{3} \d{4}", "gb.nhs", "nhs", "patient"),
    _scheme(
        "GB NINO", r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] \d{2} \d{2} \d{2} [A-D]", _form_only,
        r"n\.?i(?:no)?\b", "national insurance", alone=r"..[ -]\d\d[ -]\d\d[ -]\d\d[ -]",
    ),
    _scheme("GB UTR", r"\d{5} \d{5}", "gb.utr", r"utr\b", "taxpayer ref"),
    _scheme("HR OIB", r"\d{11}", "hr.oib", "oib"),
    _scheme("IE PPS", r"\d{7}[A-W][A-IW]?", "ie.pps", "pps"),
    _scheme("IL ID", r"\d{9}", "il.idnr", "teudat", "תעודת", "ת.ז"),
    _scheme("IN Aadhaar", r"[2-9]\d{3} \d{4} \d{4}", "in_.aadhaar", "aadh?aa?r", "uidai"),
    _scheme(
        "IT codice fiscale", r"[A-Z]{3} [A-Z]{3} \d[\dL-V][A-Z]\d[\dL-V] [A-Z]\d{3}[A-Z]", "it.codicefiscale",
        "codice fiscale", r"c\.?f\b", alone=r"",
    ),
    _scheme("KR RRN", r"\d{6}-?[1-8]\d{6}", "kr.rrn", "rrn", "resident", "주민"),
    _scheme("LT asmens kodas", r"[1-6]\d{10}", "lt.asmens", "asmens"),
    _scheme("LV personas kods", r"\d{6} \d{5}", "lv.pk", "personas kod"),
    _scheme("MX CURP", r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d", "mx.curp", "curp", alone=r""),
    _scheme("NL BSN", r"\d{4} \d{2} \d{3}|\d{3} \d{3} \d{3}", "nl.bsn", "bsn", "burgerservice", "sofi"),
    _scheme("NO fødselsnummer", r"\d{6} \d{5}", "no.fodselsnummer", "fødsel", "personnummer"),
    _scheme("PL PESEL", r"\d{11}", "pl.pesel", "pesel"),
    _scheme("PT NIF", r"\d{3} \d{3} \d{3}", "pt.nif", r"nif\b", "contribuinte"),
    _scheme("RO CNP", r"[1-9]\d{12}", "ro.cnp", "cnp"),
    _scheme("SE personnummer", r"(?:\d{2})?\d{6}[-+]?\d{4}", "se.personnummer", "personn?um", "pnr"),
    _scheme("TH PIN", r"[1-8] \d{4} \d{5} \d{2} \d", "th.pin", "thai id", "บัตร"),
    _scheme("TR T.C. kimlik", r"\d{11}", "tr.tckimlik", "kimlik", r"t\.?c\.? ?(?:no|id)"),
    _scheme("US ITIN", r"9\d{2} \d{2} \d{4}", "us.itin", "itin"),
    _scheme("ZA ID", r"\d{6} \d{4} \d{3}", "za.idnr", r"sa id", "south african id", r"id (?:number|no)"),
)  # fmt: skip
"""Personal numbers with a check digit, by ISO country; GB NINO has none and is held against its prefixes."""

ID_WORDS = tuple(dict.fromkeys(
    word for words in (ANY_WORDS, *(scheme.words for scheme in SCHEMES)) for word in words
))  # fmt: skip
