"""What happens to a picture between its maker and the one who looks at it, drawn alike for both classes.

Sites cut pictures, make them smaller with one of several kernels, sharpen them and save them again, often more than
once; a screenshot is scaled to the screen. Every draw depends on a seed that comes from the picture's name, never on
its class.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Draw = Callable[[Image, np.random.Generator], Image]

KERNELS = ("NEAREST", "BOX", "BILINEAR", "HAMMING", "BICUBIC", "LANCZOS")
KERNEL_ODDS = (0.02, 0.13, 0.2, 0.05, 0.35, 0.25)
SIDES = (160.0, 640.0)
"""Between which the side of a square is drawn, evenly in logarithm; a smaller picture is never enlarged to it."""
LEAST = 64
SAVES = (0.45, 0.35, 0.2)
"""Odds of one, two and three saves."""
FORMATS = ("JPEG", "WEBP", "AVIF", "PNG")
FORMAT_ODDS = (0.65, 0.15, 0.05, 0.15)


def once(image: Image, rng: np.random.Generator) -> Image:
    """Return a square cut or scaled to a common range of sizes, saved once as JPEG or WebP of high quality."""
    square = _to_common_side(image, rng)
    kind = "JPEG" if rng.random() < 0.8 else "WEBP"
    return saved(square, kind, int(rng.integers(75, 96)))


def again(image: Image, rng: np.random.Generator) -> Image:
    """Return what `once` gives after one more resize, to 50 to 90% of the side, and one more JPEG of quality 70–90."""
    square = once(image, rng)
    side = max(min(len(square), LEAST), round(len(square) * rng.uniform(0.5, 0.9)))
    return saved(resized(square, (side, side), _kernel(rng)), "JPEG", int(rng.integers(70, 91)))


def varied(image: Image, rng: np.random.Generator) -> Image:
    """Return a picture to learn from: up to three rounds of resize, sharpening, screen scaling and any format."""
    picture = _to_common_side(image, rng)
    for _ in range(int(rng.choice(3, p=SAVES)) + 1):
        if rng.random() < 0.5:
            factor = rng.uniform(0.5, 1.0) if rng.random() < 0.8 else rng.uniform(1.0, 1.5)
            side = max(min(len(picture), LEAST), round(len(picture) * factor))
            picture = resized(picture, (side, side), _kernel(rng))
        if rng.random() < 0.25:
            picture = _sharpened(picture, rng.uniform(0.2, 1.2))
        kind = str(rng.choice(FORMATS, p=FORMAT_ODDS))
        picture = saved(picture, kind, int(rng.integers(55, 96)))
    return picture


def untouched(image: Image, rng: np.random.Generator) -> Image:
    """Return the picture as its file has it: size and format still tell the classes apart."""
    return image


DRAWS: Mapping[str, Draw] = {"once": once, "again": again, "varied": varied, "untouched": untouched}


def saved(image: Image, kind: str, quality: int) -> Image:
    """Return a picture as it reads after it was saved, without metadata."""
    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, kind, quality=quality)
    return np.ascontiguousarray(np.asarray(Pillow.open(buffer).convert("RGB"), dtype=np.uint8))


def resized(image: Image, size: tuple[int, int], kernel: str) -> Image:
    """Return a picture with (height, width) pixels by one of Pillow's kernels, which widen where they reduce."""
    from PIL import Image as Pillow

    picture = Pillow.fromarray(image).resize(size[::-1], Pillow.Resampling[kernel])
    return np.asarray(picture, dtype=np.uint8)


def _kernel(rng: np.random.Generator) -> str:
    return str(rng.choice(KERNELS, p=KERNEL_ODDS))


def _to_common_side(image: Image, rng: np.random.Generator) -> Image:
    """Cut a square of 80 to 100% of the shorter side; half of those that are too large are cut again, half scaled."""
    target = round(float(np.exp(rng.uniform(*np.log(SIDES)))))
    square = _square(
        image, max(min(min(image.shape[:2]), LEAST), round(min(image.shape[:2]) * rng.uniform(0.8, 1))), rng
    )
    scaled, kernel = rng.random() < 0.5, _kernel(rng)
    if len(square) <= target:
        return square
    return resized(square, (target, target), kernel) if scaled else _square(square, target, rng)


def _square(image: Image, side: int, rng: np.random.Generator) -> Image:
    top, left = (int(rng.random() * (length - side + 1)) for length in image.shape[:2])
    return np.ascontiguousarray(image[top : top + side, left : left + side])


def _sharpened(image: Image, amount: float) -> Image:
    from PIL import Image as Pillow
    from PIL.ImageFilter import UnsharpMask

    picture = Pillow.fromarray(image).filter(UnsharpMask(radius=1.0, percent=round(100 * amount), threshold=0))
    return np.asarray(picture, dtype=np.uint8)
