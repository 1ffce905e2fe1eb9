"""The Wiener filter [1]_: the best denoiser that is linear and treats every frequency for itself.

In an orthonormal basis, the cosine waves [2]_ of brightness and of two colour differences, the pictures' coefficients
have the mean m and the variances λ. From x_t = √ᾱ x₀ + √(1 − ᾱ) ε it tells ::

    x̂₀ = m + λ √ᾱ / (λ ᾱ + 1 − ᾱ) · (x_t − √ᾱ m)

and so leaves of ε, whose variance is 1, the share e = mean of λ ᾱ / (λ ᾱ + 1 − ᾱ). Were the law Gaussian and the same
everywhere, no denoiser would do better: what beats it knows of edges and of things.

.. [1] N. Wiener, "Extrapolation, Interpolation, and Smoothing of Stationary Time Series", MIT Press 1949.
.. [2] N. Ahmed, T. Natarajan and K. R. Rao, "Discrete Cosine Transform", IEEE Transactions on Computers C-23, 1974.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

COLOURS = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])
"""Brightness, red against blue, green against both."""


def measure(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean colour m, (3, 1, 1), and √λ, (3, S, S), of pictures (N, 3, S, S)."""
    mean = x.mean((0, 2, 3)).view(3, 1, 1)
    return mean, transform(x - mean).square().mean(0).sqrt()


def restore(x_t: torch.Tensor, alpha_bar: torch.Tensor, mean: torch.Tensor, spread: torch.Tensor) -> torch.Tensor:
    """Return x̂₀ for noisy pictures (B, 3, S, S); ᾱ is (B, 1, 1, 1), `mean` and `spread` are as `measure` gives them."""
    kept, power = alpha_bar.sqrt(), spread.square()
    gain = power * kept / (power * alpha_bar + 1 - alpha_bar)
    return mean + inverse(gain * transform(x_t - kept * mean))


def loss(alpha_bar: torch.Tensor, spread: torch.Tensor) -> torch.Tensor:
    """Return the share e of the noise that the filter leaves, (B, 1, 1, 1), for ᾱ of that shape."""
    power = spread.square() * alpha_bar
    return (power / (power + 1 - alpha_bar)).mean((1, 2, 3), keepdim=True)


def transform(x: torch.Tensor) -> torch.Tensor:
    """Return the coefficients of pictures, (B, 3, S, S) both."""
    colours, waves = _basis(x.shape[-1])
    return _mixed(colours, waves @ x @ waves.T)


def inverse(z: torch.Tensor) -> torch.Tensor:
    """Return the pictures that have these coefficients."""
    colours, waves = _basis(z.shape[-1])
    return _mixed(colours.T, waves.T @ z @ waves)


def _mixed(colours: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return (colours @ x.flatten(2)).view(x.shape)


@cache
def _basis(side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return orthonormal rows: three colours, (3, 3), and cosine waves, (S, S)."""
    import torch

    k, i = np.mgrid[:side, :side]
    waves = np.cos(np.pi * (i + 0.5) * k / side) * np.sqrt(np.where(k == 0, 1, 2) / side)
    return torch.from_numpy(COLOURS).float(), torch.from_numpy(waves).float()
