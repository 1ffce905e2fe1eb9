"""Rates by group: how many trials each group has, and how many of them are hits.

Each metric is a share of hits among trials: of all rows the selected ones, of the truly positive rows the selected ones
(true positive rate), and so on. A group without trials has no rate: without a positive there is no true positive rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .decisions import Decisions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Ints = NDArray[np.int64]

RATES = {
    "selection_rate": "rows",
    "accuracy": "labelled rows",
    "true_positive_rate": "rows whose true label is the selected value",
    "false_positive_rate": "rows whose true label is not the selected value",
    "precision": "labelled rows that were selected",
}
"""The trials of each metric, in words."""
LEAST_TRIALS = 10
"""A group with fewer trials is reported as insufficient evidence, and not compared."""


@dataclass(frozen=True)
class Counts:
    """Hits and trials of the groups of one or several partitions.

    Attributes
    ----------
    hits, trials : ndarray of int, shape (G,)
    partition : ndarray of int, shape (G,)
        The partition that each group belongs to; groups of different partitions are not compared.
    names : tuple of str
        Of the groups, with the partition.
    """

    hits: Ints
    trials: Ints
    partition: Ints
    names: tuple[str, ...]

    @property
    def enough(self) -> Bools:
        """Which groups have enough trials."""
        out: Bools = self.trials >= LEAST_TRIALS
        return out

    def of(self, partition: int) -> Counts:
        """Return the groups of one partition."""
        here = self.partition == partition
        names = tuple(name for name, inside in zip(self.names, here.tolist(), strict=True) if inside)
        return Counts(self.hits[here], self.trials[here], self.partition[here], names)

    def pairs(self) -> Ints:
        """Return the pairs of groups that can be compared, (M, 2)."""
        usable = np.flatnonzero(self.enough)
        first, second = (usable[side] for side in np.triu_indices(len(usable), k=1))
        together = self.partition[first] == self.partition[second]
        return np.stack([first[together], second[together]], axis=1).astype(np.int64)


def trials_and_hits(data: Decisions, metric: str) -> tuple[Bools, Bools]:
    """Return which rows are trials of a metric, and which are hits: (N,) each."""
    every = np.ones(len(data), dtype=bool)
    known = data.labelled
    return {
        "selection_rate": (every, data.selected),
        "accuracy": (known, data.selected == data.label),
        "true_positive_rate": (known & data.label, data.selected),
        "false_positive_rate": (known & ~data.label, data.selected),
        "precision": (known & data.selected, data.label),
    }[metric]


def count(data: Decisions, metric: str) -> Counts:
    """Return hits and trials of each group of each partition."""
    trials, hits = trials_and_hits(data, metric)
    parts = data.partitions
    sizes = [len(part.groups) for part in parts]

    def by_group(rows: Bools) -> Ints:
        counted = [np.bincount(p.codes[rows & (p.codes >= 0)], minlength=k) for p, k in zip(parts, sizes, strict=True)]
        return np.concatenate(counted).astype(np.int64) if counted else np.zeros(0, dtype=np.int64)

    names = tuple(f"{part.name} = {group}" for part in parts for group in part.groups)
    return Counts(by_group(trials & hits), by_group(trials), np.repeat(np.arange(len(parts)), sizes), names)
