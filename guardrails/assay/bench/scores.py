"""The long part of a benchmark: every detector on every picture under every change, decoded and described once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...core.detector import Detection, Detector
from ...core.errors import ContentError
from ...core.seeding import derive_seed32
from ...deepfake.images.picture import Picture
from ...kit.detection.protocol import encoded
from ...kit.pictures.changes import Perturbation
from .data import Item

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

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
    described : dict of perturbation to list of Picture
        Without pixels; for fitting anew.
    """

    items: list[Item] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)
    score: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    probability: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    verdict: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    severity: dict[str, list[float]] = field(default_factory=dict)
    described: dict[str, list[Picture]] = field(default_factory=dict)


def scored(
    items: Sequence[Item],
    detectors: dict[str, Detector],
    changes: Sequence[Perturbation],
    *,
    seed: int,
    progress: Callable[[int, int, str], None] | None = None,
) -> Scores:
    """Score every picture with every detector under every change."""
    out = Scores()
    for done, item in enumerate(items):
        if progress is not None:
            progress(done, len(items), item.name)
        item_seed = derive_seed32(seed, item.name)
        try:
            picture = encoded(item.read(), seed=item_seed, formats=FORMATS, rescale=False)
        except (ContentError, ValueError) as error:
            out.unread.append((item.name, str(error)))
            continue
        out.items.append(item)
        for change in changes:
            changed, measured = change.apply(picture, seed=item_seed)
            one = Picture(item.name, path=item.path, pixels=changed)
            out.severity.setdefault(change.name, []).append(measured)
            for name, detector in detectors.items():
                keep(out, name, change.name, detector.score([one])[0])
            one.drop_pixels()
            out.described.setdefault(change.name, []).append(one)
    return out


def keep(out: Scores, detector: str, change: str, detection: Detection) -> None:
    """Add what a detector says of an item."""
    key = (detector, change)
    number = float("nan")
    out.score.setdefault(key, []).append(number if detection.score is None else detection.score)
    out.probability.setdefault(key, []).append(number if detection.probability is None else detection.probability)
    out.verdict.setdefault(key, []).append(detection.verdict)
