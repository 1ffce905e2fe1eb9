"""The only orchestrator: settings → plan → journal → measurements → findings → `AuditResult`."""

from __future__ import annotations

import inspect
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

from ..core.errors import ConfigurationError
from ..core.results import AuditResult
from .engine import Progress
from .journal import Journal
from .plan import OBJECT, Settings, make_settings
from .run import Run
from .run_folder import write_whole, writing
from .scope import Scope
from .sources import files_sha256, sources_sha256

Report = Callable[[Progress], None] | None
P = ParamSpec("P")


def run_audit(
    target: Any = None,
    *,
    corpus: Any = None,
    holdout: Any = None,
    reference: Any = None,
    prompts: Any = None,
    text_field: str | None = None,
    recognizers: str | Path | None = None,
    descriptor: str | Path | None = None,
    columns: str | Sequence[str] = (),
    ignore_columns: str | Sequence[str] = (),
    roles: Mapping[str, str | Sequence[str]] | None = None,
    policy: str | Path | None = None,
    plan: str | Path | None = None,
    probes: str | Sequence[str] = (),
    budget: str | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    fail_on: str | None = None,
    progress: Report = None,
) -> tuple[AuditResult, Path]:
    """Audit a target, or without one run the self-check; write ``result.json`` and the journal.

    Parameters
    ----------
    target : str or object, optional
        A target name such as ``hf:models/mine``, or an object with ``generate`` or ``sample``. None: the self-check.
    corpus, holdout, reference, prompts : str or data, optional
        Paths, or the data themselves.
    text_field : str, optional
        The field of records that holds the text, with dots between nested ones, in every file that has it.
    recognizers : str or Path, optional
        A TOML file with kinds of personal data of your own (`guardrails.privacy.recognizers`).
    descriptor : str or Path, optional
        An ONNX or TorchScript file that describes pictures in place of the copy descriptor that ships
        (`guardrails.kit.own_descriptor`).
    columns, ignore_columns : str or sequence of str, optional
        Of a table: the only columns that are used, and those that are not. A text is split at its commas.
    roles : dict of str to str or sequence of str, optional
        Of a table: columns by role. ``id`` is left out; ``sensitive`` is what attribute inference guesses;
        ``quasi-identifier`` is what the attackers who link and single out know; ``date`` is read as a date.
    policy, plan, budget, seed, fail_on
        As on the command line.
    probes : str or sequence of str, optional
        One glob, or several: only the probes that match any of them.
    out : Path, optional
        The run's folder; default ``guardrails-runs/<time>-<target>``.
    resume : Path, optional
        The folder of a run that was cut off: its settings and plan are used, finished batches are not repeated.
    progress : callable, optional
        Told `Progress` after each batch.

    Returns
    -------
    result : AuditResult
    folder : Path

    Raises
    ------
    ConfigurationError, TargetError
        For a mistake in what was asked.
    JournalError
        Where the journal or the run's folder cannot be written.
    """
    objects = {"target": target, "corpus": corpus, "holdout": holdout, "reference": reference, "prompts": prompts}
    if resume is not None:
        folder = Path(resume)
        if not (folder / "journal.sqlite").is_file():
            raise ConfigurationError(f"{folder} holds no run to resume (no journal.sqlite)")
    else:
        given = {k: name_of(v) for k, v in objects.items()} | {
            "text_field": text_field, "recognizers": recognizers, "descriptor": descriptor, "policy": policy,
            "columns": columns, "ignore_columns": ignore_columns, "roles": roles,
            "probes": probes, "budget": budget, "seed": seed, "fail_on": fail_on,
        }  # fmt: skip
        settings = make_settings(given, Path(plan) if plan else None)
        scope = Scope(settings, objects)
        scope.assays()  # opens the target, so that a wrong name leaves no folder behind
        folder = _new_folder(Path(out) if out else default_folder(settings.target))
    with writing(folder, f"guardrails audit --resume {folder}"), Journal(folder / "journal.sqlite") as journal:
        if resume is not None:
            scope = Scope(_resumed(journal, folder), objects)
            if journal.get("policy") not in (None, scope.policy.sha256):
                raise ConfigurationError(
                    f"policy {scope.settings.policy} changed since the run in {folder} began; put it back, or start a "
                    "new run"
                )
        else:
            begun = {"settings": settings.model_dump(mode="json"), "sources": sources_sha256(), "started": _now()}
            journal.add_plan([], begun | {"files": files_sha256(settings.files()), "policy": scope.policy.sha256})
        result = Run(scope, folder, journal, progress).result()
        write_whole(folder / "result.json", result.to_json())
    return result, folder


def _result_alone(run: Callable[P, tuple[AuditResult, Path]]) -> Callable[P, AuditResult]:
    """Return `run_audit` for Python users: the same signature, and the result alone."""

    @wraps(run)
    def audit(*args: P.args, **kwargs: P.kwargs) -> AuditResult:
        if kwargs.get("out") or kwargs.get("resume"):
            return run(*args, **kwargs)[0]
        with tempfile.TemporaryDirectory(prefix="guardrails-") as folder:
            kwargs["out"] = Path(folder) / "run"
            return run(*args, **kwargs)[0]

    about, _, _ = (run.__doc__ or "").partition("    Returns")
    _, _, parameters = about.partition("    Parameters")
    audit.__name__ = audit.__qualname__ = "audit"
    audit.__doc__ = f"""Audit a target, or without one run the self-check, and return the result.

    Without `out` the journal lies in a temporary folder that is removed at the end: give `out` to keep the run, its
    pictures and the way to resume it.

    Parameters{parameters}    Returns
    -------
    AuditResult

    Raises
    ------
    ConfigurationError, TargetError
        For a mistake in what was asked.
    JournalError
        Where the journal or the run's folder cannot be written.

    Examples
    --------
    See the docstring of ``guardrails``.
    """
    signature = inspect.signature(run).replace(return_annotation=AuditResult)
    audit.__signature__ = signature  # type: ignore[attr-defined]
    return audit


audit = _result_alone(run_audit)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def name_of(value: Any) -> str | None:
    """Return what a setting says of a value: the name or path itself, or the kind of the Python object."""
    if value is None or isinstance(value, str):
        return value
    return str(value) if isinstance(value, os.PathLike) else f"{OBJECT}{type(value).__name__}"


def default_folder(target: str | None) -> Path:
    """Return where a run of this target goes if nothing else is said: ``guardrails-runs/<time>-<target>``."""
    name = re.sub(r"[^A-Za-z0-9.=-]+", "-", target or "self-check").strip("-.")[:60]
    return Path("guardrails-runs") / f"{datetime.now().strftime('%Y%m%d-%H%M%S')}-{name}"


def _new_folder(out: Path) -> Path:
    """Make the folder of a run; one where an earlier run was killed before it wrote its settings serves again."""
    if has_begun(out):
        raise ConfigurationError(f"{out} already holds a run; use --resume {out} or another --out")
    with writing(out, f"guardrails audit --resume {out}"):
        out.mkdir(parents=True, exist_ok=True)
    return out


def has_begun(folder: Path) -> bool:
    """Return whether a folder holds a run that wrote its settings, so that it can be resumed."""
    journal = folder / "journal.sqlite"
    if not journal.exists():
        return False
    with Journal(journal) as earlier:
        return earlier.get("settings") is not None


def _resumed(journal: Journal, folder: Path) -> Settings:
    stored = journal.get("settings")
    if stored is None:
        raise ConfigurationError(
            f"the run in {folder} was cut off before it began; start it anew, in this folder or another"
        )
    if journal.get("sources") != sources_sha256():
        raise ConfigurationError(f"guardrails or a library changed since the run in {folder} began; start a new one")
    settings = Settings.model_validate(stored)
    begun = journal.get("files") or {}
    for name, sha256 in files_sha256(settings.files()).items():
        if begun.get(name, sha256) != sha256:
            raise ConfigurationError(
                f"--{name} {getattr(settings, name)}: changed since the run in {folder} began; put it back, or start a "
                "new run"
            )
    return settings
