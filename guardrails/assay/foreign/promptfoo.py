"""Results of promptfoo: ``promptfoo eval -o results.json``."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from .reading import ForeignReading, ForeignResult, array, table, words


def is_promptfoo(document: Any) -> bool:
    """Whether a JSON document is a result of promptfoo."""
    return isinstance(document, dict) and "evalId" in document and isinstance(document.get("results"), dict)


def read(document: dict[str, Any]) -> ForeignResult:
    """Return the share of failed assertions by provider and kind; what ended in an error is not scored."""
    results = table(document.get("results"))
    counted: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    providers = set()
    for row in map(table, array(results.get("results"))):
        provider = words(table(row.get("provider")).get("id"), words(row.get("provider")))
        providers.add(provider)
        kinds = _kinds(row)
        for kind, passed in kinds or [("test", None)]:
            cell = counted[provider, kind]
            scored = _scored(row) and passed is not None
            cell[0] += scored and not passed
            cell[1] += bool(scored)
            cell[2] += not scored
    readings = tuple(
        ForeignReading(
            f"{provider} / {kind}",
            "failed",
            fails / n if n else None,
            n,
            True,
            hits=fails if n else None,
            unscored=errors,
            remarks=() if n else ("no test was scored",),
        )
        for (provider, kind), (fails, n, errors) in sorted(counted.items())
    )
    version = words(table(document.get("metadata")).get("promptfooVersion"))
    started = words(results.get("timestamp"), "")
    return ForeignResult("promptfoo", version, words(", ".join(sorted(providers))), readings, started)


def _scored(row: dict[str, Any]) -> bool:
    """Whether a row was scored: ``failureReason`` 2 is an error, and so is a row without a grade."""
    return row.get("failureReason") != 2 and not (row.get("error") and row.get("failureReason") is None)


def _kinds(row: dict[str, Any]) -> list[tuple[str, bool | None]]:
    grade = table(row.get("gradingResult"))
    parts = [table(part) for part in array(grade.get("componentResults"))]
    kinds = []
    for part in parts:
        passed = part.get("pass")
        kind = words(table(part.get("assertion")).get("type"), "assertion")
        kinds.append((kind, passed if isinstance(passed, bool) else None))
    if not kinds and isinstance(row.get("success"), bool):
        kinds.append(("test", bool(row["success"])))
    return kinds
