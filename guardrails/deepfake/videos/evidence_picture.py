"""Evidence for a report: suspicious frames with the faces' boxes, above the scores over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...kit.video import opencv
from .timeline import segments

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .model import VideoModel
    from .tracks import Place, Track

    Image = NDArray[np.uint8]
    Array = NDArray[np.float64]

SHOWN, THUMB, GRAPH, EDGE = 6, 160, 120, 8
"""Frames in the strip, the side of one, the height of the graph below and its margin, in pixels."""
RED, GREEN, GREY, PALE = (200, 30, 30), (30, 140, 60), (120, 120, 120), (250, 225, 225)


def picture(shots: Iterable[tuple[float, Image]], tracks: Sequence[Track], model: VideoModel) -> Image:
    """Draw the frames that score highest and the scores over time.

    Parameters
    ----------
    shots : iterable of (float, array)
        The video again, from its beginning: those frames alone are kept.
    tracks : sequence of Track
        At least one.
    model : VideoModel
        Whose scores are drawn.

    Returns
    -------
    array of uint8, (280, 960, 3)
        Boxes are red in suspect stretches, which the graph has shaded, and green elsewhere; the lines across are where
        a stretch begins and where it ends.
    """
    scores = [model.frames(track) for track in tracks]
    chosen = _chosen(tracks, scores)
    strip = np.full((THUMB, SHOWN * THUMB, 3), 255, np.uint8)
    for time, frame in shots:
        for k, (when, place, score) in enumerate(chosen):
            if abs(when - time) < 1e-6:
                strip[:, k * THUMB : (k + 1) * THUMB] = _thumb(frame, place, when, score >= model.leave)
    return np.concatenate([strip, _graph(tracks, scores, model)])


def _chosen(tracks: Sequence[Track], scores: Sequence[Array]) -> list[tuple[float, Place, float]]:
    """Time, place and score of the highest frames, none within half a second of another, in the order of time."""
    every = [
        (float(score), time, place)
        for track, curve in zip(tracks, scores, strict=True)
        for score, time, place in zip(curve, track.times, track.places, strict=True)
    ]
    out: list[tuple[float, Place, float]] = []
    for score, time, place in sorted(every, key=lambda one: -one[0]):
        if len(out) < SHOWN and all(abs(time - other) >= 0.25 for other, _, _ in out):
            out.append((time, place, score))
    return sorted(out, key=lambda one: one[0])


def _thumb(frame: Image, place: Place, time: float, suspect: bool) -> Image:
    cv2 = opencv()
    scale = THUMB / max(frame.shape[:2])
    size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    x, y, width, height = (round(value * scale) for value in place.box)
    small = cv2.rectangle(np.ascontiguousarray(small), (x, y), (x + width, y + height), RED if suspect else GREEN, 2)
    out = np.full((THUMB, THUMB, 3), 255, np.uint8)
    out[: small.shape[0], : small.shape[1]] = small
    _write(out, f"{time:.2f} s", (4, THUMB - 6))
    return out


def _graph(tracks: Sequence[Track], scores: Sequence[Array], model: VideoModel) -> Image:
    cv2 = opencv()
    width = SHOWN * THUMB
    out = np.full((GRAPH, width, 3), 255, np.uint8)
    first, last = min(t.times[0] for t in tracks), max(t.times[-1] for t in tracks)
    values = np.concatenate([*scores, [model.enter, model.leave]])
    low, high = float(values.min()), float(values.max())

    def across(time: float) -> int:
        return round(EDGE + (width - 2 * EDGE) * (time - first) / max(last - first, 1e-6))

    def down(score: float) -> int:
        return round(EDGE + (GRAPH - 3 * EDGE) * (high - score) / max(high - low, 1e-6))

    for track, curve in zip(tracks, scores, strict=True):
        for s in segments(track.times, curve, model.enter, model.leave):
            out[:, across(s.start) : min(across(s.end), width - EDGE) + 1] = PALE
    for level in (model.enter, model.leave):
        out = cv2.line(out, (EDGE, down(level)), (width - EDGE, down(level)), GREY, 1)
    for track, curve in zip(tracks, scores, strict=True):
        points: Any = [[across(t), down(float(s))] for t, s in zip(track.times, curve, strict=True)]
        out = cv2.polylines(out, [np.array(points, np.int32)], False, RED, 2, cv2.LINE_AA)
    _write(out, f"{first:.1f} s", (EDGE, GRAPH - 4))
    _write(out, f"{last:.1f} s", (width - 60, GRAPH - 4))
    return np.ascontiguousarray(out)


def _write(image: Image, text: str, at: tuple[int, int]) -> None:
    cv2 = opencv()
    for colour, thick in (((255, 255, 255), 3), ((0, 0, 0), 1)):
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, thick, cv2.LINE_AA)
