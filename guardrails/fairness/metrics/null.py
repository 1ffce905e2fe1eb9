"""What gaps chance alone makes: the same statistic with group labels dealt anew.

Only the trials of a metric are dealt, so that a true positive rate is compared among truly positive rows whatever the
share of these in each group. The numbers of trials of the groups and of all hits stay as they are; hits of the groups
then follow the multivariate hypergeometric distribution, from which they are drawn directly.

References
----------
B. Phipson, G. K. Smyth, "Permutation p-values should never be zero", Statistical Applications in Genetics and Molecular
Biology 9 (2010) 39. S. Holm, Scandinavian Journal of Statistics 6 (1979) 65–70.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...core.statistics import holm
from .rates import Counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

RESAMPLES = 2000
TAIL = 0.95


class Null(NamedTuple):
    """The gap under dealt labels: its mean and upper quantile; and the p-value of 'all groups have one rate'."""

    mean: float
    high: float
    pvalue: float


def permuted(families: Sequence[Counts], *, resamples: int = RESAMPLES, seed: int = 0) -> Null | None:
    """Return the null of the largest gap over one metric or several.

    The p-value is that of Pearson's X² of groups against hits, summed over metrics, under the same draws; the smallest
    one over the partitions, after Holm.

    Returns
    -------
    Null or None
        None where no two groups can be compared.
    """
    rng = np.random.default_rng(seed)
    pvalues, gaps = [], []
    for partition in np.unique(np.concatenate([c.partition for c in families])) if families else ():
        observed, drawn = 0.0, np.zeros(resamples)
        for counts in families:
            usable = counts.enough & (counts.partition == partition)
            hits, trials = counts.hits[usable], counts.trials[usable]
            if len(trials) < 2:
                continue
            dealt = rng.multivariate_hypergeometric(trials, int(hits.sum()), size=resamples, method="marginals")
            observed += float(chi_square(hits[None], trials)[0])
            drawn += chi_square(dealt, trials)
            gaps.append(np.ptp(dealt / trials, axis=1))
        if drawn.any() or observed:
            extreme = int((drawn >= observed * (1 - 1e-9)).sum())
            pvalues.append((1 + extreme) / (1 + resamples))
    if not gaps:
        return None
    largest = np.max(gaps, axis=0)
    pvalue = min(holm(pvalues)) if pvalues else 1.0
    return Null(float(largest.mean()), float(np.quantile(largest, TAIL)), pvalue)


def chi_square(hits: Ints, trials: Ints) -> Floats:
    """Return Pearson's X² of groups against hits: (B,) for hits (B, G) and trials (G,); 0 where all or none hit."""
    total = trials.sum()
    rate = hits.sum(axis=1) / total
    expected = rate[:, None] * trials
    spread = rate * (1 - rate)
    with np.errstate(divide="ignore", invalid="ignore"):
        out = ((hits - expected) ** 2 / trials).sum(axis=1) / spread
    statistic: Floats = np.where(spread > 0, out, 0.0)
    return statistic
