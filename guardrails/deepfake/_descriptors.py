"""What lies beneath a picture's content, in five descriptors: spectrum, blocks, upsampling, residuals, colour.

Each takes tiles, (T, `TILE`, `TILE`, 3) float32 in 0–255, and returns one vector for the picture. They read the pixels
as they are: what both classes go through beforehand is the business of `_protocol`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]
    Levels = NDArray[np.integer[Any]]

TILE = 64
MAX_TILES = 16
RINGS = 32
BLOCK = 16
LEVELS = 5
"""Residuals are quantised to −2 … 2."""


def tiles_of(image: NDArray[np.uint8]) -> Array:
    """Cut at most `MAX_TILES` tiles from a picture at its own resolution, spread evenly; a small one is mirrored out.

    Parameters
    ----------
    image : array of uint8, (H, W, 3)
        Of any size from 1 × 1.

    Returns
    -------
    array of float32, (T, TILE, TILE, 3)
    """
    short = [max(0, TILE - length) for length in image.shape[:2]]
    if any(short):
        image = np.pad(image, [(0, short[0]), (0, short[1]), (0, 0)], mode="symmetric")
    most = int(MAX_TILES**0.5)
    rows, columns = (np.linspace(0, length - TILE, min(most, length // TILE)).astype(int) for length in image.shape[:2])
    cut = [image[r : r + TILE, c : c + TILE] for r in rows for c in columns]
    return np.stack(cut).astype(np.float32)


def _light(tiles: Array) -> Array:
    """Mean of the channels, (T, TILE, TILE). Three sums are many times as fast as a mean over an axis of three."""
    out: Array = (tiles[..., 0] + tiles[..., 1] + tiles[..., 2]) / np.float32(3)
    return out


def radial(tiles: Array) -> Array:
    """Decimal logarithm of the mean power at `RINGS` frequencies, less their mean (Durall et al. 2019, 1911.00686).

    The reference divides by the power at 0; a window and the mean over tiles make the rings steadier.
    """
    light = _light(tiles)
    window = np.hanning(TILE)[:, None] * np.hanning(TILE)[None]
    spectrum = np.fft.rfft2((light - light.mean(axis=(1, 2), keepdims=True)) * window)
    power = (spectrum.real**2 + spectrum.imag**2).mean(axis=0)
    rings = np.bincount(_RING.ravel(), power.ravel(), RINGS + 1)[:RINGS]
    logarithm = np.log10(rings / np.bincount(_RING.ravel(), minlength=RINGS + 1)[:RINGS] + 1.0)
    return np.asarray(logarithm - logarithm.mean(), dtype=np.float32)


_RING = np.minimum(np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None]) / 0.5 * RINGS, RINGS).astype(
    int
)
"""Which ring each cell of a half spectrum is in; the corners beyond Nyquist's frequency are left out."""


def blocks(tiles: Array) -> Array:
    """Mean of log(1 + |DCT|) per coefficient of 16 × 16 blocks, less its mean (Frank et al. 2020, 2003.08685).

    Blocks twice as large as JPEG's see between its frequencies what an upsampling left there.
    """
    from scipy.fft import dctn

    light, side = _light(tiles), TILE // BLOCK
    cut = light.reshape(-1, side, BLOCK, side, BLOCK).transpose(0, 1, 3, 2, 4).reshape(-1, BLOCK, BLOCK)
    level = np.log1p(np.abs(dctn(cut, axes=(1, 2), norm="ortho"))).mean(axis=0).ravel()
    return np.asarray(level - level.mean(), dtype=np.float32)


def upsampling(tiles: Array) -> Array:
    """Neighbouring-pixel relations (Tan et al. 2024, 2312.10461) at the four phases of a 2 × 2 grid, pooled.

    Per phase how the three differences of a cell to its first pixel are distributed, how they vary and whether they
    vary together; of the four phases the mean and the range, so that an odd crop changes nothing.
    """
    planes = np.ascontiguousarray(tiles.transpose(3, 0, 1, 2)).astype(np.int16)
    side = TILE - 1
    steps = [planes[..., r : r + side, c : c + side] - planes[..., :side, :side] for r, c in ((0, 1), (1, 0), (1, 1))]
    cells = [np.s_[..., r : r + side - 1 : 2, c : c + side - 1 : 2] for r, c in product((0, 1), repeat=2)]
    phases = [_cells(np.stack([step[cell].ravel() for step in steps])) for cell in cells]
    return np.concatenate([np.mean(phases, axis=0), np.ptp(phases, axis=0)]).astype(np.float32)


def _cells(steps: NDArray[np.int16]) -> NDArray[np.float64]:
    """Of one phase, (3, N): how each difference is distributed, how it varies, and how the three go together."""
    n = steps.shape[1]
    flat = steps.astype(np.float32)
    centred = flat - flat.mean(axis=1, keepdims=True)
    products = centred @ centred.T / n
    out: list[NDArray[np.float64]] = []
    for k, sizes in enumerate(np.abs(steps)):
        counts = np.add.reduceat(np.bincount(sizes, minlength=256), _WIDTHS)
        out += [np.log(counts / n + 1e-3), np.log([products[k, k] + 0.1])]
    return np.concatenate([*out, _correlations(products)])


_WIDTHS = [0, 1, 2, 4, 8, 16, 32]
"""Where bins of differences begin: each is twice as wide as the one before."""


def _correlations(products: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    covariance = products + 0.1 * np.eye(3)
    deviation = np.sqrt(np.diag(covariance))
    return np.asarray((covariance / np.outer(deviation, deviation))[np.triu_indices(3, 1)], dtype=np.float64)


def residuals(tiles: Array) -> Array:
    """Fourth-order co-occurrences of four quantised residuals (Fridrich & Kodovský 2012), roots of their frequencies.

    First and second differences, the mean of four neighbours, and the 3 × 3 kernel of Ker and Böhme. Runs of four go
    along the difference, in rows and in columns. A pattern, its mirror image and its negative are one bin.
    """
    light = _light(tiles)
    turned = light.transpose(0, 2, 1)
    inner, edges = light[:, 1:-1, 1:-1], _edges(light)
    corners = light[:, :-2, :-2] + light[:, 2:, 2:] + light[:, 2:, :-2] + light[:, :-2, 2:]
    quarter = np.float32(0.25)
    both = [_quantised(inner - edges * quarter), _quantised(inner - edges * (2 * quarter) + corners * quarter)]
    found = [_runs(_quantised(_first(light)), _quantised(_first(turned)))]
    found += [_runs(_quantised(_second(light)), _quantised(_second(turned)))]
    found += [_runs(q, q.transpose(0, 2, 1)) for q in both]
    return np.concatenate(found).astype(np.float32)


def _first(light: Array) -> Array:
    return (light[:, :, 1:] - light[:, :, :-1]) * np.float32(0.5)


def _second(light: Array) -> Array:
    return (light[:, :, 2:] - 2 * light[:, :, 1:-1] + light[:, :, :-2]) * np.float32(0.5)


def _edges(light: Array) -> Array:
    around: Array = light[:, :-2, 1:-1] + light[:, 2:, 1:-1] + light[:, 1:-1, :-2] + light[:, 1:-1, 2:]
    return around


def _quantised(residual: Array) -> Levels:
    out = np.rint(residual)
    np.clip(out, -2, 2, out=out)
    out += 2
    return out.astype(np.int16)


def _runs(*rows: Levels) -> NDArray[np.float64]:
    """Roots of the frequencies of runs of four along the last axis."""
    codes = [((q[..., :-3] * LEVELS + q[..., 1:-2]) * LEVELS + q[..., 2:-1]) * LEVELS + q[..., 3:] for q in rows]
    counts = sum(np.bincount(code.ravel(), minlength=LEVELS**4) for code in codes)
    return np.asarray(np.sqrt(np.bincount(_bins(), counts) / np.sum(counts)), dtype=np.float64)


@cache
def _bins() -> Levels:
    """The bin of each of 5⁴ patterns: the smallest of the pattern, its mirror image and the negatives of both."""
    codes = np.arange(LEVELS**4).reshape((LEVELS,) * 4)
    mirrored = codes.transpose(3, 2, 1, 0)
    alike = np.minimum.reduce([codes, mirrored, codes[::-1, ::-1, ::-1, ::-1], mirrored[::-1, ::-1, ::-1, ::-1]])
    return np.unique(alike.ravel(), return_inverse=True)[1].astype(np.int64)


def colour(tiles: Array) -> Array:
    """How the residuals of two channels stand together (Goljan et al. 2014), and the detail of light and colour.

    A camera interpolates two thirds of its colours from a mosaic; a generator does not.
    """
    planes = [np.ascontiguousarray(tiles[..., channel]) for channel in range(3)]
    q = [_quantised(_second(plane)) for plane in planes]
    pairs = [np.bincount((q[a] * LEVELS + q[b]).ravel(), minlength=LEVELS**2) for a, b in ((0, 1), (1, 2), (0, 2))]
    halves = [np.sqrt(((p + p[::-1]) / (2 * p.sum()))[: LEVELS**2 // 2 + 1]) for p in pairs]
    light = np.float32(0.299) * planes[0] + np.float32(0.587) * planes[1] + np.float32(0.114) * planes[2]
    blue, red = planes[2] - light, planes[0] - light
    detail = [_detail(channel) for channel in (light, blue, red)]
    return np.concatenate([*halves, detail[0], detail[1] - detail[0], detail[2] - detail[0]]).astype(np.float32)


def _detail(channel: Array) -> NDArray[np.float64]:
    """Logarithm of the energy of detail at five scales."""
    out = []
    for _ in range(5):
        above, below = channel[:, ::2], channel[:, 1::2]
        smaller = (above[..., ::2] + above[..., 1::2] + below[..., ::2] + below[..., 1::2]) / np.float32(4)
        out.append(np.log(channel.var(axis=(1, 2)).mean() - smaller.var(axis=(1, 2)).mean() + 0.05))
        channel = smaller
    return np.array(out)


DESCRIPTORS: Mapping[str, Callable[[Array], Array]] = {
    "spectrum": radial, "blocks": blocks, "upsampling": upsampling, "residuals": residuals, "colour": colour,
}  # fmt: skip


def described(image: NDArray[np.uint8]) -> dict[str, Array]:
    """Return every descriptor of a picture by name."""
    tiles = tiles_of(image)
    return {name: describe(tiles) for name, describe in DESCRIPTORS.items()}
