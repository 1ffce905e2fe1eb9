"""Attacks on a classifier that compare it with reference models: LiRA and RMIA, and the loss attack for comparison.

An item is a row x with its label y, and p the probability that a model gives to y. All scores are larger for members.

.. [1] N. Carlini, S. Chien, M. Nasr, S. Song, A. Terzis, F. Tramèr, "Membership Inference Attacks From First
   Principles", IEEE S&P 2022, arXiv 2112.03570.
.. [2] S. Zarifzadeh, P. Liu, R. Shokri, "Low-Cost High-Power Membership Inference Attacks", ICML 2024,
   arXiv 2312.03262.
.. [3] S. Yeom, I. Giacomelli, M. Fredrikson, S. Jha, "Privacy Risk in Machine Learning: Analyzing the Connection to
   Overfitting", CSF 2018, arXiv 1709.01604.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

CLIP = 1e-7
"""Probabilities are cut to this … one minus this: what single precision tells from 0 and 1."""
OWN_VARIANCE = 32
"""Reference models with an item, and without it, from which on its variance is its own (64 models in all [1]_)."""
SMALLEST_SPREAD = 1e-6
"""Of φ: where all models say the same, the normal law stays one."""
IN, OUT = 1, 0


def clipped(p: ArrayLike) -> Floats:
    """Return probabilities, cut to `CLIP` … 1 − `CLIP`."""
    return np.clip(np.asarray(p, dtype=np.float64), CLIP, 1 - CLIP)


def logit(p: ArrayLike) -> Floats:
    """Return φ = log p/(1 − p) of clipped probabilities: near to normal over models trained alike [1]_.

    >>> logit([0.5, 0.0, 1.0]).round(1).tolist()
    [0.0, -16.1, 16.1]
    """
    cut = clipped(p)
    phi: Floats = np.log(cut) - np.log1p(-cut)
    return phi


class ReferenceMoments:
    """What reference models say of N items: means and variances with and without each item in the training data.

    Models are added one at a time (Welford's recurrence), so that memory does not grow with their number.

    Attributes
    ----------
    count : ndarray, (2, N)
        Models trained without (row 0) and with (row 1) each item; so for the others.
    phi, probability : ndarray, (2, N)
        Mean of φ and of p.
    squares : ndarray, (2, N)
        Sum of squared deviations of φ from its mean.
    """

    def __init__(self, items: int) -> None:
        self.count = np.zeros((2, items), dtype=np.int64)
        self.phi, self.probability, self.squares = (np.zeros((2, items)) for _ in range(3))

    def add(self, probability: ArrayLike, trained: ArrayLike) -> None:
        """Add a model: its p of each item, (N,), and which of the items it was trained on, (N,) bool."""
        p, phi = clipped(probability), logit(probability)
        side, items = np.asarray(trained, dtype=bool).astype(int), np.arange(len(p))
        at = side, items
        self.count[at] += 1
        step = phi - self.phi[at]
        self.phi[at] += step / self.count[at]
        self.squares[at] += step * (phi - self.phi[at])
        self.probability[at] += (p - self.probability[at]) / self.count[at]

    def of(self, places: ArrayLike) -> ReferenceMoments:
        """Return the moments of some of the items."""
        chosen = np.asarray(places, dtype=np.intp)
        out = ReferenceMoments(0)
        for name in ("count", "phi", "squares", "probability"):
            setattr(out, name, getattr(self, name)[:, chosen])
        return out

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Whether an item has a model trained with it and one without it, (N,)."""
        both: NDArray[np.bool_] = self.count.min(axis=0) > 0
        return both

    def spread(self, side: int) -> Floats:
        """Return σ of φ, (N,): with enough models each item's own, else one for all, pooled within items."""
        count, squares = self.count[side], self.squares[side]
        freedom = np.maximum(count - 1, 0)
        if count.size and count.min() >= OWN_VARIANCE:
            variance = squares / freedom
        else:
            variance = np.full(count.shape, squares.sum() / max(1, freedom.sum()))
        sigma: Floats = np.maximum(np.sqrt(variance), SMALLEST_SPREAD)
        return sigma


def loss(probability: ArrayLike) -> Floats:
    """Return log p: minus the cross-entropy [3]_."""
    log_p: Floats = np.log(clipped(probability))
    return log_p


def lira(probability: ArrayLike, references: ReferenceMoments) -> Floats:
    """Return log N(φ; μ_in, σ_in²) − log N(φ; μ_out, σ_out²), (N,): algorithm 1 of [1]_, online.

    Parameters
    ----------
    probability : array_like, (N,)
        The target's p of each item, one query each.
    references : ReferenceMoments
        Of models trained with each item and without it.

    Raises
    ------
    ValueError
        Where an item lacks either.
    """
    _check(references, IN, OUT)
    phi = logit(probability)
    inside, outside = (_log_normal(phi, references.phi[s], references.spread(s)) for s in (IN, OUT))
    return inside - outside


def lira_offline(probability: ArrayLike, references: ReferenceMoments) -> Floats:
    """Return z = (φ − μ_out)/σ_out, (N,): [1]_ ranks by P(N(μ_out, σ_out²) < φ) = Φ(z), offline.

    z stands for Φ(z), which ranks alike as long as it has not reached 1 in floating point. For `lira`'s parameters.
    """
    _check(references, OUT)
    z: Floats = (logit(probability) - references.phi[OUT]) / references.spread(OUT)
    return z


def rmia_ratio(probability: ArrayLike, references: ReferenceMoments) -> Floats:
    """Return p / p̄ with p̄ = ½ (mean p of models with the item + mean p of those without), (N,): online [2]_."""
    _check(references, IN, OUT)
    ratio: Floats = clipped(probability) / references.probability.mean(axis=0)
    return ratio


def rmia_ratio_offline(probability: ArrayLike, references: ReferenceMoments, *, a: float) -> Floats:
    """Return p / p̄ with p̄ = ½ ((1 + a) p_out + 1 − a), (N,): offline [2]_.

    p_in is taken for a p_out + 1 − a: with a = 1 for p_out, with a = 0 for 1, the prior of a model that fits all that
    it was trained on.
    """
    _check(references, OUT)
    if not 0 <= a <= 1:
        raise ValueError(f"a is {a}; it lies between 0 and 1")
    ratio: Floats = clipped(probability) / (((1 + a) * references.probability[OUT] + 1 - a) / 2)
    return ratio


def rmia(ratio: Floats, population: Floats, *, gamma: float = 1.0) -> Floats:
    """Return the share of the population z with (p(x)/p̄(x)) / (p(z)/p̄(z)) > γ, (N,) [2]_ (there ≥: ties differ).

    For one population it never falls with p(x)/p̄(x), whatever γ, so that γ only decides how many items tie: fewest at
    γ = 1, where the ratios lie among those of the population.

    Parameters
    ----------
    ratio : ndarray, (N,)
        p/p̄ of the items: `rmia_ratio` or `rmia_ratio_offline`.
    population : ndarray, (Z,)
        p/p̄ of items that nobody asks about, Z ≥ 1.
    gamma : float
        At least 1 in the paper, and here above 0.
    """
    if not len(population):
        raise ValueError("RMIA needs at least one item of the population")
    if not gamma > 0:
        raise ValueError(f"γ is {gamma}; it lies above 0")
    below: Any = np.searchsorted(np.sort(population) * gamma, ratio, side="left")
    share: Floats = below / len(population)
    return share


def _log_normal(x: Floats, mean: Floats, sigma: Floats) -> Floats:
    """Return log N(x; mean, σ²) without its constant."""
    density: Floats = -np.log(sigma) - ((x - mean) / sigma) ** 2 / 2
    return density


def _check(references: ReferenceMoments, *sides: int) -> None:
    for side in sides:
        if lacking := int((references.count[side] == 0).sum()):
            word = "with" if side == IN else "without"
            raise ValueError(f"{lacking} items have no reference model trained {word} them; train more models")
