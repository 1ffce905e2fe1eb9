"""The risk of an attack on a synthetic table, over what the same attack does to people it was not trained on.

M. Giomi, F. Boenisch, C. Wehmeyer, B. Tasnádi, "A Unified Framework for Quantifying Privacy Risk in Synthetic Data",
PoPETs 2023, arXiv 2211.10459. For k successes in n attempts, with z the normal quantile of the confidence::

    r = (k + z²/2) / (n + z²),   δ = z / (n + z²) · √(k (n − k) / n + z² / 4)        Wilson's centre and half width
    R = (r_attack − r_control) / (1 − r_control)
    δ_R² = (δ_attack / (1 − r_control))² + (δ_control (r_attack − 1) / (1 − r_control)²)²

R and R ± δ_R are cut to [0, 1], but never to a point: however far below 0 chance puts R, the upper bound is at least
that of a rate without a success in n attempts, z² / (n + z²), and the lower bound leaves as much below 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, sqrt
from typing import TYPE_CHECKING, NamedTuple

from ...core.statistics import Interval
from ...core.statistics.intervals import normal_quantile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Rate(NamedTuple):
    """A share of successes, and the number of independent attempts that it is worth."""

    share: float
    n: float


def rate(hits: int, n: int) -> Rate:
    """Return the rate of n independent attempts."""
    return Rate(hits / n, n)


def mean_rate(shares: NDArray[np.float64]) -> Rate:
    """Return the mean share of success of records that were attacked several times each, (n,) in [0, 1].

    The record is the unit: n is the number of attempts that would give the variance among records, at least as many
    as there are records (a share varies at most as a success does).

    >>> import numpy as np
    >>> mean_rate(np.array([0.0, 1.0, 1.0, 0.0, 1.0])).n
    5.0
    """
    mean, n = float(shares.mean()), len(shares)
    variance = float(shares.var(ddof=1)) / n if n > 1 else 0.0
    worth = mean * (1 - mean) / variance if variance > 0 else n
    return Rate(mean, float(max(n, worth)))


def wilson_centre(rate: Rate, z: float) -> tuple[float, float]:
    """Return Wilson's centre and half width; z = 0 gives the plain share and no width."""
    share, n = rate
    centre = (share * n + z * z / 2) / (n + z * z)
    return centre, z / (n + z * z) * sqrt(n * share * (1 - share) + z * z / 4)


def risk(attack: Rate, control: Rate, *, confidence: float = 0.95) -> Interval:
    """Return the risk R with its interval.

    The interval is wide where the control is nearly always hit: there is then little room for an excess.

    >>> [round(x, 3) for x in risk(rate(60, 100), rate(20, 100))]
    [0.488, 0.359, 0.618]
    """
    z = normal_quantile(confidence)
    (a, da), (c, dc) = wilson_centre(attack, z), wilson_centre(control, z)
    value, width = (a - c) / (1 - c), hypot(da / (1 - c), dc * (a - 1) / (1 - c) ** 2)
    low, value, high = (min(max(x, 0.0), 1.0) for x in (value - width, value, value + width))
    least = z * z / (min(attack.n, control.n) + z * z)
    return Interval(value, min(low, 1 - least), max(high, least))


def largest(risks: Sequence[Interval]) -> Interval:
    """Return the largest of several risks; its interval holds where all of theirs do."""
    return Interval(*(max(r[i] for r in risks) for i in range(3)))


def smallest_risk(n: float, control: Rate) -> float | None:
    """Return the smallest risk that n attempts would tell from none four times in five, beside this control.

    It lies 2.80 = 1.96 + 0.84 standard errors above 0: 1.43 half widths of its 95% interval.

    >>> smallest_risk(400, rate(4, 400)) < smallest_risk(100, rate(1, 100))
    True
    """
    for percent in range(1, 101):
        share = control.share + percent / 100 * (1 - control.share)
        value, low, _ = risk(Rate(share, n), control)
        if low > 0 and value >= 2.80 / 1.96 * (value - low):
            return percent / 100
    return None


def weak(attack: float, naive: float) -> str:
    """Return what to say where the attack is no better than a guess."""
    if attack > naive:
        return ""
    return " The attack is no better than a guess: it is too weak here to show that nothing leaks."
