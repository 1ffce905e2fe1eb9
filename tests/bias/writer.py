"""A target whose texts are a function of the prompt."""

from __future__ import annotations

from typing import Any

from guardrails.core.targets import Access, Modality


class Writer:
    """Writes by a function of the prompt."""

    name, modality, available = "writer", Modality.TEXT, None
    access = frozenset({Access.OUTPUTS, Access.SAMPLING})

    def __init__(self, write: Any) -> None:
        self.write = write

    def identity(self) -> dict[str, str]:
        return {}

    def generate(self, prompts: Any, **_: Any) -> list[str]:
        return [self.write(p) for p in prompts]
