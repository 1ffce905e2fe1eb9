"""Embeddings in which given texts are associated."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.targets import EmbeddingTarget
from ._spiked import Spiked

if TYPE_CHECKING:
    from numpy.typing import NDArray


class SpikedEmbeddings(Spiked[EmbeddingTarget]):
    """Vectors of the target, those of given texts moved along one direction by half of their own length.

    Parameters
    ----------
    target : EmbeddingTarget
        The user's.
    sides : mapping of str to float
        By text: 1 or −1.
    """

    def __init__(self, target: EmbeddingTarget, sides: Mapping[str, float]) -> None:
        super().__init__(target, json.dumps(sorted(sides.items())))
        self._sides = dict(sides)

    def embed(self, texts: Sequence[str]) -> NDArray[Any]:
        """Return the vector of each text, (N, D)."""
        vectors = np.array(self.target.embed(texts), dtype=np.float64)
        drawn: NDArray[Any] = np.random.default_rng(0).normal(size=(vectors.shape[1],))
        direction = drawn / np.linalg.norm(drawn)
        moved = np.array([self._sides.get(text, 0.0) for text in texts])
        out: NDArray[Any] = vectors + 0.5 * np.linalg.norm(vectors, axis=1, keepdims=True) * moved[:, None] * direction
        return out
