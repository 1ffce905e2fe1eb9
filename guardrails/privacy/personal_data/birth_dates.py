"""Dates of birth: a date of the calendar beside a word that says whose."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass

from .labels import labels
from .recognizer import BEFORE, Found, holds_any

YEARS = range(1900, 2036)
"""Of people alive; older dates are history."""

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan jän ene gen ian sty led tam oca янв січ ιαν",
            "feb fév fev lut úno hel şub фев лют φεβ",
            "mar mär maa mrt bře már мар бер μαρ",
            "apr avr abr kwi dub huh nis ápr апр кві απρ",
            "may mai mei mag maj kvě tou máj мая май тра μαΐ",
            "jun juin giu iun cze červ kes jún haz июн чер ιουν",
            "jul juil lug iul lip červene červenc hei júl tem июл лип ιουλ",
            "aug aoû aou ago sie srp elo ağu авг сер αυγ",
            "sep set wrz zář syy sze eyl сен вер σεπ",
            "oct okt ott out paź říj lok eki окт жов οκτ",
            "nov noi lis marr kas ноя лис νοε",
            "dec dez déc dic des gru pro jou ara дек гру δεκ",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_NAME = rf"(?:{'|'.join(sorted(_MONTHS, key=len, reverse=True))})[^\W\d_]{{0,9}}\.?"
_DATE = (
    r"(?<![^\W_])(?<!\d[./-])(?:\d{1,2}(?P<s>\. |[./ -])\d{1,2}(?P=s)(?:\d{4}|\d{2})"
    r"|\d{4}(?P<i>\. |[./-])\d{1,2}(?P=i)\d{1,2}|\d{4} ?[年년] ?\d{1,2} ?[月월] ?\d{1,2}(?= ?[日일])"
    rf"|\d{{1,2}}(?:st|nd|rd|th|er|º|\.)?(?: of)?(?: de | |-|/){_NAME},?(?: del? | |-|/)\d{{4}}"
    rf"|{_NAME} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}|\d{{4}}(?:\.? |-){_NAME}[ -]\d{{1,2}})"
    r"(?=T\d\d:| ?[日일]|(?![^\W_]|[./-]\d))"
)
DATE = re.compile(_DATE, re.I)
"""Any date, whatever stands before it."""
_COMPACT = re.compile(r"[\W_]{1,4}(?P<datum>(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))(?!\w)")
_SIGNS = {"*": re.compile(r"\*(?<![*\w].)(?=\d)"), "(": re.compile(r"\([bf]\. (?=\w)")}
"""Signs of a birth: a star, and a letter in parentheses."""


def parts(value: str) -> tuple[int, ...]:
    """Return the year, then month and day, the smaller first: which is which cannot be told from 2/8.

    >>> parts("2/8/1935"), parts("8 February 1935"), parts("1935-02-08")
    ((1935, 2, 8), (1935, 2, 8), (1935, 2, 8))
    """
    if re.fullmatch(r"\d{8}", value):
        value = f"{value[:4]}-{value[4:6]}-{value[6:]}"
    numbers = [int(n) for n in re.findall(r"\d+", value)]
    word = re.search(r"[^\W\d_]{3,}", re.sub(r"\d(?:st|nd|rd|th|er)\b", "0 ", value.lower()))
    month = next((_MONTHS[word[0][:n]] for n in (7, 4, 3) if word[0][:n] in _MONTHS), 0) if word else 0
    year = max(numbers) if max(numbers) > 31 else numbers[-1]
    numbers.remove(year)
    year += 0 if year > 99 else 1900 if year > 35 else 2000
    return (year, *sorted([month, *numbers] if month else numbers))


def _of_a_life(value: str) -> bool | None:
    year, *rest = parts(value)
    if year not in YEARS or len(rest) != 2:
        return None
    return any(1 <= m <= 12 and 1 <= d <= monthrange(year, m)[1] for m, d in (rest, rest[::-1])) or None


@dataclass(frozen=True)
class BirthDates:
    """Finds dates behind, or right before, a word that says that they are of a birth."""

    kind: str = "birth-date"
    name: str = "date of birth"

    def find(self, text: str) -> Iterator[Found]:
        """Yield every date of birth."""
        lower = text.lower()
        index = labels(text if holds_any(lower, _STEMS) else "")
        for start, end, topic in zip(index.starts, index.ends, index.topics, strict=True):
            if topic == "birth":
                # No figure between: another date is the one that the word is about.
                date = DATE.search(text, end, end + BEFORE + _LONGEST)
                if date and date.start() <= end + BEFORE and not _FIGURE.search(text, end, date.start()):
                    yield from _found(date)
                elif compact := _COMPACT.match(text, end):
                    yield *compact.span("datum"), True
                for date in DATE.finditer(text, max(0, start - _LONGEST), start):
                    if not re.search(r"\w", text[date.end() : start]):
                        yield from _found(date)
        for first, pattern in _SIGNS.items():
            for sign in pattern.finditer(text) if first in text else ():
                date = DATE.match(text, sign.end())
                if date and not text.startswith("*", date.end()):
                    yield from _found(date)


def _found(date: re.Match[str]) -> Iterator[Found]:
    if _of_a_life(date[0]):
        yield *date.span(), True


_STEMS = (
    "born", "birth", "dob", "d.o.b", "d.ob", "do.b", "bday", "né", "nac", "geb", "nato il", "nata il", "nato a",
    "nata a", "nasc", "naiss", "naixement", "urodz", "ur.", "född", "födelse", "født", "fødsel", "fødd", "synty",
    "nar.", "narozen", "naroden", "szület", "născut", "nașter", "naşter", "rođen", "doğum", "γενν", "γένν", "родил",
    "рожд", "р.", "народ", "出生", "生年月日", "生日", "생년월일", "לידה", "الميلاد",
)  # fmt: skip
"""What the words of the topic hold: a text without any has none of them."""
_LONGEST = 32
_FIGURE = re.compile(r"\d")
BIRTH_DATE = BirthDates()
