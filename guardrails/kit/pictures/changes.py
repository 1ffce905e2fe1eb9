"""Pictures as they come back from the world: saved again, blurred, cropped, made smaller, with noise.

Every change measures how strong it was, from its own result: a well-known script passes the quality of JPEG in the
wrong place, and all its "qualities" come out alike.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import pi
from typing import TYPE_CHECKING

import numpy as np

from ...core.errors import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Changed = tuple[Image, float]

TOLERANCE = {"jpeg": 2.0, "blur": 0.25, "crop": 0.02, "resize": 0.02, "noise": 0.1}
"""How far what is measured may be from what was asked for; of `blur` and `noise`, relative to it."""
RINGS = 32
SMALLEST = 96
STANDARD = (
    "none", "jpeg=90", "jpeg=70", "jpeg=50", "blur=1", "blur=2", "blur=3", "resize=0.5", "crop=0.7", "noise=0.05",
)  # fmt: skip
RANGES = {"jpeg": (1.0, 100.0), "blur": (0.3, 10.0), "crop": (0.1, 1.0), "resize": (0.1, 1.0), "noise": (0.005, 0.5)}


@dataclass(frozen=True)
class Perturbation:
    """One change at one strength, as ``jpeg=70``.

    ``jpeg`` quality 1–100 · ``blur`` σ in pixels · ``crop`` share of each side that is kept, from the middle ·
    ``resize`` factor · ``noise`` σ as a share of the range · ``none``.

    >>> Perturbation.parse("blur=2")
    Perturbation(kind='blur', strength=2.0)
    """

    kind: str
    strength: float

    @classmethod
    def parse(cls, name: str) -> Perturbation:
        """Return the perturbation of a name.

        Raises
        ------
        ConfigurationError
            For an unknown kind or a strength out of its range.
        """
        kind, _, strength = name.partition("=")
        if name == "none":
            return cls("none", 0.0)
        if kind not in RANGES:
            known = ["none", *RANGES]
            raise ConfigurationError(f"unknown perturbation '{kind}'.{did_you_mean(kind, known)}")
        low, high = RANGES[kind]
        try:
            value = float(strength)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ConfigurationError(f"'{name}': {kind} takes a strength from {low:g} to {high:g}, as {kind}={high:g}")
        return cls(kind, value)

    @property
    def name(self) -> str:
        """As `parse` reads it."""
        return "none" if self.kind == "none" else f"{self.kind}={self.strength:g}"

    def apply(self, image: Image, *, seed: int = 0) -> Changed:
        """Change a picture.

        Parameters
        ----------
        image : array of uint8, (H, W, 3)
            In 0–255.
        seed : int
            Of the noise.

        Returns
        -------
        (array of uint8, float)
            The picture, and the strength as it was measured; of ``none``, 0.

        Raises
        ------
        RuntimeError
            Where the measured strength is not the one asked for: a defect here, never the picture's.
        """
        if self.kind == "none":
            return image, 0.0
        changed, measured = _KINDS[self.kind](image, self.strength, seed)
        scale = self.strength if self.kind in ("blur", "noise") else 1.0
        rounding = 1 / min(image.shape[:2]) if self.kind in ("crop", "resize") else 0.0
        if abs(measured - self.strength) > TOLERANCE[self.kind] * scale + rounding and np.isfinite(measured):
            raise RuntimeError(f"{self.name} came out as {measured:.3g}")
        return changed, measured


def _jpeg(image: Image, quality: float, _: int) -> Changed:
    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, "JPEG", quality=round(quality))
    with Pillow.open(buffer) as saved:
        tables: Mapping[int, list[int]] = saved.quantization  # type: ignore[attr-defined]
        pixels = np.array(saved.convert("RGB"), dtype=np.uint8)
    return pixels, jpeg_quality(tables[0])


def jpeg_quality(table: Sequence[int]) -> float:
    """Return the quality, 1–100, whose luminance table as libjpeg makes it is nearest to one."""
    return 1.0 + float(np.abs(_tables() - np.asarray(table)).sum(axis=1).argmin())


@cache
def _tables() -> NDArray[np.float64]:
    """(100, 64): the table of ITU-T T.81 (1992), Annex K, scaled for each quality; 50 uses it as it is."""
    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.new("L", (8, 8)).save(buffer, "JPEG", quality=50)
    with Pillow.open(buffer) as saved:
        annex = np.array(saved.quantization[0], dtype=np.float64)  # type: ignore[attr-defined]
    q = np.arange(1, 101)
    scale = np.where(q < 50, 5000 // q, 200 - 2 * q)
    return np.clip((annex[None] * scale[:, None] + 50) // 100, 1, 255)


def _blur(image: Image, sigma: float, _: int) -> Changed:
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(image.astype(np.float32), (sigma, sigma, 0), mode="reflect")
    changed = np.clip(np.rint(smooth), 0, 255).astype(np.uint8)
    return changed, _blurred_by(image, changed)


def _blurred_by(before: Image, after: Image) -> float:
    """σ from what is left of low frequencies, where rounding to 8 bits does not reach: exp(−4π²σ²f²) of their power.

    NaN for a picture without detail, of which no blur can be seen, and for one with too few low frequencies.
    """
    if min(before.shape[:2]) < SMALLEST:
        return float("nan")
    window = np.hanning(before.shape[0])[:, None] * np.hanning(before.shape[1])[None]
    powers = [np.abs(np.fft.rfft2((x.mean(axis=2) - x.mean()) * window)) ** 2 for x in (before, after)]
    f = np.hypot(np.fft.fftfreq(before.shape[0])[:, None], np.fft.rfftfreq(before.shape[1])[None])
    band = (f > 0.03) & (f < 0.1)
    if not band.any() or powers[0][band].mean() < before[..., 0].size:
        return float("nan")
    rings = ((f[band] - 0.03) / 0.07 * RINGS).astype(int)
    there, left = (np.bincount(rings, power[band], RINGS) for power in powers)
    expected = np.linspace(0.2, 12, 600)
    middle = 0.03 + (np.arange(RINGS) + 0.5) * 0.07 / RINGS
    models = np.exp(-((2 * pi * expected[:, None] * middle) ** 2)) @ there
    return float(expected[np.abs(np.log(models / left.sum())).argmin()])


def _crop(image: Image, share: float, _: int) -> Changed:
    height, width = (max(1, round(n * share)) for n in image.shape[:2])
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    changed = np.ascontiguousarray(image[top : top + height, left : left + width])
    return changed, min(changed.shape[:2]) / min(image.shape[:2])


def _resize(image: Image, factor: float, _: int) -> Changed:
    from PIL import Image as Pillow

    height, width = (max(1, round(n * factor)) for n in image.shape[:2])
    changed = np.array(Pillow.fromarray(image).resize((width, height), Pillow.Resampling.BICUBIC), dtype=np.uint8)
    return changed, min(changed.shape[:2]) / min(image.shape[:2])


def _noise(image: Image, sigma: float, seed: int) -> Changed:
    grain = np.random.default_rng(seed).normal(0, 255 * sigma, image.shape)
    exact = image + grain
    changed = np.clip(np.rint(exact), 0, 255).astype(np.uint8)
    # Half of the grain is smaller than its median: what is cut off at black and white beyond that does not count.
    inside = np.minimum(image, 255 - image) > 255 * sigma
    if inside.sum() < 1000:
        return changed, float("nan")
    middle = np.median(np.abs(changed.astype(np.float64) - image)[inside])
    return changed, float(middle / 0.6745 / 255)


_KINDS: Mapping[str, Callable[[Image, float, int], Changed]] = {
    "jpeg": _jpeg, "blur": _blur, "crop": _crop, "resize": _resize, "noise": _noise,
}  # fmt: skip
