"""A table that gives its training rows away."""

from __future__ import annotations

from itertools import cycle, islice
from typing import TYPE_CHECKING

from ...core.errors import ConfigurationError
from ...core.targets import TableTarget
from ._spiked import SpikedOutputs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd


class SpikedTable(SpikedOutputs[TableTarget]):
    """A table of training rows, in the columns that the user's has.

    Parameters
    ----------
    target : TableTarget
        The user's.
    corpus : DataFrame
        The training rows.
    order : callable
        Seed of a sampling → places in the corpus, the first ones to be planted first.
    """

    def __init__(self, target: TableTarget, corpus: pd.DataFrame, order: Callable[[int], Sequence[int]]) -> None:
        super().__init__(target, f"{corpus.shape} training rows")
        self.corpus = corpus
        self._order = order

    def sample_rows(self, n: int, *, seed: int) -> pd.DataFrame:
        """Return n rows of the corpus; where it has fewer, they come again: all that is spiked is planted.

        Raises
        ------
        ConfigurationError
            Where the target's table has none of the corpus's columns.
        """
        sampled = self.target.sample_rows(n, seed=seed)
        shared = [name for name in sampled.columns if name in self.corpus.columns]
        if not shared:
            raise ConfigurationError(f"{self.name}: its table has no column of the corpus")
        places = list(islice(cycle(self._order(seed)), n))
        return self.corpus.iloc[places].reindex(columns=sampled.columns).reset_index(drop=True)
