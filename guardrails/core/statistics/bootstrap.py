"""An interval for items that come in clusters: prompts, templates, photographs, generators."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import isfinite, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._arguments import at_least_one, inside
from .intervals import Interval, wilson

_CELLS = 1 << 20
"""Counts held at once: 8 MiB, whatever the number of clusters and resamples."""

Statistic = Callable[[NDArray[np.float64]], float]


def cluster_bootstrap(
    values: ArrayLike,
    clusters: Sequence[Any] | NDArray[Any],
    *,
    statistic: Statistic | None = None,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Return a statistic with an interval from resampling whole clusters.

    The interval is the percentile interval, expanded so that few clusters do not make it too narrow: the tail is
    Φ(−t·√(G/(G − 1))) with Student's t on G − 1 degrees of freedom, G the number of clusters. In simulations of normal
    values with half of their variance between clusters, it covered 95–96% for 10 to 50 clusters, 92% for 5 and 77% for
    3; of log-normal ones 86–89% for 10 to 50, as a percentile interval does not follow a long tail.

    A mean of values in [0, 1] is taken for a rate, and no resample shows what the sample has never seen. Where all
    clusters have the same mean, as at 0/n and n/n, the interval allows for as many unlike *clusters* as Wilson's upper
    bound for 0 of G; where the values are 0 and 1, it is never narrower than Wilson's for independent items.

    Parameters
    ----------
    values : array_like, shape (N,) or (N, ...)
        One value (or row) per item, all finite.
    clusters : sequence, shape (N,)
        What each item shares with others: any labels that can be sorted.
    statistic : callable or None
        ``statistic(values) -> float`` on the values of the resampled items, repeated as often as their cluster was
        drawn, in no particular order. None: the mean, computed without a loop.
    confidence : float
        Strictly between 0 and 1.
    resamples : int
        At least 1.
    seed : int
        Of the resampling.

    Returns
    -------
    Interval
        The statistic of all items, and its bounds.

    Raises
    ------
    ValueError
        Where there is only one cluster, a value is not finite, the shapes do not match, or the statistic is not finite
        on a resample.

    References
    ----------
    A. C. Davison, D. V. Hinkley, *Bootstrap Methods and their Application* (1997), ch. 3.8. T. C. Hesterberg, "What
    teachers should know about the bootstrap", The American Statistician 69 (2015) 371–386 (the expanded percentile
    interval).

    Examples
    --------
    >>> hits, prompts = [1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0], [i // 3 for i in range(12)]
    >>> interval = cluster_bootstrap(hits, prompts)
    >>> round(interval.value, 3), interval.low < 0.11, interval.high > 0.75
    (0.333, True, True)
    >>> cluster_bootstrap([0, 0, 0, 0], ["a", "a", "b", "b"]).high > 0.5
    True
    """
    data, codes, groups = _clustered(values, clusters)
    at_least_one("resamples", resamples)
    drawn = _draws(groups, resamples, np.random.default_rng(seed))
    if statistic is None:
        if data.ndim != 1:
            raise ValueError(f"the mean needs one value per item, got shape {data.shape}; give a statistic")
        value, replicates = float(data.mean()), _mean_replicates(data, codes, groups, drawn)
    else:
        value, replicates = float(statistic(data)), _replicates(data, codes, statistic, drawn)
    if not (isfinite(value) and np.isfinite(replicates).all()):
        raise ValueError("the statistic is not finite on the items or on a resample of their clusters")
    tail = _expanded_tail(groups, confidence)
    low, high = (float(x) for x in np.quantile(replicates, (tail, 1 - tail)))
    if statistic is None:
        low, high = _widened(data, groups, confidence, low, high)
    return Interval(value, min(low, value), max(high, value))


def _clustered(values: ArrayLike, clusters: Any) -> tuple[NDArray[np.float64], NDArray[np.intp], int]:
    data = np.asarray(values, dtype=np.float64)
    labels, codes = np.unique(np.asarray(clusters), return_inverse=True)
    if data.ndim == 0 or codes.shape != data.shape[:1]:
        raise ValueError(f"each value needs one cluster: got shapes {data.shape} and {codes.shape}")
    if not np.isfinite(data).all():
        raise ValueError("values hold one that is not finite; drop it and count it as an error")
    if labels.size < 2:
        raise ValueError(f"a cluster bootstrap needs at least two clusters, got {labels.size}; sample more of them")
    return data, codes, labels.size


def _draws(groups: int, resamples: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Yield how often each cluster is drawn: blocks of shape (some resamples, groups)."""
    step = max(1, _CELLS // groups)
    for start in range(0, resamples, step):
        yield rng.multinomial(groups, np.full(groups, 1 / groups), size=min(step, resamples - start))


def _mean_replicates(
    data: NDArray[np.float64], codes: NDArray[np.intp], groups: int, drawn: Iterator[NDArray[np.int64]]
) -> NDArray[np.float64]:
    sums, sizes = np.bincount(codes, data, groups), np.bincount(codes, minlength=groups)
    return np.concatenate([(counts @ sums) / (counts @ sizes) for counts in drawn])


def _replicates(
    data: NDArray[np.float64], codes: NDArray[np.intp], statistic: Statistic, drawn: Iterator[NDArray[np.int64]]
) -> NDArray[np.float64]:
    return np.array([statistic(np.repeat(data, row[codes], axis=0)) for counts in drawn for row in counts])


def _expanded_tail(groups: int, confidence: float) -> float:
    from scipy.special import ndtr, stdtrit

    t = stdtrit(groups - 1, (1 + inside("confidence", confidence)) / 2)
    return float(ndtr(-t * sqrt(groups / (groups - 1))))


def _widened(data: NDArray[np.float64], groups: int, confidence: float, low: float, high: float) -> tuple[float, float]:
    """Return the bounds of a mean, no narrower than a rate allows."""
    level = float(data.mean())
    if np.isin(data, (0.0, 1.0)).all() and 0 < level < 1:
        independent = wilson(int(data.sum()), data.size, confidence=confidence)
        return min(low, independent.low), max(high, independent.high)
    if high - low <= 1e-12 and data.min() >= 0 and data.max() <= 1:
        unlike = wilson(0, groups, confidence=confidence).high
        return level * (1 - unlike), level + (1 - level) * unlike
    return low, high
