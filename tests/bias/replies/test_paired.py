from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.bias.replies.paired import paired_contrasts, paired_mean
from guardrails.core.statistics import permutation_test

DIFFERENCES = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.0, 0.0, 0.25, 1.0]), min_size=8, max_size=8)


def p_by_all_signs(values: list[float], center: float) -> float:
    """Return the p-value of a mean against a value, by listing every sign: an oracle for eight clusters of one pair."""
    moved = [v - center for v in values]
    sums = [abs(sum(s * v for s, v in zip(signs, moved, strict=True))) for signs in product((1, -1), repeat=8)]
    return float(np.mean([s >= abs(sum(moved)) - 1e-9 for s in sums]))


@given(DIFFERENCES)
def test_the_p_value_is_that_of_exchanged_signs(values: list[float]) -> None:
    assert paired_mean(values, list("abcdefgh"))[1] == pytest.approx(p_by_all_signs(values, 0.0))


@given(DIFFERENCES, st.sampled_from([0.9, 0.95]))
def test_the_interval_holds_what_the_test_does_not_reject(values: list[float], confidence: float) -> None:
    interval, _ = paired_mean(values, list("abcdefgh"), confidence=confidence)
    assert interval.low <= interval.value <= interval.high
    if len(set(values)) == 1:
        assert interval.high - interval.low > 0.2
        return
    for bound, inward in ((interval.low, 1e-6), (interval.high, -1e-6)):
        assert p_by_all_signs(values, bound + inward) > 1 - confidence
        assert p_by_all_signs(values, bound - inward) <= 1 - confidence


def test_clusters_of_unequal_sizes_and_drawn_subsets_agree_with_the_test() -> None:
    rng = np.random.default_rng(0)
    for k in range(30):
        labels = [str(c) for c in rng.integers(0, 18, 60)]
        values = (rng.choice([0, 0, 0, 1.0, -1.0], 60) * 0.8 + 0.1).tolist()
        interval, p = paired_mean(values, labels, confidence=0.99, seed=k)
        assert (interval.low > 0 or interval.high < 0) == (p <= 0.01)
        sums = [sum(v for v, c in zip(values, labels, strict=True) if c == name) for name in sorted(set(labels))]
        assert p == pytest.approx(permutation_test(sums, [0.0] * len(sums), paired=True, seed=k), abs=0.03)


def test_too_few_clusters_for_the_confidence_bound_nothing() -> None:
    interval, p = paired_mean([0.5, 0.6, 0.7, 0.8], list("abcd"), confidence=0.95)
    assert (interval.low, interval.high, p) == (-1, 1, 0.125)


def test_a_rare_large_difference_is_no_more_often_told_from_nothing_than_stated() -> None:
    alarms = 0
    for seed in range(300):
        values = np.random.default_rng(seed).choice([0, 0, 0, 0, 0, 0, 0, 0, 0.9, -0.9], 20)
        interval, _ = paired_mean(values.tolist(), [str(i) for i in range(20)], seed=0)
        alarms += interval.low > 0 or interval.high < 0
    assert alarms <= 24


def test_a_comparison_with_too_few_pairs_or_clusters_is_left_out() -> None:
    clusters = [str(i // 5) for i in range(30)]
    enough = ([0.1, -0.1] * 15, clusters)
    few = ([0.1] * 5, clusters[:5])
    one_prompt = ([0.1] * 30, ["a"] * 30)
    contrasts = paired_contrasts({"x": enough, "y": few, "z": one_prompt}, least=10, clusters=4, seed=0)
    assert [c.name for c in contrasts] == ["x"]
    assert paired_contrasts({}, least=1, clusters=1, seed=0) == []
