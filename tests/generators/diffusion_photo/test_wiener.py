"""The Wiener filter, and the measures of pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.diffusion_photo import photographs, wiener
from generators.diffusion_photo import truth as diffusion_truth

seeds = st.integers(0, 2**32 - 1)


def test_the_kernel_distance_is_that_of_the_double_sum() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((7, 3)), rng.standard_normal((5, 3)) + 1

    def k(x: np.ndarray, y: np.ndarray) -> float:
        return float(np.exp(-np.sum((x - y) ** 2) / (2 * 1.5**2)))

    within_a = np.mean([k(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j])
    within_b = np.mean([k(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j])
    between = np.mean([k(x, y) for x in a for y in b])
    assert diffusion_truth.kernel_distance(a, b, 1.5) == pytest.approx(within_a + within_b - 2 * between)


def test_the_spectral_slope_of_a_power_law_is_its_exponent() -> None:
    rng = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(32)[:, None], np.fft.fftfreq(32))
    frequency[0, 0] = np.inf
    for exponent in (0.0, -2.0):
        field = np.fft.ifft2(np.fft.fft2(rng.standard_normal((400, 32, 32))) * frequency ** (exponent / 2)).real
        images = np.repeat(field[..., None] / field.std() * 30 + 128, 3, axis=-1)
        assert diffusion_truth.spectral_slope(images) == pytest.approx(exponent, abs=0.2)


def test_edges_are_rare_in_steps_and_common_in_noise() -> None:
    noise = np.random.default_rng(0).normal(128, 20, (50, 32, 32, 1)).repeat(3, -1)
    assert diffusion_truth.edges(noise) == pytest.approx((2 / np.pi) ** 0.5, abs=0.01)
    steps = np.where(np.arange(32) < 16, 0.0, 255.0)[None, None, :, None].repeat(32, 1).repeat(3, -1)
    assert diffusion_truth.edges(steps) == pytest.approx(31**-0.5)


def test_the_basis_of_the_filter_is_orthonormal_and_that_of_scipy() -> None:
    from scipy.fft import dctn

    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    z = wiener.transform(x)
    assert torch.allclose(wiener.inverse(z), x, atol=1e-5)
    mixed = np.einsum("oc,bcij->boij", wiener.COLOURS, x.double().numpy())
    assert z.numpy() == pytest.approx(dctn(mixed, axes=(2, 3), norm="ortho"), abs=1e-5)


@settings(max_examples=10, deadline=None)
@given(seed=seeds, alpha_bar=st.floats(0.01, 0.99))
def test_the_filter_is_the_posterior_mean_of_a_gaussian_law(seed: int, alpha_bar: float) -> None:
    # Pictures that follow the filter's own law exactly: its error is what it says, and no scaling of it does better.
    draw = torch.Generator().manual_seed(seed)
    spread, mean = torch.rand(3, 32, 32, generator=draw) + 0.1, torch.tensor([0.1, 0.2, -0.3]).view(3, 1, 1)
    x_0 = mean + wiener.inverse(spread * torch.randn(60, 3, 32, 32, generator=draw))
    share = torch.full((60, 1, 1, 1), alpha_bar)
    epsilon = torch.randn(x_0.shape, generator=draw)
    x_t = share.sqrt() * x_0 + (1 - share).sqrt() * epsilon
    told = (x_t - share.sqrt() * wiener.restore(x_t, share, mean, spread)) / (1 - share).sqrt()
    error = float((told - epsilon).square().mean())
    assert error == pytest.approx(float(wiener.loss(share, spread)[0]), rel=0.03)


def test_the_wiener_filter_is_the_best_for_white_pictures() -> None:
    # Of white pictures of variance s the posterior is known: the error of ε is s ᾱ / (s ᾱ + 1 − ᾱ).
    images = np.random.default_rng(0).normal(127.5, 30, (400, 32, 32, 3))
    s, alpha_bar = (30 / 127.5) ** 2, 0.7
    known = s * alpha_bar / (s * alpha_bar + 1 - alpha_bar)
    assert diffusion_truth.linear_loss(images, alpha_bar) == pytest.approx(known, rel=0.01)


def test_a_gaussian_of_pictures_has_their_mean_and_covariance() -> None:
    images = photographs.draw(500, np.random.default_rng(0))
    drawn = diffusion_truth.gaussian(images, np.random.default_rng(1))
    assert drawn.shape == images.shape
    assert drawn.mean() == pytest.approx(images.mean(), abs=5)
    assert drawn[..., 0].std() == pytest.approx(images[..., 0].std(), rel=0.1)
    assert diffusion_truth.edges(drawn) > diffusion_truth.edges(images) + 0.05
