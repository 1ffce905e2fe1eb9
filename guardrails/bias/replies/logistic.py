"""Logistic regression of yes and no on groups, with an intercept for each prompt and an interval over templates.

Fitted with the penalty of Firth, so that a group or prompt whose answers are all alike keeps a finite coefficient. Its
interval is that of the jackknife over templates, with Student's t, and never narrower than for independent answers. Its
test exchanges the groups' labels within each prompt.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...core.statistics import Interval

Floats = NDArray[np.float64]
STEPS, CLOSE, LARGEST, TINY = 60, 1e-7, 8.0, 1e-12
"""Of Newton's method: steps at most, the change that ends it, the largest coefficient, and the least information."""


def log_odds_ratio(yes: Floats, total: Floats) -> float:
    """Return the coefficient of the second of two groups: the common log odds ratio over prompts.

    Parameters
    ----------
    yes, total : array, shape (prompts, 2)
        Answers *yes*, and all answers, of the group compared with and of the other.

    References
    ----------
    D. Firth, "Bias reduction of maximum likelihood estimates", Biometrika 80 (1993) 27–38.
    """
    return _fitted(yes, total)[0]


def _fitted(yes: Floats, total: Floats) -> tuple[float, float]:
    """Return the coefficient and its standard error, from the information that the intercepts leave."""
    intercepts, shift, left = np.zeros(len(yes)), 0.0, TINY
    for _ in range(STEPS):
        logits = np.clip(np.stack([intercepts, intercepts + shift], axis=1), -30, 30)
        p = 1 / (1 + np.exp(-logits))
        w = total * p * (1 - p)
        # The information is an arrow: a diagonal for the prompts, bordered by the group. Its inverse is written out.
        diagonal = np.maximum(w.sum(axis=1), TINY)
        share = w[:, 1] / diagonal
        left = max(float((w[:, 0] * share).sum()), TINY)
        leverage = w * (1 / diagonal[:, None] + np.stack([share, 1 - share], axis=1) ** 2 / left)
        residual = yes - total * p + leverage * (0.5 - p)
        change = float((residual[:, 1] - share * residual.sum(axis=1)).sum()) / left
        changes = residual.sum(axis=1) / diagonal - share * change
        longest = max(abs(change), float(np.abs(changes).max(initial=0.0)))
        step = min(1.0, 2.0 / longest if longest else 1.0)
        shift = float(np.clip(shift + step * change, -LARGEST, LARGEST))
        intercepts = np.clip(intercepts + step * changes, -LARGEST, LARGEST)
        if longest < CLOSE:
            break
    return shift, float(left**-0.5)


def jackknifed(yes: Floats, total: Floats, clusters: NDArray[np.intp], *, confidence: float) -> Interval:
    """Return the log odds ratio with a t interval from leaving out one template after the other.

    Parameters
    ----------
    yes, total : array, shape (prompts, 2)
        As `log_odds_ratio`.
    clusters : array, shape (prompts,)
        The template of each prompt, of which there are two at least.
    confidence : float
        Of the interval.
    """
    from scipy.special import stdtrit

    value, error = _fitted(yes, total)
    names = np.unique(clusters)
    without = np.array([log_odds_ratio(yes[clusters != c], total[clusters != c]) for c in names])
    g = len(names)
    spread = float(np.sqrt((g - 1) / g * ((without - value) ** 2).sum()))
    # Answers that are all alike leave no spread between templates, but the doubt of so many answers.
    spread = max(spread, error)
    half = float(stdtrit(g - 1, (1 + confidence) / 2)) * spread
    return Interval(value, value - half, value + half)


def exchanged_p(yes: Floats, total: Floats, *, seed: int, resamples: int = 2000) -> float:
    """Return the two-sided p-value of no difference: the answers to each prompt are dealt to the groups at random."""
    rng = np.random.default_rng(seed)
    whole, granted = total.astype(int), yes.astype(int)
    expected = granted.sum(axis=1) * whole[:, 1] / np.maximum(whole.sum(axis=1), 1)
    observed = abs(float((granted[:, 1] - expected).sum()))
    drawn = rng.hypergeometric(
        granted.sum(axis=1), (whole - granted).sum(axis=1), whole[:, 1], size=(resamples, len(whole))
    )
    sizes = np.abs((drawn - expected).sum(axis=1))
    return float((1 + (sizes >= observed - 1e-9).sum()) / (1 + resamples))
