"""Pictures of a corpus as a copy descriptor sees them, to look near-copies up in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...kit.pictures.descriptor import BATCH, Descriptor
from .copy_threshold import Match
from .fingerprints import nearest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class DescriptorIndex:
    """The vectors of training pictures, (N, D) of length 1, and where each stands in the corpus."""

    descriptor: Descriptor
    vectors: Vectors
    places: NDArray[np.int64]

    @classmethod
    def build(cls, corpus: Sequence[Any], places: NDArray[np.int64], descriptor: Descriptor) -> DescriptorIndex:
        """Describe the pictures of a corpus at some places, a batch at a time."""
        import numpy as np

        parts = [
            descriptor.embed([descriptor.small(corpus[int(place)]) for place in places[start : start + BATCH]])
            for start in range(0, len(places), BATCH)
        ]
        return cls(descriptor, np.concatenate(parts), places)

    def look_up(self, pictures: Sequence[Any]) -> list[Match]:
        """Return each picture's distance to the nearest training picture over the mean to the nearest fifty."""
        neighbours = nearest(self.descriptor.embed(pictures), self.vectors)
        return [Match(float(r), int(self.places[p])) for r, p in zip(neighbours.ratio, neighbours.place, strict=True)]
