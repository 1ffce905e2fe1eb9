"""Numbers with a checksum: bank accounts, payment cards, and the numbers that states give to people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from .labels import has_long_number, joined_to_word, labels, named_as, topic_before
from .national_numbers import SCHEMES, Scheme, bare
from .recognizer import BEFORE, Found

# What may stand right before and right after a number: anything that does not make it a part of a longer one.
LEFT = r"(?<![^\W_].)(?<!\d[.+_-].)"
RIGHT = r"(?![^\W_]|[.-]\d|_[^\W_])"

_LENGTHS = {
    code[:2]: int(code[2:])
    for code in """
        AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28
        EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26
        IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28
        NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25
        SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
    """.split()  # noqa: SIM905
}
"""Letters and digits of an account in each country (ISO 13616 registry)."""


@dataclass(frozen=True)
class Accounts:
    """Finds bank accounts (ISO 13616): a country, its length, mod 97, with any separators."""

    kind: str = "iban"
    name: str = "bank account (ISO 13616, mod 97)"

    def find(self, text: str) -> Iterator[Found]:
        """Yield every account, valid or not."""
        for head in _COUNTRY.finditer(text):
            length = _LENGTHS.get(head[0][:2].upper())
            if length is None or (m := _ACCOUNT.match(text, head.start())) is None:
                continue
            number = m[0]
            for i, c in enumerate(number):
                length -= c.isalnum()
                if length == 0:
                    if i + 1 == len(number) or not number[i + 1].isalnum():
                        valid = _mod_97(bare(number[: i + 1]).upper())
                        if valid or _PRINTED.match(number):
                            yield m.start(), m.start() + i + 1, valid
                    break


_COUNTRY = re.compile(r"[A-Za-z](?<![^\W_].)[A-Za-z][ -]?\d{2}")


def _mod_97(number: str) -> bool:
    from stdnum import iban

    return bool(iban.is_valid(number, check_country=False))


_PRINTED = re.compile(r"[A-Za-z]{2}[ -]?\d{2}(?:[A-Za-z0-9]{11}|(?: ?[ ./-] ?[A-Za-z0-9]{1,30}){2})")
"""In one piece or parted behind the first four characters; otherwise only the checksum tells an account from words."""
_ACCOUNT = re.compile(r"[A-Za-z]{2}[ -]?\d{2}[A-Za-z0-9]{0,30}(?: ?[ ./_|:~-] ?[A-Za-z0-9]{1,30}){0,9}")

_ISSUED = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|095|[689]\d)\d{11}|6(?:011|4[4-9]\d|5\d\d)\d{12,15}|35(?:2[89]|[3-8]\d)\d{12,15}|62\d{14,17}"
    r"|(?:5018|5020|5038|5[678]\d\d|6304|6759|676[1-3])\d{8,15}|(?:2131|1800)\d{11}|220[0-4]\d{12,15}|9792\d{12}|50(?:6[67]|8[5-9]|9\d)\d{12}|60[6-9]\d{13}"
)
"""The ranges of the large issuers, with their lengths (ISO 7812)."""
_ANY_ISSUER = re.compile(r"(?=\d{12,19}$)(?:4|5|6|3|2131|1800|2[2-7]|9792)\d{1,18}")
_GAP = "(?:[ ./-]| - |  )"
_CARD = re.compile(
    rf"[1-69]{LEFT}(?:\d{{11,18}}|\d{{3,7}}{_GAP}\d{{3,8}}(?:{_GAP}\d{{3,8}}){{0,3}}(?:[ ./-]\d{{1,3}})?"
    # Other separators, where all are alike: such a number counts beside a word only.
    rf"|\d{{3}}(?P<s>[_|~*:;,\\']| [/.] |   )\d{{4}}(?P=s)\d{{4}}(?P=s)\d{{4}}){RIGHT}"
)
_GROUPS = re.compile(
    r"\d{4}([ ./-]| - |  )\d{4}\1\d{4}\1(?:\d{4}(?:\1\d{3})?|\d{1,3})|\d{4}([ .-])\d{6}\2\d{4,5}"
    r"|\d{4}([ -])\d{3,4}\3\d{3,4}\3\d{3,5}"
)
_DOUBLED = tuple(sum(divmod(2 * d, 10)) for d in range(10))


def luhn(digits: str) -> bool:
    """Whether the last digit is right (ISO 7812). Ten times as fast as python-stdnum's, and called as often.

    >>> luhn("79927398713"), luhn("79927398710")
    (True, False)
    """
    return (sum(map(int, digits[-1::-2])) + sum(_DOUBLED[int(d)] for d in digits[-2::-2])) % 10 == 0


@dataclass(frozen=True)
class Cards:
    """Finds payment cards (ISO 7812): issuer, length, Luhn, and not called anything else, such as an order."""

    kind: str = "card"
    name: str = "payment card (ISO 7812, issuer and Luhn)"

    def find(self, text: str) -> Iterator[Found]:
        """Yield every card, valid or not."""
        for m in _CARD.finditer(text):
            ends = [i for i in range(len(m[0]), 11, -1) if i == len(m[0]) or m[0][i] in " -./"]
            readings = [(m.start() + i, bare(m[0][:i]), m[0][:i]) for i in ends]
            # Of several that pass, the one in the groups in which cards are printed, then the shorter.
            right = [
                (not _GROUPS.fullmatch(value), len(digits), end)
                for end, digits, value in readings
                if len(set(digits)) > 1
                and _ANY_ISSUER.fullmatch(digits)
                and luhn(digits)
                and _is_card(text, m.start(), digits, value)
            ]
            if right:
                yield m.start(), min(right)[2], True
            elif m["s"] is None and any(
                _ISSUED.fullmatch(digits) and len(digits) > 13 for _, digits, _ in readings[:1]
            ):
                yield m.start(), m.end(), False


_IDENTIFIER = re.compile(r"(?i:(?<!pa)id)[\"']?[ \t]{0,2}[=:][ \t]{0,2}[\"']?$")
"""The name of a field that ends as ``gclid`` and ``traceId`` do."""


_A_NUMBER = re.compile(r"(?i:number)\W{0,3}(?:is|was)?\W{0,3}$")


def _is_card(text: str, at: int, digits: str, value: str) -> bool:
    name = named_as(text, at)
    if name == "card" or topic_before(text, at) == "card":
        return True
    if name == "phone" and _A_NUMBER.search(text[max(0, at - 24) : at]):  # my number: of a telephone or a card
        name = None
    if name is not None or joined_to_word(text, at) or _IDENTIFIER.search(text[max(0, at - 24) : at]):
        return False
    return _ISSUED.fullmatch(digits) is not None and (value.isdigit() or _GROUPS.fullmatch(value) is not None)


_SSN = re.compile(rf"[0-9]{LEFT}\d{{2}}(?:([ .-]| - )\d{{2}}\1\d{{4}}|[ ./_|:~-]?\d{{2}}[ ./_|:~-]?\d{{4}}){RIGHT}")


@dataclass(frozen=True)
class SocialSecurity:
    """Finds US social security numbers: the form, with a word beside it for any but 3-2-4, and the ranges issued."""

    kind: str = "ssn"
    name: str = "US social security number (ranges that were never issued left out)"

    def find(self, text: str) -> Iterator[Found]:
        """Yield every number, valid or not."""
        for m in _SSN.finditer(text):
            name = named_as(text, m.start())
            alone = m[1] is not None and name in (None, "id") and not joined_to_word(text, m.start())
            if name != "ssn" and topic_before(text, m.start()) != "ssn" and (not alone or _among_figures(text, m)):
                continue
            digits = bare(m[0])
            area, group, serial = digits[:3], digits[3:5], digits[5:]
            yield *m.span(), not (area in ("000", "666") or area[0] == "9" or group == "00" or serial == "0000")


def _among_figures(text: str, m: re.Match[str]) -> bool:
    """Whether a number in groups is one stretch of a longer row of figures."""
    separator = m[1]
    return separator == " " and (
        re.match(r" {1,3}[\d.]", text[m.end() : m.end() + 4]) is not None
        or re.search(r"[\d.,] {1,3}$", text[max(0, m.start() - 4) : m.start()]) is not None
    )


IBAN, CARD, SSN = Accounts(), Cards(), SocialSecurity()

_NUMBER = re.compile(
    r"[0-9A-Za-z](?<![^\W_].)(?<!\d[.+/-].)(?:(?<=\d)|(?=[A-Za-z]{0,5}[ ./-]?\d))(?=(?:[ ./+-]?[0-9A-Za-z]){7})"
)
_FIGURES_ALONE = re.compile(
    r"[0-9](?<![^\W_].)(?<!\d[.+/-].)"
    r"(?:(?=\d\.\d\d[ ./-]?\d\d[ ./-]?\d{3})|(?=\d\d\.\d{3}\.\d{3}-)|(?<=7)(?=56\.\d{4})|(?=\d{5}[-+A-FU-Ya-fu-y]\d{3})"
    r"|(?<=[12])(?=[ ./-]?\d\d[ ./-]?\d\d[ ./-]?\d[0-9ABab][ ./-]?\d{3}))"
)
_LETTERS_ALONE = re.compile(
    r"[A-Za-z](?<![^\W_].)(?=[A-Za-z](?:[ -]\d\d[ -]\d|[A-Za-z](?:[A-Za-z]\d{6}[HMXhmx]| ?[A-Za-z]{3} ?\d)))"
)
"""Two patterns that begin with one set of characters each are searched for faster than one with two branches."""
_BY_FORM = tuple(scheme for scheme in SCHEMES if scheme.alone is not None)


@dataclass(frozen=True)
class NationalIds:
    """Finds the personal numbers of `SCHEMES`: after or before a word that names one, and those that need none.

    A number of the right shape beside the scheme's own word that fails its checksum is found and is not valid.
    """

    kind: str = "national-id"

    def find(self, text: str) -> Iterator[Found]:
        """Yield every number, valid or not."""
        for m in chain(_FIGURES_ALONE.finditer(text), _LETTERS_ALONE.finditer(text)):
            for scheme in _BY_FORM:
                number = scheme.shape.match(text, m.start())
                if (
                    number
                    and scheme.alone
                    and scheme.alone.match(number[0])
                    and scheme.check(_checked(scheme, number[0]))
                ):
                    if named_as(text, m.start()) != "other":
                        yield *number.span(), True
                    break
        if not has_long_number(text):
            return
        index = labels(text)
        done = 0
        for start, end, topic in zip(index.starts, index.ends, index.topics, strict=True):
            if topic == "id":
                for m in _NUMBER.finditer(text, max(end, done), end + BEFORE):
                    before = text[max(0, m.start() - BEFORE) : m.start()]
                    yield from _named(text, m.start(), before, broken=True)
                    done = m.end()
                for m in _NUMBER.finditer(text, max(0, start - 24), start):
                    yield from _named(text, m.start(), text[start : start + BEFORE], broken=False, until=start)


def _named(text: str, at: int, words: str, *, broken: bool, until: int = 0) -> Iterator[Found]:
    """Yield the number at a place that one of the words names."""
    if sum(map(str.isdigit, text[at : at + 20])) < 6:  # every scheme has as many
        return
    wrong = None
    for scheme in SCHEMES:
        number = scheme.shape.match(text, at)
        if number is None or scheme.named.search(words) is None:
            continue
        if until and not 0 <= until - number.end() <= 3:
            continue
        if scheme.check(_checked(scheme, number[0])):
            yield *number.span(), True
            return
        wrong = number.end()
    if broken and wrong is not None:
        yield at, wrong, False


def _checked(scheme: Scheme, value: str) -> str:
    # The sign in the middle says the century.
    return value if scheme.name[:2] in ("FI", "SE") else bare(value).upper()


NATIONAL_IDS = NationalIds()
