"""Outputs beside the training pictures that they resemble, drawn no finer than they are compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...kit.io import encode_png, thumbnail
from ...kit.pictures.batches import contact_sheet, open_thumbnail
from ...kit.pictures.features import to_square
from .fingerprints import SIDE

SHOWN = 6
"""How many sheets a report shows at most."""


def coarse(image: Any) -> str:
    """Return a picture of any shape as `SIDE` × `SIDE` pixels, a PNG in base64: what a row of the journal holds.

    Its fingerprint is that of the picture, up to rounding. The evidence shows nothing finer: what was trained on may be
    nobody's business.
    """
    small = to_square(image, 4 * SIDE).reshape(SIDE, 4, SIDE, 4, 3).mean(axis=(1, 3))  # as fingerprints are made
    return thumbnail((small * 255).round().astype("uint8"), SIDE)


def draw_beside(file: Path, outputs: Sequence[str], originals: Sequence[Any]) -> None:
    """Write a contact sheet: outputs, as `coarse` made them, and after them the pictures that they resemble.

    Parameters
    ----------
    file : Path
        A PNG; its folder is made.
    outputs : sequence of str
        At least one.
    originals : sequence of arrays
        (H, W) or (H, W, 3).
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    pictures = [open_thumbnail(text) for text in (*outputs, *(coarse(original) for original in originals))]
    file.write_bytes(encode_png(contact_sheet(pictures)))
