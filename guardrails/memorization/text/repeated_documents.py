"""Which documents stand in a corpus more than once, and which of them are asked for themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...core.seeding import derive_seed

DUPLICATES = "duplicates"
"""Key of items and rows of documents that are asked because they stand in the corpus repeatedly."""


def copies_of(documents: Sequence[str]) -> dict[int, int]:
    """Return how often each document stands in the corpus, by its first place, of those that stand there repeatedly."""
    first: dict[str, int] = {}
    times: Counter[int] = Counter()
    for i, text in enumerate(documents):
        if stripped := text.strip():
            times[first.setdefault(stripped, i)] += 1
    return {i: n for i, n in times.items() if n > 1}


def times_of(item: dict[str, Any], copies: Mapping[int, int]) -> dict[str, int]:
    """Return how often the document of an item stands in the corpus, where the item is its beginning."""
    repeated = item["arm"] == "corpus" and item["start"] == 0 and item["index"] in copies
    return {"copies": copies[item["index"]]} if repeated else {}


def repeated_items(
    items: Sequence[dict[str, Any]], copies: Mapping[int, int], n: int, seed: int
) -> list[dict[str, Any]]:
    """Draw further documents of those that stand in the corpus repeatedly, until n of them are asked."""
    asked = {i["index"] for i in items if "copies" in i}
    left = np.array(sorted(copies.keys() - asked), dtype=int)
    drawn = np.random.default_rng(derive_seed(seed, DUPLICATES)).permutation(left)[: max(0, n - len(asked))]
    places = ({"item": f"corpus:{i}:0", "arm": "corpus", "index": i, "start": 0} for i in sorted(drawn.tolist()))
    return [place | times_of(place, copies) for place in places]
