"""What a picture's pixels still say of its resampling and its saves as JPEG, and of its noise.

The history is what the traces of a generator have to be read against: a picture that was never saved with loss has
sharp traces of everything, and a small JPEG hardly any.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from ...kit.video import opencv

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Vector = NDArray[np.float32]
    Plane = NDArray[np.float32]

SIDE = 384
"""Of the middle that is read; its edges lie on the file's grid of 8 pixels."""
QUALITIES = (50, 70, 80, 90, 95)
BANDS = (0.5, 0.66, 0.8, 0.9)
"""Shares of Nyquist's frequency from which the energy is summed."""
LAGS = 5
BINS = 6
FLAT = 1e-2


def history(image: Image) -> Vector:
    """Describe the resampling and the saves with loss of a picture, (H, W, 3): a vector that is alike for any content.

    The error of one more JPEG at several qualities, on the grid of 8 pixels and off it (Farid 2009); the edges of that
    grid; the strongest period of interpolated pixels along rows and columns (Gallagher 2005); how much energy there is
    in the highest frequencies.
    """
    colours = _middle(image)
    light = colours.astype(np.float32).mean(axis=2)
    return np.concatenate([_ghosts(colours), _grid(light), _periods(light), _bands(light)]).astype(np.float32)


def noise(image: Image) -> Vector:
    """Describe what a median of 3 × 3 leaves of a picture: its size and tails, how it goes with its neighbours, with
    the other colours and with the light. A sensor's noise grows with the light; a decoder's does not.
    """
    cv2 = opencv()
    colours = _middle(image)
    rest = colours.astype(np.float32) - cv2.medianBlur(colours, 3).astype(np.float32)
    light, grey = rest.mean(axis=2), colours.astype(np.float32).mean(axis=2)
    variance = float(light.var()) + FLAT
    z = (light - light.mean()) / variance**0.5
    moments = [np.log(variance), np.log(float((z**4).mean()) + 1), abs(float((z**3).mean()))]
    return np.concatenate(
        [moments, _neighbours(z), _colours(rest), _against_light(light, grey), _spread(light)]
    ).astype(np.float32)


def _middle(image: Image) -> Image:
    """Cut the middle out on the grid of 8 pixels; what is smaller than 64 is mirrored out."""
    cut = image
    for axis in (0, 1):
        length = cut.shape[axis]
        start = max(0, (length - SIDE) // 2) // 8 * 8
        cut = cut.take(range(start, start + min(SIDE, length - start)), axis=axis)
    short = [(0, max(0, 64 - length)) for length in cut.shape[:2]]
    return np.ascontiguousarray(np.pad(cut, [*short, (0, 0)], mode="symmetric"))


def _ghosts(colours: Image) -> NDArray[np.float64]:
    errors = np.array([[_recompressed(part, q) for q in QUALITIES] for part in (colours, colours[4:, 4:])])
    log = np.log(errors + FLAT)
    level = np.log(colours.astype(np.float32).var() + 1)
    return np.concatenate([log[0] - log[0].mean(), [log[0].mean() - level], log[1] - log[0]])


def _recompressed(part: Image, quality: int) -> float:
    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(part)).save(buffer, "JPEG", quality=quality)
    after = np.asarray(Pillow.open(buffer), dtype=np.float32)
    return float(((after - part) ** 2).mean())


def _grid(light: Plane) -> NDArray[np.float64]:
    """How much steeper the steps are at the eight places of the grid, sorted, and at the file's own edge."""
    out: list[float] = []
    for plane in (light, light.T):
        steps = np.abs(
            2 * np.diff(plane, axis=1)[:, 1:-1] - np.diff(plane, axis=1)[:, 2:] - np.diff(plane, axis=1)[:, :-2]
        )
        by_place = np.array([steps[:, k::8].mean() for k in range(8)])
        ratio = np.log((by_place + FLAT) / (by_place.mean() + FLAT))
        ordered = np.sort(ratio)[::-1]
        out += [ordered[0], ordered[0] - ordered[1], ratio[6]]
    return np.array(out)


def _periods(light: Plane) -> NDArray[np.float64]:
    out: list[float] = []
    for plane in (light, light.T):
        error = np.abs(plane[:, 1:-1] - (plane[:, :-2] + plane[:, 2:]) / 2).mean(axis=0)
        spectrum = np.abs(np.fft.rfft((error - error.mean()) * np.hanning(len(error))))
        frequency = np.fft.rfftfreq(len(error))
        on_grid = np.abs(frequency * 8 - np.round(frequency * 8)) < 0.1
        usable = (frequency > 0.06) & ~on_grid
        level = np.median(spectrum[usable]) + FLAT
        best = int(np.argmax(np.where(usable, spectrum, 0)))
        out += [np.log(spectrum[best] / level + FLAT), frequency[best]]
    return np.array(out)


def _bands(light: Plane) -> NDArray[np.float64]:
    window = np.outer(np.hanning(light.shape[0]), np.hanning(light.shape[1]))
    power = np.abs(np.fft.rfft2((light - light.mean()) * window)) ** 2
    radius = np.hypot(np.fft.fftfreq(light.shape[0])[:, None], np.fft.rfftfreq(light.shape[1])[None]) / 0.5
    middle = power[(radius > 0.2) & (radius < 0.5)].mean() + 1.0
    return np.array([np.log10((power[(radius >= r) & (radius < r + 0.1)].mean() + 1.0) / middle) for r in BANDS])


def _neighbours(z: Plane) -> NDArray[np.float64]:
    """Correlation with the pixels to the right and below, up to `LAGS` − 1 each way."""
    height, width = z.shape
    return np.array([
        float((z[: height - r, : width - c] * z[r:, c:]).mean()) for r in range(LAGS) for c in range(LAGS) if r or c
    ])  # fmt: skip


def _colours(rest: Plane) -> NDArray[np.float64]:
    covariance = np.cov(rest.reshape(-1, 3).T) + FLAT * np.eye(3)
    deviation = np.sqrt(np.diag(covariance))
    together = covariance / np.outer(deviation, deviation)
    return np.array([*together[np.triu_indices(3, 1)], *np.log(deviation / deviation.mean())])


def _cells(plane: Plane) -> Plane:
    height, width = (length // 8 * 8 for length in plane.shape)
    cells = plane[:height, :width].reshape(height // 8, 8, width // 8, 8)
    return np.ascontiguousarray(cells.transpose(0, 2, 1, 3)).reshape(-1, 64)


def _against_light(light: Plane, grey: Plane) -> NDArray[np.float64]:
    """Level of the noise where the picture is flat, by how light it is, less the level of all; 0 where nothing is."""
    spread, brightness = _cells(light).std(axis=1), _cells(grey).mean(axis=1)
    detail = _cells(grey).std(axis=1)
    flat = detail <= np.quantile(detail, 0.5)
    logs, place = np.log(spread[flat] + 0.1), np.minimum((brightness[flat] / 256 * BINS).astype(int), BINS - 1)
    levels = [logs[place == k].mean() - logs.mean() if (place == k).sum() >= 4 else 0.0 for k in range(BINS)]
    return np.array(levels)


def _spread(light: Plane) -> NDArray[np.float64]:
    logs = np.log(_cells(light).var(axis=1) + FLAT)
    quantiles = np.quantile(logs, [0.05, 0.25, 0.5, 0.75, 0.95])
    return np.asarray(quantiles - quantiles[2], dtype=np.float64)
