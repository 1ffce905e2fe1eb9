"""Copied regions: a window of an output that is far nearer to a window of one training picture than to others.

Carlini et al. 2023 (arXiv 2301.13188, section 4.1) compare large pictures by the *largest* distance over tiles, lest a
shared background pass for a copy: it finds whole pictures. Here the *least* ratio over windows counts, so that one
copied region is enough; a shared background is harmless, because the windows of many training pictures are then about
equally near and the ratio stays near 1. Windows are six of sixteen cells wide, so that any quarter of a training
picture, pasted at its own scale, holds one whole; flat ones say nothing and are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...kit.pictures.features import to_square
from .copy_threshold import Match

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Places = NDArray[np.int64]

CELLS, WINDOW = 16, 6
"""Cells along a picture's side, and along a window's."""
STEP = 4
"""Training pictures are cut every two cells; places are counted in halves of a cell."""
ACROSS = 2 * (CELLS - WINDOW) + 1
KEPT = 32
"""Principal components of a window that are compared."""
FLAT = 0.05
"""A window with a smaller root mean square about its mean (black 0, white 1) says nothing."""
NEIGHBOURS = 50
REFINED = 8
"""The likeliest windows, which are moved by half a cell to where they fit best and then compared in full."""
YARDSTICK = 512
MOST = 20_000
"""Of a larger corpus this many pictures are compared."""
_BLOCK = 2048
"""Tiles at a time: what they are multiplied into stays in the cache."""


def windows(image: Any) -> tuple[Vectors, NDArray[np.bool_]]:
    """Return the windows of a picture at steps of half a cell, (441, 108) of length 1, and which are not flat."""
    quarters = to_square(image, 4 * CELLS).reshape(2 * CELLS, 2, 2 * CELLS, 2, 3).mean(axis=(1, 3)).astype(np.float32)
    cells = (quarters[:-1, :-1] + quarters[1:, :-1] + quarters[:-1, 1:] + quarters[1:, 1:]) / 4
    span = 2 * WINDOW - 1
    cut = np.lib.stride_tricks.sliding_window_view(cells, (span, span), axis=(0, 1))[..., ::2, ::2]
    vectors = cut.reshape(ACROSS**2, 3, WINDOW**2)
    vectors = (vectors - vectors.mean(axis=2, keepdims=True)).reshape(ACROSS**2, -1)
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(norm, 1e-6), norm[:, 0] >= FLAT * np.sqrt(vectors.shape[1])


_PLACES = np.arange(ACROSS**2).reshape(ACROSS, ACROSS)
_CUT = _PLACES[::STEP, ::STEP].ravel()
_LOOKED_AT = _PLACES[::2, ::2].ravel()


@dataclass(frozen=True)
class TileIndex:
    """Windows of training pictures, to look copied regions up in."""

    table: Vectors
    """(33, T): see `_table`."""
    place: Places
    """Which picture each tile is of."""
    basis: Vectors
    pictures: int
    """How many training pictures were cut."""

    @classmethod
    def build(cls, corpus: Sequence[Any], places: Places) -> TileIndex | None:
        """Cut the pictures of a corpus at some places; None where nearly all of their windows are flat."""
        if len(places) > MOST:
            places = np.sort(np.random.default_rng(0).choice(places, MOST, replace=False))
        cut, of = [], []
        for place in places:
            vectors, textured = windows(corpus[int(place)])
            picture_tiles = vectors[_CUT[textured[_CUT]]]
            cut.append(picture_tiles.astype(np.float16))
            of.append(np.full(len(picture_tiles), place))
        tiles = np.concatenate(cut)
        if len(tiles) < YARDSTICK:
            return None
        scatter = np.zeros((tiles.shape[1],) * 2)
        for start in range(0, len(tiles), _BLOCK):
            part = tiles[start : start + _BLOCK].astype(np.float32)
            scatter += part.T @ part
        basis = np.linalg.eigh(scatter)[1][:, -KEPT:].astype(np.float32)
        projected = [tiles[i : i + _BLOCK].astype(np.float32) @ basis for i in range(0, len(tiles), _BLOCK)]
        return cls(_table(np.concatenate(projected)), np.concatenate(of).astype(np.int64), basis, len(places))

    def look_up(self, image: Any) -> Match:
        """Return the least ratio of a picture's windows, at most 1, and the place of the picture that it is to."""
        vectors, textured = windows(image)
        vectors = vectors @ self.basis
        looked_at = _LOOKED_AT[textured[_LOOKED_AT]]
        if not len(looked_at):
            return Match(1.0, int(self.place[0]))
        distance, tile = self._nearest(vectors[looked_at], 1)
        some = self.table[:, :: max(1, self.table.shape[1] // YARDSTICK)]
        usual = (vectors[looked_at] ** 2).sum(1) - 2 * (_with(vectors[looked_at], 1) @ some).mean(1)
        likely = np.argsort(distance[:, 0] ** 2 / np.maximum(usual, 1e-6), kind="stable")[:REFINED]
        fitted = {_fitted(int(looked_at[i]), self.table[:-1, tile[i, 0]], vectors, textured) for i in likely}
        distance, tile = self._nearest(vectors[sorted(fitted)], NEIGHBOURS)
        ratios = distance.min(1) / np.maximum(distance.mean(1), 1e-6)
        best = int(ratios.argmin())
        return Match(float(ratios[best]), int(self.place[tile[best, distance[best].argmin()]]))

    def _nearest(self, vectors: Vectors, k: int) -> tuple[Vectors, Places]:
        """Return the distances to the k nearest tiles, and which they are, (N, k), in no order."""
        closeness, tile = np.empty((len(vectors), 0), np.float32), np.empty((len(vectors), 0), np.int64)
        for start in range(0, self.table.shape[1], _BLOCK):
            c, near = _largest(_with(vectors, 1) @ self.table[:, start : start + _BLOCK], k)
            closeness, tile = np.concatenate([closeness, c], 1), np.concatenate([tile, start + near], 1)
        closeness, which = _largest(closeness, k)
        squared = (vectors**2).sum(1)[:, None] - 2 * closeness
        return np.sqrt(np.maximum(squared, 0)), np.take_along_axis(tile, which, 1)


def _table(tiles: Vectors) -> Vectors:
    """(T, K) → (K + 1, T). A vector v, 1 times it is v·t − |t|²/2, which falls as |v − t|² grows."""
    return np.ascontiguousarray(_with(tiles, -(tiles**2).sum(1)[:, None] / 2).T)


def _with(vectors: Vectors, column: Any) -> Vectors:
    filled = np.broadcast_to(np.asarray(column, np.float32), (len(vectors), 1))
    return np.concatenate([vectors, filled], axis=1)


def _largest(values: Vectors, k: int) -> tuple[Vectors, Places]:
    """Return the k largest of each row and where they are, in no order."""
    k = min(k, values.shape[1])
    where = values.argmax(1)[:, None] if k == 1 else np.argpartition(values, -k, axis=1)[:, -k:]
    return np.take_along_axis(values, where, 1), where


def _fitted(window: int, tile: Vectors, vectors: Vectors, textured: NDArray[np.bool_]) -> int:
    """Of a window and those half a cell away, return the one that is nearest to a tile."""
    row, column = divmod(window, ACROSS)
    around = _PLACES[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].ravel()
    around = around[textured[around]]
    return int(around[((vectors[around] - tile) ** 2).sum(1).argmin()])
