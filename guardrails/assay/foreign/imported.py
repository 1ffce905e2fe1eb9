"""Figures of other tools in the result of an audit, or as a result of their own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from ...core.errors import ConfigurationError
from ...core.results import AuditResult, Finding, InputRecord, NotTested, TargetRecord, Timing
from ..audit.findings import with_verdict
from ..audit.plan import Settings, excuses_of
from ..file_hash import hash_and_size
from ..policy.policy import Policy, load_policy
from ..run_folder import make_folder, write_whole, writing
from ..sources import code_sha256, sources_sha256, versions
from .findings import ABSENT, absent_figures, foreign_findings
from .load import load_foreign
from .reading import ForeignResult

SHOWN = "its figures are in the report without a verdict: the policy has no limit for them"


class Imported(NamedTuple):
    """A file of another tool, and what was read of it."""

    file: str
    sha256: str
    bytes: int
    result: ForeignResult


def read_imports(files: Sequence[str]) -> list[Imported]:
    """Read files of other tools. Errors as `load_foreign`."""
    return [Imported(file, *hash_and_size(file), load_foreign(file)) for file in files]


def with_imports(result: AuditResult, imported: Sequence[Imported], policy: Policy) -> AuditResult:
    """Return a result with the figures of other tools as findings, under its policy. The verdict is as it was."""
    findings = [
        f for i in imported for f in foreign_findings(i.result, policy, file=i.file, sha256=i.sha256)
    ]  # fmt: skip
    findings = _apart(findings)
    absent = absent_figures(findings, policy)
    gaps = [*result.not_tested, *_gaps(findings), *(NotTested(what=f.title, why=ABSENT) for f in absent)]
    every = sorted([*result.findings, *findings, *absent], key=lambda f: f.id)
    return result.model_copy(update={"findings": tuple(every), "not_tested": tuple(gaps)})


def imported_alone(settings: Settings, folder: Path) -> AuditResult:
    """Return the result of an audit that reads results of other tools and measures nothing itself.

    Raises
    ------
    ConfigurationError
        As `load_foreign` and `excuses_of`.
    JournalError
        Where the result cannot be written.
    """
    begun, started = time.perf_counter(), datetime.now(UTC).isoformat(timespec="seconds")
    policy, imported = load_policy(settings.policy), read_imports(settings.imports)
    if (folder / "result.json").exists() or (folder / "journal.sqlite").exists():
        raise ConfigurationError(f"{folder} already holds a run; give another --out")
    result = AuditResult(
        guardrails_version=versions()["guardrails-audit"],
        kind="audit",
        verdict="not-assessed",
        exit_code=3,
        targets=tuple(_record(i) for i in imported),
        findings=(),
        not_tested=(NotTested(what="every check of this library", why="no target was named: only files were read"),),
        policy=policy.name,
        policy_sha256=policy.sha256,
        policy_record=policy.record,
        seed=settings.seed,
        budget=settings.budget.value,
        command=settings.command(),
        environment=versions() | {"sources": sources_sha256(), "code": code_sha256()},
        timing=Timing(started=started, seconds=round(time.perf_counter() - begun, 3)),
        fail_on=settings.fail_on,
    )
    result = with_imports(result, imported, policy)
    excuses = excuses_of(settings)
    result = with_verdict(excuses.applied(result) if excuses else result)
    make_folder(folder)
    with writing(folder):
        write_whole(folder / "result.json", result.to_json())
    return result


def _record(imported: Imported) -> TargetRecord:
    file = InputRecord(name=imported.file, sha256=imported.sha256, files=1, bytes=imported.bytes)
    tool = imported.result
    return TargetRecord(
        name=tool.target,
        modality="text",
        access=(),
        data={"import": imported.file},
        read_as={"import": f"a result of {tool.tool} {tool.version}, begun {tool.started or 'at an unknown time'}"},
        inputs={"import": file},
    )


def _apart(findings: Sequence[Finding]) -> list[Finding]:
    """Number the findings of several files that have one name."""
    names, seen = Counter(f.id for f in findings), Counter[str]()
    numbered = []
    for finding in findings:
        seen[finding.id] += 1
        again = names[finding.id] > 1
        numbered.append(finding.model_copy(update={"id": f"{finding.id} ({seen[finding.id]})"}) if again else finding)
    return numbered


def _gaps(findings: Sequence[Finding]) -> list[NotTested]:
    """Return what other tools did not score, each by itself, and how many figures have no limit."""
    gaps = []
    ungated: Counter[str] = Counter()
    for finding in findings:
        m, other = finding.measurement, finding.measured_by
        if finding.status != "not-assessed" or other is None:
            continue
        if m is not None and m.value is not None and finding.threshold is None:
            ungated[f"{other.tool} ({other.file})"] += 1
        else:
            gaps.append(NotTested(what=finding.title, why=finding.reason or ""))
    return gaps + [
        NotTested(what=f"{n:,} figure{'' if n == 1 else 's'} of {tool}", why=SHOWN)
        for tool, n in sorted(ungated.items())
    ]
