"""Procedural phantoms: drawn slices through a body, with lesions whose statistics are known exactly.

A body (a soft ellipse with a rim) holds two lungs, a heart and a spine of varying place and size; 0–3 bright round
lesions lie in it, as often before the body's middle (up in the picture) as behind; white noise lies over all. No
patient data: the law below is all there is to know of these pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

SIDE = 32
MAX_LESIONS = 3
LESION_COUNT = (0.3, 0.4, 0.2, 0.1)
"""Probability of 0, 1, 2 and 3 lesions."""
LESION_RADIUS = (1.5, 3.0)
"""Uniform, in pixels."""
LESION_CONTRAST = (0.2, 0.4)
"""Uniform, added to the tissue (black 0, white 1)."""
LESION_REACH = 0.75
"""Lesions lie uniformly over the body's ellipse, shrunk by this factor."""
NOISE = 0.03
"""Standard deviation of the noise."""
AIR, RIM, TISSUE = 0.1, 0.62, 0.45


@dataclass(frozen=True)
class Phantoms:
    """N phantoms and what is in them.

    Attributes
    ----------
    images : ndarray of uint8
        (N, 32, 32), grey.
    count : ndarray of int
        (N,), the number of lesions, 0–3.
    lesions : ndarray of float32
        (N, 3, 4): row, column, radius (pixels) and contrast (0–1) of each; contrast 0 where there is none.
    front : ndarray of bool
        (N, 3): whether each lies before its body's middle.
    """

    images: NDArray[np.uint8]
    count: NDArray[np.int64]
    lesions: Floats
    front: NDArray[np.bool_]

    @property
    def load(self) -> Floats:
        """(N, 2): contrast × area of the lesions in front and of those behind, summed over each body."""
        load = self.lesions[..., 3] * np.pi * self.lesions[..., 2] ** 2
        return np.stack([(load * self.front).sum(1), (load * ~self.front).sum(1)], axis=1)


def draw(n: int, rng: np.random.Generator, *, front: float = 0.0) -> Phantoms:
    """Draw n phantoms.

    Parameters
    ----------
    n : int
        How many.
    rng : numpy.random.Generator
        Where all quantities come from.
    front : float
        The share of the lesions behind the body's middle that come to lie in front of it instead, mirrored: 0 is the
        law, 1 leaves none behind.

    Returns
    -------
    Phantoms

    Examples
    --------
    >>> draw(2, np.random.default_rng(0)).images.shape
    (2, 32, 32)
    """

    def uniform(low: float, high: float) -> Floats:
        return rng.uniform(low, high, n).astype(np.float32)

    row, column = uniform(14.5, 16.5), uniform(14.7, 16.3)
    height, width, tilt = uniform(10.0, 13.0), uniform(11.5, 14.5), uniform(-0.2, 0.2)
    image = np.full((n, SIDE, SIDE), AIR, np.float32)
    _paint(image, _ellipse(row, column, height, width, tilt), uniform(RIM - 0.05, RIM + 0.05))
    _paint(image, _ellipse(row, column, height - 1.5, width - 1.5, tilt), uniform(TISSUE - 0.05, TISSUE + 0.05))
    lung = uniform(0.14, 0.26)
    for side in (-1, 1):
        place = column + side * width * uniform(0.42, 0.52)
        _paint(
            image, _ellipse(row - uniform(0, 2), place, height * uniform(0.45, 0.62), width * uniform(0.2, 0.3)), lung
        )
    heart = _ellipse(
        row + uniform(-2, 1), column + uniform(-0.5, 3), uniform(2.5, 4), uniform(2.5, 4), uniform(-0.6, 0.6)
    )
    _paint(image, heart, uniform(0.55, 0.7))
    _paint(image, _ellipse(row + 0.62 * height, column, uniform(1.6, 2.4), uniform(1.6, 2.4)), uniform(0.8, 0.95))
    count, lesions = _lesions(n, rng, row, column, height, width)
    middle, at = row[:, None], lesions[..., 0]
    if front:  # the law itself takes no further random numbers
        moved = (at >= middle) & (rng.random(at.shape) < front)
        at[moved] = (2 * middle - at)[moved]
    for k in range(MAX_LESIONS):
        r, c, radius, contrast = lesions[:, k].T
        image += contrast[:, None, None] * _ellipse(r, c, radius, radius)
    image += NOISE * rng.standard_normal(image.shape, np.float32)
    return Phantoms(np.round(image.clip(0, 1) * 255).astype(np.uint8), count, lesions, at < middle)


def _lesions(
    n: int, rng: np.random.Generator, row: Floats, column: Floats, height: Floats, width: Floats
) -> tuple[NDArray[np.int64], Floats]:
    """How many each body has, and (N, 3, 4) row, column, radius, contrast."""
    shape = (n, MAX_LESIONS)
    count = rng.choice(MAX_LESIONS + 1, n, p=LESION_COUNT)
    distance, angle = LESION_REACH * np.sqrt(rng.random(shape)), rng.uniform(0, 2 * np.pi, shape)
    present = np.arange(MAX_LESIONS) < count[:, None]
    lesions = [
        row[:, None] + height[:, None] * distance * np.sin(angle),
        column[:, None] + width[:, None] * distance * np.cos(angle),
        rng.uniform(*LESION_RADIUS, shape),
        rng.uniform(*LESION_CONTRAST, shape) * present,
    ]
    return count, np.stack(lesions, axis=-1).astype(np.float32)


_ROWS, _COLUMNS = np.mgrid[:SIDE, :SIDE].astype(np.float32)


def _ellipse(row: Floats, column: Floats, height: Floats, width: Floats, tilt: Floats | None = None) -> Floats:
    """(N,) centre, half axes (pixels), tilt (radians) → (N, 32, 32) in 0–1, with an edge about one pixel wide."""
    y, x = _ROWS - row[:, None, None], _COLUMNS - column[:, None, None]
    if tilt is not None:
        cos, sin = np.cos(tilt)[:, None, None], np.sin(tilt)[:, None, None]
        y, x = cos * y - sin * x, sin * y + cos * x
    radius = np.sqrt((y / height[:, None, None]) ** 2 + (x / width[:, None, None]) ** 2)
    pixels = (1 - radius) * np.minimum(height, width)[:, None, None]
    inside: Floats = np.clip(pixels + 0.5, 0, 1)
    return inside


def _paint(image: Floats, where: Floats, value: Floats) -> None:
    """Lay a value over the picture, in place."""
    image += where * (value[:, None, None] - image)
