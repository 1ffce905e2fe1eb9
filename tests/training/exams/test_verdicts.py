"""Rules that call pictures synthetic: their rates over new sources are what they promise."""

from pathlib import Path

import numpy as np
import pytest

from guardrails.training.exams.elsewhere import Material
from guardrails.training.exams.verdicts import by_kind, called, marginal, p_values, rates, tolerant
from guardrails.training.material.corpora import Row


def sources(rng, k, n, spread=1.0):
    scores = rng.normal(size=(k, 1)) * spread + rng.normal(size=(k, n))
    return scores.ravel(), [f"s{i}" for i in range(k) for _ in range(n)]


def test_marginal_calls_a_new_source_at_the_rate_it_promises():
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(300):
        known, groups = sources(rng, 39, 6)
        new, _ = sources(rng, 1, 6)
        shares.append(marginal(0.1)(known, groups, ["other"] * len(known), new, ["other"] * 6).mean())
    assert 0.05 < np.mean(shares) < 0.12


def test_tolerant_bounds_how_many_sources_have_many_false_alarms():
    rng = np.random.default_rng(1)
    many = []
    for _ in range(300):
        known, groups = sources(rng, 29, 40)
        new, _ = sources(rng, 1, 200)
        many.append(tolerant(0.2)(known, groups, ["other"] * len(known), new, ["other"] * 200).mean() > 0.1)
    assert 0.1 < np.mean(many) < 0.27


def test_too_few_sources_support_no_call():
    known, groups = sources(np.random.default_rng(0), 8, 5)
    kinds = ["other"] * len(known)
    assert not marginal(0.05)(known, groups, kinds, np.array([99.0]), ["other"]).any()
    assert not tolerant(0.05)(known, groups, kinds, np.array([99.0]), ["other"]).any()


def test_by_kind_compares_with_the_same_kind_alone():
    known = np.concatenate([np.zeros(30), np.full(30, 10.0)])
    groups = [f"a{i}" for i in range(30)] + [f"b{i}" for i in range(30)]
    kinds = ["other"] * 30 + ["face"] * 30
    calls = by_kind(0.05)(known, groups, kinds, np.array([5.0, 5.0, 11.0, 99.0]), ["other", "face", "face", "drawn"])
    assert calls.tolist() == [True, False, True, False]


def test_drawn_pictures_do_not_move_the_marginal_threshold():
    known = np.concatenate([np.zeros(30), np.full(30, 10.0)])
    groups = [f"a{i}" for i in range(60)]
    assert marginal(0.05)(known, groups, ["other"] * 30 + ["drawn"] * 30, np.array([5.0]), ["other"]).all()


def test_a_source_counts_as_one_in_a_p_value():
    p = p_values(np.array([5.0] * 50 + [0.0] * 9), ["large"] * 50 + [f"s{i}" for i in range(9)], np.array([1.0]))
    assert p[0] == pytest.approx(2 / 11)


def test_rates_count_sources_lineages_and_kinds():
    rows = [Row(Path("x"), 0, "f", "s", g, True, "photograph") for g in ["a"] * 20 + ["b"] * 5]
    rows += [Row(Path("x"), 1, "f", "s", g, True, "generated") for g in ["m"] * 4 + ["n"] * 2]
    kinds = ["other"] * 20 + ["face"] * 3 + ["drawn"] * 2 + ["other"] * 6
    calls = np.array([1.0] * 5 + [0] * 15 + [0, 0, 0] + [1, 1] + [1, 1, 0, 0] + [1, 1])
    one = rates(Material(rows, {}, ()), calls, kinds)
    assert one.mean.value == pytest.approx((0.25 + 0.4) / 2), "a photograph that is told as drawn is a photograph"
    assert one.worst == ("a", 0.25, 20)
    assert one.by_kind["drawn"].value == 1
    assert one.by_kind["face"].value == 0
    assert one.recall.value == pytest.approx(0.75)
    assert one.of_all == pytest.approx(4 / 6)
    assert one.wrong == pytest.approx(0.325 / 1.075)


def test_thresholds_come_from_the_rows_of_the_part():
    rows = [Row(Path("x"), 0, "f", "s", f"o{i}", True, "photograph") for i in range(40)]
    rows += [Row(Path("x"), 1, "f", "s", "m", True, "generated")]
    rest, left = np.arange(30), np.array([30, 40])
    scores = {"once": np.array([0.0, 5.0])}
    part = (left, rest, scores, {"once": np.linspace(0, 1, 30), "again": np.linspace(0, 1, 30)})
    calls = called(Material(rows, {}, ()), [part], ["other"] * 41, marginal(0.05), "once")
    assert calls[30] == 0
    assert calls[40] == 1
    assert np.isnan(calls[:30]).all()
