"""The commands, put together."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from . import (
    audit,
    bench,
    bundle,
    compare,
    doctor,
    generate,
    grade,
    index,
    listing,
    policy,
    report,
    rescore,
    scan,
    schema,
    train,
    trend,
    waivers,
)
from ._screen import be_quiet, show

app = typer.Typer(
    name="guardrails",
    help="Audits generative models. Before a reading counts, its instrument must find a known fault in one model and "
    "nothing in a model without it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("audit")(audit.audit)
app.command("generate")(generate.generate)
app.command("grade")(grade.grade)
app.command("index")(index.index)
app.command("bench")(bench.bench)
app.command("scan")(scan.scan)
app.add_typer(train.app, name="train")
app.command("report")(report.report)
app.command("bundle")(bundle.bundle)
app.command("verify")(bundle.verify)
app.command("compare")(compare.compare)
app.command("trend")(trend.trend)
app.command("rescore")(rescore.rescore)
app.add_typer(policy.app, name="policy")
app.add_typer(waivers.app, name="waivers")
app.command("list")(listing.list_)
app.command("schema")(schema.schema)
app.command("doctor")(doctor.doctor)


QUIET = Annotated[bool, typer.Option("--quiet", help="Leave out progress and notes; warnings and errors stay.")]


def _with_quiet(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command that takes ``--quiet`` too."""

    @wraps(command)
    def quietly(*args: Any, quiet: bool, **options: Any) -> Any:
        if quiet:
            be_quiet()
        return command(*args, **options)

    option = inspect.Parameter("quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=QUIET)
    signature = inspect.signature(command, eval_str=True)
    quietly.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])  # type: ignore[attr-defined]
    quietly.__annotations__ = {**command.__annotations__, "quiet": bool}
    return quietly


for group in (app, train.app, policy.app, waivers.app):
    for registered in group.registered_commands:
        assert registered.callback is not None
        registered.callback = _with_quiet(registered.callback)


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        from .. import __version__

        show(__version__)
        raise typer.Exit
