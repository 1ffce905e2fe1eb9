"""Precision, recall, density and coverage against their definitions, written out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.kit.precision_recall import GROUPS, group_jackknife, pairwise, prdc, radii, spread


def literal(real, fake, k):
    """The four numbers by loops over the definitions."""

    def radius(items, i):
        return sorted(float(np.linalg.norm(items[i] - items[j])) for j in range(len(items)) if j != i)[k - 1]

    real_radius = [radius(real, i) for i in range(len(real))]
    fake_radius = [radius(fake, j) for j in range(len(fake))]
    d = [[float(np.linalg.norm(r - f)) for f in fake] for r in real]
    rows, columns = range(len(real)), range(len(fake))
    return (
        np.mean([any(d[i][j] <= real_radius[i] for i in rows) for j in columns]),
        np.mean([any(d[i][j] <= fake_radius[j] for j in columns) for i in rows]),
        np.mean([sum(d[i][j] <= real_radius[i] for i in rows) for j in columns]) / k,
        np.mean([any(d[i][j] <= real_radius[i] for j in columns) for i in rows]),
    )


def of(real, fake, k=5):
    return prdc(pairwise(real, real), pairwise(fake, fake), pairwise(real, fake), k)


@settings(max_examples=40, deadline=None)
@given(
    m=st.integers(7, 25), n=st.integers(7, 25), k=st.integers(1, 6), shift=st.floats(0, 3), seed=st.integers(0, 10**6)
)
def test_the_four_numbers_are_those_of_the_definitions(m, n, k, shift, seed):
    rng = np.random.default_rng(seed)
    real, fake = rng.normal(size=(m, 3)), rng.normal(size=(n, 3)) + shift
    assert of(real, fake, k) == pytest.approx(literal(real, fake, k))


def test_a_copycat_scores_perfectly_on_all_four():
    real = np.random.default_rng(0).normal(size=(100, 4))
    scores = of(real, real.copy())
    assert (scores.precision, scores.recall, scores.coverage) == (1, 1, 1)
    assert scores.density >= 1


def test_a_lost_half_halves_recall_and_coverage_and_leaves_precision():
    rng = np.random.default_rng(0)
    modes = np.array([[-20.0, 0], [20.0, 0]])
    real = modes[rng.integers(0, 2, 300)] + rng.normal(size=(300, 2))
    fake = modes[np.zeros(300, int)] + rng.normal(size=(300, 2))
    scores = of(real, fake)
    assert scores.precision > 0.9
    assert scores.coverage == pytest.approx(0.5, abs=0.1)
    assert scores.recall == pytest.approx(0.5, abs=0.1)


def test_crowding_within_a_mode_shows_in_the_spread():
    rng = np.random.default_rng(0)
    wide, narrow = rng.normal(size=(200, 6)), 0.1 * rng.normal(size=(200, 6))
    assert spread(pairwise(narrow, narrow)) == pytest.approx(0.1 * spread(pairwise(wide, wide)), rel=0.15)


def test_an_item_is_not_its_own_neighbour():
    within = pairwise(np.array([[0.0], [1.0], [3.0]]), np.array([[0.0], [1.0], [3.0]]))
    assert radii(within, 1).tolist() == [1, 1, 2]
    assert radii(within, 2).tolist() == [3, 2, 3]


def test_the_jackknife_of_a_mean_is_its_standard_error():
    x = np.random.default_rng(0).normal(size=GROUPS * 10)
    value, error = group_jackknife(lambda keep: {"mean": float(x[keep].mean())}, len(x))["mean"]
    blocks = x.reshape(GROUPS, 10).mean(axis=1)
    assert value == pytest.approx(x.mean())
    assert error == pytest.approx(blocks.std(ddof=1) / np.sqrt(GROUPS))


def test_items_made_together_count_as_one():
    """Batches of identical items: the error is that of the number of batches, not of items."""
    x = np.repeat(np.random.default_rng(0).normal(size=GROUPS), 50)
    _, error = group_jackknife(lambda keep: {"mean": float(x[keep].mean())}, len(x))["mean"]
    assert error > 3 * x.std() / np.sqrt(len(x))
