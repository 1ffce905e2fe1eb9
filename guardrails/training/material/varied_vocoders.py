"""Vocoders whose parameters the seed draws: what detectors of synthetic speech learn from.

A detector that knows one setting of one vocoder knows nothing else, so no two utterances pass the same one. All are
written from the formulas. The nearest relatives of `vocoders.source_filter`, which stays with the test, are `lpc`,
whose envelope is all-pole, and `bands`, whose filter has no phase: neither has WORLD's cepstral envelope.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ...deepfake.speech.vocoders import HOP, POINTS, frames_of, like, mel_bank, pitch, pulse_train
from ...kit.sound import RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Complex = NDArray[np.complex128]

AT = np.fft.rfftfreq(POINTS, 1 / RATE)


def lpc(sound: Array, *, seed: int) -> Array:
    """Linear prediction of order 10 to 24 (Atal & Hanauer 1971) with mixed excitation."""
    rng = np.random.default_rng(seed)
    order, frame = int(rng.integers(10, 25)), RATE * int(rng.integers(20, 36)) // 1000
    window = np.hanning(frame)
    r = np.fft.irfft(np.abs(np.fft.rfft(frames_of(sound, frame) * window, POINTS)) ** 2)[:, : order + 1]
    r[:, 0] = r[:, 0] * (1 + 10 ** rng.uniform(-5, -3)) + 1e-9
    lags = np.abs(np.subtract.outer(np.arange(order), np.arange(order)))
    a = np.linalg.solve(r[:, lags], r[:, 1:, None])[..., 0]
    gain = np.sqrt(np.maximum(r[:, 0] - (a * r[:, 1:]).sum(axis=1), 1e-12) / (window**2).sum())
    response = gain[:, None] / np.fft.rfft(np.concatenate([np.ones((len(a), 1)), -a], axis=1), POINTS)
    return like(_filtered(_excitation(sound, rng), response), sound)


def bands(sound: Array, *, seed: int) -> Array:
    """An envelope through 20 to 80 mel bands, put on an excitation by a filter without phase."""
    rng = np.random.default_rng(seed)
    n, frame = int(rng.integers(20, 81)), RATE * int(rng.integers(20, 41)) // 1000
    window = np.hanning(frame)
    power = np.abs(np.fft.rfft(frames_of(sound, frame) * window, POINTS)) ** 2
    bank = mel_bank(n)
    level = np.sqrt(power @ bank.T / bank.sum(axis=1) / (window**2).sum())
    middle = (bank @ AT) / bank.sum(axis=1)
    envelope = np.exp(np.stack([np.interp(AT, middle, row) for row in np.log(level + 1e-7)]))
    return like(_filtered(_excitation(sound, rng), envelope), sound)


def channels(sound: Array, *, seed: int) -> Array:
    """A channel vocoder (Dudley 1939): 8 to 20 bands of a carrier get the slow level of the speech's own bands.

    In a third of the cases the carrier is noise alone, as of Shannon et al. 1995.
    """
    from scipy.signal import butter, sosfiltfilt

    rng = np.random.default_rng(seed)
    n, slow = int(rng.integers(8, 21)), float(rng.uniform(25, 120))
    carrier = rng.standard_normal(len(sound)) if rng.random() < 1 / 3 else _excitation(sound, rng)[: len(sound)]
    edges = 700 * (10 ** np.linspace(np.log10(1 + 80 / 700), np.log10(1 + 7800 / 700), n + 1) - 1)
    smooth = butter(2, slow, fs=RATE, output="sos")
    out = np.zeros(len(sound))
    for low, high in pairwise(edges):
        band = butter(2, [low, high], "bandpass", fs=RATE, output="sos")
        spoken, carried = sosfiltfilt(band, sound), sosfiltfilt(band, carrier)
        level, carrier_level = (np.sqrt(np.maximum(sosfiltfilt(smooth, x**2), 1e-12)) for x in (spoken, carried))
        out += carried * level / np.maximum(carrier_level, 1e-3)
    return like(out, sound)


def griffin_lim(sound: Array, *, seed: int) -> Array:
    """Magnitudes, of 40 to 128 mel bands or all, and phases by 4 to 32 rounds of Griffin & Lim (1984).

    In half of the cases with the momentum of Perraudin et al. 2013.
    """
    rng = np.random.default_rng(seed)
    points = int(rng.choice([512, 1024, 2048]))
    kept: dict[str, Any] = {"fs": RATE, "nperseg": points, "noverlap": points - points // int(rng.choice([2, 4, 4]))}
    magnitude = np.abs(_stft(sound, kept))
    if rng.random() < 0.75:
        bank = mel_bank(int(rng.integers(40, min(129, points // 6))), points)
        magnitude = np.maximum(np.linalg.pinv(bank) @ (bank @ magnitude), 1e-8)
    phase = np.exp(2j * np.pi * rng.random(magnitude.shape))
    momentum, before = (0.99 if rng.random() < 0.5 else 0.0), np.zeros_like(phase)
    for _ in range(int(4 * 8 ** rng.random())):
        again = _stft(_istft(magnitude * phase, kept), kept)[:, : phase.shape[1]]
        again = np.pad(again, ((0, 0), (0, phase.shape[1] - again.shape[1])))
        phase = np.exp(1j * np.angle(again - momentum / (1 + momentum) * before))
        before = again
    return like(_istft(magnitude * phase, kept), sound)


def phases(sound: Array, *, seed: int) -> Array:
    """Magnitudes as they are; phases drawn, smeared, zero at every frame's middle, or minimal."""
    rng = np.random.default_rng(seed)
    points = int(rng.choice([256, 512, 1024]))
    kept: dict[str, Any] = {"fs": RATE, "nperseg": points, "noverlap": points * 3 // 4}
    spectrum = _stft(sound, kept)
    magnitude, kind = np.abs(spectrum), str(rng.choice(["drawn", "smeared", "zero", "minimal"]))
    if kind == "drawn":
        made: Array = magnitude * np.exp(2j * np.pi * rng.random(magnitude.shape))
    elif kind == "smeared":
        made = spectrum * np.exp(1j * rng.uniform(0.6, 2.0) * rng.standard_normal(magnitude.shape))
    elif kind == "zero":
        made = magnitude * np.exp(-1j * np.pi * np.arange(magnitude.shape[0]))[:, None]
    else:
        fold = np.zeros(points)
        fold[0], fold[1 : points // 2], fold[points // 2] = 1, 2, 1
        cepstrum = np.fft.irfft(np.log(magnitude + 1e-7), axis=0)
        made = np.exp(np.fft.rfft(cepstrum * fold[:, None], axis=0))
        made = made * np.exp(-1j * np.pi * np.arange(magnitude.shape[0]))[:, None]
    return like(_istft(made, kept), sound)


def sinusoids(sound: Array, *, seed: int) -> Array:
    """Sums of sinusoids (McAulay & Quatieri 1986): harmonics of the pitch, or the peaks of the spectrum, and noise."""
    rng = np.random.default_rng(seed)
    f0, clarity = _melody(sound, rng)
    frame = RATE * int(rng.integers(25, 41)) // 1000
    window = np.hanning(frame)
    power = np.abs(np.fft.rfft(frames_of(sound, frame) * window, POINTS)) ** 2
    n, most = len(f0), float(rng.uniform(3500, 7500))
    voiced, drift = f0 > 0, np.cumsum(np.repeat(f0, HOP) / RATE)
    amplitude = np.sqrt(power) * 2 / window.sum()
    t, out = np.arange(n * HOP) / HOP, np.zeros(n * HOP)
    spread = float(rng.choice([0.0, 0.0, 1.0]))
    for k in range(1, int(most / 70)):
        if not ((f := k * f0) < most)[voiced].any():
            break
        level = amplitude[np.arange(n), np.minimum((f / AT[1]).round().astype(int), POINTS // 2)] * (
            voiced & (f < most)
        )
        out += np.interp(t, np.arange(n), level) * np.cos(2 * np.pi * (k * drift + spread * rng.random()))
    # What is no harmonic is noise: all of an unvoiced frame, little of a voiced one.
    edge = np.where(voiced, most * np.clip(2 * clarity - 0.6, 0.2, 1), 0)
    noisy = 1 / (1 + np.exp(-(AT[None] - edge[:, None]) / 300))
    smooth = np.stack([np.convolve(row, np.ones(9) / 9, "same") for row in power]) / (window**2).sum()
    hiss = _filtered(rng.standard_normal(n * HOP), np.sqrt(smooth) * noisy)
    return like(out + hiss[: len(out)], sound)


def overlap_add(sound: Array, *, seed: int) -> Array:
    """Grains of two periods laid at a pitch of its own (Moulines & Charpentier 1990), in half of the cases and back."""
    rng = np.random.default_rng(seed)
    factor = float(np.exp(rng.choice([-1, 1]) * rng.uniform(0.03, 0.3)))
    made = _overlap_added(sound, factor, rng)
    return like(_overlap_added(made, 1 / factor, rng) if rng.random() < 0.5 else made, sound)


VARIED = {
    "lpc": lpc, "bands": bands, "channels": channels, "griffin-lim": griffin_lim, "phases": phases,
    "sinusoids": sinusoids, "overlap-add": overlap_add,
}  # fmt: skip


def _overlap_added(sound: Array, factor: float, rng: np.random.Generator) -> Array:
    f0, _ = pitch(sound)
    period = np.where(f0 > 0, RATE / np.maximum(f0, 1), 128.0)
    marks: list[int] = []
    at = 0.0
    while at < len(sound):
        t = min(int(at / HOP), len(period) - 1)
        reach = int(period[t] / 3)
        low, high = max(0, int(at) - reach), min(len(sound), int(at) + reach + 1)
        at = low + int(np.abs(sound[low:high]).argmax()) if f0[t] > 0 and marks else at
        marks.append(int(at))
        at += period[t]
    places, out, weight, at = np.array(marks), np.zeros(len(sound) + 1024), np.zeros(len(sound) + 1024), 512.0
    padded = np.pad(sound, 512)
    while at < len(sound) + 512:
        t = min(int((at - 512) / HOP), len(period) - 1)
        mark = int(places[np.abs(places - (at - 512)).argmin()]) + 512
        half = int(period[t])
        window, here = np.hanning(2 * half + 1), int(at)
        low, high = max(0, half - min(mark, here)), min(2 * half + 1, len(padded) - max(mark, here) + half)
        out[here - half + low : here - half + high] += window[low:high] * padded[mark - half + low : mark - half + high]
        weight[here - half + low : here - half + high] += window[low:high]
        at += period[t] / (factor if f0[t] > 0 else 1.0)
    return (out / np.maximum(weight, 0.3))[512 : 512 + len(sound)]


def _melody(sound: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """The pitch as a vocoder may find it: smoothed or not, shifted, trembling."""
    from scipy.ndimage import gaussian_filter1d, median_filter

    f0, clarity = pitch(sound)
    voiced = f0 > 0
    if rng.random() < 0.6:
        f0 = median_filter(f0, 5)
        voiced = f0 > 0
    if rng.random() < 0.6:
        share = gaussian_filter1d(voiced.astype(float), 2.0)
        f0 = np.where(voiced, gaussian_filter1d(f0 * voiced, 2.0) / np.maximum(share, 1e-3), 0)
    f0 = f0 * np.exp(0.06 * rng.standard_normal() * (rng.random() < 0.5))
    return f0 * np.exp(float(rng.choice([0, 0, 0.01, 0.03])) * rng.standard_normal(len(f0))), clarity


def _excitation(sound: Array, rng: np.random.Generator) -> Array:
    """Excitation of unit power: pulses of a drawn shape below an edge in voiced frames, noise elsewhere."""
    f0, clarity = _melody(sound, rng)
    n = len(f0) * HOP
    rate = np.repeat(f0, HOP)
    pulses: Array = pulse_train(f0).astype(np.float64) * np.sqrt(RATE / np.maximum(rate, 1.0))
    shape = str(rng.choice(["click", "glottal", "chirp"]))
    if shape != "click":
        spectrum = np.ones(len(AT), dtype=complex)
        if shape == "chirp":  # all frequencies, one after another
            spectrum = np.exp(-1j * np.pi * rng.uniform(2, 12) * RATE / 1000 * (AT / RATE) ** 2 * rng.uniform(0.5, 2))
        else:  # rises slowly, closes at once, whitened: the phase of a glottal pulse with the levels of a click
            turn = np.exp(2j * np.pi * AT / RATE)
            pole = 1 - rng.uniform(0.03, 0.15)
            spectrum = ((1 - pole * np.conj(turn)) / (1 - pole * turn)).conj()
        pulses = np.convolve(pulses, np.roll(np.fft.irfft(spectrum), POINTS // 2))[POINTS // 2 : POINTS // 2 + n]
    noise = rng.standard_normal(n)
    kind = str(rng.choice(["hard", "fixed", "clear"]))
    if kind == "hard":
        edge = np.where(f0 > 0, RATE, -RATE)
    elif kind == "fixed":
        edge = np.where(f0 > 0, rng.uniform(1000, 6000), -RATE)
    else:
        edge = np.where(f0 > 0, rng.uniform(3000, 9000) * np.clip(clarity - 0.2, 0.1, 1), -RATE)
    share = 1 / (1 + np.exp((AT[None] - edge[:, None]) / 300))
    return _filtered(pulses, np.sqrt(share)) + _filtered(noise, np.sqrt(1 - share))


def _filtered(x: Array, response: Array | Complex) -> Array:
    """Return x through a filter that changes every 5 ms, (T, 513): overlapping stretches, each through its own."""
    x = np.pad(x, (0, max(0, len(response) * HOP - len(x))))[: len(response) * HOP]
    padded, window = np.pad(x, (HOP, HOP)), np.hanning(2 * HOP + 1)[: 2 * HOP]
    parts = np.lib.stride_tricks.sliding_window_view(padded, 2 * HOP)[::HOP][: len(response)] * window
    made = np.fft.irfft(np.fft.rfft(parts, POINTS) * response)
    # A filter without phase rings before the stretch as well: its end is the time before.
    made = np.roll(made, POINTS // 4, axis=1)
    out = np.zeros(len(x) + 2 * POINTS)
    for t, part in enumerate(made):
        out[t * HOP : t * HOP + POINTS] += part
    start = POINTS // 4 + HOP
    return out[start : start + len(x)]


def _stft(x: Array, kept: dict[str, Any]) -> Complex:
    from scipy.signal import stft

    spectrum: Complex = stft(x, **kept)[2]
    return spectrum


def _istft(x: Array | Complex, kept: dict[str, Any]) -> Array:
    from scipy.signal import istft

    sound: Array = istft(x, **kept)[1]
    return sound
