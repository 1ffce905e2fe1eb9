"""``guardrails report``: render a finished run again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import ConfigurationError
from ._console import write_json
from ._screen import say

if TYPE_CHECKING:
    from ..core.results import AuditResult

MAX_RESULT_BYTES = 1 << 28


def report(
    run: Annotated[Path, typer.Argument(help="A run's folder, or its result.json.")],
    format: Annotated[str, typer.Option(help="See: guardrails list formats")],
    out: Annotated[Path | None, typer.Option(help="The file to write. Without it: stdout.")] = None,
) -> None:
    """Render the result of a finished run; nothing is computed anew."""
    from reports import render

    result, folder = read_run(run)
    text = render(result, format, out, run_folder=folder)
    if out is None:
        write_json(text) if format == "json" else sys.stdout.write(text)
    else:
        say(f"wrote {out}")


def read_run(run: Path) -> tuple[AuditResult, Path]:
    """Return the result of a run, and its folder.

    Raises
    ------
    ConfigurationError
        Where there is no result there, or it is not one of this schema.
    """
    from pydantic import ValidationError

    from ..core.results import AuditResult

    file = run / "result.json" if run.is_dir() else run
    if not file.is_file():
        unfinished = (run / "journal.sqlite").is_file()
        hint = (
            f"the run is not finished; go on with: guardrails audit --resume {run}"
            if unfinished
            else "give a run's folder"
        )
        raise ConfigurationError(f"no result.json in {run}: {hint}")
    if file.stat().st_size > MAX_RESULT_BYTES:
        raise ConfigurationError(f"{file} is larger than {MAX_RESULT_BYTES >> 20} MiB: not a result of guardrails")
    try:
        return AuditResult.from_json(file.read_text(encoding="utf-8")), file.parent
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror or error}") from error
    except (ValidationError, UnicodeDecodeError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "not UTF-8 text"
        raise ConfigurationError(f"{file} is not a result of this version of guardrails: {first}") from error
