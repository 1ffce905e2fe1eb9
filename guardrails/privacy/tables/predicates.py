"""Predicates that single out one row: "older than 88", "fewer than 3 hours, in Hawaii, and never married".

After Giomi et al. 2023 (arXiv 2211.10459), algorithms 1 and 2, and A. Cohen, K. Nissim, "Towards Formalizing the GDPR's
Notion of Singling Out", PNAS 117 (2020), arXiv 1904.06009.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .arrays import Rows
from .risk import Rate

if TYPE_CHECKING:
    from numpy.typing import NDArray

ATTRIBUTES = 4
"""Of a multivariate predicate: as many as in the examples of Anonymeter; three hold for far fewer different people."""
TRIES = 100
"""Combinations tried for each predicate that is wanted, at most."""
COMPARISONS = 300_000_000
"""Rows looked at in that search, at most: some seconds."""
CELLS = 1 << 18
"""Those of them looked at at once."""


class Clause(NamedTuple):
    """One column against a value; ``is`` holds for two missing values too."""

    column: int
    how: str  # "<=", ">=" or "is", or "not", which only random predicates use
    value: float


Predicate = tuple[Clause, ...]


def holds(predicate: Predicate, rows: Rows) -> NDArray[np.bool_]:
    """Return for which rows a predicate holds, (n,)."""
    out = np.ones(len(rows), np.bool_)
    for column, how, value in predicate:
        values = rows.column(column)
        if how == "<=":
            out &= values <= value
        elif how == ">=":
            out &= values >= value
        else:
            same = np.isnan(values) if np.isnan(value) else values == value
            out &= same if how == "is" else ~same
    return out


def count(predicates: Sequence[Predicate], rows: Rows) -> list[int]:
    """Return how many rows each predicate holds for."""
    return [int(holds(p, rows).sum()) for p in predicates]


def singled_out(predicates: Sequence[Predicate], rows: Rows) -> list[tuple[int, list[int]]]:
    """Return, per predicate, how many rows it holds for, and the places of these where they are one or two."""
    places = [np.flatnonzero(holds(p, rows)) for p in predicates]
    return [(len(indices), indices.tolist() if len(indices) <= 2 else []) for indices in places]


def univariate(rows: Rows, n: int, rng: np.random.Generator) -> list[Predicate]:
    """Return at most n predicates of one column that hold for one row: extremes, and values that occur once."""
    predicates: list[Predicate] = []
    for j in range(_width(rows)):
        values = rows.column(j)
        distinct, times = np.unique(values, return_counts=True)  # NaN counts as one value
        predicates += [(Clause(j, "is", float(v)),) for v in distinct[times == 1]]
        if j < rows.numbers.shape[1]:
            real = distinct[~np.isnan(distinct)]
            times = times[~np.isnan(distinct)]
            predicates += [
                (Clause(j, how, float(real[place])),)
                for how, place in (("<=", 0), (">=", -1))
                if len(real) and times[place] == 1
            ]
    return [predicates[i] for i in rng.permutation(len(predicates))[:n]]


def multivariate(rows: Rows, n: int, rng: np.random.Generator) -> list[Predicate]:
    """Return at most n predicates of four columns, each made from a row and holding for no other.

    A category must be the row's, a number as far out from the median as the row's or farther. With fewer columns all
    of them are used. The search ends after `TRIES` × n combinations or `COMPARISONS` rows.
    """
    width, p = _width(rows), rows.numbers.shape[1]
    # On ranks every clause is an interval; missing values are at −1, below all others.
    values = np.concatenate([rows.numbers, rows.codes.astype(np.float64)], axis=1).T
    ranks = np.stack([_ranks(rows.column(j)) for j in range(width)])
    middle = np.array([np.nanmedian(rows.numbers[:, j]) if j < p else 0 for j in range(width)])
    left = min(TRIES * n, COMPARISONS // len(rows))
    predicates: dict[Predicate, None] = {}
    while left > 0 and len(predicates) < n:
        step = min(left, max(1, CELLS // len(rows)))
        left -= step
        row = rng.integers(len(rows), size=step)
        columns = np.sort(rng.random((step, width)).argsort(axis=1)[:, :ATTRIBUTES], axis=1)
        value = values[columns, row[:, None]]
        rank = ranks[columns, row[:, None]]
        ordered = (columns < p) & (rank >= 0)
        high = ordered & (value > middle[columns])
        low, top = np.where(ordered & ~high, 0, rank), np.where(high, len(rows), rank)
        holds = np.ones((step, len(rows)), np.bool_)
        for k in range(columns.shape[1]):
            there = ranks[columns[:, k]]
            holds &= (there >= low[:, k, None]) & (there <= top[:, k, None])
        for i in np.flatnonzero(np.count_nonzero(holds, axis=1) == 1):
            how = np.where(high[i], ">=", np.where(ordered[i], "<=", "is"))
            clauses = zip(columns[i].tolist(), how.tolist(), value[i].tolist(), strict=True)
            predicates[tuple(Clause(*clause) for clause in clauses)] = None
    return list(predicates)[:n]


def _ranks(values: NDArray[np.generic]) -> NDArray[np.int32]:
    """Return the dense ranks of values, −1 where missing: NaN, or code −1 of a category."""
    missing = np.isnan(values) if values.dtype.kind == "f" else values == -1
    out = np.full(len(values), -1, np.int32)
    out[~missing] = np.unique(values[~missing], return_inverse=True)[1]
    return out


def random(rows: Rows, n: int, attributes: int, rng: np.random.Generator) -> list[Predicate]:
    """Return n predicates of random columns, comparisons and values of the table: the naive attack."""
    p = rows.numbers.shape[1]
    values = [np.unique(rows.column(j)) for j in range(_width(rows))]
    out = []
    for _ in range(n):
        clauses = []
        for j in sorted(rng.choice(len(values), size=min(attributes, len(values)), replace=False).tolist()):
            value = float(rng.choice(values[j]))
            ways = ("is", "not", "<=", ">=") if j < p and not np.isnan(value) else ("is", "not")
            clauses.append(Clause(j, ways[int(rng.integers(len(ways)))], value))
        out.append(tuple(clauses))
    return out


def _width(rows: Rows) -> int:
    return int(rows.numbers.shape[1] + rows.codes.shape[1])


def control_rate(corpus: Sequence[int], holdout: Sequence[int], sizes: tuple[int, int]) -> Rate:
    """Return the rate at which predicates would single out in a holdout as large as the corpus.

    A predicate that holds for a share w of all people singles out among n of them with probability n w (1 − w)^(n − 1),
    so that tables of different sizes cannot be compared as they are.

    - A larger holdout is thinned: the mean over all of its choices of as many rows as the corpus has, exactly.
    - With a smaller one the corpus is thinned instead. Where nothing leaks, its rate T at the holdout's size estimates
      what the holdout's rate C does, and C − T, scaled by the ratio r of the sizes, is added to the rate of the whole
      corpus. The sum is kept between C and r C, which bound it for rare predicates.

    Giomi et al. fit a curve over subsamples, which few successes do not determine; in their implementation (Anonymeter
    1.1.0) what is fitted is the number of predicates, the same for each size, and nothing is corrected.

    Parameters
    ----------
    corpus, holdout : sequence of int
        For how many rows of each table each predicate holds.
    sizes : tuple of int
        How many rows they have.

    Examples
    --------
    >>> control_rate([1, 1, 1, 0], [1, 1, 0, 2], (10, 10))
    Rate(share=0.5, n=4)
    >>> round(control_rate([1, 1, 1, 0], [1, 1, 0, 2], (5, 10)).share, 3)
    0.389
    >>> control_rate([1, 1, 1, 1], [1, 0, 0, 0], (20, 10))
    Rate(share=0.5, n=1.3333333333333333)
    """
    n, (large, small) = len(corpus), sizes
    if small >= large:
        return Rate(min(1.0, float(_thinned(holdout, small, large).mean())), n)
    ratio = large / small
    mine, there = (np.array(counts) == 1 for counts in (corpus, holdout))
    each = mine + ratio * (there - _thinned(corpus, large, small))
    share = float(min(1.0, max(there.mean(), min(each.mean(), ratio * there.mean()))))
    # Worth as many attempts as would give the variance among predicates, or that of the bounds.
    variance = max(float(each.var()), ratio * share * (1 - share))
    # At 0 and 1, where neither varies, the bound's: its limit there.
    return Rate(share, n * share * (1 - share) / variance if 0 < share < 1 else n / ratio)


def _thinned(counts: Sequence[int], size: int, wanted: int) -> NDArray[np.float64]:
    """Return, per predicate, the chance of one hit among `wanted` rows drawn from `size`: hypergeometric."""
    every = np.array(counts)
    if wanted == size:
        return np.asarray(every == 1, dtype=np.float64)
    from scipy.special import gammaln

    def log_choose(n: NDArray[np.float64], k: float) -> NDArray[np.float64]:
        return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))

    out = np.zeros(len(every))
    possible = (every >= 1) & (every <= size - wanted + 1)
    hit = every[possible].astype(float)
    log_all = log_choose(np.array([float(size)]), wanted)
    out[possible] = np.exp(np.log(hit) + log_choose(size - hit, wanted - 1) - log_all)
    return out
