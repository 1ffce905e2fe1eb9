"""How much alike the pictures of one prompt are, beside pictures of different prompts.

The descriptor is the colour layout of `guardrails.kit.pictures.features`, on a grid of 4 × 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...core.results import Baseline
from ...core.statistics import Interval
from ...kit.pictures.features import GRID, image_features

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEAST_PROMPTS = 5
SHUFFLES = 200
RESOLUTION = 0.01
DIGITS = 3


class Alike(NamedTuple):
    """1 less the ratio of squared distances within prompts and across them; and the same for shuffled prompts."""

    interval: Interval
    shuffled: Baseline


def layouts(pictures: Sequence[Any]) -> list[list[float]]:
    """Return 48 numbers for each picture: light, red–green and yellow–blue in 4 × 4 cells."""
    cells = image_features(pictures).reshape(-1, GRID // 2, 2, GRID // 2, 2, 3).mean(axis=(2, 4))
    rounded: list[list[float]] = np.round(cells.reshape(len(cells), -1), DIGITS).tolist()
    return rounded


def alike(layout: Floats, prompts: Sequence[Any], *, confidence: float, seed: int) -> Alike | None:
    """Return how much alike the pictures of one prompt are; None for fewer than five prompts of two pictures.

    Parameters
    ----------
    layout : ndarray of float64
        (N, D).
    prompts : sequence
        (N,), of each picture.
    confidence : float
        Of the jackknife interval over prompts, with t quantiles.
    seed : int
        Of the shuffles.
    """
    from scipy.special import stdtrit

    _, codes = np.unique(np.asarray(prompts), return_inverse=True)
    sizes = np.bincount(codes)
    chosen = (sizes >= 2)[codes]
    layout, codes = layout[chosen], np.unique(codes[chosen], return_inverse=True)[1]
    g = int(codes.max()) + 1 if len(codes) else 0
    if g < LEAST_PROMPTS:
        return None
    within, across = _distances(layout, codes)
    if across.sum() <= 0:
        return None
    value = _index(within, across)
    left = np.array([_index(np.delete(within, i), np.delete(np.delete(across, i, 0), i, 1)) for i in range(g)])
    error = math.sqrt((g - 1) / g * float(((left - left.mean()) ** 2).sum()))
    half = max(RESOLUTION, float(stdtrit(g - 1, (1 + confidence) / 2)) * error)
    rng = np.random.default_rng(seed)
    dealt = np.sort([_index(*_distances(layout, rng.permutation(codes))) for _ in range(SHUFFLES)])
    null = Baseline(
        what="the same where prompts are dealt to the pictures at random: mean, and 95% of such values",
        value=float(dealt.mean()),
        low=float(dealt[math.floor(0.025 * SHUFFLES)]),
        high=float(dealt[math.ceil(0.975 * SHUFFLES) - 1]),
    )
    return Alike(Interval(value, value - half, min(1.0, value + half)), null)


def _distances(layout: Floats, codes: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Return the mean squared distance within each prompt, (G,), and between each two, (G, G), 0 on the diagonal."""
    sizes = np.bincount(codes).astype(np.float64)
    sums = np.zeros((len(sizes), layout.shape[1]))
    np.add.at(sums, codes, layout)
    squares = np.bincount(codes, (layout**2).sum(axis=1)) / sizes
    means = sums / sizes[:, None]
    within = np.maximum(0, 2 * sizes / (sizes - 1) * (squares - (means**2).sum(axis=1)))
    across = np.maximum(0, squares[:, None] + squares[None, :] - 2 * means @ means.T)
    np.fill_diagonal(across, 0)
    return within, across


def _index(within: Floats, across: Floats) -> float:
    g = len(within)
    mean = across.sum() / (g * (g - 1))
    return 1.0 - float(within.mean() / mean) if mean > 0 else 0.0
