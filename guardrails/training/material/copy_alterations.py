"""What a copier does to a picture, and how many of such copies each measure of `copies` finds."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...kit.io import resize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...memorization.pictures.copy_search import CopySearch

    Image = NDArray[np.uint8]
    Alter = Callable[[Image, Image, np.random.Generator], Image]


def _noisy(image: Image, stranger: Image, rng: np.random.Generator) -> Image:
    return _bytes(image + rng.normal(0, 12, image.shape))


def _jpeg(image: Image, stranger: Image, rng: np.random.Generator) -> Image:
    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, "JPEG", quality=30)
    return np.asarray(Pillow.open(buffer).convert("RGB"), dtype=np.uint8)


def _shifted(image: Image, stranger: Image, rng: np.random.Generator) -> Image:
    down, right = (max(1, length // 32) for length in image.shape[:2])
    padded = np.pad(image, [(down, 0), (right, 0), (0, 0)], mode="edge")
    return np.ascontiguousarray(padded[:-down, :-right])


def _brighter(image: Image, stranger: Image, rng: np.random.Generator) -> Image:
    return _bytes(image * (1.2 * np.array([1.05, 1.0, 0.95])))


def _mirrored(image: Image, stranger: Image, rng: np.random.Generator) -> Image:
    return np.ascontiguousarray(image[:, ::-1])


def _turned(image: Image, stranger: Image, rng: np.random.Generator) -> Image:
    from PIL import Image as Pillow

    angle = 10 * rng.choice([-1, 1])
    return np.asarray(Pillow.fromarray(image).rotate(float(angle), Pillow.Resampling.BILINEAR), dtype=np.uint8)


def _on_its_side(image: Image, stranger: Image, rng: np.random.Generator) -> Image:
    return np.ascontiguousarray(np.rot90(image))


def _cropped(share: float) -> Alter:
    def crop(image: Image, stranger: Image, rng: np.random.Generator) -> Image:
        top, left, height, width = _part(image.shape, share**0.5, rng)
        return np.ascontiguousarray(image[top : top + height, left : left + width])

    return crop


def _covered(image: Image, stranger: Image, rng: np.random.Generator) -> Image:
    """A quarter of it lies under a part of a stranger."""
    return _pasted(stranger, image, rng)


def _pasted(image: Image, stranger: Image, rng: np.random.Generator) -> Image:
    """A quarter of it lies in a stranger, anywhere, at its own scale."""
    from_, out = resize(image, stranger.shape[:2]), stranger.copy()
    top, left, height, width = _part(out.shape, 0.5, rng)
    down, right, _, _ = _part(out.shape, 0.5, rng)
    out[down : down + height, right : right + width] = from_[top : top + height, left : left + width]
    return out


def _in_place(image: Image, stranger: Image, rng: np.random.Generator) -> Image:
    """A quadrant of it lies in a stranger where it was."""
    out, (height, width) = stranger.copy(), (length // 2 for length in stranger.shape[:2])
    top, left = int(rng.integers(2)) * height, int(rng.integers(2)) * width
    out[top : top + height, left : left + width] = resize(image, stranger.shape[:2])[
        top : top + height, left : left + width
    ]
    return out


def _part(shape: Sequence[int], side: float, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Top, left, height and width of a rectangle anywhere in a picture, of a share of its sides."""
    height, width = (max(1, round(length * side)) for length in shape[:2])
    return int(rng.integers(shape[0] - height + 1)), int(rng.integers(shape[1] - width + 1)), height, width


def _bytes(image: NDArray[np.float64]) -> Image:
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


ALTERATIONS: Mapping[str, Alter] = {
    "noise": _noisy,
    "JPEG 30": _jpeg,
    "shift": _shifted,
    "brightness, tint": _brighter,
    "mirrored": _mirrored,
    "turned 10°": _turned,
    "turned 90°": _on_its_side,
    "cropped to .7": _cropped(0.7),
    "cropped to .5": _cropped(0.5),
    "a quarter covered": _covered,
    "a quarter, in place": _in_place,
    "a quarter, anywhere": _pasted,
}
"""By name: (picture, a stranger, random numbers) → an altered copy. The last two are strangers with a copied part."""


def recalls(
    search: CopySearch, originals: Sequence[Image], strangers: Sequence[Image], *, seed: int
) -> dict[str, dict[str, float]]:
    """Return, by alteration and metric, the share of altered copies of training pictures that is found."""
    from ...memorization.pictures.copy_search import WAYS

    out = {}
    for name, alter in ALTERATIONS.items():
        rng = np.random.default_rng(seed)
        copies = [alter(o, strangers[i % len(strangers)], rng) for i, o in enumerate(originals)]
        rows: list[dict[str, Any]] = [search.look_up(copy) for copy in copies]
        rows = [row | part for row, part in zip(rows, search.described(copies), strict=True)]
        out[name] = {way.metric: round(float(np.mean([search.is_copy(r, way) for r in rows])), 3) for way in WAYS}
    return out
