"""The package's surface: what it names, what it imports."""

from __future__ import annotations

import subprocess
import sys

from guardrails.core import statistics


def test_all_is_sorted_and_is_the_public_namespace():
    public = {n for n, v in vars(statistics).items() if not n.startswith("_") and callable(v)}
    assert statistics.__all__ == sorted(public)


def test_every_public_name_is_documented_with_a_source_and_an_example():
    for name in statistics.__all__:
        text = getattr(statistics, name).__doc__
        if name not in ("Interval", "Match", "GraderCounts", "CannotCorrect"):  # tuples by their fields, and an error
            for section in ("Parameters", "Returns", "Raises", "References", "Examples"):
                assert f"{section}\n" in text, f"{name} lacks {section}"
            assert ">>> " in text, f"{name} lacks an example"


def test_importing_it_is_light():
    code = "import sys, guardrails.core.statistics; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"scipy", "sklearn", "torch", "pandas"} & set(loaded)
