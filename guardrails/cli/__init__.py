"""The command line: one file a command, each parses, calls and prints.

Nothing heavy is imported here or at the top of a command's file, so that ``guardrails --help`` is immediate.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from ..core.errors import GuardrailsError, JournalError
from . import audit, bench, doctor, generate, index, listing, policy, report, scan, schema, train
from ._console import replace_unknown_characters, say
from ._install import check_install

PASSED, USAGE, BROKE = 0, 2, 5
_TYPER_INTERRUPT = 130

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

        typer.echo(__version__)
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code: the console script ``guardrails``."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    A user's mistake is one or two lines on stderr, never a traceback; ``GUARDRAILS_DEBUG=1`` shows that too.
    A defect of our own keeps its traceback and exits 5, not Python's 1, which means that a finding failed.
    """
    replace_unknown_characters()
    try:
        check_install()
        code = typer.main.get_command(app)(arguments, prog_name="guardrails", standalone_mode=False)
    except TyperException as error:
        return _explain(error, error.format_message() or "no command given; see: guardrails --help", USAGE)
    except GuardrailsError as error:
        return _explain(error, str(error), BROKE if isinstance(error, JournalError) else USAGE)
    except OSError as error:
        return _explain(error, f"{error.strerror or error}: {error.filename or 'the disk'}", BROKE)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except Exception:
        traceback.print_exc()
        say("this is a defect in guardrails, not in your input; please report it with the lines above")
        return BROKE
    return _interrupted() if code == _TYPER_INTERRUPT else int(code or PASSED)


def _explain(error: Exception, message: str, code: int) -> int:
    if os.environ.get("GUARDRAILS_DEBUG"):
        traceback.print_exception(error)
    say(message if isinstance(error, JournalError) else f"error: {message}")
    return code


def _interrupted() -> int:
    say("interrupted")
    return BROKE
