"""What the tests of real input share: an audit through the command line, and its findings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def audit(*words: str) -> tuple[int, str, str]:
    """Return exit code, stdout and stderr of an audit."""
    command = [sys.executable, "-m", "guardrails", "audit", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def findings(run: Path) -> dict[str, dict]:
    """Return the findings of a run by their ids."""
    result = json.loads((run / "result.json").read_text())
    return {finding["id"]: finding for finding in result["findings"]}
