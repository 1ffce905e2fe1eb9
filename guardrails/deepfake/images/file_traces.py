"""What a file says of a picture without a look at its pixels: the baseline that no detector may need.

Generated pictures often come as square PNG files and photographs as JPEG files: a rule on that alone tells most
collections apart, and nothing about generators (Grommelt et al. 2024, arXiv 2403.17608). Where these numbers separate
the two classes of a training set, what is trained on it has to be encoded alike first: see `protocol`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...kit.io import opened_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image as PillowImage

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
"""Those that the shipped weights have a number for; pictures in other formats are none of them."""
NAMES = (*(f"is {name}" for name in FORMATS), "short side", "square", "multiple of 64", "bytes per pixel",
         "quality", "has EXIF")  # fmt: skip
MULTIPLE = 64
_LUMINANCE = 3688 / 64
"""Mean of the luminance table of ITU-T T.81 (1992), Annex K, which quality 50 uses as it is."""


def metadata(path: Path) -> NDArray[np.float64]:
    """Return the numbers of `NAMES` for a file. Only its header is read.

    Raises
    ------
    ContentError
        Where the file is missing, too large or no picture.
    """
    with opened_picture(path) as picture:
        return _numbers(picture, path.stat().st_size)


def _numbers(picture: PillowImage.Image, size: int) -> NDArray[np.float64]:
    width, height = picture.size
    return np.array(
        [
            *(float(picture.format == name) for name in FORMATS),
            np.log2(min(width, height)),
            float(width == height),
            float(width % MULTIPLE == 0 and height % MULTIPLE == 0),
            np.log2(size / (width * height)),
            _quality(picture),
            float("exif" in picture.info),
        ]
    )


def _quality(picture: PillowImage.Image) -> float:
    """JPEG's quality as libjpeg counts it, 1–100, from the mean of the first table; 0 for what is no JPEG."""
    tables = getattr(picture, "quantization", None)
    if not tables:
        return 0.0
    scale = 100 * float(np.mean(next(iter(tables.values())))) / _LUMINANCE
    return float(np.clip(100 - scale / 2 if scale <= 100 else 5000 / scale, 1, 100))
