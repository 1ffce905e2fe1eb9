"""Dates and durations as text. The order of day and month is told from days above 12."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal

Order = Literal["day-first", "month-first"]

_TIME = (
    r"(?:[T ,]+(?P<H>\d{1,2}):(?P<M>\d\d)(?::(?P<S>\d\d)(?:[.,](?P<f>\d{1,9}))?)?\s*(?P<half>[AaPp]\.?[Mm]\.?)?"
    r"\s*(?P<zone>Z|UTC|[+-]\d\d:?\d\d)?)?"
)
_ISO = re.compile(rf"(?P<y>\d{{4}})(?P<sep>[-/.])(?P<m>\d{{1,2}})(?:(?P=sep)(?P<d>\d{{1,2}}){_TIME})?")
_NUMERIC = re.compile(rf"(?P<a>\d{{1,2}})(?P<sep>[-/.])(?P<b>\d{{1,2}})(?P=sep)(?P<y>\d{{4}}|\d\d){_TIME}")
_NAMED = (
    re.compile(rf"(?P<d>\d{{1,2}})\.?[ -]?(?P<name>[A-Za-z]{{3,9}})\.?[ ,-]*(?P<y>\d{{4}}){_TIME}"),
    re.compile(rf"(?P<name>[A-Za-z]{{3,9}})\.? (?P<d>\d{{1,2}}),? (?P<y>\d{{4}}){_TIME}"),
)
OFFSET = re.compile(r"(\d:\d\d(?:[.,]\d+)?)\s*[+-]\d\d:?\d\d$")
"""The zone behind a time of day."""
_COMPACT = re.compile(r"(?P<y>\d{4})(?P<m>\d\d)(?P<d>\d\d)")
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_DURATION = re.compile(
    r"(?P<sign>-?)(?:(?P<days>\d+) days?,?\s*\+?)?(?:(?P<H>\d{1,4}):(?P<M>[0-5]\d)(?::(?P<S>[0-5]\d(?:\.\d+)?))?)?"
)


def order_of(texts: Sequence[str]) -> Order | Literal["either", "iso", "none"]:
    """Return in which order texts write day and month: ``either`` where that cannot be told, ``none`` for no dates.

    >>> order_of(["13/02/2020", "01/02/2020"]), order_of(["01/02/2020"]), order_of(["1.2.2020"])
    ('day-first', 'either', 'day-first')
    """
    if not texts or not _NUMERIC.fullmatch(texts[0]):
        return "iso" if texts and all(_iso(text) for text in texts) else "none"
    numeric = [match for text in texts if (match := _NUMERIC.fullmatch(text))]
    if len(numeric) < len(texts):
        return "none"
    first, second = (any(int(match[part]) > 12 for match in numeric) for part in ("a", "b"))
    dotted = any(match["sep"] == "." for match in numeric)
    if (first and second) or (dotted and second):
        return "none"
    if first or dotted:
        return "day-first"
    return "month-first" if second else "either"


def dates(texts: Sequence[str], order: Order | Literal["iso"], *, compact: bool = False) -> list[datetime] | None:
    """Return dates in UTC, or None where a text is none.

    Parameters
    ----------
    texts : sequence of str
        Each a date in any of the forms that are known, all in one order.
    order : {"day-first", "month-first", "iso"}
        Of day and month in forms such as ``1/2/2020``.
    compact : bool
        Whether ``20200131`` is a date too.
    """
    out = []
    for text in texts:
        match = _iso(text) or _NUMERIC.fullmatch(text) or (_COMPACT.fullmatch(text) if compact else None)
        value = _date(match, order) if match else None
        if value is None:
            return None
        out.append(value)
    return out


def durations(texts: Sequence[str]) -> list[timedelta] | None:
    """Return durations or times of day, or None where a text is none.

    >>> durations(["1 days 02:00:00", "08:30"])
    [datetime.timedelta(days=1, seconds=7200), datetime.timedelta(seconds=30600)]
    """
    out = []
    for text in texts:
        match = _DURATION.fullmatch(text)
        if not match or (match["days"] is None and match["H"] is None):
            return None
        value = timedelta(
            days=int(match["days"] or 0),
            hours=int(match["H"] or 0),
            minutes=int(match["M"] or 0),
            seconds=float(match["S"] or 0),
        )
        out.append(-value if match["sign"] else value)
    return out


def _iso(text: str) -> re.Match[str] | None:
    return _ISO.fullmatch(text) or next((m for pattern in _NAMED if (m := pattern.fullmatch(text))), None)


def _date(match: re.Match[str], order: str) -> datetime | None:
    part = match.groupdict()
    year = int(part["y"])
    if len(part["y"]) == 2:
        year += 2000 if year < 30 else 1900  # as spreadsheets read two digits
    if part.get("name"):
        named = [i for i, name in enumerate(_MONTHS, start=1) if name.startswith(part["name"].lower()[:9])]
        month, day = (named[0] if len(named) == 1 else 0), int(part["d"])
    elif "a" in part:
        a, b = int(part["a"]), int(part["b"])
        month, day = (b, a) if order == "day-first" else (a, b)
    else:
        month, day = int(part["m"]), int(part["d"] or 1)
    hour = int(part.get("H") or 0)
    if half := part.get("half"):
        hour = hour % 12 + (12 if half[0] in "pP" else 0)
    try:
        value = datetime(
            year, month, day, hour, int(part.get("M") or 0), int(part.get("S") or 0),
            int((part.get("f") or "0")[:6].ljust(6, "0")), tzinfo=_zone(part.get("zone")),
        )  # fmt: skip
        return value.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(text: str | None) -> timezone:
    if not text or text in ("Z", "UTC"):
        return UTC
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)
