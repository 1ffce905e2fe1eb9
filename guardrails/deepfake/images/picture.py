"""A picture, and what has been computed from it: decoded once and described once, whatever asks."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .descriptors import Tiles

    Image = NDArray[np.uint8]

T = TypeVar("T")


class Picture:
    """One item of an image detector.

    Pass the same `Picture` to several detectors to share the work between them; it holds everything until it is
    dropped.

    Attributes
    ----------
    name : str
    path : Path, optional
        None for pixels that came from no file.
    """

    def __init__(self, name: str, path: Path | None = None, pixels: Image | None = None) -> None:
        self.name, self.path = name, path
        self._pixels = pixels
        self._kept: dict[Any, Any] = {}

    @classmethod
    def of(cls, item: Any, place: int = 0) -> Picture:
        """Return the picture of an item: a path, an array or a picture already."""
        if isinstance(item, Picture):
            return item
        if isinstance(item, str | Path):
            return cls(str(item), path=Path(item))
        return cls(f"{place:05d}", pixels=item)

    @cached_property
    def pixels(self) -> Image:
        """(H, W, 3), upright.

        Raises
        ------
        ContentError
            Where the file cannot be read, or what was given is no picture.
        """
        import numpy as np

        from ...core.errors import ContentError
        from ...kit.io import read_image

        if self._pixels is None:
            assert self.path is not None
            return read_image(self.path)
        given = np.asarray(self._pixels)
        if given.ndim == 2:
            given = np.repeat(given[..., None], 3, axis=2)
        if given.ndim != 3 or given.shape[2] != 3 or given.dtype != np.uint8 or not given.size:
            raise ContentError(f"{self.name}: a picture is (H, W, 3) of uint8, not {given.shape} of {given.dtype}")
        return given

    @cached_property
    def tiles(self) -> NDArray[np.uint8]:
        """(T, 64, 64, 3): see `descriptors.tiles_of`."""
        from .descriptors import tiles_of

        return tiles_of(self.pixels)

    def descriptor(self, name: str) -> NDArray[np.float32]:
        """Return one of `descriptors.DESCRIPTORS`."""
        from .descriptors import DESCRIPTORS

        return self.kept(("descriptor", name), lambda: DESCRIPTORS[name](self._views))

    @cached_property
    def _views(self) -> Tiles:
        from .descriptors import Tiles

        return Tiles(self.tiles)

    def kept(self, key: Any, compute: Callable[[], T]) -> T:
        """Return what was computed under a key before, or compute it."""
        if key not in self._kept:
            self._kept[key] = compute()
        computed: T = self._kept[key]
        return computed

    def known(self, key: Any) -> Any:
        """Return what was computed under a key before, or None."""
        return self._kept.get(key)

    def drop_pixels(self) -> None:
        """Let go of pixels and tiles; what was computed from them stays."""
        self._pixels = None
        for made in ("pixels", "tiles", "_views"):
            self.__dict__.pop(made, None)
