"""Generated pictures by how their power falls with frequency."""

from __future__ import annotations

from .images.base import TileDetector


class Radial(TileDetector):
    """Mean power by frequency, logarithmic, at 32 rings (Durall et al. 2019, arXiv 1911.00686)."""

    id = "deepfake.radial"
    title = "Radial spectrum"
    limits = (
        "Blur, resizing and compression change the same rings as an upsampling layer does; on generators that it does"
        " not know its evidence can point the wrong way. It is one member of deepfake.fusion and weak alone."
    )
    descriptors = ("spectrum",)
