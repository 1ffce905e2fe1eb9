"""Paired differences whose pairs come in clusters: an interval and a test that never disagree.

The interval lies between two of the sorted means of random subsets of the clusters. It has its confidence where the
errors of the clusters are symmetric about 0, whatever else their distribution, and is the one that belongs to the test
by exchanged signs (J. A. Hartigan, "Using subsample values as typical values", Journal of the American Statistical
Association 64 (1969) 1303–1317). A bootstrap is too narrow where most differences are 0 and a few are large.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import floor

import numpy as np
from numpy.typing import NDArray

from ...core.statistics import Interval, simultaneous
from .scores import Contrast, detectable, signed_mean

SUBSETS = 19_999
"""Drawn, where there are more; below it, all are enumerated and the interval is exact."""
FLAT = 1e-12


def paired_mean(
    values: Sequence[float], clusters: Sequence[str], *, confidence: float = 0.95, seed: int = 0
) -> tuple[Interval, float]:
    """Return the mean of differences in −1 … 1 with its interval, and the two-sided p-value against 0.

    The interval holds 0 exactly where the p-value exceeds 1 − `confidence`. Where all clusters have the same mean,
    no subset shows a spread: the interval is that of `signed_mean`, which allows for clusters not seen. A bound that so
    few clusters cannot give is that of the values.

    Parameters
    ----------
    values : sequence of float, shape (N,)
        In −1 … 1.
    clusters : sequence of str, shape (N,)
        What each shares with others; two at least.
    confidence : float
        Of the interval, strictly between 0 and 1.
    seed : int
        Of the draw of subsets.

    Examples
    --------
    >>> interval, p = paired_mean([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], list("abcdef"))
    >>> round(p, 3), interval.low > 0
    (0.031, True)
    """
    _, codes, sizes = np.unique(np.asarray(clusters), return_inverse=True, return_counts=True)
    differences = np.asarray(values, dtype=np.float64)
    sums = np.bincount(codes, differences)
    subsets, arrangements = _subsets(len(sums), seed)
    # Sums of the same numbers in another order differ by rounding: means as near to 0 as that are 0.
    means = np.sort((subsets @ sums) / (subsets @ sizes))
    means[np.abs(means) < FLAT] = 0.0
    tail = 1 + min(np.searchsorted(means, 0.0, "right"), len(means) - np.searchsorted(means, 0.0, "left"))
    p = min(1.0, 2 * float(tail) / arrangements)
    if means[-1] - means[0] < FLAT:
        return signed_mean(values, clusters, confidence=confidence, seed=seed), p
    rank = floor((1 - confidence) * arrangements / 2 + FLAT)
    low, high = (means[rank - 1], means[-rank]) if rank else (-1.0, 1.0)
    value = float(differences.mean())
    return Interval(value, min(value, float(low)), max(value, float(high))), p


@lru_cache(maxsize=4)
def _subsets(n: int, seed: int) -> tuple[NDArray[np.float64], int]:
    """Return subsets of n clusters, (subsets, n), none of them empty; and of how many arrangements, with the empty one.

    The empty subset stands for the signs as they were observed.
    """
    if 2**n <= SUBSETS + 1:
        chosen = (np.arange(1, 2**n)[:, None] >> np.arange(n)) & 1
    else:
        chosen = np.random.default_rng(seed).integers(0, 2, size=(SUBSETS, n))
        chosen = chosen[chosen.any(axis=1)]
    return chosen.astype(np.float64), len(chosen) + 1


def paired_contrasts(
    differences: Mapping[str, tuple[Sequence[float], Sequence[str]]], *, least: int, clusters: int, seed: int
) -> list[Contrast]:
    """Return a contrast for each name that has enough pairs, from (differences in −1 … 1, clusters).

    The intervals hold at once with 95% (Bonferroni over those that are compared).
    """
    enough = {
        name: pair for name, pair in differences.items() if len(pair[0]) >= least and len(set(pair[1])) >= clusters
    }
    confidence = simultaneous(0.95, max(1, len(enough)))
    contrasts = []
    for name, (values, labels) in enough.items():
        interval, p = paired_mean(values, labels, confidence=confidence, seed=seed)
        contrasts.append(Contrast(name, interval, p, len(values), detectable(interval, confidence)))
    return contrasts
