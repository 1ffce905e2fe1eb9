"""Numbers as people and programs write them: decimal points and commas, thousands, currencies, per cent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Style = Literal["point", "comma"]
"""Which character separates the decimals."""

_UNITS = r"[$€£¥₹]|EUR|USD|GBP|CHF|Fr\.|kr|zł"
_AFFIXED = re.compile(
    rf"([+-]?)\s*(?P<before>{_UNITS})?\s*(?P<number>[^\s%‰$€£¥₹A-Za-z].*?)\s*(?P<after>{_UNITS}|%|‰)?"
)
_WHOLE = r"[1-9]\d{0,2}(?:[ '_]\d{3})+|\d+"
_EXPONENT = r"(?:[eE][+-]?\d+)?"
_INFINITE = r"[+-]?inf(?:inity)?"
_GRAMMAR: dict[Style, re.Pattern[str]] = {
    "point": re.compile(
        rf"(?i:{_INFINITE})|[+-]?(?=\.?\d)(?:[1-9]\d{{0,2}}(?:,\d{{3}})+|[1-9]\d?(?:,\d\d)+,\d{{3}}|{_WHOLE})?(?:\.\d*)?{_EXPONENT}"
    ),
    "comma": re.compile(
        rf"(?i:{_INFINITE})|[+-]?(?=,?\d)(?:[1-9]\d{{0,2}}(?:\.\d{{3}})+|{_WHOLE})?(?:,\d*)?{_EXPONENT}"
    ),
}
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_AMBIGUOUS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")
_CODES = (
    (re.compile(r"[+-]?0\d+"), "leading zeros"),
    (re.compile(r"\+\d{7,}"), "telephone numbers"),
    (re.compile(r"\d{16,}"), "more digits than a number holds"),
)
_BARE_EXPONENT = re.compile(r"\d+[eE]\d+")
_FRACTION = re.compile(r".*[.,].*|.*[eE][+-].*")


def unit_of(texts: Iterable[str]) -> tuple[list[str], str] | None:
    """Return texts without a currency or per cent sign, and the sign; None where they have different ones.

    >>> unit_of(["12 %", "7 %"]), unit_of(["$1,200", "(3)"])
    ((['12', '7'], '%'), (['1,200', '-3'], '$'))
    """
    bare: list[str] = []
    units: set[str] = set()
    for text in texts:
        text = text.replace("−", "-").replace("’", "'")
        if text.startswith("(") and text.endswith(")"):  # as accountants write what is negative
            text = f"-{text[1:-1]}"
        if match := _AFFIXED.fullmatch(text):
            units.update(unit for unit in (match["before"], match["after"]) if unit)
            text = match[1] + match["number"]
        bare.append(text)
    return None if len(units) > 1 else (bare, next(iter(units), ""))


def styles(texts: Sequence[str]) -> tuple[Style, ...]:
    """Return the styles in which all texts are numbers.

    >>> styles(["1.234", "5"]), styles(["1,5"]), styles(["1.234,5"]), styles(["a"])
    (('point', 'comma'), ('comma',), ('comma',), ())
    """
    return tuple(style for style, grammar in _GRAMMAR.items() if all(map(grammar.fullmatch, texts)))


def ambiguous(texts: Sequence[str]) -> list[str]:
    """Return the texts of which the separator may be one of decimals or of thousands, as in ``1.234``.

    Meant for texts that are numbers in both styles.
    """
    return [text for text in texts if _AMBIGUOUS.fullmatch(text)]


def codes_why(texts: Sequence[str]) -> str:
    """Return why texts that could be numbers are codes, or the empty text.

    >>> codes_why(["01234", "70173"]), codes_why(["1e5", "12"]), codes_why(["1e+05", "0.5"])
    ('leading zeros', 'digits around an e', '')
    """
    for pattern, why in _CODES:
        if any(map(pattern.fullmatch, texts)):
            return why
    bare = any(map(_BARE_EXPONENT.fullmatch, texts))
    return "digits around an e" if bare and not any(map(_FRACTION.fullmatch, texts)) else ""


def values(texts: Sequence[str], style: Style) -> NDArray[np.float64]:
    """Return the numbers that texts are in a style.

    >>> values(["1.234,5", "7"], "comma").tolist()
    [1234.5, 7.0]
    """
    if style == "point" and all(map(_PLAIN.fullmatch, texts)):
        return np.array(texts, dtype=np.float64) if texts else np.empty(0)
    drop = re.compile(r"[, '_]" if style == "point" else r"[. '_]")
    plain = [drop.sub("", text) for text in texts]
    return np.array([text.replace(",", ".") for text in plain], dtype=np.float64)


def bare_code(text: str) -> str:
    """Return a code without what a spreadsheet takes off or adds: leading zeros, ``.0``.

    >>> bare_code("01234"), bare_code("1234.0"), bare_code("0"), bare_code("A01")
    ('1234', '1234', '0', 'A01')
    """
    match = re.fullmatch(r"0*(\d+?)(?:\.0+)?", text)
    return match[1] if match else text
