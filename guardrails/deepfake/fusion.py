"""Generated pictures, detected by all image detectors of the library together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from ..core.detector import Detection
from ..core.errors import ConfigurationError
from ..kit.detection.linear_head import member_of, share_of
from .features import Features
from .images.base import TileDetector, checked
from .images.descriptors import DESCRIPTORS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .images.base import Blocks, ImageDetector
    from .images.fitted_head import Fitted
    from .images.picture import Picture

ENCODED = "deepfake.fusion, encoder"
"""The shipped head for where the encoder is installed; `Fusion.id` is the one for where it is not."""
TRACES = "traces"
VIEWS = ("whole", "centre")
"""Of the encoder: how the names of its vectors begin."""
STRONG = 1.0
"""From how many spreads a member's score is strong: two strong ones that point apart are no verdict."""


class Fusion(TileDetector):
    """One score from traces below the content and, if its encoder is installed, from deepfake.features.

    The members are the five descriptors (spectrum, blocks, upsampling, residuals, colour) as one, and each of the
    encoder's two views. The linear score of every member is divided by its spread, and the scores are added; with
    views, the traces have half weight. The sum has one calibration. The verdict is withheld if the evidence is weak
    (conformal p-values), if the picture is unlike the calibration data, or if two members strongly contradict each
    other.
    """

    id = "deepfake.fusion"
    title = "Fusion"
    limits = (
        "Gives no verdict on pictures with a face or on drawings, and few verdicts on others: docs/detectors.md "
        "has figures on generators and photographs that were not used in development. Without the encoder of "
        "deepfake.features it only has the traces, and gives no verdict. It says nothing about pictures that were "
        "edited by hand."
    )
    descriptors = tuple(DESCRIPTORS)
    takes = "traces: without the encoder, also where it is installed"

    def __init__(self, members: str = "") -> None:
        super().__init__()
        if members not in ("", TRACES):
            raise ConfigurationError(f"{self.id}:{members}: it takes {self.takes}")
        self._traces_alone = members == TRACES
        self._local: Fitted | None = None

    def blocks(self, picture: Picture) -> Blocks:
        traces = super().blocks(picture)
        return traces if self.encoder is None else {**traces, **_views(self.encoder.blocks(picture))}

    @cached_property
    def silent(self) -> str:
        """Why deepfake.features has no say; empty where it has.

        Raises
        ------
        ConfigurationError
            Where the weights are damaged.
        """
        from .images.encoder import installed
        from .images.fitted_head import read

        if self._traces_alone:
            return "the traces alone were asked for"
        if not installed():
            return "its encoder is not installed"
        return "" if {Features.id, ENCODED} <= set(read()[0]) else "the weights hold no head for its encoder"

    @cached_property
    def encoder(self) -> ImageDetector | None:
        """deepfake.features with the encoder that its shipped head knows, or None: see `silent`."""
        return None if self.silent else Features()

    @property
    def fitted(self) -> Fitted:
        if self._fitted is None:
            from .images.fitted_head import shipped

            self._fitted = shipped(self.id if self.encoder is None else ENCODED)
        return self._fitted

    @property
    def local(self) -> Fitted:
        if self._local is None:
            from .images.fitted_head import shipped

            self._local = shipped(self.id)
        return self._local

    def fit(self, items: Sequence[Any], labels: Sequence[int], *, sources: Sequence[str] | None = None) -> Self:
        from .images.fitted_head import Fitted

        y, names = checked(self.id, items, labels, sources)
        blocks = self.described(items)
        self._fitted, self._local = Fitted.fit(blocks, y, names), Fitted.fit(self._traces(blocks), y, names)
        return self

    def calibrate(self, items: Sequence[Any], labels: Sequence[int], *, sources: Sequence[str] | None = None) -> Self:
        y, names = checked(self.id, items, labels, sources)
        blocks = self.described(items)
        self._fitted = self.fitted.calibrated(blocks, y, names)
        self._local = self.local.calibrated(self._traces(blocks), y, names)
        return self

    def _traces(self, blocks: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
        return {name: blocks[name] for name in self.descriptors}

    def _judge(self, name: str, blocks: Blocks) -> Detection:
        detection = super()._judge(name, blocks)
        if detection.calibration is None:  # unlike what the calibration has seen
            return detection
        said = members(self.fitted, blocks)
        reasons = (detection.reasons[0], *(f"{member}: {score:+.2f}" for member, score in said.items()))
        if self.encoder is None:
            reasons += (f"without deepfake.features: {self.silent}",)
        detection = replace(
            detection, reasons=reasons, calibration=f"{detection.calibration}; members: {', '.join(said)}"
        )
        if detection.verdict != "abstain" and apart(said):
            return replace(detection, verdict="abstain", reasons=("members contradict each other", *reasons[1:]))
        return detection


def block_of(name: str) -> str:
    """Return what a vector is called as a block of the fusion: each view of the encoder is a member.

    >>> block_of("whole7"), block_of("spectrum")
    ('whole/7', 'spectrum')
    """
    view = next((view for view in VIEWS if name.startswith(view)), "")
    return f"{view}/{name.removeprefix(view)}" if view else name


def _views(blocks: Blocks) -> Blocks:
    return {block_of(name): x for name, x in blocks.items()}


def members(fitted: Fitted, blocks: Blocks) -> dict[str, float]:
    """Return what each member adds to the score of one picture: above 0 for synthetic."""
    out: dict[str, float] = {}
    for name, share in fitted.head.shares({n: x.astype(float) for n, x in blocks.items()}).items():
        member = member_of(name) or TRACES
        out[member] = out.get(member, 0.0) + float(share[0])
    return out


def apart(said: Mapping[str, float], strong: float = STRONG) -> bool:
    """Whether two members point in opposite directions, both strongly: see `members`."""
    spreads = [score / share_of("" if member == TRACES else member) for member, score in said.items()]
    return min(spreads) <= -strong and max(spreads) >= strong
