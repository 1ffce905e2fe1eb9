"""AUC and true-positive rate, against scikit-learn and literal double loops."""

from __future__ import annotations

from math import ceil, floor, hypot

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit, ndtr, ndtri
from scipy.stats import binom, norm
from sklearn.metrics import roc_auc_score

from guardrails.core.statistics import auc, delong, tpr_at_fpr, wilson
from guardrails.core.statistics.ranking import delong_variance

FEW_VALUES = st.lists(st.integers(-2, 2).map(float), min_size=1, max_size=40)
ANY_VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40)
SCORES = st.one_of(FEW_VALUES, ANY_VALUES)


def literal_kernel(positive, negative) -> np.ndarray:
    return np.array([[1.0 if p > q else 0.5 if p == q else 0.0 for q in negative] for p in positive])


def literal_delong(positive, negative) -> float:
    """The definition of DeLong, DeLong and Clarke-Pearson, over all m·n pairs."""
    kernel = literal_kernel(positive, negative)
    m, n = kernel.shape
    area = kernel.mean()
    s10 = sum((kernel[i].mean() - area) ** 2 for i in range(m)) / (m - 1)
    s01 = sum((kernel[:, j].mean() - area) ** 2 for j in range(n)) / (n - 1)
    return s10 / m + s01 / n


@settings(deadline=None)
@given(SCORES, SCORES)
def test_auc_agrees_with_scikit_learn_and_with_all_pairs(positive, negative):
    labels = [1] * len(positive) + [0] * len(negative)
    assert auc(positive, negative) == pytest.approx(roc_auc_score(labels, positive + negative), abs=1e-12)
    assert auc(positive, negative) == pytest.approx(literal_kernel(positive, negative).mean(), abs=1e-12)


@given(SCORES, SCORES)
def test_auc_of_the_exchanged_samples_is_the_complement(positive, negative):
    assert auc(positive, negative) + auc(negative, positive) == pytest.approx(1, abs=1e-15)
    assert auc([-x for x in positive], [-x for x in negative]) == auc(negative, positive)


@given(SCORES)
def test_auc_of_a_sample_against_itself_is_one_half(scores):
    assert auc(scores, scores) == 0.5


@settings(deadline=None)
@given(
    st.one_of(st.lists(st.integers(-2, 2).map(float), min_size=2, max_size=25), st.lists(st.floats(0, 1), min_size=2)),
    st.one_of(st.lists(st.integers(-2, 2).map(float), min_size=2, max_size=25), st.lists(st.floats(0, 1), min_size=2)),
)
def test_delong_variance_is_the_literal_one(positive, negative):
    assert delong_variance(positive, negative) == pytest.approx(literal_delong(positive, negative), abs=1e-14)


@settings(deadline=None)
@given(SCORES, SCORES, st.floats(0.5, 0.999))
def test_delong_holds_its_value_and_is_never_of_width_zero(positive, negative, confidence):
    value, low, high = delong(positive, negative, confidence=confidence)
    assert value == auc(positive, negative)
    assert 0 <= low <= value <= high <= 1
    assert high - low > 0.1 / (len(positive) * len(negative))


@settings(deadline=None)
@given(SCORES, SCORES)
def test_delong_of_the_exchanged_samples_is_the_mirror_image(positive, negative):
    there, back = delong(positive, negative), delong(negative, positive)
    assert (1 - back.high, 1 - back.low) == pytest.approx((there.low, there.high), abs=1e-9)


def test_delong_holds_the_logit_interval_and_newcombes_fifth():
    rng = np.random.default_rng(0)
    positive, negative = rng.normal(1, 1, 30), rng.normal(0, 1, 50)
    value, low, high = delong(positive, negative)
    z = norm.ppf(0.975)
    half = z * literal_delong(positive, negative) ** 0.5 / (value * (1 - value))
    assert logit(low) <= logit(value) - half + 1e-9
    assert logit(high) >= logit(value) + half - 1e-9

    def spread(theta: float) -> float:  # Newcombe (2006), method 5, with N* = (m + n)/2 − 1 = 39
        return theta * (1 - theta) * (1 + 39 * (1 - theta) / (2 - theta) + 39 * theta / (1 + theta)) / (30 * 50)

    grid = np.linspace(0, 1, 100_001)
    inside = grid[(grid - value) ** 2 <= z * z * spread(grid)]
    assert low == pytest.approx(min(inside.min(), 1 / (1 + np.exp(half - logit(value)))), abs=2e-5)
    assert high == pytest.approx(max(inside.max(), 1 / (1 + np.exp(-half - logit(value)))), abs=2e-5)


@pytest.mark.parametrize(("m", "n"), [(1, 1), (1, 50), (20, 20), (300, 40)])
def test_delong_at_the_ends_is_wilson_with_the_smaller_sample(m, n):
    high, low = np.arange(1000, 1000 + m), np.arange(n)
    assert delong(high, low) == wilson(min(m, n), min(m, n))
    assert delong(low, high) == wilson(0, min(m, n))


def test_delong_of_a_constant_score_says_that_nothing_is_known():
    value, low, high = delong([1.0] * 20, [1.0] * 30)
    assert (value, low, high) == pytest.approx(wilson(10, 20))


@settings(deadline=None)
@given(st.integers(1, 8), st.integers(1, 8), st.data())
def test_no_distribution_has_a_larger_variance_than_the_bound(m, n, data):
    """θ(1 − θ)/min(m, n) ≥ the exact variance of the AUC, for any pair of distributions on three values."""
    p, q = (np.array(data.draw(st.lists(st.integers(1, 20), min_size=3, max_size=3)), float) for _ in range(2))
    p, q = p / p.sum(), q / q.sum()
    kernel = literal_kernel(range(3), range(3))
    theta = p @ kernel @ q
    by_first, by_second = p @ (kernel @ q - theta) ** 2, q @ (p @ kernel - theta) ** 2
    total = p @ (kernel - theta) ** 2 @ q
    variance = ((n - 1) * by_first + (m - 1) * by_second + total) / (m * n)
    assert variance <= theta * (1 - theta) / min(m, n) + 1e-12


@pytest.mark.slow
@pytest.mark.parametrize(("m", "n"), [(10, 10), (20, 200), (200, 20)])
@pytest.mark.parametrize("area", [0.5, 0.8, 0.95, 0.99])
def test_delong_covers_the_true_area(m, n, area):
    rng = np.random.default_rng(0)
    shift, rate = ndtri(area) * 2**0.5, area / (1 - area)
    normal = [delong(rng.normal(shift, 1, m), rng.normal(0, 1, n)) for _ in range(600)]
    exponential = [delong(rng.exponential(1, m), rng.exponential(1 / rate, n)) for _ in range(600)]
    for intervals in (normal, exponential):
        assert sum(i.low <= area <= i.high for i in intervals) >= 0.93 * 600


def literal_tpr(positive, negative, fpr) -> float:
    """The best share of positives over all thresholds at a negative whose false-positive rate is low enough."""
    allowed = floor(fpr * len(negative) + 1e-9)
    fine = [t for t in negative if sum(q > t for q in negative) <= allowed]
    return max(sum(p > t for p in positive) for t in fine) / len(positive)


LARGE = st.lists(st.one_of(st.integers(0, 4).map(float), st.floats(0, 4)), min_size=30, max_size=80)


@settings(deadline=None)
@given(SCORES, LARGE, st.sampled_from([0.1, 0.2, 0.3, 1 / 3, 0.5]))
def test_tpr_takes_the_exact_quantile(positive, negative, fpr):
    value, low, high = tpr_at_fpr(positive, negative, fpr=fpr)
    assert value == literal_tpr(positive, negative, fpr)
    assert 0 <= low <= value <= high <= 1
    assert low < high


@pytest.mark.parametrize("fpr", [0.001, 0.003, 0.01, 0.05, 0.1, 0.3])
def test_tpr_needs_three_times_the_inverse_rate(fpr):
    enough = ceil(round(3 / fpr, 6))
    assert tpr_at_fpr([1.0], np.zeros(enough), fpr=fpr) is not None
    assert tpr_at_fpr([1.0], np.zeros(enough - 1), fpr=fpr) is None


def test_a_constant_scorer_finds_nothing():
    value, low, high = tpr_at_fpr([0.5] * 50, [0.5] * 100, fpr=0.05)
    assert (value, low) == (0, 0)
    assert 0 < high < 0.1


def test_scaling_the_scores_changes_nothing():
    rng = np.random.default_rng(1)
    positive, negative = rng.normal(1, 1, 60), rng.normal(0, 1, 400)
    assert tpr_at_fpr(100 * positive, 100 * negative, fpr=0.01) == tpr_at_fpr(positive, negative, fpr=0.01)


def test_a_perfect_scorer_has_a_lower_bound_only_where_the_threshold_is_bounded():
    perfect = [2.0] * 100
    assert tpr_at_fpr(perfect, np.linspace(0, 1, 60), fpr=0.05).low == 0
    assert tpr_at_fpr(perfect, np.linspace(0, 1, 80), fpr=0.05) == wilson(100, 100)


def test_tpr_joins_the_errors_of_share_and_threshold():
    """Zou and Donner's rule, with the ranks of the threshold's exact interval found by counting."""
    rng = np.random.default_rng(2)
    positive, negative = rng.normal(1.5, 1, 80), rng.normal(0, 1, 500)
    ranked = np.sort(negative)[::-1]
    strict = max(j for j in range(1, 500) if binom.cdf(j - 1, 500, 0.02) <= 0.025)
    lax = min(j for j in range(1, 500) if binom.sf(j - 1, 500, 0.02) <= 0.025)
    share = wilson(int((positive > ranked[10]).sum()), 80)
    low = share.value - hypot(share.value - share.low, share.value - (positive > ranked[strict - 1]).mean())
    high = share.value + hypot(share.high - share.value, (positive > ranked[lax - 1]).mean() - share.value)
    assert tpr_at_fpr(positive, negative, fpr=0.02) == pytest.approx((share.value, max(low, 0), min(high, 1)))


@pytest.mark.slow
@pytest.mark.parametrize(("m", "n", "fpr"), [(50, 60, 0.05), (300, 1000, 0.01), (1000, 1000, 0.05)])
@pytest.mark.parametrize("shift", [0.0, 1.0, 2.5])
def test_tpr_covers_the_true_rate(m, n, fpr, shift):
    rng = np.random.default_rng(3)
    true = ndtr(shift - ndtri(1 - fpr))
    intervals = [tpr_at_fpr(rng.normal(shift, 1, m), rng.normal(0, 1, n), fpr=fpr) for _ in range(600)]
    assert sum(i.low <= true <= i.high for i in intervals) >= 0.93 * 600


@pytest.mark.parametrize("statistic", [auc, delong, lambda a, b: tpr_at_fpr(a, b, fpr=0.5)])
@pytest.mark.parametrize(
    ("positive", "negative", "message"),
    [
        ([], [1.0], "positive must be a list of at least one number"),
        ([1.0], [], "negative must be a list of at least one number"),
        ([float("nan")], [1.0], "positive holds a value that is not finite"),
        ([1.0], [float("inf")], "negative holds a value that is not finite"),
        ([[1.0]], [1.0], "positive must be a list"),
    ],
)
def test_bad_scores_are_a_clear_error(statistic, positive, negative, message):
    with pytest.raises(ValueError, match=message):
        statistic(positive, negative)


@pytest.mark.parametrize("fpr", [0.0, 1.0, -0.1, float("nan")])
def test_a_false_positive_rate_is_between_0_and_1(fpr):
    with pytest.raises(ValueError, match="fpr must lie strictly between 0 and 1"):
        tpr_at_fpr([1.0], [0.0], fpr=fpr)
