"""What image detectors with a linear head share: fit, calibrate, score, explain.

A detector says which vectors describe a picture (`blocks`); the head, its calibration and its bounds are here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ...core.control import Control
from ...core.detector import Detection, Detector
from ...core.errors import ConfigurationError, ContentError
from ...core.targets import Modality
from .kinds import kind_of
from .picture import Picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .fitted_head import Fitted

    Array = NDArray[np.float64]
    Blocks = Mapping[str, NDArray[np.floating[Any]]]

MIN_ITEMS = 10
CONTROLS = (Control("photographs:enlarged=4", "found"), Control("photographs:", "clear"))
"""The photographs of scikit-learn, which nothing learns from: at a quarter of the size and up again (cubic),
the trace of upsampling without a network; and as they are. An instrument that does not tell these apart is broken;
whether one that does knows a generator is said by its card."""
GRID = 16
"""Places of a heat map, a side."""


class ImageDetector(Detector):
    """A detector of generated pictures: descriptors, a linear head on them, a calibration.

    Without `fit` it uses the weights that ship (``guardrails train detector default``).
    """

    modalities = frozenset({Modality.IMAGE})
    controls: ClassVar[tuple[Control, ...]] = CONTROLS

    def __init__(self) -> None:
        self._fitted: Fitted | None = None

    @classmethod
    def open(cls, path: Path) -> Picture:
        picture = Picture.of(path)
        picture.pixels  # noqa: B018 - decoded now, once for all
        return picture

    @abstractmethod
    def blocks(self, picture: Picture) -> Blocks:
        """Describe a picture: one (D,) vector a name.

        Raises
        ------
        ContentError
            Where the picture cannot be read, or says nothing.
        """

    @property
    def fitted(self) -> Fitted:
        """The head that was fitted, or the shipped one.

        Raises
        ------
        ConfigurationError
            Where the shipped weights are missing, altered or of another version.
        """
        if self._fitted is None:
            from .fitted_head import shipped

            self._fitted = shipped(self.id)
        return self._fitted

    def fit(self, items: Sequence[Any], labels: Sequence[int], *, sources: Sequence[str] | None = None) -> Self:
        from .fitted_head import Fitted

        y, names = checked(self.id, items, labels, sources)
        self._fitted = Fitted.fit(self.described(items), y, names)
        return self

    def calibrate(self, items: Sequence[Any], labels: Sequence[int], *, sources: Sequence[str] | None = None) -> Self:
        y, names = checked(self.id, items, labels, sources)
        self._fitted = self.fitted.calibrated(self.described(items), y, names)
        return self

    def described(self, items: Sequence[Any]) -> dict[str, Array]:
        """Describe pictures, one at a time: (N, D) a block."""
        import numpy as np

        rows = [self.blocks(Picture.of(item, i)) for i, item in enumerate(items)]
        return {name: np.stack([row[name] for row in rows]).astype(np.float64) for name in rows[0]}

    def score(self, items: Sequence[Any]) -> list[Detection]:
        return [self._detect(Picture.of(item, i)) for i, item in enumerate(items)]

    def _detect(self, picture: Picture) -> Detection:
        self.fitted  # noqa: B018 - missing weights are a mistake of the set-up, not of one picture
        try:
            blocks = self.blocks(picture)
        except ContentError as error:
            return Detection(picture.name, None, reasons=(str(error),))
        return within_scope(
            self._judge(picture.name, {name: x[None] for name, x in blocks.items()}), self.fitted, picture
        )

    def _judge(self, name: str, blocks: Blocks) -> Detection:
        """Say what the head says of one picture, (1, D) a block."""
        return self.fitted.detection(name, blocks)

    def _rank(self, row: Detection) -> float | None:
        if row.score is None:
            return None
        return float(self.fitted.calibration.rank([row.score])[0])

    def explain(self, item: Any) -> Detection:
        picture = Picture.of(item)
        detection = self._detect(picture)
        return detection if detection.score is None else replace(detection, heat_map=self._heat_map(picture.pixels))

    def _heat_map(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Return the evidence by place as logits, or None where there is no such map.

        Of tiles that overlap by half, at most `GRID` a side; None for a picture of less than two tiles.
        """
        import numpy as np

        from .descriptors import TILE

        if min(pixels.shape[:2]) < 2 * TILE:
            return None
        rows, columns = (
            np.linspace(0, length - TILE, min(GRID, 2 * length // TILE - 1)).astype(int) for length in pixels.shape[:2]
        )
        ratios = self._of_tiles(np.stack([pixels[r : r + TILE, c : c + TILE] for r in rows for c in columns]))
        return None if ratios is None else ratios.reshape(len(rows), len(columns)).astype(np.float32)

    def _of_tiles(self, tiles: NDArray[np.uint8]) -> Array | None:
        """Logits of tiles by themselves, (T, TILE, TILE, 3) → (T,); None where it cannot say."""
        return None


def within_scope(detection: Detection, fitted: Fitted, picture: Picture) -> Detection:
    """Return a detection, without verdict and ratio where the calibration has no sources of the picture's kind."""
    if fitted.scope is None or detection.calibration is None:
        return detection
    kind = kind_of(picture) if fitted.scope.kinds else "pictures"
    if kind in fitted.scope.kinds:
        return detection
    return Detection(detection.item, detection.score, reasons=(fitted.scope.withheld(kind), *detection.reasons[1:]))


class TileDetector(ImageDetector):
    """An image detector whose descriptors are those of tiles: it can say where in the picture its evidence lies."""

    learnt = frozenset({"gan-art", "diffusion-photo"})
    descriptors: ClassVar[tuple[str, ...]]
    """Names in `descriptors.DESCRIPTORS`."""

    @property
    def local(self) -> Fitted:
        """What judges a place of a picture by its descriptors alone."""
        return self.fitted

    def blocks(self, picture: Picture) -> Blocks:
        if picture.kept("flat", lambda: bool((picture.tiles == picture.tiles[:, :1, :1]).all())):
            raise ContentError(f"{picture.name}: one colour wherever it was looked at; there are no traces in that")
        return {name: picture.descriptor(name) for name in self.descriptors}

    def _of_tiles(self, tiles: NDArray[np.uint8]) -> Array:
        import numpy as np

        from .descriptors import DESCRIPTORS

        cut = tiles[:, None].astype(np.float32)
        return self.local.logits({n: np.stack([DESCRIPTORS[n](tile) for tile in cut]) for n in self.descriptors})


def checked(
    id: str, items: Sequence[Any], labels: Sequence[int], sources: Sequence[str] | None
) -> tuple[NDArray[np.int64], list[str]]:
    """Return labels as an array and the sources.

    Raises
    ------
    ConfigurationError
        Where the three differ in length, a label is neither 0 nor 1, or a class has fewer than ten items.
    """
    import numpy as np

    y = np.asarray(labels)
    names = [str(i) for i in range(len(items))] if sources is None else [str(name) for name in sources]
    if not len(items) == len(y) == len(names):
        raise ConfigurationError(f"{id}: {len(items)} items, {len(y)} labels and {len(names)} sources")
    if not np.isin(y, (0, 1)).all():
        raise ConfigurationError(f"{id}: labels are 1 for synthetic and 0 for real")
    few = [str(label) for label in (0, 1) if (y == label).sum() < MIN_ITEMS]
    if few:
        raise ConfigurationError(
            f"{id}: at least {MIN_ITEMS} items with label {' and with label '.join(few)} are needed"
        )
    return y.astype(np.int64), names
