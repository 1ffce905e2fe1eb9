"""What lies beneath a picture's content, in five descriptors: spectrum, blocks, upsampling, residuals, colour.

Each takes tiles, (T, `TILE`, `TILE`, 3) of whole numbers in 0–255, and returns one vector for the picture. They read
the pixels as they are: what both classes go through beforehand is the business of `protocol`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from ...kit.video import opencv

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]
    Bytes = NDArray[np.uint8]
    Levels = NDArray[np.integer[Any]]

TILE = 64
MAX_TILES = 16
RINGS = 32
BLOCK = 16
LEVELS = 5
"""Residuals are quantised to −2 … 2."""


def tiles_of(image: Bytes) -> Bytes:
    """Cut at most `MAX_TILES` tiles from a picture at its own resolution, spread evenly; a small one is mirrored out.

    Parameters
    ----------
    image : array of uint8, (H, W, 3)
        Of any size from 1 × 1.

    Returns
    -------
    array of uint8, (T, TILE, TILE, 3)
    """
    most = int(MAX_TILES**0.5)
    padded = [max(TILE, length) for length in image.shape[:2]]
    rows, columns = (np.linspace(0, length - TILE, min(most, length // TILE)).astype(int) for length in padded)
    tiles = np.stack([image[r : r + TILE, c : c + TILE] for r in rows for c in columns])
    if tiles.shape[1:3] == (TILE, TILE):
        return tiles
    # Of a long, narrow picture only the tiles are mirrored out, and not all of it.
    short = [(0, TILE - length) for length in tiles.shape[1:3]]
    return np.pad(tiles, [(0, 0), *short, (0, 0)], mode="symmetric")


class Tiles:
    """Tiles as the descriptors read them: each view is made once, whichever of them asks first.

    In all but `light` the tile is the last axis: a step to a neighbour is a slice of long rows, and no tile's edge
    touches another's.

    Attributes
    ----------
    pixels : array of uint8, (T, TILE, TILE, 3)
    """

    def __init__(self, tiles: NDArray[Any]) -> None:
        self.pixels = np.ascontiguousarray(tiles, dtype=np.uint8)

    @classmethod
    def of(cls, tiles: Tiles | NDArray[Any]) -> Tiles:
        """Return tiles that are ones already, or those of an array of whole numbers in 0–255."""
        return tiles if isinstance(tiles, Tiles) else cls(tiles)

    @cached_property
    def turned(self) -> Bytes:
        """(TILE, TILE, 3, T)."""
        whole: Bytes = opencv().transpose(self.pixels.reshape(len(self.pixels), -1))
        return whole.reshape(TILE, TILE, 3, -1)

    @cached_property
    def planes(self) -> list[Array]:
        """(TILE, TILE · T) for each channel."""
        return [self.turned[:, :, channel].astype(np.float32).reshape(TILE, -1) for channel in range(3)]

    @cached_property
    def sides(self) -> Array:
        """Mean of the channels, (TILE, TILE · T)."""
        return (self.planes[0] + self.planes[1] + self.planes[2]) / np.float32(3)

    @cached_property
    def light(self) -> Array:
        """Mean of the channels, (T, TILE, TILE)."""
        turned = opencv().transpose(self.sides.reshape(TILE * TILE, -1))
        return np.asarray(turned, dtype=np.float32).reshape(-1, TILE, TILE)


def radial(tiles: Tiles | NDArray[Any]) -> Array:
    """Decimal logarithm of the mean power at `RINGS` frequencies, less their mean (Durall et al. 2019, 1911.00686).

    The reference divides by the power at 0; a window and the mean over tiles make the rings steadier.
    """
    from scipy.fft import rfft2

    light = Tiles.of(tiles).light
    spectrum = rfft2((light - light.mean(axis=(1, 2), keepdims=True)) * _WINDOW)
    power = (spectrum.real**2 + spectrum.imag**2).mean(axis=0)
    rings = np.bincount(_RING.ravel(), power.ravel(), RINGS + 1)[:RINGS]
    logarithm = np.log10(rings / np.bincount(_RING.ravel(), minlength=RINGS + 1)[:RINGS] + 1.0)
    return np.asarray(logarithm - logarithm.mean(), dtype=np.float32)


_WINDOW = np.outer(np.hanning(TILE), np.hanning(TILE)).astype(np.float32)
_RING = np.minimum(np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None]) / 0.5 * RINGS, RINGS).astype(
    int
)
"""Which ring each cell of a half spectrum is in; the corners beyond Nyquist's frequency are left out."""


def blocks(tiles: Tiles | NDArray[Any]) -> Array:
    """Mean of log(1 + |DCT|) per coefficient of 16 × 16 blocks, less its mean (Frank et al. 2020, 2003.08685).

    Blocks twice as large as JPEG's see between its frequencies what an upsampling left there.
    """
    basis, side = _basis(), TILE // BLOCK
    once = basis @ Tiles.of(tiles).sides.reshape(side, BLOCK, -1)
    turned = opencv().transpose(once.reshape(TILE, -1))
    both = basis @ turned.reshape(side, BLOCK, -1)
    level = np.log(np.abs(both) + 1).mean(axis=0).reshape(BLOCK, -1, BLOCK).mean(axis=1).T.ravel()
    return np.asarray(level - level.mean(), dtype=np.float32)


@cache
def _basis() -> Array:
    """Cosines of the transform, a frequency a row: two products of matrices take less than half of a fast transform."""
    from scipy.fft import dct

    return np.asarray(dct(np.eye(BLOCK), axis=0, norm="ortho"), dtype=np.float32)


def upsampling(tiles: Tiles | NDArray[Any]) -> Array:
    """Neighbouring-pixel relations (Tan et al. 2024, 2312.10461) at the four phases of a 2 × 2 grid, pooled.

    Per phase how the three differences of a cell to its first pixel are distributed, how they vary and whether they
    vary together; of the four phases the mean and the range, so that an odd crop changes nothing.
    """
    turned = Tiles.of(tiles).turned
    half, wide = TILE // 2, turned[0, 0].size
    quarters = {
        (r, c): np.ascontiguousarray(turned[r::2, c::2]).reshape(half, -1) for r, c in product((0, 1), repeat=2)
    }

    def pixels(row: int, column: int) -> Bytes:
        """Of every cell the one pixel whose first such stands there."""
        below, right = row // 2, column // 2 * wide
        return quarters[row % 2, column % 2][below : below + half - 1, right : right + (half - 1) * wide]

    corners = list(product((0, 1), repeat=2))
    phases = _cells([[pixels(r + down, c + right) for down, right in corners] for r, c in corners])
    return np.concatenate([phases.mean(axis=0), np.ptp(phases, axis=0)]).astype(np.float32)


def _cells(phases: Sequence[Sequence[Bytes]]) -> NDArray[np.float64]:
    """Return a row a phase: how each difference is distributed, how it varies, and how the three go together.

    `phases` has the four pixels of every cell, the first one first. Products of differences come from squares,
    2ab = a² + b² − (a − b)², which are sums of whole numbers.
    """
    cv2 = opencv()
    n = phases[0][0].size
    sizes = np.array([[_histogram([cv2.absdiff(x, first)], 256) for x in others] for first, *others in phases])
    total = np.array([[cv2.sumElems(x)[0] for x in pixels] for pixels in phases])
    apart = np.zeros((len(phases), 3, 3))
    for (a, b), phase in product(((0, 1), (0, 2), (1, 2)), range(len(phases))):
        _, *others = phases[phase]
        apart[phase, a, b] = apart[phase, b, a] = cv2.norm(others[a], others[b], cv2.NORM_L2SQR)
    squares, mean = sizes @ np.arange(256.0) ** 2, (total[:, 1:] - total[:, :1]) / n
    products = (squares[:, :, None] + squares[:, None] - apart) / (2 * n) - mean[:, :, None] * mean[:, None]
    variance = np.diagonal(products, axis1=1, axis2=2)
    spread = np.log(np.add.reduceat(sizes, _WIDTHS, axis=2) / n + 1e-3)
    each = np.concatenate([spread, np.log(variance + 0.1)[..., None]], axis=2)
    deviation = np.sqrt(variance + 0.1)
    together = products / (deviation[:, :, None] * deviation[:, None])
    return np.concatenate([each.reshape(len(phases), -1), together[:, *np.triu_indices(3, 1)]], axis=1)


_WIDTHS = [0, 1, 2, 4, 8, 16, 32]
"""Where bins of differences begin: each is twice as wide as the one before."""


def _histogram(of: Sequence[Bytes], bins: int) -> NDArray[np.float64]:
    """How often each whole number below `bins` occurs, or each pair of them: NumPy's counts take twice as long."""
    d = len(of)
    counts = opencv().calcHist(list(of), list(range(d)), None, [bins] * d, [0, bins] * d)
    return np.asarray(counts, dtype=np.float64).ravel()


def residuals(tiles: Tiles | NDArray[Any]) -> Array:
    """Fourth-order co-occurrences of four quantised residuals (Fridrich & Kodovský 2012), roots of their frequencies.

    First and second differences, the mean of four neighbours, and the 3 × 3 kernel of Ker and Böhme. Runs of four go
    along the difference, in rows and in columns. A pattern, its mirror image and its negative are one bin.
    """
    light = Tiles.of(tiles).sides
    n = light.shape[1] // TILE
    half, quarter = light * np.float32(0.5), light * np.float32(0.25)
    inner = light[1:-1, n:-n]
    edges = quarter[:-2, n:-n] + quarter[2:, n:-n]
    edges += quarter[1:-1, : -2 * n]
    edges += quarter[1:-1, 2 * n :]
    corners = quarter[:-2, : -2 * n] + quarter[2:, 2 * n :]
    corners += quarter[2:, : -2 * n]
    corners += quarter[:-2, 2 * n :]
    both = [_quantised(inner - edges), _quantised(inner - edges * 2 + corners)]
    histograms = [
        _runs(_quantised(half[:, n:] - half[:, :-n]), _quantised(half[1:] - half[:-1]), n),
        _runs(_second(light, n), _quantised(half[2:] - light[1:-1] + half[:-2]), n),
        *(_runs(q, q, n) for q in both),
    ]
    return np.concatenate(histograms).astype(np.float32)


def _second(plane: Array, n: int) -> Bytes:
    """Second differences along the rows, quantised."""
    half = plane * np.float32(0.5)
    return _quantised(half[:, 2 * n :] - plane[:, n:-n] + half[:, : -2 * n])


def _quantised(residual: Array) -> Bytes:
    np.rint(residual, out=residual)
    np.clip(residual, -2, 2, out=residual)
    residual += 2
    return residual.astype(np.uint8)


def _runs(along: Bytes, down: Bytes, n: int) -> NDArray[np.float64]:
    """Roots of the frequencies of runs of four, along the rows of one and down the columns of the other."""
    five = np.uint8(LEVELS)
    pairs, below = along[:, :-n] * five + along[:, n:], down[:-1] * five + down[1:]
    counts = _histogram([pairs[:, : -2 * n], pairs[:, 2 * n :]], LEVELS**2)
    counts += _histogram([below[:-2], below[2:]], LEVELS**2)
    return np.asarray(np.sqrt(np.bincount(_bins(), counts) / np.sum(counts)), dtype=np.float64)


@cache
def _bins() -> Levels:
    """The bin of each of 5⁴ patterns: the smallest of the pattern, its mirror image and the negatives of both."""
    codes = np.arange(LEVELS**4).reshape((LEVELS,) * 4)
    mirrored = codes.transpose(3, 2, 1, 0)
    alike = np.minimum.reduce([codes, mirrored, codes[::-1, ::-1, ::-1, ::-1], mirrored[::-1, ::-1, ::-1, ::-1]])
    return np.unique(alike.ravel(), return_inverse=True)[1].astype(np.int64)


def colour(tiles: Tiles | NDArray[Any]) -> Array:
    """How the residuals of two channels stand together (Goljan et al. 2014), and the detail of light and colour.

    A camera interpolates two thirds of its colours from a mosaic; a generator does not.
    """
    planes = Tiles.of(tiles).planes
    n = planes[0].shape[1] // TILE
    q = [_second(plane, n) for plane in planes]
    pairs = [_histogram([q[a] * np.uint8(LEVELS) + q[b]], LEVELS**2) for a, b in ((0, 1), (1, 2), (0, 2))]
    halves = [np.sqrt(((p + p[::-1]) / (2 * p.sum()))[: LEVELS**2 // 2 + 1]) for p in pairs]
    light = np.float32(0.299) * planes[0] + np.float32(0.587) * planes[1] + np.float32(0.114) * planes[2]
    detail = [_detail(channel.reshape(TILE, TILE, n)) for channel in (light, planes[2] - light, planes[0] - light)]
    return np.concatenate([*halves, detail[0], detail[1] - detail[0], detail[2] - detail[0]]).astype(np.float32)


def _detail(channel: Array) -> NDArray[np.float64]:
    """Logarithm of the energy of detail at five scales: what the variance loses when each 2 × 2 become one."""
    cv2 = opencv()
    energy = [cv2.norm(channel.ravel(), cv2.NORM_L2SQR) / channel.size]
    for _ in range(5):
        rows = channel[::2] + channel[1::2]
        channel = (rows[:, ::2] + rows[:, 1::2]) * np.float32(0.25)
        energy.append(cv2.norm(channel.ravel(), cv2.NORM_L2SQR) / channel.size)
    return np.log(-np.diff(energy) + 0.05)


DESCRIPTORS: Mapping[str, Callable[[Tiles | NDArray[Any]], Array]] = {
    "spectrum": radial, "blocks": blocks, "upsampling": upsampling, "residuals": residuals, "colour": colour,
}  # fmt: skip


def described(image: Bytes) -> dict[str, Array]:
    """Return every descriptor of a picture by name."""
    tiles = Tiles(tiles_of(image))
    return {name: describe(tiles) for name, describe in DESCRIPTORS.items()}
