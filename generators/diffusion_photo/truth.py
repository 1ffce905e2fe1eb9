"""What is true of `diffusion-photo`: how many outputs are near-copies, and how far they are from their law."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from guardrails.kit.pictures.features import image_features

from .. import cards

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .model import DiffusionPhoto

    Images = NDArray[np.uint8]
    Array = NDArray[np.float64]

BLOCK = 100
BAR_DISTANCE, BAR_SLOPE, BAR_EDGES, BAR_LOSS = 0.02, 0.25, 0.1, 0.9
STEPS = (50, 150, 250, 350, 450, 550, 650, 750, 850, 950)
"""Where the loss is measured."""


def balance(images: Images) -> dict[str, Any]:
    """Return what these pictures are like: how bright, how full of contrast, how colourful, each by its quartiles."""
    x = images.reshape(len(images), -1, 3) / 255
    light = x.mean(2)
    traits = {"brightness": light.mean(1), "contrast": light.std(1), "colour": x.std(2).mean(1)}
    return {what: [round(float(q), 3) for q in np.quantile(v, (0.25, 0.5, 0.75))] for what, v in traits.items()}


def kernel_distance(a: Array, b: Array, width: float) -> float:
    """Return the unbiased estimate of the squared maximum mean discrepancy [1]_, with the kernel exp(−‖x − y‖² / 2 w²).

    It is 0 on average where both are of one law, so it may come out negative. KID [2]_ is this with another kernel.

    Parameters
    ----------
    a, b : ndarray
        (N, D) and (M, D) features.
    width : float
        w of the kernel.

    References
    ----------
    .. [1] A. Gretton et al., "A Kernel Two-Sample Test", Journal of Machine Learning Research 13, 2012.
    .. [2] M. Bińkowski et al., "Demystifying MMD GANs", ICLR 2018, arXiv 1801.01401.
    """

    def kernel(x: Array, y: Array) -> Array:
        out: Array = np.exp(-_squared(x, y) / (2 * width**2))
        return out

    n, m = len(a), len(b)
    within_a = (kernel(a, a).sum() - n) / (n * (n - 1))  # a pair of an item with itself says nothing: k(x, x) = 1
    within_b = (kernel(b, b).sum() - m) / (m * (m - 1))
    return float(within_a + within_b - 2 * kernel(a, b).mean())


def spectral_slope(images: Images) -> float:
    """Return the slope of log power over log frequency of the pictures' brightness; natural ones have about −2.

    The power is averaged over pictures and directions, from 2 to 14 waves a picture, under a Hann window so that
    opposite edges do not meet.
    """
    light = images.mean(-1) / 255
    side = light.shape[1]
    window = np.hanning(side)[:, None] * np.hanning(side)
    light = (light - light.mean((1, 2), keepdims=True)) * window
    power = (np.abs(np.fft.fft2(light)) ** 2).mean(0)
    waves = np.fft.fftfreq(side, 1 / side)
    ring = np.hypot(waves[:, None], waves).round().astype(int)
    k = np.arange(2, side // 2 - 1)
    means = [power[ring == r].mean() for r in k]
    return float(np.polyfit(np.log(k), np.log(means), 1)[0])


def edges(images: Images) -> float:
    """Return E|g| / √E g² of the differences g of neighbouring pixels: the smaller, the rarer and sharper the edges.

    √(2/π) ≈ 0.8 for a Gaussian law; natural pictures are flat nearly everywhere and have steps in between.
    """
    g = np.diff(images.mean(-1), axis=2)
    return float(np.abs(g).mean() / np.sqrt(np.square(g).mean()))


def linear_loss(images: Images, alpha_bar: float) -> float:
    """Return the loss of ε at ᾱ of the Wiener filter that was measured on these pictures themselves.

    It knows more of them than a model may, so to beat it is the harder.
    """
    import torch

    from . import wiener

    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    _, spread = wiener.measure(x)
    return wiener.loss(torch.full((1, 1, 1, 1), alpha_bar), spread).item()


def quality(model: DiffusionPhoto, samples: Images, fresh: Images) -> dict[str, Any]:
    """Return how far the samples are from the law, and how well the model tells the noise on pictures never seen.

    Parameters
    ----------
    model : DiffusionPhoto
        Whose network tells the noise.
    samples : ndarray of uint8
        Its outputs, (N, 32, 32, 3).
    fresh : ndarray of uint8
        2 N pictures of the law: one half to compare with, the other for what real pictures themselves reach.
    """
    real, more = fresh[::2], fresh[1::2]
    others = {
        "real": more,
        "gaussian": gaussian(more, np.random.default_rng(0)),
        "untrained": np.stack(type(model)().sample(2 * BLOCK, seed=0)),
    }
    described = image_features(real)
    width = float(np.sqrt(np.median(_squared(described, described))))

    def blocks(images: Images) -> Iterator[tuple[Images, Images]]:
        return ((images[i : i + BLOCK], real[i : i + BLOCK]) for i in range(0, len(images), BLOCK))

    def distances(images: Images) -> list[float]:
        return [kernel_distance(image_features(a), image_features(b), width) for a, b in blocks(images)]

    def slopes(images: Images) -> list[float]:
        return [abs(spectral_slope(a) - spectral_slope(b)) for a, b in blocks(images)]

    def edge_differences(images: Images) -> list[float]:
        return [abs(edges(a) - edges(b)) for a, b in blocks(images)]

    measured = {
        "kernel_distance": (distances, BAR_DISTANCE, "squared MMD of colour layouts"),
        "spectral_slope": (slopes, BAR_SLOPE, "difference of the slopes of the power spectra"),
        "edges": (edge_differences, BAR_EDGES, "difference of mean over root mean square of the gradients"),
    }
    figures = {
        name: cards.with_bar(
            cards.mean(
                measure(samples), f"{what}, blocks of {BLOCK} samples against as many fresh pictures of the law"
            ),
            bar,
            higher_is_better=False,
            **{other: round(float(np.mean(measure(images))), 5) for other, images in others.items()},
        )
        for name, (measure, bar, what) in measured.items()
    }
    held_out = real[: 4 * BLOCK]
    loss = np.array([model.loss_at(held_out, t, seed=0) for t in STEPS]).mean(0)
    linear = float(np.mean([linear_loss(held_out, float(model.alpha_bar[t])) for t in STEPS]))
    what = f"loss on {len(held_out)} fresh pictures over that of the Wiener filter, means of {len(STEPS)} steps"
    return figures | {"denoising": cards.with_bar(cards.mean(loss / linear, what), BAR_LOSS, higher_is_better=False)}


def gaussian(images: Images, rng: np.random.Generator) -> Images:
    """Return as many pictures of the Gaussian law that has these pictures' mean and covariance."""
    x = images.reshape(len(images), -1) / 255
    mean = x.mean(0)
    drawn = mean + rng.standard_normal((len(x), len(x))) @ (x - mean) / np.sqrt(len(x))
    out: Images = np.round(drawn.clip(0, 1) * 255).astype(np.uint8).reshape(images.shape)
    return out


def _squared(x: Array, y: Array) -> Array:
    """(N, D), (M, D) → squared distances (N, M)."""
    out: Array = (np.square(x).sum(1)[:, None] + np.square(y).sum(1) - 2 * x @ y.T).clip(0)
    return out
