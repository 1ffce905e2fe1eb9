"""The rows of a classifier's corpus and holdout: which can be compared, and what they give away by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.batch import Row
from ...core.errors import ConfigurationError
from ...core.statistics import Interval
from ...core.subject import Subject
from ...core.targets import ClassifierTarget
from ..blind import FOLDS, blind_table, separating_columns

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Places = NDArray[np.intp]


LOOKED_AT = 1000


class TableRows:
    """Both tables as one, and which rows of it can be compared: with a label, each once, none in both.

    Attributes
    ----------
    pool : DataFrame
        The rows of the corpus, then those of the holdout.
    corpus, holdout : ndarray of int
        Places in the pool of the rows that can be compared.
    overlap : list of int
        Rows of the holdout that also occur in the corpus, counted from the start of the holdout.

    Raises
    ------
    ConfigurationError
        Where the data are no tables, the tables differ in their columns, or the label's column is missing.
    """

    def __init__(self, subject: Subject[ClassifierTarget]) -> None:
        import pandas as pd

        self.given = subject.corpus, subject.holdout
        corpus, holdout = (_frame(kind, data) for kind, data in zip(("corpus", "holdout"), self.given, strict=True))
        self.label = subject.target.label(corpus.columns)
        if missing := [str(name) for name in corpus.columns if name not in holdout.columns]:
            raise ConfigurationError(f"--holdout lacks columns of --corpus: {', '.join(missing[:5])}")
        self.pool = pd.concat([corpus, holdout[corpus.columns]], ignore_index=True)
        self._labelled = self.pool[self.label].notna().to_numpy()
        key = pd.util.hash_pandas_object(self.pool.astype(str), index=False).to_numpy()
        n = len(corpus)
        known, first, copy = np.unique(key[:n], return_index=True, return_inverse=True)
        seen, place, again = np.unique(key[n:], return_index=True, return_inverse=True)
        self._first = np.concatenate([first[copy], n + place[again]])
        both = np.isin(seen, known)
        self.corpus, self.holdout = (np.sort(p[self._labelled[p]]) for p in (first, n + place[~both]))
        self.overlap = sorted(place[both].tolist())
        self._blind: tuple[Any, Interval] | None = None

    def serves(self, subject: Subject) -> bool:
        """Whether these are the rows of a subject."""
        return self.given[0] is subject.corpus and self.given[1] is subject.holdout

    def training(self, audited: Places, chosen: NDArray[np.bool_]) -> Places:
        """Return the rows for a reference model: the chosen of the audited ones, and all others of the corpus.

        Copies of a row go with it.
        """
        wanted = np.zeros(len(self.pool), dtype=bool)
        wanted[self.corpus] = True
        wanted[audited] = chosen
        places: Places = np.flatnonzero(wanted[self._first])
        return places

    def blind(self, members: Sequence[Row], others: Sequence[Row]) -> Interval:
        """Return the AUC of a classifier of the rows alone, label included; the search of a dose asks repeatedly."""
        key = [sorted(row["index"] for row in rows) for rows in (members, others)]
        if self._blind is None or self._blind[0] != key:
            self._blind = (key, blind_table(self.pool.iloc[key[0] + key[1]], len(key[0])))
        return self._blind[1]

    @cached_property
    def _separating(self) -> list[str]:
        """The columns by which members are told from non-members, of the first `LOOKED_AT` rows of either table."""
        corpus, holdout = (places[:LOOKED_AT] for places in (self.corpus, self.holdout))
        if min(len(corpus), len(holdout)) < FOLDS:
            return []
        return separating_columns(self.pool.iloc[[*corpus, *holdout]], len(corpus))

    @property
    def note(self) -> str:
        """What was left out."""
        said = ""
        if self.overlap:
            first = ", ".join(map(str, self.overlap[:10])) + (" …" if len(self.overlap) > 10 else "")
            said += (
                f" {len(self.overlap)} of {len(self.overlap) + len(self.holdout)} different holdout rows also occur in"
                f" the corpus and were left out: number {first}."
            )
        if self._separating:
            said += f" Columns that tell corpus and holdout apart by themselves: {', '.join(self._separating)}."
        if without := int((~self._labelled).sum()):
            said += f" {without} rows have no label in column '{self.label}' and were left out."
        return said


def _frame(kind: str, data: Any) -> pd.DataFrame:
    import pandas as pd

    if not isinstance(data, pd.DataFrame):
        raise ConfigurationError(f"--{kind}: a table (data frame, CSV, Parquet) is needed, not {type(data).__name__}")
    if not data.columns.is_unique:
        raise ConfigurationError(f"--{kind}: two columns have the same name")
    return data
