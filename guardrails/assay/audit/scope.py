"""What a run covers: the subject, the probes that have something to say about it, and their series."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from ...core.batch import Batch
from ...core.control import Control
from ...core.errors import STOPS, ConfigurationError, GuardrailsError, NotApplicable
from ...core.probe import Budget, Probe
from ...core.seeding import derive_seed
from ...core.subject import Subject
from ...core.targets import Access, Modality, Target
from ...kit.text.stored_corpus import StoredCorpus, is_index
from ..comparison.excuses import Excuses
from ..foreign.imported import Imported, read_imports
from ..policy.policy import load_policy
from .controls import CONTROL_SEED, control_subject, control_threshold
from .engine import Series
from .findings import Reading
from .plan import DATA, OBJECT, Settings, excuses_of, selected
from .spikes import batches_to_spike


@dataclass(frozen=True)
class Assay:
    """One probe on the user's subject or, in the self-check, on one of its controls."""

    probe: Probe
    subject: Callable[[], Subject]
    control: Control | None = None

    @property
    def key(self) -> str:
        """The probe's id and, in the self-check, the control's source."""
        return f"{self.probe.id}{self.suffix}"

    @property
    def suffix(self) -> str:
        return f"@{self.control.source}" if self.control else ""

    @property
    def expected(self) -> Literal["found", "clear"] | None:
        return self.control.expected if self.control else None


class Scope:
    """Settings turned into assays and series. Opens the target, never asks it anything."""

    def __init__(self, settings: Settings, objects: dict[str, Any]) -> None:
        self.settings, self.objects = settings, objects
        self.policy = load_policy(settings.policy)
        self._spiked: dict[str, Series | None] = {}
        self.plans: dict[str, list[Batch]] = {}
        """By the names of series; a control may have been planned by another process."""

    @cached_property
    def subject(self) -> Subject:
        """The user's target with the data given beside it; a reference generator brings its own data."""
        from ...targets import check_form, load_data, load_target, read_as
        from ...targets.joint_tables import read_together

        field = self.settings.text_field
        endpoint = self.settings.endpoint
        options = None if endpoint == type(endpoint)() else endpoint
        target = load_target(self._given("target"), text_field=field, endpoint=options)
        compared = target.modality is Modality.TEXT and (getattr(target, "comparable", False) or self._indexed())
        given: dict[str, Any] = {
            str(n): load_data(
                n,
                value,
                target.modality,
                text_field=field,
                comparable=compared,
                conversations=hasattr(target, "take_documents"),
            )
            for n in DATA
            if (value := self._given(n)) is not None
        }
        if "prompts" in given and hasattr(target, "take_prompts"):
            target.take_prompts(given["prompts"])
        if hasattr(target, "take_documents"):
            target.take_documents(given.get("corpus"), given.get("holdout"))
        names: dict[str, str] = {name: str(getattr(self.settings, name)) for name in given}
        if not compared:
            check_form(given.get("corpus"), given.get("holdout"))
        inputs: dict[str, Any] = {"target": target, **given}
        if field and not any(getattr(value, "uses_text_field", False) for value in inputs.values()):
            raise ConfigurationError(f"--text-field {field}: no file given has this field")
        readings = {name: reading for name, value in inputs.items() if (reading := read_as(value))}
        if target.name.startswith("reference:"):
            control = control_subject(target.name)
            subject = replace(control, **given, data_names={**control.data_names, **names}, read_as=readings)
        else:
            subject = Subject(target=target, **given, data_names=names, read_as=readings)
        if target.modality is Modality.TABLE:
            return read_together(subject, self.settings.choice)
        if self.settings.choice:
            raise ConfigurationError(f"columns and roles are for tables; {target.name} makes {target.modality}")
        return subject

    def _indexed(self) -> bool:
        """Whether the corpus is an index, which holds its texts as they are compared."""
        corpus = self._given("corpus")
        return isinstance(corpus, StoredCorpus) or (isinstance(corpus, str) and is_index(Path(corpus)))

    def _given(self, name: str) -> Any:
        """Return the object given for a setting, else its name; a resumed run needs the same objects again."""
        setting, given = getattr(self.settings, name), self.objects[name]
        if isinstance(setting, str) and setting.startswith(OBJECT):
            if given is None or isinstance(given, str | os.PathLike):
                raise ConfigurationError(f"this run was given {name} as a {setting}; give the same object to resume it")
            return given
        return setting

    @cached_property
    def excuses(self) -> Excuses | None:
        """The waivers and the baseline, as they were when this was first asked: one may expire during the run."""
        return excuses_of(self.settings)

    @cached_property
    def imported(self) -> list[Imported]:
        """Results of other tools."""
        return read_imports(self.settings.imports)

    @cached_property
    def _chosen(self) -> list[Probe]:
        return selected(self.settings.probes, self.settings.options)

    def assays(self) -> tuple[list[Assay], list[Reading]]:
        """Return what can be run, and the readings of what cannot."""
        runnable, closed = [], []
        if self.settings.target is None:
            for probe in self._chosen:
                if missing := probe.not_installed():
                    closed.append(Reading(probe, not_assessed=f"missing: {', '.join(missing)}"))
                elif control_threshold(probe, self.policy) is None:
                    closed.append(Reading(probe, not_assessed="no threshold for its headline to judge its controls by"))
                else:
                    runnable += [self.control_assay(probe, control) for control in probe.controls]
            return runnable, closed
        subject = self.subject
        for probe in self._chosen:
            try:
                probe.applicable(subject)
                missing = probe.missing(subject)
            except NotApplicable as error:
                closed.append(Reading(probe, not_applicable=str(error)))
                continue
            except (GuardrailsError, *STOPS):
                raise
            except BaseException as error:  # a defect in one probe must not take the other findings with it
                closed.append(Reading(probe, not_assessed=f"the probe broke ({type(error).__name__}: {error})"))
                continue
            if missing:
                why = f"missing: {', '.join(missing)}{_no_logprobs(probe, subject.target)}"
                closed.append(Reading(probe, not_assessed=why))
            else:
                runnable.append(Assay(probe, lambda: self.subject))
        return runnable, closed

    def judged_controls(self, assay: Assay) -> tuple[Control, ...]:
        """Return the controls that an instrument is shown before it reads the target: none without a threshold."""
        judged = assay.control is None and control_threshold(assay.probe, self.policy)
        return assay.probe.controls if judged else ()

    def control_assay(self, probe: Probe, control: Control) -> Assay:
        """Return the assay of one control."""
        return Assay(probe, lambda: control_subject(control.source), control)

    def series(self, assay: Assay) -> Series:
        """Return the series of an assay.

        Controls have a seed of their own: they test the instrument, and a cached outcome stands for any audit.
        """
        name = f"{assay.probe.id}|{assay.control.source if assay.control else 'target'}"
        return Series(name, assay.probe, assay.subject, CONTROL_SEED if assay.control else self.settings.seed)

    def series_named(self, name: str) -> Series:
        """Return the series that has a name in the journal: how another process is told which one it works on.

        Raises
        ------
        ConfigurationError
            Where there is none.
        """
        id, _, source = name.partition("|")
        probe = next((probe for probe in self._chosen if probe.id == id), None)
        series = None
        if probe is not None and source in ("target", "spike"):
            assay = Assay(probe, lambda: self.subject)
            series = self.series(assay) if source == "target" else self.spiked(assay)
        elif probe is not None:
            assays = [self.control_assay(probe, c) for c in probe.controls if c.source == source]
            series = self.series(assays[0]) if assays else None
        if series is None:
            raise ConfigurationError(f"there is no series {name} in this run")
        return series

    def spiked(self, assay: Assay) -> Series | None:
        """Return the series of the user's target with every item spiked, or None where the probe has no spike."""
        if assay.control is not None:
            return None
        if assay.key not in self._spiked:
            main, batches = self.series(assay), self.spike_plan(assay)
            subject = assay.probe.spike(assay.subject(), batches, seed=derive_seed(main.seed, main.name, "spike"))
            self._spiked[assay.key] = (
                None
                if subject is None
                else Series(f"{assay.probe.id}|spike", assay.probe, lambda: subject, main.seed, stream=main.name)
            )
        return self._spiked[assay.key]

    def plan(self, assay: Assay) -> list[Batch]:
        """Return the batches of an assay; controls run at their own size."""
        series = self.series(assay)
        if series.name not in self.plans:
            self.plans[series.name] = series.plan(Budget.CONTROL if assay.control else self.settings.budget)
        return self.plans[series.name]

    def spike_plan(self, assay: Assay) -> list[Batch]:
        """Return what is collected of an assay once more, with a spike."""
        return batches_to_spike(self.plan(assay), assay.probe.spiked_items)


def _no_logprobs(probe: Probe, target: Target) -> str:
    """Return why a target has no log-probabilities, in brackets, where a probe needs them and the target says it."""
    why = getattr(target, "without_logprobs", "") if Access.LOGPROBS in probe.requires - target.access else ""
    return f" ({why})" if why else ""


def count(batches: Sequence[Batch]) -> int:
    """Return the number of items in batches."""
    return sum(len(batch.items) for batch in batches)
