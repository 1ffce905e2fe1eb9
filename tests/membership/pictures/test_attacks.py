from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from guardrails.membership.pictures.attacks import (
    DRAWS,
    diffusion_loss,
    elbo,
    nearest_output,
    pia,
    reconstruction,
    secmi,
    white_box_scores,
)
from guardrails.targets.white_box import Autoencoder, Discriminator, NoisePredictor

RNG = np.random.default_rng(0)
PICTURES = [RNG.integers(0, 256, (4, 4, 3)).astype(np.uint8) for _ in range(5)]
X = np.stack(PICTURES) / 127.5 - 1


class Diffusion:
    """ε_θ(x, t) = a_t x + t/10⁴: each formula can be written out by hand."""

    alpha_bar = np.cos(np.linspace(0.05, 1.5, 1000)) ** 2

    def __init__(self) -> None:
        self.calls = 0

    def predict_noise(self, x_t: Any, t: int) -> Any:
        self.calls += 1
        return np.sqrt(1 - self.alpha_bar[t]) * x_t + t / 1e4


class Vae:
    def elbo(self, images: Any, *, seed: int) -> Any:
        return np.array([image.mean() for image in images]) + np.random.default_rng(seed).normal()

    def reconstruct(self, images: Any, *, seed: int) -> Any:
        return np.stack(images)[..., 0] / 255 + 0.25


def test_the_loss_is_the_mean_squared_error_of_the_noise_at_step_100() -> None:
    box = Diffusion()
    scores = diffusion_loss(box, X, seed=3)
    assert box.calls == DRAWS
    alone = diffusion_loss(box, X[:3], seed=3)
    assert scores[:3] == pytest.approx(alone, rel=0.5)
    a = box.alpha_bar[100]
    # E(ε − ε_θ)² for ε_θ = √(1 − ᾱ)(√ᾱ x + √(1 − ᾱ) ε) + c is ᾱ² + (√((1 − ᾱ)ᾱ) x + c)².
    expected = a**2 + ((np.sqrt((1 - a) * a) * X + 0.01) ** 2).mean((1, 2, 3))
    many = np.mean([diffusion_loss(box, X, seed=s) for s in range(60)], axis=0)
    assert -many == pytest.approx(expected, rel=0.03)


def test_secmi_against_its_steps_written_out() -> None:
    box = Diffusion()
    scores = secmi(box, X)
    assert box.calls == 12  # ten strides up to step 100, one beyond it and back

    def stride(x: Any, t: int, s: int) -> Any:
        told = box.predict_noise(x, t)
        x_0 = (x - (1 - box.alpha_bar[t]) ** 0.5 * told) / box.alpha_bar[t] ** 0.5
        return box.alpha_bar[s] ** 0.5 * x_0 + (1 - box.alpha_bar[s]) ** 0.5 * told

    at = X
    for t in range(0, 100, 10):
        at = stride(at, t, t + 10)
    error = ((stride(stride(at, 100, 110), 110, 100) - at) ** 2).mean((1, 2, 3))
    assert scores == pytest.approx(-error)


def test_pia_against_its_formula() -> None:
    box = Diffusion()
    scores = pia(box, X)
    assert box.calls == 2
    first = box.predict_noise(X, 0)
    a = box.alpha_bar[200]
    difference = first - box.predict_noise(a**0.5 * X + (1 - a) ** 0.5 * first, 200)
    assert scores == pytest.approx(-((difference**4).sum((1, 2, 3)) ** 0.25))


def test_another_number_of_steps_is_gone_through_at_the_same_shares() -> None:
    class Short(Diffusion):
        alpha_bar = Diffusion.alpha_bar[::10]

        def predict_noise(self, x_t: Any, t: int) -> Any:
            assert t < 100
            return super().predict_noise(x_t, t)

    for values in white_box_scores(Short(), PICTURES, seed=0).values():
        assert np.isfinite(values).all()


def test_an_exact_noise_predictor_is_told_from_a_rough_one() -> None:
    """A model that knows x₀ predicts any noise exactly: its losses are 0, and smaller than those of others."""

    class Knows(Diffusion):
        def predict_noise(self, x_t: Any, t: int) -> Any:
            a = self.alpha_bar[t]
            return (x_t - np.sqrt(a) * X) / np.sqrt(1 - a)

    for attack in (secmi, pia, lambda box, x: diffusion_loss(box, x, seed=0)):
        assert attack(Knows(), X) == pytest.approx(np.zeros(5), abs=1e-10)
        assert (attack(Diffusion(), X) < -1e-8).all()


def test_reconstruction_and_elbo_are_means_over_draws() -> None:
    grey = [np.repeat(p[..., :1], 3, axis=2) for p in PICTURES]
    assert reconstruction(Vae(), grey, seed=0) == pytest.approx(np.full(5, -0.25))
    bounds = elbo(Vae(), PICTURES, seed=0)
    assert np.diff(bounds) == pytest.approx(np.diff([p.mean() for p in PICTURES]))


def test_the_nearest_output_against_all_pairs() -> None:
    a, b, c = RNG.normal(size=(700, 6)), RNG.normal(size=(9, 6)), RNG.normal(size=(8, 6))
    near = np.sqrt(((a[:, None] - b) ** 2).sum(2)).min(1)
    other = np.sqrt(((a[:, None] - c) ** 2).sum(2)).min(1)
    assert nearest_output(a, b, c) == pytest.approx(other - near)
    assert nearest_output(a, b, c[:0]) == pytest.approx(-near)
    assert nearest_output(b, b, c[:0]) == pytest.approx(np.zeros(9), abs=1e-6)


def test_a_white_box_is_known_by_its_methods() -> None:
    class Judge:
        def scores(self, images: Any) -> Any:
            return [float(image.mean()) for image in images]

    assert isinstance(Vae(), Autoencoder)
    assert isinstance(Diffusion(), NoisePredictor)
    assert isinstance(Judge(), Discriminator)
    assert set(white_box_scores(Vae(), PICTURES, seed=0)) == {"ELBO", "reconstruction"}
    assert set(white_box_scores(Diffusion(), PICTURES, seed=0)) == {"diffusion loss", "SecMI", "PIA"}
    assert white_box_scores(Judge(), PICTURES, seed=0)["discriminator"].tolist() == [p.mean() for p in PICTURES]
    assert white_box_scores(None, PICTURES, seed=0) == {}


@pytest.mark.parametrize(
    ("name", "attacks"),
    [
        ("vae-medical", {"ELBO", "reconstruction"}),
        ("gan-art", {"discriminator"}),
        ("diffusion-photo", {"diffusion loss", "SecMI", "PIA"}),
    ],
)
def test_the_reference_generators_offer_their_white_box(name: str, attacks: set[str]) -> None:
    from guardrails.targets import load_target

    target: Any = load_target(f"reference:{name}")
    pictures = target.generator.holdout_items()[:3]
    scores = white_box_scores(target.white_box, pictures, seed=0)
    assert set(scores) == attacks
    again = white_box_scores(target.white_box, pictures, seed=0)
    for key, values in scores.items():
        assert values.shape == (3,)
        assert np.isfinite(values).all()
        assert values == pytest.approx(again[key])


def test_the_diffusion_white_box_agrees_with_the_generator_itself() -> None:
    from guardrails.targets import load_target

    target: Any = load_target("reference:diffusion-photo")
    pictures = target.generator.holdout_items()[:4]
    losses = np.mean([target.generator.loss_at(pictures, 100, seed=s) for s in range(DRAWS)], axis=0)
    scores = white_box_scores(target.white_box, pictures, seed=0)["diffusion loss"]
    assert -scores == pytest.approx(losses, rel=0.2)


@pytest.mark.slow
def test_pictures_that_the_diffusion_model_has_by_heart_are_told_from_others() -> None:
    from guardrails.core.statistics import auc
    from guardrails.targets import load_target

    areas = {}
    for dose in ("", ",memorize=1"):
        target: Any = load_target(f"reference:diffusion-photo{dose}")
        pictures = [*target.generator.training_items()[:6], *target.generator.holdout_items()[:100]]
        scores = white_box_scores(target.white_box, pictures, seed=0)
        areas[dose] = {name: auc(values[:6], values[6:]) for name, values in scores.items()}
    assert min(areas[",memorize=1"][name] for name in ("diffusion loss", "PIA")) > 0.85
    assert all(areas[",memorize=1"][name] > areas[""][name] for name in areas[""])
