"""What each column holds, decided over all tables together.

A column is a number, a date, a duration or a truth value where every value of every table can be read so; else it is a
category. Codes that look like numbers (leading zeros, telephone numbers, ``1e5``) are categories. Which character
separates the decimals, and whether the day or the month comes first, may differ from file to file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import ConfigurationError
from .calendar import OFFSET, dates, durations, order_of
from .categories import TRUTH, as_category
from .cells import Cells, Kind, Outcome, cells, objects
from .marks import without_bounds, without_marks
from .number_styles import check_units, choose_styles, style_remarks, usual_style
from .numerals import Style, codes_why, styles, unit_of, values

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


@dataclass
class Read:
    """The columns of several tables after their kinds were decided.

    Attributes
    ----------
    frames : dict of str to DataFrame
        By table.
    kinds : dict of str to str
        By column.
    notes : dict of str to list of str
        By table: what the report says of how it was read.
    """

    frames: dict[str, pd.DataFrame]
    kinds: dict[str, Kind]
    notes: dict[str, list[str]] = field(default_factory=dict)


def decide(tables: Mapping[str, pd.DataFrame], *, dates_are: Sequence[str] = (), plain: bool = False) -> Read:
    """Return tables with typed columns.

    Parameters
    ----------
    tables : dict of str to DataFrame
        The same columns in each; cells are text, or have a type. ``attrs["delimiter"]`` is that of a text file.
    dates_are : sequence of str
        Columns that hold dates, whatever they look like.
    plain : bool
        Read as most programs do, for a model that was trained so: codes of digits are numbers, dates stay text.

    Raises
    ------
    ConfigurationError
        Naming column and table: where a column holds different kinds of values, or can be read in two ways.
    """
    import pandas as pd

    names = list(next(iter(tables.values())).columns)
    parts: dict[str, Mapping[str, Cells]] = {
        name: {table: cells(frame[name]) for table, frame in tables.items()} for name in names
    }
    if not plain:
        parts = {name: without_marks(without_bounds(part)) for name, part in parts.items()}
    usual = {
        table: usual_style([parts[name][table].texts for name in names], frame.attrs.get("delimiter"))
        for table, frame in tables.items()
    }
    columns: dict[str, dict[str, pd.Series[Any]]] = {table: {} for table in tables}
    kinds: dict[str, Kind] = {}
    notes: dict[str, Counter[str]] = {table: Counter() for table in tables}
    for name in names:
        kinds[name], typed, remarks = _column(name, parts[name], usual, must_be_date=name in dates_are, plain=plain)
        for table in tables:
            columns[table][name] = typed[table]
            notes[table].update(dict.fromkeys(remarks.get(table, ()), 1))
    read = Read({}, kinds)
    for table, frame in tables.items():
        read.frames[table] = pd.DataFrame(columns[table], index=range(len(frame)))
        marks = sorted(set().union(*(parts[name][table].marks for name in names)))
        missing = [f"missing values written as {', '.join(marks)}"] if marks else []
        bounds = sorted(set().union(*(parts[name][table].bounds for name in names)))
        read_as_numbers = [f"{', '.join(bounds)} read as the number"] if bounds else []
        read.notes[table] = [*notes[table], *missing, *read_as_numbers]
    return read


def _column(
    name: str, parts: Mapping[str, Cells], usual: Mapping[str, Style | None], *, must_be_date: bool, plain: bool
) -> Outcome:
    """Return the kind of a column, its typed values and remarks, both by table."""
    used = {table: part for table, part in parts.items() if not part.empty}
    if must_be_date:
        return _as_dates(name, parts, used, forced=True) or _refuse_dates(name, used)
    outcome: Outcome | None = None
    if used:
        outcome = _as_truth(name, parts, used) or _as_numbers(name, parts, used, usual, codes=plain)
    if used and not plain:
        outcome = outcome or _as_dates(name, parts, used) or _as_durations(name, parts, used)
    return outcome or as_category(name, parts, used)


def _as_truth(name: str, parts: Mapping[str, Cells], used: Mapping[str, Cells]) -> Outcome | None:
    """Truth values: ``true`` and ``false`` in any case; beside those 1 and 0 too."""
    few = {table: {text.lower() for text in part.words()[1][:9]} for table, part in used.items()}
    typed = any(part.kind == "truth" for part in used.values())
    if not all(some <= {"true", "false", "0", "1"} for some in few.values()):
        return None
    if not typed and not any(some & set(TRUTH) for some in few.values()):
        return None
    out = {}
    for table, part in parts.items():
        codes, words = part.words()
        truths = np.array([TRUTH.get(word.lower(), word == "1") for word in words] + [None], dtype=object)
        out[table] = objects(truths[codes])
    return "truth", out, {}


def _as_numbers(
    name: str,
    parts: Mapping[str, Cells],
    used: Mapping[str, Cells],
    usual: Mapping[str, Style | None],
    *,
    codes: bool,
) -> Outcome | None:
    """Numbers in all tables; with `codes` also those with leading zeros and the like."""
    texts = {table: part.texts for table, part in used.items() if part.values is None}
    if any(part.kind not in (None, "number") for part in used.values()):
        return None
    bare = {table: unit_of(some) for table, some in texts.items()}
    if any(pair is None for pair in bare.values()):
        return None
    possible = {table: styles(pair[0]) for table, pair in bare.items() if pair}
    if not all(possible.values()):
        return None
    if not codes and codes_why([text for some in texts.values() for text in some]):
        return None
    check_units(name, {table: pair[1] for table, pair in bare.items() if pair}, used)
    plain = {table: pair[0] for table, pair in bare.items() if pair}
    chosen = choose_styles(name, plain, possible, usual, used)
    out, remarks = {}, {}
    for table, part in parts.items():
        if part.values is not None:
            out[table] = _numeric(part.values.to_numpy(np.float64, na_value=np.nan), part.values.dtype.kind == "i")
            continue
        style = chosen.get(table, "point")
        numbers = values(plain.get(table, []), style)
        out[table] = _numeric(part.spread(numbers, np.nan), all(text.lstrip("+-").isdigit() for text in part.texts))
        remarks[table] = style_remarks(plain.get(table, []), style)
        if table in bare and (pair := bare[table]) and pair[1]:
            remarks[table].append(f"'{pair[1]}' taken off")
    return "number", out, remarks


def _as_dates(
    name: str, parts: Mapping[str, Cells], used: Mapping[str, Cells], *, forced: bool = False
) -> Outcome | None:
    import pandas as pd

    if any(part.kind not in (None, "date") and not (forced and part.kind == "number") for part in used.values()):
        return None
    texts = {table: part.words()[1] for table, part in used.items() if part.kind != "date"}
    orders = {table: order_of(some) for table, some in texts.items()}
    if not forced and "none" in orders.values():
        return None
    known = {order for order in orders.values() if order in ("day-first", "month-first")}
    if "either" in orders.values() and len(known) != 1:
        table = next(table for table, order in orders.items() if order == "either")
        raise ConfigurationError(
            f"column '{name}' of {table}: day and month cannot be told apart, as in '{texts[table][0]}':"
            " write dates as 2020-12-31, or leave the column out with --ignore-columns"
        )
    out, remarks = {}, {}
    local = len({_zoned(part) for part in used.values()}) > 1  # a time without a zone is that of a clock on the wall
    for table, part in parts.items():
        if part.kind == "date" and part.values is not None:
            times = part.values.dt.tz_localize(None) if local else part.values
            times = pd.to_datetime(times, utc=True).dt.tz_localize(None)
            out[table] = pd.Series(times.to_numpy("datetime64[us]"))
            continue
        codes, words = part.words()
        order = orders.get(table, "iso")
        order = next(iter(known)) if order == "either" else "iso" if order == "none" else order
        words = [OFFSET.sub(r"\1", text) for text in words] if local else words
        moments = dates(words, order, compact=forced) if words else []  # type: ignore[arg-type]
        if moments is None:
            return None
        column = np.array([m.replace(tzinfo=None) for m in moments] + [None], dtype="datetime64[us]")
        out[table] = pd.Series(column[codes])
        written = {"day-first": "dates with the day first", "month-first": "dates with the month first"}
        remarks[table] = [written[order]] if order in written else []
    return "date", out, remarks


def _zoned(part: Cells) -> bool:
    """Whether times have a zone other than UTC."""
    if part.values is not None:
        return part.kind == "date" and str(part.values.dt.tz or "UTC") != "UTC"
    return any(OFFSET.search(text) for text in part.texts)


def _refuse_dates(name: str, used: Mapping[str, Cells]) -> Outcome:
    for table, part in used.items():
        if part.kind == "date":
            continue
        words = part.words()[1]
        for text in words:
            if dates([text], "day-first", compact=True) is None and dates([text], "month-first") is None:
                raise ConfigurationError(f"column '{name}' of {table} has the role date, and '{text}' is none")
    raise ConfigurationError(f"column '{name}' has the role date, and its values are no dates of one form")


def _as_durations(name: str, parts: Mapping[str, Cells], used: Mapping[str, Cells]) -> Outcome | None:
    import pandas as pd

    if any(part.kind not in (None, "duration") for part in used.values()):
        return None
    out = {}
    for table, part in parts.items():
        if part.kind == "duration" and part.values is not None:
            out[table] = pd.Series(part.values.to_numpy("timedelta64[us]"))
            continue
        spans = durations(part.texts)
        if spans is None:
            return None
        out[table] = pd.Series(np.array([*spans, None], dtype="timedelta64[us]")[part.codes])
    return "duration", out, {}


def _numeric(numbers: NDArray[np.float64], whole: bool) -> pd.Series[Any]:
    """Return numbers, as int64 where they are whole and none is missing."""
    import pandas as pd

    if whole and len(numbers) and np.isfinite(numbers).all() and np.abs(numbers).max() < 2**53:
        return pd.Series(numbers.astype(np.int64))
    return pd.Series(numbers)
