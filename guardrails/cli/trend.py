"""``guardrails trend``: the findings of several audits over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from ._console import Table, stdout
from ._screen import show
from .compare import STYLES, Format, deliver

if TYPE_CHECKING:
    from ..core.results.trend import Trend


def trend(
    runs: Annotated[list[Path], typer.Argument(help="Three audits or more: their folders, or their result.json.")],
    format: Annotated[Format, typer.Option(help="How to show the trend.")] = Format.TEXT,
    out: Annotated[Path | None, typer.Option(help="The file to write. Without it: stdout.")] = None,
) -> None:
    """Show the findings of several audits over time, and which became worse beyond noise.

    Exit codes: 0 nothing is worse in the last step, 1 something is, 2 a wrong argument, 3 nothing could be compared.
    """
    from ..assay.comparison.trend import trend as over_time
    from ..assay.stored_audit import read_audit

    result = over_time([read_audit(run) for run in runs])
    deliver(result, format, out, _print)
    raise typer.Exit(result.exit_code)


def _print(result: Trend) -> None:
    """Print the audits, a row for each change beyond noise, and the outcome."""
    from reports.comparison import p_of, reading_of
    from reports.trend import sentence

    audits = Table("audit", "started", "target", "verdict")
    for i, run in enumerate(result.runs, 1):
        audits.add_row(f"{i}", run.started, ", ".join(run.targets[:3]), run.verdict)
    stdout().print(audits)
    changes = Table("change", "finding", "audits", "before", "after", "p")
    for finding in result.findings:
        for i, step in enumerate(finding.steps, 1):
            if step is not None and step.change in ("worse", "better"):
                sides = (reading_of(side, finding.unit) for side in finding.readings[i - 1 : i + 1])
                p = "" if step.p is None else p_of(step.p)
                changes.add_row(Text(step.change, STYLES[step.change]), finding.title, f"{i} → {i + 1}", *sides, p)
    if changes.row_count:
        stdout().print(changes)
    show(*result.notes, sentence(result))
