"""The difference of one measurement between two audits: a p-value, and an interval at any confidence.

From the stored intervals alone the difference is bounded by the method of variance estimates recovery (G. Y. Zou,
A. Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 27 (2008) 1693–1702), which
for two Wilson intervals is Newcombe's. Where both audits asked the same items, their differences are tested.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import hypot, isfinite, sqrt

from ...core.results import Measurement
from ...core.statistics import mcnemar, paired_difference, permutation_test
from ...core.statistics.intervals import score_interval
from ..policy.policy import UP_TO_ONE, worst_case, worth

Bounds = tuple[float, float]
MOST_CONFIDENT = 1 - 1e-13
"""Beyond it, 1 − confidence has no digits left."""


@dataclass(frozen=True)
class Difference:
    """After − before.

    Attributes
    ----------
    value : float
    p : float
        Two-sided, of no difference.
    bounds : callable
        Takes a confidence; returns (low, high).
    method : str
    pairs : int
        Items compared one by one; 0 where two samples were compared.
    """

    value: float
    p: float
    bounds: Callable[[float], Bounds]
    method: str
    pairs: int = 0

    @property
    def usable(self) -> bool:
        """Whether it has bounds at every confidence: a result edited by hand may state numbers that overflow."""
        (low, high), widest = self.bounds(0.95), self.bounds(MOST_CONFIDENT)
        return all(map(isfinite, (self.value, *widest))) and low < high


def two_sample(before: Measurement, after: Measurement) -> Difference:
    """Return the difference of two measurements from their values and intervals.

    Parameters
    ----------
    before, after : Measurement
        Of the same metric, both with a value and an interval of some width.
    """
    first, second = _bounds_of(before), _bounds_of(after)
    value = _value(after) - _value(before)

    def bounds(confidence: float) -> Bounds:
        (a_low, a_high), (b_low, b_high) = first(confidence), second(confidence)
        low = value - hypot(_value(after) - b_low, a_high - _value(before))
        high = value + hypot(b_high - _value(after), _value(before) - a_low)
        return low, high

    return Difference(value, _p_value(value, bounds), bounds, "two samples, from the interval of each")


def _value(m: Measurement) -> float:
    assert m.value is not None
    return m.value


def _bounds_of(m: Measurement) -> Callable[[float], Bounds]:
    """Return the interval of a measurement as a function of the confidence.

    What lies between 0 and 1 has Wilson's interval with as many trials as the stored one is worth. Elsewhere the stored
    distances grow as the quantiles of Student's t do.
    """
    assert m.low is not None
    assert m.high is not None
    value, low, high = _value(m), m.low, m.high
    if m.unit in UP_TO_ONE and 0 <= value <= 1 and m.n:
        trials = m.n * worth(m)

        def score(confidence: float) -> Bounds:
            interval = score_interval(value, trials, confidence=confidence)
            return worst_case(m, interval.low, interval.high)

        return score
    freedom = max(1, m.n - 1)
    stated = _t(m.confidence, freedom)

    def scaled(confidence: float) -> Bounds:
        factor = _t(confidence, freedom) / stated
        return worst_case(m, value - (value - low) * factor, value + (high - value) * factor)

    return scaled


def _t(confidence: float, freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + confidence) / 2))


def _p_value(value: float, bounds: Callable[[float], Bounds]) -> float:
    """Return 1 − the largest confidence at which the interval excludes 0."""
    if value == 0:
        return 1.0
    low, high = 0.0, MOST_CONFIDENT
    if _excludes_zero(bounds(high)):
        return 1 - high
    for _ in range(45):  # to the thirteenth digit
        middle = (low + high) / 2
        low, high = (middle, high) if middle > 0 and _excludes_zero(bounds(middle)) else (low, middle)
    return 1 - low


def _excludes_zero(bounds: Bounds) -> bool:
    return bounds[0] > 0 or bounds[1] < 0


def paired(before: Sequence[float], after: Sequence[float], clusters: Sequence[Hashable]) -> Difference | None:
    """Return the mean difference over the same items, or None where they are of one cluster or all changed alike.

    Independent hits and misses: McNemar's exact test, Bonett and Price's interval. Else: a permutation of the sign of
    each cluster's difference, and Student's interval over clusters.

    Parameters
    ----------
    before : sequence of float, shape (n,)
        Values of the items in one audit.
    after : sequence of float, shape (n,)
        Values of the same items in the other.
    clusters : sequence of hashable, shape (n,)
        Items of one cluster, such as a document, are no independent ones.
    """
    n, groups = len(before), len(set(clusters))
    if groups < 2:
        return None
    if groups == n and {*before, *after} <= {0.0, 1.0}:
        gained = sum(b > a for a, b in zip(before, after, strict=True))
        lost = sum(b < a for a, b in zip(before, after, strict=True))

        def exact(confidence: float) -> Bounds:
            interval = paired_difference(gained, lost, n, confidence=confidence)
            return interval.low, interval.high

        method = f"paired: {gained} items more, {lost} items fewer; McNemar's exact test, Bonett and Price's interval"
        return Difference((gained - lost) / n, mcnemar(gained, lost), exact, method, n)
    return _clustered(before, after, clusters)


def _clustered(before: Sequence[float], after: Sequence[float], clusters: Sequence[Hashable]) -> Difference | None:
    n = len(before)
    sums: dict[Hashable, list[float]] = {}
    for a, b, cluster in zip(before, after, clusters, strict=True):
        total = sums.setdefault(cluster, [0.0, 0.0, 0.0])
        total[0], total[1], total[2] = total[0] + a, total[1] + b, total[2] + 1
    groups = len(sums)
    value = sum(b - a for a, b, _ in sums.values()) / n
    spread = sum((b - a - value * size) ** 2 for a, b, size in sums.values())
    error = sqrt(groups / (groups - 1) * spread) / n
    if error == 0:  # all clusters changed alike: of noise they say nothing
        return None

    def bounds(confidence: float) -> Bounds:
        half = _t(confidence, groups - 1) * error
        return value - half, value + half

    p = permutation_test([a for a, _, _ in sums.values()], [b for _, b, _ in sums.values()], paired=True)
    what = "items" if groups == n else f"items of {groups} clusters"
    method = f"paired: the differences of {n} {what}; permutation test, Student's interval"
    return Difference(value, p, bounds, method, n)
