"""Small pictures as a photograph has them: patches of six photographs, and procedural textures without end.

A *patch* is 32 × 32 pixels of one of the photographs below, which scikit-image carries in its wheel: a square anywhere
in it, 1 to 3 times as large, averaged down, perhaps mirrored, exposed anew and under another light (a gain of each
colour). A photograph comes as often as it has pixels, so all its parts that are not flat come about equally often.
Only photographs that are free of copyright (CC0 or public domain) and show nobody were taken.

A *texture* is a dead-leaves picture [1]_: opaque leaves of random place and colour lie over one another, with radii of
density r⁻³, which gives pictures the scale invariance and the sharp edges of natural ones. On them lie a 1/f field
[2]_, as clouds and plaster have it, a slope of light, and grain; some are out of focus.

Of either kind, what is nearly flat, mostly sky, is drawn again: flat pictures are all near-copies of one another.

Two photographs of scikit-learn's wheel are *reserved*: nothing here is ever drawn from them.

.. [1] A. B. Lee, D. Mumford and J. Huang, "Occlusion Models for Natural Images: A Statistical Study of a
   Scale-Invariant Dead Leaves Model", International Journal of Computer Vision 41, 2001.
.. [2] D. J. Field, "Relations between the Statistics of Natural Images and the Response Properties of Cortical Cells",
   Journal of the Optical Society of America A 4 (12), 1987.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Images = NDArray[np.uint8]

SIDE = 32
PHOTOGRAPHS = ("coffee", "chelsea", "rocket", "motorcycle", "brick", "gravel")
"""Of scikit-image; the last two are grey, and get the colour of their light."""
RESERVED = ("china", "flower")
"""Of scikit-learn: no part of this law."""
SHARE = 0.5
"""The probability that a picture is a patch of a photograph, not a texture."""
SCALES = (1, 2, 3)
"""How many pixels of the photograph, along each side, go into one of the patch; each as often as another."""
EXPOSURE, LIGHT = 0.15, 0.06
"""Standard deviations of the logarithm of the gain of all colours, and of red against blue."""
FLAT = 0.04
"""A picture whose brightness has a smaller standard deviation (black 0, white 1) is drawn again."""
LEAVES = 24
RADIUS = (4.0, 28.0)
MARGIN = 8
"""Leaves also lie this many pixels outside, and reach in."""


def draw(n: int, rng: np.random.Generator) -> Images:
    """Draw n pictures of the law, photographs and textures mixed: (n, 32, 32, 3).

    Examples
    --------
    >>> draw(3, np.random.default_rng(0)).shape
    (3, 32, 32, 3)
    """
    out = np.empty((n, SIDE, SIDE, 3), np.uint8)
    wanted = np.arange(n)
    while len(wanted):
        is_patch = rng.random(len(wanted)) < SHARE
        for kind, where in ((patches, wanted[is_patch]), (textures, wanted[~is_patch])):
            out[where] = kind(len(where), rng)
        wanted = wanted[is_flat(out[wanted])]
    return out


def is_flat(images: Images) -> NDArray[np.bool_]:
    """Tell which pictures (n, 32, 32, 3) have next to nothing in them, (n,)."""
    out: NDArray[np.bool_] = images.mean(3).std((1, 2)) / 255 < FLAT
    return out


def passes(pictures: int) -> float:
    """Return how often a pixel of the photographs goes, on average, into this many pictures of the law."""
    available: int = sum(photograph(name).size // 3 for name in PHOTOGRAPHS)
    return pictures * SHARE * SIDE**2 * float(np.mean(np.square(SCALES))) / available


@cache
def photograph(name: str) -> Images:
    """Return one of scikit-image's photographs, (H, W, 3)."""
    from skimage import data

    pixels = data.stereo_motorcycle()[0] if name == "motorcycle" else getattr(data, name)()
    colour: Images = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels[..., :3]
    return colour


def patches(n: int, rng: np.random.Generator) -> Images:
    """Draw n patches of the photographs, (n, 32, 32, 3)."""
    sizes = np.array([photograph(name).size for name in PHOTOGRAPHS])
    of, scale, mirrored = rng.choice(len(sizes), n, p=sizes / sizes.sum()), rng.choice(SCALES, n), rng.random(n) < 0.5
    exposure, light = rng.normal(0, EXPOSURE, (n, 1)), rng.normal(0, LIGHT, (n, 1))
    gain = np.exp(exposure + light * (1, 0, -1)).astype(np.float32)  # (n, 3)
    out: Floats = np.empty((n, SIDE, SIDE, 3), np.float32)
    for i in range(n):
        pixels, s = photograph(PHOTOGRAPHS[of[i]]), int(scale[i])
        top, left = (int(rng.integers(length - s * SIDE + 1)) for length in pixels.shape[:2])
        crop = pixels[top : top + s * SIDE, left : left + s * SIDE]
        out[i] = crop.reshape(SIDE, s, SIDE, s, 3).mean((1, 3), dtype=np.float32)
        if mirrored[i]:
            out[i] = out[i, :, ::-1]
    out *= gain[:, None, None]
    out /= 255
    return _bytes(out)


def textures(n: int, rng: np.random.Generator) -> Images:
    """Draw n dead-leaves textures, (n, 32, 32, 3)."""

    def uniform(low: float, high: float, *shape: int) -> Floats:
        return rng.uniform(low, high, (n, *shape)).astype(np.float32)

    def palette(*shape: int) -> Floats:
        """Colours of one picture: near its own light, less apart in hue than in brightness."""
        grey = rng.standard_normal((n, *shape, 1), np.float32) * contrast.reshape(n, *[1] * len(shape), 1)
        hue = rng.standard_normal((n, *shape, 2), np.float32) * saturation.reshape(n, *[1] * len(shape), 1)
        return grey + hue @ np.array([[1, 0, -1], [0.5, -0.5, 0.5]], np.float32)

    contrast, saturation = uniform(0.04, 0.18), uniform(0.01, 0.06)
    base: Floats = uniform(0.2, 0.65, 1) + palette() * np.float32(0.5)  # (n, 3)
    colour = base[:, None] + palette(LEAVES)  # (n, LEAVES, 3)
    # ∫ r⁻³ dr, inverted: a uniform number between r_max⁻² and r_min⁻², to the power −½
    radius = uniform(RADIUS[1] ** -2, RADIUS[0] ** -2, LEAVES) ** -0.5
    row, column = uniform(-MARGIN, SIDE + MARGIN, 2, LEAVES).transpose(1, 0, 2)
    narrow, tilt = uniform(0.5, 1, LEAVES), uniform(0, np.pi, LEAVES)
    out: Floats = np.repeat(base[:, None], SIDE**2, axis=1).reshape(n, SIDE, SIDE, 3)
    for k in range(LEAVES):  # the later lies over the earlier
        inside = _leaf(row[:, k], column[:, k], radius[:, k], radius[:, k] * narrow[:, k], tilt[:, k])
        out += inside[..., None] * (colour[:, k, None, None] - out)
    out += _cloud(n, rng) * uniform(0, 0.04, 1, 1, 1)
    angle, slope = uniform(0, 2 * np.pi, 1, 1), uniform(0, 0.25, 1, 1) / SIDE
    out += (slope * ((_ROWS - SIDE / 2) * np.sin(angle) + (_COLUMNS - SIDE / 2) * np.cos(angle)))[..., None]
    is_blurred = uniform(0, 1) < 0.3
    out[is_blurred] = _blurred(out[is_blurred])
    out += rng.standard_normal(out.shape, np.float32) * uniform(0.002, 0.01, 1, 1, 1)
    return _bytes(out)


_ROWS, _COLUMNS = np.mgrid[:SIDE, :SIDE].astype(np.float32)
_FREQUENCY = np.hypot(np.fft.fftfreq(2 * SIDE)[:, None], np.fft.fftfreq(2 * SIDE)).astype(np.float32)
_FREQUENCY[0, 0] = np.inf  # no mean
_SPREAD = np.float32(np.sqrt(np.square(1 / _FREQUENCY).mean()))
"""Standard deviation, by Parseval, of white noise of variance 1 once it is divided by the frequency."""


def _leaf(row: Floats, column: Floats, long: Floats, short: Floats, tilt: Floats) -> Floats:
    """(n,) centre, half axes and tilt of ellipses → (n, 32, 32) in 0–1, with an edge about one pixel wide."""
    y, x = _ROWS - row[:, None, None], _COLUMNS - column[:, None, None]
    cos, sin = np.cos(tilt)[:, None, None], np.sin(tilt)[:, None, None]
    radius = np.sqrt(
        ((cos * x + sin * y) / long[:, None, None]) ** 2 + ((cos * y - sin * x) / short[:, None, None]) ** 2
    )
    inside: Floats = np.clip((1 - radius) * short[:, None, None] + 0.5, 0, 1)
    return inside


def _cloud(n: int, rng: np.random.Generator) -> Floats:
    """(n, 32, 32, 3) of amplitude spectrum 1/f, variance about 1, the colours alike but not the same.

    Cut from a field twice as large: a whole one would meet itself at its edges.
    """
    white = np.fft.rfft2(rng.standard_normal((n, 3, 2 * SIDE, 2 * SIDE), np.float32))
    field = np.fft.irfft2(white / _FREQUENCY[:, : SIDE + 1])[..., :SIDE, :SIDE].astype(np.float32)
    field /= _SPREAD
    mixed: Floats = np.moveaxis(field, 1, -1) @ np.array([[1, 1, 1], [0.2, 0, -0.2], [0.05, -0.1, 0.05]], np.float32)
    return mixed


def _blurred(images: Floats) -> Floats:
    """(n, 32, 32, 3) under the binomial kernel of five taps along rows and columns."""
    for axis in (1, 2):
        width = [(2, 2) if i == axis else (0, 0) for i in range(4)]
        padded = np.pad(images, width, mode="edge")
        taps = (np.take(padded, np.arange(k, k + SIDE), axis=axis) for k in range(5))
        images = np.sum([w * tap for w, tap in zip((1, 4, 6, 4, 1), taps, strict=True)], axis=0) / np.float32(16)
    return images


def _bytes(images: Floats) -> Images:
    return np.round(images.clip(0, 1) * 255).astype(np.uint8)


def to_signed(images: Sequence[Any] | Images) -> torch.Tensor:
    """Convert pictures (N, 32, 32, 3) uint8 to a tensor (N, 3, 32, 32) in −1 … 1."""
    import torch

    pixels = torch.from_numpy(np.asarray(images).reshape(-1, SIDE, SIDE, 3))
    return pixels.permute(0, 3, 1, 2) / 127.5 - 1


def to_bytes(x: torch.Tensor) -> Images:
    """Convert a tensor (N, 3, 32, 32) in −1 … 1 to pictures (N, 32, 32, 3) uint8; values outside are clipped."""
    out: Images = ((x.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
    return out
