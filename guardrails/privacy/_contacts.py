"""E-mail and IP addresses, and telephone numbers."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from ._recognizers import BEFORE, Recognizer, last

REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "AU", "IN")
"""The national numbering plans that a number without a country code is held against."""

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

_DECIMAL = re.compile(r"\d{1,2}\.\d+$")


def _email(value: str) -> bool:
    return ".." not in value and ".@" not in value


def _ipv4(value: str) -> bool | None:
    try:
        address = IPv4Address(value)
    except AddressValueError:
        return None
    return not (address.is_loopback or address.is_unspecified or value.startswith("0."))


def _ipv6(value: str) -> bool | None:
    # Fewer than three groups are as likely a slice, a time or a ratio.
    if sum(bool(group) for group in value.split(":")) < 3:
        return None
    try:
        IPv6Address(value)
    except AddressValueError:
        return None
    return True


def _called(m: re.Match[str]) -> bool:
    """Whether a country code, a word beside the number or a national numbering plan makes it a telephone number."""
    value = m[0]
    digits = sum(c.isdigit() for c in value.partition("x")[0])  # without an extension, "x12" or "ext. 12"
    if not 7 <= digits <= 16 or _DATE.match(value) or _DECIMAL.match(value):
        return False
    import phonenumbers

    labelled = _LABEL.match(m.string, m.end()) is not None
    before = m.string[max(0, m.start() - BEFORE) : m.start()]
    try:
        if value[0] == "+" or value.startswith("00"):
            return digits >= 8 and phonenumbers.is_possible_number(phonenumbers.parse("+" + value.lstrip("+0"), None))
        other, call = last(_OTHER_NUMBER, before), last(_CALL, before)
        if labelled or max(other, call) >= 0:
            return labelled or call > other
        # Many plans take any nine digits; people write the trunk prefix 0, or in North America 3-3-4.
        regions = REGIONS if value.lstrip("(")[0] == "0" else ("US",) if digits >= 10 and not value.isdigit() else ()
        return any(phonenumbers.is_valid_number(phonenumbers.parse(value, region)) for region in regions)
    except phonenumbers.NumberParseException:
        return False


EMAIL = Recognizer(
    "e-mail address",
    "email",
    re.compile(r"(?<![\w.%+-])\w[\w.%+-]{0,63}@(?:[^\W_][\w-]{0,62}\.){1,8}[^\W\d_]{2,24}(?![\w-])"),
    _email,
    needs=("@",),
)
IPV4 = Recognizer(
    "IPv4 address", "ip", re.compile(r"[0-9](?<![\w.].)\d{0,2}(?:\.\d{1,3}){3}(?!\.?\w)"), _ipv4, needs=(".",)
)
IPV6 = Recognizer(
    "IPv6 address",
    "ip",
    re.compile(r"[0-9A-Fa-f](?<![\w:.].)[0-9A-Fa-f]{0,3}:[0-9A-Fa-f:]{3,34}(?![\w:])"),
    _ipv6,
    cut=":",
    needs=(":",),
)
PHONE = Recognizer(
    "telephone number",
    "phone",
    re.compile(
        r"[0-9+(](?<![\w@./:$€£#(+-].)(?<!\d,.)(?:(?<=\d)\d{0,15}|(?<=\()\+?\d{1,5}\)|(?<=\+)(?:\(\d{1,5}\)|\d{1,14}))"
        r"(?:[ .-]{1,2}(?:\(\d{1,5}\)|\d{1,14})|(?<=\))\d{1,14}){0,6}"
        r"(?: ?(?:x|ext\.? ?)\d{1,6})?(?![\w@%€£]|[,:/.-]\d)"
    ),
    context=_called,
)
