"""``guardrails report``: render a finished run again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import ConfigurationError
from ..kit.io import shown
from ._console import write_json, write_report
from ._screen import note

if TYPE_CHECKING:
    from pydantic import ValidationError

    from reports.renderer import Result

MAX_RESULT_BYTES = 1 << 28


def report(
    run: Annotated[Path, typer.Argument(help="The folder of an audit, a scan or a benchmark, or its result file.")],
    format: Annotated[str, typer.Option(help="See: guardrails list formats; md is short for markdown.")],
    out: Annotated[Path | None, typer.Option(help="The file to write. Without it: stdout.")] = None,
) -> None:
    """Render the result of a finished run, without computing anything again."""
    from reports import render

    result, folder = read_run(run)
    content = render(result, format, out, run_folder=folder)
    if out is not None:
        note(f"wrote {out}")
    elif format == "json":
        write_json(content.decode())
    else:
        write_report(content, format)


def read_run(run: Path) -> tuple[Result, Path]:
    """Return the result of a run, and its folder.

    Raises
    ------
    ConfigurationError
        Where there is no result there, it is not one of this schema, or it contradicts itself.
    """
    from ..core.results.scan import ROWS, SUMMARY, ScanResult

    folder = run if run.is_dir() else run.parent
    names = ("result.json", SUMMARY, "bench.json", "comparison.json", "trend.json")
    file = next((run / name for name in names if (run / name).is_file()), run / names[0]) if run.is_dir() else run
    if not file.is_file():
        raise ConfigurationError(f"no result.json in {run}: {_unfinished(run)}")
    if file.name in (SUMMARY, ROWS):
        return ScanResult.read(folder), folder
    if file.stat().st_size > MAX_RESULT_BYTES:
        raise ConfigurationError(f"{file} is larger than {MAX_RESULT_BYTES >> 20} MiB: not a result of guardrails")
    return _parsed(file), folder


def _unfinished(run: Path) -> str:
    if (run / "journal.sqlite").is_file():
        return f"the run is not finished; continue with: guardrails audit --resume {run}"
    if (run / "scan.sqlite").is_file():
        return f"the scan is not finished; continue with: guardrails scan --resume --out {run}"
    return "give the folder of an audit, a scan or a benchmark"


def _first(error: ValidationError) -> str:
    """Return the first mistake, with its place where it has one."""
    mistake = error.errors()[0]
    place, message = ".".join(map(str, mistake["loc"])), mistake["msg"].removeprefix("Value error, ")
    return f"{shown(place)}: {message}" if place else message


def _parsed(file: Path) -> Result:
    from pydantic import ValidationError

    from ..assay.audit.derivation import check_derivation
    from ..core.results import AuditResult
    from ..core.results.bench import BenchResult
    from ..core.results.comparison import Comparison
    from ..core.results.trend import Trend

    try:
        text = file.read_text(encoding="utf-8")
        if file.name == "bench.json":
            return BenchResult.from_json(text)
        if file.name == "comparison.json":
            return Comparison.from_json(text)
        if file.name == "trend.json":
            return Trend.from_json(text)
        result = AuditResult.from_json(text)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror or error}") from error
    except (ValidationError, UnicodeDecodeError) as error:
        first = _first(error) if isinstance(error, ValidationError) else "not UTF-8 text"
        raise ConfigurationError(f"{file} is not a result of this version of guardrails: {first}") from error
    try:
        check_derivation(result)
    except ConfigurationError as error:
        raise ConfigurationError(f"{file}: {error}") from error
    return result
