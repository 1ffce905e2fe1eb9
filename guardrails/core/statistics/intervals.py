"""Intervals for rates and for the difference of two rates."""

from __future__ import annotations

from math import hypot, sqrt
from typing import NamedTuple

from ._arguments import counts, inside, not_negative


class Interval(NamedTuple):
    """An estimate between its bounds: low ≤ value ≤ high."""

    value: float
    low: float
    high: float


def normal_quantile(confidence: float) -> float:
    """Return z such that a standard normal lies within ±z with this probability.

    >>> round(normal_quantile(0.95), 3)
    1.96
    """
    from scipy.special import ndtri

    return float(ndtri((1 + inside("confidence", confidence)) / 2))


def score_interval(share: float, n: float, *, confidence: float) -> Interval:
    """Return Wilson's interval for a share in [0, 1] whose variance is at most that of a rate in n trials.

    n need not be an integer, so that it can be an effective number of trials.

    >>> score_interval(0.5, 2.5, confidence=0.95).low > 0
    True
    """
    z = normal_quantile(confidence)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # At 0 and 1 the bound is exact; elsewhere rounding may push a bound past the value by one unit in the last place.
    low = 0.0 if share == 0 else min(max(middle - half, 0.0), share)
    high = 1.0 if share == 1 else max(min(middle + half, 1.0), share)
    return Interval(share, low, high)


def wilson(k: int, n: int, *, confidence: float = 0.95) -> Interval:
    """Return Wilson's score interval for a rate: the usual choice for independent trials.

    Its coverage is close to `confidence` on average and may fall a little below it for a given rate; where the
    coverage must never be less, use `clopper_pearson`. At 0/n and n/n its width is not 0.

    Parameters
    ----------
    k : int
        Hits, 0 ≤ k ≤ n.
    n : int
        Independent trials, at least 1.
    confidence : float
        Strictly between 0 and 1.

    Returns
    -------
    Interval
        k/n with bounds in [0, 1].

    Raises
    ------
    ValueError
        Where n < 1, or k is not a count of n.

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
    Statistical Association 22 (1927) 209–212. L. D. Brown, T. T. Cai, A. DasGupta, "Interval estimation for a binomial
    proportion", Statistical Science 16 (2001) 101–133.

    Examples
    --------
    >>> interval = wilson(0, 20)
    >>> interval.low, round(interval.high, 3)
    (0.0, 0.161)
    """
    k, n = counts(k, n)
    return score_interval(k / n, n, confidence=confidence)


def clopper_pearson(k: int, n: int, *, confidence: float = 0.95) -> Interval:
    """Return the exact interval for a rate: its coverage is never below `confidence`, so it is wider than Wilson's.

    Parameters
    ----------
    k : int
        Hits, 0 ≤ k ≤ n.
    n : int
        Independent trials, at least 1.
    confidence : float
        Strictly between 0 and 1.

    Returns
    -------
    Interval
        k/n with bounds in [0, 1].

    Raises
    ------
    ValueError
        Where n < 1, or k is not a count of n.

    References
    ----------
    C. J. Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
    Biometrika 26 (1934) 404–413.

    Examples
    --------
    >>> interval = clopper_pearson(0, 20)
    >>> interval.low, round(interval.high, 3)
    (0.0, 0.168)
    """
    from scipy.special import betaincinv

    k, n = counts(k, n)
    tail = (1 - inside("confidence", confidence)) / 2
    low = 0.0 if k == 0 else float(betaincinv(k, n - k + 1, tail))
    high = 1.0 if k == n else float(betaincinv(k + 1, n - k, 1 - tail))
    return Interval(k / n, min(low, k / n), max(high, k / n))


def newcombe(k1: int, n1: int, k2: int, n2: int, *, confidence: float = 0.95) -> Interval:
    """Return the interval for the difference of two independent rates, k1/n1 − k2/n2 (Newcombe's method 10).

    Parameters
    ----------
    k1, n1 : int
        Hits and trials of the first sample.
    k2, n2 : int
        Hits and trials of the second.
    confidence : float
        Strictly between 0 and 1.

    Returns
    -------
    Interval
        The difference with bounds in [−1, 1]; its width is never 0.

    Raises
    ------
    ValueError
        Where a sample is empty, or a k is not a count of its n.

    References
    ----------
    R. G. Newcombe, "Interval estimation for the difference between independent proportions: comparison of eleven
    methods", Statistics in Medicine 17 (1998) 873–890, method 10.

    Examples
    --------
    >>> [round(x, 4) for x in newcombe(56, 70, 48, 80)]
    [0.2, 0.0524, 0.3339]
    """
    p1, low1, high1 = wilson(k1, n1, confidence=confidence)
    p2, low2, high2 = wilson(k2, n2, confidence=confidence)
    difference = p1 - p2
    low = difference - hypot(p1 - low1, high2 - p2)
    high = difference + hypot(high1 - p1, p2 - low2)
    return Interval(difference, max(low, -1.0), min(high, 1.0))


def paired_difference(b: int, c: int, n: int, *, confidence: float = 0.95) -> Interval:
    """Return Bonett and Price's interval for the difference of two rates over the same items, first − second.

    Parameters
    ----------
    b, c : int
        Items that only the first, and only the second, counts.
    n : int
        Items, at least 1.
    confidence : float
        Strictly between 0 and 1.

    Returns
    -------
    Interval
        With bounds in [−1, 1].

    Raises
    ------
    ValueError
        Where the counts do not fit, or the confidence is not between 0 and 1.

    References
    ----------
    D. G. Bonett, R. M. Price, "Adjusted Wald confidence interval for a difference of binomial proportions based on
    paired data", Journal of Educational and Behavioral Statistics 37 (2012) 479–488.

    Examples
    --------
    >>> [round(x, 3) for x in paired_difference(40, 10, 200)]
    [0.15, 0.082, 0.215]
    """
    b, c = not_negative("b", b), not_negative("c", c)
    counts(b + c, n)
    first, second = (b + 1) / (n + 2), (c + 1) / (n + 2)
    half = normal_quantile(confidence) * sqrt((first + second - (first - second) ** 2) / (n + 2))
    return Interval((b - c) / n, max(first - second - half, -1.0), min(first - second + half, 1.0))


def worst_case(k: int, n: int, errors: int, *, confidence: float = 0.95) -> Interval:
    """Return the interval for a rate of which some items could not be assessed.

    The lower bound is Wilson's with every error taken for a miss, the upper with every error taken for a hit, so that
    the interval holds whatever the errors hide. Without errors it is `wilson`.

    Parameters
    ----------
    k : int
        Hits among the assessed items.
    n : int
        Assessed items, at least 1; errors are not among them.
    errors : int
        Items that could not be assessed.
    confidence : float
        Strictly between 0 and 1.

    Returns
    -------
    Interval
        k/n of the assessed items, with the worst-case bounds.

    Raises
    ------
    ValueError
        Where nothing was assessed, or a number is not a count.

    References
    ----------
    C. F. Manski, "Nonparametric bounds on treatment effects", American Economic Review 80 (1990) 319–323.

    Examples
    --------
    >>> [round(x, 3) for x in worst_case(10, 90, 10)]
    [0.111, 0.055, 0.289]
    """
    k, n = counts(k, n)
    total = n + not_negative("errors", errors)
    low = wilson(k, total, confidence=confidence).low
    high = wilson(k + total - n, total, confidence=confidence).high
    return Interval(k / n, low, high)
