"""``guardrails compare``: what is worse in the second of two audits."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.text import Text

from ._console import Table, stdout, write_json, write_report
from ._screen import note, show
from ._summary import BAD, DIM, GOOD, OPEN

if TYPE_CHECKING:
    from ..core.results.comparison import Comparison
    from ..core.results.trend import Trend

R = TypeVar("R", "Comparison", "Trend")
STYLES = {"worse": BAD, "new": OPEN, "not-comparable": OPEN, "gone": OPEN, "better": GOOD, "unchanged": DIM}


class Format(StrEnum):
    """How a comparison is shown."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


def compare(
    before: Annotated[Path, typer.Argument(help="The folder of an audit, or its result.json.")],
    after: Annotated[Path, typer.Argument(help="The one that may be worse.")],
    format: Annotated[Format, typer.Option(help="How to show the comparison.")] = Format.TEXT,
    out: Annotated[Path | None, typer.Option(help="The file to write. Without it: stdout.")] = None,
) -> None:
    """Compare two audits, and say which findings are worse beyond noise.

    Exit codes: 0 nothing is worse beyond noise, 1 something is, 2 a wrong argument, 3 nothing could be compared.
    """
    from ..assay.comparison.compare import compare as compared
    from ..assay.stored_audit import read_audit

    comparison = compared(read_audit(before), read_audit(after))
    deliver(comparison, format, out, _print)
    raise typer.Exit(comparison.exit_code)


def deliver(result: R, format: Format, out: Path | None, print_text: Callable[[R], None]) -> None:
    """Print a result as text, or write it in another format to a file or stdout.

    Raises
    ------
    ConfigurationError
        For a file of text.
    """
    from reports import render

    from ..core.errors import ConfigurationError

    if format is Format.TEXT:
        if out is not None:
            raise ConfigurationError("--out is for the formats json, markdown and html: name one with --format")
        print_text(result)
        return
    content = render(result, format.value, out)
    if out is not None:
        note(f"wrote {out}")
    elif format is Format.JSON:
        write_json(content.decode())
    else:
        write_report(content, format.value)


def _print(comparison: Comparison) -> None:
    """Print a row for each finding, why some cannot be compared, and the outcome."""
    from reports.comparison import difference_of, p_of, reading_of, sentence

    table = Table("change", "finding", "before", "after", "difference", "p")
    for finding in comparison.by_importance():
        sides = (reading_of(side, finding.unit) for side in (finding.before, finding.after))
        p = "" if finding.p is None else p_of(finding.p)
        change = Text(finding.change, STYLES[finding.change])
        table.add_row(change, finding.title, *sides, difference_of(finding), p)
    stdout().print(table)
    show(*(f"{finding.id}: {finding.reason}" for finding in comparison.by_importance() if finding.reason))
    show(*comparison.notes, sentence(comparison))
