"""A regularised logistic regression on traces, with a calibrated probability and a bound on what it can judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .traces import BLOCKS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class Linear:
    """score = coefficients · (traces − mean) / scale + intercept; larger is more synthetic."""

    mean: Array
    scale: Array
    coefficients: Array
    intercept: float
    slope: float = 0.0
    offset: float = 0.0
    """Platt's calibration: probability = σ(slope · score + offset). Slope 0: not calibrated."""
    reach: float = float("inf")
    """Largest `strangeness` of what it was fitted to."""

    @classmethod
    def fit(cls, x: Array, labels: NDArray[np.int64], *, penalty: float = 10.0) -> Linear:
        """Fit to traces, (N, D), and labels, 1 = synthetic; both labels weigh the same.

        Parameters
        ----------
        x : array
            (N, D).
        labels : array of int
            (N,), both values present.
        penalty : float
            Inverse of scikit-learn's C.
        """
        from sklearn.linear_model import LogisticRegression

        mean, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-3)
        model = LogisticRegression(C=1 / penalty, max_iter=2000, class_weight="balanced")
        model.fit((x - mean) / scale, labels)
        fitted = cls(mean, scale, model.coef_[0].astype(np.float64), float(model.intercept_[0]))
        reach = float(np.quantile(fitted.strangeness(x), 0.99)) * 1.5
        return cls(fitted.mean, fitted.scale, fitted.coefficients, fitted.intercept, reach=reach)

    def calibrated(self, scores: Array, labels: NDArray[np.int64]) -> Linear:
        """Return the same model with Platt's calibration to scores of items that it was not fitted to."""
        from sklearn.linear_model import LogisticRegression

        platt = LogisticRegression(C=1e3).fit(scores[:, None], labels)
        return Linear(
            self.mean, self.scale, self.coefficients, self.intercept,
            slope=float(platt.coef_[0, 0]), offset=float(platt.intercept_[0]), reach=self.reach,
        )  # fmt: skip

    def score(self, x: Array) -> Array:
        """(N, D) → (N,)."""
        out: Array = (x - self.mean) / self.scale @ self.coefficients + self.intercept
        return out

    def probability(self, scores: Array) -> Array:
        """(N,) scores → (N,) in 0–1."""
        out: Array = 1 / (1 + np.exp(-np.clip(self.slope * scores + self.offset, -30, 30)))
        return out

    def strangeness(self, x: Array) -> Array:
        """Root mean square of the standardised traces, (N,): about 1 for what it was fitted to."""
        out: Array = np.sqrt((((x - self.mean) / self.scale) ** 2).mean(axis=1))
        return out

    def shares(self, x: Array) -> dict[str, Array]:
        """How much each block of traces adds to the scores, (N,) each."""
        parts = (x - self.mean) / self.scale * self.coefficients
        ends = np.cumsum(list(BLOCKS.values()))
        return {
            name: parts[:, end - size : end].sum(axis=1) for (name, size), end in zip(BLOCKS.items(), ends, strict=True)
        }
