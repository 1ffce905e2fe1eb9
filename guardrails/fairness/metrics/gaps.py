"""Gaps between groups with intervals that hold for all pairs of groups at once.

The gap of a metric is the largest difference between two groups, so an estimate of it is above 0 even where all groups
have one rate. Its interval is made from those of all pairs [L, U], each at the confidence with which all of them hold
at once (`guardrails.core.statistics.simultaneous`)::

    max(0, L, −U over all pairs)  ≤  gap  ≤  max(|L|, |U| over all pairs)

If all pairs hold, so does this; where no two groups are shown to differ, it begins at 0.

References
----------
R. G. Newcombe, Statistics in Medicine 17 (1998) 873–890, method 10 (differences). A. Donner, G. Y. Zou, "Closed-form
confidence intervals for functions of the normal mean and standard deviation", Statistical Methods in Medical Research
21 (2012) 347–359 (ratios from the bounds of both rates). B. L. Welch, Biometrika 34 (1947) 28–35 (means).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...core.statistics import Interval, simultaneous
from ...core.statistics.intervals import normal_quantile
from .rates import Counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

CONFIDENCE = 0.95


class Pairs(NamedTuple):
    """Differences of pairs of groups, (M,) each, with simultaneous bounds."""

    value: Floats
    low: Floats
    high: Floats


class Gap(NamedTuple):
    """The largest difference, and the groups between which it lies: the higher one first."""

    interval: Interval
    groups: tuple[str, str]


def wilson_bounds(hits: Ints, trials: Ints, z: float) -> tuple[Floats, Floats, Floats]:
    """Return rates and Wilson's bounds, (G,) each; trials are at least 1."""
    n = trials.astype(np.float64)
    rate = hits / n
    centre = (hits + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * np.sqrt(n * rate * (1 - rate) + z * z / 4)
    return rate, np.minimum(rate, np.maximum(centre - half, 0.0)), np.maximum(rate, np.minimum(centre + half, 1.0))


def differences(counts: Counts, pairs: Ints, confidence: float) -> Pairs:
    """Return the difference of rates of each pair with Newcombe's bounds."""
    rate, low, high = _bounds(counts, pairs, confidence)
    value = rate[0] - rate[1]
    below = value - np.hypot(rate[0] - low[0], high[1] - rate[1])
    above = value + np.hypot(high[0] - rate[0], rate[1] - low[1])
    return Pairs(value, np.maximum(below, -1.0), np.minimum(above, 1.0))


def ratios(counts: Counts, pairs: Ints, confidence: float) -> Pairs:
    """Return the ratio of rates of each pair with the bounds of Donner and Zou; NaN where the second rate is 0."""
    rate, low, high = _bounds(counts, pairs, confidence)
    (p, q), (lp, lq), (up, uq) = rate, low, high
    with np.errstate(divide="ignore", invalid="ignore"):
        value = p / q
        # The published form of the lower bound, times its conjugate: it has no pole at u_q = 2 q.
        below = (
            lp * (2 * p - lp) / (p * q + np.sqrt(np.maximum((p * q) ** 2 - lp * uq * (2 * p - lp) * (2 * q - uq), 0)))
        )
        above = p * q + np.sqrt(np.maximum((p * q) ** 2 - up * lq * (2 * p - up) * (2 * q - lq), 0))
        above = np.where(lq > 0, above / (lq * (2 * q - lq)), np.inf)
    below = np.where(np.isnan(below), 0.0, below)
    return Pairs(value, np.clip(below, 0.0, value), np.maximum(above, value))


def _bounds(counts: Counts, pairs: Ints, confidence: float) -> tuple[Floats, Floats, Floats]:
    """Return rates, lower and upper bounds of both groups of each pair, (2, M) each."""
    z = normal_quantile(confidence)
    rate, low, high = wilson_bounds(counts.hits, np.maximum(counts.trials, 1), z)
    sides = pairs.T
    return rate[sides], low[sides], high[sides]


def largest_gap(families: Sequence[Counts], *, confidence: float = CONFIDENCE, among: int | None = None) -> Gap | None:
    """Return the largest difference of a rate between two groups, over one metric or several.

    Several metrics give equalized odds: true and false positive rates.

    Parameters
    ----------
    families : sequence of Counts
        One for each metric.
    confidence : float
        Of the intervals of all pairs together.
    among : int, optional
        How many pairs these are. Default: those of `families`.

    Returns
    -------
    Gap or None
        None where no two groups have enough trials.
    """
    pairs = [counts.pairs() for counts in families]
    total = sum(map(len, pairs))
    if not total:
        return None
    level = simultaneous(confidence, among or total)
    each = [differences(c, p, level) for c, p in zip(families, pairs, strict=True)]
    names = [(c.names[i], c.names[j]) for c, p in zip(families, pairs, strict=True) for i, j in p.tolist()]
    return gap_of(Pairs(*(np.concatenate([getattr(e, f) for e in each]) for f in Pairs._fields)), names)


def gap_of(pairs: Pairs, names: Sequence[tuple[str, str]]) -> Gap:
    """Return the largest difference with the interval that follows from those of all pairs."""
    at = int(np.abs(pairs.value).argmax())
    low = max(0.0, float(pairs.low.max()), float(-pairs.high.min()))
    high = max(float(np.abs(pairs.low).max()), float(np.abs(pairs.high).max()))
    higher, lower = names[at] if pairs.value[at] >= 0 else names[at][::-1]
    return Gap(Interval(float(abs(pairs.value[at])), low, high), (higher, lower))


def smallest_ratio(counts: Counts, *, confidence: float = CONFIDENCE) -> Gap | None:
    """Return the smallest ratio of a lower to a higher rate between two groups of one partition, in [0, 1].

    Returns
    -------
    Gap or None
        None where no two groups have enough trials, or no group has a hit.
    """
    pairs = counts.pairs()
    if not len(pairs) or not counts.hits[np.unique(pairs)].any():
        return None
    both = np.concatenate([pairs, pairs[:, ::-1]])
    ratio = ratios(counts, both, simultaneous(confidence, len(pairs)))
    defined = np.isfinite(ratio.value)
    at = int(np.where(defined, ratio.value, np.inf).argmin())
    lower, higher = (counts.names[i] for i in both[at].tolist())
    # The smallest true ratio is no larger than any pair's upper bound, and no smaller than all lower bounds.
    high = min(1.0, float(ratio.high[defined].min()))
    value = min(1.0, float(ratio.value[at]))
    low = float(ratio.low[defined].min()) if defined.all() else 0.0
    return Gap(Interval(value, min(low, value), max(high, value)), (higher, lower))


def mean_gap(
    values: Floats, codes: Ints, names: Sequence[str], partition: Ints, *, least: int, confidence: float = CONFIDENCE
) -> Gap | None:
    """Return the largest difference of a mean between two groups, with Welch's intervals for all pairs at once.

    Parameters
    ----------
    values : ndarray of float, shape (N,)
        What is averaged.
    codes : ndarray of int, shape (N, P)
        The group of each value in each partition, counted through all partitions; −1 for none.
    names : sequence of str
        Of the groups.
    partition : ndarray of int, shape (G,)
        The partition of each group.
    least : int
        Values that a group needs, at least 2.
    confidence : float
        Of all intervals together.
    """
    from scipy.special import stdtrit

    size = len(names)
    n, mean, variance = np.zeros(size), np.zeros(size), np.zeros(size)
    for column in codes.T:
        there = column >= 0
        n += np.bincount(column[there], minlength=size)
        mean += np.bincount(column[there], values[there], minlength=size)
        variance += np.bincount(column[there], values[there] ** 2, minlength=size)
    usable = Counts(n.astype(np.int64), np.where(n >= least, n, 0).astype(np.int64), partition, tuple(names))
    pairs = usable.pairs()
    if not len(pairs):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, share = mean / n, (variance - mean**2 / n) / (n - 1) / n
    i, j = pairs.T
    share = np.maximum(share, 1e-12)  # values that are all alike show no spread, but leave some doubt
    spread = share[i] + share[j]
    freedom = spread**2 / (share[i] ** 2 / (n[i] - 1) + share[j] ** 2 / (n[j] - 1))
    half = stdtrit(freedom, (1 + simultaneous(confidence, len(pairs))) / 2) * np.sqrt(spread)
    value = mean[i] - mean[j]
    return gap_of(Pairs(value, value - half, value + half), [(names[a], names[b]) for a, b in pairs.tolist()])
