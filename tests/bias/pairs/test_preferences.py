"""Shares of decided pairs: intervals, tests and baselines."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from guardrails.bias.pairs.preferences import Preference, preference, swapped, swapped_means
from guardrails.core.statistics import sign_test, smallest_detectable_rate, wilson


def test_independent_pairs_have_wilsons_interval_and_the_sign_test() -> None:
    told = preference([1] * 30 + [-1] * 10 + [0] * 7, [str(i) for i in range(47)])
    assert isinstance(told, Preference)
    assert told.interval == wilson(30, 40)
    assert (told.decided, told.ties) == (40, 7)
    assert told.p == sign_test(30, 10)
    assert told.detectable == smallest_detectable_rate(40, baseline=0.5)


def test_ties_change_nothing_but_their_own_count() -> None:
    without = preference([1, -1, 1, 1] * 10, [str(i) for i in range(40)])
    ties = preference([1, -1, 1, 1] * 10 + [0] * 60, [str(i) for i in range(100)])
    assert ties == without._replace(ties=60)


def test_pairs_of_one_template_are_one_observation() -> None:
    signs = [1] * 20 + [-1] * 20 + [1] * 40
    clusters = [str(i // 10) for i in range(80)]
    told = preference(signs, clusters)
    alone = preference(signs, [str(i) for i in range(80)])
    assert isinstance(told, Preference)
    assert isinstance(alone, Preference)
    assert told.interval.high - told.interval.low > 1.5 * (alone.interval.high - alone.interval.low)
    assert told.p > 5 * alone.p
    assert told.detectable is None or told.detectable > alone.detectable
    # Literally: exchange the two sides in each of the eight templates in all 256 ways.
    sums = [sum(signs[10 * k : 10 * k + 10]) for k in range(8)]
    extreme = [
        abs(sum(s * x for s, x in zip(flip, sums, strict=True))) >= sum(sums) for flip in product((1, -1), repeat=8)
    ]
    assert told.p == pytest.approx(np.mean(extreme))


@pytest.mark.parametrize(("signs", "clusters"), [([1] * 19, 19), ([0] * 500, 500), ([1, -1] * 50, 4), ([], 1)])
def test_too_few_decided_pairs_or_templates_give_a_reason(signs, clusters) -> None:
    told = preference(signs, [str(i % max(1, clusters)) for i in range(len(signs))])
    assert isinstance(told, str)
    assert "are needed" in told


@pytest.mark.slow
def test_the_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    inside = alarms = 0
    runs = 300
    for run in range(runs):
        lean = np.repeat(rng.beta(3, 3, size=25), 6)
        signs = np.where(rng.random(150) < lean, 1, -1)
        told = preference(signs.tolist(), [str(i // 6) for i in range(150)], seed=run)
        inside += told.interval.low <= 0.5 <= told.interval.high
        alarms += told.p <= 0.05
    assert inside / runs >= 0.92
    assert alarms / runs <= 0.09


def test_the_baseline_is_what_chance_gives() -> None:
    signs, clusters = [1] * 100, [str(i) for i in range(100)]
    null = swapped(signs, clusters, 0)
    assert null.value == 0.5
    assert null.low == pytest.approx(0.4, abs=0.02)
    assert null.high == pytest.approx(0.6, abs=0.02)
    means = swapped_means(np.ones(100), 0)
    assert means.low == pytest.approx(0.4, abs=0.02)
