"""A policy: thresholds with their origin. A measurement held against one becomes a status.

A policy file may extend another: its rows then add to those of the other, change them, or remove them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from ...core.errors import ConfigurationError, ContentError, did_you_mean
from ...core.probe import Probe
from ...core.registry import probes
from ...core.results import (
    FrameworkControl,
    FrameworkRef,
    Measurement,
    PolicyRecord,
    PolicyThreshold,
    Severity,
    Status,
    Threshold,
)
from ...core.statistics import needed_n
from ...core.statistics.intervals import score_interval
from ...kit.io import shown
from ...kit.settings_file import parse_toml, read_bounded
from .control_rows import VISIBLE, ControlRow, Header, controls_of

POLICIES = Path(__file__).parent / "shipped"
LONGEST_CHAIN = 20
MOST_MISTAKES = 100
MAX_ERROR_SHARE = 0.05
"""Above this share of items that could not be assessed, a finding is not assessed."""
UP_TO_ONE = frozenset({"share", "share of guesses", "risk", "AUC"})
"""Units of what lies between 0 and 1: a limit of 5, meant as 5%, would pass everything."""


TOOLS = frozenset({"garak", "lm-evaluation-harness", "inspect", "promptfoo", "every-eval-ever"})
"""Before a colon in the name of a probe: it is a check of that tool, whose results `--import` reads."""

Check = Annotated[
    str, StringConstraints(pattern=rf"^(?:[\w.-]{{1,100}}|(?:{'|'.join(sorted(TOOLS))}):[^\x00-\x1f\x7f]{{1,400}})$")
]
Metric = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,400}$")]
Line = Annotated[str, StringConstraints(pattern=VISIBLE, max_length=100)]


class _Row(BaseModel):
    """A row of a policy file. What it leaves out is as in the policy that the file extends."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    probe: Check
    metric: Metric
    gate: bool = True
    limit: float | None = Field(default=None, strict=True)
    severity: Severity | None = None
    required: bool | None = None
    origin: str | None = Field(default=None, min_length=10)

    @model_validator(mode="after")
    def _metric_is_a_word(self) -> Self:
        if ":" not in self.probe and not re.fullmatch(r"[\w.-]{1,100}", self.metric):
            raise ValueError("metric: the name of a metric of a probe has letters, digits, dots, '_' and '-' alone")
        return self

    @property
    def key(self) -> Key:
        return self.probe, self.metric


class _PolicyFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Line
    description: str = Field(max_length=2000)
    extends: Annotated[str, StringConstraints(pattern=VISIBLE, max_length=500)] | None = None
    threshold: list[_Row] = []
    framework: Header = Header()
    control: list[ControlRow] = Field(default=[], max_length=1000)


Key = tuple[str, str]
"""A probe's id and a metric."""


@dataclass(frozen=True)
class Policy:
    """Thresholds by (probe, metric), and the controls of frameworks that findings give evidence for.

    Attributes
    ----------
    extends : tuple of str
        The policies that it builds on, the nearest first.
    changed, removed : tuple of (probe, metric)
        The rows of those that it changes, or no longer gates.
    """

    name: str
    thresholds: Mapping[Key, Threshold]
    description: str = ""
    controls: tuple[FrameworkControl, ...] = ()
    extends: tuple[str, ...] = ()
    changed: tuple[Key, ...] = field(default=())
    removed: tuple[Key, ...] = field(default=())

    @classmethod
    def of(cls, record: PolicyRecord) -> Policy:
        """Return the policy that a result holds, to judge its measurements again."""
        thresholds = {
            (t.probe, t.metric): Threshold.model_validate(t.model_dump(exclude={"probe"})) for t in record.thresholds
        }
        return cls(record.name, thresholds, record.description, record.controls, record.extends)

    @cached_property
    def record(self) -> PolicyRecord:
        """The policy as a result holds it."""
        rows = sorted(self.thresholds.items())
        return PolicyRecord(
            name=self.name,
            description=self.description,
            extends=self.extends,
            thresholds=tuple(PolicyThreshold(probe=probe, **t.model_dump()) for (probe, _), t in rows),
            controls=self.controls,
        )

    @property
    def sha256(self) -> str:
        """The hash of `record`: what counts in a policy, not how its file is written."""
        return self.record.sha256

    def threshold(self, probe: str, metric: str) -> Threshold | None:
        """Return the threshold for a metric, or None where the policy does not gate it."""
        return self.thresholds.get((probe, metric))

    def headline(self, probe: Probe | type[Probe]) -> Threshold | None:
        """Return the threshold for the metric that a probe's controls are judged by."""
        return self.threshold(probe.id, probe.headline)

    def of_probe(self, probe: str) -> list[Threshold]:
        """Return the thresholds for all metrics of a probe."""
        return [threshold for (name, _), threshold in self.thresholds.items() if name == probe]


def policy_names() -> list[str]:
    """Return the names of the shipped policies."""
    return sorted(p.stem for p in POLICIES.glob("*.toml") if p.stem != "frameworks")


def load_policy(name_or_file: str | Path) -> Policy:
    """Read a shipped policy by name, or a TOML file.

    The policy ``default`` also holds the thresholds that the probes of other distributions bring.

    Raises
    ------
    ConfigurationError
        For an unknown name, or with every mistake in the file at once.
    """
    return _load(name_or_file, Path(), ())


def _load(name_or_file: str | Path, folder: Path, below: tuple[Path, ...]) -> Policy:
    """Read a policy; `folder` is where relative names start, `below` the files that extend it."""
    path = _path(name_or_file, folder)
    place = Path(os.path.realpath(path))  # Path.resolve raises where links lead in a circle
    if place in below:
        chain = " extends ".join(p.name for p in (*below[below.index(place) :], path))
        raise ConfigurationError(f"policy {path} extends itself: {chain}")
    if len(below) > LONGEST_CHAIN:
        raise ConfigurationError(f"policy {path}: more than {LONGEST_CHAIN} policies extend each other")
    data, _ = read_toml(path, "policy")
    try:
        file = _PolicyFile.model_validate(data)
    except ValidationError as error:
        raise ConfigurationError(f"policy {path}:", *mistakes(error)) from error
    base = Policy("", _brought() if place == POLICIES / "default.toml" else {})
    if file.extends is not None:
        _check_inside(path, file.extends)
        base = _load(file.extends, path.parent, (*below, place))
    thresholds, wrong = _applied(file.threshold, base.thresholds)
    controls, more = controls_of(file.control, file.framework, base.controls, probes())
    if not thresholds and not wrong:
        wrong.append("  it gates nothing; give at least one [[threshold]]")
    if wrong + more:
        raise ConfigurationError(f"policy {path}:", *wrong, *more)
    return Policy(
        file.name,
        thresholds,
        file.description,
        controls,
        (base.name, *base.extends) if base.name else (),
        tuple(r.key for r in file.threshold if r.gate and r.key in base.thresholds),
        tuple(r.key for r in file.threshold if not r.gate),
    )


def _check_inside(path: Path, extends: str) -> None:
    """Refuse to extend a file that is not in the folder of the policy or below: a policy can come from anyone.

    Raises
    ------
    ConfigurationError
    """
    if not extends.endswith(".toml"):
        return
    folder, place = os.path.realpath(path.parent), os.path.realpath(path.parent / extends)
    if os.path.commonpath([folder, place]) != folder:
        raise ConfigurationError(
            f"policy {path}: extends '{extends}', which is outside of its folder; put both files into one folder"
        )


def _path(name_or_file: str | Path, folder: Path) -> Path:
    path = Path(name_or_file)
    if path.suffix == ".toml":
        return folder / path
    if str(name_or_file) not in policy_names():
        hint = did_you_mean(str(name_or_file), policy_names())
        raise ConfigurationError(f"unknown policy '{name_or_file}'.{hint} A policy of your own is a file NAME.toml.")
    return POLICIES / f"{name_or_file}.toml"


def _brought() -> dict[Key, Threshold]:
    """Return the default thresholds that the classes of probes bring."""
    return {(name, t.metric): t for name, cls in probes().items() for t in cls.thresholds}


def _applied(rows: Sequence[_Row], base: Mapping[Key, Threshold]) -> tuple[dict[Key, Threshold], list[str]]:
    """Return the thresholds of a base with the rows of a file applied to them, and every mistake in a line."""
    out, wrong, seen = dict(base), [], set()
    for row in rows:
        place = f"  {row.probe}/{row.metric}:"
        given = row.model_dump(exclude_none=True, include={"limit", "severity", "required", "origin"})
        known = base.get(row.key)
        if row.key in seen:
            wrong.append(f"{place} stands twice")
        seen.add(row.key)
        if not row.gate:
            if given:
                wrong.append(f"{place} gate = false takes no {', '.join(given)}")
            if known is None:
                hint = did_you_mean("/".join(row.key), ["/".join(key) for key in base]) if base else ""
                wrong.append(f"{place} gate = false, but no policy that this one extends gates it.{hint}")
            out.pop(row.key, None)
        elif row.limit is not None and row.origin is None:
            wrong.append(f"{place} a limit needs its origin: who says so, and why")
        elif row.limit is None and known is None:
            wrong.append(f"{place} limit: give one; no policy that this one extends has a limit for it")
        else:
            before = known.model_dump() if known else {"metric": row.metric}
            out[row.key] = Threshold.model_validate(before | given)
    return out, wrong


def unknown_probes(policy: Policy) -> list[str]:
    """Return a line for each probe that a policy gates and that there is not here."""
    names = sorted({name for name, _ in policy.thresholds if name.split(":")[0] not in TOOLS} - probes().keys())
    return [f"there is no probe '{name}'.{did_you_mean(name, probes())}" for name in names]


def read_toml(path: Path, what: str) -> tuple[dict[str, Any], bytes]:
    """Read a TOML file and its bytes.

    Raises
    ------
    ConfigurationError
        Where it is missing, too large, or no TOML; `what` names it in the message.
    """
    try:
        content = read_bounded(path)
        return parse_toml(content, shown(path)), content
    except ContentError as error:
        raise ConfigurationError(f"{what} {error}") from None


def mistakes(error: ValidationError) -> list[str]:
    """Return every mistake of a file in one line each; of very many, the first."""
    lines = []
    for item in error.errors()[:MOST_MISTAKES]:
        place = ".".join(str(part) for part in item["loc"])
        given = "" if item["type"] == "missing" else f" (given: {str(item['input'])[:60]!r})"
        lines.append(f"  {place}: {item['msg']}{given}")
    more = error.error_count() - MOST_MISTAKES
    return [*lines, f"  and {more:,} more"] if more > 0 else lines


def judge(m: Measurement, threshold: Threshold, *, most: int | None = None) -> tuple[Status, str | None]:
    """Hold a measurement against its threshold: the whole interval must lie on one side.

    Items that failed widen the interval of a share by their worst case; above 5% nothing is said.

    Parameters
    ----------
    m, threshold
        Of the same metric.
    most : int, optional
        How many samples can be had. An inconclusive finding that needs more says so.

    Returns
    -------
    status : Status
    reason : str or None
        Why not assessed, or why inconclusive.
    """
    if m.value is None or m.low is None or m.high is None:
        return Status.NOT_ASSESSED, f"{(m.reason or '').rstrip('.')}; {failures(m)}" if m.errors else m.reason
    if m.unit in UP_TO_ONE and not 0 <= threshold.limit <= 1:
        return Status.NOT_ASSESSED, f"the limit {threshold.limit:g} is none for what lies between 0 and 1: 5% is 0.05"
    if too_many_failed(m):
        return Status.NOT_ASSESSED, failures(m)
    low, high = worst_case(m, m.low, m.high)
    good_below = high <= threshold.limit if m.higher_is_worse else low >= threshold.limit
    bad = low > threshold.limit if m.higher_is_worse else high < threshold.limit
    if good_below:
        return Status.PASS, None
    if bad:
        return Status.FAIL, None
    ends, limit = f"{_in_unit(low, m.unit)}, {_in_unit(high, m.unit)}", _in_unit(threshold.limit, m.unit)
    return Status.INCONCLUSIVE, f"the interval [{ends}] straddles the limit of {limit}.{_more(m, threshold, most)}"


def _in_unit(value: float, unit: str) -> str:
    """Return a number to three digits; a share in per cent, as reports write it."""
    return f"{100 * value:.3g}%" if unit == "share" else f"{value:.3g}"


def too_many_failed(m: Measurement) -> bool:
    """Return whether more items failed than may."""
    return m.errors > MAX_ERROR_SHARE * (m.n + m.errors)


def worst_case(m: Measurement, low: float, high: float) -> tuple[float, float]:
    """Return the bounds of a share, widened by the worst case of the items that failed."""
    if m.unit != "share" or not m.errors:
        return low, high
    share = m.errors / (m.n + m.errors)
    return low * (1 - share), high * (1 - share) + share


def _more(m: Measurement, threshold: Threshold, most: int | None) -> str:
    """Say how many samples would settle a finding, and whether there are as many."""
    needed = m.needed
    if needed is None and m.unit == "share" and m.value is not None:
        needed = needed_n(m.value, limit=threshold.limit, confidence=m.confidence)
        needed = needed and round(needed / worth(m))
    if needed is None or needed <= m.n:
        return ""
    if most is not None and m.n <= most < needed:
        return f" About {needed:,} samples would settle it, if the value stands; {most:,} were given: give more data."
    return f" About {needed:,} samples would settle it, if the value stands."


def worth(m: Measurement) -> float:
    """Return of how many independent samples one is worth, by the width of the interval: in (0, 1].

    Samples that share a cluster, or that are held against others, tell less than as many independent ones.
    """
    if m.value is None or m.low is None or m.high is None or not m.n:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(30):  # to the ninth digit
        middle = (low + high) / 2
        alone = score_interval(m.value, m.n * middle, confidence=m.confidence)
        low, high = (middle, high) if alone.high - alone.low > m.high - m.low else (low, middle)
    return high


def failures(m: Measurement) -> str:
    """Say how many items failed, how many may, and why the first of them did."""
    first = f"; the first: {m.first_error}" if m.first_error else ""
    share = f" ({m.errors / (m.n + m.errors):.0%}); at most {MAX_ERROR_SHARE:.0%} may" if m.n else ""
    return f"{m.failed}{share}{first}"


@cache
def frameworks() -> dict[str, FrameworkRef]:
    """Return the framework controls that findings may cite, by key: rows of the shipped policies."""
    data, _ = read_toml(POLICIES / "frameworks.toml", "framework map")
    controls = {name: load_policy(name).controls for name in {row["policy"] for row in data.values()}}
    return {key: next(c.reference for c in controls[row["policy"]] if c.id == row["id"]) for key, row in data.items()}
