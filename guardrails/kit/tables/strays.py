"""Rows that are none: a header that is repeated, units under it, totals at the end.

One of them makes words of every column of numbers, in which copies that are off by a little are not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .cells import MISSING

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MOSTLY = 0.9
"""The share of a column's values that are numbers, from which it is a column of numbers with something else in it."""
FEWEST = 20
MOST = 3
"""More different rows with words in them are people of whom something is not known."""
_NUMBER = r"\A\s*[$€£(+\x{2212}-]*\s*[.,]?\d[\d., '_\x{a0}\x{202f}\x{2019}]*(?:[eE][+-]?\d+)?\s*[)%€$£]?\s*\z"


def stray_row(columns: Sequence[pd.Series[Any]]) -> int | None:
    """Return the place of a row that holds words where the others hold numbers, or None.

    That is one with words in two of the columns of numbers and in half of them; or in one, and hardly anything else.

    Parameters
    ----------
    columns : sequence of Series of str
        The columns of a text file.
    """
    rows = len(columns[0]) if columns else 0
    if rows < FEWEST:
        return None
    strays, filled = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    numeric = 0
    for column in columns:
        present = ~_in(column, MISSING)
        filled += present
        number = _numbers(column)
        if number.sum() >= MOSTLY * present.sum() and number.sum() >= FEWEST // 2:
            numeric += 1
            strays += present & ~number
    usual = float(np.median(filled))
    alike = (strays >= 2) & (strays >= numeric / 2)
    lone = (strays >= 1) & (filled <= max(1.0, usual / 2))
    places = np.flatnonzero(alike | lone)
    places = np.array([place for place in places[: 10 * MOST].tolist() if not _one_mark(columns, place, lone[place])])
    distinct = {tuple(column.iloc[place] for column in columns) for place in places.tolist()}
    return int(places[0]) if 1 <= len(distinct) <= MOST else None


def _one_mark(columns: Sequence[pd.Series[Any]], place: int, lone: bool) -> bool:
    """Whether one word stands in several columns: a mark for what is not known, and no header."""
    texts = [str(column.iloc[place]).strip() for column in columns]
    return not lone and len(set(texts) - MISSING) < len([text for text in texts if text not in MISSING])


def _in(column: pd.Series[Any], texts: frozenset[str]) -> NDArray[np.bool_]:
    return np.asarray(column.str.strip().isin(texts), dtype=bool)


def _numbers(column: pd.Series[Any]) -> NDArray[np.bool_]:
    import pyarrow as pa
    import pyarrow.compute as pc

    return np.asarray(pc.match_substring_regex(pa.array(column, pa.large_string()), _NUMBER), dtype=bool)
