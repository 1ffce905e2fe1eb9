"""The figures on a card: true values with their error, quality with its bar, the data sheet of the training items."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Figure = dict[str, Any]
"""``value``, ``low``, ``high``, ``n`` and ``what``: the words that say what was measured and how."""
DIGITS = 5


def rate(successes: int, n: int, what: str) -> Figure:
    """Return a share with its 95% Wilson interval.

    >>> rate(5, 10, "heads")
    {'value': 0.5, 'low': 0.23659, 'high': 0.76341, 'n': 10, 'what': 'heads'}
    """
    from guardrails.core.statistics import wilson

    value, low, high = wilson(successes, n)
    return _figure(value, low, high, n, what)


def mean(values: Sequence[float] | NDArray[Any], what: str, *, most: float = math.inf) -> Figure:
    """Return a mean of independent values, n ≥ 2, with two standard errors on each side, up to the `most` it can be."""
    kept = np.asarray(values, float)
    value, error = float(kept.mean()), 2 * float(kept.std(ddof=1)) / len(kept) ** 0.5
    return _figure(value, value - error, min(value + error, most), len(kept), what)


def exact(value: float, n: int, what: str) -> Figure:
    """Return a value that was found by enumerating all n cases: it has no error."""
    return _figure(value, value, value, n, what)


def _figure(value: float, low: float, high: float, n: int, what: str) -> Figure:
    numbers = {"value": value, "low": low, "high": high}
    return {k: round(v, DIGITS) for k, v in numbers.items()} | {"n": n, "what": what}


def with_bar(figure: Figure, bar: float, *, higher_is_better: bool = True, **others: Any) -> Figure:
    """Return a figure of quality beside the bar that it is held to, and whatever else a reader compares it with."""
    return figure | {"bar": bar, "higher_is_better": higher_is_better} | others


def data_sheet(items: Sequence[Any] | NDArray[Any], *, balance: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many training items there are, how many are exact repeats of another, and how they are balanced.

    >>> data_sheet(["a", "b", "a"], balance={"vowels": 2, "consonants": 1})
    {'items': 3, 'duplicates': 1, 'balance': {'vowels': 2, 'consonants': 1}}
    """
    keys = Counter(item.tobytes() if isinstance(item, np.ndarray) else str(item) for item in items)
    return {"items": len(items), "duplicates": sum(n - 1 for n in keys.values()), "balance": dict(balance)}
