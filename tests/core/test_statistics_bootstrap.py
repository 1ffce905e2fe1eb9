"""The cluster bootstrap, against enumeration of all resamples and textbook standard errors."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, t

from guardrails.core.statistics import auc, bootstrap, cluster_bootstrap, wilson

RNG = np.random.default_rng


def grouped(seed: int, groups: int, size: int, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = RNG(seed)
    codes = np.repeat(np.arange(groups), size)
    return rng.normal(0, spread, groups)[codes] + rng.normal(0, 1, groups * size), codes


@st.composite
def samples(draw: st.DrawFn, values: st.SearchStrategy[float]) -> tuple[list[float], list[int]]:
    clusters = draw(st.lists(st.integers(0, 5), min_size=2, max_size=30).filter(lambda c: len(set(c)) > 1))
    return draw(st.lists(values, min_size=len(clusters), max_size=len(clusters))), clusters


@settings(deadline=None)
@given(samples(st.floats(-1e3, 1e3)), st.floats(0.5, 0.99), st.integers(0, 9))
def test_holds_its_value(sample, confidence, seed):
    values, clusters = sample
    got = cluster_bootstrap(values, clusters, confidence=confidence, resamples=50, seed=seed)
    assert got.value == pytest.approx(np.mean(values))
    assert got.low <= got.value <= got.high


@settings(deadline=None)
@given(samples(st.integers(0, 1).map(float)), st.floats(0.5, 0.99))
def test_a_rate_stays_in_range_and_is_never_of_width_zero(sample, confidence):
    values, clusters = sample
    got = cluster_bootstrap(values, clusters, confidence=confidence, resamples=50)
    independent = wilson(int(sum(values)), len(values), confidence=confidence)
    assert 0 <= got.low <= independent.low + 1e-12
    assert independent.high - 1e-12 <= got.high <= 1


@pytest.mark.parametrize("groups", [2, 10, 100])
def test_nothing_seen_is_bounded_by_the_number_of_clusters(groups):
    clusters = np.repeat(np.arange(groups), 10)
    nothing, everything = (cluster_bootstrap(np.full(groups * 10, v), clusters) for v in (0, 1))
    assert nothing == wilson(0, groups)
    assert everything == pytest.approx(wilson(groups, groups))
    half = cluster_bootstrap(np.full(groups * 10, 0.5), clusters)
    assert half.low == pytest.approx(0.5 - wilson(0, groups).high / 2)
    assert half.high == pytest.approx(0.5 + wilson(0, groups).high / 2)


@settings(deadline=None)
@given(samples(st.floats(2, 1e3)), st.integers(0, 9))
def test_the_mean_without_a_loop_is_the_mean_with_one(sample, seed):
    """Values above 1: there the mean is no rate, and both are the bare bootstrap."""
    values, clusters = sample
    fast = cluster_bootstrap(values, clusters, resamples=40, seed=seed)
    slow = cluster_bootstrap(values, clusters, statistic=lambda x: float(x.mean()), resamples=40, seed=seed)
    assert fast == pytest.approx(slow)


def test_the_replicates_are_those_of_all_resamples():
    values, codes = np.array([3.0, 5.0, 9.0, 2.0, 2.0, 7.0, 4.0]), np.array([0, 0, 1, 2, 2, 2, 3])
    pools = [values[codes == c] for c in range(4)]
    every = np.sort([np.concatenate([pools[i] for i in drawn]).mean() for drawn in product(range(4), repeat=4)])
    drawn = bootstrap._mean_replicates(values, codes, 4, bootstrap._draws(4, 40_000, RNG(0)))
    grid = every + 1e-9
    exact = np.searchsorted(every, grid, "right") / every.size
    seen = np.searchsorted(np.sort(drawn), grid, "right") / drawn.size
    assert np.abs(exact - seen).max() < 1.95 / 200  # Kolmogorov's bound at .001 for 40 000 draws
    assert np.isin(drawn.round(9), every.round(9)).all()


@pytest.mark.parametrize("groups", [50, 400])
def test_many_clusters_give_the_textbook_interval(groups):
    values, codes = grouped(1, groups, 8)
    means = values.reshape(groups, 8).mean(axis=1)
    half = norm.ppf(0.975) * means.std(ddof=1) / groups**0.5
    got = cluster_bootstrap(values, codes, resamples=20_000)
    assert (got.high - got.low) / 2 == pytest.approx(half, rel=0.06)


def test_few_clusters_widen_the_interval_as_students_t_does():
    widths, textbook = [], []
    for seed in range(40):
        values, codes = grouped(seed, 8, 5)
        means = values.reshape(8, 5).mean(axis=1)
        got = cluster_bootstrap(values, codes)
        widths.append(got.high - got.low)
        textbook.append(2 * t.ppf(0.975, 7) * means.std(ddof=1) / 8**0.5)
    assert np.mean(widths) == pytest.approx(np.mean(textbook), rel=0.1)


def test_clusters_widen_what_independent_items_would_not():
    values, codes = grouped(2, 30, 20, spread=2.0)
    clustered, independent = cluster_bootstrap(values, codes), cluster_bootstrap(values, np.arange(600))
    assert clustered.high - clustered.low > 2 * (independent.high - independent.low)


@pytest.mark.slow
@pytest.mark.parametrize("groups", [10, 20, 50])
def test_covers_the_true_mean(groups):
    got = [cluster_bootstrap(*grouped(seed, groups, 10), resamples=1000) for seed in range(400)]
    assert sum(i.low <= 0 <= i.high for i in got) >= 0.92 * 400


def test_labels_and_order_do_not_matter():
    values, codes = grouped(3, 12, 4)
    named = np.array([f"prompt {chr(97 + c)}" for c in codes])
    order = RNG(4).permutation(codes.size)
    expected = cluster_bootstrap(values, codes)
    assert cluster_bootstrap(values, named) == expected
    assert cluster_bootstrap(values, list(named)) == expected
    assert cluster_bootstrap(values[order], named[order]) == pytest.approx(expected)


def test_one_seed_one_interval():
    values, codes = grouped(5, 9, 4)
    assert cluster_bootstrap(values, codes, seed=1) == cluster_bootstrap(values, codes, seed=1)
    assert cluster_bootstrap(values, codes, seed=1) != cluster_bootstrap(values, codes, seed=2)


def test_memory_is_bounded_and_blocks_change_nothing(monkeypatch):
    values, codes = grouped(6, 10, 3)
    whole = cluster_bootstrap(values, codes, resamples=500)
    monkeypatch.setattr(bootstrap, "_CELLS", 35)
    blocks = list(bootstrap._draws(10, 500, RNG(0)))
    assert {b.shape for b in blocks} == {(3, 10), (2, 10)}
    assert sum(len(b) for b in blocks) == 500
    assert all((b.sum(axis=1) == 10).all() for b in blocks)
    assert cluster_bootstrap(values, codes, resamples=500) == whole


def test_any_statistic_of_rows():
    rng = RNG(7)
    rows = np.column_stack([rng.normal(size=300), np.tile([0, 1], 150)])
    rows[:, 0] += rows[:, 1]

    def area(sample: np.ndarray) -> float:
        return auc(sample[sample[:, 1] == 1, 0], sample[sample[:, 1] == 0, 0])

    got = cluster_bootstrap(rows, np.repeat(np.arange(30), 10), statistic=area, resamples=300)
    assert got.value == area(rows)
    assert 0.6 < got.low < got.value < got.high < 0.9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cluster_bootstrap([1, 2], [0, 0]), "at least two clusters, got 1"),
        (lambda: cluster_bootstrap([], []), "at least two clusters, got 0"),
        (lambda: cluster_bootstrap([1, 2, 3], [0, 1]), "each value needs one cluster"),
        (lambda: cluster_bootstrap(1.0, [0]), "each value needs one cluster"),
        (lambda: cluster_bootstrap([1, float("nan")], [0, 1]), "not finite; drop it"),
        (lambda: cluster_bootstrap([1, 2], [0, 1], resamples=0), "resamples must be at least 1"),
        (lambda: cluster_bootstrap([1, 2], [0, 1], confidence=1), "confidence must lie strictly between"),
        (lambda: cluster_bootstrap([[1, 2], [3, 4]], [0, 1]), "the mean needs one value per item"),
        (lambda: cluster_bootstrap([1, 2], [0, 1], statistic=lambda x: float("nan")), "not finite on the items or on"),
    ],
)
def test_a_wrong_argument_is_a_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()
