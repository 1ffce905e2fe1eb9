"""Planning, against brute force over the exact binomial distribution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from guardrails.core.statistics import clopper_pearson, max_alarms, needed_n, smallest_detectable_rate

CONFIDENCE = st.sampled_from([0.8, 0.9, 0.95, 0.99])
POWER = st.sampled_from([0.3, 0.5, 0.8, 0.95])


def power_above(n: int, rate: float, limit: float, confidence: float) -> float:
    """P(the exact interval lies wholly above the limit), by looking at the interval of every k."""
    told = [k for k in range(n + 1) if clopper_pearson(k, n, confidence=confidence).low > limit]
    return float(binom.pmf(told, n, rate).sum())


def power_below(n: int, rate: float, limit: float, confidence: float) -> float:
    told = [k for k in range(n + 1) if clopper_pearson(k, n, confidence=confidence).high < limit]
    return float(binom.pmf(told, n, rate).sum())


@settings(deadline=None)
@given(st.integers(1, 80), st.one_of(st.just(0.0), st.floats(0.001, 0.95)), CONFIDENCE, POWER)
def test_the_smallest_detectable_rate_has_exactly_the_power(n, baseline, confidence, power):
    rate = smallest_detectable_rate(n, baseline=baseline, confidence=confidence, power=power)
    if rate is None:
        assert power_above(n, 1.0, baseline, confidence) == 0
        return
    assert baseline < rate <= 1
    assert power_above(n, rate, baseline, confidence) == pytest.approx(power, abs=1e-6)
    assert power_above(n, rate * 0.99, baseline, confidence) < power


@given(st.integers(1, 10_000))
def test_from_nothing_one_hit_is_enough(n):
    """With a baseline of 0 one hit tells: 1 − (1 − p)ⁿ = .8."""
    assert smallest_detectable_rate(n, baseline=0) == pytest.approx(1 - 0.2 ** (1 / n))


def test_what_cannot_be_told():
    assert smallest_detectable_rate(5, baseline=0.5) is None  # 5 of 5 has p = .031, more than .025
    assert smallest_detectable_rate(6, baseline=0.5) is not None
    assert smallest_detectable_rate(100, baseline=1.0) is None


def test_more_samples_detect_less():
    rates = [smallest_detectable_rate(n, baseline=0.05) for n in (10, 30, 100, 1000, 100_000)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0.05 + 2.80 * (0.05 * 0.95 / 100_000) ** 0.5, rel=1e-2)


def first_enough(rate: float, limit: float, confidence: float, power: float, most: int) -> int | None:
    exact = power_above if rate > limit else power_below
    return next((n for n in range(1, most + 1) if exact(n, rate, limit, confidence) >= power), None)


def no_tie(rate: float, limit: float, confidence: float, most: int) -> bool:
    """Whether no tail of the binomial is as large as the level to the last digits: there, rounding decides."""
    q = limit if rate > limit else 1 - limit
    n, level = np.arange(1, most + 1), (1 - confidence) / 2
    return bool(np.array_equal(binom.isf(level * (1 - 1e-9), n, q), binom.isf(level * (1 + 1e-9), n, q)))


@settings(deadline=None, max_examples=40)
@given(
    st.one_of(st.floats(1e-12, 1), st.sampled_from([0.0, 0.01, 0.99, 1.0])),  # smaller ones overflow in the oracle
    st.one_of(st.floats(1e-12, 1), st.sampled_from([0.0, 0.05, 0.5, 1.0])),
    CONFIDENCE,
    POWER,
)
def test_needed_n_is_the_first_with_the_power(rate, limit, confidence, power):
    got = needed_n(rate, limit=limit, confidence=confidence, power=power)
    if rate == limit:
        assert got is None
        return
    most = min(got or 60, 60)
    assume(no_tie(rate, limit, confidence, most))
    assert first_enough(rate, limit, confidence, power, most) == (got if got and got <= 60 else None)


@settings(deadline=None, max_examples=60)
@given(st.floats(0.001, 0.999), st.floats(0.001, 0.999), CONFIDENCE, POWER)
def test_needed_n_is_the_first_with_the_power_at_larger_n(rate, limit, confidence, power):
    """As above, by critical counts instead of intervals, which is quick enough for n up to 1500."""
    got = needed_n(rate, limit=limit, confidence=confidence, power=power)
    assume(no_tie(rate, limit, confidence, min(got or 1500, 1500)))
    p, q = (rate, limit) if rate > limit else (1 - rate, 1 - limit)
    n = np.arange(1, min(got or 1500, 1500) + 1)
    critical = binom.isf((1 - confidence) / 2, n, q)  # more than this many hits tell the rate
    enough = n[(critical < n) & (binom.sf(critical, n, p) >= power)]
    expected = int(enough[0]) if enough.size else None
    assert expected == (got if got is not None and got <= 1500 else None)


@pytest.mark.parametrize(("rate", "limit"), [(0.05, 0.051), (0.9, 0.91), (0.02, 0.0203), (0.9999, 0.9998), (0.0, 1e-6)])
def test_needed_n_of_a_near_limit_has_the_power_at_the_first_n(rate, limit):
    n = needed_n(rate, limit=limit)
    p, q = (rate, limit) if rate > limit else (1 - rate, 1 - limit)

    def exact(n: int) -> float:
        return float(binom.sf(binom.isf(0.025, n, q), n, p))

    assert exact(n) >= 0.8 - 1e-9
    assert max(map(exact, range(n - 20, n))) < 0.8


@pytest.mark.parametrize(("rate", "limit"), [(0.5, 0.5), (0.5, 0.50001), (1e-12, 0.0), (1e-9, 1e-12)])
def test_what_no_audit_could_tell_needs_no_number(rate, limit):
    assert needed_n(rate, limit=limit) is None


def test_the_rule_for_two_hundred_null_runs():
    assert max_alarms(200, rate=0.05) == 18
    assert binom.sf(18, 200, 0.05) <= 0.01 < binom.sf(17, 200, 0.05)


@given(st.integers(1, 2000), st.one_of(st.floats(0, 1), st.just(0.05)), st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.999]))
def test_max_alarms_is_the_binomial_quantile(runs, rate, confidence):
    got = max_alarms(runs, rate=rate, confidence=confidence)
    assert binom.cdf(got, runs, rate) >= confidence - 1e-12
    assert got == 0 or binom.cdf(got - 1, runs, rate) <= confidence + 1e-12


def test_what_max_alarms_would_miss_is_said_by_the_detectable_rate():
    rate = smallest_detectable_rate(200, baseline=0.05, confidence=0.98)
    assert binom.sf(max_alarms(200), 200, rate) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: smallest_detectable_rate(0, baseline=0.1), "n must be at least 1"),
        (lambda: smallest_detectable_rate(5, baseline=1.1), r"baseline must lie in \[0, 1\]"),
        (lambda: smallest_detectable_rate(5, baseline=0.1, power=1.0), "power must lie strictly between"),
        (lambda: smallest_detectable_rate(5, baseline=0.1, confidence=0), "confidence must lie strictly between"),
        (lambda: needed_n(-0.1, limit=0.1), "rate must lie in"),
        (lambda: needed_n(0.1, limit=float("nan")), "limit must lie in"),
        (lambda: needed_n(0.1, limit=0.2, power=0), "power must lie strictly between"),
        (lambda: max_alarms(0), "runs must be at least 1"),
        (lambda: max_alarms(10, rate=2), "rate must lie in"),
        (lambda: max_alarms(10, confidence=1), "confidence must lie strictly between"),
    ],
)
def test_a_wrong_argument_is_a_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()
