"""What scores the frames of a followed face, and the calibration of whole tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.detector import Detection, Segment
from ...kit.detection.calibration import Calibration
from ...kit.detection.linear_head import Head
from ...kit.detection.protocol import weights_of
from ..images.fitted_head import BEYOND, Fitted, cross_folds, read
from ..images.fitted_head import write as write_heads
from .temporal_traces import context
from .timeline import joined, mean_of, pooled, segments, smoothed, thresholds, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .tracks import Track

    Array = NDArray[np.float64]
    Flags = NDArray[np.bool_]

PENALTY = 30.0
"""Of the head: chosen among 3, 30 and 300 by cross-fitting on the training videos."""
STEM, NAME, FOOTAGE = "video", "deepfake.video", "footage of a face"
BASIS = "cross-fitted on tracks of other people"


@dataclass(frozen=True)
class Labelled:
    """A track that is learnt from.

    Attributes
    ----------
    blocks : mapping of str to array
        (T, D) each: see `temporal_traces.context`.
    truth : array of bool, (T,)
        Which frames are manipulated.
    person : str
        What must not be on both sides of a split.
    """

    blocks: Mapping[str, Array]
    truth: Flags
    person: str


@dataclass(frozen=True)
class VideoModel:
    """A linear head on frames, a calibration of tracks, and where a suspect stretch begins and ends.

    Attributes
    ----------
    fitted : Fitted
        Its head scores frames, (T, D) a block; its calibration is of `timeline.pooled`.
    enter, leave : float
        See `timeline.suspect`.
    """

    fitted: Fitted
    enter: float
    leave: float

    @classmethod
    def fit(cls, tracks: Sequence[Labelled], *, basis: str = BASIS) -> VideoModel:
        """Fit a head to frames; calibrate it, and choose the thresholds, by cross-fitting over people."""
        people = [track.person for track in tracks]
        fold = cross_folds(_labels(tracks), people)
        scores: list[Array] = [np.empty(0)] * len(tracks)
        strange = np.empty(len(tracks))
        for k in np.unique(fold):
            head = _head([track for track, f in zip(tracks, fold, strict=True) if f != k])
            for i in np.flatnonzero(fold == k).tolist():
                scores[i] = smoothed(head.score(tracks[i].blocks))
                strange[i] = np.median(head.strangeness(tracks[i].blocks))
        calibration = _calibration(tracks, scores)
        enter, leave = thresholds([(s, track.truth) for s, track in zip(scores, tracks, strict=True)])
        return cls(Fitted(_head(tracks), calibration, BEYOND * float(strange.max()), basis), enter, leave)

    def calibrated(self, tracks: Sequence[Labelled], *, basis: str) -> VideoModel:
        """Return it with a calibration on tracks that the head has not seen; the thresholds stay."""
        head = self.fitted.head
        calibration = _calibration(tracks, [smoothed(head.score(track.blocks)) for track in tracks])
        strange = max(float(np.median(head.strangeness(track.blocks))) for track in tracks)
        reach = max(self.fitted.reach, BEYOND * strange)
        return VideoModel(Fitted(head, calibration, reach, basis), self.enter, self.leave)

    def detection(self, name: str, tracks: Sequence[Track]) -> Detection:
        """Return what it says of a video in which at least one face was followed."""
        readings = [self.reading(track) for track in tracks]
        known = [r for r in readings if r.strange <= self.fitted.reach]
        worst = max(known or readings, key=lambda r: r.score)
        if not known:
            why = f"faces move unlike those it was calibrated on ({worst.strange:.1f}, at most {self.fitted.reach:.1f})"
            return Detection(name, worst.score, reasons=(why,))
        if self.fitted.scope is not None and FOOTAGE not in self.fitted.scope.kinds:
            reasons = (self.fitted.scope.withheld(FOOTAGE), *self._reasons(worst, len(tracks), len(known)))
            return Detection(name, worst.score, reasons=reasons, segments=self._segments(known))
        calibration = self.fitted.calibration
        # What a single track would have to score for the ratio of the whole video.
        ratio = whole(calibration.slope * np.array([r.score for r in known]) + calibration.offset)
        score = worst.score if len(known) == 1 else (ratio - calibration.offset) / calibration.slope
        verdict, why = calibration.judged(score)
        ratio = float(calibration.log_ratio([score])[0])
        return Detection(
            name,
            score,
            probability=float(1 / (1 + np.exp(-ratio))),
            likelihood_ratio=float(np.exp(ratio)),
            verdict="manipulated" if verdict == "synthetic" else verdict,
            reasons=(why, *self._reasons(worst, len(tracks), len(known))),
            calibration=self.fitted.basis,
            segments=self._segments(known),
        )

    def _segments(self, readings: Sequence[Reading]) -> tuple[Segment, ...]:
        return joined(s for r in readings for s in segments(r.times, r.smooth, self.enter, self.leave))

    def reading(self, track: Track) -> Reading:
        """Score a track's frames."""
        blocks, head = described(track), self.fitted.head
        raw = head.score(blocks)
        shares = {name: float(share.mean()) for name, share in head.shares(blocks).items()}
        smooth = smoothed(raw)
        return Reading(track.times, raw, smooth, pooled(smooth), float(np.median(head.strangeness(blocks))), shares)

    def _reasons(self, worst: Reading, tracks: int, known: int) -> tuple[str, ...]:
        mean, low, high, n = mean_of(worst.raw)
        within = f"[{low:+.2f}, {high:+.2f}]" if np.isfinite(low) else "(too alike for an interval)"
        out = [
            f"the face at {worst.times[0]:.1f}–{worst.times[-1]:.1f} s scores {mean:+.2f} {within} on average"
            f" ({len(worst.raw)} frames count as {n:.0f})"
        ]
        shares = sorted(worst.shares.items(), key=lambda share: -abs(share[1]))[:2]
        out.append(", ".join(f"{name} {value:+.2f}" for name, value in shares))
        if known < tracks:
            out.append(f"{tracks - known} of {tracks} faces move unlike those it was calibrated on")
        return tuple(out)

    def frames(self, track: Track) -> Array:
        """Return the smoothed scores of a track's frames, (T,)."""
        return smoothed(self.fitted.head.score(described(track)))


@dataclass(frozen=True)
class Reading:
    """A track's scores.

    Attributes
    ----------
    times : sequence of float
    raw, smooth : array, (T,)
    score : float
        `timeline.pooled`.
    strange : float
        Of the middle frame: see `_head.Head.strangeness`.
    shares : dict of str to float
        What each block adds to the scores, on average.
    """

    times: Sequence[float]
    raw: Array
    smooth: Array
    score: float
    strange: float
    shares: dict[str, float]


def described(track: Track) -> dict[str, Array]:
    """Describe each frame of a track, (T, D) a block; the first has no frame before it, and takes from the second."""
    rows = np.asarray(track.rows, dtype=np.float64)
    return context(np.concatenate([rows[:1], rows]))


def _labels(tracks: Sequence[Labelled]) -> NDArray[np.int64]:
    return np.array([track.truth.any() for track in tracks], dtype=np.int64)


def _head(tracks: Sequence[Labelled]) -> Head:
    blocks = {name: np.concatenate([t.blocks[name] for t in tracks]) for name in tracks[0].blocks}
    labels = np.concatenate([t.truth for t in tracks]).astype(np.int64)
    people = [t.person for t in tracks for _ in t.truth]
    weights: Any = weights_of(labels, people)
    return Head.fit(blocks, labels, weights / weights.mean(), penalty=PENALTY)


def _calibration(tracks: Sequence[Labelled], scores: Sequence[Array]) -> Calibration:
    labels = _labels(tracks)
    return Calibration.fit([pooled(s) for s in scores], labels, [t.person for t in tracks])


@cache
def shipped() -> VideoModel:
    """Return the model that ships.

    Raises
    ------
    ConfigurationError
        Where its weights are missing or altered.
    """
    heads, card = read(stem=STEM)
    return VideoModel(heads[NAME], card["timeline"]["enter"], card["timeline"]["leave"])


def write(model: VideoModel, card: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write ``video.safetensors`` and its card; return both paths."""
    timeline = {"enter": model.enter, "leave": model.leave}
    return write_heads({NAME: model.fitted}, {**card, "timeline": timeline}, folder, STEM)
