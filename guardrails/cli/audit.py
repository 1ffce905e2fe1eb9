"""``guardrails audit``: the main job."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import ConfigurationError
from ._child import continue_in_child
from ._console import echo_json, only_data_on_stdout, progress
from ._endings import interrupted
from ._screen import note, say, show
from ._summary import end_with
from .listing import TARGETS
from .scan import Engine

if TYPE_CHECKING:
    from ..core.results import AuditResult


ENDPOINT = "Served models (openai:URL#MODEL)"


class BudgetName(StrEnum):
    """How much work an audit may do."""

    QUICK = "quick"
    STANDARD = "standard"
    THOROUGH = "thorough"


def audit(
    target: Annotated[
        str | None,
        typer.Argument(
            show_default=False,
            help=f"What to audit: {', '.join(name for name, _ in TARGETS)}. Without it: the self-check on the built-in "
            "reference generators.",
        ),
    ] = None,
    corpus: Annotated[Path | None, typer.Option(help="What the model was trained on.")] = None,
    holdout: Annotated[Path | None, typer.Option(help="The same kind of data that it was not trained on.")] = None,
    reference: Annotated[Path | None, typer.Option(help="Real data that its outputs should resemble.")] = None,
    prompts: Annotated[Path | None, typer.Option(help="A file of prompts, one per line.")] = None,
    text_field: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The field of records that holds the text, such as body or data.text."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PROBE.OPTION=VALUE",
            help="An option of a probe (guardrails list probes --json); may be repeated.",
        ),
    ] = None,
    recognizers: Annotated[Path | None, typer.Option(help="A TOML file with your own kinds of personal data.")] = None,
    descriptor: Annotated[
        Path | None, typer.Option(help="An ONNX or TorchScript model for comparing pictures.")
    ] = None,
    groups: Annotated[
        str | None, typer.Option(metavar="A,B", help="Columns of a table whose groups are compared, such as sex,race.")
    ] = None,
    columns: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Use only these columns of a table; may be repeated.")
    ] = None,
    ignore_columns: Annotated[
        list[str] | None, typer.Option(metavar="A,B", help="Leave out these columns of a table; may be repeated.")
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE=A,B",
            help="The role of columns of a table: id, sensitive, quasi-identifier or date; may be repeated.",
        ),
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="The thresholds: the name of a shipped policy or a TOML file. (default: default)")
    ] = None,
    plan: Annotated[Path | None, typer.Option(help="A TOML file with all of these options.")] = None,
    probes: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Run only these probes; may be repeated.")
    ] = None,
    budget: Annotated[BudgetName | None, typer.Option(help="How many samples are taken. (default: standard)")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed gives the same result. (default: 0)")] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder. (default: guardrails-runs/TIME-TARGET)")] = None,
    resume: Annotated[Path | None, typer.Option(help="Continue the run in this folder.")] = None,
    salvage: Annotated[
        bool, typer.Option("--salvage", help="With --resume: keep the rows of a damaged journal before the damage.")
    ] = False,
    fail_on: Annotated[
        str | None, typer.Option(metavar="SEVERITY", help="Fail only on findings of at least this severity.")
    ] = None,
    waivers: Annotated[
        Path | None, typer.Option(help="A TOML file of failed findings that are accepted for a time.")
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="An earlier audit: what failed there and is no worse does not fail this one."),
    ] = None,
    import_: Annotated[
        list[Path] | None,
        typer.Option(
            "--import",
            metavar="FILE",
            help="A result of garak, lm-evaluation-harness, inspect, promptfoo or every-eval-ever; may be repeated.",
        ),
    ] = None,
    api_key_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The environment variable that holds the key.", rich_help_panel=ENDPOINT),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=64, help="Requests at a time. (default: 4)", rich_help_panel=ENDPOINT)
    ] = None,
    max_requests: Annotated[
        int | None, typer.Option(min=1, help="The maximum number of requests.", rich_help_panel=ENDPOINT)
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Stop after this many tokens.", rich_help_panel=ENDPOINT)
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option(help="Stop at this cost; needs both prices.", rich_help_panel=ENDPOINT),
    ] = None,
    price_in: Annotated[
        float | None, typer.Option(min=0, help="Price per million tokens sent.", rich_help_panel=ENDPOINT)
    ] = None,
    price_out: Annotated[
        float | None, typer.Option(min=0, help="Price per million tokens received.", rich_help_panel=ENDPOINT)
    ] = None,
    connect_timeout: Annotated[
        float | None, typer.Option(help="Seconds to connect. (default: 10)", rich_help_panel=ENDPOINT)
    ] = None,
    read_timeout: Annotated[
        float | None,
        typer.Option(help="Seconds between two parts of an answer. (default: 60)", rich_help_panel=ENDPOINT),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds for a whole answer. (default: 120)", rich_help_panel=ENDPOINT)
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Do not keep answers in the run's folder.", rich_help_panel=ENDPOINT)
    ] = False,
    engine: Annotated[Engine, typer.Option(help="Run on this machine or on a Ray cluster.")] = Engine.LOCAL,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would run, its cost and what it could detect.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print result.json instead of the table.")] = False,
) -> None:
    """Audit a generative model and write a report.

    Exit codes: 0 passed, 1 a finding failed, 2 a wrong option, 3 inconclusive or not assessed, 4 a control failed,
    5 the run broke and can be resumed.
    """
    asked_of_endpoint = {
        "api_key_env": api_key_env,
        "concurrency": concurrency,
        "max_requests": max_requests,
        "max_tokens": max_tokens,
        "max_cost": max_cost,
        "price_in": price_in,
        "price_out": price_out,
        "connect_timeout": connect_timeout,
        "read_timeout": read_timeout,
        "timeout": timeout,
        "cache": False if no_cache else None,
    }
    endpoint = {name: value for name, value in asked_of_endpoint.items() if value is not None}
    given = {
        "corpus": corpus,
        "holdout": holdout,
        "reference": reference,
        "prompts": prompts,
        "text_field": text_field,
        "options": _set(set_),
        "recognizers": recognizers,
        "descriptor": descriptor,
        "groups": groups,
        "columns": _columns(columns),
        "ignore_columns": _columns(ignore_columns),
        "roles": _roles(role),
        "policy": policy,
        "plan": plan,
        "probes": tuple(probes) if probes else None,
        "budget": budget.value if budget else None,
        "seed": seed,
        "fail_on": fail_on,
        "waivers": waivers,
        "baseline": baseline,
        "imports": tuple(map(str, import_)) if import_ else None,
        "endpoint": endpoint or None,
    }
    options = {name: value for name, value in given.items() if value is not None}  # a plan fills in the others
    if dry_run:
        _dry_run(target, options, as_json=as_json)
        return
    from ..assay.run_folder import default_folder

    folder = resume or out or default_folder(target or ("imported" if import_ else "self-check"))
    if engine is Engine.RAY and (code := continue_in_child(_how_to_resume, folder)) is not None:
        raise typer.Exit(code)
    from reports import render

    from ..assay.audit.options import SHORT

    if resume and (options.keys() - {"options", *SHORT, "endpoint"} or endpoint.keys() - {"api_key_env"} or out):
        raise ConfigurationError(
            "--resume takes every setting from the run itself; leave the other options out (only TARGET, --set, its "
            "short forms and --api-key-env may be named again)"
        )
    if salvage and not resume:
        raise ConfigurationError("--salvage restores a damaged run: name it with --resume")
    options["engine"] = engine.value
    result = _run(target, options, folder, resume=resume is not None, salvage=salvage)
    page = folder / "report.html"
    render(result, "html", page, run_folder=folder)
    end_with(result, page, as_json=as_json)


def _set(given: list[str] | None) -> dict[str, str] | None:
    from ..assay.audit.options import parse_assignments

    return parse_assignments(given) if given else None


def _columns(given: list[str] | None) -> tuple[str, ...] | None:
    from ..assay.audit.plan import column_names

    return tuple(name for text in given for name in column_names(text)) if given else None


def _roles(given: list[str] | None) -> dict[str, tuple[str, ...]] | None:
    from ..assay.audit.plan import column_names

    roles: dict[str, tuple[str, ...]] = {}
    for text in given or ():
        role, equals, names = text.partition("=")
        if not equals or not names.strip():
            raise ConfigurationError(f"--role {text}: write the role and its columns, as in id=ROWNUM")
        roles[role.strip()] = (*roles.get(role.strip(), ()), *column_names(names))
    return roles or None


def _dry_run(target: str | None, options: dict[str, Any], *, as_json: bool) -> None:
    from ..assay.audit.dry_run import dry_run

    with only_data_on_stdout():
        what = dry_run(target, **options, tell=note)
    if as_json:
        echo_json(what.to_dict())
        return
    show(*what.lines())


def _how_to_resume(folder: Path) -> str | None:
    from ..assay.audit.orchestrator import how_to_resume

    return how_to_resume(folder)


def _run(target: str | None, options: dict[str, Any], folder: Path, *, resume: bool, salvage: bool) -> AuditResult:
    from ..assay.audit.orchestrator import run_audit

    place: dict[str, Any] = {"resume": None, "out": folder, "tell": note, "warn": say}
    if resume:
        place |= {"resume": folder, "out": None, "salvage": salvage}

    with progress() as report, only_data_on_stdout():
        try:
            result, _ = run_audit(
                target,
                **options,
                **place,
                progress=lambda step: report(step.done, step.total, step.label),
            )
        except KeyboardInterrupt as error:
            interrupted(error, _how_to_resume, folder)
    return result
