"""Traces that making a picture leaves beneath its content: residuals, their neighbours, upsampling, spectrum, colour.

Every picture goes through the same pipeline first (tiles of one size, one JPEG quality), so that the traces of file
format and size, which often differ between real and generated pictures, weigh as little as they can
(Grommelt et al. 2024, arXiv 2403.17608).
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from ...kit.io import resize
from ...kit.pictures.features import to_square

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

TILE = 32
MAX_TILES = 16
JPEG_QUALITY = 90
BLOCKS = {"spectrum": 12, "residual neighbours": 27, "upsampling": 12, "colour": 7, "scales": 4}
"""Names of the parts of a vector of traces, and how long each is."""
WIDTH = sum(BLOCKS.values())


def traces(image: Any) -> Array:
    """Return the traces of one picture, (WIDTH,): the mean over its tiles.

    Parameters
    ----------
    image : array
        (H, W) or (H, W, 3), uint8 or float in 0–1. A side shorter than a tile is enlarged to it.

    Raises
    ------
    ValueError
        For an array that is no picture.
    """
    stack = np.stack([_recompressed(tile) for tile in tiles(image)]).astype(np.float64)
    light = stack.mean(axis=3)
    parts = (_spectrum(light), _neighbours(light), _upsampling(light), _colour(stack), _scales(light))
    out: Array = np.concatenate(parts)
    return out


def tiles(image: Any) -> list[NDArray[np.uint8]]:
    """Cut the middle of a picture into at most `MAX_TILES` square tiles, at its own resolution."""
    pixels = np.asarray(image)
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3) or not pixels.size:
        raise ValueError(f"a picture is (H, W) or (H, W, 3), not {pixels.shape}")
    if min(pixels.shape[:2]) < TILE:
        pixels = to_square(pixels, TILE)
    if pixels.dtype != np.uint8:
        pixels = np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    side = int(MAX_TILES**0.5)
    rows, columns = (min(side, n // TILE) for n in pixels.shape[:2])
    top, left = (pixels.shape[0] - rows * TILE) // 2, (pixels.shape[1] - columns * TILE) // 2
    places = [(top + r * TILE, left + c * TILE) for r in range(rows) for c in range(columns)]
    return [np.ascontiguousarray(pixels[r : r + TILE, c : c + TILE]) for r, c in places]


def common_size(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return the middle square of a picture at ``side × side``: cut where that is its size, else averaged down."""
    short = min(image.shape[:2])
    top, left = (image.shape[0] - short) // 2, (image.shape[1] - short) // 2
    square = np.ascontiguousarray(image[top : top + short, left : left + short])
    return square if short == side else resize(square, side)


def _recompressed(tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(tile).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return np.asarray(Image.open(buffer).convert("RGB"), dtype=np.uint8)


def _spectrum(light: Array) -> Array:
    """Share of the power in rings of frequency, in decimal logarithm (Durall et al. 2019, arXiv 1911.00686)."""
    window = np.hanning(TILE)[:, None] * np.hanning(TILE)[None]
    centred = (light - light.mean(axis=(1, 2), keepdims=True)) * window
    power = (np.abs(np.fft.fft2(centred)) ** 2).mean(axis=0)
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(TILE), np.fft.fftfreq(TILE)))
    ring = np.minimum((radius / 0.5 * BLOCKS["spectrum"]).astype(int), BLOCKS["spectrum"] - 1)
    energy = np.bincount(ring.ravel(), power.ravel()) / np.bincount(ring.ravel())
    out: Array = np.log10(energy + 1e-2) - np.log10(energy.sum() + 1e-2)
    return out


def _residuals(light: Array) -> list[Array]:
    """High-pass residuals of first and second order and of a 5 × 5 kernel (Fridrich & Kodovský 2012)."""
    first = light[:, :, 1:] - light[:, :, :-1]
    second = light[:, :, 2:] - 2 * light[:, :, 1:-1] + light[:, :, :-2]
    kernel = np.array([-1, 2, -2, 2, -1])
    outer = np.array([[-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2], kernel]) / 12
    windows = np.lib.stride_tricks.sliding_window_view(light, (5, 5), axis=(1, 2))
    return [first, second / 2, np.einsum("nijkl,kl->nij", windows, outer)]


def _neighbours(light: Array) -> Array:
    """How often quantised residuals stand beside one another; alike under a change of sign or of order."""
    return np.concatenate([_pairs(np.clip(np.round(r / 2), -2, 2).astype(int)) for r in _residuals(light)])


def _pairs(levels: NDArray[np.int64]) -> Array:
    across = np.bincount((levels[:, :, 1:] * 5 + levels[:, :, :-1] + 12).ravel(), minlength=25)
    down = np.bincount((levels[:, 1:] * 5 + levels[:, :-1] + 12).ravel(), minlength=25)
    table = (across + down).reshape(5, 5).astype(float)
    table = table + table.T
    table = table + table[::-1, ::-1]
    out: Array = np.sqrt(table[_CLASSES] / table.sum())
    return out


_CLASSES = tuple(np.array([(a, b) for a in range(5) for b in range(a, 5) if a + b <= 4]).T)
"""One cell of each class under transposition and change of sign: nine of 25."""


def _upsampling(light: Array) -> Array:
    """Neighbouring-pixel relations (Tan et al. 2024, arXiv 2312.10461) at the four phases of the grid, pooled."""
    rows = []
    for r in (0, 1):
        for c in (0, 1):
            shifted = light[:, r : r + TILE - 2, c : c + TILE - 2]
            difference = np.abs(shifted - np.repeat(np.repeat(shifted[:, ::2, ::2], 2, axis=1), 2, axis=2))
            inner = difference[:, 1::2, 1::2]
            rows.append(
                [(difference <= 1).mean(), np.log1p(difference.mean()), np.log1p(inner.mean()), np.log1p(inner.std())]
            )
    phases = np.array(rows)
    return np.concatenate([phases.mean(axis=0), phases.min(axis=0), phases.max(axis=0)])


def _colour(stack: Array) -> Array:
    """How the second-order residuals of the three channels vary, and vary together."""
    residual = (stack[:, :, 2:] - 2 * stack[:, :, 1:-1] + stack[:, :, :-2]).reshape(-1, 3)
    covariance = np.cov(residual.T) + 1e-2 * np.eye(3)
    deviation = np.sqrt(np.diag(covariance))
    together = covariance / np.outer(deviation, deviation)
    grey = np.log(residual.mean(axis=1).var() + 1e-2)
    return np.array([together[0, 1], together[0, 2], together[1, 2], *np.log(deviation), grey])


def _scales(light: Array) -> Array:
    """Logarithm of the energy of detail at four scales."""
    out = []
    for _ in range(4):
        n, side, _ = light.shape
        smaller = light.reshape(n, side // 2, 2, side // 2, 2).mean(axis=(2, 4))
        detail = light - np.repeat(np.repeat(smaller, 2, axis=1), 2, axis=2)
        out.append(np.log(detail.var() + 1e-2))
        light = smaller
    return np.array(out)
