"""Heads fitted anew beside one in use: better, no better and worse are said where the pictures show it."""

from dataclasses import replace

import numpy as np
import pytest

from guardrails.core.statistics import Interval
from guardrails.kit.detection.linear_head import Head
from guardrails.kit.detection.protocol import Placed
from guardrails.training.exams.comparison import Comparison, beside, difference, signed_interval
from guardrails.training.exams.images import Rows


def rows(n=15, signal=2.0, seed=0, real_sources=1):
    """A user's pictures, each file of the generator a source, beside others of 6 sources and families."""
    rng = np.random.default_rng(seed)
    labels = np.r_[np.repeat([0, 1], 60), np.repeat([0, 1], n)]
    groups = [f"{'made' if y else 'real'} {i % 6}" for i, y in enumerate(labels[:120].tolist())]
    groups += [f"mine {i % real_sources}" for i in range(n)] + ["model"] * n
    sources = groups[: 120 + n] + [f"model/{i}" for i in range(n)]
    x = rng.normal(size=(len(labels), 4))
    x[:, 0] += signal * labels
    mine = np.arange(len(labels)) >= 120
    return Rows({"x": x}, labels, groups, sources, np.ones(len(labels), dtype=bool), mine)


def head(direction):
    return Head({"x": np.zeros(4)}, {"x": np.ones(4)}, {"x": np.array(direction, dtype=float)}, 0.0)


@pytest.mark.parametrize("real_sources", [1, 3])
@pytest.mark.parametrize(
    ("direction", "verdict"),
    [
        ((0, 1, 0, 0), "better than the head in use"),
        ((1, 0, 0, 0), "not shown to be better than the head in use"),
        ((-1, 0, 0, 0), "better than the head in use"),
    ],
)
def test_what_the_interval_supports_is_said(direction, verdict, real_sources):
    comparison = beside(rows(real_sources=real_sources), head(direction))
    assert comparison.verdict == verdict
    assert str(comparison).startswith(verdict)
    assert comparison.n == (15, 15)


def test_what_is_worse_is_called_worse():
    """The new heads learn the opposite from the others; the head in use knows."""
    one = rows(n=30, real_sources=3)
    turned = one.blocks["x"].copy()
    turned[:120, 0] *= -1
    learnt = ~one.judged
    comparison = beside(replace(one, blocks={"x": turned}, learnt=learnt), head((1, 0, 0, 0)))
    assert comparison.verdict == "worse than the head in use"
    assert comparison.stated()["difference"]["high"] < 0


def test_no_source_that_is_judged_was_fitted_to():
    """Pictures of one source are the same picture: a head that had seen its source would know it by heart."""
    rng = np.random.default_rng(3)
    names = [f"s{k}" for k in range(12)]
    own = rng.normal(size=(12, 300))
    labels = np.repeat(np.arange(12) % 2, 6)
    sources = [name for name in names for _ in range(6)]
    every = np.ones(72, dtype=bool)
    one = Rows({"x": np.repeat(own, 6, axis=0)}, labels, sources, sources, every, every)
    fixed = Head({"x": np.zeros(300)}, {"x": np.ones(300)}, {"x": np.zeros(300)}, 0.0)
    comparison = beside(one, fixed)
    assert comparison.in_use.value == 0.5
    assert comparison.anew.value < 0.6


def test_the_difference_is_of_means_over_families_on_the_same_pairs():
    rng = np.random.default_rng(1)
    real = np.arange(8)
    one, other = {}, {}
    for k in range(5):
        made = np.arange(8 + 3 * k, 11 + 3 * k)
        one[f"f{k}"] = Placed(rng.integers(0, 2, (3, 8)).astype(float), made, real)
        turn = rng.permutation(8)
        other[f"f{k}"] = Placed(np.zeros((3, 8)), made, real[turn])
    interval = difference(one, other, [f"s{i}" for i in range(30)])
    assert interval.value == pytest.approx(np.mean([placed.above.mean() for placed in one.values()]))
    assert interval.low < interval.value < interval.high


def test_one_cluster_supports_no_interval():
    values = np.array([0.5])
    assert signed_interval([(values, ["a"]), (np.array([0.4, 0.6]), ["b", "c"])]) == Interval(0.5, -1.0, 1.0)


def test_figures_are_in_the_sentence():
    comparison = Comparison(Interval(0.8, 0.7, 0.9), Interval(0.6, 0.5, 0.7), Interval(0.2, 0.1, 0.3), (15, 16))
    assert str(comparison) == (
        "better than the head in use: AUC 0.80 [0.70, 0.90] against 0.60 [0.50, 0.70], difference +0.20 [+0.10, +0.30];"
        " 15 real and 16 generated pictures, sources left out"
    )


def test_better_than_a_head_that_errs_is_not_better_than_chance():
    """Both classes were photographs: the head in use had them the wrong way round, the new one guesses."""
    comparison = Comparison(
        Interval(0.49, 0.29, 0.70), Interval(0.15, 0.05, 0.35), Interval(0.35, 0.07, 0.62), (15, 15)
    )
    assert comparison.verdict == "better than the head in use, but not shown to be better than chance"


@pytest.mark.parametrize("sign", [1, -1])
def test_a_few_pictures_that_agree_are_no_proof(sign):
    """Three outputs above ten photographs of two folders, for the new head alone: nothing varies, little is known."""
    interval = signed_interval([(np.full(3, sign), ["a", "b", "c"]), (np.full(10, sign), ["s"] * 5 + ["t"] * 5)])
    assert interval.value == sign
    low, high = sorted((sign * interval.low, sign * interval.high))
    assert (low, high) == (pytest.approx(-0.315, abs=0.001), pytest.approx(1))
    many = signed_interval([(np.full(40, sign), list(range(40))), (np.full(40, sign), list(range(40)))])
    assert min(sign * many.low, sign * many.high) > 0.8
