"""Which styles `gan-art` paints, and how like the real paintings: the true values on its card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from guardrails.core.seeding import derive_seed
from guardrails.kit.features import image_features

from . import paintings
from .paintings import STYLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Images = Sequence[Any] | NDArray[np.uint8]
    Features = NDArray[np.float64]

JUDGE_ITEMS = 4000
COVERED = 0.02
"""A style is covered from this share on; its due is 0.125."""
NEIGHBOURS = 5


@dataclass(frozen=True)
class StyleJudge:
    """Names the style of a painting: logistic regression on `guardrails.kit.features`.

    Attributes
    ----------
    model : sklearn.linear_model.LogisticRegression
    accuracy : float
        On 4,000 paintings that it was not fitted to.
    """

    model: Any
    accuracy: float

    def shares(self, images: Images) -> tuple[NDArray[np.float64], float]:
        """Return the share of each style, (8,), and the mean probability of the style that was named."""
        likely = self.model.predict_proba(image_features(images))
        shares = np.bincount(likely.argmax(axis=1), minlength=len(STYLES)) / len(images)
        return shares, float(likely.max(axis=1).mean())


@cache
def style_judge() -> StyleJudge:
    """Fit the judge on 4,000 fresh paintings and measure it on 4,000 others."""
    from sklearn.linear_model import LogisticRegression

    known, unseen = (_paintings(JUDGE_ITEMS, what) for what in ("judge", "judge test"))
    model = LogisticRegression(max_iter=1000).fit(image_features(known.images), known.styles)
    return StyleJudge(model, float(model.score(image_features(unseen.images), unseen.styles)))


def modes(samples: Images) -> dict[str, Any]:
    """Return how many styles a large sample shows and how far their shares are from uniform, with errors."""
    judge, n = style_judge(), len(samples)
    shares, certainty = judge.shares(samples)
    distance = 0.5 * float(np.abs(shares - 1 / len(STYLES)).sum())
    error = float(np.sqrt(shares * (1 - shares) / n).sum()) + 1 - judge.accuracy
    return {
        "modes_covered": {
            "value": int((shares > COVERED).sum()),
            "n": n,
            "what": f"styles with a share above {COVERED:.0%}",
        },
        "total_variation": {
            "value": round(distance, 5),
            "low": round(max(0.0, distance - error), 5),
            "high": round(min(1.0, distance + error), 5),
            "n": n,
            "what": "distance of the styles' shares from uniform; error: two standard errors and the judge's",
        },
        "shares": {style: round(float(share), 4) for style, share in zip(STYLES, shares, strict=True)},
        "judge": {
            "what": "logistic regression on guardrails.kit.features",
            "accuracy": judge.accuracy,
            "n": JUDGE_ITEMS,
            "mean_probability": round(certainty, 4),
        },
    }


def quality(samples: Images) -> dict[str, Any]:
    """Return precision, recall, density and coverage against real paintings, beside what other paintings reach."""
    n = len(samples)
    real, other = (image_features(_paintings(n, what).images) for what in ("quality", "quality baseline"))
    return {
        "samples": prdc(real, image_features(samples)),
        "real against real": prdc(real, other),
        "what": f"Naeem et al. 2020, k = {NEIGHBOURS}, {n} against {n}, on guardrails.kit.features",
    }


def prdc(real: Features, made: Features, *, k: int = NEIGHBOURS) -> dict[str, float]:
    """Return precision, recall, density and coverage (Naeem et al. 2020, arXiv 2002.09797) of `made` against `real`."""

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


def _paintings(n: int, what: str) -> paintings.Paintings:
    return paintings.draw(n, np.random.default_rng(derive_seed(0, "gan-art", what)))
