"""Finds personal data in text: a pattern, then the kind's own checksum or numbering plan.

Pure functions. Every pattern has bounded repeats and begins where no word goes on, so that the time is linear in the
text whatever it holds. Names and postal addresses have no pattern and are not looked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Literal

Kind = Literal["email", "iban", "card", "ssn", "ip", "phone"]

KINDS: tuple[Kind, ...] = ("email", "iban", "card", "ssn", "ip", "phone")
"""In the order in which a stretch of text is claimed: a card number is never read again as a telephone number."""


@dataclass(frozen=True)
class Span:
    """One piece of personal data: ``text[start:end] == value``.

    `valid` is False where the shape is right and the checksum or the range of the kind is not.
    """

    kind: Kind
    start: int
    end: int
    value: str
    valid: bool


_EMAIL = re.compile(r"(?<![\w.%+-])\w[\w.%+-]{0,63}@(?:[^\W_][\w-]{0,62}\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_IBAN = re.compile(
    r"(?<![^\W_])[A-Za-z]{2}\d{2}(?:[A-Za-z0-9]{11,30}|(?: [A-Za-z0-9]{4}){2,7}(?: [A-Za-z0-9]{1,3})?)(?![^\W_])"
)
_CARD = re.compile(r"(?<![\w.,+-])(?:\d{12,19}|\d{4}([ -])\d{4,6}\1\d{4,5}(?:\1\d{3,4}){0,2})(?![\w-])")
_ISSUER = re.compile(r"4|5|6|3[0689]|3[47]|35|2131|1800|2[2-7]")
_SSN = re.compile(r"(?<![\w-])(\d{3})([- ])(\d{2})\2(\d{4})(?![\w-])")
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\.?\w)")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:]{3,34}(?![\w:])")
_PHONE = re.compile(
    r"(?<![\w@./,:$€£#(+-])(?:\+|00)?(?:\(\+?\d{1,5}\)|\d{1,14})"
    r"(?:[ .-]{1,2}(?:\(\d{1,5}\)|\d{1,14})|(?<=\))\d{1,14}){0,6}"
    r"(?: ?(?:x|ext\.? ?)\d{1,6})?(?![\w@%€£]|[,:/.-]\d)"
)
_CALL = re.compile(
    r"\b(?:(?:tele)?phone|tel|call|mobile|cell|fax|dial|reach|contact|whatsapp|sms|text|ring|answer"
    r"|(?:my|your|his|her|our|their|the) number)(?:s|ed|ing)?\b",
    re.I,
)
_LABEL = re.compile(r"[ (/-]{0,3}(?:office|home|work|mobile|cell|fax|tel)\b", re.I)
_OTHER_NUMBER = re.compile(
    r"\b(?:card|account|iban|order|invoice|serial|passport|licen[cs]e|security|isbn|tracking|zip)\b", re.I
)
_DATE = re.compile(r"(?:\d{1,2}[ .-]\d{1,2}[ .-]\d{2,4}|\d{4}[ .-]\d{1,2}[ .-]\d{1,2}|\d{4}-\d{4}|\d{5}-\d{4})$")
CONTEXT = 48
"""How many characters before a number may say that it is a telephone number."""

REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "AU", "IN")
"""The national numbering plans that a number without a country code is held against."""


def scan(text: str) -> list[Span]:
    """Return the personal data in a text, in order, without overlaps.

    E-mail addresses, bank accounts (IBAN, mod 97), payment cards (issuer and Luhn), US social security numbers (never
    issued ranges left out), IP addresses and telephone numbers (numbering plan, or a word that says so before it).

    >>> [(s.kind, s.value, s.valid) for s in scan("Write to ann@example.org or pay with 4111 1111 1111 1111.")]
    [('email', 'ann@example.org', True), ('card', '4111 1111 1111 1111', True)]
    """
    taken = bytearray(len(text))
    spans: list[Span] = []
    for kind in KINDS:
        for start, end, valid in _FIND[kind](text):
            if not any(taken[start:end]):
                spans.append(Span(kind, start, end, text[start:end], valid))
                # A broken checksum claims nothing: the digits may still be a telephone number.
                if valid:
                    taken[start:end] = b"\1" * (end - start)
    good = [s for s in spans if s.valid]
    broken = [s for s in spans if not s.valid and not any(taken[s.start : s.end])]
    return sorted(good + broken, key=lambda s: s.start)


def canonical(span: Span) -> str:
    """Return the form in which two spellings of the same datum are equal, with its kind.

    A telephone number is its last nine digits: with and without a country code it is the same.

    >>> canonical(*scan("call (212) 555-0187")), canonical(*scan("+1 212 555 0187"))
    ('phone:125550187', 'phone:125550187')
    """
    value = span.value.lower()
    if span.kind == "email":
        return f"email:{value}"
    if span.kind == "ip":
        return f"ip:{IPv6Address(value) if ':' in value else value}"
    if span.kind == "phone":
        return "phone:" + re.sub(r"\D", "", re.split(r"x|ext", value)[0])[-9:]
    return f"{span.kind}:{_bare(value)}"


def _bare(value: str) -> str:
    return re.sub(r"\W", "", value)


def redact(span: Span) -> str:
    """Return a form that a reader can recognise and nobody can use.

    >>> redact(Span("email", 0, 15, "john@example.org", True)), redact(Span("phone", 0, 12, "212-555-0187", True))
    ('j***@example.org', '[phone …87]')
    """
    if span.kind == "email":
        name, _, domain = span.value.partition("@")
        return f"{name[0]}***@{domain}"
    return f"[{span.kind} …{_bare(span.value)[-2:]}]"


def redact_text(text: str, spans: list[Span]) -> str:
    """Return the text with each span redacted."""
    out, at = [], 0
    for span in spans:
        out += [text[at : span.start], redact(span)]
        at = span.end
    return "".join([*out, text[at:]])


def _emails(text: str) -> Iterator[tuple[int, int, bool]]:
    if "@" in text:
        for m in _EMAIL.finditer(text):
            yield m.start(), m.end(), ".." not in m[0] and ".@" not in m[0]


def _ibans(text: str) -> Iterator[tuple[int, int, bool]]:
    from stdnum import iban

    for m in _IBAN.finditer(text):
        yield m.start(), *_longest(m, lambda s: iban.is_valid(s.replace(" ", "").upper(), check_country=False), " ")


def _cards(text: str) -> Iterator[tuple[int, int, bool]]:
    from stdnum import luhn

    def good(value: str) -> bool:
        digits = re.sub(r"\D", "", value)
        return len(digits) >= 12 and len(set(digits)) > 1 and bool(_ISSUER.match(digits)) and luhn.is_valid(digits)

    for m in _CARD.finditer(text):
        if _ISSUER.match(m[0].replace(" ", "").replace("-", "")):
            yield m.start(), *_longest(m, good, " -")


def _longest(m: re.Match[str], good: Callable[[str], bool], separators: str) -> tuple[int, bool]:
    """Return the end of the longest prefix that is good, cut between groups only, else that of the whole match."""
    value = m[0]
    cuts = [len(value), *(i for i in range(len(value) - 1, 0, -1) if value[i] in separators)]
    return next(((m.start() + cut, True) for cut in cuts if good(value[:cut])), (m.end(), False))


def _ssns(text: str) -> Iterator[tuple[int, int, bool]]:
    for m in _SSN.finditer(text):
        never = m[1] in ("000", "666") or m[1][0] == "9" or m[3] == "00" or m[4] == "0000"
        yield m.start(), m.end(), not never


def _ips(text: str) -> Iterator[tuple[int, int, bool]]:
    for m in _IPV4.finditer(text):
        try:
            address = IPv4Address(m[0])
        except AddressValueError:
            continue
        yield m.start(), m.end(), not (address.is_loopback or address.is_unspecified or m[0].startswith("0."))
    for m in _IPV6.finditer(text):
        # Fewer than three groups are as likely a slice, a time or a ratio.
        if len([g for g in m[0].split(":") if g]) >= 3:
            value = m[0].rstrip(":") if not m[0].endswith("::") else m[0]
            try:
                IPv6Address(value)
            except AddressValueError:
                continue
            yield m.start(), m.start() + len(value), True


def _phones(text: str) -> Iterator[tuple[int, int, bool]]:
    for m in _PHONE.finditer(text):
        digits = sum(c.isdigit() for c in m[0])
        if 7 <= digits <= 16 and not _DATE.match(m[0]):
            before = text[max(0, m.start() - CONTEXT) : m.start()]
            if _is_phone(m[0], digits, before, labelled=_LABEL.match(text, m.end()) is not None):
                yield m.start(), m.end(), True


def _is_phone(value: str, digits: int, before: str, *, labelled: bool) -> bool:
    """Whether a country code, a word beside the number or a national numbering plan makes it a telephone number."""
    import phonenumbers

    try:
        if value[0] == "+" or value.startswith("00"):
            return digits >= 8 and phonenumbers.is_possible_number(phonenumbers.parse("+" + value.lstrip("+0"), None))
        other, call = _last(_OTHER_NUMBER, before), _last(_CALL, before)
        if labelled or max(other, call) >= 0:
            return labelled or call > other
        # Many plans take any nine digits; people write the trunk prefix 0, or in North America 3-3-4.
        regions = REGIONS if value.lstrip("(")[0] == "0" else ("US",) if digits >= 10 and not value.isdigit() else ()
        return any(phonenumbers.is_valid_number(phonenumbers.parse(value, region)) for region in regions)
    except phonenumbers.NumberParseException:
        return False


def _last(pattern: re.Pattern[str], text: str) -> int:
    return max((m.end() for m in pattern.finditer(text)), default=-1)


_FIND: dict[Kind, Callable[[str], Iterator[tuple[int, int, bool]]]] = {
    "email": _emails,
    "iban": _ibans,
    "card": _cards,
    "ssn": _ssns,
    "ip": _ips,
    "phone": _phones,
}
