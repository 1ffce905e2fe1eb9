"""Membership inference on a classifier that can be trained again: LiRA and RMIA with reference models.

The audited items are equally many rows of the corpus and of the holdout. Each reference model is trained on a random
half of them and on all other rows of the corpus, so on as many rows as the target. If the holdout was drawn at random,
the target is one more such model, and every item has models trained with it and without it (the online attacks). See
`likelihood_ratio` for the statistics and `reference_training` for the training. Models are trained in batches that are
written to the run's journal, so an interrupted run can be resumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.batch import Arm, Batch, Item, Row, in_batches
from ..core.control import Control
from ..core.probe import Budget, Probe
from ..core.results import Measurement
from ..core.seeding import derive_seed
from ..core.statistics import wilson
from ..core.subject import Subject
from ..core.targets import Access, Modality, RetrainableTarget
from ..kit.tables.classifier_rows import TableRows
from ..targets.estimator import EstimatorTarget
from ..targets.spikes import remembering_classifier
from .classifiers.likelihood_ratio import ReferenceMoments, lira, loss, rmia, rmia_ratio
from .classifiers.reference_training import halves, processes, reference_confidences
from .separation import HEADLINE, METRICS, MINIMUM, measurements

if TYPE_CHECKING:
    from numpy.typing import NDArray

ITEMS = {Budget.CONTROL: 500, Budget.QUICK: 500, Budget.STANDARD: 1000, Budget.THOROUGH: 4000}
"""Of each arm."""
MODELS = {Budget.CONTROL: 8, Budget.QUICK: 8, Budget.STANDARD: 16, Budget.THOROUGH: 64}
FEWEST = 4
"""Reference models: two with each item and two without it, the fewest that have a variance."""
AT_ONCE = 8
"""Models of a batch."""
BATCH = 100
DECIMALS = 9


class ReferenceModels(Probe[RetrainableTarget]):
    """How well attacks that train the classifier again separate its training rows from others of the same kind."""

    id = "membership.reference-models"
    title = "Membership of rows in a classifier's training data"
    question = "Can someone who trains the same classifier again find out whose rows the audited one was trained on?"
    limits = (
        "Uses the probability of the true label in one query per row, against models with the same settings "
        "trained on the same kind of rows. An attacker who queries many variants of a row can see more; one who "
        "knows less about the training sees less. Shows how well members are separated from others on average. "
        "The result is only valid if the holdout was drawn at random from the same rows: the blind baseline "
        "reveals a difference that is linear in the columns, but no other. Rows count as independent."
    )
    risk = "privacy"
    modalities = frozenset({Modality.TABLE})
    requires = frozenset({Access.RETRAINING})
    needs = frozenset({"corpus", "holdout"})
    headline = HEADLINE
    metrics = METRICS
    controls = (Control("classifier:tabular,overfit=1", "found"), Control("classifier:tabular", "clear"))
    frameworks = ("nist-600-1-data-privacy",)
    advice = (
        "Regularize more, stop earlier or use a smaller model, remove duplicated rows, train with differential "
        "privacy, and return classes instead of probabilities if membership is a secret."
    )
    spike_what = "memory of the labels of corpus rows: 99% of the probability that the classifier gives to each"

    def __init__(self) -> None:
        self._kept: TableRows | None = None

    def plan(self, subject: Subject[RetrainableTarget], budget: Budget, *, seed: int) -> list[Batch]:
        """Draw as many rows of either arm, and say which models are trained; their halves follow from the seed."""
        rng = np.random.default_rng(seed)
        data = self._rows(subject)
        n = min(ITEMS[budget], len(data.corpus), len(data.holdout))
        arms = {arm: np.sort(rng.permutation(getattr(data, arm))[:n]).tolist() for arm in ("corpus", "holdout")}
        items = [
            Item(f"{arm}:{i}", Arm(arm), {"index": i, "place": place})
            for place, (arm, i) in enumerate((arm, i) for arm, drawn in arms.items() for i in drawn)
        ]
        batches = in_batches(items, BATCH)
        if n >= MINIMUM:
            shared = {"audited": arms, "seed": derive_seed(seed, "models"), "parallel": budget is not Budget.CONTROL}
            models = [Item(f"model:{k}", Arm.MODELS, {"model": k}) for k in range(MODELS[budget])]
            # A model that cannot be trained is a row with its reason; what else is raised would be for every model.
            trained = in_batches(models, AT_ONCE, shared, divisible=False)
            batches += [replace(batch, index=len(batches) + batch.index) for batch in trained]
        return batches

    def collect(self, subject: Subject[RetrainableTarget], batch: Batch, *, seed: int) -> list[Row]:
        """Ask the target for the probability of each row's label, or train reference models and ask them.

        A model is a row too, with what it says of every item in the order of their places. No value of a row of the
        tables goes into the journal.
        """
        if any(item.arm is Arm.MODELS for item in batch.items):
            return self._train(subject, [item.fields["model"] for item in batch.items], batch.payload)
        items = batch.rows()
        confidences = subject.target.confidence(self._rows(subject).pool.iloc[[i["index"] for i in items]])
        return [{**i, "confidence": p} for i, p in zip(items, confidences.tolist(), strict=True)]

    def measure(self, rows: Sequence[Row], subject: Subject[RetrainableTarget], *, seed: int) -> list[Measurement]:
        """Return membership_auc, then what `separation.METRICS` names beside it."""
        data = self._rows(subject)
        items = [r for r in rows if "arm" in r]
        models = [r for r in rows if "confidences" in r]
        failed = [r["error"] for r in rows if "model" in r and "error" in r]
        note = data.note + (f" {len(failed)} reference models failed; the first: {failed[0]}." if failed else "")
        if len(models) < FEWEST and _enough(items):
            reason = f"{len(models)} reference models could be trained; at least {FEWEST} are needed.{note}"
            return [_none(self.id, metric, reason) for metric in METRICS]
        return measurements(
            self.id,
            scored(items, models),
            unit="rows",
            method=f"online RMIA (γ = 1) and LiRA with {len(models)} reference models, each trained on a random half of"
            " the items and all other rows of the corpus; and the loss",
            blind=data.blind,
            note=note,
        )

    def spike(
        self, subject: Subject[RetrainableTarget], batches: Sequence[Batch], *, seed: int
    ) -> Subject[RetrainableTarget] | None:
        """Return the subject with a classifier that has the labels of the corpus rows by heart."""
        if not isinstance(subject.target, EstimatorTarget):
            return None
        places = [i["index"] for b in batches for i in b.rows()]
        return replace(subject, target=remembering_classifier(subject.target, self._rows(subject).pool.iloc[places]))

    def recovery(
        self, clean: Sequence[Row], spiked: Sequence[Row], subject: Subject
    ) -> tuple[float, float, float] | None:
        """Return the share of the planted rows that RMIA ranks above nineteen in twenty held-out ones."""
        models = [r for r in clean if "confidences" in r]
        held = [r for r in clean if r.get("arm") == "holdout"]
        if len(models) < FEWEST:
            return None
        planted = [r["scores"] for r in scored([*spiked, *held], models) if "scores" in r and r["arm"] == "corpus"]
        rmia_scores = [scores["RMIA"] for scores in planted if "RMIA" in scores]
        return tuple(wilson(sum(s > 0.95 for s in rmia_scores), len(rmia_scores))) if rmia_scores else None  # type: ignore[return-value]

    def _rows(self, subject: Subject[RetrainableTarget]) -> TableRows:
        if self._kept is None or not self._kept.serves(subject):
            self._kept = TableRows(subject)
        return self._kept

    def _train(self, subject: Subject[RetrainableTarget], models: Sequence[int], payload: Any) -> list[Row]:
        data = self._rows(subject)
        audited = np.array(payload["audited"]["corpus"] + payload["audited"]["holdout"])
        chosen = [halves(k, len(audited), seed=payload["seed"]) for k in models]
        confidences = reference_confidences(
            subject.target,
            data.pool,
            [data.training(audited, half) for half in chosen],
            audited,
            seeds=[derive_seed(payload["seed"], "model", k) for k in models],
            jobs=processes(len(models)) if payload["parallel"] else 1,
        )
        return [_model_row(k, half, said) for k, half, said in zip(models, chosen, confidences, strict=True)]


def scored(items: Sequence[Row], models: Sequence[Row]) -> list[Row]:
    """Return the items' rows with the scores of each attack, or the error that there is no model to compare with.

    Without models there is the loss alone.
    """
    asked = sorted((r for r in items if "confidence" in r), key=lambda r: r["place"])
    references = _moments(models, [r["place"] for r in asked])
    complete = references.complete if models else np.ones(len(asked), dtype=bool)
    usable = [r for r, known in zip(asked, complete, strict=True) if known]
    lacking = "no reference model was trained with it, or none without it"
    rest = [{**r, "error": lacking} for r, known in zip(asked, complete, strict=True) if not known]
    rest += [r for r in items if "confidence" not in r]
    p = np.array([r["confidence"] for r in usable])
    scores = {"loss": loss(p)}
    if models and usable:
        scores = _compared(p, references.of(np.flatnonzero(complete)), [r["arm"] == "holdout" for r in usable]) | scores
    return rest + [{**r, "scores": {k: float(v[i]) for k, v in scores.items()}} for i, r in enumerate(usable)]


def _moments(models: Sequence[Row], places: Sequence[int]) -> ReferenceMoments:
    out = ReferenceMoments(len(places))
    for model in sorted(models, key=lambda r: r["model"]):
        marks = np.frombuffer(model["trained"].encode(), dtype=np.uint8) == ord("1")
        out.add(np.asarray(model["confidences"])[places], marks[places])
    return out


def _compared(p: NDArray[np.float64], references: ReferenceMoments, held: Sequence[bool]) -> dict[str, Any]:
    """Return RMIA, its population the held-out items, and LiRA; what differs by rounding alone ties."""
    ratio = np.round(rmia_ratio(p, references), DECIMALS)
    population = ratio[np.asarray(held)]
    scores = {"RMIA": rmia(ratio, population)} if len(population) else {}
    return scores | {"LiRA": np.round(lira(p, references), DECIMALS)}


def _enough(items: Sequence[Row]) -> bool:
    arms = [r["arm"] for r in items if "confidence" in r]
    return min(arms.count("corpus"), arms.count("holdout")) >= MINIMUM


def _model_row(model: int, half: NDArray[np.bool_], said: NDArray[np.float64] | str) -> Row:
    row: Row = {"item": f"model:{model}", "model": model}
    if isinstance(said, str):
        return row | {"error": said}
    return row | {"trained": "".join("01"[int(i)] for i in half), "confidences": said.tolist()}


def _none(probe: str, metric: str, reason: str) -> Measurement:
    unit = "AUC" if metric.endswith("_auc") else "share"
    return Measurement(
        probe=probe, metric=metric, value=None, reason=reason, n=0, unit=unit, higher_is_worse=True, method="none"
    )
