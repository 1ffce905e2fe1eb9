"""How often one side of a pair is preferred: ties apart, pairs of one template together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core.results import Baseline
from ...core.statistics import (
    Interval,
    cluster_bootstrap,
    permutation_test,
    sign_test,
    smallest_detectable_rate,
    wilson,
)

LEAST_PAIRS, LEAST_CLUSTERS = 20, 5
"""Minimum decided pairs, and templates, for a share to be told."""
SWAPS = 2000


class Preference(NamedTuple):
    """A share of decided pairs.

    Attributes
    ----------
    interval : Interval
        The share of the decided pairs that fell to the first side.
    decided, ties : int
        Ties are in neither side, nor in the denominator.
    p : float
        Of the hypothesis that both sides are equally likely.
    detectable : float or None
        The smallest share above one half that as many pairs would tell from it.
    """

    interval: Interval
    decided: int
    ties: int
    p: float
    detectable: float | None


def preference(
    signs: Sequence[int], clusters: Sequence[str], *, confidence: float = 0.95, seed: int = 0
) -> Preference | str:
    """Return how often the first side is preferred, or why that cannot be told.

    Where each decided pair is its own cluster, the interval is Wilson's and the test is the exact sign test. Else whole
    clusters are resampled, and in the test the two sides are exchanged in whole clusters.

    Parameters
    ----------
    signs : sequence of int
        1, −1 or 0 for a tie.
    clusters : sequence of str
        The template, target or occupation of each pair.
    confidence : float
        Of the interval.
    seed : int
        Of resampling and exchanging.
    """
    all_signs, labels = np.asarray(signs, dtype=int), np.asarray(clusters, dtype=str)
    decided = all_signs[all_signs != 0]
    labels = labels[all_signs != 0]
    ties, count = len(all_signs) - len(decided), len(set(labels.tolist()))
    if len(decided) < LEAST_PAIRS or count < LEAST_CLUSTERS:
        return (
            f"{len(decided)} decided pairs of {count} templates, and {ties} ties; at least {LEAST_PAIRS} of "
            f"{LEAST_CLUSTERS} are needed"
        )
    first = int((decided > 0).sum())
    independent = wilson(first, len(decided), confidence=confidence)
    if count == len(decided):
        interval, p = independent, sign_test(first, len(decided) - first)
    else:
        interval = cluster_bootstrap(decided > 0, labels, confidence=confidence, seed=seed)
        sums = cluster_sums(decided, labels)
        p = permutation_test(sums, np.zeros(len(sums)), paired=True, seed=seed)
    narrower = (independent.high - independent.low) / (interval.high - interval.low)
    # As many independent pairs as give an interval of this width.
    effective = max(1, round(len(decided) * min(1.0, narrower) ** 2))
    return Preference(
        interval,
        len(decided),
        ties,
        p,
        smallest_detectable_rate(effective, baseline=0.5, confidence=confidence),
    )


def cluster_sums(values: NDArray[np.int_], labels: NDArray[np.str_]) -> NDArray[np.float64]:
    """Return the sum of each cluster's values."""
    _, codes = np.unique(labels, return_inverse=True)
    sums: NDArray[np.float64] = np.bincount(codes, values).astype(np.float64)
    return sums


def swapped(signs: Sequence[int], clusters: Sequence[str], seed: int) -> Baseline:
    """Return the share where the two sides are exchanged at random, in whole clusters: what chance alone gives."""
    values, labels = np.asarray(signs, dtype=int), np.asarray(clusters, dtype=str)
    sums, decided = cluster_sums(values, labels), int((values != 0).sum())
    flips = np.random.default_rng(seed).choice((1.0, -1.0), size=(SWAPS, len(sums)))
    shares = 0.5 + (flips @ sums) / (2 * decided)
    low, high = (float(x) for x in np.quantile(shares, (0.025, 0.975)))
    return Baseline(
        what="the share where both sentences of each template are exchanged at random, with 95% of such shares",
        value=0.5,
        low=min(low, 0.5),
        high=max(high, 0.5),
    )


def swapped_means(shares: NDArray[np.float64], seed: int) -> Baseline:
    """Return the mean of the targets' shares where the two sides are exchanged at random, target by target."""
    flips = np.random.default_rng(seed).choice((1.0, -1.0), size=(SWAPS, len(shares)))
    means = 0.5 + flips @ (shares - 0.5) / len(shares)
    low, high = (float(x) for x in np.quantile(means, (0.025, 0.975)))
    return Baseline(
        what="the score where stereotype and anti-stereotype are exchanged at random, with 95% of such scores",
        value=0.5,
        low=min(low, 0.5),
        high=max(high, 0.5),
    )
