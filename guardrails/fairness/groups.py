"""Do decisions differ between groups? Gaps of rates between the groups of each column, with their permutation null.

Decisions are what a classifier predicts for the rows of the holdout, or a column of a table that a model made. For each
column that is named, every two groups are compared: selection rates, and where true labels are known accuracy, true and
false positive rates, precision, equalized odds and calibration. See `metrics.gaps` for the intervals, `metrics.null`
for the gaps that chance alone makes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field

from ..core.batch import Arm, Batch, Item, Row, in_batches
from ..core.control import Control
from ..core.errors import NotApplicable
from ..core.options import ProbeOptions
from ..core.probe import Budget, Probe
from ..core.results import Measurement
from ..core.statistics import wilson
from ..core.subject import Subject
from ..core.targets import Access, Modality, PredictingTarget
from ..targets.spikes import deciding_by_group
from .metrics import sources
from .metrics.measured import EQUALIZED_ODDS, HEADLINE, METRICS, measurements

ROWS = {Budget.CONTROL: 4000, Budget.QUICK: 5000, Budget.STANDARD: 20_000, Budget.THOROUGH: 100_000}
BATCH = 500


class Groups(Probe[PredictingTarget]):
    """The largest gaps of selection and error rates between two groups of a column."""

    class Options(ProbeOptions):
        """Which columns hold what."""

        columns: str | None = Field(None, max_length=1000, description="the columns of groups, as in sex,race")
        prediction: str | None = Field(None, max_length=200, description="of a table: the column of decisions")
        label: str | None = Field(None, max_length=200, description="the column of true labels")
        probability: str | None = Field(
            None, max_length=200, description="of a table: the column with the probability of the positive value"
        )
        positive: str | None = Field(
            None, max_length=60, description="the value that counts as selected; of two, the last in ascending order"
        )

    options: Options  # for type checkers
    id = "fairness.groups"
    title = "Decisions by group"
    question = "Do selection rates and error rates differ between the groups of a column?"
    limits = (
        "Compares rates between the groups that the columns name, in this table alone. A gap can have many causes, and "
        "this probe names none: a difference in true labels makes one too. A small gap does not mean that decisions "
        "are right for anyone, and other groups may differ. Rows count as independent; labels are taken as true, "
        "though they may be biased themselves."
    )
    risk = "bias"
    modalities = frozenset({Modality.TABLE})
    requires = frozenset({Access.PREDICTIONS})
    headline = HEADLINE
    metrics = METRICS
    controls = (Control("decisions:tabular,group_bias=1", "found"), Control("decisions:tabular", "clear"))
    frameworks = ("nist-600-1-bias", "eu-ai-act-10")
    advice = (
        "Look at the table of rates by group and at where the difference arises: in the labels, in the sampling of the "
        "groups, or in the decisions at equal merit. Measure again on data collected for this purpose before acting."
    )
    spike_what = "decisions by the group alone: the most frequent group is selected, the others are not"
    crossed = False
    sizes = ROWS
    gated: ClassVar[tuple[str, ...]] = (HEADLINE, EQUALIZED_ODDS)
    """What the default policy has limits for."""

    def applicable(self, subject: Subject[Any]) -> None:
        """Raise NotApplicable also where no groups are named: rows alone do not say that decisions are in them."""
        super().applicable(subject)
        if not sources.columns_of(subject, self.options, crossed=self.crossed).groups:
            raise NotApplicable(f"{self.id} compares groups: name their columns with --groups COLUMN,COLUMN")

    def missing(self, subject: Subject[Any]) -> list[str]:
        """Return what is missing: predictions or a column of them, the columns of groups, rows to ask about."""
        columns = sources.columns_of(subject, self.options, crossed=self.crossed)
        out = [] if columns.groups else ["--groups COLUMN,COLUMN (the columns that divide the rows into groups)"]
        if sources.asks_a_classifier(subject):
            if not (subject.has("holdout") or subject.has("corpus")):
                out.append("--holdout (a table with the columns of groups and the true labels)")
        elif Access.OUTPUTS not in subject.target.access:
            out.append("access 'predictions' to the target")
        elif columns.prediction is None:
            out.append(f"--set {self.id}.prediction=COLUMN (the column of the table that holds the decisions)")
        if len(columns.groups) == 1 and self.crossed:
            out.append("a second column of --groups to cross with the first")
        return out

    def plan(self, subject: Subject[Any], budget: Budget, *, seed: int) -> list[Batch]:
        """Take the rows of the holdout in a random order, or as many rows of the target as the budget allows."""
        import numpy as np

        if sources.asks_a_classifier(subject):
            name, table = sources.evaluated(subject)
            columns = sources.columns_of(subject, self.options, crossed=self.crossed)
            sources.check_columns(table, columns.groups, f"--{name}")
            chosen = np.random.default_rng(seed).permutation(len(table))[: self.sizes[budget]].tolist()
            items = [Item(f"row:{place}", fields={"place": place}) for place in chosen]
            return in_batches(items, BATCH)
        available = subject.target.available
        n = self.sizes[budget] if available is None else min(self.sizes[budget], available)
        items = [Item(f"output:{i}", Arm.OUTPUTS, {"place": i}) for i in range(n)]
        return in_batches(items, BATCH, {"rows": None if available is None else n, "seed": seed})

    def collect(self, subject: Subject[Any], batch: Batch, *, seed: int) -> list[Row]:
        """Return groups, decision and true label of each row; nothing else of it goes into the journal."""
        columns = sources.columns_of(subject, self.options, crossed=self.crossed)
        begun = batch.rows()
        if sources.asks_a_classifier(subject):
            rows = sources.predicted_rows(subject, [item["place"] for item in begun], columns)
        else:
            rows = sources.stored_rows(_made(subject.target, batch, seed), columns)
        return [item | row for item, row in zip(begun, rows, strict=True)]

    def measure(self, rows: Sequence[Row], subject: Subject[Any], *, seed: int) -> list[Measurement]:
        """Return selection_rate_difference, then what `METRICS` names beside it."""
        columns = sources.columns_of(subject, self.options, crossed=self.crossed)
        known = any("predicted" in row for row in rows)
        return measurements(
            self.id,
            rows,
            columns.groups,
            positive=columns.positive,
            crossed=self.crossed,
            gated=self.gated,
            remarks=sources.remarks(subject, columns) if known else (),
            seed=seed,
        )

    def spike(self, subject: Subject[Any], batches: Sequence[Batch], *, seed: int) -> Subject[Any] | None:
        """Return the subject with a target that decides by the first column of groups alone."""
        columns = sources.columns_of(subject, self.options, crossed=self.crossed)
        if sources.asks_a_classifier(subject):
            return replace(subject, target=deciding_by_group(subject.target, columns.groups[0], None))
        return replace(subject, target=deciding_by_group(subject.target, columns.groups[0], columns.prediction))

    def recovery(
        self, clean: Sequence[Row], spiked: Sequence[Row], subject: Subject[PredictingTarget]
    ) -> tuple[float, float, float] | None:
        """Return the share of the rows whose decision is that of the planted rule: selected as the largest group is."""
        read = [(r["groups"][0], r["predicted"]) for r in spiked if "predicted" in r and r["groups"][0] is not None]
        if not read:
            return None
        (favoured, _), *_ = Counter(group for group, _ in read).most_common(1)
        (selected, _), *_ = Counter(decision for group, decision in read if group == favoured).most_common(1)
        return wilson(sum((g == favoured) == (d == selected) for g, d in read), len(read))


def _made(target: Any, batch: Batch, seed: int) -> Any:
    """Return the rows of a batch. A table hands out its rows without replacement within one call: the whole plan's."""
    stored: int | None = batch.payload["rows"]
    if stored is None:
        return target.sample_rows(len(batch.items), seed=seed)
    return target.sample_rows(stored, seed=batch.payload["seed"]).iloc[[item.fields["place"] for item in batch.items]]
