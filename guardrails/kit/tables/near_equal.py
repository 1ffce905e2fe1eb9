"""Outputs that equal a row of the corpus in all columns but one: copies with that column written differently."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]

LEAST = 0.05
"""Share of the outputs from which they are named, where at most a fifth as many rows of the holdout are such."""
MOST_CELLS = 20_000_000


def all_but_one(tables: Mapping[str, pd.DataFrame], *, skip: Collection[str] = ()) -> list[str]:
    """Return remarks on columns in which alone many outputs differ from a row of the corpus.

    Parameters
    ----------
    tables : dict of str to DataFrame
        Typed by `kinds.decide`; nothing is said without target, corpus and holdout, or of more than `MOST_CELLS`.
    skip : collection of str
        Columns that number the rows.
    """
    if not {"target", "corpus", "holdout"} <= tables.keys():
        return []
    names = [name for name in tables["corpus"].columns if name not in skip]
    if len(names) < 3 or sum(len(frame) for frame in tables.values()) * len(names) > MOST_CELLS:
        return []
    hashes = {
        table: np.stack([_hashes(tables[table][name], place) for place, name in enumerate(names)])
        for table in ("target", "corpus", "holdout")
    }
    whole = {table: part.sum(axis=0, dtype=np.uint64) for table, part in hashes.items()}
    differ = {table: ~np.isin(whole[table], whole["corpus"]) for table in ("target", "holdout")}
    remarks = []
    for place, name in enumerate(names):
        rest = {table: whole[table] - part[place] for table, part in hashes.items()}
        shares = {table: (differ[table] & np.isin(rest[table], rest["corpus"])).mean() for table in differ}
        if shares["target"] >= max(LEAST, 5 * shares["holdout"]):
            remarks.append(f"{shares['target']:.0%} of the rows equal one of corpus in all columns but '{name}'")
    return remarks


def _hashes(column: pd.Series[Any], place: int) -> Hashes:
    """Return a hash of each value, another one in each column."""
    import pandas as pd
    from pandas.api import types

    if types.is_numeric_dtype(column.dtype) and not types.is_bool_dtype(column.dtype):
        column = column.astype(np.float64) + 0.0  # no −0
    else:
        column = column.astype(str)
    odd = np.uint64(2 * place + 1)
    return np.asarray(pd.util.hash_pandas_object(column, index=False), dtype=np.uint64) * odd
