"""The contract of a detector, which scores single items."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from .control import Control
from .targets import Modality

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


Verdict = Literal["synthetic", "manipulated", "nothing found", "abstain"]
"""No detector says "real": that no trace was found is no evidence of a camera or a voice; provenance alone can be."""


@dataclass(frozen=True)
class Segment:
    """A stretch of a video or a recording that stands out, in seconds."""

    start: float
    end: float
    score: float


@dataclass(frozen=True)
class Detection:
    """What a detector says of one item. No signal is None, never .5.

    Attributes
    ----------
    item : str
        Its path, or its place among the items.
    score : float, optional
        Larger for synthetic; its scale is the detector's own.
    probability : float, optional
        That the item is synthetic or manipulated where half of all items are: of the likelihood ratio, in 0–1.
    likelihood_ratio : float, optional
        p(score | synthetic) / p(score | real): what the evidence says whatever the share of synthetic items. Never
        beyond what the sources of the calibration can support; None where they are of another kind than the item.
    verdict : str
        ``synthetic`` or ``manipulated``; ``nothing found`` where no trace was found, which is no evidence that the item
        is real; ``abstain`` where the evidence is weak, contradicts itself or is unlike what the detector knows.
    reasons : tuple of str
        What the verdict rests on, or why there is none.
    heat_map : array of float32, (H, W), optional
        Evidence by place, above 0 for synthetic, evenly over the picture; NaN where a place says nothing. It is for the
        eye: not bounded as the likelihood ratio is.
    segments : tuple of Segment
        Of a video or a recording, in the order of time.
    calibration : str, optional
        Which calibration made the probability.
    """

    item: str
    score: float | None
    probability: float | None = None
    verdict: Verdict = "abstain"
    reasons: tuple[str, ...] = ()
    calibration: str | None = None
    likelihood_ratio: float | None = None
    heat_map: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    segments: tuple[Segment, ...] = ()


class Detector(ABC):
    """Scores single items, by scikit-learn's conventions: `fit` and `calibrate` change the detector and return it.

    Labels are 1 for synthetic or manipulated, 0 for real. Items are paths, or what is read from them: a picture as
    (H, W, 3) uint8, a recording as (samples, rate). `load_detector` gives a detector with the weights that ship.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    limits: ClassVar[str]
    modalities: ClassVar[frozenset[Modality]]
    controls: ClassVar[tuple[Control, ...]]
    learnt: ClassVar[frozenset[str]] = frozenset()
    """Reference generators that the shipped weights learnt from, as ``gan-art``: no control is one of them."""
    takes: ClassVar[str] = ""
    """What ``ID:ARGUMENT`` names, where the detector takes an argument: a folder, a file, a target."""

    @abstractmethod
    def fit(self, items: Sequence[Any], labels: Sequence[int], *, sources: Sequence[str] | None = None) -> Self:
        """Fit to labelled items and calibrate by cross-fitting.

        Parameters
        ----------
        items : sequence
            See the class.
        labels : sequence of int
            One an item.
        sources : sequence of str, optional
            What each item comes from, as a photographer or a generator: items of one source stay on one side of every
            split. Default: every item is a source.

        Raises
        ------
        ConfigurationError
            For too few items of a class.
        ContentError
            For an item that cannot be read.
        """

    @abstractmethod
    def calibrate(self, items: Sequence[Any], labels: Sequence[int], *, sources: Sequence[str] | None = None) -> Self:
        """Replace the calibration by one on items that the detector was not fitted to. Errors as in `fit`."""

    @classmethod
    def open(cls, path: Path) -> Any:
        """Return a file as an item that `score` and `explain` take; a scan opens it once for all that open it alike.

        Raises
        ------
        ContentError
            Where no detector that opens files so could say anything of this one.
        """
        return path

    @abstractmethod
    def score(self, items: Sequence[Any]) -> list[Detection]:
        """Score items; a bad one is a row that abstains with its reason."""

    def explain(self, item: Any) -> Detection:
        """Score one item with all that the detector can show: the heat map of a picture, where there is one."""
        return self.score([item])[0]

    def predict_proba(self, items: Sequence[Any]) -> NDArray[np.float64]:
        """Return numbers to rank items by, (N, 2): those of the second column are larger for synthetic ones.

        They lie in 0–1 and each row adds up to 1, as scikit-learn has it, but unlike `Detection.probability` they are
        not bounded by what the calibration supports: they say which item is likelier synthetic, not how likely one is.
        A row is NaN where the detector has no score, or nothing that makes one of it.
        """
        import numpy as np

        ranks = [self._rank(row) for row in self.score(items)]
        p = np.array([np.nan if value is None else value for value in ranks], dtype=np.float64)
        return np.stack([1 - p, p], axis=1)

    def _rank(self, row: Detection) -> float | None:
        """Return the second column of `predict_proba`."""
        return row.probability
