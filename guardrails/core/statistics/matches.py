"""Outputs that equal a training item whole, and how many of them chance explains."""

from __future__ import annotations

from collections.abc import Iterable
from math import hypot
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ._arguments import at_least_one, counts
from .intervals import Interval, score_interval, wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

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

    An event counts as large as it would be on average if chance had dealt the items to corpus and holdout: of few
    values, written over and over, it is chance which of them the corpus alone holds.

    A small holdout bounds what chance explains badly. Where real items hardly ever equal one another, chance cannot
    explain much either: it is not taken for more than `SHARPER` times their rate, unless more of the outputs than that
    do fall on values that come more than once.

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
    ratio = max(1.0, corpus / holdout)
    matches = list(matches)
    times = np.array([match[0] for match in matches], dtype=np.float64)
    of = np.array([match[1:] for match in matches], dtype=np.int64).reshape(-1, 2)
    copied, chance = _events(of[:, 0], of[:, 1], corpus, holdout) * times
    dealt = {total: _dealt(total, corpus, holdout) for total in set(of.sum(axis=1).tolist())}
    # (values, arms, moments): the first two moments of both events by chance
    moments = np.array([dealt[total] for total in of.sum(axis=1).tolist()]).reshape(-1, 2, 2)
    scale = np.stack([times, times**2], axis=-1)
    (mean, mean_of_chance), (square, square_of_chance) = (moments * scale[:, None]).sum(axis=0).T
    # One event more, of a value that no output has shown: of size 1, and `ratio` in a holdout that is smaller.
    observed = _rate(copied, outputs, (square + 1) / (mean + 1), confidence)
    expected = _rate(chance, outputs, (square_of_chance + ratio**2) / (mean_of_chance + ratio), confidence)
    rare = SHARPER * wilson(*counts(twins, corpus + holdout), confidence=confidence).high
    common = times[of.sum(axis=1) > 1].sum() / outputs > rare
    most = max(expected.value, expected.high if common else min(expected.high, rare))
    value = max(0.0, observed.value - expected.value)
    low = value - hypot(observed.value - observed.low, most - expected.value)
    high = value + hypot(observed.high - observed.value, expected.value - expected.low)
    return Interval(value, max(low, 0.0), min(high, 1.0))


def _events(trained: Ints, unseen: Ints, corpus: int, holdout: int) -> Floats:
    """Return, (2, values), what an output that equals so many items of each arm counts as copied, and as chance."""
    size, ratio = min(corpus, holdout), max(1.0, corpus / holdout)
    mine, theirs = _any(trained, size, corpus), _any(unseen, size, holdout)
    return np.stack([np.minimum(1.0, ratio * mine * (1 - theirs)), ratio * theirs * (1 - mine)])


def _dealt(total: int, corpus: int, holdout: int) -> Floats:
    """Return mean and mean square of both events, (2, 2), where chance deals `total` equal items to the arms."""
    from scipy.special import gammaln

    def log_choose(n: int, k: Ints) -> Floats:
        return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))

    mine = np.arange(max(0, total - holdout), min(total, corpus) + 1)
    log = log_choose(corpus, mine) + log_choose(holdout, total - mine)
    chances = np.exp(log - log.max())
    events = _events(mine, total - mine, corpus, holdout)
    return np.asarray(np.stack([events, events**2], axis=1) @ (chances / chances.sum()))


def _any(times: Ints, size: int, of: int) -> Floats:
    """Return the chance that one at least of `times` items is among `size` drawn from `of`: hypergeometric."""
    from scipy.special import gammaln

    left = np.maximum(of - size - times, 0)  # where there are fewer others than are drawn one is sure to be among them
    none = gammaln(of - times + 1) - gammaln(left + 1) - gammaln(of + 1) + gammaln(of - size + 1)
    return np.where(times > of - size, times > 0, -np.expm1(np.minimum(none, 0.0)))


def _rate(events: Floats, outputs: int, size: float, confidence: float) -> Interval:
    """Return the sum of events per output: compound Poisson, so that it is worth Σ x / Σ x² of as many trials.

    `size` is Σ x² / Σ x by chance: that of an event which may be missing, and the least that is taken for it.
    """
    total = float(events.sum())
    size = max(size, float((events**2).sum()) / total) if total else size
    return score_interval(min(1.0, total / at_least_one("outputs", outputs)), outputs / size, confidence=confidence)
