"""The interface of a detector, which scores single items."""

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
    """A suspect part of a video or a recording, in seconds."""

    start: float
    end: float
    score: float


@dataclass(frozen=True)
class Detection:
    """The result of a detector for one item. A missing score is None, never .5.

    Attributes
    ----------
    item : str
        Its path, or its position among the items.
    score : float, optional
        Larger for synthetic; every detector has its own scale.
    probability : float, optional
        Probability that the item is synthetic or manipulated if half of all items are, from the likelihood ratio; in
        0–1.
    likelihood_ratio : float, optional
        p(score | synthetic) / p(score | real): the evidence independent of the share of synthetic items. Bounded by
        what the sources of the calibration support; None if they are of another kind than the item.
    verdict : str
        ``synthetic`` or ``manipulated``; ``nothing found`` if no trace was found, which is not evidence that the
        item is real; ``abstain`` if the evidence is weak or contradictory, or the item is unlike the calibration data.
    reasons : tuple of str
        The reasons for the verdict, or why there is none.
    heat_map : array of float32, (H, W), optional
        Evidence by place on a regular grid over the picture, above 0 for synthetic; NaN if there is no evidence. For
        visual inspection: unlike the likelihood ratio, it is not bounded.
    segments : tuple of Segment
        Parts of a video or a recording, in order of time.
    calibration : str, optional
        The calibration behind the probability.
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

    Labels are 1 for synthetic or manipulated, 0 for real. Items are paths, or decoded content: a picture as
    (H, W, 3) uint8, a recording as (samples, rate). `load_detector` returns a detector with its shipped weights.
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
            One per item.
        sources : sequence of str, optional
            The source of each item, such as a photographer or a generator: items of one source stay on one side of
            every split. Default: every item is its own source.

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
        """Return a file as an item for `score`; a scan opens it once for all detectors with the same `open`.

        Raises
        ------
        ContentError
            If no detector with this `open` could assess the file.
        """
        return path

    @abstractmethod
    def score(self, items: Sequence[Any]) -> list[Detection]:
        """Score items; an unreadable item becomes a row that abstains, with the reason."""

    def explain(self, item: Any) -> Detection:
        """Score one item with all available evidence, such as the heat map of a picture."""
        return self.score([item])[0]

    def predict_proba(self, items: Sequence[Any]) -> NDArray[np.float64]:
        """Return numbers for ranking items, (N, 2): the second column is larger for synthetic ones.

        They are in 0–1 and each row adds up to 1, as in scikit-learn, but unlike `Detection.probability` they are not
        bounded by what the calibration supports: they say which item is more likely synthetic, not how likely one is. A
        row is NaN if the detector has no score, or no probability for it.
        """
        import numpy as np

        ranks = [self._rank(row) for row in self.score(items)]
        p = np.array([np.nan if value is None else value for value in ranks], dtype=np.float64)
        return np.stack([1 - p, p], axis=1)

    def _rank(self, row: Detection) -> float | None:
        """Return the second column of `predict_proba`."""
        return row.probability
