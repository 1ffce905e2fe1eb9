"""What a scan comes to, from its rows: counted in one pass, however many there are."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .detector_controls import Outcome

TOP = 20
ERRORS = 20


def summary_of(
    rows: Path, settings: Mapping[str, Any], outcomes: Sequence[Outcome], left_out: Mapping[str, str]
) -> dict[str, Any]:
    """Return the counts of a scan.

    Returns
    -------
    dict
        ``paths``, ``files``, ``duplicates``, ``errors`` (how many), ``types`` (how many of each), ``verdicts`` (by
        detector, how many of each; without duplicates and errors), ``controls``, ``left_out`` (detector to reason),
        ``top`` (rows with the largest likelihood ratios), ``first_errors`` (rows).
    """
    types: Counter[str] = Counter()
    verdicts: dict[str, Counter[str]] = {o["detector"]: Counter() for o in outcomes}
    files = duplicates = errors = 0
    first_errors: list[dict[str, Any]] = []
    for row in read_rows(rows):
        files += 1
        types[row["type"]] += 1
        duplicates += row["duplicate_of"] is not None
        if row["error"] is not None:
            errors += 1
            if len(first_errors) < ERRORS:
                first_errors.append(row)
        for detection in row["detections"]:
            verdicts[detection["detector"]][detection["verdict"]] += 1
    return {
        "paths": list(settings["paths"]),
        "files": files,
        "duplicates": duplicates,
        "errors": errors,
        "types": dict(sorted(types.items())),
        "verdicts": {name: dict(sorted(counts.items())) for name, counts in verdicts.items()},
        "controls": list(outcomes),
        "left_out": dict(left_out),
        "top": largest(rows, outcomes, TOP),
        "first_errors": first_errors,
    }


def read_rows(rows: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a ``scan.jsonl``, one in memory at a time."""
    with rows.open(encoding="ascii") as file:
        for line in file:
            yield json.loads(line)


def largest(rows: Path, outcomes: Sequence[Outcome], n: int) -> list[dict[str, Any]]:
    """Return the n rows with the largest likelihood ratios, the largest first; in case of a tie the earlier row.

    A row's ratio is the largest that a detector gives that behaved on its controls; a row without one is left out.
    """
    behaved = {o["detector"] for o in outcomes if o["behaved"]}
    rated = ((ratio, -i, row) for i, row in enumerate(read_rows(rows)) if (ratio := ratio_of(row, behaved)) is not None)
    return [row for _, _, row in heapq.nlargest(n, rated, key=lambda one: one[:2])]


def ratio_of(row: Mapping[str, Any], behaved: set[str]) -> float | None:
    """Return the largest likelihood ratio that a detector which behaved gives to a row."""
    ratios = [d["likelihood_ratio"] for d in row["detections"] if d["detector"] in behaved]
    return max((ratio for ratio in ratios if ratio is not None), default=None)
