"""Numbers as people and programs write them: decimal points and commas, thousands, currencies, per cent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Style = Literal["point", "comma"]
"""Which character separates the decimals."""

_UNITS = r"[$€£¥₹]|EUR|USD|GBP|CHF|Fr\.|kr|zł"
_AFFIXED = re.compile(
    rf"([+-]?)\s*(?P<before>{_UNITS})?\s*(?P<number>[^\s%‰$€£¥₹A-Za-z].*?)\s*(?P<after>{_UNITS}|%|‰)?"
)
_BARE = r"[+-]?[0-9.,'_ ]*(?:[eE][+-]?[0-9]+)?"
_WHOLE = r"[1-9]\d{0,2}(?: \d{3})+|[1-9]\d{0,2}(?:'\d{3})+|[1-9]\d{0,2}(?:_\d{3})+|\d+"
_COMMAS = r"[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d?(?:,\d\d)+,\d{3}"  # the second as in India
_END = r"(?:[eE][+-]?\d+)?"
_INFINITE = r"[+-]?(?i:inf(?:inity)?)"
_GRAMMAR: dict[Style, str] = {
    "point": rf"{_INFINITE}|[+-]?(?:(?:{_COMMAS}|{_WHOLE})(?:\.\d*)?|\.\d+){_END}",
    "comma": rf"{_INFINITE}|[+-]?(?:(?:[1-9]\d{{0,2}}(?:\.\d{{3}})+|{_WHOLE})(?:,\d*)?|,\d+){_END}",
}
_PLAIN = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_AMBIGUOUS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")
_CODES = (
    (r"[+-]?0\d+", "leading zeros"),
    (r"\+\d{7,}", "telephone numbers"),
    (r"\d{16,}", "more digits than a number holds"),
)
_BARE_EXPONENT = r"\d+[eE]\d+"
_FRACTION = r".*[.,].*|.*[eE][+-].*"


def matches(texts: Sequence[str], pattern: str) -> Any:
    """Return which texts are of a pattern as a whole, as an array of Arrow: fast for millions of them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return pc.match_substring_regex(pa.array(texts, pa.large_string()), rf"\A(?:{pattern})\z")
    except UnicodeEncodeError:  # half a surrogate pair, which is no number
        return pa.array([False])


def _all(texts: Sequence[str], pattern: str) -> bool:
    import pyarrow.compute as pc

    return bool(pc.all(matches(texts, pattern)).as_py() is not False)


def _any(texts: Sequence[str], pattern: str) -> bool:
    import pyarrow.compute as pc

    return bool(pc.any(matches(texts, pattern)).as_py())


def unit_of(texts: Sequence[str]) -> tuple[list[str], str] | None:
    """Return texts without a currency or per cent sign, and the sign; None where they have different ones.

    >>> unit_of(["12 %", "7 %"]), unit_of(["$1,200", "(3)", "5-"])
    ((['12', '7'], '%'), (['1,200', '-3', '-5'], '$'))
    """
    if _all(texts, _BARE):
        return list(texts), ""
    bare: list[str] = []
    units: set[str] = set()
    for text in texts:
        text = text.replace("−", "-").replace("’", "'")
        if text.startswith("(") and text.endswith(")"):  # as accountants write what is negative
            text = f"-{text[1:-1]}"
        elif text.endswith("-") and text[:1].isdigit():  # as SAP and COBOL do
            text = f"-{text[:-1].rstrip()}"
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
    return tuple(style for style, grammar in _GRAMMAR.items() if _all(texts, grammar))


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
        if _any(texts, pattern):
            return why
    return "digits around an e" if _any(texts, _BARE_EXPONENT) and not _any(texts, _FRACTION) else ""


def values(texts: Sequence[str], style: Style) -> NDArray[np.float64]:
    """Return the numbers that texts are in a style.

    >>> values(["1.234,5", "7"], "comma").tolist()
    [1234.5, 7.0]
    """
    if style == "point" and _all(texts, _PLAIN):
        return np.array(texts, dtype=np.float64) if texts else np.empty(0)
    drop = re.compile(r"[, '_]" if style == "point" else r"[. '_]")
    plain = [drop.sub("", text) for text in texts]
    return np.array([text.replace(",", ".") for text in plain], dtype=np.float64)


def numbers_among(texts: Sequence[str]) -> dict[str, str]:
    """Return the texts that are numbers, each with the shortest way to write it; none where they are codes.

    >>> numbers_among(["34.0", "80+"]), numbers_among(["1.234,50", "<5"]), numbers_among(["034", "x"])
    ({'34.0': '34'}, {'1.234,50': '1234.5'}, {})
    """
    either = "|".join(_GRAMMAR.values())
    numeric = [text for text, number in zip(texts, matches(texts, either).to_pylist(), strict=False) if number]
    ways = styles(numeric) if numeric and not codes_why(numeric) else ()
    return dict(zip(numeric, (f"{value:.15g}" for value in values(numeric, ways[0])), strict=True)) if ways else {}


def bare_code(text: str) -> str:
    """Return a code without what a spreadsheet takes off or adds: leading zeros, ``.0``.

    >>> bare_code("01234"), bare_code("1234.0"), bare_code("0"), bare_code("A01")
    ('1234', '1234', '0', 'A01')
    """
    match = re.fullmatch(r"0*(\d+?)(?:\.0+)?", text)
    return match[1] if match else text
