"""The three ways to look a picture up in a corpus, each calibrated on the same held-out pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...kit.exact_copies import pixels_key
from ...kit.pictures.descriptor import BATCH, Descriptor
from .copied_regions import TileIndex
from .copy_threshold import Calibration, Match
from .descriptor_index import DescriptorIndex
from .fingerprints import MAX_HOLDOUT, CopyIndex

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Way:
    """One way to look pictures up: its metric, what its rows hold, and what it does, in a reader's words."""

    metric: str
    score: str
    place: str
    method: str


_CALIBRATED = "threshold: the lowest 1% of one half of the holdout; Wilson interval"
WHOLE = Way(
    "copy_rate", "ratio", "nearest",
    "distance to the nearest training picture over the mean distance to the nearest 50, at 16 × 16 pixels, as it"
    " is, mirrored or turned by quarters, whichever is nearest, the lowest over shifts by a thirty-second of the side;"
    f" {_CALIBRATED}",
)  # fmt: skip
DESCRIPTOR = Way(
    "descriptor_copy_rate", "descriptor", "descriptor_nearest",
    "distance to the nearest training picture over the mean distance to the nearest 50, between the vectors of the copy"
    f" descriptor {{}}; {_CALIBRATED}",
)  # fmt: skip
TILE = Way(
    "tile_copy_rate", "tile", "tile_nearest",
    "distance of a window of 3/8 of the side to the nearest window of a training picture over the mean distance to the"
    f" nearest 50, at 16 × 16 cells a picture, the lowest over all windows that are not flat; {_CALIBRATED}",
)  # fmt: skip
WAYS = (WHOLE, DESCRIPTOR, TILE)


@dataclass(frozen=True)
class CopySearch:
    """A corpus to look copies up in."""

    whole: CopyIndex
    descriptor: DescriptorIndex
    tiles: TileIndex | None
    """None where the training pictures have next to no windows that are not flat."""
    calibrations: Mapping[str, Calibration]
    """By the metric."""

    @classmethod
    def build(cls, corpus: Sequence[Any], holdout: Sequence[Any], descriptor: Descriptor) -> CopySearch | str:
        """Return the search, or the reason why these data are too few for one."""
        whole = CopyIndex.build(corpus, holdout)
        if isinstance(whole, str):
            return whole
        described = DescriptorIndex.build(corpus, whole.places, descriptor)
        tiles = TileIndex.build(corpus, whole.places)
        unseen = sorted({*range(min(len(holdout), MAX_HOLDOUT))} - {*whole.overlap})
        by_descriptor: list[Match] = []
        by_tile: list[Match] = []
        for start in range(0, len(unseen), BATCH):
            small = []  # large pictures are held one at a time
            for i in unseen[start : start + BATCH]:
                picture = holdout[i]
                small.append(descriptor.small(picture))
                by_tile += [tiles.look_up(picture)] if tiles else []
            by_descriptor += described.look_up(small)
        calibrations = {WHOLE.metric: Calibration(whole.threshold, whole.expected, whole.calibration, whole.check)}
        for way, matches in ((DESCRIPTOR, by_descriptor), (TILE, by_tile)):
            if matches:
                calibrations[way.metric] = Calibration.of([match.score for match in matches])
        return cls(whole, described, tiles, calibrations)

    def look_up(self, picture: NDArray[np.uint8]) -> dict[str, Any]:
        """Return the part of a picture's row that one picture by itself gives: all but the descriptor."""
        ratio, place = self.whole.look_up(picture)
        row = {WHOLE.score: round(ratio, 5), WHOLE.place: place} | self.whole.exact.look_up(pixels_key(picture))
        return row | (_part(TILE, self.tiles.look_up(picture)) if self.tiles else {})

    def described(self, pictures: Sequence[Any]) -> list[dict[str, Any]]:
        """Return the descriptor's part of the rows of some pictures."""
        return [_part(DESCRIPTOR, match) for match in self.descriptor.look_up(pictures)] if len(pictures) else []

    def is_copy(self, row: Mapping[str, Any], way: Way) -> bool:
        """Whether a row lies below the threshold of a way."""
        score = row.get(way.score)
        return score is not None and way.metric in self.calibrations and score < self.calibrations[way.metric].threshold


def _part(way: Way, match: Match) -> dict[str, Any]:
    return {way.score: round(match.score, 5), way.place: match.place}
