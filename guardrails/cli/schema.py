"""``guardrails schema``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from ._console import echo_json


class Kind(StrEnum):
    """The kinds of result."""

    AUDIT = "audit"
    SCAN = "scan"
    BENCH = "bench"


def schema(
    kind: Annotated[Kind, typer.Argument(help="Of result.json, summary.json or bench.json.")] = Kind.AUDIT,
) -> None:
    """Print the JSON schema of a stored result."""
    from ..core.results import json_schema

    echo_json(json_schema(kind.value))
