"""A scan with one worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from guardrails.assay.scan.run import run_scan

from ..scan_plugin import rows


def scanned(paths: Any, run: Path, name: str = "own.bright", **options: Any) -> list[dict[str, Any]]:
    given = [str(p) for p in (paths if isinstance(paths, list) else [paths])]
    run_scan(given, detectors=[name], out=run, workers=1, **options)
    return rows(run)
