"""From scores to the tables of a benchmark. Every row has its n and an interval over sources."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import ConfigurationError
from ...core.results.bench import (
    AcrossRow,
    CalibrationRow,
    Comparison,
    FalseAlarmsRow,
    FamilyRow,
    MeanRow,
    ShippedRow,
)
from ...core.statistics import Interval, cluster_bootstrap, tpr_at_fpr, wilson
from ...kit.detection.calibration import BINS, pooled_calibration_error
from ...kit.detection.protocol import FOLDS, Placed, area, folds_of, mean_area, mean_area_apart, mean_interval
from .data import Item
from .scores import Scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Places = NDArray[np.intp]
    Refit = Callable[[str, Places, Places, str], Array]
    """(detector, rows to fit to, rows to score, change) → scores, NaN where there is none."""

FPR = 0.05
FEWEST = 60
"""Real pictures without which no rate at that share is told: three of them are the share."""
RESAMPLES, SOURCES = 300, 5
"""Of an interval over sources; and sources of either class without which there is none."""
SYNTHETIC = ("synthetic", "manipulated")


class Parts:
    """Which rows are real, and which are of which family and group."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.labels = np.array([item.label for item in items], dtype=np.int64)
        self.family = np.array([item.family for item in items], dtype=object)
        self.group = np.array([item.group for item in items], dtype=object)
        self.sources = [item.source for item in items]
        real = np.flatnonzero(self.labels == 0)
        names = [self.sources[i] for i in real.tolist()]
        self.folds = min(FOLDS, len(set(names)))
        self.fold, self.half = np.full(len(items), -1), np.full(len(items), -1)
        self.fold[real] = folds_of(names, max(self.folds, 1))
        for of in (real, *(self.made(family) for family in self.families)):
            self.half[of] = folds_of([self.sources[i] for i in of.tolist()], 2)

    @property
    def families(self) -> list[str]:
        return sorted({item.family for item in self.items if item.label})

    def made(self, family: str) -> Places:
        """Rows of a family's outputs."""
        return np.flatnonzero((self.labels == 1) & (self.family == family))

    def real_for(self, family: str) -> Places:
        """Rows of the real pictures that a family is compared with: those that came in the same data."""
        groups = set(self.group[self.made(family)].tolist())
        return np.flatnonzero((self.labels == 0) & np.isin(self.group, list(groups)))


def shipped(scores: Scores, parts: Parts) -> Iterator[tuple[ShippedRow, Placed | None]]:
    """Yield detector × change × family, with the weights that each detector came with; and what was compared."""
    for (detector, change), values in scores.score.items():
        x, verdicts = np.array(values), np.array(scores.verdict[detector, change], dtype=object)
        for family in parts.families:
            made, real = parts.made(family), parts.real_for(family)
            called = np.isin(verdicts, SYNTHETIC)
            row, placed = compared(x[made], x[real], made, real, parts.sources)
            yield ShippedRow(
                detector=detector, perturbation=change, family=family, **row.model_dump(),
                called_synthetic=rate(called[made]), called_synthetic_of_real=rate(called[real]),
                abstains=rate(verdicts[made] == "abstain"), abstains_on_real=rate(verdicts[real] == "abstain"),
            ), placed  # fmt: skip


def compared(
    made: Array, real: Array, rows: Places, others: Places, sources: Sequence[str]
) -> tuple[Comparison, Placed | None]:
    """Return the AUC and the TPR at 5% FPR of scores, with what could not be scored counted apart."""
    there, here = np.isfinite(made), np.isfinite(real)
    a, b = made[there], real[here]
    row = Comparison(
        n_generated=len(a), n_real=len(b), unscored=int((~there).sum()), unscored_real=int((~here).sum()),
        auc=None, auc_low=None, auc_high=None, tpr5=None, tpr5_low=None, tpr5_high=None,
    )  # fmt: skip
    if len(a) < 2 or len(b) < 2:
        few = f"{len(a)} generated and {len(b)} real pictures with a score"
        return row.model_copy(update={"reason": few}), None
    above = (a[:, None] > b[None]) + 0.5 * (a[:, None] == b[None])
    placed = Placed(above, rows[there], others[here])
    interval = area(placed, sources)
    row = row.model_copy(update={"auc": interval.value, "auc_low": interval.low, "auc_high": interval.high})
    share = tpr_at_fpr(a, b, fpr=FPR)
    if share is None:
        few = f"{len(b)} real pictures are too few for a TPR at {FPR:.0%} FPR"
        return row.model_copy(update={"reason": few}), placed
    rate = {"tpr5": share.value, "tpr5_low": share.low, "tpr5_high": share.high}
    return row.model_copy(update=rate), placed


def rate(hits: Any) -> list[float]:
    """Return a share with Wilson's interval; nothing for no items."""
    return [round(x, 6) for x in wilson(int(np.sum(hits)), len(hits))] if len(hits) else []


def left_out(
    refit: Refit, detectors: Sequence[str], changes: Sequence[str], parts: Parts
) -> Iterator[tuple[FamilyRow, Placed | None]]:
    """Yield detector × change × family: fitted to the other families and to real sources that are not compared.

    Raises
    ------
    ConfigurationError
        For fewer than two families or two sources of real pictures.
    """
    if len(parts.families) < 2 or parts.folds < 2:
        raise ConfigurationError("--leave-one-family-out needs two families and two sources of real pictures at least")
    for detector in detectors:
        for family in parts.families:
            made, real = parts.made(family), parts.real_for(family)
            for change, placed in _folds(refit, detector, family, changes, parts, made, real).items():
                if placed is None:
                    yield _not_fitted(detector, change, family, len(made), len(real)), None
                    continue
                interval = area(placed, parts.sources)
                yield FamilyRow(
                    detector=detector, perturbation=change, family=family,
                    n_generated=len(placed.generated), n_real=len(placed.real),
                    auc=interval.value, auc_low=interval.low, auc_high=interval.high,
                    **_found_at(placed, parts.sources),
                ), placed  # fmt: skip


def _not_fitted(detector: str, change: str, family: str, made: int, real: int) -> FamilyRow:
    return FamilyRow(
        detector=detector, perturbation=change, family=family, n_generated=0, n_real=0, unscored=made,
        unscored_real=real, auc=None, auc_low=None, auc_high=None, tpr5=None, tpr5_low=None, tpr5_high=None,
        reason="too few other pictures that it can describe",
    )  # fmt: skip


def _found_at(placed: Placed, sources: Sequence[str]) -> dict[str, Any]:
    """Return the share of outputs above all but 5% of the real pictures; its interval varies the outputs alone.

    Every output is compared within the models that did not learn from the real picture: see `_folds`.
    """
    if len(placed.real) < FEWEST:
        return {"tpr5": None, "tpr5_low": None, "tpr5_high": None}
    hits = (placed.above.mean(axis=1) > 1 - FPR).astype(np.float64)
    share = mean_interval([(hits, [sources[i] for i in placed.generated.tolist()])])
    return {"tpr5": share.value, "tpr5_low": share.low, "tpr5_high": share.high}


def _folds(
    refit: Refit, detector: str, family: str, changes: Sequence[str], parts: Parts, made: Places, real: Places
) -> dict[str, Placed | None]:
    """Comparisons within one model at a time: scores of two models have no common scale. None where nothing scored."""
    above: dict[str, list[Array]] = {change: [] for change in changes}
    order: list[Places] = []
    for k in range(parts.folds):
        test = real[parts.fold[real] == k]
        if not len(test):
            continue
        others = (parts.labels == 1) & (parts.family != family)
        fit = np.flatnonzero(((parts.labels == 0) & (parts.fold != k)) | others)
        order.append(test)
        for change in changes:
            scores = refit(detector, fit, np.concatenate([made, test]), change)
            a, b = scores[: len(made), None], scores[None, len(made) :]
            above[change].append(np.where(np.isnan(a) | np.isnan(b), np.nan, (a > b) + 0.5 * (a == b)))
    rows = np.concatenate(order)
    joined = {change: np.concatenate(several, axis=1) for change, several in above.items()}
    return {
        change: None if np.isnan(x).all() else Placed(np.nan_to_num(x, nan=0.5), made, rows)
        for change, x in joined.items()
    }


def across(refit: Refit, detectors: Sequence[str], parts: Parts, least: int) -> Iterator[AcrossRow]:
    """Yield detector × family fitted to × family scored. Halves by source: nothing fitted to is scored."""
    for detector in detectors:
        for learnt in parts.families:
            made, real = parts.made(learnt), np.flatnonzero(parts.labels == 0)
            fit = np.concatenate([made[parts.half[made] == 0], real[parts.half[real] == 0]])
            sizes = np.bincount(parts.labels[fit], minlength=2)
            for family in parts.families:
                rows, others = (x[parts.half[x] == 1] for x in (parts.made(family), parts.real_for(family)))
                row = AcrossRow(detector=detector, fitted_to=learnt, family=family, auc=None)
                if min(sizes) < least:
                    few = f"{sizes.min()} pictures to fit to; {least} are needed"
                    yield row.model_copy(update={"reason": few})
                    continue
                if not len(rows) or not len(others):
                    side = "real ones" if len(rows) else family
                    few = f"{side}: all are of one source; none is left to score"
                    yield row.model_copy(update={"reason": few})
                    continue
                scores = refit(detector, fit, np.concatenate([rows, others]), "none")
                said, _ = compared(scores[: len(rows)], scores[len(rows) :], rows, others, parts.sources)
                yield row.model_copy(update=said.model_dump())


def means(rows: Sequence[FamilyRow], placed: Sequence[Placed | None], sources: Sequence[str]) -> Iterator[MeanRow]:
    """Yield the mean over families, with an interval over families and sources, and the worst one.

    One row for each detector and change, in the order of the rows.
    """
    keys = [(row.detector, row.perturbation) for row in rows]
    for key in dict.fromkeys(keys):
        there = [(r, p) for r, p, k in zip(rows, placed, keys, strict=True) if k == key and p is not None]
        if there:
            # What was compared has an AUC with an interval.
            worst = min((row.model_dump() for row, _ in there), key=lambda r: float(r["auc"]))
            mean = _mean({row.family: p for row, p in there}, sources)
            yield MeanRow(
                detector=key[0], perturbation=key[1], families=len(there), mean_auc=mean.value, mean_low=mean.low,
                mean_high=mean.high, worst=worst["family"], worst_auc=worst["auc"], worst_low=worst["auc_low"],
                worst_high=worst["auc_high"], n_generated=sum(len(p.generated) for _, p in there),
                n_real=len({i for _, p in there for i in p.real.tolist()}),
            )  # fmt: skip


def _mean(by_family: Mapping[str, Placed], sources: Sequence[str]) -> Interval:
    """Families share one set of real pictures, or have sets of their own, and then only families vary."""
    sets = {tuple(np.sort(p.real).tolist()) for p in by_family.values()}
    return mean_area(by_family, sources) if len(sets) == 1 else mean_area_apart(by_family)


def calibration(scores: Scores, parts: Parts) -> Iterator[CalibrationRow]:
    """Yield the debiased error of each detector's probabilities, and their Brier score at even odds, pooled."""
    for (detector, change), values in scores.probability.items():
        p = np.array(values)
        there = np.isfinite(p)
        y = parts.labels[there]
        row = CalibrationRow(
            detector=detector, perturbation=change, n=int(there.sum()), without=int((~there).sum()), error=None,
            brier=None,
        )  # fmt: skip
        if min(np.bincount(y, minlength=2)) < BINS:
            yield row.model_copy(update={"reason": "too few probabilities of a class"})
            continue
        table = np.stack([np.clip(p[there], 1e-9, 1 - 1e-9), y], axis=1)
        clusters = [parts.sources[i] for i in np.flatnonzero(there).tolist()]
        apart = min(len({c for c, label in zip(clusters, y.tolist(), strict=True) if label == k}) for k in (0, 1))
        if apart < SOURCES:
            why = f"{apart} sources of a class are too few for an interval"
            yield row.model_copy(update={"reason": why})
            continue
        values_of: dict[str, float] = {}
        for name, statistic in (("error", _error), ("brier", _brier)):
            interval = cluster_bootstrap(table, clusters, statistic=statistic, resamples=RESAMPLES, seed=0)
            values_of |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
        yield row.model_copy(update=values_of)


def _error(values: Array) -> float:
    p = values[:, 0]
    return pooled_calibration_error(np.log(p / (1 - p)), values[:, 1])


def _brier(values: Array) -> float:
    """Mean of both classes' squared errors: probabilities are given at even odds."""
    p, y = values[:, 0], values[:, 1]
    return float(np.mean([((p[y == label] - label) ** 2).mean() for label in (0, 1) if (y == label).any()]))


def false_alarms(scores: Scores, parts: Parts) -> Iterator[FalseAlarmsRow]:
    """Yield how often each detector calls the real pictures of a source synthetic, by source (largest first)."""
    real = np.flatnonzero(parts.labels == 0)
    named: Mapping[str, Places] = {}
    whole = {str(parts.group[i]): parts.group[i] for i in real.tolist()}
    for group in whole:
        rows = real[parts.group[real] == group]
        names = [parts.sources[i] for i in rows.tolist()]
        shared = len(set(names)) < len(names)  # drawn pictures are each a source of their own
        for name in dict.fromkeys(names) if shared else [group]:
            keep = rows if not shared else np.array([i for i in rows.tolist() if parts.sources[i] == name])
            named = {**named, f"{group}: {name}" if shared else group: keep}
    for (detector, change), verdicts in scores.verdict.items():
        if change != "none":
            continue
        given = np.array(verdicts, dtype=object)
        called = np.isin(given, SYNTHETIC)
        for name, rows in sorted(named.items(), key=lambda pair: -len(pair[1])):
            fpr = wilson(int(called[rows].sum()), len(rows))
            yield FalseAlarmsRow(
                detector=detector, source=name, n=len(rows), fpr=fpr[0], low=fpr[1], high=fpr[2],
                abstains=rate(given[rows] == "abstain"),
            )  # fmt: skip
