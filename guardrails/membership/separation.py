"""From the scores of several attacks to measurements: shared by every attack on membership.

Any of the attacks may be the one that works, so the largest AUC among them is what is reported and gated, with an
interval that holds for all of them at once. Let θ₁ … θₘ be the true AUCs and [lⱼ, uⱼ] their simultaneous intervals
(Bonferroni): where all hold, max θⱼ lies in [max lⱼ, max uⱼ]. The same goes for the true-positive rates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.batch import Row
from ..core.results import Baseline, Measurement, Point, Series
from ..core.statistics import Interval, delong, simultaneous, tpr_at_fpr, wilson
from ..kit.blind import blind_measurement, confounded, why_confounded

if TYPE_CHECKING:
    from numpy.typing import NDArray

MINIMUM = 40
"""Members, and non-members: with 40 of each an AUC is known to about ±.13."""
HEADLINE = "membership_auc"
RATES = {"tpr_at_1pct_fpr": 0.01, "tpr_at_01pct_fpr": 0.001}
TOP = 12
"""Guesses that the precision looks at. Where all are right, its interval begins above .6 for up to ten attacks, since
Wilson's bound is then 12/(12 + z²); chance does that once in 4,096. A model that has but a dozen items by heart shows
them here, and not in the AUC."""
PRECISION = f"precision_at_{TOP}"
METRICS = (HEADLINE, PRECISION, *RATES, "blind_auc")
ROUNDING = 1e-9
POWER_QUANTILE = 0.8416
"""Of the normal law at .8: `detectable` is seen four times in five."""


@dataclass(frozen=True)
class Attacks:
    """The scores of each attack, larger for members, that every row has; those that are the same everywhere left out.

    Attributes
    ----------
    members, others : dict of str to ndarray
        By attack, (m,) and (n,).
    constant : tuple of str
        Attacks that gave every item the same score.
    gates : int
        How many measurements a policy holds against a threshold: their intervals hold together.
    """

    members: Mapping[str, NDArray[np.float64]]
    others: Mapping[str, NDArray[np.float64]]
    constant: tuple[str, ...]
    gates: int = 1

    @classmethod
    def of(cls, members: Sequence[Row], others: Sequence[Row], *, gates: int = 1) -> Attacks:
        """Collect the scores of rows with the key ``scores``: a mapping from attack to number or None."""
        rows = [row["scores"] for row in (*members, *others)]
        names = [k for k in (rows[0] if rows else ()) if all(row.get(k) is not None for row in rows)]
        scores = {k: np.array([row[k] for row in rows], dtype=np.float64) for k in names}
        constant = tuple(k for k, values in scores.items() if np.ptp(values) == 0)
        kept = {k: values for k, values in scores.items() if k not in constant}
        m = len(members)
        return cls({k: v[:m] for k, v in kept.items()}, {k: v[m:] for k, v in kept.items()}, constant, gates)

    @property
    def confidence(self) -> float:
        """Of each attack's interval, so that all hold at once with 95%."""
        return simultaneous(0.95, self.gates * len(self.members))

    def aucs(self) -> dict[str, Interval]:
        """Return each attack's AUC with its simultaneous interval."""
        return {k: delong(v, self.others[k], confidence=self.confidence) for k, v in self.members.items()}

    def precisions(self) -> dict[str, Interval]:
        """Return the share of members among each attack's `TOP` surest guesses, of as many members as non-members.

        Of items that tie for the last places, the share that are members counts, rounded down. Where nothing is known
        the hits are hypergeometric, with less variance than the binomial law that Wilson's interval supposes.

        B. Jayaraman et al., "Revisiting Membership Inference Under Realistic Assumptions", PoPETs 2021,
        arXiv 2005.10881: positive predictive value, here at even odds.
        """
        return {
            k: wilson(_hits(members, self.others[k]), TOP, confidence=self.confidence)
            for k, members in self.members.items()
        }

    def rates(self, fpr: float) -> dict[str, Interval] | None:
        """Return each attack's true-positive rate at a false-positive rate, or None with too few non-members."""
        rates = {k: tpr_at_fpr(v, self.others[k], fpr=fpr, confidence=self.confidence) for k, v in self.members.items()}
        known = {k: rate for k, rate in rates.items() if rate is not None}
        return known if len(known) == len(rates) else None


def _hits(members: NDArray[np.float64], others: NDArray[np.float64]) -> int:
    """Return how many of the `TOP` surest guesses are members, each item counting so that both arms weigh the same."""
    n = min(len(members), len(others))
    left, hits = float(TOP), 0.0
    for cut in np.unique(np.concatenate([members, others]))[::-1]:
        a, b = ((arm == cut).sum() * n / len(arm) for arm in (members, others))
        share = min(1.0, left / (a + b))
        hits, left = hits + share * a, left - share * (a + b)
        if left <= 0:
            break
    return int(hits + ROUNDING)


def best(intervals: Mapping[str, Interval]) -> Interval:
    """Return the largest value, between the largest of the lower and of the upper bounds.

    >>> best({"a": Interval(0.6, 0.5, 0.7), "b": Interval(0.55, 0.3, 0.8)})
    Interval(value=0.6, low=0.5, high=0.8)
    """
    value, low, high = (max(column) for column in zip(*intervals.values(), strict=True))
    return Interval(value, low, high)


def measurements(
    probe: str,
    rows: Sequence[Row],
    *,
    unit: str,
    method: str,
    blind: Callable[[Sequence[Row], Sequence[Row]], Interval],
    note: str,
    gates: int = 1,
) -> list[Measurement]:
    """Return `METRICS` for rows of the arms ``corpus`` (members) and ``holdout`` (non-members).

    Parameters
    ----------
    probe : str
        Its id.
    rows : sequence of dict
        With ``arm``, and ``scores`` where the item could be assessed or ``error`` where it failed.
    unit : str
        What an item is, in the plural: documents, pictures.
    method : str
        How the scores came about.
    blind : callable
        The blind baseline of members' and non-members' rows.
    note : str
        What was left out and why: appended to every explanation or reason.
    gates : int
        How many of the measurements a policy holds against a threshold.
    """
    members, others = ([r for r in rows if r["arm"] == arm and "scores" in r] for arm in ("corpus", "holdout"))
    common: dict[str, Any] = {
        "probe": probe,
        "higher_is_worse": True,
        "n": len(members) + len(others),
        "errors": sum("error" in r for r in rows),
    }
    if min(len(members), len(others)) < MINIMUM:
        reason = (
            f"{len(members)} members (corpus) and {len(others)} non-members (holdout); at least {MINIMUM} {unit} of"
            f" each are needed.{note}"
        )
        return [_none(common, metric, reason, needed=2 * MINIMUM) for metric in METRICS]
    attacks = Attacks.of(members, others, gates=gates)
    if not attacks.members:
        reason = f"no attack tells any two {unit} apart: the target gives all the same score.{note}"
        return [_none(common, metric, reason) for metric in METRICS]
    alone = blind(members, others)
    return [
        _auc(common, attacks, alone, unit, method, note),
        _precision(common, attacks, alone, unit, method, note),
        *(_rate(common, attacks, alone, metric, fpr, method) for metric, fpr in RATES.items()),
        blind_measurement(common, alone),
    ]


def _auc(
    common: Mapping[str, Any], attacks: Attacks, alone: Interval, unit: str, method: str, note: str
) -> Measurement:
    aucs = attacks.aucs()
    m, n = (len(next(iter(arm.values()))) for arm in (attacks.members, attacks.others))
    series = tuple(
        _bars(f"{what} by attack", what, intervals, m + n)
        for what, intervals in (("AUC", aucs), ("TPR at 1% FPR", attacks.rates(0.01)))
        if intervals
    )
    if confounded(alone):
        return _none(common, HEADLINE, why_confounded(alone, unit) + note, series=series)
    top = best(aucs)
    name = max(aucs, key=lambda k: aucs[k].value)
    said = [
        f"The best attack ({name}) puts a member above a non-member in {top.value:.0%} of pairs; .5 is chance, and"
        f" {m} members stood against {n} non-members."
    ]
    if 0.5 < top.low <= alone.high:
        said.append("The blind baseline reaches into this interval: part of it may come from the split, not the model.")
    if attacks.constant:
        said.append(f"Left out, the same for all {unit}: {', '.join(attacks.constant)}.")
    return Measurement(
        **common,
        **_interval(top),
        metric=HEADLINE,
        unit="AUC",
        method=f"{method}; the largest AUC of {len(aucs)} attacks, DeLong's intervals, simultaneous over the attacks",
        baseline=Baseline(what="a classifier that never asks the model", n=m + n, **_interval(alone)),
        detectable=_detectable(m, n, attacks.confidence),
        series=series,
        explanation=" ".join(said) + note,
    )


def _precision(
    common: Mapping[str, Any], attacks: Attacks, alone: Interval, unit: str, method: str, note: str
) -> Measurement:
    shares = attacks.precisions()
    series = (_bars(f"precision at {TOP} by attack", "share of members", shares, TOP),)
    if confounded(alone):
        return _none(common, PRECISION, why_confounded(alone, unit) + note, series=series)
    top = best(shares)
    return Measurement(
        **common,
        **_interval(top),
        metric=PRECISION,
        unit="share of guesses",
        method=f"{method}; the largest share of {len(shares)} attacks, Wilson intervals, simultaneous over the attacks",
        baseline=Baseline(what="chance: as many members as non-members are guessed at", value=0.5),
        series=series,
        explanation=f"Of the {TOP} {unit} that the best attack is surest of, {round(top.value * TOP)} are members. This"
        " shows a few that the model has by heart, which an average over all hides." + note,
    )


def _rate(
    common: Mapping[str, Any], attacks: Attacks, alone: Interval, metric: str, fpr: float, method: str
) -> Measurement:
    n = len(next(iter(attacks.others.values())))
    rates = attacks.rates(fpr)
    if rates is None:
        needed = round(3 / fpr)
        reason = (
            f"insufficient n: with {n} non-members not even none above a threshold shows that its false-positive rate"
            f" is at most {fpr:.1%}; {needed} are needed"
        )
        return _none(common, metric, reason, needed=common["n"] - n + needed)
    if confounded(alone):
        return _none(common, metric, why_confounded(alone, "items"))
    return Measurement(
        **common,
        **_interval(best(rates)),
        metric=metric,
        unit="share",
        method=f"{method}; the largest rate of {len(rates)} attacks at a threshold that {fpr:.1%} of the non-members"
        " exceed, ties counted as misses; the interval covers the share (Wilson) and the threshold (exact binomial"
        " ranks), simultaneous over the attacks",
        baseline=Baseline(what="chance: the false-positive rate itself", value=fpr),
        explanation=f"Members found while {fpr:.1%} of the non-members are wrongly taken for members.",
    )


def _detectable(m: int, n: int, confidence: float) -> float:
    """Return the AUC that is told from ½ with power .8, by the variance (m + n + 1)/(12 m n) that scores alike have."""
    from scipy.special import ndtri

    z = float(ndtri((1 + confidence) / 2)) + POWER_QUANTILE
    return min(1.0, 0.5 + z * math.sqrt((m + n + 1) / (12 * m * n)))


def _bars(name: str, label: str, intervals: Mapping[str, Interval], n: int) -> Series:
    points = tuple(Point(x=k, y=i.value, low=i.low, high=i.high, n=n) for k, i in intervals.items())
    return Series(name=name, x_label="attack", y_label=label, points=points)


def _interval(interval: Interval) -> dict[str, Any]:
    return {"value": interval.value, "low": interval.low, "high": interval.high}


def _none(common: Mapping[str, Any], metric: str, reason: str, **more: Any) -> Measurement:
    unit = "AUC" if metric.endswith("_auc") else "share of guesses" if metric == PRECISION else "share"
    return Measurement(**common, metric=metric, unit=unit, value=None, reason=reason, method="none", **more)
