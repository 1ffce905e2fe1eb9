"""A baseline that only uses the file: a good data set makes it useless."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.errors import ContentError
from .images.base import ImageDetector
from .images.file_traces import metadata

if TYPE_CHECKING:
    from .images.base import Blocks
    from .images.picture import Picture


class Metadata(ImageDetector):
    """Format, size, bytes, JPEG quality and presence of EXIF: properties of the file, not of the picture.

    This is not evidence of how a picture was made. It detects whether the two halves of a collection were saved
    differently, which is what an uncontrolled benchmark measures (Grommelt et al. 2024, arXiv 2403.17608). Only the
    header is read.
    """

    id = "deepfake.metadata"
    title = "Metadata baseline"
    limits = (
        "Saving a file again changes its answer and nothing else. It is a baseline: if it does as well as a "
        "detector on some collection, that collection cannot judge the detector. Pixels without a file have no "
        "score."
    )

    def blocks(self, picture: Picture) -> Blocks:
        if picture.path is None:
            raise ContentError(f"{picture.name}: pixels without a file have no metadata")
        return {"metadata": metadata(picture.path)}
