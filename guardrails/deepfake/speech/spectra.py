"""Short-time spectra in linear bands.

The settings are those of the baseline of ASVspoof 2021 (Yamagishi et al. 2021, arXiv 2109.00537): frames of 30 ms
every 15 ms, 1024 points, 70 triangular bands from 0 to half the rate. What is ours: bands have a floor 50 dB below the
recording's loud frames, so that neither digital silence nor the noise of a room says anything, and only loud frames
count.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from ...core.errors import ContentError
from ...kit.sound import RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FRAME, HOP, POINTS = RATE * 30 // 1000, RATE * 15 // 1000, 1024
BANDS = 70
PRE_EMPHASIS = 0.97
FLOOR, LOUD = 1e-5, 1e-3
"""Of the power of the loud frames: the floor of a band, and where a frame counts as loud."""
FEWEST = 20
"""Loud frames without which nothing is said: 0.3 s."""
CHUNK = 4000


@dataclass(frozen=True)
class Spectra:
    """A recording as detectors see it.

    Attributes
    ----------
    bands : array of float64, (T, 70)
        Natural logarithm of the power in linear bands; 0 is the mean of a loud frame's bands.
    loud : array of bool, (T,)
        Frames that count.
    sound : array of float32, (N,)
        Pre-emphasised; its loud frames have the mean power of 1, as `fine` measures it.
    """

    bands: Array
    loud: NDArray[np.bool_]
    sound: NDArray[np.float32]


def spectra(sound: NDArray[np.floating]) -> Spectra:
    """Return the spectra of a recording at 16 kHz, (N,).

    Raises
    ------
    ContentError
        For a recording of silence, or one with less than 0.3 s of sound.
    """
    peak = float(np.abs(sound).max(initial=0.0))
    if not peak:
        raise ContentError("silence")
    if len(sound) < FRAME + (FEWEST - 1) * HOP:
        raise ContentError(f"{len(sound) / RATE:.2f} s are too short: at least {FEWEST * HOP / RATE:g} s are needed")
    x = np.asarray(sound, dtype=np.float64) / peak
    x = np.append(x[0] * (1 - PRE_EMPHASIS), x[1:] - PRE_EMPHASIS * x[:-1])
    frames = np.lib.stride_tricks.sliding_window_view(x, FRAME)[::HOP]
    window, bank = np.hamming(FRAME), filters()
    parts = (frames[i : i + CHUNK] * window for i in range(0, len(frames), CHUNK))
    power = np.concatenate([np.abs(np.fft.rfft(part, POINTS)) ** 2 @ bank.T for part in parts])
    total = power.mean(axis=1)
    if not (high := float(np.quantile(total, 0.95))):
        raise ContentError("silence, but for a click")
    level = float(total[total >= 0.1 * high].mean())
    loud = total >= LOUD * level
    if loud.sum() < FEWEST:
        raise ContentError(f"{loud.sum() * HOP / RATE:.2f} s of sound are too few: {FEWEST * HOP / RATE:g} are needed")
    squares = frames[total >= 0.1 * high]
    np.square(squares, out=squares)  # of an hour of sound a copy has a gigabyte
    scaled = (x / np.sqrt(squares.mean())).astype(np.float32)
    return Spectra(np.log(power / level + FLOOR), loud, scaled)


SHORT, LONG = RATE * 6 // 1000, RATE * 40 // 1000
"""Windows that see single pulses of the voice, and those that see its harmonics."""
SHORT_ROWS, LONG_ROWS = 65, 256
SHORT_TIMES, LONG_TIMES = 5, 2
"""Rows: 0 to 8 kHz and 0 to 4 kHz, as more is seldom left of it. Times: of each window in a frame's 15 ms."""
SHORT_POINTS, LONG_POINTS = 128, 1024
FINE = SHORT_ROWS * SHORT_TIMES + LONG_ROWS * LONG_TIMES


def fine(item: Spectra, frames: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
    """Return the logarithm of the power of frames in two resolutions, (T, 837): 5 short spectra, then 2 long ones."""
    middles = (np.arange(len(item.bands)) if frames is None else frames) * HOP + FRAME // 2
    padded = np.pad(item.sound, LONG)
    out = []
    for long, points, rows, times in (
        (SHORT, SHORT_POINTS, SHORT_ROWS, SHORT_TIMES),
        (LONG, LONG_POINTS, LONG_ROWS, LONG_TIMES),
    ):
        step = HOP // times
        at = middles[:, None] + step * np.arange(times) - step * (times - 1) // 2 + LONG - long // 2
        window = np.hanning(long).astype(np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(padded, long)[at] * window
        power = np.abs(np.fft.rfft(windows, points)[..., :rows]) ** 2 / (window**2).sum()
        out.append(np.log(power + FLOOR).reshape(len(middles), -1))
    return np.concatenate(out, axis=1).astype(np.float32)


def usual(item: Spectra, most: int = 2000) -> NDArray[np.float32]:
    """Return the mean over loud frames, at most so many, of `fine`, one of each row: what the channel does to all."""
    places = np.flatnonzero(item.loud)
    mean = fine(item, places[:: -(-len(places) // most)]).mean(axis=0, dtype=np.float64)
    short, long = mean[: SHORT_ROWS * SHORT_TIMES], mean[SHORT_ROWS * SHORT_TIMES :]
    short, long = short.reshape(SHORT_TIMES, -1).mean(axis=0), long.reshape(LONG_TIMES, -1).mean(axis=0)
    return np.concatenate([np.tile(short, SHORT_TIMES), np.tile(long, LONG_TIMES)]).astype(np.float32)


@cache
def filters() -> Array:
    """Triangular bands, evenly spaced from 0 to half the rate, (70, 513)."""
    edges = np.linspace(0, RATE / 2, BANDS + 2)
    at = np.fft.rfftfreq(POINTS, 1 / RATE)
    rise = (at - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - at) / (edges[2:] - edges[1:-1])[:, None]
    return np.clip(np.minimum(rise, fall), 0, None)
