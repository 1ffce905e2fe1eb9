"""Generated pictures by what upsampling leaves between neighbouring pixels."""

from __future__ import annotations

from .images.base import TileDetector


class Npr(TileDetector):
    """Neighbouring-pixel relations (Tan et al. 2024, arXiv 2312.10461), the four phases of the grid pooled."""

    id = "deepfake.npr"
    title = "Neighbouring-pixel relations"
    limits = (
        "Looks for the last upsampling layer: resizing afterwards, and strong compression, remove what it looks for. It"
        " is one member of deepfake.fusion and weak alone."
    )
    descriptors = ("upsampling",)
