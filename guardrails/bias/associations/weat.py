"""The word-embedding association test: effect size and permutation p-value.

Two sets of target words X and Y of one size, and two sets of attribute words A and B. With cosine similarity::

    s(w) = mean over a in A of cos(w, a)  −  mean over b in B of cos(w, b)
    d    = (mean over x in X of s(x)  −  mean over y in Y of s(y)) / standard deviation of s over X ∪ Y   (n − 1)
    p    = share of the partitions of X ∪ Y into halves whose Σ_X s − Σ_Y s is at least the observed one

The sentence test (SEAT) is the same with sentences in place of words.

References
----------
A. Caliskan, J. Bryson, A. Narayanan, "Semantics derived automatically from language corpora contain human-like biases",
Science 356 (2017) 183–186. C. May et al., "On Measuring Social Biases in Sentence Encoders", NAACL 2019.
"""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RESAMPLES = 10_000
EXACT = 200_000
"""Partitions that are enumerated; above, they are drawn."""
CHUNK = 4096


class Association(NamedTuple):
    """The outcome of one test.

    Attributes
    ----------
    effect, low, high : float
        d with its interval, all in [−2, 2].
    pvalue : float
        Two-sided: of |Σ_X s − Σ_Y s|.
    pvalue_greater : float
        One-sided, as published.
    exact : bool
        Whether all partitions were enumerated.
    """

    effect: float
    low: float
    high: float
    pvalue: float
    pvalue_greater: float
    exact: bool


def associations(words: Floats, a: Floats, b: Floats) -> Floats:
    """Return s of each word, (N,).

    Parameters
    ----------
    words, a, b : ndarray of float, shapes (N, D), (K, D), (L, D)
        Vectors; none is 0.

    Raises
    ------
    ValueError
        For a vector that is 0 or not finite: it has no direction.
    """
    words, a, b = (_unit(vectors) for vectors in (words, a, b))
    s: Floats = (words @ a.T).mean(axis=1) - (words @ b.T).mean(axis=1)
    return s


def _unit(vectors: Floats) -> Floats:
    vectors = np.asarray(vectors, dtype=np.float64)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(length).all() or (length == 0).any():
        raise ValueError("a vector is 0 or not finite, and has no direction")
    unit: Floats = vectors / length
    return unit


def effect_size(x: Floats, y: Floats) -> float:
    """Return d of associations of X and Y; 0 where all are alike."""
    spread = float(np.std(np.concatenate([x, y]), ddof=1))
    difference = float(x.mean() - y.mean())
    return difference / spread if spread > 1e-12 else 0.0


def association_test(x: Floats, y: Floats, *, confidence: float = 0.95, seed: int = 0) -> Association:
    """Return effect size, interval and p-values of associations of X and Y.

    Parameters
    ----------
    x, y : ndarray of float, shape (N,)
        As `associations` returns them, at least 2 each and equally many.
    confidence : float
        Of the interval.
    seed : int
        Of drawn partitions.

    Raises
    ------
    ValueError
        Where they differ in number, or there are fewer than two of each.
    """
    if len(x) != len(y) or len(x) < 2:
        raise ValueError(f"two sets of one size are needed, of 2 words at least: got {len(x)} and {len(y)}")
    rng = np.random.default_rng(seed)
    pool = np.concatenate([x, y])
    observed = float(x.sum() - y.sum())
    slack = 1e-12 * float(np.abs(pool).sum())
    partitions = comb(len(pool), len(x))
    exact = partitions <= EXACT
    sums = _all_halves(pool, len(x)) if exact else _drawn_halves(pool, len(x), rng)
    differences = 2 * sums - pool.sum()
    two = int((np.abs(differences) >= abs(observed) - slack).sum())
    one = int((differences >= observed - slack).sum())
    drawn = len(differences)
    p, greater = (k / drawn if exact else (1 + k) / (1 + drawn) for k in (two, one))
    low, high = _interval(x, y, confidence)
    value = effect_size(x, y)
    return Association(value, min(low, value), max(high, value), p, greater, exact)


def _all_halves(pool: Floats, n: int) -> Floats:
    chosen = np.array(list(combinations(range(len(pool)), n)), dtype=np.intp)
    sums: Floats = np.concatenate([pool[part].sum(axis=1) for part in np.array_split(chosen, 1 + len(chosen) // CHUNK)])
    return sums


def _drawn_halves(pool: Floats, n: int, rng: np.random.Generator) -> Floats:
    parts = []
    for start in range(0, RESAMPLES, CHUNK):
        size = min(CHUNK, RESAMPLES - start)
        parts.append(rng.permuted(np.broadcast_to(pool, (size, len(pool))), axis=1)[:, :n].sum(axis=1))
    return np.concatenate(parts)


def _interval(x: Floats, y: Floats, confidence: float) -> tuple[float, float]:
    """Return bounds of d for these attributes; the words of X and Y are taken for samples of larger sets.

    The difference in units of the deviation within X and Y, δ, has nearly constant variance 1/(4n) as asinh(δ/√8) [L.
    V. Hedges, I. Olkin, Statistical Methods for Meta-Analysis, 1985, ch. 5]. With the deviation of both sets together
    it becomes δ / √(1 + δ²/4), which lies in [−2, 2].
    """
    from scipy.special import stdtrit

    n = len(x)
    pooled = float(np.sqrt((x.var(ddof=1) + y.var(ddof=1)) / 2))
    if pooled < 1e-12:
        return -2.0, 2.0
    delta = float(x.mean() - y.mean()) / pooled * (1 - 3 / (8 * n - 9))
    half = float(stdtrit(2 * n - 2, (1 + confidence) / 2)) / (2 * n**0.5)
    within = [8**0.5 * float(np.sinh(np.arcsinh(delta / 8**0.5) + step)) for step in (-half, half)]
    low, high = (d / (1 + d * d / 4) ** 0.5 for d in within)
    return low, high
