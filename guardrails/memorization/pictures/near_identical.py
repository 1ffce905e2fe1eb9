"""Outputs that are one picture: a distance by tiles, the graph of those that are alike, and its cliques.

Carlini et al. [1]_ (§4.2) tell that a model knows a picture by heart from its outputs alone: they cut pictures into 16
tiles, call two alike where the *largest* distance of two tiles is small (large equal backgrounds make a mean distance
small), and look for cliques in the graph of outputs that are alike, of 10 or more among 500 from one prompt. Here
pictures are compared as fingerprints, (16, 16, 3) of length 1; with t over 4 × 4 tiles::

    d(a, b) = 4 max_t ‖a_t − b_t‖ ≥ ‖a − b‖

equal where the tiles differ equally. Where ‖a − b‖ is r, the correlation of the two is 1 − r²/2.

Two statistics follow from the graph of n outputs, and both are symmetric functions of independent draws:

- the share of outputs in a clique of at least k = 3. Two real pictures are alike by chance, with probability q; among n
  there are then about n² q / 2 pairs, but n³ q² / 6 triples, if being alike were independent: next to none;
- the collision rate, Σ p² over the pictures that come with probability p. Its inverse is the number of equally likely
  pictures that collide as often; the birthday test of [2]_ tells it, crudely, from the size at which a batch has even
  odds of a pair, which is about its square root.

Their variance is that of the jackknife, which in expectation is never too small for such functions, however the outputs
in a clique hang together [3]_. It makes an effective number of trials for Wilson's interval: no fewer than n / k, since
what comes at once is a clique of k, and for the share no more than n. Of a collision rate c the variance is at least
2 c (1 − c) / n (n − 1), what is left of it where all pictures are equally likely [4]_.

.. [1] N. Carlini et al., "Extracting Training Data from Diffusion Models", USENIX Security 2023, arXiv:2301.13188.
.. [2] S. Arora and Y. Zhang, "Do GANs actually learn the distribution? An empirical study", arXiv:1706.08224.
.. [3] B. Efron and C. Stein, "The Jackknife Estimate of Variance", Annals of Statistics 9 (1981) 586–596.
.. [4] W. Hoeffding, "A Class of Statistics with Asymptotically Normal Distribution", Annals of Mathematical Statistics
   19 (1948) 293–325: σ²(U) for m = 2 with ζ₁ = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.statistics import Interval, clopper_pearson
from ...core.statistics.intervals import score_interval
from .fingerprints import SIDE, distances, distinct, fingerprint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Edges = NDArray[np.bool_]

K = 3
"""The smallest clique that counts."""
TILES = 4
"""Along each side."""
FIXED = 0.2
"""Where no real pictures are given: at this distance two pictures look the same at 16 × 16 pixels, whatever they show;
correlation .98 or more."""
LOOSEST = 0.4
"""No more is called alike, however different real pictures are: correlation .92 or more."""
MIN_REAL, MAX_REAL = 200, 1000
_CONTENT = 0.999
"""Shorter fingerprints are of pictures with next to no contrast."""
_BLOCK = 512


def tilewise(queries: Vectors, corpus: Vectors) -> Vectors:
    """Return d(a, b) of each query and each vector of the corpus, (Q, N)."""
    a, b = _tiles(queries), _tiles(corpus)
    out = np.zeros((len(queries), len(corpus)), np.float32)
    for start in range(0, len(queries), _BLOCK):
        here = out[start : start + _BLOCK]  # a view
        for t in range(TILES**2):
            np.maximum(here, distances(a[t, start : start + _BLOCK], b[t]), out=here)
    return TILES * out


def _tiles(vectors: Vectors) -> Vectors:
    """(N, 768) → (16, N, 48)."""
    side = SIDE // TILES
    cut = vectors.reshape(len(vectors), TILES, side, TILES, side, 3).transpose(1, 3, 0, 2, 4, 5)
    return np.ascontiguousarray(cut).reshape(TILES**2, len(vectors), 3 * side**2)


def has_content(vectors: Vectors) -> Edges:
    """Tell which fingerprints (N, 768) are of pictures that show anything: blank ones are all alike."""
    out: Edges = np.linalg.norm(vectors, axis=1) >= _CONTENT
    return out


def graph(vectors: Vectors, threshold: float) -> Edges:
    """Return which two vectors are alike, (N, N): symmetric, none with itself."""
    edges: Edges = tilewise(vectors, vectors) < threshold
    edges |= edges.T  # rounding
    np.fill_diagonal(edges, False)
    return edges


def in_cliques(edges: Edges) -> tuple[Edges, NDArray[np.int64]]:
    """Return which nodes lie in a clique of at least three, and how many would lie in none without each node.

    A node lies in such a clique if and only if it lies in a triangle, so no clique has to be searched for.

    >>> square = np.ones((4, 4), bool) & ~np.eye(4, dtype=bool)
    >>> in_cliques(square)[0].sum(), in_cliques(square)[1].tolist()
    (np.int64(4), [1, 1, 1, 1])
    """
    inside, lost = np.zeros(len(edges), bool), np.zeros(len(edges), np.int64)
    few = np.flatnonzero(edges.sum(axis=1) >= K - 1)  # the others cannot be in one
    a = edges[np.ix_(few, few)].astype(np.float32)
    shared = (a @ a) * a  # triangles over each edge
    triangles = shared.sum(axis=1, dtype=np.float64) / 2
    inside[few] = triangles > 0
    depends = (shared == triangles[:, None]) & (shared > 0)  # all triangles of the row's node hold the column's
    lost[few] = inside[few] + depends.sum(axis=0)
    return inside, lost


def share_in_cliques(edges: Edges) -> Interval:
    """Return the share of outputs in a clique of at least `K`, of as many outputs as these; at least 3 nodes.

    Without any two that are alike, what bounds it is a picture so frequent that it would have come twice.
    """
    n, (inside, lost) = len(edges), in_cliques(edges)
    share = float(inside.mean())
    if not edges.any():
        return Interval(0.0, 0.0, clopper_pearson(1, n).high)
    if share in (0.0, 1.0):
        return score_interval(share, n / K if share == 0 else n, confidence=0.95)
    variance = _jackknife((inside.sum() - lost) / (n - 1))
    return score_interval(share, min(max(share * (1 - share) / variance, n / K), n), confidence=0.95)


def collision_rate(edges: Edges) -> Interval:
    """Return the chance that two outputs are alike; at least 3 nodes.

    The interval is that of its square root, which for a single frequent picture is the probability of that picture.
    """
    n, degree = len(edges), edges.sum(axis=1)
    rate = float(degree.sum() / (n * (n - 1)))
    if rate == 0:
        return Interval(0.0, 0.0, clopper_pearson(1, n).high ** 2)
    root, variance = sqrt(rate), _jackknife((degree.sum() - 2 * degree) / ((n - 1) * (n - 2)))
    variance = max(variance, 2 * rate * (1 - rate) / (n * (n - 1))) / (4 * rate)  # of the root
    trials = n if rate == 1 else max(root * (1 - root) / variance, n / 2)
    _, low, high = score_interval(root, trials, confidence=0.95)
    return Interval(rate, min(low**2, rate), max(high**2, rate))


def _jackknife(left_out: NDArray[np.float64]) -> float:
    """The variance of a statistic from its values with each item left out."""
    n = len(left_out)
    return float((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum())


def cliques(edges: Edges) -> list[list[int]]:
    """Return disjoint cliques of at least `K`, the largest first; of each, the node with most neighbours in it first.

    Greedy, as the largest clique is hard to find: where being alike is transitive, as with copies of one picture, these
    are all there are.
    """
    out: list[list[int]] = []
    left, degree = edges.copy(), edges.sum(axis=1)
    while degree.max(initial=0) >= K - 1:
        first = int(degree.argmax())
        near = np.flatnonzero(left[first])
        order = near[np.argsort(-left[np.ix_(near, near)].sum(axis=1), kind="stable")]
        clique, allowed = [first], left[first].copy()
        for node in order.tolist():
            if allowed[node]:
                clique.append(node)
                allowed &= left[node]
        gone = clique if len(clique) >= K else [first]  # else it lies in no triangle
        out += [clique] if len(clique) >= K else []
        degree -= left[gone].sum(axis=0)
        degree[gone] = 0
        left[gone] = False
        left[:, gone] = False
    return sorted(out, key=lambda clique: (-len(clique), clique[0]))


@dataclass(frozen=True)
class Likeness:
    """How near two pictures are that count as one, and real pictures to hold the outputs against."""

    threshold: float
    kind: str = ""
    """Which real pictures set the threshold: ``reference``, ``holdout``, ``corpus``, or none."""
    pairs: int = 0
    """How many pairs of real pictures lie no nearer than the threshold."""
    check: Vectors | None = None
    """Fingerprints (M, 768) of the real pictures that the threshold was not set on."""

    @classmethod
    def of(cls, given: Sequence[tuple[str, Any]]) -> Likeness:
        """Return the smallest distance within one half of the first real pictures that are enough; else `FIXED`.

        Parameters
        ----------
        given : sequence of (name, pictures or None)
            Of the pictures at most `MAX_REAL` are read, evenly over all of them. The same picture saved twice counts
            once, blank ones not at all.
        """
        for kind, pictures in given:
            if pictures is None or len(pictures) < MIN_REAL:
                continue
            places = np.linspace(0, len(pictures) - 1, min(len(pictures), MAX_REAL)).astype(int)
            vectors = np.stack([fingerprint(pictures[int(i)]) for i in places])  # one at a time, however large
            vectors = vectors[has_content(vectors)]
            vectors = vectors[distinct(vectors)]
            if len(vectors) >= MIN_REAL:
                order = np.random.default_rng(0).permutation(len(vectors))
                half, check = vectors[order[::2]], vectors[order[1::2]]
                apart = tilewise(half, half)[np.triu_indices(len(half), 1)]
                return cls(min(LOOSEST, float(apart.min())), kind, len(apart), check)
        return cls(FIXED)
