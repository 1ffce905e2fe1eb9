"""Image detectors whose network is already trained and gives one score: only the calibration is ours."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ...core.detector import Detection
from ...core.errors import ConfigurationError, ContentError
from .base import ImageDetector, checked
from .picture import Picture
from .saved_detector import Kept, check_network, is_kept, keep, read_kept

if TYPE_CHECKING:
    from .base import Blocks
    from .fitted_head import Fitted

BLOCK = "network"


class FixedDetector(ImageDetector):
    """A detector on a trained network that the user names.

    Its score is a logit, larger for synthetic, as the network has it. Networks are rarely calibrated, so that there is
    no probability, no likelihood ratio and no verdict before `calibrate`. The network itself never changes: `fit` is
    `calibrate`.

    Parameters
    ----------
    argument : str
        See ``takes``, or a folder that `save` wrote.

    Raises
    ------
    ConfigurationError
        For no argument, or one that cannot be used.
    """

    def __init__(self, argument: str = "") -> None:
        if not argument:
            raise ConfigurationError(f"{self.id} needs an argument, {self.id}:…: {self.takes}")
        super().__init__()
        self._kept = read_kept(self.id, argument) if is_kept(argument) else None
        self._place, self.argument = argument, argument if self._kept is None else self._kept.argument
        if self._kept is not None:
            self._fitted = self._kept.fitted
        self._open()
        if self._kept is not None:
            check_network(self.id, self._place, self._kept, self.sha256)

    @abstractmethod
    def _open(self) -> None:
        """Load the network that `argument` names.

        Raises
        ------
        ConfigurationError
            Where it cannot be used.
        """

    @property
    @abstractmethod
    def sha256(self) -> str:
        """Of the network."""

    @abstractmethod
    def logit(self, picture: Picture) -> float:
        """Return the network's score of one picture, which is alone in its batch.

        Raises
        ------
        ContentError
            Where the picture cannot be read, or the network gives no number for it.
        """

    def blocks(self, picture: Picture) -> Blocks:
        import numpy as np

        logit = picture.kept((self.id, self.sha256, self.argument), lambda: self.logit(picture))
        return {BLOCK: np.array([logit])}

    @property
    def fitted(self) -> Fitted:
        """The calibration.

        Raises
        ------
        ConfigurationError
            Before `calibrate`.
        """
        if self._fitted is None:
            raise ConfigurationError(f"{self.id}:{self.argument} is not calibrated yet")
        return self._fitted

    def fit(self, items: Sequence[Any], labels: Sequence[int], *, sources: Sequence[str] | None = None) -> Self:
        """Calibrate: the network is fixed. Errors as in `calibrate`."""
        return self.calibrate(items, labels, sources=sources)

    def calibrate(self, items: Sequence[Any], labels: Sequence[int], *, sources: Sequence[str] | None = None) -> Self:
        """Learn what a score is worth from labelled items that the network was not trained on.

        Raises
        ------
        ConfigurationError
            For too few items, or where the score is not larger for synthetic ones than for real ones.
        ContentError
            For an item that cannot be read.
        """
        import numpy as np

        from ...kit.detection.calibration import Calibration
        from ...kit.detection.linear_head import Head
        from .fitted_head import Fitted

        y, names = checked(self.id, items, labels, sources)
        scores = self.described(items)[BLOCK][:, 0]
        calibration = Calibration.fit(scores, y, names)
        if calibration.slope <= 0:
            made, real = scores[y == 1], scores[y == 0]
            above = np.mean((made[:, None] > real) + 0.5 * (made[:, None] == real))
            raise ConfigurationError(
                f"{self.id}:{self.argument}: its scores are not larger for synthetic items (AUC {above:.2f} on {len(y)}"
                " items): it may know the labels the other way round, or nothing of these items"
            )
        head = Head({BLOCK: np.zeros(1)}, {BLOCK: np.ones(1)}, {BLOCK: np.ones(1)}, 0.0)
        basis = f"calibrated on {len(y)} items of {len(set(names))} sources; network {self.sha256[:12]}"
        self._fitted = Fitted(head, calibration, float("inf"), basis)
        return self

    def save(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write the calibration, without the network; ``ID:FOLDER`` reads it again.

        Raises
        ------
        ConfigurationError
            Where there is nothing to write before `calibrate`.
        """
        return keep(self.id, Kept(self._absolute(), self.sha256, self.fitted), Path(folder))

    def _absolute(self) -> str:
        """Return the argument so that it holds in other working directories."""
        place, choice = place_and_choice(self.argument)
        return str(Path(place).resolve()) + (f"#{choice}" if choice else "") if Path(place).exists() else self.argument

    def _detect(self, picture: Picture) -> Detection:
        if self._fitted is not None:
            return super()._detect(picture)
        try:
            score = float(self.blocks(picture)[BLOCK][0])
        except ContentError as error:
            return Detection(picture.name, None, reasons=(str(error),))
        return Detection(picture.name, score, reasons=("the network's own score: not calibrated yet",))

    def _rank(self, row: Detection) -> float | None:
        return None if self._fitted is None else super()._rank(row)


def place_and_choice(argument: str) -> tuple[str, str]:
    """Split ``PLACE#CHOICE``.

    >>> place_and_choice("net.onnx#centre"), place_and_choice("net.onnx")
    (('net.onnx', 'centre'), ('net.onnx', ''))
    """
    place, mark, choice = argument.rpartition("#")
    return (place, choice) if mark and not Path(argument).exists() else (argument, "")
