"""A sample with a known answer, for a probe or a detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Control:
    """A sample with a known answer: ``source`` is a target name, for example ``reference:gpt-text,memorize=1``."""

    source: str
    expected: Literal["found", "clear"]
