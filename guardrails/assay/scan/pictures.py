"""What a gallery shows of a file: a thumbnail, where a detector sees its evidence, and how its JPEG was saved."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.detector import Detector
from ...core.errors import GuardrailsError
from ...core.targets import Modality
from ...deepfake.images.jpeg_ghosts import ela, ghost
from ...kit.io import read_image, resize
from ...kit.video import read_video

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 176
FULL = 4.0
"""Logarithm of the likelihood ratio (about 55 : 1) from which on a place has its full colour."""
SYNTHETIC, REAL = (214, 39, 40), (31, 119, 180)
MOST = 4_000_000
"""Pixels of a JPEG beyond which its error levels and ghosts are not computed: they would take seconds."""
DEEP = 1.5
"""Depth of a ghost that is shown white."""
NOTHING: dict[str, Any] = {"thumbnail": None, "heat": None, "error_levels": None, "ghosts": None}


def pictures_of(path: Path, modality: Modality, detector: Detector | None) -> dict[str, Any]:
    """Return ``thumbnail``, ``heat``, ``error_levels`` and ``ghosts``: JPEG in base64, or None for nothing to show.

    Parameters
    ----------
    path : Path
        The file.
    modality : Modality
        Of a video the first frame is shown.
    detector : Detector, optional
        Whose heat map is laid over the picture; without one the thumbnail is all.
    """
    try:
        if modality is Modality.IMAGE:
            picture = read_image(path)
        elif modality is Modality.VIDEO:
            picture = next(read_video(path, max_frames=1))
        else:
            return dict(NOTHING)
    except (GuardrailsError, StopIteration):
        return dict(NOTHING)
    small = resize(picture, _size(picture))
    shown = NOTHING | {"thumbnail": _jpeg(small)}
    if detector is None or modality is not Modality.IMAGE:
        return shown
    try:
        heat = detector.explain(detector.open(path)).heat_map
    except Exception:  # the picture is shown without it
        heat = None
    if heat is not None:
        shown["heat"] = _jpeg(overlaid(small, heat))
    if _is_jpeg(path) and picture[..., 0].size <= MOST:
        levels, ghosts = compression(picture, small.shape[:2])
        shown |= {"error_levels": _jpeg(levels), "ghosts": _jpeg(ghosts)}
    return shown


def _is_jpeg(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(3) == b"\xff\xd8\xff"


def compression(picture: NDArray[np.uint8], size: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return error levels and JPEG ghosts as grey pictures, (h, w, 3) each; see `deepfake.images.jpeg_ghosts`.

    Parameters
    ----------
    picture : array of uint8
        (H, W, 3).
    size : tuple of int
        (h, w) of what is returned.
    """
    levels, ghosts = ela(picture), ghost(picture)
    most = max(float(np.quantile(levels, 0.995)), 1.0)
    return _grey(levels / most, size), _grey(ghosts / DEEP, size)


def _grey(strength: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
    from PIL import Image as Pillow

    bytes_ = np.rint(255 * np.clip(strength, 0, 1)).astype(np.uint8)
    small = Pillow.fromarray(bytes_).resize((size[1], size[0]), Pillow.Resampling.BOX)
    return np.repeat(np.asarray(small)[..., None], 3, axis=2)


def _size(picture: NDArray[np.uint8]) -> tuple[int, int]:
    height, width = picture.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def overlaid(picture: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a grey picture with the heat map over it: red for synthetic, blue against it, no colour for neither.

    Parameters
    ----------
    picture : array of uint8
        (H, W, 3).
    heat : array of float32
        (h, w), logarithm of the likelihood ratio; NaN says nothing.
    """
    from PIL import Image as Pillow

    height, width = picture.shape[:2]
    known = np.nan_to_num(np.asarray(heat, dtype=np.float32), nan=0.0, posinf=FULL, neginf=-FULL)
    smooth = Pillow.fromarray(np.clip(known / FULL, -1, 1)).resize((width, height), Pillow.Resampling.BILINEAR)
    strength = np.asarray(smooth)[..., None]
    colour = np.where(strength > 0, np.array(SYNTHETIC), np.array(REAL))
    share = 0.7 * np.abs(strength)
    grey = picture.mean(axis=2, keepdims=True)
    return np.asarray(np.rint((1 - share) * grey + share * colour), dtype=np.uint8)


def _jpeg(picture: NDArray[np.uint8]) -> str:
    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.fromarray(picture).save(buffer, "JPEG", quality=82)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
