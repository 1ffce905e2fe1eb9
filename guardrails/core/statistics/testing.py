"""Exact and permutation tests, and what to do with many of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, islice, product
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._arguments import at_least_one, inside, not_negative, sample, share

_CELLS = 1 << 20
"""Numbers held at once while permuting: 8 MiB."""


def sign_test(wins: int, losses: int) -> float:
    """Return the two-sided p-value of the exact sign test: are wins and losses equally likely?

    Parameters
    ----------
    wins, losses : int
        Pairs that fell to one side and to the other. Ties are left out before.

    Returns
    -------
    float
        In (0, 1]; 1 where there are no pairs.

    Raises
    ------
    ValueError
        For a negative count.

    References
    ----------
    W. J. Dixon, A. M. Mood, "The statistical sign test", Journal of the American Statistical Association 41 (1946)
    557–566.

    Examples
    --------
    >>> sign_test(9, 1)
    0.021484375
    """
    from scipy.special import bdtr

    wins, losses = not_negative("wins", wins), not_negative("losses", losses)
    return min(1.0, 2 * float(bdtr(min(wins, losses), wins + losses, 0.5)))


def mcnemar(b: int, c: int) -> float:
    """Return the two-sided p-value of McNemar's exact test: do two instruments err equally often on the same items?

    Parameters
    ----------
    b, c : int
        Items on which only the first, and only the second, was right. Items on which they agree say nothing.

    Returns
    -------
    float
        In (0, 1]; 1 where they agree on all items.

    Raises
    ------
    ValueError
        For a negative count.

    References
    ----------
    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12 (1947) 153–157; here with the exact binomial distribution in place of χ².

    Examples
    --------
    >>> mcnemar(0, 6)
    0.03125
    """
    return sign_test(not_negative("b", b), not_negative("c", c))


def permutation_test(
    a: ArrayLike, b: ArrayLike, *, paired: bool = False, resamples: int = 9_999, seed: int = 0
) -> float:
    """Return the two-sided p-value for a difference of means, by exchanging labels.

    Where there are no more than `resamples` arrangements all are enumerated and the p-value is exact; otherwise
    they are drawn, the observed one counts among them, and the p-value is never 0.

    Parameters
    ----------
    a, b : array_like, shape (m,) and (n,)
        The two samples.
    paired : bool
        False: labels are exchanged between all items. True: within each pair (a[i], b[i]), m = n.
    resamples : int
        Arrangements looked at, at least 1.
    seed : int
        Of the draw.

    Returns
    -------
    float
        In (0, 1].

    Raises
    ------
    ValueError
        Where a sample is empty or not finite, or pairs do not match.

    References
    ----------
    E. J. G. Pitman, "Significance tests which may be applied to samples from any populations", Supplement to the
    Journal of the Royal Statistical Society 4 (1937) 119–130. B. Phipson, G. K. Smyth, "Permutation p-values should
    never be zero", Statistical Applications in Genetics and Molecular Biology 9 (2010) 39.

    Examples
    --------
    >>> permutation_test([1, 2, 3], [11, 12, 13])
    0.1
    >>> permutation_test([1, 2, 3, 4], [3, 5, 7, 9], paired=True)
    0.125
    """
    resamples = at_least_one("resamples", resamples)
    first, second = sample("a", a), sample("b", b)
    if paired and first.size != second.size:
        raise ValueError(f"pairs need samples of one length, got {first.size} and {second.size}")
    rng = np.random.default_rng(seed)
    if paired:
        items = first - second
        arrangements = 2**items.size
        exact = arrangements <= resamples
        sums = _all_signs(items) if exact else _drawn_signs(items, resamples, rng)
    else:
        # Centred, so that "as far from the middle" means "as large in magnitude".
        pool = np.concatenate([first, second])
        items = pool - pool.mean()
        arrangements = comb(items.size, first.size)
        exact = arrangements <= resamples
        sums = _all_splits(items, first.size) if exact else _drawn_splits(items, first.size, resamples, rng)
    observed = abs(items.sum() if paired else items[: first.size].sum())
    # Sums of the same numbers in another order differ by rounding: those must count as equal.
    slack = 1e-12 * float(np.abs(items).sum())
    extreme = sum(int((np.abs(chunk) >= observed - slack).sum()) for chunk in sums)
    return extreme / arrangements if exact else (1 + extreme) / (1 + resamples)


def _chunks(total: int, width: int) -> Iterator[int]:
    step = max(1, _CELLS // width)
    for start in range(0, total, step):
        yield min(step, total - start)


def _all_splits(items: NDArray[np.float64], m: int) -> Iterator[NDArray[np.float64]]:
    chosen = combinations(range(items.size), m)
    while block := list(islice(chosen, max(1, _CELLS // items.size))):
        yield items[np.array(block)].sum(axis=1)


def _drawn_splits(
    items: NDArray[np.float64], m: int, resamples: int, rng: np.random.Generator
) -> Iterator[NDArray[np.float64]]:
    for size in _chunks(resamples, items.size):
        yield rng.permuted(np.tile(items, (size, 1)), axis=1)[:, :m].sum(axis=1)


def _all_signs(differences: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    signs = product((1.0, -1.0), repeat=differences.size)
    while block := list(islice(signs, max(1, _CELLS // differences.size))):
        yield np.array(block) @ differences


def _drawn_signs(
    differences: NDArray[np.float64], resamples: int, rng: np.random.Generator
) -> Iterator[NDArray[np.float64]]:
    for size in _chunks(resamples, differences.size):
        yield rng.choice((1.0, -1.0), size=(size, differences.size)) @ differences


def holm(pvalues: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values: rejecting those ≤ α keeps the chance of any false rejection at α.

    Parameters
    ----------
    pvalues : sequence of float
        In [0, 1], in any order; may be empty.

    Returns
    -------
    list of float
        In the order given, each at least its raw p-value and at most 1.

    Raises
    ------
    ValueError
        For a value outside [0, 1].

    References
    ----------
    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979)
    65–70.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    raw = [share("each p-value", p) for p in pvalues]
    adjusted = [0.0] * len(raw)
    running = 0.0
    for rank, i in enumerate(sorted(range(len(raw)), key=raw.__getitem__)):
        running = max(running, min(1.0, (len(raw) - rank) * raw[i]))
        adjusted[i] = running
    return adjusted


def simultaneous(confidence: float, m: int) -> float:
    """Return the confidence that each of m intervals needs so that all hold at once with `confidence` (Bonferroni).

    Parameters
    ----------
    confidence : float
        Of all intervals together, strictly between 0 and 1.
    m : int
        Intervals, at least 1.

    Returns
    -------
    float
        1 − (1 − confidence)/m.

    Raises
    ------
    ValueError
        Where m < 1, or the confidence is not between 0 and 1.

    References
    ----------
    O. J. Dunn, "Multiple comparisons among means", Journal of the American Statistical Association 56 (1961) 52–64.

    Examples
    --------
    >>> round(simultaneous(0.95, 5), 3)
    0.99
    """
    return 1 - (1 - inside("confidence", confidence)) / at_least_one("m", m)
