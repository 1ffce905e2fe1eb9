"""The commands, put together."""

from __future__ import annotations

import typer

from . import audit, bench, doctor, generate, index, listing, policy, report, scan, schema, train
from ._screen import show

app = typer.Typer(
    name="guardrails",
    help="Audits generative models. Every instrument is shown a known fault, and a model known to be free of it, "
    "before its reading is believed.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("audit")(audit.audit)
app.command("generate")(generate.generate)
app.command("index")(index.index)
app.command("bench")(bench.bench)
app.command("scan")(scan.scan)
app.add_typer(train.app, name="train")
app.command("report")(report.report)
app.add_typer(policy.app, name="policy")
app.command("list")(listing.list_)
app.command("schema")(schema.schema)
app.command("doctor")(doctor.doctor)


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        from .. import __version__

        show(__version__)
        raise typer.Exit
