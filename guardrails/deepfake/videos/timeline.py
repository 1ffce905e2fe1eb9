"""From scores of frames to a score of a track, a score of a video and the stretches that stand out.

Frames of a track are alike, so that a hundred of them say less than a hundred: `effective` counts how many independent
ones have a mean as certain. Tracks are what is calibrated, and a video may have many, each of which might be the
manipulated one; see `whole`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...core.detector import Segment

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]
    Flags = NDArray[np.bool_]

SMOOTH = 5
"""Frames whose mean a smoothed score is."""
SHARE = 1 / 3
"""Of a track's frames, those whose mean is its score: a stretch may be all that is manipulated."""
CONFIDENCE = 0.95


def smoothed(scores: ArrayLike) -> Array:
    """Return the moving mean of frame scores, (T,)."""
    from scipy.ndimage import uniform_filter1d

    return np.asarray(uniform_filter1d(np.asarray(scores, dtype=np.float64), SMOOTH, mode="nearest"))


def pooled(smooth: Array) -> float:
    """Return a track's score: the mean of the highest third of its smoothed scores.

    >>> pooled(np.array([0.0, 0.0, 3.0]))
    3.0
    """
    return float(np.sort(smooth)[-max(1, round(SHARE * len(smooth))) :].mean())


def effective(scores: ArrayLike) -> float:
    """Return how many independent values have a mean as certain as that of a series.

    n / (1 + 2 Σ ρ), with the autocorrelations up to the first pair whose sum is not positive (Geyer 1992, Statistical
    Science 7:473); between 1 and n.
    """
    x = np.asarray(scores, dtype=np.float64)
    n, rest = len(x), x - x.mean()
    power = rest @ rest  # 0 also where the differences are too small to be squared
    if n < 4 or power == 0:
        return float(min(n, 1.0))
    acf = np.correlate(rest, rest, "full")[n - 1 :] / power
    total = 0.0
    for k in range(1, n - 1, 2):
        pair = acf[k] + acf[k + 1]
        if pair <= 0:
            break
        total += pair
    return float(np.clip(n / (1 + 2 * total), 1.0, n))


def mean_of(scores: ArrayLike) -> tuple[float, float, float, float]:
    """Return the mean of a track's frame scores, its 95% interval by Student's t, and the effective number of frames.

    The interval is infinite where the frames count as fewer than two.
    """
    from scipy.special import stdtrit

    x = np.asarray(scores, dtype=np.float64)
    mean, n = float(x.mean()), effective(x)
    if n < 2:
        return mean, -np.inf, np.inf, n
    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * float(x.std()) * (len(x) / (len(x) - 1) / n) ** 0.5
    return mean, mean - half, mean + half, n


def whole(log_ratios: ArrayLike) -> float:
    """Return the logarithm of a video's likelihood ratio, "one of its tracks is manipulated" against "none is".

    Which one is unknown, each as likely: the mean of the tracks' ratios. A long video has many tracks, and one of them
    will look odd; the mean takes that into account, where the largest would not.

    >>> round(whole([0.0, 0.0]), 6)
    0.0
    """
    x = np.asarray(log_ratios, dtype=np.float64)
    return float(x.max() + np.log(np.exp(x - x.max()).mean()))


def stretches(above: Flags) -> list[tuple[int, int]]:
    """Return first and last places of runs of true.

    >>> stretches(np.array([True, True, False, True]))
    [(0, 1), (3, 3)]
    """
    edges = np.diff(np.concatenate([[0], above.astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(edges == 1).tolist(), (np.flatnonzero(edges == -1) - 1).tolist(), strict=True))


def suspect(smooth: Array, enter: float, leave: float) -> Flags:
    """Return which frames are suspect: runs at or above `leave` that reach `enter` (hysteresis)."""
    out = np.zeros(len(smooth), dtype=bool)
    for first, last in stretches(smooth >= leave):
        if smooth[first : last + 1].max() >= enter:
            out[first : last + 1] = True
    return out


def segments(times: Sequence[float], smooth: Array, enter: float, leave: float) -> list[Segment]:
    """Return the suspect stretches of a track; a segment ends with its last frame, and its score is their mean."""
    gap = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    return [
        Segment(float(times[a]), float(times[b]) + gap, float(smooth[a : b + 1].mean()))
        for a, b in stretches(suspect(smooth, enter, leave))
    ]


def joined(unsorted: Iterable[Segment]) -> tuple[Segment, ...]:
    """Return segments in the order of time, those that overlap or touch as one with the higher score."""
    out: list[Segment] = []
    for one in sorted(unsorted, key=lambda s: (s.start, s.end)):
        if out and one.start <= out[-1].end + 1e-6:
            last = out.pop()
            one = Segment(last.start, max(last.end, one.end), max(last.score, one.score))
        out.append(one)
    return tuple(out)


def overlap(predicted: Flags, truth: Flags) -> float:
    """Return the intersection of two sets of frames over their union; 1 where both are empty."""
    union = int((predicted | truth).sum())
    return 1.0 if not union else float((predicted & truth).sum() / union)


def thresholds(series: Sequence[tuple[Array, Flags]]) -> tuple[float, float]:
    """Choose `enter` and `leave` on labelled tracks: the pair with the largest mean overlap of suspect and true frames.

    Tracks of untouched videos are among them: any suspect frame there has an overlap of 0.

    Parameters
    ----------
    series : sequence of (array, array)
        Smoothed scores, by a head that has not seen the track, and which frames are manipulated.
    """
    every = np.concatenate([scores for scores, _ in series])
    grid = np.quantile(every, np.linspace(0.05, 0.95, 19))
    best, chosen = -1.0, (float(grid[-1]), float(grid[-1]))
    for j, enter in enumerate(grid):
        for leave in grid[: j + 1]:
            mean = float(np.mean([overlap(suspect(s, enter, leave), t) for s, t in series]))
            if mean > best:
                best, chosen = mean, (float(enter), float(leave))
    return chosen
