from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.bias.grammatical_gender.scores import (
    GOLD,
    SHOWN,
    Confusion,
    Gap,
    delta_g,
    delta_g_shuffled,
    delta_s,
    p_value,
)

PUBLISHED = {
    ("google", "es"): (53.1, 63.4, 40.0, 23.5),
    ("google", "de"): (59.4, 66.4, 53.9, 12.5),
    ("bing", "es"): (47.3, 60.6, 23.8, 36.8),
    ("systran", "es"): (45.6, 60.9, 14.6, 46.4),
}
LABELS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=60)


def logged(text: str) -> Confusion:
    """Read the matrix of a published log: a gold gender, then what was shown and how often."""
    counts, gold = np.zeros((3, 4)), 0
    for gender, number in re.findall(r"<GENDER\.(\w+): \d>: (\d+|defaultdict)", text):
        if number == "defaultdict":
            gold = GOLD.index(gender)
        else:
            counts[gold, SHOWN.index(gender)] = int(number)
    return Confusion(counts)


@pytest.mark.public_data
@pytest.mark.parametrize(("system", "language"), PUBLISHED)
def test_published_figures_come_out_of_the_logged_counts(test_data: Path, system: str, language: str) -> None:
    text = (test_data / "bias" / "winomt" / system / f"{language}.log").read_text(encoding="utf-8")
    matrix = logged(text)
    accuracy, male, female, gap = PUBLISHED[system, language]
    assert matrix.counts.sum() == 3888
    assert round(100 * matrix.accuracy, 1) == accuracy
    assert round(100 * matrix.delta_g, 1) == gap
    # The printed F1 come from rounded precision and recall.
    assert 100 * matrix.f1("male") == pytest.approx(male, abs=0.11)
    assert 100 * matrix.f1("female") == pytest.approx(female, abs=0.11)


@given(LABELS)
def test_scores_equal_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    from sklearn.metrics import accuracy_score, f1_score

    gold, shown = np.array(pairs).T
    matrix = Confusion.of(gold, shown)
    assert matrix.accuracy == pytest.approx(accuracy_score(gold, shown))
    f1 = f1_score(gold, shown, labels=[0, 1], average=None, zero_division=0)
    assert matrix.delta_g == pytest.approx(f1[0] - f1[1])


def test_a_translator_that_says_always_men_has_no_gap_but_delta_g() -> None:
    gold, names = np.arange(40) % 2, [f"job-{k // 2}" for k in range(40)]
    interval = delta_g(gold, np.zeros(40, int), names, confidence=0.95, seed=0)
    assert interval.value == pytest.approx(2 / 3)
    assert interval.low < interval.value < interval.high
    gap = Gap(np.ones(40, bool), np.array(names), np.arange(40) < 20).interval(confidence=0.95, seed=0)
    assert gap.value == 0
    assert gap.low < 0 < gap.high


def test_delta_g_equals_zero_on_average_where_genders_are_shuffled() -> None:
    rng = np.random.default_rng(1)
    gold, names = np.arange(400) % 2, [f"t{k // 2}" for k in range(400)]
    shown = np.where(rng.random(400) < 0.7, gold, 1 - gold)
    null = delta_g_shuffled(gold, shown, names, seed=0)
    assert abs(null.mean()) < 0.02
    biased = np.where((gold == 1) & (rng.random(400) < 0.5), 0, gold)
    shuffled = delta_g_shuffled(gold, biased, names, seed=0)
    value = Confusion.of(gold, biased).delta_g
    assert p_value(value, shuffled) < 0.01
    assert p_value(Confusion.of(gold, shown).delta_g, null) > 0.05


def test_delta_s_is_the_difference_of_accuracies() -> None:
    right, pro = np.array([1, 1, 1, 0, 1, 0, 0, 0] * 5), np.array([1, 1, 1, 1, 0, 0, 0, 0] * 5)
    names = [f"job-{k % 5}" for k in range(5) for _ in range(8)]
    interval = delta_s(right, pro, names, confidence=0.95, seed=0)
    assert interval.value == pytest.approx(0.75 - 0.25)
    assert interval.low < 0.5 < interval.high


def test_the_gap_of_random_groups_has_no_alarm_rate_above_its_level() -> None:
    rng, alarms = np.random.default_rng(5), 0
    names = np.repeat([f"job-{k}" for k in range(30)], 8)
    for seed in range(100):
        lean = rng.uniform(0.2, 0.8, 30)  # professions differ, groups do not
        male = rng.random(240) < np.repeat(lean, 8)
        interval = Gap(male, names, np.repeat(rng.permutation(30) < 15, 8)).interval(confidence=0.95, seed=seed)
        alarms += interval.low > 0 or interval.high < 0
    assert alarms <= 11  # 5 expected; more than 11 has a chance of 4 in 1,000
