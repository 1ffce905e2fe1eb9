"""``guardrails scan``: files of any kind through the detectors."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from ._child import continue_in_child
from ._console import Table, json_line_writer, only_data_on_stdout, progress, stdout
from ._endings import interrupted
from ._screen import note, show

if TYPE_CHECKING:
    from ..core.results.scan import ScanControl, ScanResult

VERDICTS = ("synthetic", "manipulated", "nothing found", "abstain")
CONTROLS = "works on known items (not: knows these files)"


class Format(StrEnum):
    """What a scan ends with."""

    TABLE = "table"
    JSONL = "jsonl"
    HTML = "html"


class Engine(StrEnum):
    """Where a scan or an audit runs."""

    LOCAL = "local"
    RAY = "ray"


def scan(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH...",
            show_default=False,
            help="Files, folders, globs, or URLs such as s3://BUCKET/FOLDER (with the fsspec package for them).",
        ),
    ] = None,
    detectors: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB", help="Only these detectors, or ID:ARGUMENT; may be repeated. (default: the shipped ones)"
        ),
    ] = None,
    format: Annotated[
        Format, typer.Option(help="A table, all rows on stdout, or a page with pictures.")
    ] = Format.TABLE,
    out: Annotated[Path | None, typer.Option(help="The run's folder. (default: guardrails-runs/TIME-scan)")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the scan in the folder of --out.")] = False,
    salvage: Annotated[
        bool, typer.Option("--salvage", help="With --resume: keep the rows before the damage of a damaged scan.")
    ] = False,
    engine: Annotated[Engine, typer.Option(help="Run on this machine or on a Ray cluster.")] = Engine.LOCAL,
) -> None:
    """Look for generated and manipulated content; write one row per file, even if it cannot be read.

    Exit codes: 0 done (rows may hold errors), 2 a wrong option or path, 5 the scan broke and can be resumed.
    """
    from ..assay.run_folder import default_folder

    folder = out if out is not None or resume else default_folder("scan")
    if engine is Engine.RAY and (code := continue_in_child(_how_to_resume, folder)) is not None:
        raise typer.Exit(code)
    from ..assay.scan.run import run_scan
    from ..core.results.scan import ROWS

    write = json_line_writer() if format is Format.JSONL else None
    with progress() as report, only_data_on_stdout():
        try:
            result, folder = run_scan(
                paths or (), detectors=detectors or (), out=folder, resume=resume, salvage=salvage,
                engine=engine.value, progress=report, emit=write, tell=note,
            )  # fmt: skip
            page = _page(result) if format is Format.HTML else None
        except KeyboardInterrupt as error:
            if folder is None:
                raise
            interrupted(error, _how_to_resume, folder)
    if format is Format.JSONL:
        note(f"rows: {folder / ROWS}")
    else:
        _print(result, page)


def _how_to_resume(folder: Path) -> str | None:
    from ..assay.scan.run import how_to_resume

    return how_to_resume(folder)


def _page(result: ScanResult) -> Path:
    from reports import render

    from ..assay.scan.gallery import with_pictures

    page = result.folder / "gallery.html"
    render(with_pictures(result), "html", page)
    return page


def _print(result: ScanResult, page: Path | None) -> None:
    from reports.cost import use_line

    from ..core.results.scan import ROWS

    console = stdout()
    kinds = ", ".join(f"{n:,} {kind}" for kind, n in result.types.items())
    show(f"files: {result.files:,} ({kinds}); duplicates: {result.duplicates:,}; errors: {result.errors:,}")
    console.print(_detectors(result))
    for name, why in result.left_out.items():
        show(f"left out: {name}: {why}")
    if any(counts.get("nothing found") for counts in result.verdicts.values()):
        show("nothing found: no trace was found, which is no evidence of a camera or a voice")
    if result.top:
        console.print(_top(result))
    for row in result.first_errors:
        show(f"not read: {row.path}: {row.error}")
    if (more := result.errors - len(result.first_errors)) > 0:
        show(f"and {more:,} more that were not read")
    if result.cost is not None:
        show(f"used: {use_line(result.cost)}")
    show(f"rows: {result.folder / ROWS}")
    if page is not None:
        show(f"gallery: {page}")


def _detectors(result: ScanResult) -> Table:
    table = _table("detector", *VERDICTS, CONTROLS)
    for control in result.controls:
        counts = {str(word): n for word, n in result.verdicts[control.detector].items()}
        table.add_row(control.detector, *(f"{counts.get(word, 0):,}" for word in VERDICTS), _control(control))
    return table


def _control(control: ScanControl) -> Text:
    if control.auc is None:
        return Text(f"failed: {control.reason}", "bold red")
    n, on = " + ".join(map(str, control.n)), control.measured_on or ", ".join(control.controls)
    words = f"AUC {control.auc:.2f} [{control.low:.2f}, {control.high:.2f}], n {n}: {on}"
    return Text(words, "green") if control.behaved else Text(f"failed: {words}", "bold red")


def _top(result: ScanResult) -> Table:
    table = _table("largest likelihood ratios", "ratio", "verdict", "detector")
    for row in result.top:
        if (best := row.best(result.believed)) is not None:
            table.add_row(row.path, f"{best.likelihood_ratio:.3g}", best.verdict, best.detector)
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(first)
    for heading in others:
        table.add_column(heading, no_wrap=heading != CONTROLS)
    return table
