"""Generated pictures, detected by the relation between the details of their colour channels."""

from __future__ import annotations

from .images.base import TileDetector


class Colour(TileDetector):
    """Co-occurrences of the residuals of two channels (Goljan et al. 2014), and the detail of light and colour."""

    id = "deepfake.colour"
    title = "Colour residuals"
    limits = (
        "A camera interpolates two thirds of its colours from a mosaic; a grey picture, a scan or strong chroma "
        "subsampling leaves few traces."
    )
    descriptors = ("colour",)
