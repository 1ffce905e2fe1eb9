"""What a scan comes to, from its rows: counted in one pass, however many there are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...core.results.cost import Use
from ...core.results.scan import ROWS, ScanControl, ScanResult, ScanRow, most_telling

TOP = 20
ERRORS = 20


def summary_of(
    folder: Path, settings: Mapping[str, Any], controls: Sequence[ScanControl], left_out: Mapping[str, str], cost: Use
) -> ScanResult:
    """Return the counts of a scan whose rows lie in its folder."""
    types: Counter[str] = Counter()
    verdicts: dict[str, Counter[Any]] = {control.detector: Counter() for control in controls}
    files = duplicates = errors = 0
    first_errors: list[ScanRow] = []
    for row in read_rows(folder / ROWS):
        files += 1
        types[row.type] += 1
        duplicates += row.duplicate_of is not None
        if row.error is not None:
            errors += 1
            if len(first_errors) < ERRORS:
                first_errors.append(row)
        for detection in row.detections:
            verdicts[detection.detector][detection.verdict] += 1
    result = ScanResult(
        folder=folder,
        paths=tuple(settings["paths"]),
        files=files,
        duplicates=duplicates,
        errors=errors,
        types=dict(sorted(types.items())),
        verdicts={name: dict(sorted(counts.items())) for name, counts in verdicts.items()},
        controls=tuple(controls),
        left_out=dict(left_out),
        first_errors=tuple(first_errors),
        cost=cost,
    )
    return result.model_copy(update={"top": tuple(_top(result))})


def _top(result: ScanResult) -> list[ScanRow]:
    """Return the rows with the largest likelihood ratios; those without one are left out."""
    rows = most_telling(read_rows(result.folder / ROWS), result.believed, TOP)
    return [row for row in rows if row.best(result.believed)]


def read_rows(rows: Path) -> Iterator[ScanRow]:
    """Yield the rows of a ``scan.jsonl``, one in memory at a time."""
    with rows.open(encoding="ascii") as file:
        for line in file:
            yield ScanRow.model_validate(json.loads(line))
