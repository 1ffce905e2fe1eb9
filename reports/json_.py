"""JSON: the canonical result itself, from which every other format is rendered again."""

from __future__ import annotations

from pathlib import Path

from guardrails.core.results import AuditResult


def render(result: AuditResult, *, run_folder: Path | None = None) -> str:
    """Return canonical JSON; the run's folder does not matter."""
    return result.to_json()
