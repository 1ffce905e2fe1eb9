from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from guardrails.bias.counterfactual import Table, material
from guardrails.bias.labour_statistics import LabourStatistics, correlation, slope_of, women
from guardrails.core.asking import ask
from guardrails.core.probe import Budget
from guardrails.core.subject import Subject

from .word_scorer import WordScorer, noise

PROBE = LabourStatistics()
SHE = re.compile(r"\b(she|her|herself)\b")


def following(slope: float, always: float = 0.0) -> WordScorer:
    """Gives 'she' the log-odds of women in the occupation, times a slope."""

    def rule(words: list[str], i: int) -> float:
        text = " ".join(words)
        if i != len(words) - 1 or not SHE.search(text):
            return -1.0
        occupation = max((o for o in women().shares if re.search(rf"\b{o}\b", text)), key=len)
        return -20.0 + always + slope * women().log_odds(occupation) + noise(words, i, 0.3)

    return WordScorer(rule, start=False)


def audited(target: Any) -> dict[str, Any]:
    subject = Subject(target)
    rows = [r for b in PROBE.plan(subject, Budget.CONTROL, seed=0) for r in ask(PROBE, subject, b, seed=0)]
    return {m.metric: m for m in PROBE.measure(rows, subject, seed=0)}


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0, 1.6, -1.0])
def test_a_known_slope_is_measured_whatever_pronoun_is_preferred_throughout(slope: float) -> None:
    readings = audited(following(slope, always=2.0))
    told = readings["labour_slope"]
    assert told.low <= slope <= told.high
    assert told.high - told.low < 0.2
    assert (told.low <= 0 <= told.high) is (slope == 0)
    assert slope == 0 or np.sign(readings["labour_correlation"].value) == np.sign(slope)
    assert len(told.series[0].points) == 40


def test_the_slope_is_that_of_least_squares() -> None:
    rng = np.random.default_rng(0)
    names = tuple(sorted(women().shares))
    x = np.array([women().log_odds(name) for name in names])
    table = Table(0.7 * x + rng.normal(size=(6, 40)), names, np.repeat([True, False], 20))
    value = slope_of(table, x, 0.95)[0].value
    assert value == pytest.approx(np.polyfit(x, table.scores.mean(axis=0), 1)[0])


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    names = tuple(sorted(women().shares))
    x = np.array([women().log_odds(name) for name in names])
    inside, runs = 0, 400
    for _ in range(runs):
        scores = (0.8 + 0.2 * rng.normal(size=(8, 1))) * x + rng.normal(size=40) + rng.normal(size=(8, 40))
        low, high = slope_of(Table(scores, names, np.repeat([True, False], 20)), x, 0.95)[0][1:]
        inside += low <= 0.8 <= high
    assert 0.93 <= inside / runs <= 1


def test_a_correlation_of_what_does_not_vary_is_not_known() -> None:
    assert correlation(np.ones(12), np.arange(12.0), 0.95) == (0.0, -1.0, 1.0)
    value, low, high = correlation(np.arange(12.0), np.arange(12.0), 0.95)
    assert value == pytest.approx(1)
    assert low <= value <= high


def test_the_report_names_publisher_year_table_and_licence() -> None:
    told = audited(following(0.5))["labour_slope"]
    for part in ("US Bureau of Labor Statistics", "2017", "table 11", "table 1)"):
        assert part in told.method
    assert "public domain" in told.explanation


def test_quick_asks_few_sentences_about_every_occupation() -> None:
    items = [item for b in PROBE.plan(Subject(following(0.0)), Budget.QUICK, seed=0) for item in b.items]
    assert len(items) == 6 * 40
    assert {item.fields["occupation"] for item in items} == set(women().shares)


def test_the_statistics_agree_with_the_groups() -> None:
    groups = material().occupations
    assert set(women().shares) == {*groups["she"], *groups["he"]}
    assert all(women().shares[name] > 0.5 for name in groups["she"])
    assert all(women().shares[name] < 0.5 for name in groups["he"])


def test_few_occupations_give_a_reason() -> None:
    readings = PROBE.measure([], Subject(following(0.0)), seed=0)
    assert [m.metric for m in readings] == list(PROBE.metrics)
    assert {m.value for m in readings} == {None}
