"""Bounds of likelihood ratios: the procedure of the paper, done literally, and what sources can support."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.kit.detection.calibration import Calibration
from guardrails.kit.detection.ratio_bounds import elub


def literal(generated, real, *, steps=4000, most=6.0):
    """Return the bounds by the paper's recipe: one misleading ratio a class, and the cost at every prior odds.

    At prior odds o the decision is for "generated" where ratio × o ≥ 1. Its cost is that of deciding by the prior
    alone, or more, where the normalised error is 1 or more: the ratios are trusted from 1 out to the first such odds.
    """
    g, r = [*np.exp(generated), 0.0], [*np.exp(real), np.inf]

    def normalised(odds):
        missed = np.mean([ratio * odds < 1 for ratio in g])
        false = np.mean([ratio * odds >= 1 for ratio in r])
        prior = odds / (1 + odds)
        return (prior * missed + (1 - prior) * false) / min(prior, 1 - prior)

    grid = np.linspace(0, most, steps)[1:]
    upper = next((t for t in grid if normalised(np.exp(-t)) >= 1), most)
    lower = -next((t for t in grid if normalised(np.exp(t)) >= 1), most)
    return lower, upper


def plain(generated, real):
    g, r = np.asarray(generated, dtype=float), np.asarray(real, dtype=float)
    return elub(g, r, generated_weights=np.ones(len(g)), real_weights=np.ones(len(r)))


@pytest.mark.parametrize(
    ("n", "m", "apart"), [(5, 5, 1.0), (30, 12, 2.0), (12, 40, 3.0), (100, 100, 0.5), (3, 60, 4.0)]
)
def test_it_is_what_the_recipe_gives(n, m, apart):
    rng = np.random.default_rng(n)
    generated, real = rng.normal(apart / 2, 1, n), rng.normal(-apart / 2, 1, m)
    lower, upper = plain(generated, real)
    expected = literal(generated, real)
    assert lower == pytest.approx(expected[0], abs=0.004)
    assert upper == pytest.approx(expected[1], abs=0.004)


ratios = st.lists(st.floats(-8, 8), min_size=1, max_size=25)


@settings(max_examples=40, deadline=None)
@given(ratios, ratios)
def test_no_ratio_exceeds_what_the_number_of_sources_supports(generated, real):
    lower, upper = plain(generated, real)
    assert -np.log(len(generated) + 1) <= lower <= 0 <= upper <= np.log(len(real) + 1)


@settings(max_examples=40, deadline=None)
@given(ratios, ratios)
def test_exchanging_the_classes_exchanges_the_bounds(generated, real):
    lower, upper = plain(generated, real)
    assert plain(-np.array(real), -np.array(generated)) == pytest.approx((-upper, -lower))


def test_ten_sources_of_a_thousand_files_support_no_ratio_of_a_hundred():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 1000)
    scores = rng.normal(size=2000) + 12 * labels
    every = Calibration.fit(scores, labels)
    assert np.exp(every.bounds[1]) > 100
    ten = Calibration.fit(scores, labels, [f"{label}-{i % 10}" for i, label in enumerate(labels)])
    assert 5 < np.exp(ten.log_ratio([40.0])[0]) <= 10
    assert 0.1 <= np.exp(ten.log_ratio([-40.0])[0]) < 0.2


def test_a_source_counts_once_however_many_files_it_has():
    g, r = np.array([3.0, 2.0, 1.0]), np.array([-1.0, 0.5])
    once = plain(g, r)
    again = elub(
        np.repeat(g, 7), np.repeat(r, 5), generated_weights=np.full(21, 1 / 7), real_weights=np.full(10, 1 / 5)
    )
    assert again == pytest.approx(once)


def test_ratios_that_say_nothing_have_no_reach():
    assert plain([0.0, 0.0], [0.0, 0.0]) == (0.0, 0.0)
    assert plain([-2.0] * 9, [2.0] * 9) == (0.0, 0.0)  # the wrong way round
