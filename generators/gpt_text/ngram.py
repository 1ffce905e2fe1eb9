"""A trigram model of tokens: the baseline that a trained language model has to beat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import log2


class Trigram:
    """Interpolated trigrams after Witten and Bell [1]_: each order trusts itself the more, the less often it was new.

    Parameters
    ----------
    sequences : iterable of sequences of int
        Tokens to learn from.
    vocabulary : int
        How many different tokens there are.

    Notes
    -----
    P(w | h) = (c(hw) + t(h) · P(w | shorter h)) / (c(h) + t(h)), where t(h) is the number of different tokens seen
    after h; below the unigrams the law is uniform.

    .. [1] I. Witten and T. Bell, "The Zero-Frequency Problem: Estimating the Probabilities of Novel Events in Adaptive
       Text Compression", IEEE Trans. Information Theory 37 (4), 1991.
    """

    def __init__(self, sequences: Iterable[Sequence[int]], vocabulary: int) -> None:
        self.vocabulary = vocabulary
        self.counts: Counter[tuple[int, ...]] = Counter()
        for tokens in sequences:
            for i in range(len(tokens)):
                self.counts.update(tuple(tokens[i - k : i + 1]) for k in range(min(i, 2) + 1))
        self.totals: Counter[tuple[int, ...]] = Counter()
        self.kinds: Counter[tuple[int, ...]] = Counter()
        for gram, count in self.counts.items():
            self.totals[gram[:-1]] += count
            self.kinds[gram[:-1]] += 1

    def probability(self, history: tuple[int, ...], token: int) -> float:
        """Return P(token | at most two tokens before it)."""
        shorter = self.probability(history[1:], token) if history else 1 / self.vocabulary
        total, kinds = self.totals[history], self.kinds[history]
        return (self.counts[(*history, token)] + kinds * shorter) / (total + kinds) if total else shorter

    def bits(self, sequences: Iterable[Sequence[int]]) -> float:
        """Return the mean of −log2 P over all tokens but the first of each sequence."""
        values = [
            -log2(self.probability(tuple(tokens[max(0, i - 2) : i]), tokens[i]))
            for tokens in sequences
            for i in range(1, len(tokens))
        ]
        return sum(values) / len(values)
