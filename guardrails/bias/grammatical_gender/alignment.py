"""Word alignment of a file of translations, learnt from the file itself.

Two lexical translation models [1]_ are trained by EM, one in each direction, with a prior for the diagonal [2]_::

    p(a_j = i | e, f) ∝ t(f_j | e_i) · exp(−λ |i/I − j/J|)        and p0 · q(f_j) for no word at all

The score of a pair of words is the product of their posteriors in both directions [3]_: near 1 where both are sure.

.. [1] P. F. Brown et al., "The Mathematics of Statistical Machine Translation", Computational Linguistics 19 (1993).
.. [2] C. Dyer, V. Chahuneau, N. Smith, "A Simple, Fast, and Effective Reparameterization of IBM Model 2", NAACL 2013.
.. [3] P. Liang, B. Taskar, D. Klein, "Alignment by Agreement", NAACL 2006.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDS = 6
TENSION = 4.0
NO_WORD = 0.08
SMOOTHING = 0.01

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cells:
    """Every pair of a source and a target word of every sentence, flat: (C,) each."""

    source: Ints  # number of the word type
    target: Ints
    source_place: Ints  # number of the token, over all sentences
    target_place: Ints
    prior: Floats


def align(sources: Sequence[Sequence[str]], targets: Sequence[Sequence[str]]) -> list[Floats]:
    """Return the score of each pair of words of each sentence: (source words, target words), in 0–1.

    Parameters
    ----------
    sources, targets : sequence of sequence of str
        Words of each sentence and of its translation; case is ignored.
    """
    shapes = [(len(s), len(t)) for s, t in zip(sources, targets, strict=True)]
    cells = _cells(_numbers(sources), _numbers(targets), shapes)
    if not len(cells.prior):
        return [np.zeros(shape) for shape in shapes]
    forward = _posteriors(cells.source, cells.target, cells.target_place, cells.prior)
    backward = _posteriors(cells.target, cells.source, cells.source_place, cells.prior)
    ends = np.cumsum([a * b for a, b in shapes])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(forward * backward, ends), shapes, strict=True)]


def _numbers(sentences: Sequence[Sequence[str]]) -> list[Ints]:
    known: dict[str, int] = {}
    return [np.array([known.setdefault(w.lower(), len(known)) for w in s], dtype=np.int64) for s in sentences]


def _cells(sources: list[Ints], targets: list[Ints], shapes: list[tuple[int, int]]) -> Cells:
    columns: list[list[NDArray[np.generic]]] = [[], [], [], [], []]
    first_source = first_target = 0
    for source, target, (n, m) in zip(sources, targets, shapes, strict=True):
        i, j = np.repeat(np.arange(n), m), np.tile(np.arange(m), n)
        distance = np.abs((i + 0.5) / max(1, n) - (j + 0.5) / max(1, m))
        values = (source[i], target[j], first_source + i, first_target + j, np.exp(-TENSION * distance))
        for column, value in zip(columns, values, strict=True):
            column.append(value)
        first_source, first_target = first_source + n, first_target + m
    return Cells(*(np.concatenate(column) if column else np.empty(0, np.int64) for column in columns))  # type: ignore[arg-type]


def _posteriors(given: Ints, made: Ints, place: Ints, prior: Floats) -> Floats:
    """Return the posterior of each cell: that the made word at `place` comes from the given one."""
    kinds, pair = np.unique(given * (made.max() + 1) + made, return_inverse=True)
    given_of_pair = kinds // (made.max() + 1)
    prior = prior / np.bincount(place, prior)[place] * (1 - NO_WORD)
    _, first = np.unique(place, return_index=True)
    frequency = np.bincount(made[first], minlength=made.max() + 1) / len(first)
    nothing = NO_WORD * frequency[made]
    table = np.full(len(kinds), 1.0 / (made.max() + 1))
    for _ in range(ROUNDS):
        weight = table[pair] * prior
        posterior = weight / (np.bincount(place, weight)[place] + nothing)
        counts = np.bincount(pair, posterior, len(kinds)) + SMOOTHING
        table = counts / np.bincount(given_of_pair, counts)[given_of_pair]
    weight = table[pair] * prior
    return np.asarray(weight / (np.bincount(place, weight)[place] + nothing))
