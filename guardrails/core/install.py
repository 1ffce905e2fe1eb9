"""Notices another package that stands where one of ours should."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

from .errors import InstallConflictError

HOME = Path(__file__).resolve().parents[2]
OURS = ("guardrails", "generators", "reports")


def check_install() -> None:
    """Return where our three packages are the ones that Python would import.

    Raises
    ------
    InstallConflictError
        Where a file or another distribution of the same name comes first.
    """
    for name in OURS:
        spec = _spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None or origin.parent.parent != HOME:
            raise InstallConflictError(
                f"'import {name}' finds {origin or 'nothing'} instead of this library's own package in {HOME}.",
                "Install guardrails-audit in a separate environment (not together with guardrails-ai), and run it from "
                f"a folder without a {name}.py or {name}/ of its own.",
            )
    import guardrails

    if "load_probe" not in getattr(guardrails, "__all__", ()):
        raise InstallConflictError(
            f"another distribution has overwritten {HOME / 'guardrails'}.",
            "Install guardrails-audit in a separate environment, not together with guardrails-ai.",
        )


def _spec(name: str) -> ModuleSpec | None:
    module = sys.modules.get(name)
    if module is not None and getattr(module, "__spec__", None) is None:
        return None  # something else has put it there
    return find_spec(name)
