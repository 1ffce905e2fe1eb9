"""Evidence pictures: where a JPEG picture was compressed otherwise than around it. They show a place and judge nothing.

A part that came from another JPEG file keeps the mark of that file's quality for as long as what was saved afterwards
was saved at a higher one, on the same 8 × 8 grid and without resizing. Texture and flat parts differ in both pictures
too, so neither map is a score: no detector is made of them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Map = NDArray[np.float32]

ELA_QUALITY = 90
QUALITIES = tuple(range(40, 96, 5))
BOX, STRIDE = 16, 8
FLOOR = 0.02
"""Added to what is logarithmised: a minimum is no deeper than this. Chosen, as all of `ghost`, on six photographs."""


def ela(image: Image, *, quality: int = ELA_QUALITY) -> Map:
    """Error level analysis (Krawetz 2007): how much a picture changes when it is saved once more.

    Parameters
    ----------
    image : array of uint8, (H, W, 3)
        In 0–255.
    quality : int
        Of that JPEG.

    Returns
    -------
    array of float32, (H, W)
        Largest difference of the three colours, 0–255.
    """
    out: Map = np.abs(image.astype(np.float32) - _saved(image, quality)).max(axis=2)
    return out


@dataclass(frozen=True)
class Ghosts:
    """What saving a picture again at several qualities does to its places.

    Attributes
    ----------
    qualities : tuple of int
    maps : array of float32, (Q, ceil(H / 8), ceil(W / 8))
        Squared difference by place, normalised over the qualities to 0–1; 0 throughout where a place never changes.
    """

    qualities: tuple[int, ...]
    maps: Map


def ghosts(image: Image, *, qualities: tuple[int, ...] = QUALITIES) -> Ghosts:
    """JPEG ghosts (Farid 2009): D_q = box16((x − JPEG_q(x))²), less its minimum over q, over its range.

    A part that was once saved at quality q has its minimum there.

    Parameters
    ----------
    image : array of uint8, (H, W, 3)
        In 0–255.
    qualities : tuple of int
        Of JPEG, ascending.
    """
    from scipy.ndimage import uniform_filter

    x, differences = image.astype(np.float32), []
    for quality in qualities:
        squared = ((x - _saved(image, quality)) ** 2).mean(axis=2)
        differences.append(uniform_filter(squared, BOX, mode="reflect")[::STRIDE, ::STRIDE])
    d = np.stack(differences)
    least, most = d.min(axis=0), d.max(axis=0)
    return Ghosts(qualities, ((d - least) / np.maximum(most - least, 1e-6)).astype(np.float32))


def ghost(image: Image) -> Map:
    """Return one picture of all ghosts: how deep a minimum over q a place has that others have not.

    It is the largest, over qualities, of how far log D_q lies below the mean of its two neighbours, less the median
    over places: the qualities that the whole picture went through cancel. At 0 or below there is nothing to see. Every
    picture has a brightest place, flat black among them; whether it is a part from elsewhere is for the eye to tell.

    Returns
    -------
    array of float32, (ceil(H / 8), ceil(W / 8))
    """
    d = np.log(ghosts(image).maps + FLOOR)
    depth = (d[:-2] + d[2:]) / 2 - d[1:-1]
    out: Map = (depth - np.median(depth, axis=(1, 2), keepdims=True)).max(axis=0)
    return out


def _saved(image: Image, quality: int) -> Map:
    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Pillow.open(buffer).convert("RGB"), dtype=np.float32)
