"""How alike two texts are in their words."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """Return the words of a text.

    >>> words("Well, well!")
    ['Well', 'well']
    """
    return _WORD.findall(text)


def likeness(one: str, two: str) -> float:
    """Return the cosine of the word counts of two texts: 1 for the same words, 0 for none in common or no words.

    >>> likeness("the red box", "The box, red")
    1.0
    """
    a, b = (Counter(words(text.casefold())) for text in (one, two))
    norm = float(np.sqrt(sum(n * n for n in a.values()) * sum(n * n for n in b.values())))
    return min(1.0, sum(n * b[word] for word, n in a.items()) / norm) if norm else 0.0
