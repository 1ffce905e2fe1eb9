"""The same utterance from a vocoder: synthetic speech with the words, the speaker and the room of the real one.

Three ways to throw away what a synthesizer does not make and to make it anew; each is written from the formulas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...kit.sound import RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

HOP, FRAME, POINTS = RATE // 200, RATE // 40, 1024
ORDER = 18
MELS, GRIFFIN_LIM_ROUNDS = 80, 30
F0 = (70.0, 400.0)
VOICED = 0.45
"""Autocorrelation at the pitch from which a frame is voiced."""


def lpc(sound: Array, *, seed: int) -> Array:
    """Linear prediction (Atal & Hanauer 1971): an all-pole filter of order 18, excited by pulses or by noise."""
    from scipy.signal import lfilter

    frames = frames_of(sound) * np.hanning(FRAME)
    r = np.fft.irfft(np.abs(np.fft.rfft(frames, POINTS)) ** 2)[:, : ORDER + 1]
    r[:, 0] = r[:, 0] * 1.0001 + 1e-9
    lags = np.abs(np.subtract.outer(np.arange(ORDER), np.arange(ORDER)))
    a = np.linalg.solve(r[:, lags], r[:, 1:, None])[..., 0]
    gain = np.sqrt(np.maximum(r[:, 0] - (a * r[:, 1:]).sum(axis=1), 1e-12) / (np.hanning(FRAME) ** 2).sum())
    excitation = _pulses_or_noise(*pitch(sound), np.random.default_rng(seed))
    out, state = np.zeros(len(frames) * HOP), np.zeros(ORDER)
    for t in range(len(frames)):
        here = slice(t * HOP, (t + 1) * HOP)
        out[here], state = lfilter([gain[t]], np.append(1.0, -a[t]), excitation[here], zi=state)
    return like(out, sound)


def griffin_lim(sound: Array, *, seed: int) -> Array:
    """Magnitudes in 80 mel bands, spread to all frequencies, and phases by Griffin & Lim (1984)."""
    from scipy.signal import istft, stft

    kept: dict[str, Any] = {"fs": RATE, "nperseg": POINTS, "noverlap": POINTS * 3 // 4}
    magnitude = np.abs(stft(sound, **kept)[2])
    bank = mel_bank()
    spread = np.maximum(np.linalg.pinv(bank) @ (bank @ magnitude), 1e-8)
    phase = np.exp(2j * np.pi * np.random.default_rng(seed).random(spread.shape))
    for _ in range(GRIFFIN_LIM_ROUNDS):
        y = istft(spread * phase, **kept)[1]
        again = stft(y, **kept)[2][:, : spread.shape[1]]
        phase[:, : again.shape[1]] = np.exp(1j * np.angle(again))
    return like(istft(spread * phase, **kept)[1], sound)


def source_filter(sound: Array, *, seed: int) -> Array:
    """Pitch, a smooth envelope and the share of noise, as of WORLD (Morise et al. 2016); minimum-phase pulses."""
    rng = np.random.default_rng(seed)
    f0, clarity = pitch(sound)
    power = np.log(np.abs(np.fft.rfft(frames_of(sound) * np.hanning(FRAME), POINTS)) ** 2 + 1e-10)
    cepstrum = np.fft.irfft(power)
    quefrency = np.minimum(np.arange(POINTS), POINTS - np.arange(POINTS))
    cut = np.where(f0 > 0, 0.45 * RATE / np.maximum(f0, F0[0]), 40)
    cepstrum *= quefrency <= cut[:, None]
    envelope = np.exp(np.fft.rfft(cepstrum).real / 2)
    fold = np.zeros(POINTS)
    fold[0], fold[1 : POINTS // 2], fold[POINTS // 2] = 1, 2, 1
    minimum = np.exp(np.fft.rfft(cepstrum / 2 * fold))
    # Noise takes over above a frequency that rises with how clearly the frame is voiced.
    at = np.fft.rfftfreq(POINTS, 1 / RATE)
    edge = np.where(f0 > 0, 1000 + 6000 * np.clip(clarity - VOICED, 0, 0.5) * 2, 0)
    noisy = 1 / (1 + np.exp(-(at[None] - edge[:, None]) / 300))
    n = len(f0) * HOP
    out = np.zeros(n + 2 * POINTS)
    for start in np.flatnonzero(pulse_train(f0)).tolist():
        t = start // HOP
        pulse = np.fft.irfft(minimum[t] * np.sqrt(1 - noisy[t])) * np.sqrt(RATE / f0[t])
        out[start : start + POINTS] += pulse
    window = np.hanning(2 * HOP + 1)[: 2 * HOP]
    for t in range(len(f0)):
        grain = np.fft.rfft(rng.standard_normal(2 * HOP) * window, POINTS) * envelope[t] * np.sqrt(noisy[t])
        out[t * HOP : t * HOP + POINTS] += np.fft.irfft(grain)
    return like(out[:n], sound)


VOCODERS = {"lpc": lpc, "griffin-lim": griffin_lim, "source-filter": source_filter}


def pitch(sound: Array) -> tuple[Array, Array]:
    """Return the pitch in Hz, 0 where unvoiced, and the autocorrelation at it: every 5 ms."""
    long = RATE * 40 // 1000
    frames = frames_of(sound, long) * np.hanning(long)
    r = np.fft.irfft(np.abs(np.fft.rfft(frames, 2 * POINTS)) ** 2)[:, :long]
    window = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(long), 2 * POINTS)) ** 2)[:long]
    low, high = int(RATE / F0[1]), int(RATE / F0[0])
    clear = r / np.maximum(r[:, :1], 1e-12) / (window / window[0] + 1e-9)
    lag = low + clear[:, low:high].argmax(axis=1)
    best = clear[np.arange(len(lag)), lag]
    loud = r[:, 0] > 1e-4 * np.quantile(r[:, 0], 0.95)
    return np.where((best > VOICED) & loud, RATE / lag, 0.0), np.clip(best, 0, 1)


def frames_of(sound: Array, long: int = FRAME) -> Array:
    """Return stretches round every fifth millisecond, (T, long)."""
    padded = np.pad(sound, (long // 2, long))
    return np.lib.stride_tricks.sliding_window_view(padded, long)[::HOP][: -(-len(sound) // HOP)]


def pulse_train(f0: Array) -> NDArray[np.bool_]:
    """Return 1 where a pulse begins, at the middle pace of every frame."""
    cycles = np.cumsum(np.repeat(f0, HOP) / RATE)
    starts: NDArray[np.bool_] = np.diff(np.floor(cycles), prepend=0.0) > 0
    return starts


def _pulses_or_noise(f0: Array, clarity: Array, rng: np.random.Generator) -> Array:
    """Excitation of unit power."""
    voiced = np.repeat(f0, HOP)
    pulses = pulse_train(f0) * np.sqrt(RATE / np.maximum(voiced, 1.0))
    return np.where(voiced > 0, pulses, rng.standard_normal(len(voiced)))


def mel_bank(bands: int = MELS, points: int = POINTS) -> Array:
    """Triangles evenly spaced in mel (O'Shaughnessy 1987), (bands, points / 2 + 1)."""
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + RATE / 1400), bands + 2) / 2595) - 1)
    at = np.fft.rfftfreq(points, 1 / RATE)
    rise = (at - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - at) / (edges[2:] - edges[1:-1])[:, None]
    return np.clip(np.minimum(rise, fall), 0, None) + 1e-12


def like(made: Array, sound: Array) -> Array:
    """Return it as long and as loud as the original."""
    out = np.zeros(len(sound))
    out[: min(len(made), len(sound))] = made[: len(sound)]
    loudness = float(np.sqrt((sound**2).mean() / max(float((out**2).mean()), 1e-12)))
    return out * loudness
