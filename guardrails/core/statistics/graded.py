"""Rates that an imperfect grader measured: Rogan and Gladen's correction, with the grader's error in the interval."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._arguments import counts, inside, not_negative
from .intervals import Interval, newcombe, paired_difference
from .testing import simultaneous

NODES, REACH = 15, 4.5
"""Quadrature nodes for each of sensitivity and specificity, and how many standard deviations they reach. More of them
change a bound by 0.003 at most, where the interval is half of [0, 1] wide."""
PRECISION = 1e-9
"""Of the bounds."""
FAR = 50
"""A rate outside [0, 1] is refused where no bound of a tail probability this many times smaller lies in it."""

Tail = Callable[[float], float]


class GraderCounts(NamedTuple):
    """How a grader labelled items whose true label is known.

    Attributes
    ----------
    tp, fn : int
        Items that have the label: those the grader gave it to, and those it did not.
    tn, fp : int
        Items that do not have the label: those the grader did not give it to, and those it did.
    """

    tp: int
    fn: int
    tn: int
    fp: int


class CannotCorrect(ValueError):  # noqa: N818  a statement about the grader, not a wrong argument
    """The rate cannot be corrected for the grader's error; the message says why."""


def youden(errors: GraderCounts, *, confidence: float = 0.95) -> Interval:
    """Return sensitivity + specificity − 1 with Newcombe's interval: 1 for a perfect grader, 0 for a useless one.

    Parameters
    ----------
    errors : GraderCounts
        From labelled items.
    confidence : float
        Strictly between 0 and 1.

    Returns
    -------
    Interval
        With bounds in [−1, 1].

    Raises
    ------
    CannotCorrect
        Where there are no labelled items of one kind.

    References
    ----------
    W. J. Youden, "Index for rating diagnostic tests", Cancer 3 (1950) 32–35.

    Examples
    --------
    >>> [round(x, 2) for x in youden(GraderCounts(tp=45, fn=5, tn=40, fp=10))]
    [0.7, 0.53, 0.8]
    """
    for name, value in errors._asdict().items():
        not_negative(name, value)
    positive, negative = errors.tp + errors.fn, errors.tn + errors.fp
    if not positive or not negative:
        which = "with the label" if not positive else "without the label"
        raise CannotCorrect(f"the grader's error is unknown: it was measured on no item {which}")
    return newcombe(errors.tp, positive, errors.fp, negative, confidence=confidence)


def rogan_gladen(k: int, n: int, errors: GraderCounts, *, ungraded: int = 0, confidence: float = 0.95) -> Interval:
    """Return the rate of a label that an imperfect grader gave to k of n items.

    The value is Rogan and Gladen's, (k/n + specificity − 1) / (sensitivity + specificity − 1), within [0, 1]. The
    bounds are melded: each takes the rate, the sensitivity and the specificity from their Clopper–Pearson confidence
    distributions, at the side that moves the bound outwards, so that few labelled items widen the interval as much as
    few graded ones. The lower bound counts every ungraded item as graded without the label, the upper one with it.
    Fewer items than the grader's false positives alone would give do not lower the upper bound further, and more than
    it would give if all had the label do not raise the lower one.

    Parameters
    ----------
    k : int
        Items given the label, 0 ≤ k ≤ n.
    n : int
        Graded items, at least 1; ungraded ones are not among them.
    errors : GraderCounts
        From labelled items that were not used to choose anything about the grader.
    ungraded : int
        Items that the grader could not grade.
    confidence : float
        Strictly between 0 and 1.

    Returns
    -------
    Interval
        The corrected rate, with bounds in [0, 1].

    Raises
    ------
    CannotCorrect
        Where the interval of sensitivity + specificity − 1 reaches 0, or where k is impossible for a grader with
        these errors: they do not hold for these items then.
    ValueError
        For counts that are impossible.

    Notes
    -----
    The errors must hold for the items that are graded. Those measured on other kinds of text do not carry over.

    References
    ----------
    W. J. Rogan, B. Gladen, "Estimating prevalence from the results of a screening test", American Journal of
    Epidemiology 107 (1978) 71–76. D. M. Bayer, M. P. Fay, B. I. Graubard, "Confidence intervals for prevalence
    estimates from complex surveys with imperfect assays", Statistics in Medicine 42 (2023) 1822–1867. M. P. Fay,
    M. A. Proschan, E. Brittain, "Combining one-sample confidence procedures for inference in the two-sample case",
    Biometrics 71 (2015) 146–156.

    Examples
    --------
    A grader with 90% sensitivity and 95% specificity finds 30 of 200: about 12% have the label.

    >>> rate = rogan_gladen(30, 200, GraderCounts(tp=90, fn=10, tn=95, fp=5))
    >>> [round(x, 3) for x in rate]
    [0.118, 0.025, 0.198]
    """
    k, n = counts(k, n)
    total = n + not_negative("ungraded", ungraded)
    tail = (1 - inside("confidence", confidence)) / 2
    index = _informative(errors, confidence)
    missed, false = errors.fn / (errors.tp + errors.fn), errors.fp / (errors.tn + errors.fp)
    value = min(max((k / n - false) / index.value, 0.0), 1.0)
    below, above = _below(k, total, errors), _above(k + total - n, total, errors)
    if above(0.0) <= tail / FAR or below(1.0) <= tail / FAR:
        many = "few" if above(0.0) <= tail / FAR else "many"
        raise CannotCorrect(
            f"{k} of {n} is too {many} for a grader with these measured errors: they do not hold for these items"
        )
    low, high = _lower(below, tail), _upper(above, tail)
    if k < (expected := ceil(n * false)):
        high = max(high, _upper(_above(expected, n, errors), tail))
    if k > (expected := floor(n * (1 - missed))):
        low = min(low, _lower(_below(expected, n, errors), tail))
    return Interval(value, min(low, value), max(high, value))


def _informative(errors: GraderCounts, confidence: float) -> Interval:
    index = youden(errors, confidence=confidence)
    if index.low <= 0:
        worse = index.high < 0
        raise CannotCorrect(
            f"the grader is not shown to be better than chance{', but worse' if worse else ''}: "
            f"sensitivity + specificity − 1 is {index.value:.2f} [{index.low:.2f}, {index.high:.2f}]; "
            + ("check which label is which" if worse else "measure it on more labelled items")
        )
    return index


def _quantiles(a: int, b: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return quantiles of the beta distribution at the quadrature's nodes, and their weights; a or b may be 0.

    The levels are those of equally spaced normal deviates: they resolve both tails.
    """
    from scipy.special import betaincinv, ndtr

    deviates = np.linspace(-REACH, REACH, NODES)
    weights = np.exp(-deviates * deviates / 2)
    values = np.full(NODES, float(b == 0)) if a == 0 or b == 0 else betaincinv(a, b, ndtr(deviates))
    return values, weights / weights.sum()


def _below(k: int, n: int, errors: GraderCounts) -> Tail:
    """Return the probability that the rate is at most x, in the distribution of the lower bound."""
    from scipy.special import betainc

    sensitivity, w1 = _quantiles(errors.tp + 1, errors.fn)
    specificity, w2 = _quantiles(errors.tn, errors.fp + 1)
    se, sp, weights = sensitivity[:, None], specificity[None, :], np.outer(w1, w2)

    def probability(x: float) -> float:
        apparent = x * se + (1 - x) * (1 - sp)
        share = np.ones_like(apparent) if k == 0 else betainc(k, n - k + 1, apparent)
        return float((weights * np.where(se + sp > 1, share, 1.0)).sum())

    return probability


def _above(k: int, n: int, errors: GraderCounts) -> Tail:
    """Return the probability that the rate is at least x, in the distribution of the upper bound."""
    from scipy.special import betaincc

    sensitivity, w1 = _quantiles(errors.tp, errors.fn + 1)
    specificity, w2 = _quantiles(errors.tn + 1, errors.fp)
    se, sp, weights = sensitivity[:, None], specificity[None, :], np.outer(w1, w2)

    def probability(x: float) -> float:
        apparent = x * se + (1 - x) * (1 - sp)
        share = np.ones_like(apparent) if k == n else betaincc(k + 1, n - k, apparent)
        return float((weights * np.where(se + sp > 1, share, 1.0)).sum())

    return probability


def _lower(below: Tail, tail: float) -> float:
    """Return the rate in [0, 1] at which the rising probability `below` is `tail`, or the nearest end."""
    from scipy.optimize import brentq

    if below(0.0) >= tail or below(1.0) <= tail:
        return float(below(0.0) < tail)
    return float(brentq(lambda x: below(x) - tail, 0.0, 1.0, xtol=PRECISION))


def _upper(above: Tail, tail: float) -> float:
    """Return the rate in [0, 1] at which the falling probability `above` is `tail`, or the nearest end."""
    return 1 - _lower(lambda y: above(1 - y), tail)


def graded_difference(
    k1: int,
    n1: int,
    k2: int,
    n2: int,
    errors: GraderCounts,
    *,
    ungraded: tuple[int, int] = (0, 0),
    confidence: float = 0.95,
) -> Interval:
    """Return the difference of two rates, first − second, of independent items that one grader labelled.

    Its false positives cancel: the difference is that of the graded rates divided by sensitivity + specificity − 1.
    Newcombe's intervals of the two hold together (Bonferroni), so that the result is conservative.

    Parameters
    ----------
    k1, n1, k2, n2 : int
        Items given the label and graded items of each group.
    errors : GraderCounts
        They must hold for both groups: a grader that errs more often on one of them shows a difference by itself.
    ungraded : (int, int)
        Items of each group that could not be graded: the bounds take the worst case.
    confidence : float
        Strictly between 0 and 1.

    Returns
    -------
    Interval
        With bounds in [−1, 1].

    Raises
    ------
    CannotCorrect, ValueError
        As `rogan_gladen`.

    References
    ----------
    W. J. Rogan, B. Gladen, "Estimating prevalence from the results of a screening test", American Journal of
    Epidemiology 107 (1978) 71–76.

    Examples
    --------
    >>> difference = graded_difference(60, 200, 30, 200, GraderCounts(tp=90, fn=10, tn=95, fp=5))
    >>> [round(x, 3) for x in difference]
    [0.176, 0.062, 0.327]
    """
    k1, n1 = counts(k1, n1)
    k2, n2 = counts(k2, n2)
    u1, u2 = (not_negative("ungraded", u) for u in ungraded)
    each = simultaneous(confidence, 2)
    low = newcombe(k1, n1 + u1, k2 + u2, n2 + u2, confidence=each).low
    high = newcombe(k1 + u1, n1 + u1, k2, n2 + u2, confidence=each).high
    return _divided(Interval(k1 / n1 - k2 / n2, low, high), _informative(errors, each))


def paired_graded_difference(
    b: int, c: int, n: int, errors: GraderCounts, *, ungraded: int = 0, confidence: float = 0.95
) -> Interval:
    """Return the difference of two rates over pairs of items, first − second, that one grader labelled.

    As `graded_difference`, with Bonett and Price's interval for the difference of paired rates.

    Parameters
    ----------
    b, c : int
        Pairs of which only the first, and only the second, was given the label.
    n : int
        Pairs of which both were graded.
    errors : GraderCounts
        They must hold for the first and the second items.
    ungraded : int
        Pairs of which one could not be graded: the bounds take the worst case.
    confidence : float
        Strictly between 0 and 1.

    Returns
    -------
    Interval
        With bounds in [−1, 1].

    Raises
    ------
    CannotCorrect, ValueError
        As `rogan_gladen`.

    References
    ----------
    D. G. Bonett, R. M. Price, "Adjusted Wald confidence interval for a difference of binomial proportions based on
    paired data", Journal of Educational and Behavioral Statistics 37 (2012) 479–488.

    Examples
    --------
    >>> difference = paired_graded_difference(40, 10, 200, GraderCounts(tp=90, fn=10, tn=95, fp=5))
    >>> [round(x, 3) for x in difference]
    [0.176, 0.079, 0.306]
    """
    b, c = not_negative("b", b), not_negative("c", c)
    counts(b + c, n)
    ungraded = not_negative("ungraded", ungraded)
    each = simultaneous(confidence, 2)
    low = paired_difference(b, c + ungraded, n + ungraded, confidence=each).low
    high = paired_difference(b + ungraded, c, n + ungraded, confidence=each).high
    return _divided(Interval((b - c) / n, low, high), _informative(errors, each))


def _divided(difference: Interval, index: Interval) -> Interval:
    """Return the difference of the true rates from that of the graded ones."""
    low = difference.low / (index.high if difference.low > 0 else index.low)
    high = difference.high / (index.low if difference.high > 0 else index.high)
    if low >= 1 or high <= -1:
        raise CannotCorrect("so large a difference is impossible for a grader with these measured errors")
    value = min(max(difference.value / index.value, -1.0), 1.0)
    return Interval(value, min(max(low, -1.0), value), max(min(high, 1.0), value))
