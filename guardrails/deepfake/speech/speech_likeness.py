"""Is it speech at all? How a recording's spectrum moves, against how that of speech moves.

Syllables come 3 to 8 times a second and spectra change within tenths of one (Scheirer & Slaney 1997, "Construction and
evaluation of a robust multifeature speech/music discriminator"). Music holds its notes, noise does not move at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from ...kit.sound import RATE
from .spectra import HOP, Spectra

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

PACE = ((0.5, 2.0), (2.0, 4.0), (4.0, 8.0), (8.0, 16.0), (16.0, 33.0))
LAGS = (2, 6, 14, 30)
"""Hz of the loudness's changes; frames of 15 ms after which a spectrum is compared with itself."""
ROWS = 35
"""Of the 70 bands: up to 4 kHz, which every telephone leaves."""


def manner(item: Spectra) -> Array:
    """Return how a spectrum moves, (13,).

    Shares of the loudness's changes by pace (logarithm), its spread, similarity of a spectrum after 30, 90, 210 and
    450 ms, spread and change of the bands, and how peaked spectra are.
    """
    x = item.bands[:, :ROWS]
    loudness = x.mean(axis=1)
    power = np.abs(np.fft.rfft((loudness - loudness.mean()) * np.hanning(len(x)))) ** 2
    at = np.fft.rfftfreq(len(x), HOP / RATE)
    shares = np.array([power[(at >= low) & (at < high)].sum() for low, high in PACE]) + 1e-9
    y = x[item.loud] - x[item.loud].mean(axis=0)
    spread = float((y**2).mean())
    alike = [float((y[lag:] * y[:-lag]).mean()) / max(spread, 1e-9) if lag < len(y) else 0.0 for lag in LAGS]
    change = np.abs(np.diff(y, axis=0)).mean(axis=1)
    rough = np.abs(np.diff(x[item.loud], axis=1)).mean()
    return np.array([
        *np.log(shares / shares.sum()), np.log(loudness[item.loud].std() + 1e-3), *alike,
        np.log(spread + 1e-3) / 2, np.log(change.mean() + 1e-3), np.log(rough + 1e-3),
    ])  # fmt: skip


@dataclass(frozen=True)
class Manner:
    """Where `manner` usually lies: Mahalanobis' distance with a shrunken covariance (Ledoit & Wolf 2004).

    Attributes
    ----------
    centre : array, (13,)
    precision : array, (13, 13)
    """

    centre: Array
    precision: Array

    @classmethod
    def fit(cls, items: Sequence[Spectra]) -> Self:
        """Fit to recordings of speech."""
        from sklearn.covariance import LedoitWolf

        fitted = LedoitWolf().fit(np.stack([manner(item) for item in items]))
        return cls(fitted.location_, fitted.precision_)

    def distance(self, item: Spectra) -> float:
        """Return how unlike speech a recording is; its root mean square is 1 on what it was fitted to."""
        away = manner(item) - self.centre
        return float(np.sqrt(max(float(away @ self.precision @ away), 0.0) / len(away)))
