"""JSON: the canonical result itself, from which every other format is rendered again."""

from __future__ import annotations

from pathlib import Path

from guardrails.core.results import AuditResult
from guardrails.core.results.bench import BenchResult

from ..renderer import Renderer


class AuditJson(Renderer[AuditResult]):
    """What ``result.json`` holds."""

    format = "json"
    accepts = AuditResult
    title = "the result itself, canonical: result.json"

    def render(self, result: AuditResult, *, run_folder: Path | None = None) -> bytes:
        return result.to_json().encode()


class BenchJson(Renderer[BenchResult]):
    """What ``bench.json`` holds."""

    format = "json"
    accepts = BenchResult
    title = "the result itself, canonical: bench.json"

    def render(self, result: BenchResult, *, run_folder: Path | None = None) -> bytes:
        return result.to_json().encode()
