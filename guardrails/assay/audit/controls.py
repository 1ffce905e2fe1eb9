"""Controls: each instrument is shown a known positive and a known negative before its reading is believed.

A control is judged by the default policy, whatever policy the audit uses: it tests the instrument, not the threshold.
"""

from __future__ import annotations

import hashlib
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Literal

from ...core.control import Control
from ...core.errors import NotApplicable
from ...core.probe import Probe
from ...core.results import ControlOutcome, Measurement, Status, Threshold
from ...core.subject import Subject
from ...kit.io import cache_folder
from ...kit.pictures.folder import files_below
from ..file_hash import hash_and_size
from ..policy.policy import Policy, judge, load_policy
from ..sources import sources_sha256

CONTROL_SEED = 0
_OBSERVED: dict[Status, Literal["found", "clear", "inconclusive", "not-assessed"]] = {
    Status.FAIL: "found",
    Status.PASS: "clear",
    Status.INCONCLUSIVE: "inconclusive",
    Status.NOT_ASSESSED: "not-assessed",
}


@lru_cache(maxsize=64)  # more than there are sources: the self-check returns to each of them
def control_subject(source: str) -> Subject:
    """Return a control's subject with its data, loaded once a process."""
    from ...targets import reference_subject

    return reference_subject(source)


def default_threshold(probe: Probe) -> Threshold | None:
    """Return the default policy's threshold for the metric that controls are judged by, if there is one."""
    return load_policy("default").headline(probe)


def headline_threshold(probe: Probe) -> Threshold:
    """Return the default policy's threshold for the metric that controls are judged by.

    Raises
    ------
    NotApplicable
        Where there is none.
    """
    threshold = default_threshold(probe)
    if threshold is None:
        raise NotApplicable(f"the default policy has no threshold for {probe.id}/{probe.headline}")
    return threshold


def control_threshold(probe: Probe, policy: Policy) -> Threshold | None:
    """Return what a probe's controls are judged by: the default limit or, where there is none, the audit's own."""
    return default_threshold(probe) or policy.headline(probe)


def control_outcome(
    probe: Probe,
    control: Control,
    measurement: Measurement | None,
    reason: str | None,
    threshold: Threshold | None = None,
) -> ControlOutcome:
    """Say what the instrument made of a control, from its headline measurement or the reason why there is none.

    `threshold` is what it is judged by, unless by the default policy.
    """
    if measurement is None:
        return ControlOutcome(source=control.source, expected=control.expected, observed="not-assessed", reason=reason)
    status, why = judge(measurement, threshold or headline_threshold(probe))
    return ControlOutcome(
        source=control.source,
        expected=control.expected,
        observed=_OBSERVED[status],
        value=measurement.value,
        low=measurement.low,
        high=measurement.high,
        n=measurement.n,
        reason=why,
    )


def options_sha256(probe: Probe) -> str:
    """Return a hash of a probe's options, of files by their content; empty where all are the defaults."""
    values: dict[str, object] = dict(probe.options.changed)
    if not values:
        return ""
    values |= {name: _content(path) for name, path in probe.options.files.items()}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _content(path: Path) -> list[tuple[str, str]]:
    names = sorted(files_below(path)) if path.is_dir() else [""]
    return [(name, hash_and_size(path / name if name else path)[0]) for name in names]


def _file(probe: Probe, control: Control) -> Path:
    options = options_sha256(probe)[:24]
    name = "-".join(filter(None, (probe.id, control.source, options)))
    name = "".join(c if c.isalnum() or c in ".-=" else "_" for c in name)
    return cache_folder() / "controls" / sources_sha256()[:24] / f"{name}.json"


def cached_outcome(probe: Probe, control: Control) -> ControlOutcome | None:
    """Return the outcome that these sources, weights, versions and options had before by the default policy, or None.

    Only outcomes that behaved are ever kept: a failure is looked at anew.
    """
    if default_threshold(probe) is None:
        return None
    path = _file(probe, control)
    try:
        outcome = ControlOutcome.model_validate_json(path.read_text())
    except (OSError, ValueError):
        return None
    return outcome.model_copy(update={"cached": True}) if outcome.behaved else None


def keep_outcome(probe: Probe, outcome: ControlOutcome, *, options: str) -> None:
    """Keep an outcome that behaved by the default policy.

    A cache that cannot be written costs time, not correctness. `options` is `options_sha256` from before the control
    was run: where a file that an option names changed since, which one the outcome is of cannot be told.
    """
    if not outcome.behaved or outcome.cached or default_threshold(probe) is None or options != options_sha256(probe):
        return
    path = _file(probe, Control(outcome.source, outcome.expected))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(outcome.model_dump(mode="json")))
        part.replace(path)
    except OSError:
        return
