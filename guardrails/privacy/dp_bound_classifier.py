"""A lower bound on ε for the training of a classifier.

The attack is simple. The score of a row is log p(label | row) − log p(label), where p(label) is the share of rows with
that label, because a frequent label is likely anyway: calibration by difficulty (L. Watson et al., ICLR 2022, arXiv
2111.08440). The rows with the highest scores are guessed to be members, equally many with the lowest scores to be
non-members. See `one_run_guesses` for how rows become examples, and `one_run_bound` for the theorem.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..core.batch import Batch, Row, in_batches
from ..core.control import Control
from ..core.probe import Budget, Probe
from ..core.results import Measurement
from ..core.subject import Subject
from ..core.targets import Access, ClassifierTarget, Modality
from ..kit.tables.classifier_rows import TableRows
from . import one_run_guesses

EXAMPLES = {Budget.CONTROL: 1000, Budget.QUICK: 1000, Budget.STANDARD: 5000, Budget.THOROUGH: 20_000}
BATCH = 500
LEAST = 1e-7
"""A probability below this counts as this."""


class ClassifierPrivacyBound(Probe[ClassifierTarget]):
    """The largest ε that is refuted by correct guesses about which rows a classifier was trained on."""

    id = "privacy.dp-bound-classifier"
    title = "Lower bound on the ε of a classifier's training"
    question = "Which lower bound on the ε of a classifier's training can be shown?"
    limits = (
        "A lower bound: it can refute a claimed ε but never confirm one, and it is no larger than the number of "
        "guesses can prove; an attacker who trains the classifier again, or plants rows, can prove more. It is "
        "valid if the trained rows were chosen at random: a holdout from another source or time makes it too "
        "large. The blind baseline reveals columns that differ, but not a different relation between columns. "
        "Rows that are in both are left out."
    )
    risk = "privacy"
    modalities = frozenset({Modality.TABLE})
    requires = frozenset({Access.LOGPROBS})
    needs = frozenset({"corpus", "holdout"})
    headline = one_run_guesses.HEADLINE
    metrics = one_run_guesses.METRICS
    controls = (Control("classifier:tabular,overfit=1", "found"), Control("classifier:tabular,private=1", "clear"))
    frameworks = ("nist-600-1-data-privacy",)
    advice = (
        "Train with differential privacy and account for its ε, regularize more or stop earlier, and return "
        "classes instead of probabilities if membership is a secret."
    )

    def __init__(self) -> None:
        self._kept: TableRows | None = None

    def plan(self, subject: Subject[ClassifierTarget], budget: Budget, *, seed: int) -> list[Batch]:
        """Toss a coin for each example: the next row of the corpus, or of the holdout."""
        rng = np.random.default_rng(seed)
        data = self._rows(subject)
        left = {arm: rng.permutation(getattr(data, arm)).tolist() for arm in ("corpus", "holdout")}
        items = one_run_guesses.toss(left, EXAMPLES[budget], rng)
        return in_batches(items, BATCH)

    def collect(self, subject: Subject[ClassifierTarget], batch: Batch, *, seed: int) -> list[Row]:
        """Ask for the probability of each example's label; no value of a row goes into the journal."""
        items = batch.rows()
        confidences = subject.target.confidence(self._rows(subject).pool.iloc[[i["index"] for i in items]])
        return [i | {"confidence": p} for i, p in zip(items, confidences.tolist(), strict=True)]

    def measure(self, rows: Sequence[Row], subject: Subject[ClassifierTarget], *, seed: int) -> list[Measurement]:
        """Return epsilon_lower_bound, with the share of right guesses at other cut-offs, and blind_auc."""
        data = self._rows(subject)
        labels = data.pool[data.label].astype(str)
        expected = labels.map(labels.value_counts(normalize=True)).to_numpy(dtype=np.float64)
        scored = [
            r | {"score": math.log(max(r["confidence"], LEAST) / expected[r["index"]])} if "confidence" in r else r
            for r in rows
        ]
        return one_run_guesses.measurements(
            self.id,
            scored,
            unit="rows",
            blind=data.blind,
            note=data.note,
            seed=seed,
            both_ends=True,
            claimed=getattr(subject.target, "claimed_epsilon", None),
        )

    def _rows(self, subject: Subject[ClassifierTarget]) -> TableRows:
        if self._kept is None or not self._kept.serves(subject):
            self._kept = TableRows(subject)
        return self._kept
