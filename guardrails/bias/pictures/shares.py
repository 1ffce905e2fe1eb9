"""Shares of groups among pictures, with the error of a model that reads them and with pictures of one prompt alike.

A model that mistakes groups for one another changes their shares. The shares are those under which what it read is most
probable, given how often it read each group for another on labelled pictures. The bounds are Rogan and Gladen's for
each group against the others (`guardrails.core.statistics.rogan_gladen`). Its false positives depend on how often each
of the others is shown; for these the estimated shares are taken.

Pictures of one prompt resemble one another, so that they count for less. How much less is estimated from the variance
between prompts (the design effect), and the intervals are those of as many independent pictures, fewer by the ratio of
normal and t quantiles where prompts are few (Korn and Graubard 1998).

.. E. L. Korn, B. I. Graubard, "Confidence intervals for proportions with small expected number of positive counts
   estimated from survey data", Survey Methodology 24 (1998) 193–201.
.. J. N. K. Rao, A. J. Scott, "The analysis of categorical data from complex sample surveys", Journal of the American
   Statistical Association 76 (1981) 221–230.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.results import Baseline
from ...core.statistics import (
    GraderCounts,
    Interval,
    clopper_pearson,
    rogan_gladen,
    simultaneous,
)

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
STEPS = 500
"""Of expectation and maximisation."""
DRAWS = 1000


@dataclass(frozen=True)
class Readings:
    """What was read from pictures.

    Attributes
    ----------
    groups : ndarray of int
        (N,), the place of each picture's group among K groups.
    prompts : ndarray of int or None
        (N,), which pictures share a prompt; None where each stands for itself.
    confusion : ndarray of int or None
        (K, K), labelled pictures by their true group (rows) and what was read; None where the groups are known.
    ungraded : int
        Pictures that the model could not read.
    """

    groups: Counts
    prompts: Counts | None
    confusion: Counts | None
    ungraded: int = 0


@dataclass(frozen=True)
class Shares:
    """The share of each group, (K,), with bounds that hold for all groups at once."""

    value: Floats
    low: Floats
    high: Floats
    effective: Floats
    """(K,): how many independent pictures the pictures count for."""

    def largest_gap(self, reference: Floats) -> Interval:
        """Return the largest distance of a share from its reference, with its bounds."""
        below, above = self.low - reference, self.high - reference
        sizes = np.maximum(np.abs(below), np.abs(above))
        value = float(np.abs(self.value - reference).max())
        low = float(np.maximum(0, np.maximum(below, -above)).max())
        return Interval(value, min(low, value), max(float(sizes.max()), value))


def shares(readings: Readings, k: int, *, confidence: float) -> Shares:
    """Return the shares of k groups.

    Raises
    ------
    CannotCorrect
        Where the model is not shown to tell a group from another, or read what is impossible with its measured error.
    """
    each = simultaneous(confidence, k)
    counts = np.bincount(readings.groups, minlength=k)
    effective = effective_sizes(readings.groups, readings.prompts, k, confidence=each)
    value = counts / counts.sum() if readings.confusion is None else _corrected(counts, readings.confusion)
    ungraded = readings.ungraded / len(readings.groups)
    bounds = np.empty((k, 2))
    for g in range(k):
        size = float(effective[g])
        errors = None if readings.confusion is None else _errors(readings.confusion, g, value, size)
        bounds[g] = _bounds(counts[g] / counts.sum(), size, errors, ungraded, each)
    return Shares(value, np.minimum(bounds[:, 0], value), np.maximum(bounds[:, 1], value), effective)


def effective_sizes(groups: Counts, prompts: Counts | None, k: int, *, confidence: float) -> Floats:
    """Return for each group how many independent pictures (N,) pictures count for, at most N.

    A group's own design effect, or that of all groups together (Rao and Scott's mean), whichever is larger. Where all
    pictures show one group, nothing is known of it: then each prompt counts for one.
    """
    from scipy.special import stdtrit

    n = len(groups)
    if prompts is None:
        return np.full(k, float(n))
    _, codes = np.unique(prompts, return_inverse=True)
    g = int(codes.max()) + 1
    shown = np.eye(k)[groups]
    share = shown.mean(axis=0)
    totals = np.zeros((g, k))
    np.add.at(totals, codes, shown - share)
    between = g / max(g - 1, 1) * (totals**2).sum(axis=0) / n**2
    independent = share * (1 - share) / n
    if independent.sum() == 0:
        return np.full(k, float(g))
    own = np.divide(between, independent, out=np.zeros(k), where=independent > 0)
    effect = np.maximum(1.0, np.maximum(own, between.sum() / independent.sum()))
    level = (1 + confidence) / 2
    fewer = (stdtrit(max(n - 1, 1), level) / stdtrit(max(g - 1, 1), level)) ** 2
    sizes: Floats = np.maximum(1.0, n / effect * fewer)
    return sizes


def _bounds(
    share: float, size: float, errors: GraderCounts | None, ungraded: float, confidence: float
) -> tuple[float, float]:
    """Return the bounds of a group's share, of which `share` was read from as many independent pictures as `size`."""
    n = max(1, floor(size))
    few, many = min(n, floor(share * n + 1e-9)), min(n, ceil(share * n - 1e-9))
    if errors is None:
        low, high = (clopper_pearson(k, n, confidence=confidence) for k in (few, many))
    else:
        missing = ceil(ungraded * n)
        low = high = rogan_gladen(few, n, errors, ungraded=missing, confidence=confidence)
        if many != few:
            high = rogan_gladen(many, n, errors, ungraded=missing, confidence=confidence)
    return low.low, high.high


def _errors(confusion: Counts, group: int, value: Floats, size: float) -> GraderCounts:
    """Return the error of reading a group, where the others are shown as often as estimated.

    Their false positives are counts of as many labelled pictures as have the same variance, that of the estimated
    shares included.
    """
    others = np.delete(np.arange(len(value)), group)
    labelled = confusion.sum(axis=1)[others]
    false = confusion[others, group] / labelled
    rest = value[others].sum()
    weight = value[others] / rest if rest > 1e-9 else np.full(len(others), 1 / len(others))
    rate = float(weight @ false)
    if rate == 0:
        n = 1 / float((weight**2 / labelled).sum())
    else:
        variance = weight**2 * false * (1 - false) / labelled + (false - rate) ** 2 * weight * (1 - weight) / size
        n = rate * (1 - rate) / max(float(variance.sum()), 1e-9)
    n = max(1, floor(min(n, float(labelled.sum())) + 1e-9))
    wrong = round(rate * n)
    right = int(confusion[group, group])
    return GraderCounts(right, int(confusion[group].sum()) - right, n - wrong, wrong)


def _corrected(counts: Counts, confusion: Counts) -> Floats:
    """Return the shares under which the counts are most probable, given the rows of a confusion matrix."""
    rates = confusion / confusion.sum(axis=1, keepdims=True)
    share = np.full(len(counts), 1 / len(counts))
    for _ in range(STEPS):
        expected = np.maximum(share @ rates, 1e-12)
        share = share * (rates @ (counts / expected))
        share = share / max(share.sum(), 1e-12)
    return np.asarray(share, dtype=np.float64)


def by_chance(reference: Floats, shares: Shares, confusion: Counts | None, *, seed: int) -> Baseline:
    """Return the largest gap of pictures whose groups are drawn from the reference, as many and read as well."""
    rng = np.random.default_rng(seed)
    rates = np.eye(len(reference)) if confusion is None else confusion / confusion.sum(axis=1, keepdims=True)
    n = max(1, int(shares.effective.min()))
    read = rng.multinomial(n, reference @ rates, size=DRAWS) / n
    drawn = np.clip(read @ np.linalg.pinv(rates), 0, 1)
    gaps = np.sort(np.abs(drawn - reference).max(axis=1))
    return Baseline(
        what="mean of the largest gap where groups are drawn from the reference, with 95% of such gaps",
        value=float(gaps.mean()),
        low=float(gaps[0]),
        high=float(gaps[ceil(0.95 * DRAWS) - 1]),
    )


def detectable(reference: Floats, shares: Shares, confusion: Counts | None, *, confidence: float) -> float:
    """Return about the least gap that is told from none four times in five."""
    from scipy.special import ndtri

    k = len(reference)
    level = float(ndtri((1 + simultaneous(confidence, k)) / 2) + ndtri(0.8))
    index = np.ones(k)
    if confusion is not None:
        rates = confusion / confusion.sum(axis=1, keepdims=True)
        worst = np.array([np.delete(rates[:, g], g).max() for g in range(k)])
        index = np.maximum(np.diag(rates) - worst, 1e-3)
    return min(1.0, float((level * np.sqrt(reference * (1 - reference) / shares.effective) / index).max()))


def codes_of(names: Sequence[Any]) -> Counts:
    """Return equal whole numbers for equal names."""
    places: dict[Any, int] = {}
    return np.array([places.setdefault(name, len(places)) for name in names], dtype=np.int64)
