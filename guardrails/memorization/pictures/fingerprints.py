"""What counts as a near-copy: distances to a corpus of pictures, and a threshold that held-out pictures set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...kit.exact_copies import ExactIndex, pixels_key
from ...kit.pictures.features import to_square
from .copy_threshold import Calibration

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

SIDE = 16
_FINE = 4 * SIDE
_STEP = 2
"""A picture is compared where it is and a thirty-second of its side away in eight directions."""
_UNMOVED = 4
"""The place among the nine shifted fingerprints of the picture where it is."""
NEIGHBOURS = 50
SAME = 0.03
"""Two pictures nearer than this are one picture, saved twice. Fingerprints lie on a sphere of radius 1."""
MIN_HOLDOUT, MIN_CORPUS = 100, 60
"""With half of 100 held-out pictures, one below the threshold by luck makes it cross 13% of the unseen ones once in a
thousand times; with half of 40, once in sixteen."""
MAX_HOLDOUT = 1000
_BLOCK = 1024


def fingerprint(image: Any) -> Vectors:
    """Return a picture's small version as a vector, (768,), of length 1: blind to brightness, tint and contrast."""
    only: Vectors = _pooled(to_square(image, _FINE)[None])[0]
    return only


def shifted_fingerprints(image: Any) -> Vectors:
    """Return the fingerprints of a picture and of the picture moved by one step, (9, 768)."""
    padded = np.pad(to_square(image, _FINE), [(_STEP, _STEP), (_STEP, _STEP), (0, 0)], mode="edge")
    # One step is half of a fingerprint's cell: pool to steps once, then move by whole ones.
    steps, side = len(padded) // _STEP, _FINE // _STEP
    halves = padded.reshape(steps, _STEP, steps, _STEP, 3).mean(axis=(1, 3))
    return _pooled(np.stack([halves[r : r + side, c : c + side] for r in range(3) for c in range(3)]))


def _pooled(squares: NDArray[np.float64]) -> Vectors:
    """(N, S, S, 3) → (N, 768), 16 | S. A picture with next to no contrast stays short: noise is no content."""
    n, cell = len(squares), squares.shape[1] // SIDE
    small = squares.reshape(n, SIDE, cell, SIDE, cell, 3).mean(axis=(2, 4))
    small = (small - small.mean(axis=(1, 2), keepdims=True)).reshape(n, 3 * SIDE**2)
    norm = np.sqrt((small**2).sum(axis=1, keepdims=True))
    out: Vectors = (small / np.maximum(norm, 0.02 * SIDE)).astype(np.float32)
    return out


def fingerprints(images: Sequence[Any]) -> Vectors:
    """(N, 768); the pictures are read one at a time."""
    out = np.empty((len(images), 3 * SIDE**2), np.float32)
    for i in range(len(images)):
        out[i] = fingerprint(images[i])
    return out


def distances(queries: Vectors, corpus: Vectors) -> Vectors:
    """Euclidean distances, (Q, N)."""
    squared = (queries**2).sum(1)[:, None] + (corpus**2).sum(1)[None] - 2 * queries @ corpus.T
    out: Vectors = np.sqrt(np.clip(squared, 0, None))
    return out


def distinct(vectors: Vectors) -> NDArray[np.int64]:
    """Return the places of the vectors that have no earlier one within `SAME`."""
    keep = np.ones(len(vectors), bool)
    for start in range(0, len(vectors), _BLOCK):
        stop = min(start + _BLOCK, len(vectors))
        near = distances(vectors[start:stop], vectors[:stop]) < SAME
        keep[start:stop] = ~np.tril(near, start - 1).any(axis=1)
    return np.flatnonzero(keep)


class Nearest(NamedTuple):
    """Of each query: its ratio in 0–1, the place of its nearest vector, and the distance to that."""

    ratio: NDArray[np.float64]
    place: NDArray[np.int64]
    distance: NDArray[np.float64]


def nearest(queries: Vectors, corpus: Vectors) -> Nearest:
    """Return how much nearer the nearest picture of the corpus is than the nearest fifty are (Carlini et al. 2023).

    The ratio cancels that smooth pictures are near to everything, which a plain distance does not.
    """
    k = min(NEIGHBOURS, len(corpus))
    neighbours = Nearest(np.empty(len(queries)), np.empty(len(queries), np.int64), np.empty(len(queries)))
    for start in range(0, len(queries), _BLOCK):
        here = slice(start, start + _BLOCK)
        d = distances(queries[here], corpus)
        neighbours.place[here] = d.argmin(axis=1)
        neighbours.distance[here] = d.min(axis=1)
        neighbours.ratio[here] = d.min(axis=1) / np.maximum(np.partition(d, k - 1, axis=1)[:, :k].mean(axis=1), 1e-6)
    return neighbours


class Match(NamedTuple):
    """One picture's `Nearest`."""

    ratio: float
    place: int
    distance: float


def orientations(vectors: Vectors) -> Vectors:
    """Return the fingerprints of pictures as they are, turned by quarters, and mirrored too: (N, 768) → (8, N, 768)."""
    upright = vectors.reshape(-1, SIDE, SIDE, 3)
    turned = [np.rot90(view, k, axes=(1, 2)) for view in (upright, upright[:, :, ::-1]) for k in range(4)]
    out: Vectors = np.stack(turned).reshape(8, *vectors.shape)
    return out


def nearest_view(image: Any, corpus: Vectors) -> Match:
    """Return the match of a picture, as it is, mirrored or turned, moved by up to one step, of the lowest ratio.

    Of the seven other orientations only that of the lowest ratio unmoved is moved: moving all costs three times more.
    """
    upright, *others = orientations(shifted_fingerprints(image))
    other = others[int(nearest(np.stack(others)[:, _UNMOVED], corpus).ratio.argmin())]
    neighbours = nearest(np.concatenate([upright, other]), corpus)
    best = int(neighbours.ratio.argmin())
    return Match(float(neighbours.ratio[best]), int(neighbours.place[best]), float(neighbours.distance.min()))


@dataclass(frozen=True)
class CopyIndex:
    """A corpus to look copies up in, calibrated on one half of the holdout and checked on the other."""

    exact: ExactIndex
    """The pictures of corpus and holdout, pixel by pixel."""

    corpus: Vectors
    places: NDArray[np.int64]
    """Where each distinct picture stands in the corpus as given."""
    threshold: float
    expected: float
    """The share of unseen pictures below the threshold, in expectation."""
    calibration: NDArray[np.float64]
    check: NDArray[np.float64]
    duplicates: int
    overlap: tuple[int, ...]
    """Places of the held-out pictures that the corpus holds too; they are left out."""

    @classmethod
    def build(cls, corpus: Sequence[Any], holdout: Sequence[Any]) -> CopyIndex | str:
        """Return the index, or the reason why these data are too few for one."""
        if len(corpus) < MIN_CORPUS:
            return f"the corpus holds {len(corpus)} pictures; at least {MIN_CORPUS} are needed"
        vectors, keys = np.empty((len(corpus), 3 * SIDE**2), np.float32), []
        for i in range(len(corpus)):
            picture = corpus[i]
            vectors[i] = fingerprint(picture)
            keys.append(pixels_key(picture))
        places = distinct(vectors)
        if len(places) < MIN_CORPUS:
            return f"the corpus holds {len(places)} distinct pictures; at least {MIN_CORPUS} are needed"
        distinct_vectors = vectors[places]
        held, held_keys = [], []
        for i in range(min(len(holdout), MAX_HOLDOUT)):
            picture = holdout[i]
            held.append(nearest_view(picture, distinct_vectors))
            held_keys.append(pixels_key(picture))
        in_corpus = np.array([match.distance < SAME for match in held], bool)
        unseen = np.array([match.ratio for match in held])[~in_corpus]
        if len(unseen) < MIN_HOLDOUT:
            shared = f" that are not in the corpus ({in_corpus.sum()} are)" if in_corpus.any() else ""
            return f"the holdout holds {len(unseen)} pictures{shared}; at least {MIN_HOLDOUT} are needed"
        calibration = Calibration.of(unseen)
        return cls(
            exact=ExactIndex(keys, held_keys),
            corpus=distinct_vectors,
            places=places,
            threshold=calibration.threshold,
            expected=calibration.expected,
            calibration=calibration.calibration,
            check=calibration.check,
            duplicates=len(vectors) - len(places),
            overlap=tuple(int(i) for i in np.flatnonzero(in_corpus)),
        )

    def look_up(self, image: Any) -> tuple[float, int]:
        """Return a picture's ratio and the place of its nearest training picture in the corpus as given."""
        match = nearest_view(image, self.corpus)
        return match.ratio, int(self.places[match.place])
