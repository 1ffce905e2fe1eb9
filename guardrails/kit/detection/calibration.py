"""From a score to a likelihood ratio within bounds and a verdict that knows when to abstain; sources are the units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, log
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .ratio_bounds import elub

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]
    Labels = NDArray[np.int64]
    Verdict = Literal["synthetic", "nothing found", "abstain"]

ALPHA = 0.05
MOST_LOGIT = 30.0
LEAST_RATIO = 10.0
"""Of the verdict "synthetic": moderate support on the scale of ENFSI's guideline for evaluative reporting (2015); at
even odds one such verdict in eleven is wrong. A rate of false alarms alone says nothing of how many alarms are true."""
BINS = 10
NO_TRACE = "no trace was found: that is no evidence of a camera or a voice"


@dataclass(frozen=True)
class BySource:
    """The scores of a class, in which each source or family counts as one.

    Attributes
    ----------
    scores : array, (N,)
        Sorted.
    sources : array of int, (N,)
        Which source each is of.
    """

    scores: Array
    sources: Labels

    @classmethod
    def of(cls, scores: ArrayLike, sources: Sequence[Any]) -> BySource:
        """Sort scores, (N,), and number their sources."""
        s, codes = np.asarray(scores, dtype=np.float64), np.unique(np.asarray(sources), return_inverse=True)[1]
        order = np.argsort(s, kind="stable")
        return cls(s[order], codes[order].astype(np.int64))

    @cached_property
    def weights(self) -> Array:
        """One over the number of scores of the same source, (N,): they add up to `n`."""
        return np.asarray(1 / np.bincount(self.sources)[self.sources], dtype=np.float64)

    @cached_property
    def n(self) -> int:
        """How many sources there are."""
        return len(np.unique(self.sources))

    @cached_property
    def _below(self) -> Array:
        return np.concatenate([[0.0], np.cumsum(self.weights)])

    def at_least(self, scores: Array) -> Array:
        """Return, summed over sources, the share of a source's scores that are as large or larger."""
        return self._exact(self.n - self._below[np.searchsorted(self.scores, scores, "left")])

    def at_most(self, scores: Array) -> Array:
        """Return, summed over sources, the share of a source's scores that are as small or smaller."""
        return self._exact(self._below[np.searchsorted(self.scores, scores, "right")])

    @staticmethod
    def _exact(shares: Array) -> Array:
        # Thirds do not add up to 1: the least p-value of 19 sources would come out above 1/20, and nothing be judged.
        return np.round(shares, 9)


@dataclass(frozen=True)
class Calibration:
    """Log-likelihood ratio = slope · score + offset within bounds, and the scores of the calibration for p-values.

    Fitted to scores of files that the detector has not seen, of sources that it has not seen.
    """

    slope: float
    offset: float
    real: BySource
    generated: BySource

    @classmethod
    def fit(cls, scores: ArrayLike, labels: Labels, sources: Sequence[Any] | None = None) -> Calibration:
        """Fit Platt's sigmoid with both classes, and in each all sources, weighing the same: odds are a ratio.

        The targets are those of Platt (1999), (n₊ + 1)/(n₊ + 2) and 1/(n₋ + 2) instead of 1 and 0, with the numbers of
        sources for n: they keep separable scores from a sigmoid that is a step.

        Parameters
        ----------
        scores : array_like, (N,)
            Larger for generated; finite.
        labels : array of int, (N,)
            1 = generated, 0 = real; both present.
        sources : sequence, optional
            Source of a real item, family of a generated one. Default: every item is a source.

        Raises
        ------
        ValueError
            Where a class is missing or a score is not finite.
        """
        s, names = np.asarray(scores, dtype=np.float64), np.arange(len(labels)) if sources is None else sources
        sizes = [int((labels == label).sum()) for label in (0, 1)]
        if min(sizes) < 1 or not np.isfinite(s).all():
            raise ValueError(
                f"calibration needs finite scores of both classes, got {sizes[0]} real, {sizes[1]} generated"
            )
        real, generated = (BySource.of(s[labels == y], np.asarray(names)[labels == y]) for y in (0, 1))
        x = np.concatenate([real.scores, generated.scores])
        targets = np.repeat(
            [1 / (real.n + 2), (generated.n + 1) / (generated.n + 2)], [len(real.scores), len(generated.scores)]
        )
        w = np.concatenate([real.weights / real.n, generated.weights / generated.n])
        centre, scale = float(x.mean()), max(float(x.std()), 1e-9)
        slope, offset = _sigmoid((x - centre) / scale, targets, w)
        slope /= scale
        return cls(slope, offset - slope * centre, real, generated)

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest logarithm of a ratio that its sources support: see `ratio_bounds.elub`.

        Both are 0 where it does not tell the classes apart, or tells them the wrong way round.
        """
        if self.slope <= 0:
            return 0.0, 0.0
        real, generated = (self.slope * one.scores + self.offset for one in (self.real, self.generated))
        return elub(generated, real, generated_weights=self.generated.weights, real_weights=self.real.weights)

    def log_ratio(self, scores: ArrayLike) -> Array:
        """Natural logarithm of p(score | generated) / p(score | real), within `bounds`."""
        return np.clip(self.slope * np.asarray(scores, dtype=np.float64) + self.offset, *self.bounds)

    def probability(self, scores: ArrayLike, *, prior: float = 0.5) -> Array:
        """Probability that an item is generated, where a share `prior` of all items is: of the bounded ratio."""
        return 1 / (1 + np.exp(-(self.log_ratio(scores) + log(prior / (1 - prior)))))

    def logit(self, scores: ArrayLike) -> Array:
        """Return slope · score + offset, without bounds: what is likelier than what, and no ratio to rely on."""
        return np.clip(self.slope * np.asarray(scores, dtype=np.float64) + self.offset, -MOST_LOGIT, MOST_LOGIT)

    def rank(self, scores: ArrayLike) -> Array:
        """Return Platt's sigmoid without bounds, in 0–1: it says which of two items is likelier, not how likely."""
        return np.asarray(1 / (1 + np.exp(-self.logit(scores))), dtype=np.float64)

    def p_values(self, scores: ArrayLike) -> tuple[Array, Array]:
        """Return conformal p-values of "it is real" and "it is generated", with sources as the exchangeable units.

        Were the source of a new real file exchangeable with the calibration's, "real" would have a p-value of at most α
        with probability at most α, whatever files of one source have in common (Dunn, Wasserman & Ramdas 2018, arXiv
        1809.07441; Lee, Barber & Willett 2023, arXiv 2306.06342): each source counts by the share of its files that
        score as high. With k sources the smallest p-value is 1/(k + 1).
        """
        s = np.asarray(scores, dtype=np.float64)
        return (self.real.at_least(s) + 1) / (self.real.n + 1), (self.generated.at_most(s) + 1) / (self.generated.n + 1)

    def verdicts(self, scores: ArrayLike, *, alpha: float = ALPHA) -> list[Verdict]:
        """Return the verdict of each score: see `judged`."""
        return [self.judged(float(score), alpha=alpha)[0] for score in np.atleast_1d(np.asarray(scores, np.float64))]

    def judged(self, score: float, *, alpha: float = ALPHA) -> tuple[Verdict, str]:
        """Return the verdict and what it rests on.

        ``synthetic`` where a real item of a new source scores so high with probability `alpha` at most, generated ones
        do score so, and the ratio is at least `LEAST_RATIO`; ``nothing found`` where the score is no likelier of a
        generated item than of a real one; ``abstain`` in between, and always where the sources are too few for `alpha`.
        """
        least = ceil(round(1 / alpha, 9)) - 1
        if self.real.n < least:
            return "abstain", (
                f"its calibration has {self.real.n} source{'s' * (self.real.n != 1)} of real items: for at most"
                f" {alpha:.2g} of false alarms on a new source {least} are needed"
            )
        if self.bounds == (0.0, 0.0):
            return "abstain", "it does not tell the two classes of its calibration apart"
        (p,), (q,) = self.p_values([score])
        ratio = float(np.exp(self.log_ratio([score])[0]))
        if ratio <= 1:
            return "nothing found", NO_TRACE
        chance = f"p = {p:.2g} that a real item of a new source scores so high, {self.real.n} sources"
        if p > alpha or ratio < LEAST_RATIO:
            most = float(np.exp(self.bounds[1]))
            return (
                "abstain",
                f"weak evidence: ratio {ratio:.2g}, of at most {most:.2g} that its sources support; {chance}",
            )
        return ("abstain", f"unlike both classes: {chance}") if q <= alpha else ("synthetic", chance)


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
