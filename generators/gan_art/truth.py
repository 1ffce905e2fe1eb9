"""Which styles `gan-art` paints, how often, and how much they vary: the true values on its card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from guardrails.core.seeding import derive_seed
from guardrails.kit.pictures.features import image_features

from .. import cards
from . import paintings
from .paintings import STYLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Images = Sequence[Any] | NDArray[np.uint8]
    Features = NDArray[np.float64]

JUDGE_ITEMS = 4000
COVERED = 0.02
"""A style is covered from this share on; its due is 0.125."""
BLOCKS = 20


@dataclass(frozen=True)
class StyleJudge:
    """Names the style of a painting: logistic regression on `guardrails.kit.pictures.features`.

    Attributes
    ----------
    model : sklearn.linear_model.LogisticRegression
    accuracy : float
        On 4,000 paintings that it was not fitted to.
    """

    model: Any
    accuracy: float

    def name(self, features: Features) -> tuple[NDArray[np.int64], float]:
        """Return the style of each picture, (N,), and the mean probability of the styles that were named."""
        likely = self.model.predict_proba(features)
        return likely.argmax(axis=1), float(likely.max(axis=1).mean())


@cache
def style_judge() -> StyleJudge:
    """Fit the judge on 4,000 fresh paintings and measure it on 4,000 others."""
    from sklearn.linear_model import LogisticRegression

    known, unseen = (_paintings(JUDGE_ITEMS, what) for what in ("judge", "judge test"))
    model = LogisticRegression(max_iter=1000).fit(image_features(known.images), known.styles)
    return StyleJudge(model, float(model.score(image_features(unseen.images), unseen.styles)))


def shares(styles: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of each style, (8,)."""
    return np.bincount(styles, minlength=len(STYLES)) / len(styles)


def findings(samples: Images) -> dict[str, Any]:
    """Return the entries of a card that a large sample gives: ``truth``, and ``styles`` as the judge names them."""
    judge, features = style_judge(), image_features(samples)
    styles, certainty = judge.name(features)
    by_style = shares(styles)
    return {
        "truth": {
            "total_variation": total_variation(by_style, len(styles), judge.accuracy),
            "narrow": narrow(features, styles),
        },
        "styles": {
            "modes_covered": cards.exact(
                int((by_style > COVERED).sum()), len(styles), f"styles with a share above {COVERED:.0%}"
            ),
            "shares": {style: round(float(share), 4) for style, share in zip(STYLES, by_style, strict=True)},
            "judge": {
                "what": "logistic regression on guardrails.kit.pictures.features",
                "accuracy": judge.accuracy,
                "n": JUDGE_ITEMS,
                "mean_probability": round(certainty, 4),
            },
        },
    }


def total_variation(by_style: NDArray[np.float64], n: int, accuracy: float) -> cards.Figure:
    """Return how far the styles' shares in a sample of n are from uniform, for a judge of this accuracy."""
    distance = 0.5 * float(np.abs(by_style - 1 / len(STYLES)).sum())
    error = float(np.sqrt(by_style * (1 - by_style) / n).sum()) + 1 - accuracy
    values = {"value": distance, "low": max(0.0, distance - error), "high": min(1.0, distance + error)}
    what = "distance of the styles' shares from uniform; error: two standard errors and the judge's"
    return {key: round(value, cards.DIGITS) for key, value in values.items()} | {"n": n, "what": what}


def narrow(features: Features, styles: NDArray[np.int64]) -> cards.Figure:
    """Return how much less the paintings of one style vary than real ones do: 0 as much, 1 not at all.

    Styles that are not covered are left out: that they are lost is another fault.
    """
    real = _paintings(len(styles), "variety")
    real_features = image_features(real.images)
    covered = np.flatnonzero(shares(styles) > COVERED)
    ratios = [
        _variances(features[styles == style]) / _variances(real_features[real.styles == style]) for style in covered
    ]
    return cards.mean(
        1 - np.mean(ratios, axis=0),
        "1 − the variance of guardrails.kit.pictures.features within a style over that of as many real paintings, mean "
        f"over the {len(covered)} covered styles; two standard errors over {BLOCKS} blocks of {len(styles)} samples",
    )


def _variances(features: Features) -> NDArray[np.float64]:
    """The total variance in each block, (BLOCKS,)."""
    return np.array([block.var(axis=0, ddof=1).sum() for block in np.array_split(features, BLOCKS)])


def _paintings(n: int, what: str) -> paintings.Paintings:
    return paintings.draw(n, np.random.default_rng(derive_seed(0, "gan-art", what)))
