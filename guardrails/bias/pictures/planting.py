"""Pictures of one group in place of a target's outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...kit.pictures.folder import ImageFolder
from ...targets.spikes import SpikedImages
from ...targets.spikes._spiked import SpikedOutputs


class PlantedPictures(SpikedImages):
    """Slightly altered copies of labelled pictures, in place of the outputs; prompts stay as they are."""

    def sample_images(self, n: int, *, seed: int) -> Sequence[Any]:
        """Return n copies; `names`, where the target's pictures have names, are theirs."""
        pictures: Any = super().sample_images(n, seed=seed)
        if self.available is not None:
            pictures.names = getattr(self.target.sample_images(n, seed=seed), "names", None)
        return pictures  # type: ignore[no-any-return]


class OneGroup(SpikedOutputs[Any]):
    """A folder in which only the pictures that are labelled with one group are left, each as often as needed.

    Parameters
    ----------
    target : ImageFolderTarget
        The user's.
    names : sequence of str
        Of the pictures of that group.
    """

    def __init__(self, target: Any, names: Sequence[str]) -> None:
        super().__init__(target, f"{len(names)} pictures of one group")
        self._names = names

    def sample_images(self, n: int, *, seed: int) -> ImageFolder:
        """Return n pictures of the group."""
        return ImageFolder(self.target.images.folder, [self._names[i % len(self._names)] for i in range(n)])
