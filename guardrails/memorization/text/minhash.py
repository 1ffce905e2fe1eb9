"""Near-duplicate documents by MinHash [1]_ over hashed word 5-grams, found with locality-sensitive hashing.

P[two signatures agree in a place] is the Jaccard similarity J of the two sets of 5-grams, up to the hash family
(multiply-shift [2]_). With 32 bands of 4 places a pair is looked at with probability 1 − (1 − J⁴)³²: .9999999 at
J = .8, .56 at J = .4. It counts where at least .8 of the 128 places agree, an estimate of J with standard error
√(J(1 − J)/128) ≤ .045.

.. [1] A. Broder, "On the resemblance and containment of documents", SEQUENCES 1997.
.. [2] M. Dietzfelbinger et al., "A reliable randomized algorithm for the closest-pair problem", J. Algorithms 25, 1997.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Signatures = NDArray[np.uint32]

WORDS = 5
PLACES, BANDS = 128, 32
NEAR = 0.8
CHUNK = 4096

_RANDOM = np.random.default_rng(20170501)
_FACTORS = _RANDOM.integers(0, 2**63, PLACES, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_SHIFTS = _RANDOM.integers(0, 2**64, PLACES, dtype=np.uint64)
_POSITIONS = _RANDOM.integers(0, 2**63, WORDS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


def shingles(text: str) -> NDArray[np.uint64]:
    """Return the hashes of a text's word 5-grams, (max(1, words − 4),); a shorter text is one shingle."""
    words = text.lower().split()
    words += [""] * (WORDS - len(words))
    codes = np.array([crc32(word.encode("utf-8", "surrogatepass")) for word in words], dtype=np.uint64)
    out = np.zeros(len(words) - WORDS + 1, dtype=np.uint64)
    for offset, factor in enumerate(_POSITIONS):
        out += codes[offset : offset + len(out)] * factor
    return out ^ (out >> np.uint64(29))


def signature(text: str) -> Signatures:
    """Return the smallest hash of the shingles under each permutation, (128,)."""
    shingled, hashes = shingles(text), np.full(PLACES, 2**32 - 1, dtype=np.uint32)
    for start in range(0, len(shingled), CHUNK):
        mixed = shingled[None, start : start + CHUNK] * _FACTORS[:, None] + _SHIFTS[:, None]
        np.minimum(hashes, (mixed >> np.uint64(32)).astype(np.uint32).min(axis=1), out=hashes)
    return hashes


def signatures(texts: Iterable[str]) -> Signatures:
    """Return the signature of each text, (n, 128)."""
    rows = [signature(text) for text in texts]
    return np.stack(rows) if rows else np.empty((0, PLACES), dtype=np.uint32)


def families(*signatures: Signatures) -> NDArray[np.int64]:
    """Return, for each document, the number of the first document that it is a near-duplicate of, or its own.

    The signatures may come in several arrays, which may be mapped from disk: no copy of them is made.

    Near-duplicates of near-duplicates are one family. Within a band's bucket each document is held against the first of
    its bucket and the one before it, so that a thousand copies of one text cost a thousand comparisons.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n, rows = sum(map(len, signatures)), PLACES // BANDS
    candidates = np.empty(0, dtype=np.int64)  # pairs (i, j) as i · n + j
    for band in range(BANDS):
        places = np.concatenate([part[:, band * rows : (band + 1) * rows] for part in signatures])
        _, bucket = np.unique(places.view(np.dtype((np.void, 4 * rows))).ravel(), return_inverse=True)
        order = np.argsort(bucket, kind="stable")
        starts = np.flatnonzero(np.diff(bucket[order], prepend=-1))
        first = order[np.repeat(starts, np.diff(starts, append=n))]
        same = np.flatnonzero(first != order)
        pairs = [first[same] * n + order[same], order[same - 1] * n + order[same]]
        candidates = np.unique(np.concatenate([candidates, *pairs]))
    near = [
        piece[(_rows(signatures, piece // n) == _rows(signatures, piece % n)).mean(axis=1) >= NEAR]
        for piece in np.array_split(candidates, 1 + len(candidates) // 100_000)
    ]
    left, right = np.divmod(np.concatenate(near), n)
    graph = coo_array((np.ones(len(left), dtype=bool), (left, right)), shape=(n, n))
    count, label = connected_components(graph, directed=False)
    first_of = np.full(count, n, dtype=np.int64)
    np.minimum.at(first_of, label, np.arange(n))
    out: NDArray[np.int64] = first_of[label]
    return out


def _rows(parts: Sequence[Signatures], numbers: NDArray[np.int64]) -> Signatures:
    """Return the signatures of some documents, which are numbered through all parts."""
    out, first = np.empty((len(numbers), PLACES), dtype=np.uint32), 0
    for part in parts:
        inside = (numbers >= first) & (numbers < first + len(part))
        out[inside] = part[numbers[inside] - first]
        first += len(part)
    return out
