"""Generated pictures, detected by traces of upsampling between neighbouring pixels."""

from __future__ import annotations

from .images.base import TileDetector


class Npr(TileDetector):
    """Neighbouring-pixel relations (Tan et al. 2024, arXiv 2312.10461), the four phases of the grid pooled."""

    id = "deepfake.npr"
    title = "Neighbouring-pixel relations"
    limits = (
        "Looks for the last upsampling layer: later resizing and strong compression remove its traces. It is one "
        "member of deepfake.fusion and not useful on its own."
    )
    descriptors = ("upsampling",)
