"""What can be measured of the sound of `voice`: the clicks of an artefact, and whether the clean voice is as intended.

All is measured from the waveform, by other means than those that made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import cards
from ..cards import Figure
from .speech import HOP, RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .model import Utterance, Voice

    Floats = NDArray[np.float64]

FRAME = RATE // 50
"""A vocoder's frame: 20 ms, the first of which begins with the sound."""
TRUTH_SAMPLES, QUALITY_SAMPLES, GROUPS = 600, 200, 10
BANDS = (250, 500, 1000, 2000, 4000)
SPEECH_SPECTRUM = (72.5, 74.0, 68.0, 62.0, 57.0)
"""dB in octaves, long-term speech of men: American National Standard S3.5-1969."""
BARS = {"formants": 0.08, "pitch": 0.02, "spectrum": 5.0, "dynamic_range": 25.0}


def frame_edges(model: Voice) -> Figure:
    """Return by how many dB the edges of 20 ms frames click more than their middles do."""
    clicks = [edge_clicks(sound) for sound in model.sample(TRUTH_SAMPLES, seed=0)]
    what = (
        "second difference of the waveform at the edges of 20 ms frames over that at their middles, in dB,"
        " mean over the frames of an output, then over outputs; two standard errors"
    )
    return cards.mean(clicks, what)


def edge_clicks(sound: NDArray[np.floating[Any]]) -> float:
    """Return the dB by which the edges of frames click more than their middles, on average; near 0 without clicks."""
    bend = np.abs(np.diff(np.asarray(sound, float), 2))
    edges = np.arange(FRAME, len(sound) - FRAME, FRAME)
    # bend[i] belongs to samples i … i + 2: the step between samples e − 1 and e is in bend[e − 2] and bend[e − 1].
    at = [np.log10(bend[edges + shift - 2] + bend[edges + shift - 1] + 1e-6) for shift in (0, FRAME // 2)]
    return float(20 * (at[0] - at[1]).mean())


def quality(model: Voice) -> dict[str, Figure]:
    """Compare what can be measured of utterances with what was intended, and with speech."""
    utterances = model.utterances(QUALITY_SAMPLES, seed=1)
    vowels = [measured_vowels(utterance) for utterance in utterances]
    formants = [float(np.median(np.abs(measured / intended - 1))) for measured, intended, _, _ in vowels]
    pitch = [float(np.median(np.abs(measured / intended - 1))) for _, _, measured, intended in vowels]
    levels = np.array([band_levels(utterance.sound) for utterance in utterances])
    spectra = [from_speech(group.mean(axis=0)) for group in np.array_split(levels, GROUPS)]
    ranges = [dynamic_range(utterance.sound) for utterance in utterances]
    figures = {
        "formants": cards.mean(
            formants, "F1 and F2 by linear prediction at mid-vowel, relative error: median of each output"
        ),
        "pitch": cards.mean(pitch, "f0 by autocorrelation at mid-vowel, relative error: median of each output"),
        "spectrum": cards.mean(
            spectra,
            f"long-term spectrum of {QUALITY_SAMPLES // GROUPS} outputs in octaves of 250 to 4,000 Hz:"
            " mean dB apart from that of speech (ANSI S3.5-1969)",
        ),
        "dynamic_range": cards.mean(ranges, "dB between the 95th and the 10th percentile of 20 ms levels"),
    }
    return {
        name: cards.with_bar(figure, BARS[name], higher_is_better=name == "dynamic_range")
        for name, figure in figures.items()
    }


def from_speech(levels: Floats) -> float:
    """Return how many dB the levels of `BANDS` are apart from those of speech, on average; loudness does not count.

    >>> from_speech(np.array(SPEECH_SPECTRUM) + 10)
    0.0
    """
    speech = np.array(SPEECH_SPECTRUM)
    return float(np.abs((levels - levels.mean()) - (speech - speech.mean())).mean())


def measured_vowels(utterance: Utterance) -> tuple[Floats, Floats, Floats, Floats]:
    """Return F1 and F2 of each vowel, (V, 2), measured and intended, and f0, (V,), measured and intended."""
    rows: list[tuple[Floats, Floats, float, float]] = []
    tracks = utterance.tracks
    for _, first, last in tracks.vowels:
        middle = (first + last) // 2
        pitch = float(tracks.f0[middle])
        here = slice(middle * HOP - 400, middle * HOP + 400)  # 50 ms
        formants = measure_formants(utterance.sound[here])[:2]
        if len(formants) == 2:
            rows.append((formants, tracks.formants[middle, :2], measure_pitch(utterance.sound[here]), pitch))
    measured, intended, f0, f0_intended = zip(*rows, strict=True)
    return np.stack(measured), np.stack(intended), np.array(f0), np.array(f0_intended)


def measure_formants(window: NDArray[np.floating[Any]]) -> Floats:
    """Return the formants of a stretch of a vowel in Hz, rising: narrow roots of a linear prediction of order 18."""
    from scipy.linalg import solve_toeplitz

    x = np.append(window[0], window[1:] - 0.97 * window[:-1]) * np.hamming(len(window))
    r = np.correlate(x, x, "full")[len(x) - 1 :][:19]
    a = solve_toeplitz(r[:-1] * np.r_[1 + 1e-6, np.ones(17)], r[1:])
    roots = np.roots(np.r_[1, -a])
    roots = roots[roots.imag > 0]
    frequency, bandwidth = np.angle(roots) * RATE / (2 * np.pi), -np.log(np.abs(roots)) * RATE / np.pi
    out: Floats = np.sort(frequency[(frequency > 180) & (bandwidth < 500)])
    return out


def measure_pitch(window: NDArray[np.floating[Any]]) -> float:
    """Return f0 in Hz: the first high peak of the autocorrelation between 70 and 400 Hz; 0 where there is none."""
    x = np.asarray(window, float) - np.mean(window)
    r = np.correlate(x, x, "full")[len(x) - 1 :] / np.arange(len(x), 0, -1)
    low, high = RATE // 400, RATE // 70
    peaks = [k for k in range(low, high) if r[k - 1] < r[k] >= r[k + 1]]
    if not peaks:
        return 0.0
    best = max(r[k] for k in peaks)
    k = next(k for k in peaks if r[k] > 0.9 * best)
    # The top of a parabola through three values lies between samples.
    shift = 0.5 * (r[k - 1] - r[k + 1]) / (r[k - 1] - 2 * r[k] + r[k + 1])
    return float(RATE / (k + shift))


def band_levels(sound: NDArray[np.floating[Any]]) -> Floats:
    """Return the level in dB of each octave of `BANDS`."""
    power = np.abs(np.fft.rfft(sound)) ** 2
    frequency = np.fft.rfftfreq(len(sound), 1 / RATE)
    within = [(frequency >= f / 2**0.5) & (frequency < f * 2**0.5) for f in BANDS]
    return np.array([10 * np.log10(power[band].sum()) for band in within])


def dynamic_range(sound: NDArray[np.floating[Any]]) -> float:
    """Return the dB between loud and soft stretches of 20 ms."""
    frames = np.asarray(sound, float)[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    levels = 10 * np.log10((frames**2).mean(axis=1) + 1e-12)
    loud, soft = np.quantile(levels, [0.95, 0.1])
    return float(loud - soft)
