"""What each column holds, decided over all tables together.

A column is a number, a date, a duration or a truth value where every value of every table can be read so; else it is a
category. Codes that look like numbers (leading zeros, telephone numbers, ``1e5``) are categories. Which character
separates the decimals, and whether the day or the month comes first, may differ from file to file.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import ConfigurationError
from .calendar import OFFSET, dates, durations, order_of
from .cells import Cells, Kind, cells
from .marks import without_bounds, without_marks
from .numerals import Style, ambiguous, bare_code, codes_why, numbers_among, styles, unit_of, values

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

ENOUGH = 50
"""So many different ``1.234`` beside whole numbers below 1,000 are thousands: of decimals one in ten would end in 0."""
NEAR = 30.0
"""Two columns of one kind have medians within this factor of each other."""
NEW, KNOWN = 0.5, 0.9
"""A model whose classes are mostly new, while hardly one of the holdout's is, has them written in another way."""
NAMED = 3
"""Values of a column that a message names."""
REPEATED = 0.5
"""Below this share of distinct values a column of words is one of classes, not of names or remarks."""
_TRUTH = {"true": True, "false": False}


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
        table: _usual_style([parts[name][table].texts for name in names], frame.attrs.get("delimiter"))
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


Outcome = tuple[Kind, dict[str, "pd.Series[Any]"], dict[str, list[str]]]


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
    return outcome or _as_category(name, parts, used)


def _as_truth(name: str, parts: Mapping[str, Cells], used: Mapping[str, Cells]) -> Outcome | None:
    """Truth values: ``true`` and ``false`` in any case; beside those 1 and 0 too."""
    few = {table: {text.lower() for text in part.words()[1][:9]} for table, part in used.items()}
    typed = any(part.kind == "truth" for part in used.values())
    if not all(some <= {"true", "false", "0", "1"} for some in few.values()):
        return None
    if not typed and not any(some & set(_TRUTH) for some in few.values()):
        return None
    out = {}
    for table, part in parts.items():
        codes, words = part.words()
        truths = np.array([_TRUTH.get(word.lower(), word == "1") for word in words] + [None], dtype=object)
        out[table] = _objects(truths[codes])
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
    _same_units(name, {table: pair[1] for table, pair in bare.items() if pair}, used)
    plain = {table: pair[0] for table, pair in bare.items() if pair}
    chosen = _choose_styles(name, plain, possible, usual, used)
    out, remarks = {}, {}
    for table, part in parts.items():
        if part.values is not None:
            out[table] = _numeric(part.values.to_numpy(np.float64, na_value=np.nan), part.values.dtype.kind == "i")
            continue
        style = chosen.get(table, "point")
        numbers = values(plain.get(table, []), style)
        out[table] = _numeric(part.spread(numbers, np.nan), all(text.lstrip("+-").isdigit() for text in part.texts))
        remarks[table] = _style_remarks(plain.get(table, []), style)
        if table in bare and (pair := bare[table]) and pair[1]:
            remarks[table].append(f"'{pair[1]}' taken off")
    return "number", out, remarks


def _style_remarks(texts: Sequence[str], style: Style) -> list[str]:
    decimal, thousands = (",", ".") if style == "comma" else (".", ",")
    remarks = ["decimal comma"] if style == "comma" and any(decimal in text for text in texts) else []
    groups = [mark for mark in (thousands, " ", "'", "_") if any(mark in text for text in texts)]
    return remarks + [f"thousands separated by '{mark}'" for mark in groups]


def _same_units(name: str, units: Mapping[str, str], used: Mapping[str, Cells]) -> None:
    """Refuse a currency in one table and another in the next, and per cent in some of the tables."""
    units = {table: units.get(table, "") for table in used}
    differ = {unit for unit in units.values() if unit}
    if len(differ) > 1 or (differ & {"%", "‰"} and len(set(units.values())) > 1):
        ways = "; ".join(f"{table}: {f'with {unit}' if unit else 'without a sign'}" for table, unit in units.items())
        raise ConfigurationError(
            f"column '{name}' is written differently ({ways}): write it the same way in all tables"
        )


def _usual_style(columns: Sequence[Sequence[str]], delimiter: str | None) -> Style | None:
    """Return the style of the columns of a table that can be read in one way only; None where they disagree."""
    clear: set[Style] = set()
    for texts in columns:
        pair = unit_of(texts) if texts else None
        if pair and len(possible := styles(pair[0])) == 1 and any(mark in text for text in texts for mark in ".,"):
            clear.add(possible[0])
    if len(clear) == 1:
        return clear.pop()
    return "point" if delimiter == "," and not clear else None


def _choose_styles(
    name: str,
    texts: Mapping[str, list[str]],
    possible: Mapping[str, tuple[Style, ...]],
    usual: Mapping[str, Style | None],
    used: Mapping[str, Cells],
) -> dict[str, Style]:
    """Return the style of each table's column: clear by itself, by the table's other columns, or by its scale."""
    chosen: dict[str, Style] = {}
    unclear = []
    for table, ways in possible.items():
        doubtful = len(ways) == 2 and ambiguous(texts[table])
        if len(ways) == 1 or not doubtful:
            chosen[table] = ways[0]
        elif style := usual[table]:
            chosen[table] = style
        else:
            unclear.append(table)
    scales = [_scale(values(texts[table], style)) for table, style in chosen.items()]
    scales += [_scale(part.values.to_numpy(np.float64, na_value=np.nan)) for part in used.values()
               if part.values is not None]  # fmt: skip
    for table in unclear:
        style = _by_scale(texts[table], scales) if scales else _by_form([texts[t] for t in unclear])
        if style is None:
            example = ambiguous(texts[table])[0]
            raise ConfigurationError(
                f"column '{name}' of {table}: '{example}' may be a decimal fraction or thousands, and nothing else in"
                " the tables tells which: write it without a separator of thousands"
            )
        chosen[table] = style
    return chosen


def _scale(numbers: NDArray[np.float64]) -> float:
    sizes = [size for size in np.abs(numbers[np.isfinite(numbers)]).tolist() if size > 0]
    return statistics.median(sizes) if sizes else 1.0


def _by_scale(texts: Sequence[str], scales: Sequence[float]) -> Style | None:
    """Return the style that gives numbers of the size that the other tables hold, where only one does."""
    both: tuple[Style, ...] = ("point", "comma")
    near: list[Style] = [
        style for style in both
        if all(1 / NEAR < _scale(values(texts, style)) / scale < NEAR for scale in scales)
    ]  # fmt: skip
    return near[0] if len(near) == 1 else None


def _by_form(tables: Sequence[Sequence[str]]) -> Style | None:
    """Return the style of columns that are unclear in all tables.

    Where every number has its separator, both readings differ by a factor of 1,000 and nothing depends on it.
    """
    texts = [text for some in tables for text in some]
    doubtful = ambiguous(texts)
    mark = next(char for char in doubtful[0] if char in ".,")
    if any(char in text for text in texts for char in {".": ",", ",": "."}[mark]):
        return None
    if len(doubtful) == len(texts):
        return "point"
    rest = set(texts) - set(doubtful)
    small = all(text.lstrip("+-").isdigit() and abs(int(text)) < 1000 for text in rest)
    thousands: Style = "comma" if mark == "." else "point"
    return thousands if small and len(set(doubtful)) >= ENOUGH else None


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


def _as_category(name: str, parts: Mapping[str, Cells], used: Mapping[str, Cells]) -> Outcome:
    texts = {table: set(part.words()[1]) for table, part in used.items()}
    remarks: dict[str, list[str]] = {}
    zeros = {table for table, some in texts.items() if codes_why(list(some)) == "leading zeros"}
    stripped = bool(zeros) and zeros != set(used)  # a spreadsheet took them off in one of the tables
    if stripped:
        texts = {table: {bare_code(text) for text in some} for table, some in texts.items()}
        remarks = {table: [f"leading zeros of '{name}' left out, as not all tables have them"] for table in used}
    plain = {} if stripped else _written_plainly(used, texts)
    texts = {table: {plain[table].get(text, text) for text in some} if plain else some for table, some in texts.items()}
    _same_kinds(name, used, texts, plain)
    out = {}
    for table, part in parts.items():
        codes, words = part.words()
        words = [bare_code(word) for word in words] if stripped else words
        words = [plain.get(table, {}).get(word, word) for word in words]
        out[table] = _objects(np.array([*words, None], dtype=object)[codes])
    return "category", out, remarks


def _written_plainly(used: Mapping[str, Cells], texts: Mapping[str, set[str]]) -> dict[str, dict[str, str]]:
    """Return by table how numbers among words (``80+``, ``<5``) are written plainly, where more rows are equal then."""
    if not {"target", "corpus"} <= set(used):
        return {}
    common = len(texts["target"] & texts["corpus"])
    if common >= NEW * len(texts["target"]):
        return {}
    plain = {table: numbers_among(sorted(some)) for table, some in texts.items()}
    corpus = {plain["corpus"].get(text, text) for text in texts["corpus"]}
    more = sum(plain["target"].get(text, text) in corpus for text in texts["target"])
    return plain if more > common else {}


def _same_kinds(
    name: str, used: Mapping[str, Cells], texts: Mapping[str, set[str]], plain: Mapping[str, Mapping[str, str]]
) -> None:
    """Refuse a column that each of two tables writes in a way of its own, without one value in common."""
    kinds = {table: _alone(part) for table, part in used.items()}
    tables = list(used)
    base = "corpus" if "corpus" in used else next(iter(tables), "")
    for table in tables:
        if table == base:
            continue
        if texts[table] & texts[base]:
            _same_letters(name, (table, base), used, texts)
            if table == "target":
                _same_classes(name, used, texts, plain)
            continue
        if kinds[table] != kinds[base]:
            raise ConfigurationError(
                f"column '{name}' holds values of the kind {kinds[table]} in {table} and {kinds[base]} in {base},"
                " and has none in common: write it the same way in all of the tables"
            )
        as_many = 2 <= len(texts[table]) == len(texts[base])
        if (table == "target" or as_many) and all(_repeats(used[t]) for t in (table, base)):
            here, there = (", ".join(f"'{text}'" for text in sorted(texts[t])[:NAMED]) for t in (table, base))
            raise ConfigurationError(
                f"column '{name}' of {table} has no value in common with {base} ({here} here, {there} there):"
                " write it the same way in all of the tables, or leave it out with --ignore-columns"
            )


def _same_letters(name: str, pair: tuple[str, str], used: Mapping[str, Cells], texts: Mapping[str, set[str]]) -> None:
    """Refuse classes of which all with letters beyond ASCII differ: a file in another encoding than was told."""
    here, there = ({text for text in texts[table] if not text.isascii()} for table in pair)
    if here and there and not here & there and all(_repeats(used[table]) for table in pair):
        raise ConfigurationError(
            f"column '{name}': '{min(here)}' in {pair[0]} and '{min(there)}' in {pair[1]} look like one text in two"
            " encodings: save both files as UTF-8"
        )


def _same_classes(
    name: str, used: Mapping[str, Cells], texts: Mapping[str, set[str]], plain: Mapping[str, Mapping[str, str]]
) -> None:
    """Refuse classes of which hardly more than a common ``unknown`` stands in the corpus too: F, M beside f, m."""
    if not {"corpus", "holdout"} <= set(used) or not all(map(_repeats, used.values())):
        return
    made, unseen = (_known(used[table], texts["corpus"], plain.get(table, {})) for table in ("target", "holdout"))
    if made < NEW and unseen > KNOWN:
        here, there = min(texts["target"] - texts["corpus"]), min(texts["corpus"])
        raise ConfigurationError(
            f"column '{name}': {made:.0%} of the rows of target have a value that corpus has, and {unseen:.0%} of the"
            f" holdout's ('{here}' here, '{there}' there): write it the same way in all of the tables, or leave it out"
            " with --ignore-columns"
        )


def _known(part: Cells, texts: set[str], plain: Mapping[str, str]) -> float:
    """Return the share of the rows that hold one of some texts, among those that hold any."""
    codes, words = part.words()
    known = np.array([plain.get(word, word) in texts or bare_code(word) in texts for word in words])
    return float(known[codes[codes >= 0]].mean())


def _repeats(part: Cells) -> bool:
    codes, words = part.words()
    present = int((codes >= 0).sum())
    return len(words) < REPEATED * present


def _alone(part: Cells) -> str:
    """Return what a table's column would be by itself; codes of digits count as numbers."""
    if part.kind is not None:
        return part.kind
    if {text.lower() for text in part.texts} <= set(_TRUTH):
        return "truth"
    if (pair := unit_of(part.texts)) and styles(pair[0]):
        return "number"
    if order_of(part.texts) != "none":
        return "date"
    return "duration" if durations(part.texts) is not None else "text"


def _objects(column: NDArray[Any]) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series(column, dtype=object)


def _numeric(numbers: NDArray[np.float64], whole: bool) -> pd.Series[Any]:
    """Return numbers, as int64 where they are whole and none is missing."""
    import pandas as pd

    if whole and len(numbers) and np.isfinite(numbers).all() and np.abs(numbers).max() < 2**53:
        return pd.Series(numbers.astype(np.int64))
    return pd.Series(numbers)
