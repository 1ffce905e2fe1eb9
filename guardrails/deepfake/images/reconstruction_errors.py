"""How far a picture is from what the suspect generator makes of it, and the same of a copy that it cannot have made.

Smooth pictures are given back well by any generator. So the error of a picture is set against that of its own copy,
turned by 90° and low-passed: as smooth or as busy as the picture itself, and no output of the suspect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]

SIGMA = 1.0
"""Of the low pass, in pixels."""
MS_SSIM = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])
"""Weights of the scales, the finest first (Wang, Simoncelli & Bovik 2003)."""
C1, C2 = 0.01**2, 0.03**2
LEAST = 11
"""Side, in pixels, of the smallest scale."""
FLOOR = 1e-6


def errors(x: Array, y: Array) -> Array:
    """Return the distances of pictures, (N, H, W, 3) in 0–1 each: (N, 3), all positive.

    1 − MS-SSIM; mean absolute difference of the gradients; and the share of the squared error that a blur leaves, which
    is small where the difference is no more than the noise that a generator adds to its outputs.
    """
    difference = x - y
    power = (difference**2).mean(axis=(1, 2, 3))
    blurred = (_blur(difference, SIGMA) ** 2).mean(axis=(1, 2, 3))
    distances = np.stack([1 - ms_ssim(x, y), gradients(difference), (blurred + FLOOR) / (power + FLOOR)], axis=1)
    out: Array = np.maximum(distances, FLOOR)
    return out


def gradients(difference: Array) -> Array:
    """Mean absolute step between neighbours, down and to the right, (N,)."""
    out = np.zeros(len(difference))
    for axis in (1, 2):
        steps = np.abs(np.diff(difference, axis=axis)).reshape(len(difference), -1)
        out += steps.sum(axis=1) / max(steps.shape[1], 1)
    return out


def ms_ssim(x: Array, y: Array) -> Array:
    """Multi-scale structural similarity of pictures (N, H, W, 3) in 0–1, (N,); as many scales as their size allows.

    A Gaussian of σ 1.5 weighs the places; the weights of the scales that are used add up to 1.
    """
    scales = 1
    while scales < len(MS_SSIM) and min(x.shape[1:3]) >> scales >= LEAST:
        scales += 1
    weights = MS_SSIM[:scales] / MS_SSIM[:scales].sum()
    out = np.ones(len(x))
    for k in range(scales):
        a, b = _blur(x, 1.5), _blur(y, 1.5)
        variances = _blur(x * x, 1.5) - a * a + _blur(y * y, 1.5) - b * b
        similarity = (2 * (_blur(x * y, 1.5) - a * b) + C2) / (variances + C2)
        if k == scales - 1:
            similarity = similarity * (2 * a * b + C1) / (a * a + b * b + C1)
        else:
            x, y = _half(x), _half(y)
        out *= np.clip(similarity.mean(axis=(1, 2, 3)), FLOOR, 1) ** weights[k]
    return out


def copies(x: Array) -> Array:
    """Return pictures (N, H, W, 3) turned by 90° and low-passed, (N, W, H, 3)."""
    return _blur(np.rot90(x, axes=(1, 2)), SIGMA)


def described(x: Array, rebuild: Callable[[Array], Array]) -> Array:
    """Return the logarithms of the errors of pictures and of their copies, (N, 6)."""
    turned = copies(x)
    out: Array = np.log(np.concatenate([errors(x, rebuild(x)), errors(turned, rebuild(turned))], axis=1))
    return out


def nearness(described: Array) -> Array:
    """Return how much nearer pictures are given back than their copies, (N,): structure and gradient, in log units."""
    original, copy = described[:, :2], described[:, 3:5]
    out: Array = (copy - original).mean(axis=1)
    return out


def mirrored(text: str) -> str:
    """Return a text with each of its lines written backwards: as rich as it, and not what a model of it expects."""
    return "\n".join(line[::-1] for line in text.split("\n"))


def _blur(x: Array, sigma: float) -> Array:
    from scipy.ndimage import gaussian_filter

    out: Array = gaussian_filter(x, (0, sigma, sigma, 0), truncate=3.5)
    return out


def _half(x: Array) -> Array:
    n, height, width, _ = x.shape
    even = x[:, : height // 2 * 2, : width // 2 * 2]
    out: Array = even.reshape(n, height // 2, 2, width // 2, 2, -1).mean(axis=(2, 4))
    return out
