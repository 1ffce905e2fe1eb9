"""A policy: thresholds with their origin. A measurement held against one becomes a status."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..core.errors import ConfigurationError, did_you_mean
from ..core.results import FrameworkRef, Measurement, Severity, Status, Threshold
from ..core.statistics import needed_n

POLICIES = Path(__file__).parent / "policies"
MAX_ERROR_SHARE = 0.05
"""Above this share of items that could not be assessed, a finding is not assessed."""


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    probe: str
    metric: str
    limit: float
    severity: Severity = Severity.MEDIUM
    required: bool = True
    origin: str = Field(min_length=10)


class _PolicyFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    description: str
    threshold: list[_Rule] = Field(min_length=1)


@dataclass(frozen=True)
class Policy:
    """Thresholds by (probe, metric), and the hash of the file they came from."""

    name: str
    sha256: str
    thresholds: Mapping[tuple[str, str], Threshold]

    def threshold(self, probe: str, metric: str) -> Threshold | None:
        """Return the threshold for a metric, or None where the policy does not gate it."""
        return self.thresholds.get((probe, metric))


def policy_names() -> list[str]:
    """Return the names of the shipped policies."""
    return sorted(p.stem for p in POLICIES.glob("*.toml") if p.stem != "frameworks")


def load_policy(name_or_file: str | Path) -> Policy:
    """Read a shipped policy by name, or a TOML file.

    Raises
    ------
    ConfigurationError
        For an unknown name, or with every mistake in the file at once.
    """
    path = Path(name_or_file)
    if path.suffix != ".toml":
        if str(name_or_file) not in policy_names():
            raise ConfigurationError(
                f"unknown policy '{name_or_file}'.{did_you_mean(str(name_or_file), policy_names())}"
            )
        path = POLICIES / f"{name_or_file}.toml"
    data, text = read_toml(path, "policy")
    try:
        file = _PolicyFile.model_validate(data)
    except ValidationError as error:
        raise ConfigurationError(f"policy {path}:\n" + "\n".join(mistakes(error))) from error
    rules = {
        (r.probe, r.metric): Threshold(
            metric=r.metric, limit=r.limit, origin=r.origin, severity=r.severity, required=r.required
        )
        for r in file.threshold
    }
    return Policy(file.name, hashlib.sha256(text).hexdigest(), rules)


def read_toml(path: Path, what: str) -> tuple[dict[str, Any], bytes]:
    """Read a TOML file and its bytes.

    Raises
    ------
    ConfigurationError
        Where it is missing, too large, or no TOML; `what` names it in the message.
    """
    try:
        if path.stat().st_size > 1_000_000:
            raise ConfigurationError(f"{what} {path} is larger than 1 MB")
        text = path.read_bytes()
        return tomllib.loads(text.decode()), text
    except OSError as error:
        raise ConfigurationError(f"{what} {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{what} {path} is not TOML: {error}") from error


def mistakes(error: ValidationError) -> list[str]:
    """Return every mistake of a file in one line each."""
    lines = []
    for item in error.errors():
        place = ".".join(str(part) for part in item["loc"])
        given = "" if item["type"] == "missing" else f" (given: {str(item['input'])[:60]!r})"
        lines.append(f"  {place}: {item['msg']}{given}")
    return lines


def judge(m: Measurement, threshold: Threshold) -> tuple[Status, str | None]:
    """Hold a measurement against its threshold: the whole interval must lie on one side.

    Items that failed widen the interval of a share by their worst case; above 5% nothing is said.

    Returns
    -------
    status : Status
    reason : str or None
        Why not assessed, or why inconclusive.
    """
    if m.value is None or m.low is None or m.high is None:
        return Status.NOT_ASSESSED, f"{m.reason}; {failures(m)}" if m.errors else m.reason
    low, high = m.low, m.high
    if m.errors:
        share = m.errors / (m.n + m.errors)
        if share > MAX_ERROR_SHARE:
            return Status.NOT_ASSESSED, failures(m)
        if m.unit == "share":
            low, high = low * (1 - share), high * (1 - share) + share
    good_below = high <= threshold.limit if m.higher_is_worse else low >= threshold.limit
    bad = low > threshold.limit if m.higher_is_worse else high < threshold.limit
    if good_below:
        return Status.PASS, None
    if bad:
        return Status.FAIL, None
    needed = m.needed or (needed_n(m.value, limit=threshold.limit) if m.unit == "share" else None)
    more = f" About {needed:,} samples would settle it, if the value stands." if needed else ""
    return (
        Status.INCONCLUSIVE,
        f"the interval [{low:.3g}, {high:.3g}] straddles the threshold {threshold.limit:g}.{more}",
    )


def failures(m: Measurement) -> str:
    """Say how many items failed, how many may, and why the first of them did."""
    total = m.n + m.errors
    first = f"; the first: {m.first_error}" if m.first_error else ""
    return f"{m.errors} of {total} items failed ({m.errors / total:.0%}); at most {MAX_ERROR_SHARE:.0%} may{first}"


@cache
def frameworks() -> dict[str, FrameworkRef]:
    """Return the framework controls that findings may cite, by key."""
    data, _ = read_toml(POLICIES / "frameworks.toml", "framework map")
    return {key: FrameworkRef.model_validate(value) for key, value in data.items()}
