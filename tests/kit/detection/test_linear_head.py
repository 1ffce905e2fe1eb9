"""The linear head: what it minimises, that blocks count alike, and that its shares add up."""

import numpy as np
import pytest

from guardrails.core.statistics import auc
from guardrails.kit.detection.linear_head import Head


def blocks(n=200, seed=0, long=300):
    """Two blocks that tell the same, one of them among 300 numbers of noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    short, wide = rng.normal(size=(n, 4)), rng.normal(size=(n, long))
    short[:, 0] += labels
    wide[:, 0] += labels
    return {"short": short, "wide": 100 * wide + 7}, labels


@pytest.mark.parametrize("n", [60, 500])
def test_it_is_the_minimum_of_the_penalised_squares(n):
    """With more numbers than items and with fewer: both forms of the solution."""
    x, labels = blocks(n)
    weights = np.random.default_rng(1).uniform(0.5, 1.5, n)
    head = Head.fit(x, labels, weights, penalty=2.0)
    z = np.concatenate([(x[name] - head.mean[name]) / head.scale[name] for name in x], axis=1)
    beta = np.concatenate([head.coefficients[name] for name in x])
    gradient = z.T @ (weights * (z @ beta + head.intercept - (2 * labels - 1))) + 2.0 * beta
    assert np.abs(gradient).max() < 1e-8
    assert abs((weights * (z @ beta + head.intercept - (2 * labels - 1))).sum()) < 1e-8


def test_it_tells_unseen_items_apart_and_a_weight_is_a_copy():
    x, labels = blocks()
    head = Head.fit(x, labels)
    fresh, truth = blocks(seed=1)
    scores = head.score(fresh)
    assert auc(scores[truth == 1], scores[truth == 0]) > 0.7
    twice = np.r_[np.arange(200), np.arange(50)]
    weighted = Head.fit(x, labels, np.where(np.arange(200) < 50, 2.0, 1.0))
    copied = Head.fit({k: v[twice] for k, v in x.items()}, labels[twice])
    assert weighted.score(fresh) == pytest.approx(copied.score(fresh), abs=0.02)


def test_units_change_nothing():
    x, labels = blocks()
    other = {"short": x["short"] * 50 - 3, "wide": x["wide"] * 10}
    assert Head.fit(x, labels).score(x) == pytest.approx(Head.fit(other, labels).score(other))


def test_shares_add_up_and_a_long_block_does_not_outweigh_a_short_one():
    x, labels = blocks(2000)
    head = Head.fit(x, labels, penalty=1000.0)
    shares = head.shares(x)
    assert sum(shares.values()) + head.intercept == pytest.approx(head.score(x))
    apart = {name: share[labels == 1].mean() - share[labels == 0].mean() for name, share in shares.items()}
    assert apart["short"] > apart["wide"] > 0


def test_what_it_was_fitted_to_is_not_strange_and_what_lies_far_off_is():
    x, labels = blocks()
    head = Head.fit(x, labels)
    assert np.median(head.strangeness(x)) == pytest.approx(1, abs=0.3)
    assert head.strangeness({"short": x["short"] + 30, "wide": x["wide"]}).min() > 10


def test_a_constant_number_is_no_evidence():
    x, labels = blocks()
    x["short"][:, 3] = 5.0
    head = Head.fit(x, labels)
    assert np.isfinite(head.score(x)).all()
    assert head.coefficients["short"][3] == pytest.approx(0)
