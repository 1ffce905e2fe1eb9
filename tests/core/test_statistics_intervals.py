"""Rates and their differences, against scipy, the published tables and exact enumeration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, norm

from guardrails.core.statistics import Interval, clopper_pearson, newcombe, wilson, worst_case
from guardrails.core.statistics.intervals import score_interval

CONFIDENCE = st.floats(0.5, 0.999)


@st.composite
def counts(draw: st.DrawFn, most: int = 500) -> tuple[int, int]:
    n = draw(st.integers(1, most))
    return draw(st.integers(0, n)), n


@settings(deadline=None)
@given(counts(), CONFIDENCE)
@pytest.mark.parametrize(("interval", "method"), [(wilson, "wilson"), (clopper_pearson, "exact")])
def test_agrees_with_scipy(interval, method, kn, confidence):
    k, n = kn
    expected = binomtest(k, n).proportion_ci(confidence_level=confidence, method=method)
    got = interval(k, n, confidence=confidence)
    assert got.value == k / n
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high), abs=1e-11)


@settings(deadline=None)
@given(counts(most=10**9), CONFIDENCE)
@pytest.mark.parametrize("interval", [wilson, clopper_pearson])
def test_holds_its_value_and_has_a_width(interval, kn, confidence):
    low_to_high = interval(*kn, confidence=confidence)
    assert isinstance(low_to_high, Interval)
    assert 0 <= low_to_high.low <= low_to_high.value <= low_to_high.high <= 1
    assert low_to_high.low < low_to_high.high


@pytest.mark.parametrize("interval", [wilson, clopper_pearson])
@pytest.mark.parametrize("n", [1, 7, 10_000])
def test_at_the_ends_one_bound_is_exact_and_the_other_is_not(interval, n):
    nothing, everything = interval(0, n), interval(n, n)
    assert nothing.low == 0 < nothing.high < 1
    assert 0 < everything.low < 1 == everything.high
    assert everything.low == pytest.approx(1 - nothing.high)


@settings(deadline=None)
@given(counts(), CONFIDENCE)
@pytest.mark.parametrize("interval", [wilson, clopper_pearson])
def test_counting_misses_mirrors_the_interval(interval, kn, confidence):
    k, n = kn
    hits, misses = interval(k, n, confidence=confidence), interval(n - k, n, confidence=confidence)
    assert (1 - misses.high, 1 - misses.low) == pytest.approx((hits.low, hits.high), abs=1e-11)


def coverage(interval, n: int, rates: np.ndarray, confidence: float) -> np.ndarray:
    """The exact coverage at each rate: the probability of the k whose interval holds it."""
    bounds = np.array([interval(k, n, confidence=confidence)[1:] for k in range(n + 1)])
    holds = (bounds[:, :1] <= rates) & (rates <= bounds[:, 1:])
    return (holds * binom.pmf(np.arange(n + 1)[:, None], n, rates)).sum(axis=0)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("n", [1, 2, 3, 5, 10, 20, 40])
def test_clopper_pearson_never_covers_less_than_promised(n, confidence):
    assert coverage(clopper_pearson, n, np.linspace(0, 1, 501), confidence).min() >= confidence - 1e-12


@pytest.mark.parametrize("n", [5, 10, 20, 40])
def test_wilson_covers_what_it_promises_on_average(n):
    covered = coverage(wilson, n, np.linspace(0, 1, 1001), 0.95)
    assert 0.945 < covered.mean() < 0.97
    assert covered.min() > 0.83  # the dip that Brown, Cai and DasGupta (2001) show near 0 and 1


@settings(deadline=None)
@given(st.floats(0.001, 0.999), st.floats(0.5, 1000), CONFIDENCE)
def test_score_interval_solves_the_score_equation(share, n, confidence):
    z = norm.ppf((1 + confidence) / 2)
    got = score_interval(share, n, confidence=confidence)
    for bound in (got.low, got.high):
        assert abs(share - bound) == pytest.approx(z * (bound * (1 - bound) / n) ** 0.5, abs=1e-9)


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0000),
        ((10, 10, 0, 10), 0.6075, 1.0000),
    ],
)
def test_newcombe_gives_the_published_table(table, low, high):
    """Newcombe (1998), Table II, method 10."""
    assert newcombe(*table)[1:] == pytest.approx((low, high), abs=5e-5)


@settings(deadline=None)
@given(counts(60), counts(60), CONFIDENCE)
def test_newcombe_squares_and_adds_the_roots_of_the_score_equations(first, second, confidence):
    z = norm.ppf((1 + confidence) / 2)

    def bounds(k: int, n: int) -> tuple[float, float]:
        low, high = np.sort(np.roots([1 + z * z / n, -2 * k / n - z * z / n, (k / n) ** 2]).real)
        return low, high

    (l1, u1), (l2, u2) = bounds(*first), bounds(*second)
    p1, p2 = first[0] / first[1], second[0] / second[1]
    got = newcombe(*first, *second, confidence=confidence)
    assert got.value == p1 - p2
    assert got.low == pytest.approx(p1 - p2 - ((p1 - l1) ** 2 + (u2 - p2) ** 2) ** 0.5, abs=1e-9)
    assert got.high == pytest.approx(p1 - p2 + ((u1 - p1) ** 2 + (p2 - l2) ** 2) ** 0.5, abs=1e-9)


@settings(deadline=None)
@given(counts(), counts(), CONFIDENCE)
def test_newcombe_is_antisymmetric_and_bounded(first, second, confidence):
    there, back = newcombe(*first, *second, confidence=confidence), newcombe(*second, *first, confidence=confidence)
    assert -1 <= there.low <= there.value <= there.high <= 1
    assert there.low < there.high
    assert (-back.high, -back.low) == pytest.approx((there.low, there.high), abs=1e-12)


@settings(deadline=None)
@given(counts(60), st.integers(0, 20), CONFIDENCE)
def test_worst_case_bounds_every_way_the_errors_may_have_gone(kn, errors, confidence):
    k, n = kn
    possible = [wilson(k + hidden, n + errors, confidence=confidence) for hidden in range(errors + 1)]
    got = worst_case(k, n, errors, confidence=confidence)
    assert got == (k / n, min(i.low for i in possible), max(i.high for i in possible))
    assert got.low <= got.value <= got.high


@given(counts())
def test_worst_case_without_errors_is_wilson(kn):
    assert worst_case(*kn, 0) == wilson(*kn)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson(0, 0), "at least one trial, got n = 0"),
        (lambda: clopper_pearson(0, 0), "at least one trial"),
        (lambda: newcombe(1, 2, 0, 0), "at least one trial"),
        (lambda: worst_case(0, 0, 5), "at least one trial"),
        (lambda: worst_case(0, 1, -1), "errors must not be negative"),
        (lambda: wilson(3, 2), "3 of 2 is not a count"),
        (lambda: wilson(-1, 2), "-1 of 2 is not a count"),
        (lambda: wilson(1, 2, confidence=1.0), "confidence must lie strictly between 0 and 1"),
        (lambda: wilson(1, 2, confidence=float("nan")), "confidence must lie strictly between 0 and 1"),
        (lambda: clopper_pearson(1, 2, confidence=95), "confidence must lie strictly between 0 and 1"),
    ],
)
def test_a_wrong_argument_is_a_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_count_is_an_integer_of_any_library():
    assert wilson(np.int64(3), np.int32(9)) == wilson(3, 9)
    with pytest.raises(TypeError):
        wilson(0.5, 2)  # type: ignore[arg-type]
