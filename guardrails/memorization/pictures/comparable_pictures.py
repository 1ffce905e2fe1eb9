"""Two arms of pictures, trained on and held out, that can be compared; and what is known of the kind besides."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.batch import Row
from ...core.errors import ContentError
from ...core.statistics import Interval
from ...core.subject import Subject
from ...kit.blind import blind_pictures
from ...kit.pictures.features import to_square
from .completion import by_nearest
from .fingerprints import SAME, distances, distinct, fingerprint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

SIDE = 32
"""In pixels, of pictures as they are compared."""
OTHERS, NEIGHBOURS = 500, 10
"""How many other pictures are known to who guesses without the model, and how many of them a guess is made of."""
MIN_OTHERS = 100


class Arms:
    """Which pictures can be compared: each once, none of the holdout that is in the corpus; and what others know."""

    def __init__(self, subject: Subject) -> None:
        self._given = (subject.corpus, subject.holdout, subject.reference)
        self.data = [() if data is None else data for data in self._given]
        self.corpus, known, self.repeated = _distinct(self.data[0])
        held, vectors, _ = _distinct(self.data[1])
        seen = [distances(vector[None], known).min(initial=np.inf) < SAME for vector in vectors]
        self.holdout = [i for i, in_corpus in zip(held, seen, strict=True) if not in_corpus]
        self.overlap = [i for i, in_corpus in zip(held, seen, strict=True) if in_corpus]
        self._arms = np.concatenate([known, vectors])
        self._others: Floats | None = None
        self._place: dict[int, int] = {}
        self._blind: tuple[Any, Interval] | None = None

    def serves(self, subject: Subject) -> bool:
        """Whether these are the arms of this subject."""
        given = (subject.corpus, subject.holdout, subject.reference)
        return all(a is b for a, b in zip(self._given, given, strict=True))

    def guesses(self, items: Sequence[Row], pictures: Floats, masks: Any) -> Floats:
        """Complete pictures as somebody would who knows others of the kind, but not the model."""
        if self._others is None:
            self._others = self._elsewhere()
        places = [self._place.get(item["index"], -1) if item["arm"] == "holdout" else -1 for item in items]
        return by_nearest(pictures, masks, self._others, NEIGHBOURS, left_out=places)

    def _elsewhere(self) -> Floats:
        """Return the reference pictures that are in neither arm; where these are few, the holdout."""
        places, vectors, _ = _distinct(self.data[2], most=OTHERS)
        free = [i for i, v in zip(places, vectors, strict=True) if (distances(v[None], self._arms) >= SAME).all()]
        if len(free) >= MIN_OTHERS:
            return squares([self.data[2][i] for i in free])
        held = self.holdout[:OTHERS]
        self._place = {index: place for place, index in enumerate(held)}
        return squares([self.data[1][i] for i in held])

    def blind(self, members: Sequence[Row], others: Sequence[Row]) -> Interval:
        """Return how well these pictures of the corpus are told from these held-out ones without the model."""
        key = [sorted(row["index"] for row in rows) for rows in (members, others)]
        if self._blind is None or self._blind[0] != key:
            drawn = ([arm[i] for i in places] for arm, places in zip(self.data, key, strict=False))
            self._blind = (key, blind_pictures(*drawn))
        return self._blind[1]

    @property
    def note(self) -> str:
        """What was left out."""
        said = f" {self.repeated} near-duplicates within the corpus were left out." if self.repeated else ""
        if self.overlap:
            first = ", ".join(map(str, self.overlap[:10])) + (" …" if len(self.overlap) > 10 else "")
            said += f" {len(self.overlap)} held-out pictures are in the corpus too and were left out: number {first}."
        return said


def _distinct(pictures: Sequence[Any], most: int | None = None) -> tuple[list[int], NDArray[np.float32], int]:
    """Return the places and fingerprints of the first `most` pictures that can be read, each once; how many repeat."""
    places, vectors = [], [np.empty((0, 3 * 16 * 16), np.float32)]
    for i in range(len(pictures) if most is None else min(most, len(pictures))):
        with suppress(ContentError, ValueError):
            vectors.append(fingerprint(pictures[i])[None])
            places.append(i)
    all_of_them = np.concatenate(vectors)
    kept = distinct(all_of_them)
    return [places[int(k)] for k in kept], all_of_them[kept], len(places) - len(kept)


def squares(pictures: Sequence[Any]) -> Floats:
    """Return pictures as they are compared, (N, SIDE, SIDE, 3) in 0–1."""
    return np.stack([to_square(pictures[i], SIDE).astype(np.float32) for i in range(len(pictures))])
