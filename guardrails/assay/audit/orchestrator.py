"""Runs an audit: settings → plan → journal → measurements → findings → `AuditResult`."""

from __future__ import annotations

import inspect
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

from ...core.errors import ConfigurationError, JournalError
from ...core.results import AuditResult
from ..cluster import check_engine
from ..foreign.imported import imported_alone
from ..resume import (
    check_asked,
    check_named,
    check_opened,
    check_unchanged,
    journal_of,
    resume_command,
    salvaged,
    stored_records,
    stored_settings,
    what_is_read,
)
from ..run_folder import JOURNAL, default_folder, make_folder, write_whole, writing
from ..served import answers_kept
from ..sources import all_versions, sources_sha256
from .engine import Progress
from .inputs import Inputs, Records, changes, check_apart
from .journal import Journal
from .options import changed_options, read_given, shortened
from .plan import OBJECT, Settings, asked, make_settings
from .processes import Processes
from .run import Run
from .scope import Scope
from .worker import job_of

if TYPE_CHECKING:
    from .ray import Cluster

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
    options: Mapping[str, Any] | None = None,
    recognizers: str | Path | None = None,
    descriptor: str | Path | None = None,
    groups: str | None = None,
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
    salvage: bool = False,
    fail_on: str | None = None,
    waivers: str | Path | None = None,
    baseline: str | Path | None = None,
    imports: Sequence[str | Path] = (),
    endpoint: Mapping[str, Any] | None = None,
    engine: str = "local",
    progress: Report = None,
    tell: Callable[[str], None] | None = None,
    warn: Callable[[str], None] | None = None,
) -> tuple[AuditResult, Path]:
    """Audit a target, or run the self-check without one; write ``result.json`` and the journal.

    Parameters
    ----------
    target : str or object, optional
        A target name such as ``hf:models/mine``, or an object with ``generate`` or ``sample``. None: the self-check.
    corpus, holdout, reference, prompts : str or data, optional
        Paths, or the data themselves.
    text_field : str, optional
        The field of records that holds the text, with dots between nested ones, in every file that has it.
    options : dict, optional
        Options of probes, as ``{"memorization.copies.descriptor": "sscd.onnx"}``: see ``guardrails list probes``.
    recognizers : str or Path, optional
        A TOML file with your own kinds of personal data (`guardrails.privacy.personal_data.user_recognizers`): the
        short form of the option ``recognizers`` of ``privacy.pii`` and ``privacy.completion``.
    descriptor : str or Path, optional
        An ONNX or TorchScript file that describes pictures in place of the copy descriptor that ships
        (`guardrails.kit.pictures.user_descriptor`): the short form of ``memorization.copies.descriptor``.
    groups : str, optional
        The columns of a table whose groups are compared, with commas: the short form of the option ``columns`` of
        ``fairness.groups`` and ``fairness.intersections``.
    columns, ignore_columns : str or sequence of str, optional
        The columns of a table to use, and those to leave out. A text is split at its commas.
    roles : dict of str to str or sequence of str, optional
        Columns of a table by role. ``id`` is left out; ``sensitive`` is what attribute inference guesses;
        ``quasi-identifier`` is what an attacker who links or singles out knows; ``date`` is read as a date.
    policy, plan, budget, seed, fail_on
        As on the command line.
    waivers : str or Path, optional
        A TOML file of failed findings that were accepted for a time: they do not fail the audit.
    baseline : str or Path, optional
        The folder of an earlier run, or its ``result.json``. What failed there too, and is no worse beyond noise, does
        not fail the audit.
    imports : sequence of str or Path, optional
        Results of other tools (`guardrails.assay.foreign.load.load_foreign`): their figures stand in the report under
        the same policy. Without a target nothing else is done.
    probes : str or sequence of str, optional
        One glob or several: run only the probes that match one of them.
    endpoint : dict, optional
        Of a served model (``openai:URL#MODEL``): fields of `guardrails.targets.endpoint.EndpointOptions`, such as
        ``api_key_env``, ``concurrency`` and ``max_requests``.
    engine : str
        ``local``, or ``ray``: the batches run on the Ray cluster that ``RAY_ADDRESS`` names, or on one that Ray
        starts on this machine. The result is the same, and a run can be resumed by either. A target that is a Python
        object, a callable or a served model can only be used by this process, and is refused.
    out : Path, optional
        The run's folder; default ``guardrails-runs/<time>-<target>``.
    resume : Path, optional
        The folder of an interrupted run: its settings and plan are used, finished batches are not repeated. Pass data
        and objects again, unchanged, and also a target that runs code or is downloaded from a hub. Other options may be
        left out. The code behind a callable, or the parameters of an estimator, cannot be compared: pass the same
        object.
    salvage : bool
        With `resume`: keep the rows of a damaged journal before the damage, and sample the rest again.
    progress : callable, optional
        Called with `Progress` after each batch.
    tell : callable, optional
        Called with messages: that a run without a target is the self-check, which files a resumed run reads, and which
        rows of a damaged journal were dropped.
    warn : callable, optional
        Called with a message that says what is sent to which host, before the first prompt is sent.

    Returns
    -------
    result : AuditResult
    folder : Path

    Raises
    ------
    ConfigurationError, TargetError
        For a wrong argument, and for a resumed run whose inputs changed since it began.
    JournalError
        If the journal or the run's folder is damaged or cannot be written, or an input changed during the run: then no
        result is written.
    """
    check_engine(engine)
    objects = {"target": target, "corpus": corpus, "holdout": holdout, "reference": reference, "prompts": prompts}
    settled = {
        "text_field": text_field, "options": options, "recognizers": recognizers, "descriptor": descriptor,
        "groups": groups, "policy": policy, "columns": columns, "ignore_columns": ignore_columns, "roles": roles,
        "probes": probes, "budget": budget, "seed": seed, "fail_on": fail_on,
        "waivers": waivers, "baseline": baseline, "imports": tuple(os.fspath(file) for file in imports),
        "endpoint": dict(endpoint) if endpoint else None,
    }  # fmt: skip
    if resume is not None:
        named = {name: name_of(value) for name, value in objects.items()}
        named["api_key_env"] = (endpoint or {}).get("api_key_env")
        folder = journal_of(resume)
        if out is not None and Path(out).resolve() != folder.resolve():
            raise ConfigurationError(f"the run in {folder} is resumed there; leave out={os.fspath(out)!r} out")
        again = asked(settled, Path(plan) if plan else None)
        named |= {name: str(value) for name, value in shortened(changed_options(read_given(again["options"]))).items()}
        return _resumed(
            folder, objects, named, again, engine, progress, tell or _silent, warn or _silent, salvage=salvage
        )
    if salvage:
        raise ConfigurationError("--salvage restores a damaged run: name it with --resume")
    given = {k: name_of(v) for k, v in objects.items()} | settled
    settings = make_settings(given, Path(plan) if plan else None)
    if settings.target is None and settings.imports:
        folder = Path(out) if out else default_folder("imported")
        return imported_alone(settings, folder), folder
    ray = _connected(engine, settings)
    if settings.target is None and tell:
        tell("no target is named: this is the self-check")
    folder = Path(out) if out else default_folder(settings.target or "self-check")
    _refuse_begun(folder)
    check_apart(settings, folder)
    inputs = Inputs(settings, objects, without=folder)
    records = inputs.records()  # before they are loaded: what changes in between is seen at the end
    scope = Scope(settings, objects)
    _ = scope.excuses, scope.imported
    scope.assays()  # opens the target, so that a wrong name leaves no folder behind
    identity = scope.subject.target.identity() if settings.target else {}  # reaches the server of a served model
    workers = _workers(ray, scope, folder, identity, records)
    make_folder(folder)
    with writing(folder):
        journal = Journal(folder / JOURNAL)
    with journal, answers_kept(scope, folder, warn or _silent, resumed=False):
        if journal.get("settings") is not None:  # another run was faster
            raise _holds_a_run(folder)
        begun = {
            "sources": sources_sha256(),
            "environment": all_versions(),
            "started": _now(),
            "inputs": {name: record.model_dump() for name, record in records.items()},
            "policy": scope.policy.sha256,
            "identity": identity,
            "settings": settings.model_dump(mode="json"),  # the last: with them a run has begun
        }
        journal.add_plan([], begun)
        return _finished(journal, scope, inputs, folder, workers, progress), folder


def _resumed(
    folder: Path,
    objects: dict[str, Any],
    named: Mapping[str, str | None],
    again: Mapping[str, Any],
    engine: str,
    progress: Report,
    tell: Callable[[str], None],
    warn: Callable[[str], None],
    *,
    salvage: bool,
) -> tuple[AuditResult, Path]:
    if salvage and (words := salvaged(folder)):
        tell(words)
    with Journal(folder / JOURNAL) as journal:
        settings = stored_settings(journal, folder)
        check_named(settings, named, folder)
        check_asked(settings, again, folder)
        ray = _connected(engine, settings)
        tell(f"resuming the run in {folder}; it reads: {what_is_read(settings)}")
        inputs = Inputs(settings, objects, without=folder)
        check_unchanged(journal, inputs, folder)
        scope = Scope(settings, objects)
        _ = scope.excuses, scope.imported
        check_opened(journal, scope, folder)
        workers = _workers(ray, scope, folder, journal.table("identity"), stored_records(journal))
        if salvage:
            done, total = journal.progress()
            tell(f"{done:,} of {total:,} batches are kept; the others are asked again")
        with answers_kept(scope, folder, warn, resumed=True):
            return _finished(journal, scope, inputs, folder, workers, progress), folder


def _connected(engine: str, settings: Settings) -> Any:
    """Return Ray, connected, for the engine of that name, else None. Errors as `ray.connected`."""
    if engine == "local":
        return None
    from .ray import connected

    return connected(settings)


def _workers(
    ray: Any, scope: Scope, folder: Path, identity: Mapping[str, str], inputs: Records
) -> Cluster | Processes | None:
    """Return what does batches in other processes: a cluster, or for the self-check those of this machine.

    Errors as `ray.Cluster`.
    """
    if ray is None and scope.settings.target is not None:
        return None
    job = job_of(scope, folder, identity, inputs)
    if ray is None:
        return Processes(job)
    from .ray import Cluster

    return Cluster(ray, job)


def _finished(
    journal: Journal, scope: Scope, inputs: Inputs, folder: Path, workers: Cluster | Processes | None, progress: Report
) -> AuditResult:
    """Finish a run that has begun, in other processes or, without them, here.

    Raises
    ------
    JournalError
        Where an input changed while the run was under way: what was read of it, before or after, is not known.
    """
    processes = workers if isinstance(workers, Processes) else nullcontext()
    with writing(folder, resume_command(scope.settings, folder)):
        with processes:
            result = Run(scope, folder, journal, progress, workers).result()
        if changed := changes(stored_records(journal), inputs.records(), f"while the run in {folder} was under way"):
            journal.put("changed", changed)
            raise JournalError(f"{changed}; there is no result, and the run cannot be resumed: start a new one")
        write_whole(folder / "result.json", result.to_json())
    return result


def _silent(_: str) -> None:
    pass


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


def _refuse_begun(out: Path) -> None:
    """Refuse a folder that holds a run; one where an earlier run was killed before it wrote its settings serves again.

    Raises
    ------
    ConfigurationError
    """
    if how_to_resume(out) is not None:
        raise _holds_a_run(out)


def _holds_a_run(out: Path) -> ConfigurationError:
    return ConfigurationError(f"{out} already holds a run; use --resume {out} or another --out")


def how_to_resume(folder: Path) -> str | None:
    """Return the command that resumes the run in a folder, or None where none has begun there."""
    if not (folder / JOURNAL).exists():
        return None
    with Journal(folder / JOURNAL) as journal:
        if journal.get("settings") is None:
            return None
        return resume_command(stored_settings(journal, folder), folder)
