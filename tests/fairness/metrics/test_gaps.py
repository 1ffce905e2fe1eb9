"""Gaps between groups: bounds against literal loops and closed forms, their coverage, and the null."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.core.statistics import newcombe, simultaneous, wilson
from guardrails.fairness.metrics.gaps import differences, largest_gap, mean_gap, ratios, smallest_ratio
from guardrails.fairness.metrics.null import chi_square, permuted
from guardrails.fairness.metrics.rates import LEAST_TRIALS, Counts


def counts(*groups: tuple[int, int], partition: list[int] | None = None) -> Counts:
    hits, trials = (np.array(side, dtype=np.int64) for side in zip(*groups, strict=True))
    parts = np.zeros(len(groups), dtype=np.int64) if partition is None else np.array(partition)
    return Counts(hits, trials, parts, tuple(f"g{i}" for i in range(len(groups))))


groups_drawn = st.lists(
    st.integers(LEAST_TRIALS, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=2, max_size=6
)


@given(groups_drawn)
def test_the_largest_gap_is_that_of_a_loop_over_pairs(groups: list[tuple[int, int]]) -> None:
    level = simultaneous(0.95, math.comb(len(groups), 2))
    each = [newcombe(*a, *b, confidence=level) for a, b in combinations(groups, 2)]
    gap = largest_gap([counts(*groups)])
    assert gap is not None
    assert gap.interval.value == pytest.approx(max(abs(d.value) for d in each))
    assert gap.interval.low == pytest.approx(max(0.0, *(d.low for d in each), *(-d.high for d in each)))
    assert gap.interval.high == pytest.approx(max(max(abs(d.low), abs(d.high)) for d in each))
    assert gap.interval.low < gap.interval.high


@given(groups_drawn)
def test_the_smallest_ratio_lies_in_its_interval_and_turning_a_pair_inverts_it(groups: list[tuple[int, int]]) -> None:
    gap = smallest_ratio(counts(*groups))
    if gap is None:
        assert not any(k for k, _ in groups)
        return
    rates = [k / n for k, n in groups]
    assert gap.interval.value == pytest.approx(min(rates) / max(rates))
    assert 0 <= gap.interval.low <= gap.interval.value <= gap.interval.high <= 1
    both = ratios(counts(*groups[:2]), np.array([[0, 1], [1, 0]]), 0.95)
    if min(rates[:2]) > 0:
        assert both.low[0] == pytest.approx(1 / both.high[1], rel=1e-6)


def test_a_ratio_of_large_samples_has_the_log_interval() -> None:
    from scipy.stats.contingency import relative_risk

    expected = relative_risk(4000, 10_000, 5000, 10_000).confidence_interval()
    pair = ratios(counts((4000, 10_000), (5000, 10_000)), np.array([[0, 1]]), 0.95)
    assert (pair.low[0], pair.high[0]) == pytest.approx((expected.low, expected.high), abs=1e-3)


def test_the_ratio_follows_the_published_form() -> None:
    (p, lp, up), (q, lq, uq) = wilson(12, 40), wilson(25, 50)
    low = (p * q - math.sqrt((p * q) ** 2 - lp * uq * (2 * p - lp) * (2 * q - uq))) / (uq * (2 * q - uq))
    high = (p * q + math.sqrt((p * q) ** 2 - up * lq * (2 * p - up) * (2 * q - lq))) / (lq * (2 * q - lq))
    pair = ratios(counts((12, 40), (25, 50)), np.array([[0, 1]]), 0.95)
    assert (pair.value[0], pair.low[0], pair.high[0]) == pytest.approx((p / q, low, high))


def test_newcombes_own_example() -> None:
    pair = differences(counts((56, 70), (48, 80)), np.array([[0, 1]]), 0.95)
    assert [round(float(x[0]), 4) for x in pair] == [0.2, 0.0524, 0.3339]


def test_a_group_that_is_too_small_is_not_compared() -> None:
    few = (0, LEAST_TRIALS - 1)
    assert largest_gap([counts((50, 100), few)]) is None
    assert smallest_ratio(counts((50, 100), few)) is None
    assert permuted([counts((50, 100), few)]) is None
    gap = largest_gap([counts((50, 100), (60, 100), few)])
    assert gap is not None
    assert gap.groups == ("g1", "g0")


def test_groups_of_different_columns_are_not_compared() -> None:
    apart = counts((10, 100), (12, 100), (80, 100), (82, 100), partition=[0, 0, 1, 1])
    gap = largest_gap([apart])
    assert gap is not None
    assert gap.interval.value == pytest.approx(0.02)


def test_nobody_selected_in_any_group_is_no_ratio_and_a_gap_with_a_width() -> None:
    none = counts((0, 30), (0, 50))
    assert smallest_ratio(none) is None
    gap = largest_gap([none])
    assert gap is not None
    assert gap.interval.value == gap.interval.low == 0
    assert gap.interval.high > 0.05


def test_the_null_of_two_groups_is_fishers_exact_test_by_x2() -> None:
    from scipy.stats import hypergeom

    hits, trials = np.array([14, 22]), np.array([30, 40])
    support = np.arange(0, 31)
    p = hypergeom(70, 36, 30).pmf(support)
    statistic = chi_square(np.stack([support, 36 - support], axis=1), trials)
    exact = p[statistic >= chi_square(hits[None], trials)[0] - 1e-9].sum()
    null = permuted([counts((14, 30), (22, 40))], resamples=20_000)
    assert null is not None
    assert null.pvalue == pytest.approx(exact, abs=0.012)


def test_the_null_deals_labels_as_a_loop_does() -> None:
    rng = np.random.default_rng(0)
    outcome, group = np.repeat([1, 0], [30, 70]), np.repeat([0, 1, 2], [20, 30, 50])
    gaps = []
    for _ in range(4000):
        dealt = rng.permutation(outcome)
        gaps.append(np.ptp([dealt[group == g].mean() for g in range(3)]))
    null = permuted([counts((6, 20), (9, 30), (15, 50))], resamples=4000, seed=1)
    assert null is not None
    assert null.mean == pytest.approx(np.mean(gaps), abs=0.006)
    assert null.high == pytest.approx(np.quantile(gaps, 0.95), abs=0.015)


def test_the_mean_gap_is_welchs() -> None:
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(3)
    a, b = rng.normal(0, 1, 40), rng.normal(0.7, 2, 60)
    codes = np.repeat([0, 1], [40, 60])[:, None]
    gap = mean_gap(np.concatenate([a, b]), codes, ["a", "b"], np.zeros(2, dtype=np.int64), least=30)
    expected = ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    assert gap is not None
    assert gap.interval.value == pytest.approx(abs(b.mean() - a.mean()))
    assert (max(0, expected.low), expected.high) == pytest.approx((gap.interval.low, gap.interval.high), rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rates", "sizes"),
    [
        ((0.5, 0.5), (100, 100)),
        ((0.3, 0.5), (60, 300)),
        ((0.05, 0.1), (80, 200)),
        ((0.2, 0.2, 0.2, 0.2), (40, 100, 300, 900)),
        ((0.1, 0.3, 0.35), (50, 50, 200)),
        ((0.95, 0.99), (40, 60)),
    ],
)
def test_the_intervals_hold_as_often_as_they_say(rates: tuple[float, ...], sizes: tuple[int, ...]) -> None:
    rng, runs = np.random.default_rng(7), 1000
    gap, ratio = max(rates) - min(rates), min(rates) / max(rates)
    of_gap, of_ratio, alarms = 0, 0, 0
    for hits in rng.binomial(sizes, rates, size=(runs, len(rates))):
        table = counts(*zip(hits.tolist(), sizes, strict=True))
        interval, of = largest_gap([table]), smallest_ratio(table)
        assert interval is not None
        of_gap += interval.interval.low <= gap <= interval.interval.high
        of_ratio += of is None or of.interval.low <= ratio <= of.interval.high
        alarms += interval.interval.low > 0
    assert of_gap >= 0.93 * runs
    assert of_ratio >= 0.93 * runs
    if gap == 0:
        assert alarms <= 0.065 * runs  # .05, and two standard errors


@pytest.mark.slow
def test_the_permutation_raises_few_false_alarms() -> None:
    rng, runs = np.random.default_rng(11), 400
    alarms = 0
    for k, hits in enumerate(rng.binomial((40, 100, 400, 60), 0.3, size=(runs, 4))):
        null = permuted([counts(*zip(hits.tolist(), (40, 100, 400, 60), strict=True))], resamples=400, seed=k)
        assert null is not None
        alarms += null.pvalue <= 0.05
    assert alarms <= 0.05 * runs + 2 * math.sqrt(0.05 * 0.95 * runs)


@settings(max_examples=50)
@given(groups_drawn, st.integers(0, 5))
def test_the_null_depends_on_nothing_but_its_arguments(groups: list[tuple[int, int]], seed: int) -> None:
    one, two = (permuted([counts(*groups)], resamples=50, seed=seed) for _ in range(2))
    assert one == two
    assert one is not None
    assert 0 < one.pvalue <= 1
    assert 0 <= one.mean <= 1
