"""Three tables as arrays that can be compared: the synthetic one, the corpus and the holdout.

A column is a *number* where it holds numbers, dates or durations in all three tables, else a *category*. Truth values
are categories. Missing numbers are NaN, missing categories code −1; infinities count as missing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import ConfigurationError
from ...core.statistics import newcombe

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MAX_COLUMNS = 1000
MOST_OVERLAP = 0.5
"""Above this share of the holdout there is no control left."""
TWINS = 0.05
"""Above this share of rows that are equal by chance, an overlap cannot be told from chance and removed."""


@dataclass(frozen=True)
class Rows:
    """One table: `numbers` (n, p), NaN where missing; `codes` (n, q), −1 where missing."""

    numbers: Floats
    codes: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, chosen: Any) -> Rows:
        return Rows(self.numbers[chosen], self.codes[chosen])

    def select(self, columns: Sequence[int]) -> Rows:
        """Return the rows with some of their columns, numbers first."""
        p = self.numbers.shape[1]
        return Rows(self.numbers[:, [j for j in columns if j < p]], self.codes[:, [j - p for j in columns if j >= p]])

    def column(self, j: int) -> NDArray[Any]:
        """Return the j-th column: the numbers come first."""
        p = self.numbers.shape[1]
        return self.numbers[:, j] if j < p else self.codes[:, j - p]

    def keys(self) -> NDArray[np.uint64]:
        """Return a hash of each row, (n,): equal where the rows are, missing values included.

        Unequal rows share one of the 2⁶⁴ hashes by chance alone: in a million rows, once in 37 million tables.
        """
        import pandas as pd

        numbers = np.where(np.isnan(self.numbers), np.nan, self.numbers + 0.0)  # one NaN, no −0
        both = pd.DataFrame(np.concatenate([numbers, self.codes.astype(np.float64)], axis=1))
        return np.asarray(pd.util.hash_pandas_object(both, index=False), dtype=np.uint64)

    def distinct(self) -> Rows:
        """Return the rows without repeats, in the order of their first places."""
        return self[np.sort(np.unique(self.keys(), return_index=True)[1])]


@dataclass(frozen=True)
class Tables:
    """The three tables. `names` are the columns, numbers first; `overlap` the holdout's rows that were trained on.

    `twins` is the share of holdout rows equal to a training row, where that is no more than chance.
    """

    synthetic: Rows
    corpus: Rows
    holdout: Rows
    names: tuple[str, ...]
    overlap: frozenset[int]
    twins: float

    @property
    def numbers(self) -> int:
        """How many of the columns are numbers."""
        return int(self.corpus.numbers.shape[1])

    def select(self, names: Collection[str]) -> Tables:
        """Return the tables with some of their columns only."""
        columns = [j for j, name in enumerate(self.names) if name in names]
        synthetic, corpus, holdout = (rows.select(columns) for rows in (self.synthetic, self.corpus, self.holdout))
        chosen = tuple(self.names[j] for j in columns)
        return replace(self, synthetic=synthetic, corpus=corpus, holdout=holdout, names=chosen)

    def honest(self) -> Ints:
        """Return the places of the holdout's rows that were not trained on."""
        return np.setdiff1d(np.arange(len(self.holdout)), np.array(sorted(self.overlap), dtype=np.int64))


def check_frame(name: str, frame: Any) -> pd.DataFrame:
    """Return a data frame, or say why it is none that can be used.

    Raises
    ------
    ConfigurationError
        For another type, no rows, no columns, too many columns, or two columns of one name.
    """
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise ConfigurationError(
            f"the {name} is {type(frame).__name__}, not a table; give a data frame, CSV or Parquet"
        )
    if frame.empty:
        raise ConfigurationError(f"the {name} has no rows or no columns")
    if frame.shape[1] > MAX_COLUMNS:
        raise ConfigurationError(f"the {name} has {frame.shape[1]} columns; at most {MAX_COLUMNS} are compared")
    names = frame.columns.map(str)
    if not names.is_unique:
        twice = names[names.duplicated()][0]
        raise ConfigurationError(f"the {name} has two columns named '{twice}'; rename one")
    return frame


def read(synthetic: Any, corpus: Any, holdout: Any) -> Tables:
    """Return three data frames with the same columns, in any order, as arrays.

    Raises
    ------
    ConfigurationError
        Where one is no table, the columns differ or are all missing, one holds another kind of values in one of the
        tables, or the holdout was trained on.
    """
    frames = [
        check_frame(name, frame)
        for name, frame in (("synthetic table", synthetic), ("corpus", corpus), ("holdout", holdout))
    ]
    _same_columns(frames)
    columns = {name: _column(name, [frame[name] for frame in frames]) for name in frames[1].columns}
    filled = {k: v for k, v in columns.items() if v is not None}
    if not filled:
        raise ConfigurationError("every column is missing all of its values in one of the tables: nothing to compare")
    names = sorted(filled, key=lambda k: filled[k][0].dtype.kind != "f")  # stable: the order of the corpus
    first = sum(filled[k][0].dtype.kind == "f" for k in names)
    rows = [
        Rows(
            np.stack([filled[k][t] for k in names[:first]], axis=1) if first else np.empty((len(frame), 0)),
            np.stack([filled[k][t] for k in names[first:]], axis=1).astype(np.int32)
            if first < len(names)
            else np.empty((len(frame), 0), np.int32),
        )
        for t, frame in enumerate(frames)
    ]
    overlap, twins = _overlap(rows[1], rows[2])
    return Tables(rows[0], rows[1], rows[2], tuple(map(str, names)), overlap, twins)


def _same_columns(frames: Sequence[pd.DataFrame]) -> None:
    names = [set(frame.columns) for frame in frames]
    said = []
    for name, there in zip(("the synthetic table", "the corpus", "the holdout"), names, strict=True):
        lacking = sorted(map(str, set.union(*names) - there))
        if lacking:
            said.append(f"{name} lacks {', '.join(lacking[:5])}{' …' if len(lacking) > 5 else ''}")
    if said:
        raise ConfigurationError(
            f"the tables have different columns: {'; '.join(said)}. Give tables with the same ones"
        )


def _column(name: Any, parts: Sequence[pd.Series[Any]]) -> list[NDArray[Any]] | None:
    """Return one column of the three tables as floats or as codes; None where a table lacks all of its values."""
    import pandas as pd

    if any(part.isna().all() for part in parts):
        return None
    kinds = {_kind(part) for part in parts} - {"text"}
    if len(kinds) == 1 and kinds != {"truth"}:
        numbers = [_floats(part, next(iter(kinds))) for part in parts]
        readable = [values for values in numbers if values is not None]
        if len(readable) == len(parts):
            return readable
    words = pd.concat([part.astype(object).map(str, na_action="ignore") for part in parts], ignore_index=True)
    codes, _ = pd.factorize(words)
    split = list(np.split(codes.astype(np.int32), np.cumsum([len(part) for part in parts])[:-1]))
    for table, place in (("synthetic table", 0), ("holdout", 2)):
        here, there = _kind(parts[place]), _kind(parts[1])
        # Codes that are letters in one table alone are a category; without one value in common nothing is compared.
        if here != there and not np.intersect1d(split[place][split[place] >= 0], split[1]).size:
            raise ConfigurationError(
                f"column '{name}' holds values of the kind {here} in the {table} and {there} in the corpus, and has"
                " none in common: write it the same way in all of the tables"
            )
    return split


def _kind(part: pd.Series[Any]) -> str:
    """Return what a column declares itself to hold."""
    from pandas.api import types

    if types.is_bool_dtype(part.dtype):
        return "truth"
    if types.is_datetime64_any_dtype(part.dtype):
        return "date"
    if types.is_timedelta64_dtype(part.dtype):
        return "duration"
    numeric = types.is_numeric_dtype(part.dtype) and not types.is_complex_dtype(part.dtype)
    return "number" if numeric else "text"


def _floats(part: pd.Series[Any], kind: str) -> Floats | None:
    """Return numbers, or seconds; None where a value is not of this kind, or none is finite."""
    import pandas as pd

    if kind == "date":
        read = pd.to_datetime(part.astype(object), errors="coerce", utc=True, format="mixed")
        values = ((read - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(1, "s")).to_numpy(np.float64, na_value=np.nan)
    elif kind == "duration":
        values = (pd.to_timedelta(part, errors="coerce") / pd.Timedelta(1, "s")).to_numpy(np.float64, na_value=np.nan)
    else:
        values = pd.to_numeric(part, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    if (np.isnan(values) & part.notna().to_numpy()).any() or not np.isfinite(values).any():
        return None
    return np.where(np.isfinite(values), values, np.nan)


def _overlap(corpus: Rows, holdout: Rows) -> tuple[frozenset[int], float]:
    """Return the holdout's rows that stand in the corpus, or the share of them where chance explains it.

    Rows of one law may be equal by chance: then a holdout's row has a twin in the corpus as often as a row of the
    corpus has one among the others. Only an overlap beyond that means that the holdout was trained on.

    Raises
    ------
    ConfigurationError
        Where the overlap leaves too little, or cannot be told from chance.
    """
    trained, times = np.unique(corpus.keys(), return_counts=True)
    same = np.flatnonzero(np.isin(holdout.keys(), trained)).tolist()
    repeated = int(times[times > 1].sum())
    share = len(same) / len(holdout)
    if newcombe(len(same), len(holdout), repeated, len(corpus), confidence=0.999).low <= 0:
        return frozenset(), share
    said = f"{len(same):,} of the {len(holdout):,} rows of the holdout also occur in the corpus"
    if share > MOST_OVERLAP:
        raise ConfigurationError(f"{said}: give a holdout of rows that the model was not trained on")
    if repeated > TWINS * len(corpus):
        raise ConfigurationError(
            f"{said}, more than chance explains ({repeated / len(corpus):.0%} of the corpus are repeated rows), and"
            " which of them were trained on cannot be told: give a holdout without them"
        )
    return frozenset(same), 0.0
