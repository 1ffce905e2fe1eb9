"""The long part of a benchmark: every detector on every picture under every change, decoded and described once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeGuard, TypeVar

from ...core.detector import Detection, Detector
from ...core.errors import ConfigurationError, ContentError
from ...core.seeding import derive_seed32
from ...deepfake.images.base import ImageDetector
from ...deepfake.images.fixed_network import FixedDetector
from ...deepfake.images.kinds import kind_of
from ...deepfake.images.picture import Picture
from ...kit.detection.protocol import encoded
from ...kit.pictures.changes import Perturbation
from .data import Item

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...deepfake.images.base import Blocks

    Array = NDArray[np.float64]

T = TypeVar("T")

FORMATS = ("JPEG",)
"""Both classes are cropped and saved alike before anything else: otherwise the format of a file is what is measured."""


@dataclass
class Scores:
    """What the detectors said, (N,) each; NaN where one said nothing.

    Attributes
    ----------
    items : list of Item
        Those that could be read.
    unread : list of (str, str)
        Names and reasons of the others.
    score, probability : dict of (detector, perturbation) to array
    verdict : dict of (detector, perturbation) to list of str
    severity : dict of perturbation to list of float
        What was measured.
    blocks : dict of (detector, perturbation) to list of mapping or None
        What the head of a detector is fitted to; None for a picture that it cannot describe.
    """

    items: list[Item] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)
    score: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    probability: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    verdict: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    severity: dict[str, list[float]] = field(default_factory=dict)
    blocks: dict[tuple[str, str], list[Blocks | None]] = field(default_factory=dict)

    def only(self, rows: Sequence[int]) -> Scores:
        """Return the scores of some items, without pictures and severity."""

        def of(table: dict[tuple[str, str], list[T]]) -> dict[tuple[str, str], list[T]]:
            return {key: [values[i] for i in rows] for key, values in table.items()}

        return Scores(
            items=[self.items[i] for i in rows], score=of(self.score), probability=of(self.probability),
            verdict=of(self.verdict),
        )  # fmt: skip


def scored(
    items: Sequence[Item],
    detectors: dict[str, Detector],
    changes: Sequence[Perturbation],
    *,
    seed: int,
    progress: Callable[[int, int, str], None] | None = None,
) -> Scores:
    """Score every picture with every detector under every change.

    Where a detector judges some kinds of pictures alone, each picture gets its kind, as it is without a change.
    """
    out, by_kind = Scores(), any(map(_judges_kinds, detectors.values()))
    for done, item in enumerate(items):
        if progress is not None:
            progress(done, len(items), item.name)
        item_seed = derive_seed32(seed, item.name)
        try:
            picture = encoded(item.read(), seed=item_seed, formats=FORMATS, rescale=False)
        except (ContentError, ValueError) as error:
            out.unread.append((item.name, str(error)))
            continue
        for change in changes:
            changed, measured = change.apply(picture, seed=item_seed)
            one = Picture(item.name, path=item.path, pixels=changed)
            if change.name == "none":
                out.items.append(_of_its_kind(item, one) if by_kind else item)
            out.severity.setdefault(change.name, []).append(measured)
            for name, detector in detectors.items():
                keep(out, name, change.name, detector.score([one])[0])
                if fittable(detector):
                    out.blocks.setdefault((name, change.name), []).append(_blocks(detector, one))
    return out


def fittable(detector: Detector) -> TypeGuard[ImageDetector]:
    """Whether a detector has a head that is fitted anew in moments."""
    return isinstance(detector, ImageDetector) and not isinstance(detector, FixedDetector)


def _blocks(detector: ImageDetector, picture: Picture) -> Blocks | None:
    """Return copies: a vector may be a view of all that a network gave, a hundred times as large."""
    try:
        return {name: vector.copy() for name, vector in detector.blocks(picture).items()}
    except ContentError:
        return None


def _judges_kinds(detector: Detector) -> bool:
    """Whether a detector gives verdicts on some kinds of pictures and not on others: then it tells them apart."""
    if not isinstance(detector, ImageDetector):
        return False
    try:
        scope = detector.fitted.scope
    except ConfigurationError:  # a network that was given has no head of ours
        return False
    return scope is not None and bool(scope.kinds)


def _of_its_kind(item: Item, picture: Picture) -> Item:
    try:
        return replace(item, kind=kind_of(picture))
    except ContentError:
        return item


def keep(out: Scores, detector: str, change: str, detection: Detection) -> None:
    """Add what a detector says of an item."""
    key = (detector, change)
    number = float("nan")
    out.score.setdefault(key, []).append(number if detection.score is None else detection.score)
    out.probability.setdefault(key, []).append(number if detection.probability is None else detection.probability)
    out.verdict.setdefault(key, []).append(detection.verdict)
