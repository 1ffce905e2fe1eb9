"""Intervals and tests for signed scores in −1 … 1 whose items come in clusters, and for the largest of several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.results import Baseline
from ...core.statistics import Interval, cluster_bootstrap, permutation_test

POWER = 0.8416
"""Standard deviations by which an effect exceeds a bound four times in five."""
FLIPS = 2_000


def signed_mean(
    values: Sequence[float], clusters: Sequence[str], *, confidence: float = 0.95, seed: int = 0
) -> Interval:
    """Return the mean of values in −1 … 1 with an interval by resampling clusters, of which there are two at least.

    Moved to 0 … 1, so that a sample without spread keeps an interval with a width.
    """
    moved = (np.asarray(values, dtype=np.float64) + 1) / 2
    interval = cluster_bootstrap(moved, list(clusters), confidence=confidence, seed=seed)
    return Interval(*(2 * x - 1 for x in interval))


def size_of(signed: Interval) -> Interval:
    """Return the interval of the size of what an interval bounds.

    >>> size_of(Interval(-0.2, -0.3, 0.1))
    Interval(value=0.2, low=0.0, high=0.3)
    """
    return Interval(abs(signed.value), max(0.0, signed.low, -signed.high), max(abs(signed.low), abs(signed.high)))


def sums(values: Sequence[float], clusters: Sequence[str]) -> NDArray[np.float64]:
    """Return the sum of the values of each cluster, in the order of their names: (clusters,)."""
    _, codes = np.unique(np.asarray(clusters), return_inverse=True)
    return np.bincount(codes, np.asarray(values, dtype=np.float64)).astype(np.float64)


def flipped_p(values: Sequence[float], clusters: Sequence[str], *, seed: int) -> float:
    """Return the two-sided p-value of a mean against 0 where the sign of each cluster is exchangeable.

    Exact for up to 13 clusters: all signs are enumerated.
    """
    totals = sums(values, clusters)
    return permutation_test(totals, np.zeros_like(totals), paired=True, seed=seed)


def flipped_size(values: Sequence[float], clusters: Sequence[str], *, what: str, seed: int) -> Baseline:
    """Return the size that the mean has where the sign of each cluster is drawn at random."""
    totals = sums(values, clusters)
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), size=(FLIPS, totals.size))
    sizes = np.sort(np.abs(signs @ totals)) / len(values)
    high = float(sizes[math.ceil(0.95 * FLIPS) - 1])
    return Baseline(what=what, value=float(sizes.mean()), low=float(sizes[0]), high=high, n=len(values))


def detectable(interval: Interval, confidence: float = 0.95) -> float:
    """Return the size that would be told from 0 four times in five, from the width of an interval."""
    from ...core.statistics.intervals import normal_quantile

    half = (interval.high - interval.low) / 2
    return half * (1 + POWER / normal_quantile(confidence))


@dataclass(frozen=True)
class Contrast:
    """The difference of one group to the group that it is compared with.

    Attributes
    ----------
    name : str
        Of both groups.
    interval : Interval
        Signed; those of several contrasts hold together.
    p : float
        Against no difference, unadjusted.
    n : int
        Pairs, or items.
    """

    name: str
    interval: Interval
    p: float
    n: int
    detectable: float


def largest_size(contrasts: Sequence[Contrast]) -> Interval:
    """Return the size of the largest difference, with the largest bounds of any: it holds where all of them hold."""
    sizes = [size_of(contrast.interval) for contrast in contrasts]
    value, low, high = (max(part) for part in zip(*sizes, strict=True))
    return Interval(value, low, high)


def largest(contrasts: Sequence[Contrast]) -> Contrast:
    """Return the contrast with the largest difference in size."""
    return max(contrasts, key=lambda contrast: abs(contrast.interval.value))
