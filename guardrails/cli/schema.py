"""``guardrails schema``."""

from __future__ import annotations

from ._console import echo_json


def schema() -> None:
    """Print the JSON schema of a run's result.json."""
    from ..core.results import json_schema

    echo_json(json_schema())
