"""Exact and permutation tests, against scipy and literal enumeration."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from guardrails.core.statistics import holm, mcnemar, permutation_test, sign_test, simultaneous, testing

COUNT = st.integers(0, 300)
NUMBERS = st.lists(st.one_of(st.integers(-3, 3).map(float), st.floats(-100, 100)), min_size=1, max_size=6)


@settings(deadline=None)
@given(COUNT, COUNT)
@pytest.mark.parametrize("test", [sign_test, mcnemar])
def test_agrees_with_the_exact_binomial_test(test, wins, losses):
    expected = stats.binomtest(wins, wins + losses, 0.5).pvalue if wins + losses else 1.0
    assert test(wins, losses) == pytest.approx(expected, rel=1e-9)
    assert test(wins, losses) == test(losses, wins)
    assert 0 < test(wins, losses) <= 1


@pytest.mark.parametrize(("test", "name"), [(sign_test, "wins"), (mcnemar, "b")])
def test_a_negative_count_is_named(test, name):
    with pytest.raises(ValueError, match=f"^{name} must not be negative, got -1"):
        test(-1, 3)


def enumerated(a: list[float], b: list[float]) -> float:
    """The share of all relabellings whose means differ at least as much as those observed."""
    pool, size = np.array(a + b), len(a)

    def difference(chosen: tuple[int, ...]) -> float:
        left = np.isin(np.arange(pool.size), chosen)
        return abs(pool[left].mean() - pool[~left].mean())

    all_of_them = [difference(chosen) for chosen in combinations(range(pool.size), size)]
    return float(np.mean(np.array(all_of_them) >= difference(tuple(range(size))) - 1e-9))


def enumerated_pairs(a: list[float], b: list[float]) -> float:
    differences = np.array(a) - np.array(b)
    means = [abs(np.mean(differences * signs)) for signs in product((1, -1), repeat=differences.size)]
    return float(np.mean(np.array(means) >= abs(differences.mean()) - 1e-9))


# Multiples of 1/64: sums are exact, so that what ties is not a matter of rounding.
EXACT = st.lists(st.integers(-500, 500).map(lambda i: i / 64), min_size=1, max_size=6)


@settings(deadline=None)
@given(EXACT, EXACT)
def test_small_samples_are_enumerated(a, b):
    assert permutation_test(a, b) == pytest.approx(enumerated(a, b), abs=1e-12)


@settings(deadline=None)
@given(st.integers(1, 8).flatmap(lambda n: st.tuples(*[st.lists(st.integers(-9, 9), min_size=n, max_size=n)] * 2)))
def test_small_pairs_are_enumerated(pair):
    a, b = pair
    assert permutation_test(a, b, paired=True) == pytest.approx(enumerated_pairs(a, b), abs=1e-12)


@settings(deadline=None)
@given(NUMBERS, NUMBERS)
def test_exchanging_the_samples_or_shifting_both_changes_nothing(a, b):
    assert permutation_test(a, b) == permutation_test(b, a)
    assert 0 < permutation_test(a, b) <= 1


def test_agrees_with_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.8, 1, 7), rng.normal(0, 1, 6)

    def distance(x, y, axis):
        return np.abs(np.mean(x, axis=axis) - np.mean(y, axis=axis))

    expected = stats.permutation_test((a, b), distance, alternative="greater", n_resamples=np.inf, vectorized=True)
    assert permutation_test(a, b) == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("paired", [False, True])
def test_a_drawn_p_value_is_near_the_exact_one(paired):
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.7, 1, 9), rng.normal(0, 1, 9)
    exact = permutation_test(a, b, paired=paired, resamples=100_000)
    # 400 of the 48620 or 512 arrangements: ten draws together have a standard error of about √(p(1 − p)/4000).
    drawn = np.mean([permutation_test(a, b, paired=paired, resamples=400, seed=s) for s in range(10)])
    assert drawn == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 4000) ** 0.5 + 1 / 400)


@pytest.mark.parametrize("paired", [False, True])
def test_a_drawn_p_value_is_never_zero_and_repeats(paired):
    a, b = np.arange(50) + 1000.0, np.arange(50) * 1.0
    assert permutation_test(a, b, paired=paired, resamples=99) == 0.01
    c = np.random.default_rng(2).normal(0, 30, 50)
    assert permutation_test(b, c, paired=paired, seed=5) == permutation_test(b, c, paired=paired, seed=5)


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("resamples", [50, 100_000])
def test_the_size_of_the_blocks_changes_nothing(monkeypatch, paired, resamples):
    rng = np.random.default_rng(3)
    a, b = rng.normal(0.5, 1, 9), rng.normal(0, 1, 9)
    whole = permutation_test(a, b, paired=paired, resamples=resamples)
    monkeypatch.setattr(testing, "_CELLS", 100)
    assert permutation_test(a, b, paired=paired, resamples=resamples) == whole


def test_a_null_rejects_at_its_level():
    rng = np.random.default_rng(4)
    p = [permutation_test(rng.normal(size=6), rng.normal(size=6)) for _ in range(400)]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.035)


def test_equal_samples_say_nothing():
    assert permutation_test([1, 1, 1], [1, 1]) == 1
    assert permutation_test([1, 2], [1, 2], paired=True) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: permutation_test([], [1]), "a must be a list of at least one number"),
        (lambda: permutation_test([1], [float("nan")]), "b holds a value that is not finite"),
        (lambda: permutation_test([1, 2], [1], paired=True), "pairs need samples of one length, got 2 and 1"),
        (lambda: permutation_test([1], [1], resamples=0), "resamples must be at least 1"),
        (lambda: holm([0.5, 1.5]), "each p-value must lie in"),
        (lambda: holm([float("nan")]), "each p-value must lie in"),
        (lambda: simultaneous(0.95, 0), "m must be at least 1"),
        (lambda: simultaneous(1.0, 2), "confidence must lie strictly between 0 and 1"),
    ],
)
def test_a_wrong_argument_is_a_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()


PVALUES = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.01, 0.02, 0.05, 1.0])), max_size=12)


@given(PVALUES, st.floats(0.001, 0.999))
def test_holm_rejects_what_the_literal_step_down_rejects(pvalues, alpha):
    rejected = set()
    for rank, i in enumerate(sorted(range(len(pvalues)), key=lambda i: pvalues[i])):
        if (len(pvalues) - rank) * pvalues[i] > alpha:
            break
        rejected.add(i)
    assert {i for i, p in enumerate(holm(pvalues)) if p <= alpha} == rejected


@given(PVALUES)
def test_holm_only_raises_p_values_and_keeps_their_order(pvalues):
    adjusted = holm(pvalues)
    assert all(raw <= a <= 1 for raw, a in zip(pvalues, adjusted, strict=True))
    assert all(
        adjusted[i] <= adjusted[j] for i, j in product(range(len(pvalues)), repeat=2) if pvalues[i] <= pvalues[j]
    )


def test_holm_keeps_the_order_given():
    assert holm([0.2, 0.001, 0.03]) == pytest.approx([0.2, 0.003, 0.06])
    assert holm([]) == []


@given(st.floats(0.5, 0.999), st.integers(1, 1000))
def test_simultaneous_shares_the_error(confidence, m):
    each = simultaneous(confidence, m)
    assert m * (1 - each) == pytest.approx(1 - confidence, rel=1e-6)
    assert (1 - (1 - each)) ** m >= confidence - 1e-9  # even were they independent
