"""The measurements that both probes of groups make from decisions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.asking import first_error
from ...core.batch import Row
from ...core.results import Baseline, Evidence, Measurement, Point, Series
from ...core.statistics import wilson
from .decisions import CannotCompare, Decisions, read_decisions
from .gaps import CONFIDENCE, Gap, largest_gap, mean_gap, smallest_ratio
from .null import Null, permuted
from .rates import LEAST_TRIALS, RATES, Counts, count

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEADLINE, EQUALIZED_ODDS = "selection_rate_difference", "equalized_odds_difference"
ODDS = ("true_positive_rate", "false_positive_rate")
METRICS = (
    HEADLINE,
    "selection_rate_ratio",
    "accuracy_difference",
    "true_positive_rate_difference",
    "false_positive_rate_difference",
    "precision_difference",
    EQUALIZED_ODDS,
    "calibration_difference",
)
LEAST_CALIBRATED = 30
"""Rows with a label and a probability that a group needs for its mean error."""
BINS = 5
SIGNIFICANT = 0.05


def measurements(
    probe: str,
    rows: Sequence[Row],
    columns: Sequence[str],
    *,
    positive: str | None,
    crossed: bool,
    gated: Sequence[str],
    remarks: Sequence[str],
    seed: int,
) -> list[Measurement]:
    """Return every measurement of `METRICS` that the rows allow; the headline always.

    Parameters
    ----------
    probe : str
        Its id.
    rows : sequence of dict
        See `decisions`; those with ``error`` are counted apart.
    columns : sequence of str
        Names of the columns whose values the rows hold.
    positive : str or None
        The value that counts as selected.
    crossed : bool
        Whether the groups are combinations of the columns.
    gated : sequence of str
        The measurements that decide together: their intervals hold simultaneously, and the others are as wide.
    remarks : sequence of str
        What a reader must know of how the rows came about; added to the headline.
    seed : int
        Of the permutations.
    """
    done = [row for row in rows if "predicted" in row and "error" not in row]
    shared: dict[str, Any] = {
        "probe": probe,
        "errors": sum("error" in row for row in rows),
        "first_error": first_error(rows),
    }
    if not done:
        why = f": {shared['first_error']}" if shared["first_error"] else ""
        return [_none(HEADLINE, shared, 0, f"no decision to compare{why}")]
    try:
        data = read_decisions(done, columns, positive=positive, crossed=crossed)
    except CannotCompare as error:
        return [_none(HEADLINE, shared, len(done), str(error))]
    return _Measured(data, shared, gated, seed).all(remarks)


def _none(metric: str, shared: dict[str, Any], n: int, reason: str) -> Measurement:
    return Measurement(
        **shared, metric=metric, value=None, reason=reason, n=n, unit=_unit(metric), method="none",
        higher_is_worse=_worse(metric), needed=2 * LEAST_TRIALS if n < 2 * LEAST_TRIALS else None,
    )  # fmt: skip


def _unit(metric: str) -> str:
    return "ratio of rates" if metric.endswith("ratio") else "difference of rates"


def _worse(metric: str) -> bool:
    return not metric.endswith("ratio")


@dataclass(frozen=True)
class _Measured:
    """Measurements of one set of decisions."""

    data: Decisions
    shared: dict[str, Any]
    gated: Sequence[str]
    seed: int

    @property
    def level(self) -> float:
        """The confidence of each interval; without true labels one reading decides alone."""
        return 1 - (1 - CONFIDENCE) / (len(self.gated) if self.data.labelled.any() else 1)

    def all(self, remarks: Sequence[str]) -> list[Measurement]:
        """Return the headline and what can be measured beside it."""
        counts = {metric: count(self.data, metric) for metric in RATES}
        selection = counts["selection_rate"]
        headline = self._gap(HEADLINE, [selection], "selection rates")
        text = " ".join([headline.explanation, self._selected(), *remarks, *self._missing()])
        evidence = (_table(self.data, counts), *_by_column(self.data, counts, self.level))
        series = tuple(_series(self.data, selection, place) for place in range(len(self.data.partitions)))
        out = [headline.model_copy(update={"explanation": text.strip(), "evidence": evidence, "series": series})]
        out.append(self._ratio(selection))
        if not self.data.labelled.any():
            return out
        for metric in ("accuracy", *ODDS, "precision"):
            out.append(self._gap(f"{metric}_difference", [counts[metric]], metric.replace("_", " ") + "s"))
        out.append(self._odds([counts[metric] for metric in ODDS]))
        if np.isfinite(self.data.probability[self.data.labelled]).any():
            out.append(self._calibration())
        return out

    def _gap(self, metric: str, families: Sequence[Counts], what: str) -> Measurement:
        n = sum(int(c.trials[c.partition == 0].sum()) for c in families)
        gap = largest_gap(families, confidence=self.level)
        if gap is None:
            return _none(metric, self.shared, n, _too_few(families))
        null = permuted(families, seed=self.seed)
        assert null is not None  # there are groups to compare
        pairs = sum(len(c.pairs()) for c in families)
        return Measurement(
            **self.shared, **gap.interval._asdict(), metric=metric, n=n, unit=_unit(metric), higher_is_worse=True,
            method=f"largest difference of {what} between two groups; Newcombe's intervals, which hold for"
            f" {'the pair' if pairs == 1 else f'all {pairs} pairs at once'}; permutation p = {null.pvalue:.2g}",
            baseline=Baseline(
                what="mean of the same where the groups are dealt to the rows at random, up to its 95% quantile",
                value=null.mean, low=0.0, high=null.high,
            ),
            detectable=_detectable(families),
            explanation=_words(gap, null, families),
        )  # fmt: skip

    def _ratio(self, counts: Counts) -> Measurement:
        n, metric = int(counts.trials[counts.partition == 0].sum()), "selection_rate_ratio"
        gap = smallest_ratio(counts, confidence=self.level)
        if gap is None:
            few = not len(counts.pairs())
            return _none(metric, self.shared, n, _too_few([counts]) if few else "no row of any group was selected")
        if gap.interval.low == gap.interval.high:
            return _none(metric, self.shared, n, "the rates leave the ratio open")
        return Measurement(
            **self.shared, **gap.interval._asdict(), metric=metric, n=n, unit=_unit(metric), higher_is_worse=False,
            method="smallest ratio of the selection rates of two groups; Donner and Zou's intervals from Wilson's"
            " bounds, which hold for all pairs at once",
            explanation=f"{gap.groups[1]} against {gap.groups[0]}.",
        )  # fmt: skip

    def _odds(self, families: Sequence[Counts]) -> Measurement:
        """The larger of the gaps of true and false positive rates: both must be comparable."""
        for counts, metric in zip(families, ODDS, strict=True):
            if not len(counts.pairs()):
                n = sum(int(c.trials[c.partition == 0].sum()) for c in families)
                reason = f"{metric.replace('_', ' ')}s: {_too_few([counts])}"
                return _none(EQUALIZED_ODDS, self.shared, n, reason)
        return self._gap(EQUALIZED_ODDS, families, "true or of false positive rates")

    def _calibration(self) -> Measurement:
        data, metric = self.data, "calibration_difference"
        usable = np.isfinite(data.probability) & data.labelled
        error = data.label[usable] - data.probability[usable]
        start = np.concatenate([[0], np.cumsum([len(p.groups) for p in data.partitions])])
        codes = np.stack(
            [np.where(p.codes < 0, -1, p.codes + s)[usable] for p, s in zip(data.partitions, start, strict=False)],
            axis=1,
        )
        names = [f"{p.name} = {g}" for p in data.partitions for g in p.groups]
        partition = np.repeat(np.arange(len(data.partitions)), [len(p.groups) for p in data.partitions])
        gap = mean_gap(error, codes, names, partition, least=LEAST_CALIBRATED, confidence=self.level)
        n = int(usable.sum())
        if gap is None:
            reason = f"fewer than two groups have {LEAST_CALIBRATED} rows with a true label and a probability"
            return _none(metric, self.shared, n, f"insufficient evidence: {reason}")
        series = tuple(_reliability(data, usable, place) for place in range(len(data.partitions)))
        return Measurement(
            **self.shared, **gap.interval._asdict(), metric=metric, n=n, unit=_unit(metric), higher_is_worse=True,
            method="largest difference between two groups of the mean of (true label − predicted probability); Welch's"
            " intervals, which hold for all pairs at once",
            series=tuple(one for group in series for one in group),
            explanation=f"Probabilities are lower, against what came true, for {gap.groups[0]} than for"
            f" {gap.groups[1]}.",
        )  # fmt: skip

    def _selected(self) -> str:
        how = ", the last of the two values in ascending order (option 'positive' names another)"
        return f"Selected: '{self.data.positive}'{how if self.data.assumed else ''}."

    def _missing(self) -> list[str]:
        out = [f"{p.missing:,} rows have no value of {p.name} and were left out there." for p in self.data.partitions
               if p.missing]  # fmt: skip
        unlabelled = int((~self.data.labelled).sum())
        if 0 < unlabelled < len(self.data):
            out.append(
                f"{unlabelled:,} of {len(self.data):,} rows have no true label and count in selection rates alone."
            )
        if unlabelled == len(self.data):
            out.append("Without true labels, error rates cannot be compared.")
        return out


def _too_few(families: Sequence[Counts]) -> str:
    """Return why nothing can be compared, with the largest groups."""
    trials = np.concatenate([c.trials for c in families])
    names = [name for c in families for name in c.names]
    order = np.argsort(-trials, kind="stable")[:4]
    listed = ", ".join(f"{names[i]}: {trials[i]}" for i in order) or "none"
    return (
        f"insufficient evidence: fewer than two groups have {LEAST_TRIALS} rows that this rate is made of (the largest:"
        f" {listed})"
    )


def _words(gap: Gap, null: Null, families: Sequence[Counts]) -> str:
    out = f"Higher for {gap.groups[0]} than for {gap.groups[1]}."
    if null.pvalue > SIGNIFICANT:
        out += (
            f" Chance alone makes gaps up to {null.high:.3f} at these group sizes (permutation p = {null.pvalue:.2g}):"
            " no evidence of an association with the groups."
        )
    else:
        out += (
            f" Evidence of an association with the groups, under the conditions of this table (permutation p ="
            f" {null.pvalue:.2g}); it does not say why."
        )
    few: dict[str, list[str]] = {}
    for counts in families:
        for name, trials, enough in zip(counts.names, counts.trials.tolist(), counts.enough.tolist(), strict=True):
            if not enough:
                few.setdefault(name, []).append(str(trials))
    small = [f"{name} ({' and '.join(numbers)})" for name, numbers in few.items()]
    if small:
        listed = ", ".join(small[:6]) + (f" and {len(small) - 6} more" if len(small) > 6 else "")
        out += f" Insufficient evidence (fewer than {LEAST_TRIALS} rows), not compared: {listed}."
    return out


def _detectable(families: Sequence[Counts]) -> float | None:
    """Return the gap between the two largest groups that would be told from none four times in five."""
    from scipy.special import ndtri

    from ...core.statistics import simultaneous

    pairs = sum(len(c.pairs()) for c in families)
    best = math.inf
    for counts in families:
        for i, j in counts.pairs().tolist():
            rate = (counts.hits[i] + counts.hits[j] + 1) / (counts.trials[i] + counts.trials[j] + 2)
            best = min(best, math.sqrt(rate * (1 - rate) * (1 / counts.trials[i] + 1 / counts.trials[j])))
    z = float(ndtri((1 + simultaneous(0.95, max(pairs, 1))) / 2) + ndtri(0.8))
    return min(1.0, z * best) if math.isfinite(best) else None


def _table(data: Decisions, counts: dict[str, Counts]) -> Evidence:
    """Return the rates of every group; 'insufficient evidence' instead of a rate of few rows."""
    shown = [metric for metric in RATES if metric == "selection_rate" or data.labelled.any()]
    names = counts["selection_rate"].names
    rows = []
    for place, name in enumerate(names):
        cells = [name, f"{counts['selection_rate'].trials[place]:,}"]
        rows.append((*cells, *(_cell(counts[metric], place) for metric in shown)))
    return Evidence(
        kind="table",
        caption="Rates by group, each with Wilson's 95% interval for this group alone",
        columns=("group", "rows", *(metric.replace("_", " ") for metric in shown)),
        rows=tuple(rows),
    )


def _by_column(data: Decisions, counts: dict[str, Counts], level: float) -> list[Evidence]:
    """Return the largest gap of each rate in each column, where there are several columns."""
    if len(data.partitions) < 2:
        return []
    rows = []
    for place, part in enumerate(data.partitions):
        for metric in RATES if data.labelled.any() else ("selection_rate",):
            gap = largest_gap([counts[metric].of(place)], confidence=level, among=len(counts[metric].pairs()))
            if gap is None:
                cells = ("insufficient evidence", "", "")
            else:
                value, low, high = gap.interval
                higher, lower = (group.removeprefix(f"{part.name} = ") for group in gap.groups)
                cells = (f"{value:.3f} [{low:.3f}, {high:.3f}]", higher, lower)
            rows.append((part.name, metric.replace("_", " "), *cells))
    return [
        Evidence(
            kind="table",
            caption="Largest difference of each rate by column; the intervals hold for all columns at once",
            columns=("column", "rate", "difference", "highest for", "lowest for"),
            rows=tuple(rows),
        )
    ]


def _cell(counts: Counts, place: int) -> str:
    hits, trials = int(counts.hits[place]), int(counts.trials[place])
    if trials < LEAST_TRIALS:
        return f"insufficient evidence (n = {trials})"
    value, low, high = wilson(hits, trials)
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _series(data: Decisions, counts: Counts, place: int) -> Series:
    points = []
    for i in np.flatnonzero((counts.partition == place) & counts.enough).tolist():
        value, low, high = wilson(int(counts.hits[i]), int(counts.trials[i]))
        points.append(Point(x=counts.names[i], y=value, low=low, high=high, n=int(counts.trials[i])))
    name = data.partitions[place].name
    return Series(name=f"selection rate by {name}", x_label=name, y_label="selection rate", points=tuple(points))


def _reliability(data: Decisions, usable: NDArray[np.bool_], place: int) -> list[Series]:
    """Return, for each group, the share of positive labels by bin of the predicted probability."""
    part, out = data.partitions[place], []
    bins = np.minimum((data.probability * BINS), BINS - 1e-9)
    for code, group in enumerate(part.groups):
        mine = usable & (part.codes == code)
        if mine.sum() < LEAST_CALIBRATED:
            continue
        points = []
        for k in range(BINS):
            here = mine & (bins >= k) & (bins < k + 1)
            if (n := int(here.sum())) >= LEAST_TRIALS:
                value, low, high = wilson(int(data.label[here].sum()), n)
                points.append(Point(x=round(float(data.probability[here].mean()), 4), y=value, low=low, high=high, n=n))
        out.append(
            Series(
                name=f"calibration: {part.name} = {group}",
                x_label="mean predicted probability",
                y_label="share of positive labels",
                points=tuple(points),
            )
        )
    return out
