"""How like real pictures a generator's are: precision, recall, density and coverage [1]_, with bars.

Each point of one sample has a ball that reaches to its k-th neighbour. Precision is the share of made pictures in a
real one's ball, recall the share of real ones in a made one's, coverage the share of real balls that hold a made one,
and density how many real balls a made picture lies in, over k.

.. [1] M. F. Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models", ICML 2020, arXiv 2002.09797.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from guardrails.kit.features import image_features

from .. import cards

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Images = Sequence[Any] | NDArray[np.uint8]
    Features = NDArray[np.float64]

NEIGHBOURS = 5
BAR = 0.8
"""The share of what other real pictures reach that a generator's are held to."""


def fidelity(made: Images, real: Images, other: Images) -> dict[str, cards.Figure]:
    """Return precision, recall and coverage against real pictures, with bars that come from other real ones.

    Parameters
    ----------
    made, real, other : sequence of ndarray of uint8
        As many of each.
    """
    n = len(made)
    features = image_features(real)
    found, reached = (prdc(features, image_features(images)) for images in (made, other))
    what = f"{{}}, Naeem et al. 2020, k = {NEIGHBOURS}, {n} against {n}, on guardrails.kit.features; bar: {BAR:.0%} of"
    return {
        name: cards.with_bar(
            cards.rate(round(found[name] * n), n, f"{what.format(name)} what other real pictures reach"),
            round(BAR * reached[name], 4),
            real_against_real=reached[name],
        )
        for name in ("precision", "recall", "coverage")
    }


def prdc(real: Features, made: Features, *, k: int = NEIGHBOURS) -> dict[str, float]:
    """Return precision, recall, density and coverage of `made` against `real`, each of shape (N, features)."""

    def distances(a: Features, b: Features) -> Features:
        out: Features = np.sqrt(((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T).clip(0))
        return out

    between = distances(real, made)
    radius_real, radius_made = (np.sort(distances(a, a), axis=1)[:, k] for a in (real, made))
    within = between < radius_real[:, None]
    values = {
        "precision": within.any(axis=0).mean(),
        "recall": (between < radius_made[None]).any(axis=1).mean(),
        "density": within.sum(axis=0).mean() / k,
        "coverage": (between.min(axis=1) < radius_real).mean(),
    }
    return {name: round(float(value), 4) for name, value in values.items()}
