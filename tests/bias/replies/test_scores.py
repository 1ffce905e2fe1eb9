from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.bias.replies.logistic import exchanged_p, jackknifed, log_odds_ratio
from guardrails.bias.replies.scores import (
    Contrast,
    detectable,
    flipped_p,
    flipped_size,
    largest,
    largest_size,
    signed_mean,
    size_of,
)
from guardrails.core.statistics import Interval

CLUSTERS = [str(i // 5) for i in range(50)]


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=50, max_size=50))
def test_a_signed_mean_has_a_width_and_lies_in_its_interval(values: list[float]) -> None:
    interval = signed_mean(values, CLUSTERS)
    assert interval.value == pytest.approx(np.mean(values), abs=1e-12)
    assert -1 <= interval.low <= interval.value <= interval.high <= 1
    assert interval.low < interval.high
    mirrored = signed_mean([-v for v in values], CLUSTERS)
    assert mirrored.value == pytest.approx(-interval.value, abs=1e-12)


def test_the_exact_test_enumerates_the_signs_of_the_clusters() -> None:
    values = [1, 1, 0, 1, -1, 1, 1, 1, 0, 1]
    clusters = ["a", "a", "b", "b", "c", "c", "d", "d", "e", "e"]
    totals = [2, 1, 0, 2, 1]
    observed = abs(sum(totals))
    sizes = [abs(sum(s * t for s, t in zip(signs, totals, strict=True))) for signs in product((1, -1), repeat=5)]
    expected = sum(size >= observed for size in sizes) / len(sizes)
    assert flipped_p(values, clusters, seed=0) == pytest.approx(expected)


def test_the_null_of_a_size_is_that_of_random_signs() -> None:
    values = np.random.default_rng(0).choice([-1.0, 0.0, 1.0], 500)
    null = flipped_size(values.tolist(), [str(i) for i in range(500)], what="w", seed=0)
    scale = np.sqrt((values**2).sum()) / 500
    assert null.value == pytest.approx(scale * np.sqrt(2 / np.pi), rel=0.05)
    assert null.high == pytest.approx(1.96 * scale, rel=0.07)


def test_the_size_of_the_largest_holds_where_all_intervals_hold() -> None:
    contrasts = [
        Contrast("a", Interval(0.1, -0.3, 0.5), 0.5, 10, 0.1),
        Contrast("b", Interval(-0.3, -0.4, -0.2), 0.01, 10, 0.1),
    ]
    assert largest_size(contrasts) == Interval(0.3, 0.2, 0.5)
    assert largest(contrasts).name == "b"
    assert size_of(Interval(-0.3, -0.4, -0.2)) == Interval(0.3, 0.2, 0.4)


@pytest.mark.slow
def test_the_detectable_size_is_told_four_times_in_five() -> None:
    rng, n = np.random.default_rng(1), 400
    clusters = [str(i) for i in range(n)]
    size = detectable(signed_mean(rng.choice([-1.0, 1.0], n).tolist(), clusters))
    told = [
        signed_mean(rng.choice([-1.0, 1.0], n, p=[(1 - size) / 2, (1 + size) / 2]).tolist(), clusters, seed=i).low > 0
        for i in range(60)
    ]
    assert 0.62 <= np.mean(told) <= 0.95


def counts(rng: np.random.Generator, shift: float, n: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    level = rng.normal(0, 1, 36)
    p = 1 / (1 + np.exp(-(level[:, None] + np.array([0.0, shift]))))
    total = np.full((36, 2), float(n))
    return rng.binomial(n, p).astype(float), total, np.repeat(np.arange(12), 3)


def test_the_log_odds_ratio_agrees_with_an_unpenalised_fit_where_answers_are_many() -> None:
    from sklearn.linear_model import LogisticRegression

    yes, total, _ = counts(np.random.default_rng(0), -0.8, 200)
    design = np.vstack([np.r_[np.eye(36)[i], g] for i in range(36) for g in (0, 1) for _ in (0, 1)])
    label = np.tile([1, 0], 72)
    weight = np.stack([yes, total - yes], axis=-1).ravel()
    oracle = LogisticRegression(C=1e6, fit_intercept=False, tol=1e-10, max_iter=5000).fit(design, label, weight)
    assert log_odds_ratio(yes, total) == pytest.approx(oracle.coef_[0, -1], abs=0.01)


def test_one_prompt_has_the_log_odds_ratio_with_half_an_answer_in_each_cell() -> None:
    yes, total = np.array([[7.0, 2.0]]), np.array([[10.0, 10.0]])
    expected = np.log((2.5 / 8.5) / (7.5 / 3.5))
    assert log_odds_ratio(yes, total) == pytest.approx(expected, abs=1e-6)


def test_its_interval_covers_a_known_shift() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(60):
        yes, total, cases = counts(rng, -0.8)
        interval = jackknifed(yes, total, cases, confidence=0.95)
        covered += interval.low <= -0.8 <= interval.high
    assert covered >= 53


def test_answers_that_are_all_alike_leave_doubt() -> None:
    total = np.full((12, 2), 3.0)
    interval = jackknifed(total, total, np.arange(12), confidence=0.95)
    assert interval.value == pytest.approx(0, abs=1e-6)
    assert interval.low < -0.5 < 0.5 < interval.high


def test_the_exchange_of_labels_is_uniform_without_a_difference() -> None:
    rng = np.random.default_rng(3)
    values = [exchanged_p(*counts(rng, 0.0)[:2], seed=i, resamples=200) for i in range(100)]
    assert sum(p <= 0.05 for p in values) <= 12
    assert exchanged_p(*counts(rng, -1.0)[:2], seed=0) < 0.001
