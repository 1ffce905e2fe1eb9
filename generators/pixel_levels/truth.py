"""What is true of the outputs of `pixel-levels`: how many are copies, and how good the others are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from .. import cards
from . import levels
from .levels import COLUMNS, KINDS, ROWS, TILES, variants

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..cards import Figure
    from .levels import Levels, Tiles

    Floats = NDArray[np.float64]

LEVELS = KINDS[:3]
"""The kinds that can be played."""
FRESH = 5000
"""How many fresh levels of each kind say what agrees by chance."""
TERRAIN = KINDS.index("terrain")
LAGS = (1, 2, 4, 8)
MARKOV_LEVELS = 20_000
"""How many levels the baseline learns from."""
BARS = {"playable": 0.8, "bits_per_tile": 0.7, "patterns": 0.013, "terrain": 0.15}
BORDER = len(TILES)


def agreement(tiles: Tiles, corpus: Tiles) -> Floats:
    """Return the greatest share of tiles that each level has in common with one of the corpus, (N,).

    Parameters
    ----------
    tiles, corpus : ndarray of uint8
        (N, rows, columns) and (M, rows, columns). To look for mirrored and re-skinned copies too, give
        ``levels.variants(corpus)`` with its first two axes joined.
    """

    def one_hot(x: Tiles) -> NDArray[np.float32]:
        hot: NDArray[np.bool_] = x.reshape(len(x), -1, 1) == known
        return hot.reshape(len(x), -1).astype(np.float32)

    known = np.unique(corpus)
    pool, size = one_hot(corpus).T, corpus[0].size
    best = [np.empty(0)]
    for start in range(0, len(tiles), 1000):
        best.append((one_hot(tiles[start : start + 1000]) @ pool).max(1) / size)
    return np.concatenate(best)


def agreements(drawn: Levels, corpus: Levels) -> Floats:
    """Return the agreement of each level with the corpus's levels of its kind: as they are, mirrored, re-skinned."""
    out = np.zeros(len(drawn.tiles))
    for kind in range(len(KINDS)):
        known = variants(corpus.tiles[corpus.kinds == kind]).reshape(-1, ROWS, COLUMNS)
        out[drawn.kinds == kind] = agreement(drawn.tiles[drawn.kinds == kind], known)
    return out


@cache
def thresholds(corpus: bytes, kinds: bytes, n: int) -> Floats:
    """Return for each kind the agreement that none of n fresh levels exceeds; the arrays are given as bytes."""
    # As bytes they can be a key of the cache: every dose asks for the same.
    known = levels.Levels(np.frombuffer(corpus, np.uint8).reshape(-1, ROWS, COLUMNS), np.frombuffer(kinds, np.int64))
    rng = np.random.default_rng(0)
    fresh = levels.draw(n * len(KINDS), rng, kinds=np.repeat(np.arange(len(KINDS)), n))
    highest: Floats = agreements(fresh, known).reshape(len(KINDS), n).max(1)
    return highest


def copies(drawn: Levels, corpus: Levels) -> NDArray[np.bool_]:
    """Return which levels agree with one of the corpus in more tiles than any fresh level of their kind does, (N,)."""
    limits = thresholds(corpus.tiles.tobytes(), corpus.kinds.tobytes(), FRESH)
    copied: NDArray[np.bool_] = agreements(drawn, corpus) > limits[drawn.kinds]
    return copied


def copy_share(drawn: Levels, corpus: Levels) -> Figure:
    """Return the share of copies for the card, with the thresholds."""
    limits = thresholds(corpus.tiles.tobytes(), corpus.kinds.tobytes(), FRESH)
    copied = copies(drawn, corpus)
    what = (
        "share of samples that agree with a training level, as it is, mirrored or re-skinned, in more tiles than any"
        f" of {FRESH} fresh levels of their kind does; 95% Wilson interval"
    )
    shares = {kind: round(float(limits[k]), 5) for k, kind in enumerate(KINDS)}
    return cards.rate(int(copied.sum()), len(copied), what) | {"thresholds": shares}


def playable_share(drawn: Levels) -> Figure:
    """Return the share of levels, terrain apart, that can be played."""
    are = drawn.kinds < len(LEVELS)
    can = levels.playable(drawn.tiles[are])
    by_kind = {kind: round(float(can[drawn.kinds[are] == k].mean()), 4) for k, kind in enumerate(LEVELS)}
    what = "share of sampled levels with one start, one exit and a way between them; 95% Wilson interval"
    return cards.rate(int(can.sum()), len(can), what) | {"kinds": by_kind}


def pattern_divergence(a: Tiles, b: Tiles) -> float:
    """Return the Jensen–Shannon divergence of 2 × 2 tile patterns, in bits (after Lucas and Volz 2019, 1905.05077)."""

    def patterns(tiles: Tiles) -> NDArray[np.int64]:
        x = tiles.astype(np.int64)
        code = ((x[:, :-1, :-1] * 20 + x[:, :-1, 1:]) * 20 + x[:, 1:, :-1]) * 20 + x[:, 1:, 1:]
        return np.bincount(code.ravel(), minlength=20**4)

    p, q = (patterns(x) / patterns(x).sum() for x in (a, b))
    middle = (p + q) / 2
    return sum(float((x[x > 0] * np.log2(x[x > 0] / middle[x > 0])).sum()) / 2 for x in (p, q))


def variogram(tiles: Tiles) -> Floats:
    """Return the mean squared difference of heights 1, 2, 4 and 8 tiles apart, over rows and columns, (4,)."""
    x = tiles.astype(float)
    across = [(x[:, :, lag:] - x[:, :, :-lag]) ** 2 for lag in LAGS]
    down = [(x[:, lag:] - x[:, :-lag]) ** 2 for lag in LAGS]
    return np.array([np.concatenate([a.ravel(), b.ravel()]).mean() for a, b in zip(across, down, strict=True)])


def quality(drawn: Levels, fresh: Levels, bits: Floats, *, seed: int) -> dict[str, Figure]:
    """Return what the card says of quality: each figure beside its bar, that of fresh levels and the Markov model's.

    Parameters
    ----------
    drawn, fresh : Levels
        Samples, and as many levels of the law that nothing learnt from.
    bits : ndarray
        Mean −log₂ p per tile of each fresh level, given its kind.
    seed : int
        Of the levels that the Markov model learns from, and of its samples.
    """
    rng = np.random.default_rng(seed)
    many = levels.draw(MARKOV_LEVELS, rng)
    markov = Markov(many)
    simple = markov.sample(drawn.kinds, rng)

    def patterns(x: Levels) -> Floats:
        expected = many.tiles[many.kinds != TERRAIN]
        return np.array([pattern_divergence(part, expected) for part in _quarters(x.tiles[x.kinds != TERRAIN])])

    def roughness(x: Levels) -> Floats:
        expected = variogram(many.tiles[many.kinds == TERRAIN])
        parts = _quarters(x.tiles[x.kinds == TERRAIN])
        return np.array([np.abs(variogram(part) / expected - 1).max() for part in parts])

    def compared(what: Callable[[Levels], Floats]) -> dict[str, float]:
        return {name: round(float(what(x).mean()), 5) for name, x in (("law", fresh), ("markov", simple))}

    return {
        "playable": cards.with_bar(
            playable_share(drawn), BARS["playable"], law=1.0, markov=playable_share(simple)["value"]
        ),
        "bits_per_tile": cards.with_bar(
            cards.mean(bits, "−log2 p(tile | earlier tiles, kind) of fresh levels, mean; two standard errors"),
            BARS["bits_per_tile"],
            higher_is_better=False,
            markov=round(markov.bits(fresh), 5),
        ),
        "patterns": cards.with_bar(
            cards.mean(
                patterns(drawn),
                "Jensen–Shannon divergence of 2 × 2 tile patterns from 20,000 fresh levels, bits, of quarters of the"
                " sampled levels; two standard errors",
            ),
            BARS["patterns"],
            higher_is_better=False,
            **compared(patterns),
        ),
        "terrain": cards.with_bar(
            cards.mean(
                roughness(drawn),
                "greatest relative error of the mean squared difference of heights 1, 2, 4, 8 tiles apart, of quarters"
                " of the terrain; two standard errors",
            ),
            BARS["terrain"],
            higher_is_better=False,
            **compared(roughness),
        ),
    }


def _quarters(tiles: Tiles) -> list[Tiles]:
    return np.array_split(tiles, 4)


class Markov:
    """A two-dimensional Markov model of tiles: the baseline that a network has to beat.

    Each tile is drawn given its kind of level and four neighbours: west, north, north-west and north-east. As in
    `generators.gpt_text.ngram`, each order trusts itself the more, the less often it was new (Witten and Bell)::

        P(x | h) = (c(hx) + t(h) · P(x | shorter h)) / (c(h) + t(h))

    Parameters
    ----------
    drawn : Levels
        To learn from.
    """

    def __init__(self, drawn: Levels) -> None:
        sizes = [len(KINDS) * (BORDER + 1) ** k for k in (0, 2, 4)]
        self.counts = [np.zeros((size, BORDER), np.int32) for size in sizes]
        for counts, context in zip(self.counts, self._contexts(drawn), strict=True):
            np.add.at(counts, (context.ravel(), drawn.tiles.ravel()), 1)

    @staticmethod
    def _contexts(drawn: Levels, rows: slice = slice(None), columns: slice = slice(None)) -> list[NDArray[np.int64]]:
        """The number of each tile's context, for contexts of no, two and four neighbours."""
        x = np.pad(drawn.tiles.astype(np.int64), ((0, 0), (1, 0), (1, 1)), constant_values=BORDER)
        west, north = x[:, 1:, :-2], x[:, :-1, 1:-1]
        north_west, north_east = x[:, :-1, :-2], x[:, :-1, 2:]
        code, base = drawn.kinds[:, None, None] + np.zeros_like(west), BORDER + 1
        near = (code * base + west) * base + north
        return [c[:, rows, columns] for c in (code, near, (near * base + north_west) * base + north_east)]

    def _chances(self, contexts: Sequence[NDArray[np.int64]]) -> Floats:
        p = np.full(1, 1 / BORDER)
        for counts, context in zip(self.counts, contexts, strict=True):
            seen = counts[context]
            new = np.maximum((seen > 0).sum(-1, keepdims=True), 1)
            p = (seen + new * p) / (seen.sum(-1, keepdims=True) + new)
        return p

    def bits(self, drawn: Levels) -> float:
        """Return the mean of −log₂ P over all tiles."""
        p = np.take_along_axis(self._chances(self._contexts(drawn)), drawn.tiles[..., None].astype(np.int64), -1)
        return float(-np.log2(p).mean())

    def sample(self, kinds: NDArray[np.int64], rng: np.random.Generator) -> Levels:
        """Draw a level of each kind given, tile by tile."""
        out = levels.Levels(np.zeros((len(kinds), ROWS, COLUMNS), np.uint8), kinds)
        for r in range(ROWS):
            for c in range(COLUMNS):
                p = self._chances(self._contexts(out, slice(r, r + 1), slice(c, c + 1)))[:, 0, 0]
                out.tiles[:, r, c] = (p.cumsum(1) < rng.random((len(kinds), 1))).sum(1).clip(max=BORDER - 1)
        return out
