"""Precision, recall, density and coverage, and how far they would move with other samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

K = 5
GROUPS = 20


class Prdc(NamedTuple):
    """The four numbers of generated against real items."""

    precision: float
    """Share of the generated that lie within a real item's neighbourhood (Kynkäänniemi et al. 2019)."""
    recall: float
    """Share of the real that lie within a generated item's neighbourhood."""
    density: float
    """Mean number of real neighbourhoods around a generated item, over k (Naeem et al. 2020)."""
    coverage: float
    """Share of the real whose neighbourhood holds a generated item."""


def pairwise(a: Array, b: Array) -> Array:
    """Euclidean distances, (len(a), len(b))."""
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    out: Array = np.sqrt(np.clip(squared, 0, None))
    return out


def radii(within: Array, k: int = K) -> Array:
    """Return each item's distance to its k-th nearest other, from the square of distances among them, (N,)."""
    others = within.copy()
    np.fill_diagonal(others, np.inf)
    out: Array = np.partition(others, k - 1, axis=1)[:, k - 1]
    return out


def prdc(real: Array, fake: Array, between: Array, k: int = K) -> Prdc:
    """Compute the four numbers from distances.

    Parameters
    ----------
    real : (M, M)
        Distances among the real items.
    fake : (N, N)
        Distances among the generated ones.
    between : (M, N)
        Distances from real to generated.
    k : int
        Which neighbour bounds a neighbourhood; smaller than M and N.
    """
    in_real = between <= radii(real, k)[:, None]
    in_fake = between <= radii(fake, k)[None]
    return Prdc(
        precision=float(in_real.any(axis=0).mean()),
        recall=float(in_fake.any(axis=1).mean()),
        density=float(in_real.sum(axis=0).mean() / k),
        coverage=float(in_real.any(axis=1).mean()),
    )


def spread(within: Array) -> float:
    """Return the mean distance of an item to its nearest other: small where items resemble each other."""
    return float(radii(within, 1).mean())


def group_jackknife(
    statistic: Callable[[NDArray[np.intp]], Mapping[str, float]], n: int
) -> dict[str, tuple[float, float]]:
    """Return (value, standard error) of statistics, leaving out one of `GROUPS` blocks of consecutive items at a time.

    Items that were made together leave together, so that a likeness within a batch widens the error as it should.

    Parameters
    ----------
    statistic : callable
        Places of the items that stay → named numbers.
    n : int
        How many items there are, at least `GROUPS`.
    """
    whole = statistic(np.arange(n))
    block = np.arange(n) * GROUPS // n
    without = [statistic(np.flatnonzero(block != g)) for g in range(GROUPS)]
    out = {}
    for name, value in whole.items():
        left = np.array([w[name] for w in without])
        out[name] = value, float(np.sqrt((GROUPS - 1) / GROUPS * ((left - left.mean()) ** 2).sum()))
    return out
