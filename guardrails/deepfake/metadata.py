"""Generated pictures by their file alone: the baseline that no detector may need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.errors import ContentError
from .images.base import ImageDetector
from .images.file_traces import metadata

if TYPE_CHECKING:
    from .images.base import Blocks
    from .images.picture import Picture


class Metadata(ImageDetector):
    """Format, size, bytes, JPEG's quality and whether there is EXIF: what the file says, none of it of the picture.

    Not evidence of how a picture was made: it tells where a collection's two halves were saved differently, which is
    what an uncontrolled benchmark measures (Grommelt et al. 2024, arXiv 2403.17608). Only the header is read.
    """

    id = "deepfake.metadata"
    title = "Metadata baseline"
    limits = (
        "Saving a file anew changes its answer and nothing else. It is there to be beaten: where it does as well as a"
        " detector on some collection, that collection cannot judge the detector. Pixels without a file have none."
    )

    def blocks(self, picture: Picture) -> Blocks:
        if picture.path is None:
            raise ContentError(f"{picture.name}: pixels without a file have no metadata")
        return {"metadata": metadata(picture.path)}
