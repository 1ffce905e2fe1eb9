"""Whether the grain of a face is that of its surroundings, and whether there is a step around it.

Grain. r = x ∗ k with k = [1, −2, 1]ᵀ[1, −2, 1] / 6 hides what is smooth and keeps the variance of white noise
(Immerkær 1996); the median of |r| in a block over .6745 is the deviation of the grain there, edges left out. One camera
and one file give similar grain in face and surroundings; a face from elsewhere, or made by a network, brings its own
(Mahdian & Saic 2009; Fridrich & Kodovský 2012 for the kernel).

Border. How steep the picture is across ellipses around the face, by their size: a mask's edge is a bump at its radius
(Li et al. 2020, arXiv 1912.13458, "face X-ray", look for the same by a network).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

BLOCK = 8
RINGS = 10
HEIGHT = 0.62
"""Half height of a face's ellipse at radius 1, as a share of half the side of a crop; half widths are .78 of it."""
INNER, OUTER = 0.75, 1.2
"""Radii within which a place is the face, and beyond which it is not."""
MIN_SIGMA = 0.05
"""Levels: below, a block is flat, as in a saturated or a painted area."""
_SECOND = np.array([1, -2, 1], dtype=np.float32)


def noise_map(crop: NDArray[np.uint8]) -> Floats:
    """Return the deviation of the grain by place.

    Parameters
    ----------
    crop : array of uint8
        (S, S, 3) around a face.

    Returns
    -------
    array of float32
        (3, S // 8, S // 8) in levels: of luma and of the two colour differences.
    """
    planes = _planes(crop)
    residual = sum(
        float(a * b) * planes[:, i : planes.shape[1] - 2 + i, j : planes.shape[2] - 2 + j]
        for i, a in enumerate(_SECOND)
        for j, b in enumerate(_SECOND)
    )
    size = crop.shape[0] // BLOCK
    padded = np.pad(np.abs(residual) / 6, ((0, 0), (1, 1), (1, 1)), mode="edge")[:, : size * BLOCK, : size * BLOCK]
    blocks = padded.reshape(3, size, BLOCK, size, BLOCK).transpose(0, 1, 3, 2, 4).reshape(3, size, size, -1)
    out: Floats = (np.median(blocks, axis=-1) / 0.6745).astype(np.float32)
    return out


def noise_traits(crop: NDArray[np.uint8]) -> Floats:
    """Return how the grain inside, around and outside of the face differ: (12,) logarithms of ratios and spreads."""
    log_sigma = np.log(np.maximum(noise_map(crop), MIN_SIGMA))
    radius, _ = polar(log_sigma.shape[1])
    inside, outside = radius < INNER, radius > OUTER
    band = ~inside & ~outside
    face, edge, rest = (np.median(log_sigma[:, where], axis=1) for where in (inside, band, outside))
    spread = log_sigma[:, inside].std(axis=1) - log_sigma[:, outside].std(axis=1)
    return np.concatenate([face - rest, edge - rest, edge - face, spread]).astype(np.float32)


def border_traits(crop: NDArray[np.uint8]) -> Floats:
    """Return how steep the picture is across ellipses of `RINGS` sizes: (3 × `RINGS`,) logarithms less their mean."""
    planes = _planes(crop)
    down, across = np.gradient(planes, axis=(1, 2))
    radius, outward = polar(crop.shape[0])
    steep = np.abs(down * np.sin(outward) + across * np.cos(outward))
    ring = np.clip(((radius - 0.4) / 1.0 * RINGS).astype(int), -1, RINGS)
    rows = [[np.log(0.1 + plane[ring == k].mean()) for k in range(RINGS)] for plane in steep]
    profile = np.array(rows)
    out: Floats = (profile - profile.mean(axis=1, keepdims=True)).ravel().astype(np.float32)
    return out


def _planes(crop: NDArray[np.uint8]) -> Floats:
    """Luma and the differences of blue and of red to it, (3, S, S)."""
    x = crop.astype(np.float32)
    luma = x @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    return np.stack([luma, (x[..., 2] - luma) / 1.772, (x[..., 0] - luma) / 1.402])


def polar(side: int) -> tuple[Floats, Floats]:
    """Radius in ellipses and the direction outward, (S, S) each."""
    place = (np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1
    x, y = place[None] / (0.78 * HEIGHT), place[:, None] / HEIGHT
    out = np.hypot(x, y).astype(np.float32), np.arctan2(y / HEIGHT, x / (0.78 * HEIGHT)).astype(np.float32)
    return out
