"""Generated pictures, detected by the decrease of their power with frequency."""

from __future__ import annotations

from .images.base import TileDetector


class Radial(TileDetector):
    """Mean power by frequency, logarithmic, at 32 rings (Durall et al. 2019, arXiv 1911.00686)."""

    id = "deepfake.radial"
    title = "Radial spectrum"
    limits = (
        "Blur, resizing and compression change the same rings as an upsampling layer does; on unknown generators "
        "its score can have the wrong sign. It is one member of deepfake.fusion and not useful on its own."
    )
    descriptors = ("spectrum",)
