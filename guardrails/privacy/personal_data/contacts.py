"""E-mail and IP addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address

from .recognizer import Found, Recognizer

_FILES = frozenset(
    """
    bak bmp class css csv dll exe gif gz htm html ico internal invalid jar jpeg jpg js json jsx local
    localdomain localhost log pdf png scss svg tar tif tiff tmp toml tsx ttf txt wav webp woff xml yaml yml
    """.split()  # noqa: SIM905
)
"""What ends the name of a file, or of a machine that nobody outside can write to: ``icon@2x.png``."""
_MESSAGE = re.compile(r"(?i:message-id|in-reply-to|references|content-id):?[ \t]{0,3}<?$")


def _email(value: str) -> bool:
    # git@ is the name that every host of repositories has for everybody.
    return (
        ".." not in value
        and ".@" not in value
        and not value.startswith("git@")
        and value.rpartition(".")[2].lower() not in _FILES
    )


def _no_message(m: re.Match[str]) -> bool:
    return _MESSAGE.search(m.string[max(0, m.start() - 20) : m.start()]) is None


EMAIL = Recognizer(
    "e-mail address",
    "email",
    re.compile(
        r"(?<![^\W_])[^\W_][\w.%+'-]{0,63}(?<!')@(?:[^\W_][\w-]{0,62}\.){1,8}(?:xn--[A-Za-z0-9-]{1,59}|[^\W\d_]{2,24})"
        r"(?![^\W_]|[-_][^\W_])"
    ),
    _email,
    _no_message,
    needs=("@",),
)

_VERSIONS = frozenset(
    """
    v ver version versions versión versionen release releases build builds firmware driver section sections sec chapter
    chapters clause clauses kapitel abschnitt chapitre capítulo capitulo sección seccion table figure fig appendix annex
    oid step rule paragraph article kernel sdk patch update updates updated
    """.split()  # noqa: SIM905
)
_NAME = re.compile(
    r"(?:([^\W\d_][\w.+-]{0,40})(?: |-|@| ?[=~<>!]=+ ?| ?[<>] ?)|(?<![A-Za-z:/])([A-Z]\w{1,30})/|(?<![^\W_])([vV]))$"
)
_HOSTS = frozenset(
    """
    accept accepted addr address addresses adresse against allow allowed an and are at attacker ban banned
    behind bei bind block blocked by client clients con connect connected connecting connection curl de del
    denied deny depuis desde dest destination device direccion dirección dns drop dropped dst en endpoint es est
    et for forwarded from ftp gateway host hostname hosts in inet inet6 ip ipv4 ipv6 is ist listen listening
    localhost login lookup machine mit nameserver near netmask network node nodes nslookup o oder on or ou par
    peer ping pinged proxy reject rejected remote router scp server servers serveur servidor source src ssh
    subnet sur telnet the through to traceroute und user users via visitor vom von was whois with y à über
    """.split()  # noqa: SIM905
)
"""The words right before an address; right before a version stands the name of what it is one of."""
_HEADING = re.compile(r"[ \t]{1,3}[A-Z][a-z]")
BEFORE = 44


def _ipv4(m: re.Match[str]) -> bool | None:
    """Whether four numbers are an address: those of versions and sections have two digits and follow a name."""
    numbers = m[0].split(".")
    if any(int(number) > 255 or (number[0] == "0" and number != "0") for number in numbers):
        return None
    if m[0].startswith(("127.0.", "0.")):
        return False
    before = m.string[max(0, m.start() - BEFORE) : m.start()]
    if _last_word(before) in _VERSIONS:
        return None
    if max(map(len, numbers)) == 3:
        return True
    if name := _NAME.search(before):
        return (name[1] or name[2] or name[3]).lower() in _HOSTS or None
    line_begins = not before.strip(" \t#*") or before.rstrip(" \t#*")[-1] == "\n"
    return None if line_begins and not m[0].startswith("10.") and _HEADING.match(m.string, m.end()) else True


def _last_word(text: str) -> str:
    """Return the letters that a text ends with, punctuation left out."""
    text = text.rstrip(" \t\n.:=\"'_#(-")
    if text.endswith("§"):
        return "section"
    at = len(text)
    while at and text[at - 1].isalpha():
        at -= 1
    return text[at:].lower()


@dataclass(frozen=True)
class IPv4:
    """Finds IPv4 addresses that are no versions, sections or parts of a longer row of numbers."""

    kind: str = "ip"
    name: str = "IPv4 address"

    def find(self, text: str) -> Iterator[Found]:
        """Yield every address; loopback ones are not valid."""
        if _POINTS.search(text):
            for m in _IPV4.finditer(text):
                valid = _ipv4(m)
                if valid is not None:
                    yield *m.span(), valid


@dataclass(frozen=True)
class IPv6:
    """Finds IPv6 addresses in every way of RFC 4291 and 4007, with their zone; no slices, times, ratios or MACs."""

    kind: str = "ip"
    name: str = "IPv6 address"

    def find(self, text: str) -> Iterator[Found]:
        """Yield every address; loopback ones are not valid."""
        if _COLONS.search(text) is None:
            return
        for m in _IPV6.finditer(text):
            value, start, end = m["address"], m.start(), m.end("address")
            if ":::" in value or ("::" not in value and value.count(":") == 8):  # a number with a colon is the label
                start += value.index(":") + 1
                value = m.string[start:end]
            if value.endswith(":") and not value.endswith("::"):
                value, end = value[:-1], end - 1
            colons = value.count(":")
            if "::" not in value and colons != 7 and not (colons == 6 and "." in value):
                continue
            try:
                address = IPv6Address(value)
            except AddressValueError:
                continue
            if _is_address(m, value):
                yield (
                    start,
                    m.end("zone") if m["zone"] else end,
                    not (address.is_loopback or address.is_unspecified),
                )


def _is_address(m: re.Match[str], value: str) -> bool:
    """Whether it is none of the other things that are written with colons."""
    groups = [group for group in value.split(":") if group]
    if len(groups) == 8 and all(len(group) == 2 for group in groups):  # a hardware address (EUI-64)
        return False
    if not groups or len(groups) >= 3 or "." in value or m["zone"] or m["prefix"]:
        return True
    before = m.string[max(0, m.start() - 24) : m.start()]
    if before.endswith("[") and m.string.startswith("]", m.end("address")):  # a[1::2] is a slice
        return re.search(r"[\w)\]]\[$", before) is None
    return (len(groups[0]) >= 3 and any(c.isdigit() for c in groups[0])) or _IP_WORD.search(before) is not None


_IP_WORD = re.compile(
    r"(?i:(?<![^\W_])(?:ipv?6?|addr(?:ess)?|adresse|direcci[oó]n|host|inet6?)(?: is|es|ist|est)?[\s:=\"'(]{1,4})$"
)
_POINTS = re.compile(r"\.\d{1,3}\.\d{1,3}\.\d")
_COLONS = re.compile(r":(?::|[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){4})")
"""What every address holds. A search for a fixed first character is ten times as fast as one for an address."""
_IPV4 = re.compile(r"[0-9](?<![^\W_].)(?<!\d[._].)\d{0,2}(?:\.\d{1,3}){3}(?![^\W_]|\.\d|_[^\W_])")
_IPV6 = re.compile(
    # Behind a colon only where the word before it is no group: of five letters, or with others than a to f.
    r"(?P<address>[0-9A-Fa-f:](?:(?<![\w:.].)|(?<=[g-zG-Z_)\]\"' ]:.)|(?<=\w{5}:.)"
    r"|(?<=[g-zG-Z]\w:.)|(?<=[g-zG-Z]\w\w:.))"
    r"[0-9A-Fa-f:]{1,38}(?:\.\d{1,3}){0,3})"
    r"(?P<zone>%[0-9A-Za-z]{1,15})?(?P<prefix>/(?:12[0-8]|1[01]\d|[1-9]?\d)(?!\w))?(?![^\W_]|\.\d)"
)
IPV4, IPV6 = IPv4(), IPv6()
