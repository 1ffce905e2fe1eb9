"""The largest and the smallest likelihood ratio that a calibration can support: ELUB (Vergeer et al. 2016).

Empirical lower and upper bounds of likelihood ratios: P. Vergeer, A. van Es, A. de Jongh, I. Alberink & R. Stoel,
"Numerical likelihood ratios outputted by LR systems are often based on extrapolation: When to stop extrapolating?",
Science & Justice 56 (2016) 482-491. One ratio that misleads without limit is added to each class; a prior odds is
within reach where decisions by the ratios still cost less than decisions without them. Ratios beyond the prior odds
that are in reach are extrapolation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def elub(generated: Array, real: Array, *, generated_weights: Array, real_weights: Array) -> tuple[float, float]:
    """Return the bounds (lower, upper) of the natural logarithm of the likelihood ratio.

    Parameters
    ----------
    generated, real : array, (N,) and (M,)
        Logarithms of the ratios of items of either class; finite.
    generated_weights, real_weights : array, (N,) and (M,)
        What each item counts for. They add up to the number of *units* of the class, so that a source of many files
        counts as one: ten sources of real items never support a ratio of more than eleven.

    Returns
    -------
    lower, upper : float
        At most 0 and at least 0; both are 0 where the ratios do no better than none.

    >>> lower, upper = elub(np.full(9, 9.0), np.full(9, -9.0), generated_weights=np.ones(9), real_weights=np.ones(9))
    >>> float(np.exp(lower).round(6)), float(np.exp(upper).round(6))
    (0.111111, 9.0)
    """
    upper = _reach(generated, real, generated_weights, real_weights)
    lower = -_reach(-real, -generated, real_weights, generated_weights)
    return lower, upper


def _reach(right: Array, wrong: Array, right_weights: Array, wrong_weights: Array) -> float:
    """Return the logarithm of the largest t >= 1 up to which decisions at every threshold in [1, t) are worth taking.

    At threshold t, which is the inverse of the prior odds, the cost of deciding by the ratios over that of never
    deciding for the rare class is ``miss(t) + t * false(t)``; both rates hold the one added item. Between two ratios
    of the calibration the rates are constant, so that the crossing of 1 has a formula and no grid is needed.
    """
    n, m = right_weights.sum() + 1, wrong_weights.sum() + 1
    low = 0.0
    for high in [*np.unique(np.concatenate([right, wrong])[np.concatenate([right, wrong]) > 0]), np.inf]:
        hit = right_weights[right >= high].sum() / n if np.isfinite(high) else 0.0
        false = (wrong_weights[wrong >= high].sum() + 1) / m if np.isfinite(high) else 1 / m
        most = float(np.log(hit / false)) if hit > 0 else -np.inf
        if most <= low:
            return low
        if most <= high:
            return most
        low = float(high)
    return low
