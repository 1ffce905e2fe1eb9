"""Which character separates the decimals of a column, and whether its units are the same in all tables."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...core.errors import ConfigurationError
from .cells import Cells
from .numerals import Style, ambiguous, styles, unit_of, values

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENOUGH = 50
"""So many different ``1.234`` beside whole numbers below 1,000 are thousands: of decimals one in ten would end in 0."""
NEAR = 30.0
"""Two columns of one kind have medians within this factor of each other."""


def style_remarks(texts: Sequence[str], style: Style) -> list[str]:
    """Return in words how numbers of a style are written."""
    decimal, thousands = (",", ".") if style == "comma" else (".", ",")
    remarks = ["decimal comma"] if style == "comma" and any(decimal in text for text in texts) else []
    groups = [mark for mark in (thousands, " ", "'", "_") if any(mark in text for text in texts)]
    return remarks + [f"thousands separated by '{mark}'" for mark in groups]


def check_units(name: str, units: Mapping[str, str], used: Mapping[str, Cells]) -> None:
    """Refuse a currency in one table and another in the next, and per cent in some of the tables."""
    units = {table: units.get(table, "") for table in used}
    differ = {unit for unit in units.values() if unit}
    if len(differ) > 1 or (differ & {"%", "‰"} and len(set(units.values())) > 1):
        ways = "; ".join(f"{table}: {f'with {unit}' if unit else 'without a sign'}" for table, unit in units.items())
        raise ConfigurationError(
            f"column '{name}' is written differently ({ways}): write it the same way in all tables"
        )


def usual_style(columns: Sequence[Sequence[str]], delimiter: str | None) -> Style | None:
    """Return the style of the columns of a table that can be read in one way only; None where they disagree."""
    clear: set[Style] = set()
    for texts in columns:
        pair = unit_of(texts) if texts else None
        if pair and len(possible := styles(pair[0])) == 1 and any(mark in text for text in texts for mark in ".,"):
            clear.add(possible[0])
    if len(clear) == 1:
        return clear.pop()
    return "point" if delimiter == "," and not clear else None


def choose_styles(
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
