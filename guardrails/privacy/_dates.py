"""Dates of birth: a date of the calendar beside a word that says whose."""

from __future__ import annotations

import re
from calendar import monthrange

from ._recognizers import BEFORE, Recognizer

YEARS = range(1900, 2036)
"""Of people alive; older dates are history."""

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan ene gen", "feb fév fev", "mar mär maa mrt", "apr avr abr", "may mai mei mag", "jun juin giu",
            "jul juil lug", "aug aoû aou ago", "sep set", "oct okt ott", "nov", "dec dez déc dic",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_NAME = r"(?:%s)[^\W\d_]{0,7}\.?" % "|".join(sorted(_MONTHS, key=len, reverse=True))  # noqa: UP031  braces
_DATE = (
    r"(?<![\w./-])(?:\d{1,2}(?P<s>[./ -])\d{1,2}(?P=s)(?:\d{4}|\d{2})|\d{4}(?P<i>[./-])\d{1,2}(?P=i)\d{1,2}"
    rf"|\d{{1,2}}(?:st|nd|rd|th|\.)?(?: of)? (?:de )?{_NAME},?(?: de)? \d{{4}}"
    rf"|{_NAME} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}})(?!\w|[./-]\d)"
)
DATE = re.compile(_DATE, re.I)
"""Any date, whatever stands before it."""
_BORN = (
    r"(?<=b)orn\b|(?<=b)irth ?(?:date|day)?\b|(?<=d)\.?o\.?b\b|(?<=n)ée?\b|(?<=g)eb(?:oren|\.|urts)|(?<=n)aci"
    r"|(?<=n)at[oa] il|(?<=n)asc"
)


def parts(value: str) -> tuple[int, ...]:
    """Return the year, then month and day, the smaller first: which is which cannot be told from 2/8.

    >>> parts("2/8/1935"), parts("8 February 1935"), parts("1935-02-08")
    ((1935, 2, 8), (1935, 2, 8), (1935, 2, 8))
    """
    numbers = [int(n) for n in re.findall(r"\d+", value)]
    word = re.search(r"[^\W\d_]{3,}", re.sub(r"\d(?:st|nd|rd|th)", "0 ", value.lower()))
    month = next((_MONTHS[word[0][:n]] for n in (4, 3) if word[0][:n] in _MONTHS), 0) if word else 0
    year = max(numbers) if max(numbers) > 31 else numbers[-1]
    numbers.remove(year)
    year += 0 if year > 99 else 1900 if year > 35 else 2000
    return (year, *sorted([month, *numbers] if month else numbers))


def _of_a_life(value: str) -> bool | None:
    year, *rest = parts(value)
    if year not in YEARS or len(rest) != 2:
        return None
    return any(1 <= m <= 12 and 1 <= d <= monthrange(year, m)[1] for m, d in (rest, rest[::-1])) or None


BIRTH_DATE = Recognizer(
    "date of birth",
    "birth-date",
    # No digit between: another date is the one that the word is about.
    re.compile(rf"[BbDdGgNn](?<!\w.)(?i:(?:{_BORN})\D{{0,{BEFORE}}}?(?P<datum>{_DATE}))"),
    _of_a_life,
)
