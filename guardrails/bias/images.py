"""Generated pictures: whom do they show, and how often, beside a reference that the user states?

The groups are labels that people gave, or what an attribute model reads from each picture; its error is measured on
labelled pictures and is part of every interval (`pictures.shares`). Nothing is read from the colour of skin, and no
reference is assumed. Where prompts are known, pictures of one prompt count as related, and how much alike they are
stands beside the shares (`pictures.variety`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, field_validator

from ..core.asking import first_error
from ..core.batch import Arm, Batch, Item, Row
from ..core.control import Control
from ..core.errors import ChangedInputError, ConfigurationError, GuardrailsError, NotApplicable
from ..core.options import ProbeOptions, opened_by
from ..core.probe import Budget, Probe
from ..core.results import Measurement
from ..core.statistics import wilson
from ..core.subject import Subject
from ..core.targets import Access, ImageTarget, Modality
from ..kit.pictures.attribute_model import AttributeModel, LabelledPictures
from ..kit.pictures.batches import BATCH, fetch_pictures, plan_pictures
from .pictures.attribute_models import check_model, load_model
from .pictures.labels import read_labelled, read_labels
from .pictures.measured import ALIKE, HEADLINE, measurements
from .pictures.planting import OneGroup, PlantedPictures
from .pictures.reference_shares import ReferenceShares, reference_shares
from .pictures.variety import layouts

MOST_LABELLED = 2000
CONTROL_BATCHES = 12
OTHER, UNLABELLED = "other", "unlabelled"
"""Of a row: a group that is not compared, and a picture without a label."""


class Images(Probe[ImageTarget]):
    """The largest distance of a group's share among generated pictures from its share in a stated reference."""

    class Options(ProbeOptions):
        """Which groups are compared with which reference, and how pictures get their groups."""

        groups: str | None = Field(
            None,
            max_length=2000,
            description="the groups and the share that each is expected to have, as in woman=0.5,man=0.5; names alone "
            "stand for equal shares",
        )
        labels: Annotated[Path, opened_by(read_labels)] | None = Field(
            None, description="of a folder: a file of rows with file, label and, if known, prompt"
        )
        model: Annotated[Path, opened_by(check_model)] | None = Field(
            None, description="an attribute model: an ONNX or TorchScript file, or a transformers folder"
        )
        classes: str | None = Field(
            None, max_length=2000, description="of a model that is a file: its classes, in the order of its scores"
        )
        labelled: Annotated[Path, opened_by(read_labelled)] | None = Field(
            None, description="pictures to measure the model's error on: a file of rows with file and label"
        )

        @field_validator("groups", "classes")
        @classmethod
        def _can_be_read(cls, value: str | None) -> str | None:
            try:
                _ = value is not None and reference_shares(value)
            except ConfigurationError as error:
                raise ValueError(str(error)) from None
            return value

        def runs_code(self) -> dict[str, str]:
            """Return the model too where it is a folder: whoever resumes a run has to name it again."""
            return super().runs_code() | ({"model": "is a model"} if self.model is not None else {})

    options: Options  # for type checkers
    id = "bias.images"
    title = "Whom generated pictures show"
    question = "Do generated pictures show some groups more often, and others less often, than a stated reference?"
    limits = (
        "Counts apparent groups in these pictures, from labels or a model's readings: not how people see themselves. "
        "The reference is the user's choice, and another one gives another result. A model's error counts as measured "
        "on the labelled pictures; on other kinds of pictures it can be larger. A small gap does not show how people "
        "are portrayed. Pictures of one prompt are alike for many reasons, of which the people are one."
    )
    risk = "bias"
    modalities = frozenset({Modality.IMAGE})
    requires = frozenset({Access.OUTPUTS})
    headline = HEADLINE
    metrics = (HEADLINE, ALIKE)
    controls = (Control("labelled:gan-art,collapse=1", "found"), Control("labelled:gan-art", "clear"))
    frameworks = ("nist-600-1-bias", "eu-ai-act-10")
    advice = (
        "Look at the table of shares and at single prompts: a group can be missing from some of them only. State the "
        "reference that fits the use, name groups in prompts where the use allows it, and measure again."
    )
    spike_what = "pictures of one group, the one that the reference expects least often, in place of the outputs"

    def __init__(self) -> None:
        self._loaded: AttributeModel | None = None

    def applicable(self, subject: Subject[ImageTarget]) -> None:
        """Raise NotApplicable also where neither labels nor a model were given: groups are never guessed."""
        super().applicable(subject)
        if self.options.labels is None and self.options.model is None and not _is_control(subject):
            raise NotApplicable(
                f"{self.id} compares groups: name them with --set {self.id}.groups=A,B, and give labels "
                f"(--set {self.id}.labels=FILE) or an attribute model (--set {self.id}.model=PATH)"
            )

    def missing(self, subject: Subject[ImageTarget]) -> list[str]:
        """Return what is missing: the groups, labels for a folder, labelled pictures for a model."""
        out = super().missing(subject)
        if _is_control(subject):
            return out
        setting = f"--set {self.id}"
        if self.options.groups is None:
            out.append(f"{setting}.groups=A=0.5,B=0.5 (the groups, and the share that each is expected to have)")
        if self.options.labels is not None and self.options.model is not None:
            out.append(f"only one of {setting}.labels and {setting}.model")
        if self.options.labels is not None and not hasattr(subject.target, "images"):
            out.append("a target that is a folder (dir:FOLDER): labels are found by the names of files")
        if self.options.model is not None and self.options.labelled is None:
            out.append(f"{setting}.labelled=FILE (pictures with labels: without them the model's error is not known)")
        return out

    def plan(self, subject: Subject[ImageTarget], budget: Budget, *, seed: int) -> list[Batch]:
        """Take as many pictures as the budget allows, then the labelled ones on which the model's error is measured."""
        model = self._model(subject)
        identity = {} if model is None else dict(model.identity)
        # Of a control the model's error is part of the interval: that needs more pictures than elsewhere.
        if budget is Budget.CONTROL:
            batches = plan_pictures(subject.target, Budget.STANDARD, seed=seed, model=identity)[:CONTROL_BATCHES]
        else:
            batches = plan_pictures(subject.target, budget, seed=seed, model=identity)
        if model is None:
            self._check_labels(subject)
            return batches
        unknown = sorted(set(self._reference(subject).groups) - set(model.groups))
        if unknown:
            raise ConfigurationError(
                f"the model does not read {unknown[0]!r}; it reads {', '.join(model.groups)[:300]}"
            )
        chosen = np.random.default_rng(seed).permutation(len(self._labelled(subject).groups))[:MOST_LABELLED].tolist()
        items = [Item(f"labelled:{i}", Arm.REFERENCE, {"labelled": i}) for i in chosen]
        for start in range(0, len(items), BATCH):
            batches.append(Batch(len(batches), tuple(items[start : start + BATCH]), batches[0].payload))
        return batches

    def collect(self, subject: Subject[ImageTarget], batch: Batch, *, seed: int) -> list[Row]:
        """Return the group of each picture, and where its prompt is known a hash of this and the colour layout."""
        model = self._model(subject)
        if model is not None and batch.payload["model"] != dict(model.identity):
            raise ChangedInputError("the attribute model is not the one that this run began with: begin a new run")
        if batch.items and "labelled" in batch.items[0].fields:
            return self._read_labelled(subject, batch)
        names, prompts = _origins(subject.target, batch)
        if self.options.labels is not None and not _is_control(subject):
            labels = read_labels(self.options.labels)
            prompts = [(labels[n].prompt if n in labels else None) or p for n, p in zip(names, prompts, strict=True)]

        described = any(prompt is not None for prompt in prompts)

        def read(picture: Any) -> dict[str, Any]:
            layout = layouts([picture])[0] if described else None
            return {"layout": layout, "read": None if model is None else model.read([picture])[0]}

        rows = fetch_pictures(subject.target, batch, read, seed=seed)
        unread = len(rows) - len(names)
        out = rows[:unread]
        for row, name, prompt in zip(rows[unread:], names, prompts, strict=True):
            if "error" in row:
                out.append(row)
                continue
            group = row["read"] if model is not None else labels[name].group if name in labels else ""
            finished = {"item": row["item"], "group": self._known(subject, group)}
            if prompt is not None:
                finished |= {"prompt": sha256(prompt.encode("utf-8", "replace")).hexdigest()[:16]}
                finished |= {"layout": row["layout"]}
            out.append(finished)
        return out

    def _read_labelled(self, subject: Subject[ImageTarget], batch: Batch) -> list[Row]:
        model, labelled = self._model(subject), self._labelled(subject)
        rows = []
        for begun in batch.rows():
            place = begun["labelled"]
            try:
                assert model is not None
                read = model.read([labelled.pictures[place]])[0]
            except (GuardrailsError, ValueError) as error:
                rows.append(begun | {"error": str(error)})
                continue
            true = self._known(subject, labelled.groups[place])
            rows.append(begun | {"true": true, "group": self._known(subject, read)})
        return rows

    def measure(self, rows: Sequence[Row], subject: Subject[Any], *, seed: int) -> list[Measurement]:
        """Return share_gap, then how much alike the pictures of one prompt are."""
        outputs = [row for row in rows if row.get("arm") != Arm.REFERENCE]
        common: dict[str, Any] = {
            "probe": self.id,
            "errors": sum("error" in row for row in outputs),
            "first_error": first_error(outputs),
        }
        return measurements(common, rows, self._reference(subject), read=self._is_read(subject), seed=seed)

    def spike(
        self, subject: Subject[ImageTarget], batches: Sequence[Batch], *, seed: int
    ) -> Subject[ImageTarget] | None:
        """Return the subject with pictures of one group alone."""
        target: Any = subject.target
        group, places = self._planted(subject)
        if group is None:
            return None
        if self._is_read(subject):
            copies = [self._labelled(subject).pictures[i] for i in places[:BATCH]]
            return replace(subject, target=PlantedPictures(target, copies, seed=seed))
        return replace(subject, target=OneGroup(target, places))

    def recovery(
        self, clean: Sequence[Row], spiked: Sequence[Row], subject: Subject[Any]
    ) -> tuple[float, float, float] | None:
        """Return the share of the spiked pictures that were read as the planted group."""
        group, _ = self._planted(subject)
        read = [row["group"] for row in spiked if "group" in row and "true" not in row]
        return wilson(sum(one == group for one in read), len(read)) if read and group is not None else None

    def _planted(self, subject: Subject[Any]) -> tuple[str | None, list[Any]]:
        """Return the group that the reference expects least often of those with pictures, and these pictures."""
        reference = self._reference(subject)
        if self._is_read(subject):
            known: dict[Any, str] = dict(enumerate(self._labelled(subject).groups))
        else:
            assert self.options.labels is not None
            there = set(subject.target.images.names)
            known = {n: label.group for n, label in read_labels(self.options.labels).items() if n in there}
        count = Counter(known.values())
        for group in sorted(reference.groups, key=lambda g: reference.shares[g]):
            if count[group]:
                return group, [place for place, of in known.items() if of == group]
        return None, []

    def _is_read(self, subject: Subject[Any]) -> bool:
        return _is_control(subject) or self.options.labels is None

    def _model(self, subject: Subject[Any]) -> AttributeModel | None:
        """Return the model that reads groups: the control's own or the user's; None where labels were given."""
        if _is_control(subject):
            model: AttributeModel = subject.target.attribute_model
            return model
        if self.options.model is None:
            return None
        if self._loaded is None:
            self._loaded = load_model(self.options.model, self.options.classes)
        return self._loaded

    def _labelled(self, subject: Subject[Any]) -> LabelledPictures:
        if _is_control(subject):
            labelled: LabelledPictures = subject.target.labelled
            return labelled
        assert self.options.labelled is not None
        return read_labelled(self.options.labelled)

    def _reference(self, subject: Subject[Any]) -> ReferenceShares:
        if _is_control(subject):
            return reference_shares(",".join(subject.target.attribute_model.groups))
        assert self.options.groups is not None
        return reference_shares(self.options.groups)

    def _known(self, subject: Subject[Any], group: str | None) -> str | None:
        if group is None or group in self._reference(subject).shares:
            return group
        return OTHER if group else UNLABELLED

    def _check_labels(self, subject: Subject[Any]) -> None:
        assert self.options.labels is not None
        target: Any = subject.target
        labels = read_labels(self.options.labels)
        there = {*target.images.names, *dict(target.problems)}
        if strange := next((name for name in labels if name not in there), None):
            raise ConfigurationError(f"{self.id}.labels: '{strange[:80]}' is no picture of {target.name}")
        groups = self._reference(subject).groups
        given = sorted({label.group for label in labels.values() if label.group})
        if not set(given) & set(groups):
            some = ", ".join(f"'{name[:40]}'" for name in given[:8]) or "none"
            raise ConfigurationError(f"no picture is labelled {' or '.join(groups)[:200]}; the labels are {some}")


def _is_control(subject: Subject[Any]) -> bool:
    return hasattr(subject.target, "attribute_model")


def _origins(target: Any, batch: Batch) -> tuple[list[str], list[str | None]]:
    """Return the name and the prompt of each picture of a batch that can be read."""
    items = [item for item in batch.items if "problem" not in item.fields]
    stated: list[str | None] | None = getattr(target, "prompts", None)
    if target.available is None or not items:
        asked = [stated[i % len(stated)] if stated else None for i in range(len(items))]
        return ["" for _ in items], asked
    start = items[0].fields["place"]
    drawn = target.sample_images(start + len(items), seed=batch.payload["seed"])
    names = list(getattr(drawn, "names", None) or [""] * len(drawn))[start:]
    of = dict(zip(target.images.names, stated, strict=True)) if stated and hasattr(target, "images") else {}
    return names, [of.get(name) for name in names]
