"""A sample whose answer is known, for a probe or a detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Control:
    """A sample whose answer is known: ``source`` is a target name, for example ``reference:gpt-text,memorize=1``."""

    source: str
    expected: Literal["found", "clear"]
