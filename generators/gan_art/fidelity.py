"""How like real pictures a generator's are: precision, recall and coverage [1]_, with bars.

.. [1] M. F. Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models", ICML 2020, arXiv 2002.09797.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from guardrails.kit.pictures.features import image_features
from guardrails.kit.precision_recall import Prdc, pairwise, prdc

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
    of_made, reached = (_prdc(features, image_features(images)) for images in (made, other))
    what = (
        f"{{}}, Naeem et al. 2020, k = {NEIGHBOURS}, {n} against {n}, on guardrails.kit.pictures.features; "
        f"bar: {BAR:.0%} of"
    )
    return {
        name: cards.with_bar(
            cards.rate(round(getattr(of_made, name) * n), n, f"{what.format(name)} what other real pictures reach"),
            round(BAR * round(getattr(reached, name), 4), 4),
            real_against_real=round(getattr(reached, name), 4),
        )
        for name in ("precision", "recall", "coverage")
    }


def _prdc(real: Features, made: Features) -> Prdc:
    return prdc(pairwise(real, real), pairwise(made, made), pairwise(real, made), NEIGHBOURS)
