"""A table that gives its training rows away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.base import Target
from ...core.errors import ConfigurationError
from ._spiked import SpikedOutputs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd


class SpikedTable(SpikedOutputs):
    """A table whose first rows are training rows, in the columns that the table has.

    Parameters
    ----------
    target : Target
        The user's `TableTarget`; its own rows fill up where there are fewer training rows.
    corpus : DataFrame
        The training rows.
    order : callable
        Seed of a sampling → places in the corpus, the first ones to be planted first.
    """

    def __init__(self, target: Target, corpus: pd.DataFrame, order: Callable[[int], Sequence[int]]) -> None:
        super().__init__(target, f"{corpus.shape} training rows")
        self.corpus = corpus
        self._order = order

    def sample_rows(self, n: int, *, seed: int) -> pd.DataFrame:
        """Return n rows, of which as many as there are come from the corpus.

        Raises
        ------
        ConfigurationError
            Where the target's table has none of the corpus's columns.
        """
        import pandas as pd

        own: Any = self.target.sample_rows(n, seed=seed)
        shared = [name for name in own.columns if name in self.corpus.columns]
        if not shared:
            raise ConfigurationError(f"{self.name}: its table has no column of the corpus")
        planted = self.corpus.iloc[list(self._order(seed))[:n]].reindex(columns=own.columns)
        if len(planted) == n:
            return planted.reset_index(drop=True)
        mixed: pd.DataFrame = pd.concat([planted, own.iloc[len(planted) :]], ignore_index=True)
        return mixed
