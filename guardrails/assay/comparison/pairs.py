"""The samples of an audit, item by item, read from its journal: so that two audits of the same items are paired."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Collection, Hashable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ...core.batch import Batch
from ...core.errors import GuardrailsError
from ...core.probe import Probe
from ...core.registry import load_probe
from ...core.results import AuditResult, Finding
from ..log import before_damage
from ..run_folder import JOURNAL
from .differences import Difference, paired

SHARED = 0.95
"""The least share of each audit's items that the other must have: else pairs would leave too much out."""


class Outcome(NamedTuple):
    """What one item adds to a headline, and the cluster that it belongs to."""

    cluster: Hashable
    value: float


@dataclass
class Samples:
    """The headline of one probe, item by item; `asked` is a hash of what each item asked."""

    asked: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)


def samples_of(folder: Path | None, probes: Mapping[str, Probe]) -> dict[str, Samples]:
    """Return the samples of these probes on the target, from the journal of a run; empty where it cannot be read.

    The journal is opened for reading only. What it holds is checked against the result: see `difference_by_item`.
    """
    path = None if folder is None else folder / JOURNAL
    if path is None or not path.is_file():
        return {}
    wal = path.with_name(f"{path.name}-wal")
    mode = "mode=ro" if wal.exists() and wal.stat().st_size else "immutable=1"
    series = {f"{name}|target": Samples() for name in probes}
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True)) as db:
            for entry in before_damage(db, path):
                if (samples := series.get(entry.name)) is not None and entry.kind in ("plan", "rows"):
                    body = json.loads(entry.body)
                    if entry.kind == "plan":
                        _add_asked(samples, Batch.from_json(entry.idx, body))
                    else:
                        _add_outcomes(samples, probes[entry.name.partition("|")[0]], body)
    except (sqlite3.Error, ValueError, TypeError, KeyError, AttributeError, RecursionError, OSError):
        return {}  # a stranger's journal holds anything; without it, two samples are compared
    return {name.partition("|")[0]: samples for name, samples in series.items()}


def _add_asked(samples: Samples, batch: Batch) -> None:
    shared = json.dumps(dict(batch.payload), sort_keys=True)
    for item in batch.items:
        text = json.dumps(item.row(), sort_keys=True) + shared
        samples.asked[item.id] = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _add_outcomes(samples: Samples, probe: Probe, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if "error" not in row and (outcome := probe.outcome(row)) is not None:
            samples.outcomes[str(row["item"])] = Outcome(outcome[0], float(outcome[1]))


def probes_of(findings: Collection[Finding]) -> dict[str, Probe]:
    """Return the probes of these findings that have outcomes of items, by id; of those that are not here, none."""
    probes = {}
    for finding in findings:
        try:
            probe = load_probe(finding.probe, finding.options)
        except GuardrailsError:
            continue
        if type(probe).outcome is not Probe.outcome and finding.id == f"{probe.id}/{probe.headline}":
            probes[probe.id] = probe
    return probes


def same_data(before: AuditResult, after: AuditResult) -> bool:
    """Return whether the places that items name are of the same data: the same files, or the same reference target."""
    if len(before.targets) != 1 or len(after.targets) != 1:
        return False
    first, second = before.targets[0], after.targets[0]
    given = [{k: r.sha256 for k, r in t.inputs.items() if k != "target"} for t in (first, second)]
    if given[0] != given[1]:
        return False
    return bool(given[0]) or (first.name, first.identity) == (second.name, second.identity)


def difference_by_item(finding: Finding, after: Finding, a: Samples | None, b: Samples | None) -> Difference | None:
    """Return the difference over the items that both audits asked, or None where two samples have to be compared.

    The outcomes of each journal must give the measured value of its result again.
    """
    if a is None or b is None or not _fits(finding, a) or not _fits(after, b):
        return None
    shared = [
        item
        for item in a.outcomes
        if item in b.outcomes and a.asked.get(item) is not None and a.asked[item] == b.asked.get(item)
    ]
    if not shared or len(shared) < SHARED * max(len(a.outcomes), len(b.outcomes)):
        return None
    return paired(
        [a.outcomes[item].value for item in shared],
        [b.outcomes[item].value for item in shared],
        [a.outcomes[item].cluster for item in shared],
    )


def _fits(finding: Finding, samples: Samples) -> bool:
    m, values = finding.measurement, [outcome.value for outcome in samples.outcomes.values()]
    if m is None or m.value is None or not values or len(values) != m.n:
        return False
    return abs(sum(values) / len(values) - m.value) < 1e-9
