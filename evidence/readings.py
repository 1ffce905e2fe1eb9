"""How one reading is made: a probe on one source, at control size, under one seed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dependencies import closure
from pydantic import ValidationError

from generators.base import find_generator
from guardrails.assay.audit.controls import control_subject, headline_threshold
from guardrails.assay.policy.policy import judge
from guardrails.core.asking import ask, follow_ups
from guardrails.core.batch import Row
from guardrails.core.probe import Budget, Probe
from guardrails.core.registry import load_probe, probes
from guardrails.core.results import Measurement, Threshold
from guardrails.core.seeding import derive_seed
from guardrails.core.subject import Subject
from guardrails.targets import embeddings, reference_chat
from guardrails.targets.reference_data import LEAF

Reading = dict[str, Any]
"""source, seed, value, low, high, n, errors (where there are any) and status."""


def known_probes() -> list[str]:
    """Return the ids of the library's own probes."""
    return [name for name, cls in probes().items() if cls.__module__.startswith("guardrails.")]


def sources(probe: Probe) -> list[str]:
    """Return the probe's controls and, between them, every shipped dose of the same fault."""
    names = [c.source for c in probe.controls]
    for source in names[:]:
        scheme, _, spec = source.partition(":")
        name, _, fault = spec.partition(",")
        dial = fault.partition("=")[0]
        doses = doses_of(name)[dial] if dial else ()
        names += [f"{scheme}:{name},{dial}={dose:g}" for dose in doses if dose]
    return sorted(set(names))


def doses_of(model: str) -> dict[str, tuple[float, ...]]:
    """Return the doses of each fault of a model."""
    if model == reference_chat.NAME:
        return {"bias": reference_chat.DOSES}
    if model == embeddings.VECTORS:
        return {embeddings.DIAL: embeddings.DOSES}
    return {d.name: d.doses for d in find_generator(model).dials} | {"overfit": tuple(LEAF), "private": (1.0,)}


def module_of(source: str) -> str:
    """Return the module of a source's model: a generator, or one made from rules."""
    name = generator_of(source)
    rules = {reference_chat.NAME: reference_chat.__name__, embeddings.VECTORS: embeddings.__name__}
    return rules.get(name) or find_generator(name).__module__


def generator_of(source: str) -> str:
    """Return the name of a source's generator.

    >>> generator_of("classifier:tabular,overfit=1")
    'tabular'
    """
    return source.partition(":")[2].partition(",")[0]


def code_files(probe: Probe) -> set[Path]:
    """Return the Python files that decide a reading: those of the probe, of targets and of its sources' generators."""
    models = {module_of(source) for source in sources(probe)}
    files = closure({type(probe).__module__, "guardrails.core.asking", "guardrails.targets.reference_data", *models})
    return files | {Path(__file__).resolve()}


def measurement(probe_id: str, source: str, seed: int) -> Measurement:
    """Run a probe once on one source at control size and return its headline."""
    probe, subject = loaded(probe_id), control_subject(source)
    measured = probe.measure(
        collected(probe, subject, source, seed), subject, seed=derive_seed(seed, probe_id, source, "measure")
    )
    return next(m for m in measured if m.metric == probe.headline)


def reading(m: Measurement, source: str, seed: int) -> Reading:
    """Return what is stored of a measurement: its numbers, and their status by the default policy."""
    row = {"source": source, "seed": seed, "value": m.value, "low": m.low, "high": m.high, "n": m.n}
    if m.errors:
        row["errors"] = m.errors
    return row | {"status": judge(m, threshold(m.probe))[0].value}


def headline(m: Measurement) -> dict[str, Any]:
    """Return what all measurements of a probe's headline have in common and their status depends on."""
    common = {"metric": m.metric, "unit": m.unit, "higher_is_worse": m.higher_is_worse}
    return common | ({"exact": True} if m.exact else {})


def collected(probe: Probe, subject: Subject, source: str, seed: int) -> list[Row]:
    """Return the rows of a probe on one subject at control size; the source tells the seeds of subjects apart."""
    rows: list[Row] = []
    stage, batches = 0, probe.plan(subject, Budget.CONTROL, seed=derive_seed(seed, probe.id, source, "plan"))
    while batches:
        for batch in batches:
            rows += ask(probe, subject, batch, seed=derive_seed(seed, probe.id, source, batch.index))
        stage += 1
        batches = follow_ups(probe, rows, stage)
    return rows


@cache
def loaded(probe_id: str) -> Probe:
    """Return the probe, the same one per process: what it has computed from a subject's data serves every seed."""
    return load_probe(probe_id)


@cache
def threshold(probe_id: str) -> Threshold:
    """Return the default limit of a probe's headline."""
    return headline_threshold(load_probe(probe_id))


def judged(file: Mapping[str, Any], row: Reading) -> str:
    """Return the status that the default policy gives to the numbers of a stored reading, or why there is none."""
    numbers = {key: row.get(key) for key in ("value", "low", "high", "n")} | {"errors": row.get("errors", 0)}
    try:
        m = Measurement(
            probe=file["probe"], method="stored", reason="stored without a value", **file["headline"], **numbers
        )
    except ValidationError:
        return "no measurement has these numbers"
    return judge(m, threshold(m.probe))[0].value
