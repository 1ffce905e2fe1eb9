"""Frames and pages of a picture file beside the first: whether they are pictures of their own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ..io import opened_picture
from .bounds import MAX_HEADER, check_size, tiff_directory

if TYPE_CHECKING:
    from PIL import Image as PillowImage

MAX_PAGES = 100
"""Pages whose headers are read; a pyramid has about ten."""
OWN_PICTURES = "several frames or pages: save each as a file of its own"
_SUBFILE, _WIDTH, _HEIGHT, _PHOTOMETRIC = 254, 256, 257, 262
_REDUCED = 1
_MASK = 4
"""As a bit of the subfile's type and as a photometric interpretation."""


def has_own_frames(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds further pictures, and not only its first one again; headers are read, no pixels.

    The first again are a page of a TIFF that states that it is a reduced version of another (NewSubfileType: TIFF 6.0,
    section 8) and is smaller than the first, or a transparency mask; and behind a JPEG's first picture a smaller one (a
    preview) or a grey one (a map of gain or depth). Frames of an animation never are.

    Raises
    ------
    ContentError
        As `guardrails.kit.io.read_image`.
    """
    with opened_picture(path) as picture:
        if not getattr(picture, "is_animated", False):
            return False
        if picture.format == "TIFF":
            return _tiff_has(picture)
        return picture.format != "MPO" or _mpo_has(picture)


def _tiff_has(picture: PillowImage.Image) -> bool:
    file: Any = picture.fp  # type: ignore[attr-defined]
    first, place = tiff_directory(file)
    for _ in range(MAX_PAGES):
        if not place:
            return False
        page, place = tiff_directory(file, place)
        kind = page.get(_SUBFILE, 0)
        smaller = all(page.get(side, 0) < first.get(side, 0) for side in (_WIDTH, _HEIGHT))
        mask = kind & _MASK and page.get(_PHOTOMETRIC) == _MASK
        if not mask and not (kind & _REDUCED and smaller):
            return True
    return True


def _mpo_has(picture: PillowImage.Image) -> bool:
    file: Any = picture.fp  # type: ignore[attr-defined]
    file.allow(MAX_HEADER)  # for all headers together: Pillow joins their metadata in quadratic time
    width, height = picture.size
    frames = getattr(picture, "n_frames", 1)
    for frame in range(1, min(frames, MAX_PAGES)):
        picture.seek(frame)
        check_size(*picture.size)
        if picture.mode != "L" and (picture.width >= width or picture.height >= height):
            return True
    return frames > MAX_PAGES
