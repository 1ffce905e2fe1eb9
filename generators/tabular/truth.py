"""What `tabular` leaks, how unfair its decisions are and how good its rows are: the figures on its card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from guardrails.core.seeding import derive_seed

from .. import cards
from ..cards import Figure
from . import applicants
from .applicants import AT, NUMBERS, to_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .applicants import Codes
    from .model import Tabular

MATCHED, SLICES = 400_000, 40
"""Rows drawn for the gap at equal score, and slices of the score."""
QUALITY_ROWS, ROUNDS = 8000, 5
"""Rows of each table that is compared, and how often that is done with new ones."""
BARS = {"marginals": 0.03, "correlations": 0.05, "discriminator": 0.65}


def leak(model: Tabular) -> Figure:
    """Return the probability that a drawn row is a row of the corpus: p summed over the corpus."""
    copied, chance = (
        float(np.exp(model.log_prob(to_table(np.unique(model.corpus(which), axis=0)), seed=0)).sum())
        for which in ("training", "holdout")
    )
    what = (
        "probability that a drawn row is a training row: p(row) summed over all of them;"
        f" over as many held-out rows the sum is {chance:.1g}"
    )
    return cards.exact(copied, len(model.corpus("training")), what)


def group_bias(model: Tabular) -> Figure:
    """Return P(approved | A) − P(approved | B), and the same at equal score."""
    copula = 1 - model.shares.double().sum().item()
    p = copula * _pair(model, "group", "decision")  # (2, 2): P(group, decision)
    rows = model.rows.numpy()
    np.add.at(p, (rows[:, AT["group"]], rows[:, AT["decision"]]), model.shares.double().numpy())
    rate_a, rate_b = p[:, 1] / p.sum(axis=1)
    drawn = model.draw_codes(MATCHED, np.random.default_rng(derive_seed(0, "equal score")))
    what = "P(approved | A) − P(approved | B), from the normal probabilities of R and the atoms"
    return cards.exact(rate_a - rate_b, 4, what) | {
        "approved": {"A": round(rate_a, cards.DIGITS), "B": round(rate_b, cards.DIGITS)},
        "at_equal_score": gap_at_equal_score(drawn),
    }


def _pair(model: Tabular, first: str, second: str) -> NDArray[np.float64]:
    """Return the copula's joint probabilities of two categories of two levels each, (2, 2)."""
    from scipy.special import ndtr
    from scipy.stats import multivariate_normal

    i, j = AT[first], AT[second]
    a, b = (model.cuts[k - len(NUMBERS), 0].item() for k in (i, j))
    both = multivariate_normal([0, 0], [[1, model.R[i, j]], [model.R[i, j], 1]]).cdf([a, b])
    return np.array([[both, ndtr(a) - both], [ndtr(b) - both, 1 - ndtr(a) - ndtr(b) + both]])


def gap_at_equal_score(codes: Codes) -> Figure:
    """Return the gap of approval within slices of the score, averaged over all rows."""
    score, group, decision = (codes[:, AT[name]] for name in ("score", "group", "decision"))
    edges = np.quantile(score, np.linspace(0, 1, SLICES + 1)[1:-1])
    in_slice = np.searchsorted(edges, score, side="right")
    n = np.zeros((SLICES, 2))
    approved = np.zeros((SLICES, 2))
    np.add.at(n, (in_slice, group), 1)
    np.add.at(approved, (in_slice, group), decision)
    rate = approved / n
    weight = n.sum(axis=1) / len(codes)
    gap = float(weight @ (rate[:, 0] - rate[:, 1]))
    error = 2 * float(np.sqrt(weight**2 @ (rate * (1 - rate) / n).sum(axis=1)))
    what = f"gap of approval at equal score, over {SLICES} slices of the score; two standard errors"
    low, high = round(gap - error, cards.DIGITS), round(gap + error, cards.DIGITS)
    return {"value": round(gap, cards.DIGITS), "low": low, "high": high, "n": len(codes), "what": what}


def quality(model: Tabular) -> dict[str, Figure]:
    """Compare drawn rows with fresh ones of the law, and fresh ones with others: all are smaller where it is better."""
    rng = np.random.default_rng(derive_seed(0, "quality"))
    tables = [
        (model.draw_codes(QUALITY_ROWS, rng), *(applicants.draw(QUALITY_ROWS, rng, model.gap) for _ in range(2)))
        for _ in range(ROUNDS)
    ]
    whats = {
        "marginals": (marginal_distance, "largest Kolmogorov-Smirnov distance of a column to fresh rows"),
        "correlations": (correlation_distance, "largest difference of a rank correlation to that of fresh rows"),
        "discriminator": (discriminator, "AUC of gradient boosting that tells drawn rows from fresh ones"),
    }
    return {
        name: cards.with_bar(
            cards.mean([measure(made, real) for made, real, _ in tables], f"{what}; mean of {ROUNDS} tables"),
            BARS[name],
            higher_is_better=False,
            real_against_real=round(float(np.mean([measure(other, real) for _, real, other in tables])), cards.DIGITS),
        )
        for name, (measure, what) in whats.items()
    }


def marginal_distance(a: Codes, b: Codes) -> float:
    """Return the largest over the columns of max |F_a − F_b|."""
    from scipy.stats import ks_2samp

    # The distance alone is wanted; the approximate p-value is the one that is quick.
    return max(float(ks_2samp(x, y, method="asymp").statistic) for x, y in zip(a.T, b.T, strict=True))


def correlation_distance(a: Codes, b: Codes) -> float:
    """Return the largest difference of a Spearman correlation between two tables."""
    from scipy.stats import rankdata

    first, second = (np.corrcoef(rankdata(codes, axis=0), rowvar=False) for codes in (a, b))
    return float(np.abs(first - second).max())


def discriminator(a: Codes, b: Codes) -> float:
    """Return the AUC, on halves it did not see, of gradient boosting that tells rows of `a` from those of `b`."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    from guardrails.core.statistics import auc

    half = len(a) // 2
    learner = HistGradientBoostingClassifier(max_iter=100, random_state=0)
    learner.fit(np.concatenate([a[:half], b[:half]]), np.repeat([1, 0], half))
    scores = (learner.predict_proba(x[half:])[:, 1] for x in (a, b))
    return auc(*scores)
