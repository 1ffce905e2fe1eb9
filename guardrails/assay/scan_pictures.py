"""What a gallery shows of a file: a thumbnail, and where in it a detector sees its evidence."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.base import Detector, Modality
from ..core.errors import GuardrailsError
from ..kit.io import read_image, resize
from ..kit.video import read_video

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 176
FULL = 4.0
"""Logarithm of the likelihood ratio (about 55 : 1) from which on a place has its full colour."""
SYNTHETIC, REAL = (214, 39, 40), (31, 119, 180)


def pictures_of(path: Path, modality: Modality, detector: Detector | None) -> dict[str, Any]:
    """Return ``thumbnail`` and ``heat``, JPEG in base64 each, or None where there is nothing to show.

    Parameters
    ----------
    path : Path
        The file.
    modality : Modality
        Of a video the first frame is shown.
    detector : Detector, optional
        Whose heat map is laid over the picture.
    """
    try:
        if modality is Modality.IMAGE:
            picture = read_image(path)
        elif modality is Modality.VIDEO:
            picture = next(read_video(path, max_frames=1))
        else:
            return {"thumbnail": None, "heat": None}
    except (GuardrailsError, StopIteration):
        return {"thumbnail": None, "heat": None}
    small = resize(picture, _size(picture))
    heat = None
    if detector is not None and modality is Modality.IMAGE:
        try:
            heat = detector.explain(detector.open(path)).heat_map
        except Exception:  # the picture is shown without it
            heat = None
    return {"thumbnail": _jpeg(small), "heat": None if heat is None else _jpeg(overlaid(small, heat))}


def _size(picture: NDArray[np.uint8]) -> tuple[int, int]:
    height, width = picture.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def overlaid(picture: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a grey picture with the heat map over it: red for synthetic, blue for real, no colour for neither.

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
