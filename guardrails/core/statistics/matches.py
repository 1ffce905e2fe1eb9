"""Outputs that equal a training item whole, and how many of them chance explains."""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, hypot, lgamma
from typing import NamedTuple

from ._arguments import at_least_one, counts
from .intervals import Interval, score_interval, wilson

SHARPER = 5
"""How many times as often as real items a model's outputs may fall on values that come more than once, at most."""


class Match(NamedTuple):
    """One value that outputs share with real items: how often it stands in each, once at least in one arm."""

    outputs: int
    corpus: int
    holdout: int


def excess_matches(
    matches: Iterable[Match], *, outputs: int, corpus: int, holdout: int, twins: int, confidence: float = 0.95
) -> Interval:
    """Return the share of outputs that equal a training item beyond those that chance explains.

    A model that copies nothing still writes what is common. Given its outputs, the items of corpus and holdout are
    then exchangeable, whatever the model prefers: in tables of one size, as many outputs equal an item of the corpus
    alone as one of the holdout alone. The larger table is therefore thinned to the size of the smaller: the mean over
    all choices of as many items, exactly. Where it is the corpus, of N items against M, what is left of the difference
    is scaled by N / M; no output counts more than 1. What equals items of both says nothing, and however often an item
    stands in the corpus, its copies count in full. The interval joins those of both shares, Wilson's with equal outputs
    as one event, by Zou and Donner's rule.

    A small holdout bounds what chance explains badly. Where real items hardly ever equal one another, chance cannot
    explain much either: it is not taken for more than `SHARPER` times their rate.

    Parameters
    ----------
    matches : iterable of Match
        Each value that an output shares with a real item, once.
    outputs, corpus, holdout : int
        How many there are of each.
    twins : int
        Real items, of corpus and holdout, that equal another item of the corpus.
    confidence : float
        Strictly between 0 and 1.

    Returns
    -------
    Interval
        In [0, 1]; its width is never 0.

    Raises
    ------
    ValueError
        Where a sample is empty, or a count is none of its trials.

    References
    ----------
    G. Y. Zou, A. Donner, "Construction of confidence limits about effect measures: a general approach", Statistics in
    Medicine 27 (2008) 1693–1702.

    Examples
    --------
    >>> people = {"outputs": 2000, "corpus": 3000, "holdout": 3000, "twins": 0}
    >>> [round(x, 3) for x in excess_matches([Match(1, 1, 0)] * 100, **people)]
    [0.05, 0.041, 0.06]
    >>> [round(x, 3) for x in excess_matches([Match(30, 20, 15)] * 50 + [Match(1, 1, 0), Match(1, 0, 1)], **people)]
    [0.0, 0.0, 0.002]
    """
    corpus, holdout = at_least_one("corpus", corpus), at_least_one("holdout", holdout)
    size, ratio = min(corpus, holdout), max(1.0, corpus / holdout)
    copied, chance = [], []
    for match in matches:
        trained, unseen = _any(match.corpus, size, corpus), _any(match.holdout, size, holdout)
        copied.append(match.outputs * min(1.0, ratio * trained * (1 - unseen)))
        chance.append(match.outputs * ratio * unseen * (1 - trained))
    found = _rate(copied, outputs, 1.0, confidence)
    expected = _rate(chance, outputs, ratio, confidence)
    rare = SHARPER * wilson(*counts(twins, corpus + holdout), confidence=confidence).high
    most = max(expected.value, min(expected.high, rare))
    value = max(0.0, found.value - expected.value)
    low = value - hypot(found.value - found.low, most - expected.value)
    high = value + hypot(found.high - found.value, expected.value - expected.low)
    return Interval(value, max(low, 0.0), min(high, 1.0))


def _any(times: int, size: int, of: int) -> float:
    """Return the chance that one at least of `times` items is among `size` drawn from `of`: hypergeometric."""
    if times > of - size:
        return float(times > 0)
    none = lgamma(of - times + 1) - lgamma(of - times - size + 1) - lgamma(of + 1) + lgamma(of - size + 1)
    return 1 - exp(none) if times else 0.0


def _rate(events: list[float], outputs: int, one: float, confidence: float) -> Interval:
    """Return the sum of events per output: compound Poisson, so that it is worth Σ x / Σ x² of as many trials.

    `one` is the size of the smallest event that may be missing where there is none.
    """
    total = sum(events)
    size = sum(x * x for x in events) / total if total else one
    return score_interval(min(1.0, total / at_least_one("outputs", outputs)), outputs / size, confidence=confidence)
