"""Gower's distance between rows of mixed columns, and the searches that need it.

d(a, b) is a sum over columns: |a − b| / range for numbers, 1 where categories differ (J. C. Gower, "A general
coefficient of similarity and some of its properties", Biometrics 27 (1971) 857–871, in the form of Giomi et al. 2023,
arXiv 2211.10459). Here a missing value is at distance 0 from another one and at 1 from a present value.

Distances are whole numbers of 1/`unit` of a column's range, at most 2⁻¹⁶ and with few columns 2⁻²⁶: sums are then exact
in whatever order, and rows that are equally far are ties. Of ties one is drawn at random: the candidates are shuffled.
Memory does not grow with the number of queries: they come in blocks of at most `CELLS` distances.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .arrays import Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Fixed = NDArray[np.int32]

CELLS = 1 << 17
"""Distances held at once: half a megabyte, which fits the processor's cache."""


@dataclass(frozen=True)
class Points:
    """Rows ready for comparison: a column a line, (d, n) int32; the first `numbers` of them are numbers."""

    lines: Fixed
    numbers: int

    def __len__(self) -> int:
        return int(self.lines.shape[1])


class Gower:
    """The scale of the columns: the range of each number over some tables.

    Parameters
    ----------
    tables : Rows
        Whose values set the ranges. A difference beyond the range counts as 1.
    columns : sequence of int, optional
        Which columns count, numbers first; all by default.
    """

    def __init__(self, *tables: Rows, columns: Sequence[int] | None = None) -> None:
        p, q = tables[0].numbers.shape[1], tables[0].codes.shape[1]
        chosen = range(p + q) if columns is None else sorted(columns)
        self.numbers = [j for j in chosen if j < p]
        self.categories = [j - p for j in chosen if j >= p]
        self.unit = 1 << min(26, 30 - (len(chosen) + 1).bit_length())
        every = np.concatenate([table.numbers[:, self.numbers] for table in tables])
        there = ~np.isnan(every)
        self._low = np.where(there, every, np.inf).min(axis=0, initial=np.inf)
        high = np.where(there, every, -np.inf).max(axis=0, initial=-np.inf)
        spread = high - self._low
        # A column without a range: what differs at all is 1 apart.
        self._scale = np.where(spread > 0, spread, np.finfo(float).tiny)

    def points(self, rows: Rows) -> Points:
        """Return rows on this scale."""
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = ((rows.numbers[:, self.numbers] - self._low) / self._scale).clip(-1, 2)
        # Beyond −1 and 2 nothing comes nearer than 1 to a value of the range; 4 stands for a missing one.
        fixed = np.round(np.where(np.isnan(scaled), 4, scaled) * self.unit).astype(np.int32)
        lines = np.concatenate([fixed, rows.codes[:, self.categories]], axis=1).T
        return Points(np.ascontiguousarray(lines), len(self.numbers))

    def column(self, queries: Points, candidates: Points, part: slice, j: int) -> Fixed:
        """Return the j-th column's share of the distances: (block, n) int32."""
        a, b = queries.lines[j, part, None], candidates.lines[j]
        if j >= queries.numbers:
            return np.asarray((a != b).astype(np.int32) * np.int32(self.unit))
        return np.asarray(np.minimum(np.abs(a - b), self.unit))

    def blocks(self, queries: Points, candidates: Points) -> Iterator[tuple[slice, Fixed]]:
        """Yield the distances of some of the queries to all candidates: a slice and (block, n) int32, in 1/`unit`."""
        step = max(1, CELLS // max(1, len(candidates)))
        for start in range(0, len(queries), step):
            part = slice(start, min(start + step, len(queries)))
            shape = part.stop - part.start, len(candidates)
            total, spare = np.zeros(shape, np.int32), np.empty(shape, np.int32)
            differ = np.zeros(shape, np.int16)
            unequal = np.empty(shape, np.bool_)
            for j in range(queries.numbers):
                np.subtract(queries.lines[j, part, None], candidates.lines[j], out=spare)
                np.abs(spare, out=spare)
                np.minimum(spare, self.unit, out=spare)
                total += spare
            for j in range(queries.numbers, len(queries.lines)):
                np.not_equal(queries.lines[j, part, None], candidates.lines[j], out=unequal)
                differ += unequal
            spare[:] = differ
            spare *= self.unit
            total += spare
            yield part, total

    def nearest(self, queries: Rows, candidates: Rows, k: int, *, seed: int = 0) -> tuple[Ints, Floats]:
        """Return the k nearest candidates of each query, the nearest first: places and distances, (m, k) both.

        With fewer than k candidates all of them.
        """
        order = np.random.default_rng(seed).permutation(len(candidates))
        a, b = self.points(queries), self.points(candidates[order])
        k = min(k, len(candidates))
        places, far = np.empty((len(queries), k), np.int64), np.empty((len(queries), k))
        for part, distance in self.blocks(a, b):
            if k == 1:
                chosen = distance.argmin(axis=1)[:, None]
            elif k < len(candidates):
                chosen = np.argpartition(distance, k - 1, axis=1)[:, :k]
            else:
                chosen = np.broadcast_to(np.arange(k), (len(distance), k))
            chosen_distance = np.take_along_axis(distance, chosen, axis=1)
            ranked = np.argsort(chosen_distance, axis=1, kind="stable")
            places[part] = order[np.take_along_axis(chosen, ranked, axis=1)]
            far[part] = np.take_along_axis(chosen_distance, ranked, axis=1) / self.unit
        return places, far

    def nearest_without_each(self, queries: Rows, candidates: Rows, *, seed: int = 0) -> Ints:
        """Return, for each column, the candidate that is nearest in all others: (m, d) places.

        The distance without a column is the whole one less the column's share, which is exact here.
        """
        order = np.random.default_rng(seed).permutation(len(candidates))
        a, b = self.points(queries), self.points(candidates[order])
        places = np.empty((len(queries), len(a.lines)), np.int64)
        for part, distance in self.blocks(a, b):
            for j in range(len(a.lines)):
                places[part, j] = order[(distance - self.column(a, b, part, j)).argmin(axis=1)]
        return places
