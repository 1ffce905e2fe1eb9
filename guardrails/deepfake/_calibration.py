"""From a score to a probability, a likelihood ratio and a verdict that knows when to abstain."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]
    Labels = NDArray[np.int64]

MAX_LOG_RATIO = log(1e4)
"""A likelihood ratio beyond 10,000 would need far more files than a calibration has."""
ALPHA = 0.05
BINS = 10


@dataclass(frozen=True)
class Calibration:
    """Log-likelihood ratio = slope · score + offset, and the scores of the calibration set for its p-values.

    Fitted to scores of files that the detector has not seen, of sources that it has not seen.
    """

    slope: float
    offset: float
    real: Array
    generated: Array
    """Sorted scores."""

    @classmethod
    def fit(cls, scores: ArrayLike, labels: Labels, weights: ArrayLike | None = None) -> Calibration:
        """Fit Platt's sigmoid with both classes weighing the same, so that its odds are a likelihood ratio.

        The targets are those of Platt (1999), (n₊ + 1)/(n₊ + 2) and 1/(n₋ + 2) instead of 1 and 0, which keeps
        separable scores from a sigmoid that is a step.

        Parameters
        ----------
        scores : array_like, (N,)
            Larger for generated; finite.
        labels : array of int, (N,)
            1 = generated, 0 = real; both present.
        weights : array_like, (N,), optional
            Within its class; see `_protocol.weights_of`.

        Raises
        ------
        ValueError
            Where a class is missing or a score is not finite.
        """
        s, w = np.asarray(scores, dtype=np.float64), np.ones(len(labels)) if weights is None else np.asarray(weights)
        sizes = [int((labels == label).sum()) for label in (0, 1)]
        if min(sizes) < 1 or not np.isfinite(s).all():
            raise ValueError(
                f"calibration needs finite scores of both classes, got {sizes[0]} real, {sizes[1]} generated"
            )
        targets = np.where(labels == 1, (sizes[1] + 1) / (sizes[1] + 2), 1 / (sizes[0] + 2))
        w = w / np.array([w[labels == label].sum() for label in (0, 1)])[labels]
        centre, scale = float(s.mean()), max(float(s.std()), 1e-9)
        slope, offset = _sigmoid((s - centre) / scale, targets, w)
        slope /= scale
        return cls(slope, offset - slope * centre, np.sort(s[labels == 0]), np.sort(s[labels == 1]))

    def log_ratio(self, scores: ArrayLike) -> Array:
        """Natural logarithm of p(score | generated) / p(score | real), bounded by ±`MAX_LOG_RATIO`."""
        return np.clip(self.slope * np.asarray(scores, dtype=np.float64) + self.offset, -MAX_LOG_RATIO, MAX_LOG_RATIO)

    def probability(self, scores: ArrayLike, *, prior: float = 0.5) -> Array:
        """Probability that an item is generated, where a share `prior` of all items is."""
        return 1 / (1 + np.exp(-(self.log_ratio(scores) + log(prior / (1 - prior)))))

    def p_values(self, scores: ArrayLike) -> tuple[Array, Array]:
        """Return conformal p-values of "it is real" and "it is generated" (Vovk et al. 2005, label-conditional).

        Were a new real file exchangeable with the calibration's, "real" would have a p-value of at most α with
        probability at most α. Files of a new source are not, so that this is a bound for known kinds of sources only.
        """
        s = np.asarray(scores, dtype=np.float64)
        above = len(self.real) - np.searchsorted(self.real, s, "left")
        below = np.searchsorted(self.generated, s, "right")
        return (above + 1) / (len(self.real) + 1), (below + 1) / (len(self.generated) + 1)

    def verdicts(self, scores: ArrayLike, *, alpha: float = ALPHA) -> list[Literal["real", "synthetic", "abstain"]]:
        """Name a class where the other can be ruled out at `alpha` and it itself cannot; else abstain.

        Both ruled out is a score between two classes that never score so; neither, one that both do.
        """
        real, generated = self.p_values(scores)
        out: list[Literal["real", "synthetic", "abstain"]] = []
        for p, q in zip(np.atleast_1d(real), np.atleast_1d(generated), strict=True):
            out.append("synthetic" if p <= alpha < q else "real" if q <= alpha < p else "abstain")
        return out


def _sigmoid(z: Array, targets: Array, weights: Array) -> tuple[float, float]:
    """Minimum of the weighted cross-entropy, by Newton's method with halved steps (Lin, Lin & Weng 2007)."""
    design, beta, ridge = np.stack([z, np.ones_like(z)], axis=1), np.zeros(2), 1e-9 * np.eye(2)

    def loss(b: Array) -> float:
        logits = design @ b
        return float(weights @ (np.logaddexp(0, logits) - targets * logits))

    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(design @ beta, -500, 500)))
        gradient = design.T @ (weights * (p - targets))
        step = np.linalg.solve((design * (weights * p * (1 - p))[:, None]).T @ design + ridge, gradient)
        size = 1.0
        while loss(beta - size * step) > loss(beta) and size > 1e-10:
            size /= 2
        beta = beta - size * step
        if np.abs(gradient).max() < 1e-9:
            break
    return float(beta[0]), float(beta[1])


def calibration_error(probabilities: ArrayLike, labels: ArrayLike, *, bins: int = BINS) -> float:
    """Return the root mean square distance of probability and frequency, without what chance adds to it.

    Bins of equal numbers of items; each one's squared distance is lessened by the variance of its frequency,
    ȳ(1 − ȳ)/(n − 1), so that a calibrated detector has an expectation of 0 and not one that shrinks with n (Kumar,
    Liang & Ma 2019, arXiv 1909.10155, definition 5.2). Below 0, as chance has it half of the time, it is 0.

    Raises
    ------
    ValueError
        For fewer than two items a bin.

    >>> calibration_error([0.1] * 50 + [0.9] * 50, [0] * 45 + [1] * 5 + [1] * 45 + [0] * 5, bins=2)
    0.0
    """
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    if len(p) < 2 * bins:
        raise ValueError(f"{bins} bins need at least {2 * bins} items, got {len(p)}")
    total = 0.0
    for part in np.array_split(np.argsort(p, kind="stable"), bins):
        rate, n = y[part].mean(), len(part)
        total += n / len(p) * ((p[part].mean() - rate) ** 2 - rate * (1 - rate) / (n - 1))
    return float(np.sqrt(max(0.0, total)))


def pooled_calibration_error(ratios: ArrayLike, labels: ArrayLike) -> float:
    """Return the calibration error of the probability that an item of this pool is synthetic.

    Parameters
    ----------
    ratios : array, (N,)
        Logarithms of likelihood ratios: an item's odds are its ratio times the pool's own odds.
    labels : array, (N,)
        1 = synthetic; two at least.

    >>> pooled_calibration_error([0.0] * 80, [1, 0, 0, 0] * 20)  # no evidence, and a quarter is synthetic
    0.0
    """
    r, y = np.asarray(ratios, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    n = np.bincount(y, minlength=2) + 0.5
    bins = min(BINS, len(r) // 2)  # a resample of few large clusters can be small
    return calibration_error(1 / (1 + np.exp(-r) * n[0] / n[1]), y, bins=bins)
