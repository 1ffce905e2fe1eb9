"""Outputs against one half of a reference, beside the other half of it against the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..core.statistics import simultaneous
from ..kit.pictures.features import image_features
from ..kit.precision_recall import GROUPS, group_jackknife, pairwise, prdc, radii, spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

MAX_ITEMS = 1500
_CHUNK = 64
GATED = ("coverage_loss", "spread_loss")
RANGE = {
    "coverage_loss": (-inf, 1.0),
    "spread_loss": (-inf, 1.0),
    "coverage": (0.0, 1.0),
    "recall": (0.0, 1.0),
    "precision": (0.0, 1.0),
    "density": (0.0, inf),
}


class Figure(NamedTuple):
    """A statistic of the outputs, its interval, and the same statistic of real against real."""

    value: float
    low: float
    high: float
    real: float
    real_low: float
    real_high: float
    detectable: float
    """The least departure from `real` that is seen four times in five."""


@dataclass(frozen=True)
class Halves:
    """A reference in two halves: the first is what outputs are held against, the second stands in for outputs."""

    first: Array
    second: Array
    places: NDArray[np.intp]
    """Where the first half's pictures stand in the reference."""

    @classmethod
    def of(cls, reference: Sequence[Any]) -> Halves:
        """Describe and split a reference of any size; the split is always the same."""
        order = np.random.default_rng(0).permutation(len(reference))[: 2 * MAX_ITEMS]
        half = len(order) // 2
        parts = [[reference[int(i)] for i in order[a : a + _CHUNK]] for a in range(0, len(order), _CHUNK)]
        described = np.concatenate([image_features(part) for part in parts] or [image_features([])])
        return cls(described[:half], described[half : 2 * half], order[:half])

    def uncovered(self, fake: Array) -> list[int]:
        """Return the places in the reference of pictures that no output comes near, the farthest first."""
        real = self.first[: len(fake)]
        over = pairwise(real, fake).min(axis=1) / np.maximum(radii(pairwise(real, real)), 1e-9)
        return [int(self.places[i]) for i in np.argsort(-over, kind="stable") if over[i] > 1]

    def compare(self, fake: Array) -> dict[str, Figure]:
        """Compute every figure of `RANGE` for (m, D) outputs, m no more than half of the reference.

        Intervals: a jackknife over blocks of outputs and reference pictures at once, Student's t, simultaneous over
        `GATED`; never narrower than one item.
        """
        m = len(fake)
        real, other = self.first[:m], self.second[:m]
        rr, oo, ff = pairwise(real, real), pairwise(other, other), pairwise(fake, fake)
        ro, rf = pairwise(real, other), pairwise(real, fake)

        def statistics(keep: NDArray[np.intp]) -> Mapping[str, float]:
            s = np.ix_(keep, keep)
            ours, theirs = prdc(rr[s], ff[s], rf[s]), prdc(rr[s], oo[s], ro[s])
            apart = (spread(rr[s]) + spread(oo[s])) / 2
            return {
                "coverage_loss": 1 - ours.coverage / max(theirs.coverage, 1e-9),
                "spread_loss": 1 - spread(ff[s]) / max(apart, 1e-9),
                **ours._asdict(),
                **{f"real {name}": value for name, value in theirs._asdict().items()},
            }

        estimates = group_jackknife(statistics, m)
        return {name: _figure(name, estimates, m) for name in RANGE}


def _figure(name: str, estimates: Mapping[str, tuple[float, float]], m: int) -> Figure:
    quantile = _quantile()

    def bounded(value: float, error: float) -> tuple[float, float, float]:
        half = max(quantile * error, 1 / m)
        return value, max(RANGE[name][0], value - half), min(RANGE[name][1], value + half)

    real = (0.0, 0.0, 0.0) if name in GATED else bounded(*estimates[f"real {name}"])
    return Figure(*bounded(*estimates[name]), *real, detectable=(quantile + 0.84) * max(estimates[name][1], 1 / m))


def _quantile() -> float:
    from scipy.special import stdtrit

    return float(stdtrit(GROUPS - 1, (1 + simultaneous(0.95, len(GATED))) / 2))
