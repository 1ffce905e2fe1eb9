"""What a number of trials can show: planned before, from the exact binomial distribution."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

from ._arguments import at_least_one, inside, share

_MOST = 10_000_000
"""No audit draws more samples than this."""


def _tail(k: int, n: int, rate: float) -> float:
    """Return P(at least k hits in n trials)."""
    from scipy.special import betainc

    return 1.0 if k <= 0 else 0.0 if k > n else float(betainc(k, n - k + 1, rate))


def _first(holds: Callable[[int], bool], start: int) -> int:
    """Return the smallest integer from `start` on at which a condition, which then stays, holds; at most `_MOST`."""
    step = 1
    low, high = start, start
    while high < _MOST and not holds(high):
        low, high, step = high + 1, min(high + step, _MOST), 2 * step
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def smallest_detectable_rate(n: int, *, baseline: float, confidence: float = 0.95, power: float = 0.8) -> float | None:
    """Return the smallest true rate that n trials would tell from the baseline with this power.

    "Told" means that the lower bound of the exact two-sided interval (`clopper_pearson`) lies above the baseline.

    Parameters
    ----------
    n : int
        Independent trials, at least 1.
    baseline : float
        The rate without the fault, in [0, 1], taken for known.
    confidence : float
        Of the two-sided interval, strictly between 0 and 1.
    power : float
        The chance that the rate is told, strictly between 0 and 1.

    Returns
    -------
    float or None
        In (baseline, 1], or None where not even n hits in n trials would be told from the baseline.

    Raises
    ------
    ValueError
        For an argument out of its range.

    References
    ----------
    J. L. Fleiss, B. Levin, M. C. Paik, *Statistical Methods for Rates and Proportions*, 3rd ed. (2003), ch. 2.

    Examples
    --------
    >>> round(smallest_detectable_rate(100, baseline=0.0), 4)
    0.016
    >>> smallest_detectable_rate(2, baseline=0.5) is None
    True
    """
    from scipy.special import betaincinv

    n, baseline = at_least_one("n", n), share("baseline", baseline)
    alpha = (1 - inside("confidence", confidence)) / 2
    inside("power", power)
    critical = _first(lambda k: k > n or _tail(k, n, baseline) <= alpha, 1)
    return None if critical > n else float(betaincinv(critical, n - critical + 1, power))


def needed_n(rate: float, *, limit: float, confidence: float = 0.95, power: float = 0.8) -> int | None:
    """Return the smallest number of trials at which a rate would be told from a limit, on either side of it.

    "Told" means that the exact two-sided interval (`clopper_pearson`) lies wholly on the rate's side of the limit;
    a true rate as observed brings that about with probability `power`.

    Parameters
    ----------
    rate : float
        The rate, in [0, 1].
    limit : float
        The threshold, in [0, 1].
    confidence : float
        Of the two-sided interval, strictly between 0 and 1.
    power : float
        Strictly between 0 and 1.

    Returns
    -------
    int or None
        At least 1, or None where the rate is the limit, or so near to it that ten million trials would not do.

    Raises
    ------
    ValueError
        For an argument out of its range.

    Notes
    -----
    Exact power is a saw-tooth in n, so n cannot be bisected. For each critical count k, though, the n at which k hits
    (or, below the limit, fewer than k) both tell the rate and are likely enough are a run; the answer is the start of
    the first run that is not empty.

    References
    ----------
    J. L. Fleiss, B. Levin, M. C. Paik, *Statistical Methods for Rates and Proportions*, 3rd ed. (2003), ch. 2.

    Examples
    --------
    >>> needed_n(0.05, limit=0.01)
    134
    >>> needed_n(0.0, limit=0.01)
    368
    """
    rate, limit = share("rate", rate), share("limit", limit)
    alpha = (1 - inside("confidence", confidence)) / 2
    inside("power", power)
    if rate == limit:
        return None
    if limit > 0.5:  # counted by misses: the critical counts are then few, and the runs long
        rate, limit = 1 - rate, 1 - limit
    # A run begins where k hits are likely enough at the larger rate, and ends where they are too likely at the smaller.
    begin, end = ((rate, power), (limit, alpha)) if rate > limit else ((limit, 1 - alpha), (rate, 1 - power))

    def first(k: int) -> int:
        return _first(lambda n: _tail(k, n, begin[0]) >= begin[1], k)

    def length(k: int) -> int:
        return _first(lambda n: _tail(k, n, end[0]) > end[1], k) - first(k)

    # The length falls, then grows without bound; far below the normal approximation's k it still falls. Rounding to
    # integers moves it by less than 2, so it may flicker about 0 but not below −2.
    k = _first(lambda k: length(k) >= -2, max(1, int(_normal_n(rate, limit, alpha, power) * min(rate, limit) / 4)))
    while length(k) < 1 and first(k) < _MOST:
        k += 1
    n = first(k)
    return n if n < _MOST else None


def _normal_n(rate: float, limit: float, alpha: float, power: float) -> float:
    from scipy.special import ndtri

    spread = ndtri(1 - alpha) * sqrt(limit * (1 - limit)) + ndtri(power) * sqrt(rate * (1 - rate))
    return min(float(max(spread, 0.0) / (rate - limit)) ** 2, _MOST)


def max_alarms(runs: int, *, rate: float = 0.05, confidence: float = 0.99) -> int:
    """Return the most alarms in null runs that agree with a false-alarm rate of at most `rate`.

    The rule: the smallest k such that an instrument whose false-alarm rate is exactly `rate` has at most k alarms
    with probability ≥ `confidence`. A sound instrument is thus refused in at most 1 of 100 such trials (confidence
    .99); what it would miss is said by `smallest_detectable_rate` at the two-sided confidence 2 × .99 − 1 = .98.

    Parameters
    ----------
    runs : int
        Independent runs on a target without the fault, at least 1.
    rate : float
        The tolerated rate of false alarms, in [0, 1].
    confidence : float
        Strictly between 0 and 1.

    Returns
    -------
    int
        0 ≤ k ≤ runs: more alarms than this refuse the instrument.

    Raises
    ------
    ValueError
        For an argument out of its range.

    References
    ----------
    H. F. Dodge, H. G. Romig, "A method of sampling inspection", Bell System Technical Journal 8 (1929) 613–631.

    Examples
    --------
    >>> max_alarms(200, rate=0.05)
    18
    >>> round(smallest_detectable_rate(200, baseline=0.05, confidence=0.98), 3)
    0.111
    """
    runs, rate = at_least_one("runs", runs), share("rate", rate)
    alpha = 1 - inside("confidence", confidence)
    return _first(lambda k: k >= runs or _tail(k + 1, runs, rate) <= alpha, 0)
