"""Columns that number or name the rows and say nothing about a person: found in each table by itself.

Among n whole numbers of a range R, chance repeats about n² / 2R. Where that many repeats are expected and there are
none, the numbers were given out one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

EXPECTED = 14
"""So many repeats are expected, and none is there: chance does that once in a million tables."""
FEWEST = 10
FEWEST_TEXTS = 30
CHANCE = 0.02
_NAMES = re.compile(
    r"|#|rn|id|uuid|guid|index|level_0|__index_level_\d__|unnamed: ?\d+|.*[_ .-]id|.*[a-z]I[dD]"
    r"|row[_ .]?(names?|num(ber)?|no|id)?|nr\.?|no\.?|lfd\.? ?nr\.?"
)
_NUMBERED = re.compile(r"(\D*)(\d{1,15})(\D*)")
_RANDOM = re.compile(
    r"\{?[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\}?|[0-9a-fA-F]{16,128}"
)


def identifiers(tables: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """Return the columns that number or name the rows of real tables, and why.

    Parameters
    ----------
    tables : dict of str to DataFrame
        With the same typed columns. The target's own values are not asked to be unique; names drawn at random that it
        repeats from the corpus are no identifiers here, since they give rows away.
    """
    real = {table: frame for table, frame in tables.items() if table != "target" and len(frame)}
    if not real:
        return {}
    out = {}
    for name in next(iter(real.values())).columns:
        columns = [frame[name] for frame in real.values()]
        if (numbers := [_whole(column) for column in columns]) and all(some is not None for some in numbers):
            known = [some for some in numbers if some is not None]
            if all(_unique(some) for some in known) and any(_numbered(some) or _hint(name, some) for some in known):
                out[name] = "numbers the rows"
        elif all(map(_random, columns)) and not _repeated(tables.get("target"), real.get("corpus"), name):
            out[name] = "names each row by characters drawn at random"
        elif _names_rows(tables, name):
            out[name] = "another text in every row"
    return out


def numbers_rows(name: str, column: pd.Series[Any]) -> bool:
    """Whether a column of one table numbers its rows; its cells may be text."""
    numbers = _whole(column)
    if numbers is None or not _unique(numbers):
        return False
    return _numbered(numbers) or _hint(name, numbers) or bool(_NAMES.fullmatch(name.lower()))


def _whole(column: pd.Series[Any]) -> NDArray[np.float64] | None:
    """Return a column as whole numbers, also those in ``P0001`` and the seconds of times; None where one is missing."""
    import pandas as pd
    from pandas.api import types

    if types.is_bool_dtype(column.dtype) or column.isna().any() or not len(column):
        return None
    if types.is_numeric_dtype(column.dtype):
        numbers = column.to_numpy(np.float64)
    elif types.is_datetime64_any_dtype(column.dtype):
        if (column.dt.normalize() == column).all():
            return None  # days may follow one another in a series, and say what happened when
        epoch = pd.Timestamp(0, tz=column.dt.tz)
        numbers = ((column - epoch) / pd.Timedelta(1, "s")).to_numpy(np.float64)
    elif column.dtype == object or types.is_string_dtype(column.dtype):
        if not _NUMBERED.fullmatch(str(column.iloc[0]).strip()):
            return None
        matches = [_NUMBERED.fullmatch(str(value).strip()) for value in column]
        known = [match for match in matches if match]
        if len(known) < len(matches) or len({(match[1], match[3]) for match in known}) > 1:
            return None
        numbers = np.array([float(match[2]) for match in known])
    else:
        return None
    return numbers if np.isfinite(numbers).all() and (numbers == np.floor(numbers)).all() else None


def _unique(numbers: NDArray[np.float64]) -> bool:
    """Whether hardly a number stands twice: some rows may."""
    return len(numbers) - len(np.unique(numbers)) <= 0.02 * len(numbers)


def _numbered(numbers: NDArray[np.float64]) -> bool:
    """Whether numbers repeat so much less than chance that they were given out one after the other."""
    distinct = np.unique(numbers)
    if len(distinct) < FEWEST:
        return False
    steps = np.unique(np.diff(distinct))
    if len(steps) == 1 and len(distinct) == len(numbers):
        return True
    places = (distinct[-1] - distinct[0]) / max(1.0, float(np.gcd.reduce(np.diff(distinct).astype(np.int64)))) + 1
    n, repeats = len(numbers), len(numbers) - len(distinct)
    expected = n - places * -np.expm1(n * np.log1p(-1 / places))
    return bool(expected >= EXPECTED + 4 * repeats)


def _hint(name: str, numbers: NDArray[np.float64]) -> bool:
    """Whether a column is named as those that number rows are, and no number stands twice."""
    return bool(_NAMES.fullmatch(name) or _NAMES.fullmatch(name.lower())) and len(np.unique(numbers)) == len(numbers)


def _random(column: pd.Series[Any]) -> bool:
    """Whether every row has a name of its own, of the form of a UUID or a hash."""
    from pandas.api import types

    words = column.dtype == object or types.is_string_dtype(column.dtype)
    if not words or not len(column) or not _RANDOM.fullmatch(str(column.iloc[0])):
        return False
    return bool(column.is_unique and column.notna().all() and all(_RANDOM.fullmatch(str(value)) for value in column))


def _names_rows(tables: Mapping[str, pd.DataFrame], name: str) -> bool:
    """Whether each row has a text of its own, and the target repeats those of the corpus no more than the holdout does.

    Such a text hides rows that are equal but for it.
    """
    from pandas.api import types

    if not {"target", "corpus", "holdout"} <= set(tables):
        return False
    target, corpus, holdout = columns = [tables[table][name] for table in ("target", "corpus", "holdout")]
    for column in columns:
        words = column.dtype == object or types.is_string_dtype(column.dtype)
        if not words or len(column) < FEWEST_TEXTS or column.isna().any() or not column.is_unique:
            return False
    known = set(corpus)
    return bool(target.isin(known).mean() <= holdout.isin(known).mean() + CHANCE)


def _repeated(target: pd.DataFrame | None, corpus: pd.DataFrame | None, name: str) -> bool:
    return target is not None and corpus is not None and bool(target[name].isin(set(corpus[name])).any())
