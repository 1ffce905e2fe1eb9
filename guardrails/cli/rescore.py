"""``guardrails rescore``: the verdicts of another policy for a finished audit."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import ConfigurationError
from ._summary import end_with

if TYPE_CHECKING:
    from ..assay.stored_audit import StoredAudit
    from ..core.results import AuditResult


def rescore(
    run: Annotated[Path, typer.Argument(help="The folder of an audit, or its result.json.")],
    policy: Annotated[str, typer.Option(help="The name of a shipped policy or a TOML file.")],
    out: Annotated[
        Path | None, typer.Option(help="A new folder for the result. (default: beside the run, RUN-rescored-POLICY)")
    ] = None,
    fail_on: Annotated[
        str | None, typer.Option(metavar="SEVERITY", help="Fail only on findings of at least this severity.")
    ] = None,
    waivers: Annotated[Path | None, typer.Option(help="A TOML file of failures that are accepted for a time.")] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="An earlier audit: what failed there does not fail now.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print result.json instead of the table.")] = False,
) -> None:
    """Judge the stored measurements of an audit by another policy. Nothing is sampled again.

    What the stored measurements cannot answer is not assessed, with the reason. Exit codes are those of audit.
    """
    from reports import render

    from ..assay.audit.rescore import rescore as rescored
    from ..assay.comparison.excuses import load_excuses
    from ..assay.policy.policy import load_policy, unknown_probes
    from ..assay.run_folder import write_whole
    from ..assay.stored_audit import read_audit
    from ..core.results import Severity
    from ._new_folder import new_folder

    stored = read_audit(run)
    loaded = load_policy(policy)
    if unknown := unknown_probes(loaded):
        raise ConfigurationError(f"policy {policy}: {'; '.join(unknown)}")
    if fail_on is not None and fail_on not in tuple(Severity):
        raise ConfigurationError(f"--fail-on {fail_on}: one of {', '.join(Severity)}")
    excuses = load_excuses(waivers, baseline) if waivers or baseline else None
    words = ["guardrails", "rescore", str(run), "--policy", policy]
    for name, value in (("--fail-on", fail_on), ("--waivers", waivers), ("--baseline", baseline)):
        words += [name, str(value)] if value else []
    severity = None if fail_on is None else Severity(fail_on)
    result = rescored(stored, loaded, policy_name=policy, command=shlex.join(words), fail_on=severity, excuses=excuses)
    folder = out or _beside(run, loaded.name)
    with new_folder(folder):
        _copy_media(stored, result, folder)
        write_whole(folder / "result.json", result.to_json())
        page = folder / "report.html"
        render(result, "html", page, run_folder=folder)
    end_with(result, page, as_json=as_json)


def _beside(run: Path, policy: str) -> Path:
    from ..assay.run_folder import file_name

    place = run.resolve() if run.is_dir() else run.resolve().with_suffix("")
    return place.with_name(f"{place.name}-rescored-{file_name(policy)}")


def _copy_media(stored: StoredAudit, result: AuditResult, folder: Path) -> None:
    """Copy the pictures that the findings show; none that lies outside of the run's ``media/``, and no link."""
    import shutil

    if stored.folder is None:
        return
    media = (stored.folder / "media").resolve()
    names = {
        name
        for finding in result.findings
        for m in (finding.measurement, *finding.details)
        for evidence in (m.evidence if m else ())
        for name in evidence.media
    }
    for name in sorted(names):
        source = stored.folder / name
        try:
            usable = source.resolve().is_relative_to(media) and source.is_file() and not source.is_symlink()
        except (OSError, ValueError):  # a name that is none
            continue
        if usable:
            place = folder / "media" / source.resolve().relative_to(media)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)
