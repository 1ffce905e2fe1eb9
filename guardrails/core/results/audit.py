"""The result of an audit: frozen, versioned, canonical JSON.

Every report renders from `AuditResult` and computes nothing. Change a field here and raise its version: see `migrate`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from itertools import islice
from json import JSONEncoder
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from .cost import Cost
from .finding import STATUS_ORDER, Finding, Severity, Status
from .measurement import Frozen
from .migrate import VERSIONS, extra_of, migrated
from .policy import PolicyRecord

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = VERSIONS["audit"]
PARTS = 1 << 16
"""Of JSON, written at a time."""
SHOWN = 16
"""Findings in the `repr` of a result: a screenful."""
_SEVERITIES = tuple(Severity)
_WORDS = (STATUS_ORDER[0].value, "waived", "known", *(status.value for status in STATUS_ORDER[1:]))


class InputRecord(Frozen):
    """The content of one input when the audit began.

    `sha256` is that of the file; of a folder or package, that of the names and hashes of its files.
    """

    name: str
    sha256: str
    files: int = Field(default=0, ge=0, description="0: given as a Python object")
    bytes: int = Field(default=0, ge=0)


class TargetRecord(Frozen):
    """What was audited, and with what access."""

    name: str
    modality: str
    access: tuple[str, ...]
    identity: dict[str, str] = {}
    data: dict[str, str] = Field(default={}, description="corpus, holdout, reference, prompts: what each was")
    read_as: dict[str, str] = Field(default={}, description="target, corpus, holdout, …: how each input was read")
    inputs: dict[str, InputRecord] = Field(default={}, description="target, corpus, holdout, …: the content of each")


class NotTested(Frozen):
    """Something that this audit did not test, and why."""

    what: str
    why: str


class Timing(Frozen):
    """When a run began and what it used. Two runs with the same seed differ only in this."""

    started: str
    seconds: float
    per_probe: dict[str, float] = Field(default={}, description="seconds of collecting, by probe")
    cost: Cost | None = Field(default=None, description="seconds, requests, tokens and memory; controls apart")


class UsedFile(Frozen):
    """A file of waivers, or the result of a baseline, that decided which failed findings count."""

    name: str
    sha256: str


class Rescored(Frozen):
    """The result whose measurements were compared with the thresholds of another policy."""

    policy: str
    policy_sha256: str
    verdict: str
    result_sha256: str | None = Field(default=None, description="None: it stated none")


class _Stated(BaseModel):
    schema_version: str = SCHEMA_VERSION


class AuditResult(Frozen):
    """The result of one audit. `to_json` returns canonical JSON; a notebook displays it as a page."""

    schema_version: str = SCHEMA_VERSION
    guardrails_version: str
    kind: Literal["audit", "self-check"]
    verdict: Literal["pass", "fail", "inconclusive", "not-assessed", "control-failed"]
    exit_code: int
    targets: tuple[TargetRecord, ...]
    findings: tuple[Finding, ...]
    not_tested: tuple[NotTested, ...]
    policy: str
    policy_sha256: str
    policy_record: PolicyRecord | None = Field(
        default=None, description="the policy whole; `policy_sha256` is its hash. None in results before schema 1.5"
    )
    seed: int
    budget: str
    command: str
    environment: dict[str, str]
    timing: Timing
    fail_on: Severity = Field(default=Severity.LOW, description="failed findings of lower severity do not count")
    waivers: UsedFile | None = None
    baseline: UsedFile | None = None
    rescored: Rescored | None = Field(default=None, description="what this result was made from, by another policy")
    remarks: tuple[str, ...] = Field(default=(), description="such as a waiver that matches no finding")
    sha256: str | None = Field(default=None, description="of this document as `to_json` writes it with null here")

    @model_validator(mode="before")
    @classmethod
    def _is_as_it_was_written(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        if values.get("sha256") is not None:
            without = values | {"sha256": None}
            if values["sha256"] != _sha256(without):
                raise ValueError("it is not as it was written: its contents do not fit its sha256")
            values = without
        return migrated("audit", values) if "schema_version" in values else values

    def __repr__(self) -> str:
        """Return a screenful: the verdict, how many findings of each status, the most important ones."""
        counts = Counter(finding.outcome for finding in self.findings)
        said = ", ".join(f"{counts[word]} {word}" for word in _WORDS if counts[word])
        shown = [f for f in self.by_importance() if f.status is not Status.NOT_APPLICABLE]
        more = [f"  … and {len(shown) - SHOWN} more"] if len(shown) > SHOWN else []
        targets = ", ".join(t.name for t in self.targets[:3]) + (", …" if len(self.targets) > 3 else "")
        return "\n".join(
            [
                f"{self.kind} of {targets or 'nothing'}: {self.verdict} (exit code {self.exit_code})",
                f"{len(self.findings)} findings: {said or 'none'}; policy {self.policy}, budget {self.budget}",
                *(f"  {finding.line()}" for finding in shown[:SHOWN]),
                *more,
                'All: .to_frame(); one: .findings[0].reason; a page: guardrails.render(result, "html", "report.html")',
            ]
        )

    __str__ = __repr__

    def by_importance(self) -> list[Finding]:
        """Return the findings, the most important first: misbehaved instruments, then by status, severity and id."""
        return sorted(
            self.findings,
            key=lambda f: (f.behaved, STATUS_ORDER.index(f.status), f.excused, -_SEVERITIES.index(f.severity), f.id),
        )

    def to_json(self) -> str:
        """Return canonical JSON: sorted keys, two-space indent, newline at the end; always encodable as UTF-8.

        Its `sha256` detects a damaged file. It is not a signature: anyone who changes a file can update it.
        """
        values = self.model_dump(mode="json") | {"sha256": None}
        return _canonical(values | {"sha256": _sha256(values)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote, in this version, an earlier one, or a later one with the same major number.

        Of a later version, fields that are not known here are ignored, with a warning.

        Raises
        ------
        pydantic.ValidationError
            Where the text is not a result of this schema, or not as it was written.
        ConfigurationError
            Where its schema has a later major version.
        """
        stated = _Stated.model_validate_json(text).schema_version
        return cls.model_validate_json(text, extra=extra_of("audit", stated))

    def to_frame(self) -> pd.DataFrame:
        """Return one row per finding: id, status, value, interval, n, threshold, severity, reason."""
        import pandas as pd

        rows = []
        for finding in self.findings:
            m, t = finding.measurement, finding.threshold
            rows.append(
                {
                    "finding": finding.id,
                    "status": finding.status.value,
                    "metric": m.metric if m else None,
                    "value": m.value if m else None,
                    "low": m.low if m else None,
                    "high": m.high if m else None,
                    "n": m.n if m else 0,
                    "threshold": t.limit if t else None,
                    "severity": finding.severity.value,
                    "reason": finding.reason,
                }
            )
        return pd.DataFrame(rows)

    def _repr_html_(self) -> str:
        # By name: `reports` lies above this layer, and `import guardrails` must not import it.
        return str(import_module("reports").render_fragment(self))


def _canonical(values: dict[str, Any]) -> str:
    return b"".join(_blocks(values)).decode()


def _sha256(values: dict[str, Any]) -> str:
    digest = hashlib.sha256()
    for block in _blocks(values):
        digest.update(block)
    return digest.hexdigest()


def _blocks(values: dict[str, Any]) -> Iterator[bytes]:
    """Yield canonical JSON in blocks: as one list of parts, a large result takes many times its size."""
    parts = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).iterencode(values)
    while block := "".join(islice(parts, PARTS)):
        yield block.encode("utf-8", "replace")  # a model may write half of a surrogate pair
    yield b"\n"
