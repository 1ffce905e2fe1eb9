"""The controls of frameworks in a policy file: who asks for what, and which probes give evidence for it.

A row may name probes that are not installed, as those of a later version: that is a gap, and no mistake.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from ...core.results import FrameworkControl

VISIBLE = r"^[^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+$"
"""Text that may be printed: no control characters, which could rewrite what a terminal shows."""
FROM_HEADER = ("framework", "edition", "source_url", "retrieved", "confidence")
"""What a control takes from the table [framework] where it does not say it itself."""

Line = Annotated[str, StringConstraints(pattern=VISIBLE, max_length=300)]
Pattern = Annotated[str, StringConstraints(pattern=r"^[a-z0-9*?_.-]+$", max_length=100)]
Address = Annotated[str, StringConstraints(pattern=r"^https://[!-~]+$", max_length=300)]
Day = Annotated[
    str,
    BeforeValidator(lambda value: value.isoformat() if isinstance(value, date) else value),
    StringConstraints(pattern=r"^\d{4}-\d{2}(-\d{2})?$"),
]
Key = tuple[str, str]
"""A framework and the id of a control."""


class Header(BaseModel):
    """The table [framework]: what its controls have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    framework: Line | None = None
    edition: Line | None = None
    source_url: Address | None = None
    retrieved: Day | None = None
    confidence: Literal["high", "medium", "low"] | None = None


class ControlRow(Header):
    """A row [[control]]."""

    id: Line
    title: Line
    testable: bool = True
    probes: tuple[Pattern, ...] = Field(default=(), max_length=200)
    gap: str = Field(default="", pattern=VISIBLE.replace("+$", "*$"), max_length=1000)


def controls_of(
    rows: Sequence[ControlRow], header: Header, base: Iterable[FrameworkControl], installed: Iterable[str]
) -> tuple[tuple[FrameworkControl, ...], list[str]]:
    """Return the controls of a base with those of a file, which replace equal ids, and every mistake in a line."""
    controls: dict[Key, FrameworkControl] = {(c.framework, c.id): c for c in base}
    shared = header.model_dump(exclude_none=True)
    wrong, seen, names = [], set(), sorted(installed)
    for row in rows:
        values = shared | row.model_dump(exclude_none=True)
        if mistakes := _mistakes(row, values):
            wrong += [f"  control {row.id}: {mistake}" for mistake in mistakes]
            continue
        key = str(values["framework"]), row.id
        if key in seen:
            wrong.append(f"  control {row.id}: stands twice")
        seen.add(key)
        controls[key] = FrameworkControl.model_validate(values | _split(row.probes, names))
    return tuple(controls.values()), wrong


def _mistakes(row: ControlRow, values: Mapping[str, Any]) -> list[str]:
    missing = [name for name in FROM_HEADER if name not in values]
    wrong = [f"{', '.join(missing)}: give it here, or for all controls in [framework]"] if missing else []
    if not row.testable and row.probes:
        wrong.append("testable = false takes no probes")
    if not row.probes and len(row.gap) < 10:
        why = "no probe does" if row.testable else "no technical test can"
        wrong.append(f"probes: name those that give evidence for it, or say in gap why {why}")
    return wrong


def _split(patterns: Iterable[str], installed: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the installed probes that the patterns name, and the patterns that name none of them."""
    matches = {pattern: fnmatch.filter(installed, pattern) for pattern in patterns}
    probes = {name for names in matches.values() for name in names}
    return {
        "probes": tuple(sorted(probes)),
        "absent": tuple(sorted(pattern for pattern, names in matches.items() if not names)),
    }
