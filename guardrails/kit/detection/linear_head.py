"""A linear head on several descriptors that differ in length: each counts as one, and each one's share can be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Blocks = Mapping[str, Array]

PENALTY = 3.0
"""Chosen on the public media corpus between 1 and 10, where it hardly matters; see `benchmarks/deepfake/media.py`."""
TRACES_SHARE = 0.5
"""What the descriptors of traces count for beside a view of an encoder, which tells more by itself. Chosen on the same
corpus among 1, ½ and ¼: families left out have a mean AUC of .89, .90 and .90, the worst .72, .70 and .67."""
FLAT = 1e-3
"""A number that varies less than this is taken to vary so much: what it does elsewhere is no evidence."""


@dataclass(frozen=True)
class Head:
    """score = Σ over blocks of coefficients · (block − mean) / scale, plus intercept; larger is more synthetic."""

    mean: Mapping[str, Array]
    scale: Mapping[str, Array]
    coefficients: Mapping[str, Array]
    intercept: float

    @classmethod
    def fit(
        cls, blocks: Blocks, labels: NDArray[np.int64], weights: Array | None = None, *, penalty: float = PENALTY
    ) -> Head:
        """Fit by ridge regression of ±1: Fisher's discriminant with a shrunken covariance (Hastie et al. 1995).

        Every number is standardised and divided by the root of its block's length, so that a block of 676 numbers and
        one of 32 vary as much and are shrunken alike.

        Parameters
        ----------
        blocks : mapping of str to array
            Name → (N, D) with D its own, all finite.
        labels : array of int
            (N,), 1 = synthetic, both present.
        weights : array, optional
            (N,), with mean 1; see `protocol.weights_of`.
        penalty : float
            Added to the diagonal of the weighted scatter.
        """
        w = np.ones(len(labels)) if weights is None else weights
        mean = {name: np.average(x, axis=0, weights=w) for name, x in blocks.items()}
        scale = {
            name: np.maximum(x.std(axis=0, dtype=np.float64), FLAT) * x.shape[1] ** 0.5 for name, x in blocks.items()
        }
        root, signs = np.sqrt(w), np.where(labels == 1, 1.0, -1.0)
        middle = float(np.average(signs, weights=w))
        z = np.concatenate([(blocks[name] - mean[name]) / scale[name] for name in blocks], axis=1)
        beta = _ridge(z * root[:, None], (signs - middle) * root, penalty)
        ends = np.cumsum([len(mean[name]) for name in blocks])
        parts = dict(zip(blocks, np.split(beta, ends[:-1]), strict=True))
        return cls(mean, scale, parts, middle)

    @classmethod
    def fit_members(cls, blocks: Blocks, labels: NDArray[np.int64], weights: Array | None = None) -> Head:
        """Fit a head to each member and add them, the spread of each one's scores being its share: see `share_of`.

        Members are named by their blocks: see `member_of`.
        """
        parts = []
        for member in dict.fromkeys(map(member_of, blocks)):
            member_blocks = {name: x for name, x in blocks.items() if member_of(name) == member}
            head = cls.fit(member_blocks, labels, weights)
            parts.append((head, max(float(head.score(member_blocks).std()), FLAT) / share_of(member)))
        return cls(
            {name: x for head, _ in parts for name, x in head.mean.items()},
            {name: x for head, _ in parts for name, x in head.scale.items()},
            {name: x / spread for head, spread in parts for name, x in head.coefficients.items()},
            sum(head.intercept / spread for head, spread in parts),
        )

    def shares(self, blocks: Blocks) -> dict[str, Array]:
        """How much each block adds to the scores, (N,) each."""
        return {
            name: (blocks[name] - self.mean[name]) / self.scale[name] @ beta for name, beta in self.coefficients.items()
        }

    def score(self, blocks: Blocks) -> Array:
        """(N, D) for each block → (N,)."""
        out: Array = np.sum(list(self.shares(blocks).values()), axis=0) + self.intercept
        return out

    def strangeness(self, blocks: Blocks) -> Array:
        """Largest root mean square of a standardised block, (N,): about 1 for what it was fitted to."""
        rows = [np.sqrt((((blocks[n] - self.mean[n]) / self.scale[n]) ** 2).sum(axis=1)) for n in self.coefficients]
        out: Array = np.max(rows, axis=0)
        return out


def member_of(block: str) -> str:
    """Return the member that a block belongs to: what stands before its slash.

    >>> member_of("whole/8"), member_of("spectrum")
    ('whole', '')
    """
    return block.rpartition("/")[0]


def share_of(member: str) -> float:
    """Return the spread of a member's part in the score.

    >>> share_of("whole"), share_of("")
    (1.0, 0.5)
    """
    return 1.0 if member else TRACES_SHARE


def _ridge(a: Array, b: Array, penalty: float) -> Array:
    """Solve with the smaller of the two Gram matrices."""
    n, d = a.shape
    if d <= n:
        return np.asarray(np.linalg.solve(a.T @ a + penalty * np.eye(d), a.T @ b), dtype=np.float64)
    return np.asarray(a.T @ np.linalg.solve(a @ a.T + penalty * np.eye(n), b), dtype=np.float64)
