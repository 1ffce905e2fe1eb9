"""How hard a text is: its probability under an n-gram model of bytes, fitted to texts that nobody trained on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Keys = NDArray[np.uint64]

ORDER = 5
"""Bytes of a context, at most: six with the byte that follows fit into 64 bits."""
BYTE = np.uint64(8)


class ByteModel:
    """Interpolated n-grams of bytes: each order trusts itself the less, the more often it was new.

    P(w | h) = (c(hw) + t(h) P(w | shorter h)) / (c(h) + t(h)), t(h) being the number of different bytes seen after h;
    below the single bytes the law is uniform over 256 (I. Witten, T. Bell, "The Zero-Frequency Problem: Estimating the
    Probabilities of Novel Events in Adaptive Text Compression", IEEE Trans. Information Theory 37 (1991) 1085–1094).
    Any text has a probability, in whatever language. A text begins after `ORDER` zero bytes.

    Parameters
    ----------
    texts : iterable of str
        What it learns from, not all of them empty; up to 200 bytes of memory for each of theirs.

    Examples
    --------
    >>> model = ByteModel(["abcabcabc"])
    >>> bool(model.log_probs("abc").sum() > model.log_probs("acb").sum())
    True
    """

    def __init__(self, texts: Iterable[str]) -> None:
        grams = np.concatenate([np.zeros(0, np.uint64), *(_grams(text) for text in texts)])
        self._orders: list[tuple[Keys, Floats, Keys, Floats, Floats]] = []
        for order in range(ORDER + 1):
            seen, count = np.unique(grams & _mask(order + 1), return_counts=True)
            context, first = np.unique(seen >> BYTE, return_index=True)
            edges = np.append(first, len(seen))
            total = np.add.reduceat(count, first)
            self._orders.append((seen, count.astype(float), context, total.astype(float), np.diff(edges).astype(float)))

    def log_probs(self, text: str, *, after: str = "") -> Floats:
        """Return log P of each byte of a text given those before it, in nats, but those of its beginning `after`."""
        grams = _grams(text)[len(after.encode("utf-8", "replace")) :]
        p = np.full(len(grams), 1 / 256)
        for order, (seen, count, context, total, kinds) in enumerate(self._orders):
            gram = grams & _mask(order + 1)
            place, known = _find(context, gram >> BYTE)
            gram_place, hit = _find(seen, gram)
            c, t = np.where(hit, count[gram_place], 0.0), kinds[place]
            p = np.where(known, (c + t * p) / (total[place] + t), p)
        out: Floats = np.log(p)
        return out


def _mask(size: int) -> np.uint64:
    return np.uint64((1 << 8 * size) - 1)


def _grams(text: str) -> Keys:
    """Return each byte of a text with the `ORDER` before it, the last one lowest, (bytes,)."""
    data = np.frombuffer(bytes(ORDER) + text.encode("utf-8", "replace"), dtype=np.uint8).astype(np.uint64)
    n = len(data) - ORDER
    grams = np.zeros(n, dtype=np.uint64)
    for back in range(ORDER + 1):
        grams |= data[ORDER - back : ORDER - back + n] << np.uint64(8 * back)
    return grams


def _find(keys: Keys, wanted: Keys) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return where each wanted key stands in sorted keys, (n ≥ 1,), and whether it does."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return place, keys[place] == wanted
