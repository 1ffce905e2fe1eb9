"""Numbers in which neural speech may differ from a voice, in blocks that can be compared.

Levels and the mean spectrum belong to the channel and are removed, except in the block ``shape``, which shows what they
tell. Bands are 0.9 kHz wide and end at 7.2 kHz.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ...deepfake.speech.vocoders import pitch
from ...kit.sound import RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]

EDGES = np.arange(0, 7201, 900)
"""Hz: of eight bands. The lowest four are what a telephone leaves."""
BANDS = len(EDGES) - 1
HOP, LONG, POINTS = RATE // 200, RATE // 40, 512
LOUD = 1e-3
WINDOWS = (96, 400, 1024)
CEPSTRA_BANDS, CEPSTRA = 40, 20
PREDICTION = 18
PACES = (1, 2, 4, 8, 16, 32, 64, 100)
"""Hz: edges of the modulation bands."""
RATES = (50.0, 62.5, 75.0, 80.0, 86.13, 93.75, 100.0, 125.0, 150.0, 160.0, 172.27, 187.5)
"""Frames a second of usual synthesizers: 24 kHz / 256, 22.05 kHz / 256 and so on. Their networks repeat themselves at
these."""
FLOOR = 1e-9


def traces(sound: Array) -> dict[str, Array]:
    """Return the blocks of a stretch at 16 kHz, (N,); all finite."""
    x = sound / max(float(np.sqrt((sound**2).mean())), FLOOR)
    f0, clarity = pitch(x)
    frames = _frames(x, LONG)[: len(f0)] * np.hanning(LONG)
    spectrum = np.fft.rfft(frames, POINTS)
    power = np.abs(spectrum) ** 2 + FLOOR
    total = power.mean(axis=1)
    loud = total >= LOUD * np.quantile(total, 0.95)
    voiced, unvoiced = loud & (f0 > 0), loud & (f0 == 0)
    log = np.log(power)
    bands = _band_signals(x)
    envelopes = np.abs(bands)
    blocks = {
        "cepstra": _cepstra(power, loud),
        "spread": _spread(x, voiced, unvoiced),
        "harmonics": _harmonics(bands, envelopes, f0, voiced),
        "envelopes": _envelopes(envelopes, voiced, unvoiced),
        "phases": _phases(x, voiced, unvoiced),
        "prediction": _prediction(x, voiced, unvoiced),
        "melody": _melody(f0, clarity, total, loud),
        "modulation": _modulation(log, loud),
        "repeats": _repeats(bands),
        "lines": _lines(x),
        "shape": _shape(log, loud),
    }
    return {name: np.nan_to_num(np.asarray(block, dtype=np.float64)) for name, block in blocks.items()}


def _frames(x: Array, long: int, hop: int = HOP) -> Array:
    padded = np.pad(x, (long // 2, long))
    return np.lib.stride_tricks.sliding_window_view(padded, long)[::hop]


def _band_rows(points: int) -> list[slice]:
    at = np.searchsorted(np.fft.rfftfreq(points, 1 / RATE), EDGES)
    return [slice(max(a, 1), b) for a, b in pairwise(at.tolist())]


def _band_signals(x: Array) -> NDArray[np.complex128]:
    """Analytic signals of the bands, (8, N)."""
    spectrum, at = np.fft.fft(x), np.fft.fftfreq(len(x), 1 / RATE)
    masks = np.stack([1 / (1 + np.exp(-(np.clip(np.minimum(at - a, b - at), -900, 900)) / 40))
                      for a, b in zip(EDGES[:-1] + 60, EDGES[1:], strict=True)])  # fmt: skip
    signals: NDArray[np.complex128] = np.fft.ifft(2 * spectrum * masks)
    return signals


def _moments(x: Array) -> list[Array]:
    """Spread, skewness and kurtosis of the columns."""
    centred = x - x.mean(axis=0)
    spread = centred.std(axis=0) + 1e-6
    z = centred / spread
    return [np.log(spread), (z**3).mean(axis=0), np.log((z**4).mean(axis=0) + 1e-3)]


def _cepstra(power: Array, loud: Mask) -> Array:
    from scipy.fft import dct

    edges = np.linspace(0, 7200, CEPSTRA_BANDS + 2)
    at = np.fft.rfftfreq(POINTS, 1 / RATE)
    rise = (at - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - at) / (edges[2:] - edges[1:-1])[:, None]
    bank = np.clip(np.minimum(rise, fall), 0, None)
    log = np.log(power @ bank.T + FLOOR)
    c = dct(log, norm="ortho", axis=1)[:, :CEPSTRA]
    out = _moments(c[loud])
    for lag in (1, 2, 6):
        change, there = c[lag:] - c[:-lag], loud[lag:] & loud[:-lag]
        out.append(np.log(np.abs(change[there]).mean(axis=0) + 1e-6) if there.any() else np.zeros(CEPSTRA))
    second = c[2:] - 2 * c[1:-1] + c[:-2]
    out.append(np.log(np.abs(second[loud[1:-1]]).mean(axis=0) + 1e-6))
    return np.concatenate(out)


def _at(mask: Mask, n: int) -> Mask:
    return np.pad(mask[:n], (0, max(0, n - len(mask))))


def _mean(values: Array, mask: Mask) -> Array:
    return values[mask].mean(axis=0) if mask.sum() > 2 else np.full(values.shape[1], np.nan)


def _spread(x: Array, voiced: Mask, unvoiced: Mask) -> Array:
    """Spectral flatness within bands, with windows that see pulses, harmonics and single ones."""
    out = []
    for long in WINDOWS:
        power = np.abs(np.fft.rfft(_frames(x, long)[: len(voiced)] * np.hanning(long), max(long, 256))) ** 2 + FLOOR
        rows = _band_rows(max(long, 256))
        flat = np.stack([np.log(power[:, r]).mean(axis=1) - np.log(power[:, r].mean(axis=1)) for r in rows], axis=1)
        out += [_mean(flat, voiced), _mean(flat, unvoiced)]
        out.append(flat[voiced].std(axis=0) if voiced.sum() > 2 else np.zeros(BANDS))
    return np.concatenate(out)


def _harmonics(bands: Any, envelopes: Array, f0: Array, voiced: Mask) -> Array:
    """How alike a band and its envelope are one period later, in voiced frames: by band, mean, spread and best."""
    out = []
    places = np.flatnonzero(voiced) * HOP
    lags = np.rint(RATE / f0[voiced]).astype(int)
    fits = places + 2 * LONG + lags < bands.shape[1]
    places, lags = places[fits], lags[fits]
    if len(places) < 5:
        return np.full(BANDS * 6, np.nan)
    window = np.arange(LONG)
    first, second = places[:, None] + window, places[:, None] + window + lags[:, None]
    for signal in (bands, envelopes):
        for one in signal:
            a, b = one[first], one[second]
            if np.isrealobj(one):
                a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
            scale = np.sqrt((np.abs(a) ** 2).sum(axis=1) * (np.abs(b) ** 2).sum(axis=1)) + FLOOR
            alike = np.abs((a * b.conj()).sum(axis=1)) / scale
            out += [alike.mean(), alike.std(), np.quantile(alike, 0.9)]
    return np.array(out)


def _envelopes(envelopes: Array, voiced: Mask, unvoiced: Mask) -> Array:
    """What the envelopes of bands have in common within 5 to 25 ms, and how peaked they are."""
    from scipy.ndimage import uniform_filter1d

    slow = uniform_filter1d(envelopes, LONG, axis=1) + FLOOR
    fast = envelopes / slow - 1
    out = []
    for mask in (voiced, unvoiced):
        inside = np.repeat(mask, HOP)[: fast.shape[1]]
        inside = np.pad(inside, (0, fast.shape[1] - len(inside)))
        if inside.sum() < RATE // 10:
            out.append(np.full(BANDS - 1 + BANDS - 2 + 2 * BANDS, np.nan))
            continue
        here = fast[:, inside]
        correlation = np.corrcoef(here)
        out += [np.diag(correlation, 1), np.diag(correlation, 2), here.std(axis=1)]
        out.append(np.log(((here / (here.std(axis=1, keepdims=True) + FLOOR)) ** 4).mean(axis=1) + FLOOR))
    return np.concatenate(out)


def _phases(x: Array, voiced: Mask, unvoiced: Mask) -> Array:
    """Group delay and instantaneous frequency by reassignment (Auger & Flandrin 1995): spread within bands."""
    window, out = np.hanning(LONG), []
    time = np.arange(LONG) - (LONG - 1) / 2
    frames = _frames(x, LONG)[: len(voiced)]
    plain = np.fft.rfft(frames * window, POINTS)
    power = np.abs(plain) ** 2 + FLOOR
    delay = (np.fft.rfft(frames * (window * time), POINTS) * plain.conj()).real / power / LONG
    shift = -(np.fft.rfft(frames * np.gradient(window), POINTS) * plain.conj()).imag / power * LONG / np.pi
    for r in _band_rows(POINTS):
        weight = power[:, r] / power[:, r].sum(axis=1, keepdims=True)
        for values in (delay[:, r], shift[:, r]):
            values = np.clip(values, -3, 3)
            centre = (weight * values).sum(axis=1, keepdims=True)
            weighted = np.log((weight * (values - centre) ** 2).sum(axis=1) + 1e-4)
            plainly = np.log(values.var(axis=1) + 1e-4)
            both = np.stack([weighted, plainly], axis=1)
            out += [_mean(both, voiced), _mean(both, unvoiced)]
    return np.concatenate(out)


def _prediction(x: Array, voiced: Mask, unvoiced: Mask) -> Array:
    """Residual of linear prediction (Makhoul 1975): gain, skewness and kurtosis, by frame."""
    frames, voiced, unvoiced = _frames(x, LONG)[: len(voiced)][::2], voiced[::2], unvoiced[::2]
    windowed = frames * np.hanning(LONG)
    r = np.fft.irfft(np.abs(np.fft.rfft(windowed, 2 * POINTS)) ** 2)[:, : PREDICTION + 1]
    r[:, 0] = r[:, 0] * 1.0001 + FLOOR
    lags = np.abs(np.subtract.outer(np.arange(PREDICTION), np.arange(PREDICTION)))
    a = np.linalg.solve(r[:, lags], r[:, 1:, None])[..., 0]
    past = np.lib.stride_tricks.sliding_window_view(frames, PREDICTION, axis=1)[:, :-1, ::-1]
    residual = frames[:, PREDICTION:] - (past @ a[:, :, None])[..., 0]
    spread = residual.std(axis=1) + FLOOR
    z = (residual - residual.mean(axis=1, keepdims=True)) / spread[:, None]
    gain = np.log(frames[:, PREDICTION:].std(axis=1) + FLOOR) - np.log(spread)
    skewness, kurtosis = np.abs((z**3).mean(axis=1)), np.log((z**4).mean(axis=1) + FLOOR)
    numbers = np.stack([gain, skewness, kurtosis, np.abs(z).max(axis=1)], axis=1)
    out = []
    for mask in (voiced, unvoiced):
        out += [_mean(numbers, mask), numbers[mask].std(axis=0) if mask.sum() > 2 else np.full(4, np.nan)]
    return np.concatenate(out)


def _melody(f0: Array, clarity: Array, total: Array, loud: Mask) -> Array:
    """Jitter, shimmer and how clear and how moved the pitch is."""
    on = (f0[1:] > 0) & (f0[:-1] > 0)
    step = np.abs(np.diff(np.log(np.maximum(f0, 1))))[on]
    step = step[step < 0.2]
    bend = np.abs(np.diff(np.log(np.maximum(f0, 1)), 2))[on[1:] & on[:-1]]
    bend = bend[bend < 0.2]
    loudness = np.abs(np.diff(np.log(total + FLOOR)))[on]
    if len(step) < 8 or len(bend) < 8:
        return np.full(11, np.nan)
    pitched = np.log(f0[f0 > 0])
    return np.array([
        np.log(step.mean() + 1e-4), np.log(np.median(step) + 1e-4), np.log(bend.mean() + 1e-4), loudness.mean(),
        np.median(loudness), clarity[f0 > 0].mean(), clarity[f0 > 0].std(), clarity[loud].std(), pitched.std(),
        (f0[loud] > 0).mean(), (step < 1e-4).mean(),
    ])  # fmt: skip


def _modulation(log: Array, loud: Mask) -> Array:
    """Shares of the changes of the bands' levels by pace."""
    level = np.stack([log[:, r].mean(axis=1) for r in _band_rows(POINTS)], axis=1)
    level = np.maximum(level, level[loud].max(axis=0) - 9)
    power = np.abs(np.fft.rfft((level - level.mean(axis=0)) * np.hanning(len(level))[:, None], 512, axis=0)) ** 2
    at = np.fft.rfftfreq(512, HOP / RATE)
    shares = [power[(at >= a) & (at < b)].mean(axis=0) + FLOOR for a, b in pairwise(PACES)]
    logs: Array = np.log(np.stack(shares))
    relative: Array = logs - logs.mean(axis=0)
    return relative.ravel()


def _repeats(bands: Any) -> Array:
    """How far the power of three parts of the spectrum repeats itself at the frame rates of usual synthesizers."""
    points = 1 << 16
    parts = [np.log((np.abs(bands[of]) ** 2).sum(axis=0) + 1e-6) for of in (slice(0, 2), slice(2, 4), slice(4, 8))]
    out = []
    for part in parts:
        line = np.abs(np.fft.rfft((part - part.mean()) * np.hanning(len(part)), points))
        at = np.fft.rfftfreq(points, 1 / RATE)
        for rate in RATES:
            near, around = np.abs(at - rate) < 0.7, (np.abs(at - rate) < 8) & (np.abs(at - rate) > 2)
            out.append(np.log(line[near].max() + FLOOR) - np.log(np.median(line[around]) + FLOOR))
    return np.array(out)


def _lines(x: Array) -> Array:
    """Lines that stand in the mean spectrum."""
    from scipy.ndimage import median_filter

    power = np.abs(np.fft.rfft(_frames(x, 1024, 256) * np.hanning(1024))) ** 2
    out = []
    for mean in (np.log(power + FLOOR).mean(axis=0), np.log(np.quantile(power, 0.2, axis=0) + FLOOR)):
        rest = mean - median_filter(mean, 25)
        for r in _band_rows(1024):
            part = rest[r]
            out += [part.max(), np.log(part.std() + 1e-3)]
    return np.array(out)


def _shape(log: Array, loud: Mask) -> Array:
    mean = log[loud].mean(axis=0)
    rows = np.stack([part.mean() for part in np.array_split(mean[2:230], 24)])
    shape: Array = rows - rows.mean()
    return shape
