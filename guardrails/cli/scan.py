"""``guardrails scan``: files of any kind through the detectors."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from ._console import Table, json_line_writer, only_data_on_stdout, progress, stdout
from ._endings import interrupted
from ._screen import note, show

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
            metavar="GLOB", help="Only these detectors, or ID:ARGUMENT; may be given again. (default: those that ship)"
        ),
    ] = None,
    format: Annotated[
        Format, typer.Option(help="A table, every row on stdout, or a page with pictures.")
    ] = Format.TABLE,
    out: Annotated[Path | None, typer.Option(help="The run's folder. (default: guardrails-runs/TIME-scan)")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the scan in the folder of --out.")] = False,
    salvage: Annotated[
        bool, typer.Option("--salvage", help="With --resume: keep the rows before the damage of a damaged scan.")
    ] = False,
    engine: Annotated[Engine, typer.Option(help="This machine, or a Ray cluster.")] = Engine.LOCAL,
) -> None:
    """Look for generated and manipulated content: a row a file, whatever is wrong with it.

    Exit codes: 0 done (rows may hold errors), 2 a wrong option or path, 5 the scan broke and can be resumed.
    """
    from ..assay.run_folder import default_folder
    from ..assay.scan.run import how_to_resume, run_scan

    folder = out if out is not None or resume else default_folder("scan")
    write = json_line_writer() if format is Format.JSONL else None
    with progress() as report, only_data_on_stdout():
        try:
            summary, folder = run_scan(
                paths or (), detectors=detectors or (), out=folder, resume=resume, salvage=salvage,
                engine=engine.value, progress=report, emit=write, tell=note,
            )  # fmt: skip
            page = _page(summary, folder) if format is Format.HTML else None
        except KeyboardInterrupt as error:
            if folder is None:
                raise
            interrupted(error, how_to_resume, folder)
    if format is Format.JSONL:
        note(f"rows: {folder / 'scan.jsonl'}")
    else:
        _print(summary, folder, page)


def _page(summary: dict[str, Any], folder: Path) -> Path:
    from reports import render

    from ..assay.scan.gallery import gallery_of
    from ..core.results.scan import ScanResult

    page = folder / "gallery.html"
    result = ScanResult.read(folder).model_copy(update={"gallery": gallery_of(summary, folder)})
    render(result, "html", page)
    return page


def _print(summary: dict[str, Any], folder: Path, page: Path | None) -> None:
    console = stdout()
    kinds = ", ".join(f"{n:,} {kind}" for kind, n in summary["types"].items())
    show(f"files: {summary['files']:,} ({kinds}); duplicates: {summary['duplicates']:,}; errors: {summary['errors']:,}")
    console.print(_detectors(summary))
    for name, why in summary["left_out"].items():
        show(f"left out: {name}: {why}")
    if any(counts.get("nothing found") for counts in summary["verdicts"].values()):
        show("nothing found: no trace was found, which is no evidence of a camera or a voice")
    if summary["top"]:
        console.print(_top(summary))
    for row in summary["first_errors"]:
        show(f"not read: {row['path']}: {row['error']}")
    if (more := summary["errors"] - len(summary["first_errors"])) > 0:
        show(f"and {more:,} more that were not read")
    show(f"rows: {folder / 'scan.jsonl'}")
    if page is not None:
        show(f"gallery: {page}")


def _detectors(summary: dict[str, Any]) -> Table:
    words = ("synthetic", "manipulated", "nothing found", "abstain")
    table = _table("detector", *words, CONTROLS)
    for outcome in summary["controls"]:
        counts = summary["verdicts"][outcome["detector"]]
        numbers = [f"{counts.get(word, 0):,}" for word in words]
        table.add_row(outcome["detector"], *numbers, _control(outcome))
    return table


def _control(outcome: dict[str, Any]) -> Text:
    if outcome["auc"] is None:
        return Text(f"failed: {outcome['reason']}", "bold red")
    n, on = " + ".join(map(str, outcome["n"])), outcome.get("measured_on") or ", ".join(outcome["controls"])
    words = f"AUC {outcome['auc']:.2f} [{outcome['low']:.2f}, {outcome['high']:.2f}], n {n}: {on}"
    return Text(words, "green") if outcome["behaved"] else Text(f"failed: {words}", "bold red")


def _top(summary: dict[str, Any]) -> Table:
    table = _table("largest likelihood ratios", "ratio", "verdict", "detector")
    behaved = {outcome["detector"] for outcome in summary["controls"] if outcome["behaved"]}
    for row in summary["top"]:
        said = [d for d in row["detections"] if d["detector"] in behaved and d["likelihood_ratio"] is not None]
        first = max(said, key=lambda d: d["likelihood_ratio"])
        ratio = f"{first['likelihood_ratio']:.3g}"
        table.add_row(row["path"], ratio, first["verdict"], first["detector"])
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(first)
    for heading in others:
        table.add_column(heading, no_wrap=heading != CONTROLS)
    return table
