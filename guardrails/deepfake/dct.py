"""Generated pictures by the energy of their block cosine coefficients."""

from __future__ import annotations

from .images.base import TileDetector


class Dct(TileDetector):
    """Mean of log(1 + |DCT|) of 16 × 16 blocks (Frank et al. 2020, arXiv 2003.08685)."""

    id = "deepfake.dct"
    title = "Block DCT"
    limits = (
        "Detects the grid of JPEG as well as that of a generator: pictures that were never saved as JPEG, or "
        "saved twice, are judged less reliably. It is one member of deepfake.fusion and not useful on its own."
    )
    descriptors = ("blocks",)
