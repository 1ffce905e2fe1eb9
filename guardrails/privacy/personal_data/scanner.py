"""Finds personal data in text: a pattern, then the kind's own checksum or numbering plan, then the words around it.

Pure functions. Every pattern has bounded repeats, so that the time is linear in the text whatever it holds. Names and
places have no pattern: `recognizers.load_recognizers` adds them by Presidio, and kinds of one's own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address

from . import birth_dates
from .addresses import ADDRESSES
from .contacts import EMAIL, IPV4, IPV6
from .national_numbers import bare
from .normalise import folded, views
from .numbers import CARD, IBAN, NATIONAL_IDS, SSN
from .phones import PHONE, national
from .recognizer import Finder
from .secrets import SECRETS
from .wrapped_numbers import split_numbers

FINDERS: tuple[Finder, ...] = (
    *SECRETS, EMAIL, NATIONAL_IDS, IBAN, CARD, SSN, IPV6, IPV4, birth_dates.BIRTH_DATE, PHONE, *ADDRESSES,
)  # fmt: skip
"""In the order in which a stretch of text is claimed: a card number is never read again as a telephone number."""
_FIGURELESS: tuple[Finder, ...] = (*SECRETS, EMAIL)
_FIGURE = re.compile(r"\d")

KINDS: tuple[str, ...] = tuple(dict.fromkeys(finder.kind for finder in FINDERS))


@dataclass(frozen=True)
class Span:
    """One piece of personal data: ``text[start:end] == value``.

    `valid` is False where the shape is right and the checksum or the range of the kind is not.
    """

    kind: str
    start: int
    end: int
    value: str
    valid: bool


def scan(text: str, user_recognizers: Sequence[Finder] = ()) -> list[Span]:
    """Return the personal data in a text, in order, without overlaps.

    E-mail addresses, bank accounts (IBAN, mod 97), payment cards (issuer and Luhn), US social security numbers (never
    issued ranges left out), personal numbers of 43 schemes, IP addresses, telephone numbers (numbering plan, or a word
    that says so before it), dates of birth, postal addresses, keys, tokens and passwords.

    Parameters
    ----------
    text : str
        Of any length.
    user_recognizers : sequence of Finder
        The user's recognizers (`recognizers.load_recognizers`); they claim first.

    Examples
    --------
    >>> [(s.kind, s.value, s.valid) for s in scan("Write to ann@example.org or pay with 4111 1111 1111 1111.")]
    [('email', 'ann@example.org', True), ('card', '4111 1111 1111 1111', True)]
    """
    taken = bytearray(len(text))
    spans: list[Span] = []
    for view in views(text):
        for kind, begin, stop in split_numbers(view.text):
            start, end = view.original(begin, stop)
            if not any(taken[start:end]):
                spans.append(Span(kind, start, end, text[start:end], True))
                taken[start:end] = b"\1" * (end - start)
        for finder in (*user_recognizers, *(FINDERS if _FIGURE.search(view.text) else _FIGURELESS)):
            for begin, stop, valid in finder.find(view.text):
                start, end = view.original(begin, stop)
                if not any(taken[start:end]):
                    spans.append(Span(finder.kind, start, end, text[start:end], valid))
                    # A broken checksum claims nothing: the digits may still be a telephone number.
                    if valid:
                        taken[start:end] = b"\1" * (end - start)
    good = [s for s in spans if s.valid]
    broken = [s for s in spans if not s.valid and not any(taken[s.start : s.end])]
    return sorted(good + broken, key=lambda s: s.start)


def canonical(span: Span) -> str:
    """Return the form in which two spellings of the same datum are equal, with its kind.

    A telephone number is the same with and without a country code.

    >>> canonical(*scan("call (212) 555-0187")), canonical(*scan("+1 212 555 0187"))
    ('phone:2125550187', 'phone:2125550187')
    """
    exact = folded(span.value)
    value = exact.lower()
    if span.kind == "email":
        return f"email:{value}"
    if span.kind == "secret":
        return f"secret:{exact}"
    if span.kind == "ip":
        return f"ip:{IPv6Address(value) if ':' in value else value}"
    if span.kind == "phone":
        return f"phone:{national(value)}"
    if span.kind == "birth-date":
        return "birth-date:" + "-".join(map(str, birth_dates.parts(value)))
    return f"{span.kind}:{bare(value)}"


SHOWN = 7
"""A datum of fewer letters and digits is not shown in part either; a date of birth never is."""


def redact(span: Span) -> str:
    """Return a form that a reader can recognise and nobody can use.

    >>> redact(Span("email", 0, 15, "john@example.org", True)), redact(Span("phone", 0, 12, "212-555-0187", True))
    ('j***@example.org', '[phone …87]')
    """
    if span.kind == "email":
        name, _, domain = span.value.partition("@")
        return f"{name[0]}***@{domain}"
    last = bare(span.value)
    if len(last) < SHOWN or span.kind == "birth-date":
        return f"[{span.kind}]"
    return f"[{span.kind} …{last[-2:]}]"


def redact_text(text: str, spans: Sequence[Span]) -> str:
    """Return the text with each span redacted."""
    out, at = [], 0
    for span in spans:
        out += [text[at : span.start], redact(span)]
        at = span.end
    return "".join([*out, text[at:]])
