"""Heads of detectors that are fitted anew within a benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...kit.detection.linear_head import Head
from ...kit.detection.protocol import weights_of
from .scores import Scores
from .tables import Parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Places = NDArray[np.intp]


class Refits:
    """Fits heads and scores with them; the last one is kept, since several changes and families ask for it in turn.

    Parameters
    ----------
    scores : Scores
        With the blocks of every picture.
    parts : Parts
    least : int
        Pictures of each class that the detector can describe, without which nothing is fitted.
    """

    def __init__(self, scores: Scores, parts: Parts, least: int) -> None:
        self.scores, self.parts, self.least = scores, parts, least
        self._last: tuple[Any, Head | None] | None = None

    def __call__(self, name: str, fit: Places, rows: Places, change: str) -> Array:
        """Return scores of rows under a change by a head that was fitted to unchanged pictures.

        NaN for what the detector cannot describe, and everywhere where too little is left to fit to.
        """
        key = (name, fit.tobytes())
        if self._last is None or self._last[0] != key:
            self._last = (key, self._fitted(name, fit))
        out, head = np.full(len(rows), np.nan), self._last[1]
        there = self._there(name, change, rows)
        if head is not None and there.any():
            out[there] = head.score(self._blocks(name, change, rows[there]))
        return out

    def _fitted(self, name: str, fit: Places) -> Head | None:
        rows = fit[self._there(name, "none", fit)]
        labels = self.parts.labels[rows]
        if min(np.bincount(labels, minlength=2)) < self.least:
            return None
        weights = weights_of(labels, [self.parts.sources[i] for i in rows.tolist()])
        return Head.fit_members(self._blocks(name, "none", rows), labels, weights)

    def _there(self, name: str, change: str, rows: Sequence[int] | Places) -> NDArray[np.bool_]:
        blocks = self.scores.blocks[name, change]
        return np.array([blocks[i] is not None for i in rows], dtype=bool)

    def _blocks(self, name: str, change: str, rows: Places) -> dict[str, Array]:
        several = [one for i in rows.tolist() if (one := self.scores.blocks[name, change][i]) is not None]
        return {block: np.stack([one[block] for one in several]).astype(np.float64) for block in several[0]}
