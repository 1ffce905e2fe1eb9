"""Generated pictures by the co-occurrences of their noise residuals."""

from __future__ import annotations

from .images.base import TileDetector


class Srm(TileDetector):
    """Fourth-order co-occurrences of quantised residuals (Fridrich & Kodovský 2012, IEEE TIFS 7:868)."""

    id = "deepfake.srm"
    title = "Residual co-occurrences"
    limits = (
        "Uses sensor noise and the traces that editing left of it: denoised and strongly compressed photographs "
        "look generated to it. It is one member of deepfake.fusion and not useful on its own."
    )
    descriptors = ("residuals",)
