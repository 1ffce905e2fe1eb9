"""LiRA, RMIA and loss against slow oracles that follow the papers' definitions a model and an item at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from guardrails.core.statistics import auc
from guardrails.membership.classifiers.likelihood_ratio import (
    CLIP,
    OWN_VARIANCE,
    ReferenceMoments,
    clipped,
    lira,
    lira_offline,
    logit,
    loss,
    rmia,
    rmia_ratio,
    rmia_ratio_offline,
)
from guardrails.membership.classifiers.reference_training import halves


def design(models: int, items: int) -> Any:
    return np.array([halves(k, items, seed=3) for k in range(models)])


def moments(said: Any, trained: Any) -> ReferenceMoments:
    out = ReferenceMoments(said.shape[1])
    for p, which in zip(said, trained, strict=True):
        out.add(p, which)
    return out


def simulated(models: int, items: int, seed: int = 0) -> tuple[Any, Any, Any]:
    """Return the target's p, the models' p (K, N) and who was trained on what."""
    rng = np.random.default_rng(seed)
    trained = design(models, items)
    difficulty = rng.normal(0, 1.5, items)
    logits = difficulty + 1.2 * trained + rng.normal(0, 0.7, trained.shape)
    member = np.arange(items) < items // 2
    target = difficulty + 1.2 * member + rng.normal(0, 0.7, items)
    return 1 / (1 + np.exp(-target)), 1 / (1 + np.exp(-logits)), trained


def slow_lira(p: Any, said: Any, trained: Any, *, online: bool) -> list[float]:
    """Algorithm 1 of Carlini et al. 2022, and its offline form."""
    phi = [math.log(x / (1 - x)) for x in p]
    groups = [
        [
            [math.log(said[k][i] / (1 - said[k][i])) for k in range(len(said)) if trained[k][i] == side]
            for side in (0, 1)
        ]
        for i in range(len(p))
    ]

    def sigma(i: int, side: int) -> float:
        if min(len(g[side]) for g in groups) >= OWN_VARIANCE:
            return float(np.std(groups[i][side], ddof=1))
        deviations = [(x - np.mean(g[side])) ** 2 for g in groups for x in g[side]]
        return math.sqrt(sum(deviations) / sum(len(g[side]) - 1 for g in groups))

    out = []
    for i, (outside, inside) in enumerate(groups):
        if online:
            numerator = norm.logpdf(phi[i], np.mean(inside), sigma(i, 1))
            out.append(float(numerator - norm.logpdf(phi[i], np.mean(outside), sigma(i, 0))))
        else:
            out.append(float(norm.cdf(phi[i], np.mean(outside), sigma(i, 0))))
    return out


def slow_rmia(p: Any, said: Any, trained: Any, population: list[int], *, gamma: float, a: float | None) -> list[float]:
    """Zarifzadeh et al. 2024: the share of z with LR(x, z) > γ; a None is the online attack."""

    def ratio(i: int) -> float:
        out, in_ = ([said[k][i] for k in range(len(said)) if trained[k][i] == side] for side in (0, 1))
        average = (sum(in_) / len(in_) + sum(out) / len(out)) / 2
        if a is not None:
            average = ((1 + a) * sum(out) / len(out) + (1 - a)) / 2
        return float(p[i] / average)

    return [sum(ratio(i) / ratio(z) > gamma for z in population) / len(population) for i in range(len(p))]


@pytest.mark.parametrize("models", [4, 16, 2 * OWN_VARIANCE])
def test_lira_is_the_paper_s(models: int) -> None:
    p, said, trained = simulated(models, 24)
    references = moments(said, trained)
    assert lira(p, references) == pytest.approx(slow_lira(p, said, trained, online=True))
    assert norm.cdf(lira_offline(p, references)) == pytest.approx(slow_lira(p, said, trained, online=False))


@pytest.mark.parametrize("gamma", [1.0, 2.0])
@pytest.mark.parametrize("a", [None, 0.0, 0.3, 1.0])
def test_rmia_is_the_paper_s(gamma: float, a: float | None) -> None:
    p, said, trained = simulated(16, 24)
    references = moments(said, trained)
    ratio = rmia_ratio(p, references) if a is None else rmia_ratio_offline(p, references, a=a)
    population = list(range(12, 24))
    expected = slow_rmia(p, said, trained, population, gamma=gamma, a=a)
    assert rmia(ratio, ratio[population], gamma=gamma) == pytest.approx(expected)


def test_loss_is_minus_the_cross_entropy() -> None:
    assert loss([0.25, 1.0, 0.0]) == pytest.approx([math.log(0.25), math.log(1 - CLIP), math.log(CLIP)])


def test_the_attacks_find_what_was_planted_and_reference_models_help() -> None:
    p, said, trained = simulated(16, 2000)
    references, member = moments(said, trained), np.arange(2000) < 1000
    ratio = rmia_ratio(p, references)
    scores = {"RMIA": rmia(ratio, ratio[~member]), "LiRA": lira(p, references), "loss": loss(p)}
    area = {k: auc(v[member], v[~member]) for k, v in scores.items()}
    best = norm.cdf(1.2 / (0.7 * math.sqrt(2)))  # of two normal laws, with the difficulty of each item known
    assert area["LiRA"] == pytest.approx(best, abs=0.03)
    assert area["loss"] < area["RMIA"] <= area["LiRA"] + 0.01
    assert area["loss"] == pytest.approx(norm.cdf(1.2 / math.sqrt(2 * (1.5**2 + 0.7**2))), abs=0.03)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 1.0, 0.5, 1e-12, 1 - 1e-12, 0.3]), min_size=48, max_size=48),
    st.lists(st.sampled_from([0.0, 1.0, 0.7]), min_size=8, max_size=8),
)
def test_zeros_ones_and_ties_give_finite_scores(said: list[float], p: list[float]) -> None:
    references = moments(np.array(said).reshape(6, 8), design(6, 8))
    ratio, offline = rmia_ratio(p, references), rmia_ratio_offline(p, references, a=0.3)
    for score in (
        lira(p, references),
        lira_offline(p, references),
        loss(p),
        ratio,
        rmia(ratio, ratio),
        rmia(offline, offline),
    ):
        assert np.isfinite(score).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([1.0, 1.5, 2.0]))
def test_rmia_never_falls_with_the_ratio(seed: int, gamma: float) -> None:
    rng = np.random.default_rng(seed)
    ratio, population = np.sort(rng.choice(np.linspace(0.2, 3, 30), 40)), rng.random(25) * 2 + 0.1
    score = rmia(ratio, population, gamma=gamma)
    assert (np.diff(score) >= 0).all()
    assert score.min() >= 0
    assert score.max() <= 1


def test_constant_confidences_give_constant_scores() -> None:
    references = moments(np.full((4, 6), 0.7), design(4, 6))
    ratio = rmia_ratio(np.full(6, 0.7), references)
    for score in (lira(np.full(6, 0.7), references), lira_offline(np.full(6, 0.7), references), rmia(ratio, ratio)):
        assert np.ptp(score) == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_moments_do_not_depend_on_the_order_of_models(seed: int) -> None:
    _, said, trained = simulated(8, 10, seed=seed)
    a, b = moments(said, trained), moments(said[::-1], trained[::-1])
    for name in ("count", "phi", "probability", "squares"):
        assert getattr(a, name) == pytest.approx(getattr(b, name))
    side = 1
    expected = [np.var(logit(said[trained[:, i], i])) * a.count[side, i] for i in range(10)]
    assert a.squares[side] == pytest.approx(expected)


def test_items_without_a_model_on_one_side_are_named() -> None:
    _, said, trained = simulated(4, 6)
    references = moments(said[:1], trained[:1])
    assert not references.complete.any()
    with pytest.raises(ValueError, match="3 items have no reference model trained with them"):
        lira([0.5] * 6, references)
    with pytest.raises(ValueError, match="3 items have no reference model trained without them"):
        rmia_ratio_offline([0.5] * 6, references, a=1)


def test_some_of_the_items() -> None:
    p, said, trained = simulated(4, 6)
    references = moments(said, trained).of([4, 1])
    assert references.phi.shape == (2, 2)
    assert rmia_ratio(p[[4, 1]], references) == pytest.approx(rmia_ratio(p, moments(said, trained))[[4, 1]])


@pytest.mark.parametrize("a", [-0.1, 1.1, math.nan])
def test_a_lies_between_0_and_1(a: float) -> None:
    _, said, trained = simulated(4, 6)
    with pytest.raises(ValueError, match="lies between 0 and 1"):
        rmia_ratio_offline([0.5] * 6, moments(said, trained), a=a)


def test_rmia_needs_a_population_and_a_gamma() -> None:
    with pytest.raises(ValueError, match="at least one item"):
        rmia(np.ones(3), np.ones(0))
    with pytest.raises(ValueError, match="above 0"):
        rmia(np.ones(3), np.ones(3), gamma=0)


def test_clipping_is_what_single_precision_tells_from_1() -> None:
    assert np.float32(1 - CLIP) < 1
    assert clipped([0, 1]).tolist() == [CLIP, 1 - CLIP]


@pytest.mark.parametrize("items", [7, 10])
def test_each_item_is_in_half_of_the_models_and_each_model_in_half_of_the_items(items: int) -> None:
    trained = design(16, items)
    assert trained.sum(axis=0).tolist() == [8] * items
    assert set(trained.sum(axis=1).tolist()) <= {items // 2, items - items // 2}
    assert len({row.tobytes() for row in trained}) > 8
