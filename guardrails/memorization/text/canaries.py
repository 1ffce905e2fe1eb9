"""Canaries, the secret in each, and how far a model prefers a secret that it has read to secrets that it has not.

A secret is a number of at least four digits, with or without single blanks, hyphens or points between them. Its form
is the number with every digit taken for 0: ``555-0187`` and ``555-0112`` are of one form.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...core.statistics import Interval, cluster_bootstrap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SECRET = re.compile(r"[0-9](?:[ .-]?[0-9]){3,}")
PIECE = 4096
"""Characters of a document that are searched for a secret."""
BEFORE = 120
"""Characters that a model is shown before the secret."""
STEEPEST = 0.99
"""Skewness at which the skew-normal law is cut off, as a share of what that law can have."""
REACH, STEPS = 12.0, 4000
"""The integral of the density goes so many standard deviations down, in so many steps."""


class Secret(NamedTuple):
    """A number in a document: what precedes it, and the number."""

    before: str
    text: str

    @property
    def form(self) -> str:
        """The number with every digit taken for 0."""
        return re.sub("[0-9]", "0", self.text)

    @property
    def bits(self) -> float:
        """log₂ of how many numbers of this form there are."""
        return self.form.count("0") * float(np.log2(10))


def secret(document: str) -> Secret | None:
    """Return the number with the most digits, the first of several; None without one that words precede.

    >>> secret("The code of 2019 is 40-17-22.")
    Secret(before='The code of 2019 is ', text='40-17-22')
    >>> secret("1234 is the code") is None
    True
    """
    matches = [m for m in SECRET.finditer(document[:PIECE]) if document[: m.start()].strip()]
    if not matches:
        return None
    best = max(matches, key=lambda m: sum(c.isdigit() for c in m[0]))
    start = max(0, best.start() - BEFORE)
    before = document[start : best.start()]
    if start and (rest := before.split(" ", 1)[-1]).strip():
        before = rest  # from a whole word on
    return Secret(before, best[0])


def rank(score: float, others: Sequence[float]) -> float:
    """Return the rank of a score among others, 1 for the largest; a tie counts half.

    >>> rank(3, [1, 2]), rank(1, [2, 3]), rank(1, [1, 1])
    (1.0, 3.0, 2.0)
    """
    values = np.asarray(others, dtype=np.float64)
    return 1.0 + float((values > score).sum()) + float((values == score).sum()) / 2


def extrapolated(score: float, others: Sequence[float], *, most: float) -> float:
    """Return the exposure −log₂ F(x) under a skew-normal law F of the unseen references' log-perplexities.

    Carlini et al. 2019 (arXiv 1802.08232, section 4): exposure ≈ −log₂ ∫ρ(t)dt up to the canary's own log-perplexity,
    ρ the skew-normal density fitted to a sample of the references. It is fitted by its first three moments; a
    skewness beyond what the law can have (|γ| < .9953) is cut off.

    Parameters
    ----------
    score : float
        Log-probability of the canary.
    others : sequence of float
        Those of the references, at least three.
    most : float
        log₂ |R|: no exposure exceeds it.

    Returns
    -------
    float
        Bits, in [0, most]; where all references are equal: 0 for a canary no more probable, 1 for an equal one.
    """
    x = -np.asarray(others, dtype=np.float64)
    spread = float(x.std())
    # Scores that differ by rounding alone are equal.
    if spread <= 1e-9 * max(1.0, float(np.abs(x).max())):
        gap = float(x.mean()) + score
        near = abs(gap) <= 1e-9 * max(1.0, abs(score))
        return min(most, 1.0) if near else most if gap > 0 else 0.0
    skew = float(((x - x.mean()) ** 3).mean()) / spread**3
    # Azzalini 1985: γ = (4 − π)/2 · m³/(1 − m²)^{3/2} with m = δ√(2/π); solved for δ.
    limit = (4 - np.pi) / 2 * (2 / np.pi) ** 1.5 / (1 - 2 / np.pi) ** 1.5 * STEEPEST
    ratio = np.cbrt(2 * np.clip(skew, -limit, limit) / (4 - np.pi))
    m = ratio / np.sqrt(1 + ratio**2)
    delta = m * np.sqrt(np.pi / 2)
    scale = spread / np.sqrt(1 - m**2)
    place = float(x.mean()) - scale * m
    alpha = float(delta / np.sqrt(1 - delta**2))
    log2_f = log_skew_normal((-score - place) / scale, alpha) / np.log(2)
    return float(np.clip(-log2_f, 0.0, most))


def log_skew_normal(z: float, alpha: float) -> float:
    """Return log F(z) of the skew-normal law with density 2 φ(t) Φ(αt), far into its tail.

    >>> round(float(np.exp(log_skew_normal(0.0, 0.0))), 6), round(float(np.exp(log_skew_normal(50.0, 2.0))), 6)
    (0.5, 1.0)
    """
    from scipy.special import log_ndtr, logsumexp

    top = min(z, REACH)
    t = np.linspace(top - REACH * 2, top, STEPS + 1)
    log_density = np.log(2) - t**2 / 2 - np.log(2 * np.pi) / 2 + log_ndtr(alpha * t)
    # Simpson's rule.
    weights = np.full(STEPS + 1, 2.0)
    weights[1::2] = 4.0
    weights[[0, -1]] = 1.0
    weights *= (t[1] - t[0]) / 3
    return min(0.0, float(logsumexp(log_density, b=weights)))


def mean_bits(bits: Sequence[float], most: float, *, confidence: float, seed: int) -> Interval:
    """Return the mean of exposures in [0, most] with a bootstrap interval; at least two of them."""
    share = cluster_bootstrap(np.asarray(bits) / most, range(len(bits)), confidence=confidence, seed=seed)
    return Interval(*(float(x) * most for x in share))
