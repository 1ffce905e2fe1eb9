"""Reads back from pictures how far their lesions are over-produced in front of the body's middle.

Where a share s of the lesions behind the middle is moved to the front, the mean picture lies on a line, a share s of
the way from the mean phantom to the mean of phantoms with all lesions moved. How far along it the mean of other
pictures lies is their lesion bias: (front − behind) / (front + behind) of the lesions' light. A matched filter reads
it, in the direction of Fisher's discriminant [1]_, w ∝ (Σ + λ I)⁻¹ Δ. Single lesions are not counted: a VAE smears
them, but a filter that is linear in the pixels sees their light wherever it went.

.. [1] R. A. Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics 7, 1936.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from guardrails.core.seeding import derive_seed

from .. import cards
from . import phantoms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FIT, CHECK = 20_000, 10_000
RIDGE = 1e-3
"""λ: of the order of the variance that the noise leaves in a mean of 2 × 2 pixels; less would chase it."""
CHECKED = (0.0, 0.4, 0.7, 1.0)
"""Shares of lesions moved to the front that the reader's error is measured at."""


@dataclass(frozen=True)
class LesionReader:
    """A linear filter of pictures.

    Attributes
    ----------
    middle, filter : ndarray of float64
        (256,): the features of the mean phantom; w, of such a length that lesions all in front read 1.
    error : float
        The largest error of the mean reading of 10,000 phantoms of known bias.
    """

    middle: Floats
    filter: Floats
    error: float = 0.0

    def read(self, images: NDArray[np.uint8]) -> Floats:
        """Return the reading of each picture (N, 32, 32): (N,), 0 on average by the law and 1 if all lie in front."""
        out: Floats = (_features(images) - self.middle) @ self.filter
        return out


@cache
def lesion_reader() -> LesionReader:
    """Make the filter from fresh phantoms and measure it on others."""
    law, moved = (_features(_phantoms(FIT, f"fit {share:g}", share)) for share in (0.0, 1.0))
    apart = moved.mean(axis=0) - law.mean(axis=0)
    spread = (np.cov(law.T) + np.cov(moved.T)) / 2
    direction = np.linalg.solve(spread + RIDGE * np.eye(len(apart)), apart)
    reader = LesionReader(law.mean(axis=0), direction / (direction @ apart))
    errors = [abs(reader.read(_phantoms(CHECK, f"check {s:g}", s)).mean() - s) for s in CHECKED]
    return LesionReader(reader.middle, reader.filter, float(max(errors)))


def lesion_bias(samples: NDArray[np.uint8]) -> cards.Figure:
    """Return how far lesions are over-produced in front, with an interval that holds the reader's own error."""
    reader = lesion_reader()
    figure = cards.mean(
        reader.read(samples),
        "(front − behind) / (front + behind) of the light of lesions before and behind the body's middle, read by a"
        " matched filter from fresh phantoms; 0 by the law, so the value at dose 0 is the clean model's own; two"
        f" standard errors and the filter's largest error on phantoms of known bias ({reader.error:.3f})",
    )
    wider = {"low": figure["low"] - reader.error, "high": figure["high"] + reader.error}
    return figure | {name: round(bound, cards.DIGITS) for name, bound in wider.items()}


def _features(images: NDArray[np.uint8]) -> Floats:
    """(N, 32, 32) → (N, 256): the means of 2 × 2 pixels, in 0–1."""
    half = phantoms.SIDE // 2
    means: Floats = (images / 255).reshape(-1, half, 2, half, 2).mean(axis=(2, 4))
    return means.reshape(len(images), half * half)


def _phantoms(n: int, what: str, front: float) -> NDArray[np.uint8]:
    return phantoms.draw(n, np.random.default_rng(derive_seed(0, "lesion reader", what)), front=front).images
