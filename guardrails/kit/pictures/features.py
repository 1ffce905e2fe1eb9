"""A content descriptor for pictures that needs no downloaded weights.

Precision, recall and coverage need distances between pictures that follow what is in them. Features of an ImageNet
network say little of phantoms or paintings (Naeem et al. 2020, arXiv 2002.09797), so this is the classical colour
layout, after MPEG-7, without its cosine transform: the mean light, red–green and yellow–blue of each cell of an 8 × 8
grid.

It is coarse on purpose: grain and blur, which nearly every small generator leaves, must not pass for missing content.
They are what detectability measures, not diversity.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..io import resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRID = 8
_SPREAD = 0.12
"""Root mean square of a colour-layout value over random crops of photographs: brings distances to order 1."""


def image_features(images: Sequence[Any] | NDArray[Any]) -> NDArray[np.float64]:
    """Describe pictures of any size by their colour layout.

    Parameters
    ----------
    images : sequence of arrays
        (H, W) or (H, W, 3), uint8 in 0–255 or float in 0–1.

    Returns
    -------
    ndarray of float64
        (N, 192). Euclidean distances between rows are of order 1.

    Raises
    ------
    ValueError
        For an array that is no picture.

    Examples
    --------
    >>> image_features([np.zeros((40, 60, 3), np.uint8)]).shape
    (1, 192)
    """
    rows = [np.empty((0, 3 * GRID**2))]
    for start in range(0, len(images), 256):  # images may be read lazily from disk: never all at once
        stop = min(start + 256, len(images))
        squares = np.stack([to_square(images[i], 2 * GRID) for i in range(start, stop)])
        rows.append(_layout(squares) / (_SPREAD * np.sqrt(3 * GRID**2)))
    return np.concatenate(rows)


def to_square(image: Any, size: int) -> NDArray[np.float64]:
    """Bring one picture to ``size × size`` RGB in 0–1, averaged over what each new pixel covers.

    Parameters
    ----------
    image : array
        (H, W) or (H, W, 3), uint8 in 0–255 or float in 0–1.
    size : int
        The side of the square, in pixels.

    Returns
    -------
    ndarray of float64
        (size, size, 3).

    Raises
    ------
    ValueError
        For an array that is no picture.
    """
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(f"a picture is (H, W) or (H, W, 3), not {np.shape(image)}")
    if pixels.dtype != np.uint8:
        pixels = np.round(np.clip(pixels.astype(np.float64), 0, 1) * 255).astype(np.uint8)
    if pixels.shape[:2] != (size, size):
        pixels = resize(np.ascontiguousarray(pixels), size)
    return pixels / 255.0


def _layout(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, S, S, 3) in 0–1 → the mean light, red–green and yellow–blue of each cell, (N, 192)."""
    r, g, b = np.moveaxis(rgb, -1, 0)
    opponent = np.stack([(r + g + b) / 3, (r - g) / 2, (r + g) / 4 - b / 2], axis=-1)
    n, side = len(rgb), rgb.shape[1] // GRID
    cells: NDArray[np.float64] = opponent.reshape(n, GRID, side, GRID, side, 3).mean(axis=(2, 4))
    return cells.reshape(n, -1)
