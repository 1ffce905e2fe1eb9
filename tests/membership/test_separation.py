from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.core.batch import Row
from guardrails.core.results import Measurement
from guardrails.core.statistics import Interval, auc, tpr_at_fpr
from guardrails.membership.separation import METRICS, MINIMUM, Attacks, best, measurements

NOTHING = Interval(0.5, 0.42, 0.58)
RNG = np.random.default_rng(0)


def rows(members: dict[str, Any], others: dict[str, Any]) -> list[Row]:
    return [
        {"item": f"{arm}:{i}", "arm": arm, "index": i, "scores": dict(zip(scores, row, strict=True))}
        for arm, scores in (("corpus", members), ("holdout", others))
        for i, row in enumerate(zip(*scores.values(), strict=True))
    ]


def measured(scored: list[Row], alone: Interval = NOTHING, note: str = "") -> dict[str, Measurement]:
    out = measurements(
        "membership.test",
        scored,
        unit="documents",
        method="two attacks",
        blind=lambda members, others: alone,
        note=note,
    )
    assert [m.metric for m in out] == list(METRICS)
    json.dumps([m.model_dump(mode="json") for m in out], allow_nan=False)
    return {m.metric: m for m in out}


def normal(shift: float, n: int) -> list[float]:
    return RNG.normal(shift, 1, n).tolist()


def test_the_headline_is_the_best_attack_with_an_interval_for_all() -> None:
    members = {"good": normal(2, 100), "poor": normal(0, 100)}
    others = {"good": normal(0, 100), "poor": normal(0, 100)}
    headline = measured(rows(members, others))["membership_auc"]
    assert headline.value == auc(members["good"], others["good"])
    assert headline.low is not None
    assert headline.low > 0.8
    assert "(good)" in headline.explanation
    assert [p.x for p in headline.series[0].points] == ["good", "poor"]
    assert headline.baseline is not None
    assert headline.baseline.value == 0.5
    alone = measured(rows({"good": members["good"]}, {"good": others["good"]}))["membership_auc"]
    assert alone.low is not None
    assert alone.low > headline.low  # one attack alone needs no correction


@given(st.lists(st.tuples(*[st.floats(0, 1)] * 3).map(sorted), min_size=1, max_size=5))
def test_the_best_lies_in_its_interval_and_no_lower_than_any(intervals: list[list[float]]) -> None:
    named = {str(i): Interval(mid, low, high) for i, (low, mid, high) in enumerate(intervals)}
    top = best(named)
    assert top.low <= top.value <= top.high
    for interval in named.values():
        assert all(a >= b for a, b in zip(top, interval, strict=True))


def test_the_interval_of_the_best_covers_its_true_value() -> None:
    """Three attacks alike at AUC .5: the largest of three estimates lies above it, its interval must not."""
    rng, missed = np.random.default_rng(1), 0
    for _ in range(300):
        shared = rng.normal(size=160)
        scores = {k: (shared + rng.normal(size=160)).tolist() for k in "abc"}
        attacks = Attacks.of(*_halves(scores))
        top = best(attacks.aucs())
        missed += not top.low <= 0.5 <= top.high
    assert missed <= 25  # 15 expected at most


def _halves(scores: dict[str, list[float]]) -> tuple[list[Row], list[Row]]:
    half = len(next(iter(scores.values()))) // 2
    both = rows({k: v[:half] for k, v in scores.items()}, {k: v[half:] for k, v in scores.items()})
    return both[:half], both[half:]


@pytest.mark.slow
@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_two_valued_random_scores_are_no_attack(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (rng.integers(2, size=400).astype(float).tolist() for _ in range(2))
    readings = measured(rows({"coin": a}, {"coin": b}))
    value = readings["membership_auc"].value
    assert value is not None
    assert 0.4 < value < 0.6
    assert value == np.mean([[(x > y) + 0.5 * (x == y) for y in b] for x in a])
    assert readings["tpr_at_1pct_fpr"].value == 0  # half of the non-members share the highest score


def test_a_constant_attack_is_left_out_and_named() -> None:
    members = {"loss": normal(1, 60), "flat": [0.0] * 60}
    headline = measured(rows(members, {"loss": normal(0, 60), "flat": [0.0] * 60}))["membership_auc"]
    assert [p.x for p in headline.series[0].points] == ["loss"]
    assert "flat" in headline.explanation


def test_nothing_but_constant_scores_is_a_reason() -> None:
    readings = measured(rows({"loss": [0.0] * 60}, {"loss": [0.0] * 60}))
    for measurement in readings.values():
        assert measurement.value is None
        assert "the same score" in (measurement.reason or "")


def test_an_attack_that_some_rows_lack_is_left_out() -> None:
    scored = rows({"loss": normal(1, 60), "more": normal(1, 60)}, {"loss": normal(0, 60), "more": normal(0, 60)})
    del scored[3]["scores"]["more"]
    assert [p.x for p in measured(scored)["membership_auc"].series[0].points] == ["loss"]
    scored[0]["scores"]["loss"] = None
    assert measured(scored)["membership_auc"].value is None


def test_a_split_that_the_items_give_away_is_not_assessed() -> None:
    arms = {"loss": normal(3, 400)}, {"loss": normal(0, 400)}
    readings = measured(rows(*arms), Interval(0.93, 0.9, 0.95))
    for metric in ("membership_auc", "tpr_at_1pct_fpr"):
        assert readings[metric].value is None
        assert "the split is confounded" in (readings[metric].reason or "")
        assert "0.93" in (readings[metric].reason or "")
    assert readings["blind_auc"].value == 0.93
    near = measured(rows(*arms), Interval(0.57, 0.54, 0.6))
    assert near["membership_auc"].value is not None


def test_a_blind_baseline_that_reaches_into_the_interval_is_said() -> None:
    arms = {"loss": normal(0.6, 100)}, {"loss": normal(0, 100)}
    said = "blind baseline reaches into"
    assert said in measured(rows(*arms), Interval(0.6, 0.54, 0.66))["membership_auc"].explanation
    assert said not in measured(rows(*arms), Interval(0.4, 0.35, 0.45))["membership_auc"].explanation


def test_the_rate_needs_three_non_members_for_each_false_one_in_a_hundred() -> None:
    few = measured(rows({"loss": normal(2, 60)}, {"loss": normal(0, 299)}))
    assert few["tpr_at_1pct_fpr"].value is None
    assert few["tpr_at_1pct_fpr"].needed == 360
    assert "insufficient n: with 299 non-members" in (few["tpr_at_1pct_fpr"].reason or "")
    assert few["tpr_at_01pct_fpr"].needed == 3060
    others = normal(0, 300)
    enough = measured(rows({"loss": normal(4, 60)}, {"loss": others}))["tpr_at_1pct_fpr"]
    assert enough.value is not None
    assert enough.value > 0.5
    many = measured(rows({"loss": normal(5, 60)}, {"loss": normal(0, 3000)}))["tpr_at_01pct_fpr"]
    assert many.value is not None
    assert many.value > 0.5


def test_the_rate_is_that_at_a_threshold_of_the_non_members() -> None:
    members, others = normal(1.5, 300), normal(0, 400)
    rate = measured(rows({"loss": members}, {"loss": others}))["tpr_at_1pct_fpr"]
    threshold = sorted(others, reverse=True)[4]  # four of 400 lie above it
    assert rate.value == sum(x > threshold for x in members) / 300
    assert rate.value == tpr_at_fpr(members, others, fpr=0.01).value  # type: ignore[union-attr]


def test_too_few_are_a_reason_that_says_how_many() -> None:
    headline = measured(rows({"loss": normal(1, 39)}, {"loss": normal(0, 100)}), note=" A note.")["membership_auc"]
    assert headline.value is None
    assert headline.reason == (
        f"39 members (corpus) and 100 non-members (holdout); at least {MINIMUM} documents of each are needed. A note."
    )
    assert headline.needed == 2 * MINIMUM


def test_failed_items_are_counted_in_errors_never_in_n() -> None:
    scored = rows({"loss": normal(1, 60)}, {"loss": normal(0, 60)})
    scored += [{"item": "corpus:99", "arm": "corpus", "index": 99, "error": "out of memory"}]
    measurement = measured(scored)["membership_auc"]
    assert (measurement.n, measurement.errors) == (120, 1)


def test_what_is_called_detectable_is_seen_four_times_in_five() -> None:
    rng, seen = np.random.default_rng(2), 0
    first = measured(rows({"a": normal(0, 100)}, {"a": normal(0, 100)}))["membership_auc"]
    assert first.detectable is not None
    from scipy.special import ndtri

    shift = np.sqrt(2) * ndtri(first.detectable)
    for _ in range(200):
        arms = {"a": rng.normal(shift, 1, 100).tolist()}, {"a": rng.normal(0, 1, 100).tolist()}
        low = best(Attacks.of(*_arms(rows(*arms))).aucs()).low
        seen += low > 0.5
    assert 0.65 < seen / 200 < 0.92


def _arms(scored: list[Row]) -> tuple[list[Row], list[Row]]:
    return [r for r in scored if r["arm"] == "corpus"], [r for r in scored if r["arm"] == "holdout"]


def test_the_precision_of_the_twelve_surest_guesses() -> None:
    members, others = [*range(20, 11, -1), *[-1.0] * 51], [15.5, 14.5, 0.5, *[-2.0] * 57]
    precision = measured(rows({"loss": [float(x) for x in members]}, {"loss": others}))["precision_at_12"]
    assert precision.value == 9 / 12
    assert precision.baseline is not None
    assert precision.baseline.value == 0.5
    assert "12 documents that the best attack is surest of, 9 are members" in precision.explanation


def test_precision_counts_ties_for_the_last_places_in_their_share() -> None:
    attacks = Attacks.of(*_arms(rows({"a": [1.0] * 5 + [0.0] * 95}, {"a": [0.0] * 100})))
    assert attacks.precisions()["a"].value == (5 + 7 * 95 // 195) / 12
    coin = Attacks.of(*_arms(rows({"a": [0.0, 1.0] * 50}, {"a": [0.0, 1.0] * 50})))
    assert coin.precisions()["a"].value == 0.5


@given(st.lists(st.integers(0, 9), min_size=40, max_size=60), st.data())
def test_precision_against_a_count_of_the_sorted_items(members: list[int], data: st.DataObject) -> None:
    others = data.draw(st.lists(st.integers(0, 9), min_size=len(members), max_size=len(members)))
    if len({*members, *others}) == 1:
        return
    precision = Attacks.of(*_arms(rows({"a": members}, {"a": others}))).precisions()["a"].value
    cut = sorted([*members, *others])[-12]
    above = sum(x > cut for x in members)
    left = 12 - above - sum(x > cut for x in others)
    tied = members.count(cut)
    assert precision == (above + left * tied // (tied + others.count(cut))) / 12


def test_precision_is_at_even_odds_whatever_the_numbers() -> None:
    rng, hits = np.random.default_rng(3), []
    for _ in range(60):
        arms = rows({"a": rng.normal(size=400).tolist()}, {"a": rng.normal(size=50).tolist()})
        hits.append(Attacks.of(*_arms(arms)).precisions()["a"].value)
    assert 0.42 < np.mean(hits) < 0.58


def test_all_right_by_chance_happens_once_in_a_thousand() -> None:
    rng, alarms = np.random.default_rng(4), 0
    for _ in range(500):
        arms = rows({"a": rng.normal(size=60).tolist()}, {"a": rng.normal(size=60).tolist()})
        alarms += Attacks.of(*_arms(arms)).precisions()["a"].low > 0.6
    assert alarms <= 3


def test_two_gates_widen_every_interval() -> None:
    scored = rows({"a": normal(1, 60)}, {"a": normal(0, 60)})
    one, two = (Attacks.of(*_arms(scored), gates=gates).aucs()["a"] for gates in (1, 2))
    assert two.low < one.low < one.high < two.high
    twelve = Attacks.of(*_arms(rows(*({k: [s] * 60 for k in "abcde"} for s in (1.0, 0.0)))), gates=2)
    assert best(twelve.precisions()).low > 0.6  # for five attacks and two gates too
