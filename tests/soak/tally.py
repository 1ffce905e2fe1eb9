"""What became of each attempt, and the table of all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Fate = Literal["recovered", "refused", "lost", "false pass", "crash", "hang"]
FATES: tuple[Fate, ...] = ("recovered", "refused", "lost", "false pass", "crash", "hang")
FAULTS: tuple[Fate, ...] = ("lost", "false pass", "crash", "hang")
BEGIN, END = "<!-- soak: begin -->", "<!-- soak: end -->"
MB = 1 << 20


@dataclass(frozen=True)
class Attempt:
    """One attempt.

    Attributes
    ----------
    kind : str
        The row of the table.
    fate : str
        recovered: the same result as undisturbed, or a damaged input that was read; refused: an error of our own
        that says why; lost: another result; false pass: another result, that passes; crash: any other ending;
        hang: no ending.
    peak : int
        Largest resident memory of the process, in bytes.
    detail : str
        What a fault looked like, and how to repeat it.
    """

    kind: str
    fate: Fate
    peak: int = 0
    detail: str = ""

    def as_json(self) -> dict[str, str | int]:
        return asdict(self)


def table(attempts: Iterable[Attempt]) -> list[str]:
    """Return a Markdown table with one row per kind."""
    by_kind: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        by_kind.setdefault(attempt.kind, []).append(attempt)
    lines = [
        "| kind | tried | recovered or read | refused | lost | false passes | crashes | hangs | largest memory |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for kind, some in sorted(by_kind.items()):
        counts = [sum(a.fate == fate for a in some) for fate in FATES]
        cells = " | ".join(f"{n:,}" for n in (len(some), *counts))
        lines.append(f"| {kind} | {cells} | {max(a.peak for a in some) / MB:,.0f} MB |")
    return lines


def write_between_markers(page: Path, lines: Iterable[str], begin: str = BEGIN, end: str = END) -> None:
    """Replace what stands between two markers of a page.

    Raises
    ------
    ValueError
        Where the page has not both markers.
    """
    before, first, rest = page.read_text(encoding="utf-8").partition(begin)
    _, last, after = rest.partition(end)
    if not first or not last:
        raise ValueError(f"{page} has no {begin} and {end}")
    page.write_text("\n".join([before + begin, *lines, end + after]), encoding="utf-8")
