"""The JSON schemas of the results that are stored."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from .migrate import Kind


def json_schema(kind: Kind = "audit") -> dict[str, Any]:
    """Return the JSON schema of a result, as ``guardrails schema`` prints it.

    Parameters
    ----------
    kind : str
        ``audit``: of ``result.json``. ``scan``: of ``summary.json``; a line of ``scan.jsonl`` is its ``ScanRow``.
        ``bench``: of ``bench.json``.
    """
    from .audit import AuditResult
    from .bench import BenchResult
    from .scan import ScanResult

    models: dict[Kind, type[BaseModel]] = {"audit": AuditResult, "scan": ScanResult, "bench": BenchResult}
    return models[kind].model_json_schema(mode="serialization" if kind == "scan" else "validation")
