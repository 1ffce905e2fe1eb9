"""What a detector's card states, on families of generators and sources of photographs that were left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.statistics import Interval, cluster_bootstrap
from ...deepfake.images.fitted_head import cross_folds
from ...kit.detection.calibration import Calibration, pooled_calibration_error
from ...kit.detection.linear_head import FLAT, PENALTY, member_of, share_of
from ...kit.detection.protocol import (
    Placed,
    area,
    folds_of,
    leave_one_family_out,
    mean_area,
    mean_interval,
    splits,
    weights_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Blocks = Mapping[str, Array]

LARGE = 24
"""Files of a family below which it is no candidate for the worst."""
RESAMPLES = 500
AIMS = {
    "auc, mean over families": (0.90, 0.80),
    "auc, worst of these": (0.80, None),
    "tpr at 5% fpr": (0.50, None),
    "calibration error, debiased": (-0.05, -0.05),
    "fall of the error at 10% abstention": (0.15, None),
    "fpr at the frozen threshold": (-0.05, -0.05),
    "fpr on art at the frozen threshold": (-0.10, -0.10),
}
"""What was aimed at before anything was fitted, of the fusion with the encoder and of the traces alone: at least, or
at most where the sign is negative."""
NEEDED = "more families of generators and more sources of photographs, of faces above all"
"""What would narrow the intervals and close the gap."""


@dataclass(frozen=True)
class Rows:
    """Described pictures: what is left out by `groups`, and which may be learnt from and which are judged.

    Attributes
    ----------
    blocks : mapping of str to array
        (N, D) each.
    labels : array of int, (N,)
    groups : sequence of str
        Family of a generated picture, source of a real one.
    sources : sequence of str
        Clusters of the intervals.
    learnt, judged : array of bool, (N,)
    art : array of bool, (N,), optional
        Real pictures that are no photographs: learnt from at a share, never calibrated with, and judged by
        themselves.
    """

    blocks: Blocks
    labels: NDArray[np.int64]
    groups: Sequence[str]
    sources: Sequence[str]
    learnt: NDArray[np.bool_]
    judged: NDArray[np.bool_]
    art: NDArray[np.bool_] | None = None

    @property
    def drawn(self) -> NDArray[np.bool_]:
        """`art`, where none is named nothing, (N,)."""
        return np.zeros(len(self.labels), dtype=bool) if self.art is None else self.art

    def weights(self, at: NDArray[np.intp]) -> Array:
        """Return the weights of some rows that are fitted to: see `weights_of`."""
        return weights_of(self.labels[at], [self.groups[i] for i in at.tolist()], self.drawn[at])

    def photographs(self) -> Rows:
        """Judge no art."""
        return replace(self, judged=self.judged & ~self.drawn)

    def only(self, names: Mapping[str, str]) -> Rows:
        """Keep some blocks: their new name → the present one."""
        return replace(self, blocks={name: self.blocks[old] for name, old in names.items()})


class Kernels:
    """The heads of `Head.fit_members` from products of pictures: fits to many parts of the rows cost little.

    Every number is standardised by its mean and spread over all rows that are learnt from, not over each part anew;
    else the solution is the same.
    """

    def __init__(self, rows: Rows, shown: Blocks | None = None) -> None:
        self.rows = rows
        self.products: list[tuple[float, Array, Array]] = []
        for member in dict.fromkeys(map(member_of, rows.blocks)):
            names = [name for name in rows.blocks if member_of(name) == member]
            known = np.concatenate([_standard(rows.blocks[n], rows.blocks[n][rows.learnt]) for n in names], axis=1)
            asked = (
                known
                if shown is None
                else np.concatenate([_standard(shown[n], rows.blocks[n][rows.learnt]) for n in names], axis=1)
            )
            at = np.flatnonzero(rows.learnt)
            self.products.append((share_of(member), known[at] @ known[at].T, asked @ known[at].T))
        self.place = np.cumsum(rows.learnt) - 1

    def score(self, fit: NDArray[np.intp], left: NDArray[np.intp]) -> Array:
        """Fit to some rows that may be learnt from and return the scores of others."""
        from scipy.linalg import solve

        labels, at = self.rows.labels[fit], self.place[fit]
        w = self.rows.weights(fit)
        q, signs = w / w.sum(), np.where(labels == 1, 1.0, -1.0)
        middle, out = q @ signs, np.zeros(len(left))
        for share, inner, outer in self.products:
            known = inner[np.ix_(at, at)].astype(np.float64)
            asked = outer[np.ix_(left, at)].astype(np.float64)
            mean = known @ q
            centred = known - mean[:, None] - mean + q @ mean
            beta = solve(centred + np.diag(PENALTY / w), signs - middle, assume_a="pos", check_finite=False)
            spread = (centred @ beta).std()
            asked = asked - (asked @ q)[:, None] - mean + q @ mean
            out += share * (asked @ beta + middle) / max(float(spread), FLAT)
        return np.asarray(out, dtype=np.float64)


def _standard(x: Array, learnt: Array) -> NDArray[np.float32]:
    scale = np.maximum(learnt.std(axis=0), FLAT) * x.shape[1] ** 0.5
    return np.asarray((x - learnt.mean(axis=0)) / scale, dtype=np.float32)


def families(rows: Rows, shown: Blocks | None = None) -> dict[str, Placed]:
    """Leave out one family and a fifth of the real sources at a time, fit to what is left and may be learnt from.

    Parameters
    ----------
    rows : Rows
        Of both classes.
    shown : mapping of str to array, optional
        The same pictures after something was done to them: what is judged. Default: as they were learnt.
    """
    kernels = Kernels(rows, shown)
    parts = (part for part in splits(rows.labels, rows.groups, rows.groups) if rows.judged[part.generated].any())
    comparisons = leave_one_family_out(lambda fit, left: kernels.score(fit[rows.learnt[fit]], left), parts)
    return {name: _judged(placed, rows.judged) for name, placed in comparisons.items()}


def _judged(placed: Placed, judged: NDArray[np.bool_]) -> Placed:
    made, real = judged[placed.generated], judged[placed.real]
    return Placed(placed.above[np.ix_(made, real)], placed.generated[made], placed.real[real])


def areas(rows: Rows, by_family: Mapping[str, Placed]) -> dict[str, Any]:
    """AUC: mean over families, over large ones, the worst of these; and how many are found at 1% and 5% of the real."""
    large = {name: placed for name, placed in by_family.items() if len(placed.generated) >= LARGE} or dict(by_family)
    each = {name: area(placed, rows.sources) for name, placed in by_family.items()}
    worst = min(large, key=lambda name: each[name].value)
    return {
        "auc, mean over families": _stated(mean_area(by_family, rows.sources), families=len(by_family)),
        f"auc, mean over families of {LARGE} or more": _stated(mean_area(large, rows.sources), families=len(large)),
        "auc, worst of these": {"family": worst, **_stated(each[worst], n=len(by_family[worst].generated))},
        "tpr at 1% fpr": _stated(_rate(large, 0.01)),
        "tpr at 5% fpr": _stated(_rate(large, 0.05)),
        "auc by family": {name: _stated(each[name], n=len(by_family[name].generated)) for name in by_family},
    }


def against_aims(figures: Mapping[str, Any], *, encoder: bool) -> dict[str, Any]:
    """Set the figures of a fusion, of `areas` and `frozen`, beside what was aimed at: `AIMS`.

    >>> against_aims({"tpr at 5% fpr": {"value": 0.6, "low": 0.3, "high": 0.8}}, encoder=True)["tpr at 5% fpr"]
    {'at least': 0.5, 'reached': 0.6, 'met': True}
    """
    out: dict[str, Any] = {"needed": NEEDED}
    for name, aims in AIMS.items():
        aim, one = aims[not encoder], figures.get(name)
        if aim is not None and one is not None:
            met = one["value"] >= aim if aim > 0 else one["value"] <= -aim
            out[name] = {"at least" if aim > 0 else "at most": abs(aim), "reached": one["value"], "met": bool(met)}
    return out


def _rate(by_family: Mapping[str, Placed], fpr: float) -> Interval:
    """Mean over families of the share of outputs above all but `fpr` of the real pictures; families are what varies."""
    rates = np.array([(placed.above.mean(axis=1) > 1 - fpr).mean() for placed in by_family.values()])
    return mean_interval([(rates, list(by_family))])


def frozen(rows: Rows) -> dict[str, Any]:
    """Calibration and verdicts on families and sources left out together, in five folds; thresholds fixed before.

    Every fold's head is fitted and calibrated without that fold, and its calibration leaves groups out once more.
    """
    fold = np.empty(len(rows.labels), dtype=np.int64)
    for label in (0, 1):
        of = np.flatnonzero(rows.labels == label)
        fold[of] = folds_of([rows.groups[i] for i in of.tolist()])
    kernels = Kernels(rows)
    ratio, verdict = np.full(len(fold), np.nan), np.full(len(fold), "abstain", dtype=object)
    for k in np.unique(fold):
        rest, left = np.flatnonzero((fold != k) & rows.learnt), np.flatnonzero((fold == k) & rows.judged)
        if not len(left):
            continue
        labels, groups = rows.labels[rest], [rows.groups[i] for i in rest.tolist()]
        inner, crossed = cross_folds(labels, groups), np.empty(len(rest))
        for j in np.unique(inner):
            crossed[inner == j] = kernels.score(rest[inner != j], rest[inner == j])
        plain = ~rows.drawn[rest]
        calibration = Calibration.fit(crossed[plain], labels[plain], np.asarray(groups)[plain].tolist())
        scores = kernels.score(rest, left)
        ratio[left], verdict[left] = calibration.log_ratio(scores), calibration.verdicts(scores)
    return _pooled(rows, ratio, verdict)


def _pooled(rows: Rows, ratio: Array, verdict: NDArray[Any]) -> dict[str, Any]:
    art = verdict[rows.judged & rows.drawn] == "synthetic"
    named = [rows.sources[i] for i in np.flatnonzero(rows.judged & rows.drawn).tolist()]
    at = np.flatnonzero(rows.judged & ~rows.drawn)
    y, r = rows.labels[at], ratio[at]
    said, groups = verdict[at] == "synthetic", np.array([rows.groups[i] for i in at.tolist()])
    columns = np.stack([y, r, said], axis=1).astype(np.float64)

    def stated(statistic: Any, part: NDArray[np.bool_]) -> dict[str, Any]:
        codes = np.unique(groups[part], return_inverse=True)[1]
        if codes.max() == 0:  # one source or family says nothing of the next
            return _stated(Interval(float(statistic(columns[part])), 0.0, 1.0), n=int(part.sum()))
        interval = cluster_bootstrap(columns[part], codes, statistic=statistic, resamples=RESAMPLES, seed=0)
        return _stated(interval, n=int(part.sum()))

    every = np.ones(len(y), dtype=bool)
    per = {str(name): groups == name for name in sorted(set(groups[y == 0]))}
    return {
        "calibration error, debiased": stated(lambda v: pooled_calibration_error(v[:, 1], v[:, 0]), every),
        "balanced error": stated(lambda v: _error(v, 0.0), every),
        "balanced error at 10% abstention": stated(lambda v: _error(v, 0.1), every),
        "fall of the error at 10% abstention": stated(_fall, every),
        "fpr at the frozen threshold": stated(lambda v: float(v[:, 2].mean()), y == 0),
        "fpr on art at the frozen threshold": (
            _stated(mean_interval([(art.astype(float), named)]), n=len(named), sources=len(set(named)))
            if named
            else None
        ),
        "tpr at the frozen threshold": stated(lambda v: float(v[:, 2].mean()), y == 1),
        "abstentions": {"value": round(float((verdict[at] == "abstain").mean()), 3), "n": len(y)},
        "fpr by source at the frozen threshold": {
            name: _stated(mean_interval([(said[part].astype(float), list(range(int(part.sum()))))]), n=int(part.sum()))
            for name, part in per.items()
        },
    }


def _error(values: Array, abstained: float) -> float:
    """Mean of the two classes' errors at even odds, without the share with the least evidence."""
    y, r = values[:, 0] == 1, values[:, 1]
    kept = np.abs(r) >= np.quantile(np.abs(r), abstained)
    wrong = (r > 0) != y
    rates = [wrong[kept & (y == label)].mean() for label in (False, True) if (kept & (y == label)).any()]
    return float(np.mean(rates))


def _fall(values: Array) -> float:
    before = _error(values, 0.0)
    return 1 - _error(values, 0.1) / before if before else 0.0


def _stated(interval: Interval, **more: Any) -> dict[str, Any]:
    numbers = {"value": interval.value, "low": interval.low, "high": interval.high}
    return {key: round(float(x), 3) for key, x in numbers.items()} | more
