"""Asks the package registry for known vulnerabilities of the tested versions (constraints.txt), by pip-audit.

    python scripts/check_vulnerabilities.py

Exit code 1 where a version has one, or pip-audit is not installed. Where no registry answers, one line says so and the
exit code is 0: a check without a network is not a failed one. One version is
asked for first, so that this takes seconds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints.txt"
PATIENCE = 600.0
Packages = list[dict[str, Any]]


def main() -> int:
    if find_spec("pip_audit") is None:
        print("pip-audit is not installed; type: pip install -c constraints.txt -e '.[dev]'")
        return 1
    lines = [line for line in CONSTRAINTS.read_text().splitlines() if line and not line.startswith("#")]
    packages = audited(lines[:1])
    if answered(packages):
        packages = audited(lines)
    code, said = outcome(packages)
    print("\n".join(said))
    return code


def answered(packages: Packages | None) -> int:
    """Return how many versions the registry knew."""
    return sum("skip_reason" not in package for package in packages or ())


def outcome(packages: Packages | None) -> tuple[int, list[str]]:
    """Return exit code and lines for what pip-audit said."""
    known = answered(packages)
    if not packages or not known:
        return 0, ["vulnerabilities: no registry answered; not checked"]
    lines = [
        f"{package['name']} {package['version']}: {problem['id']}, mended in "
        + (", ".join(problem["fix_versions"]) or "no version")
        for package in packages
        for problem in package.get("vulns", ())
    ]
    return int(bool(lines)), [*lines, f"vulnerabilities: {len(lines)} known in {known} of {len(packages)} versions"]


def audited(lines: list[str]) -> Packages | None:
    """Return what pip-audit says of pinned versions, or None where it got no answer."""
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder) / "pins.txt"
        pins.write_text("\n".join(lines) + "\n")
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(pins), "--no-deps", "--disable-pip"]
        command += ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
            packages: Packages = json.loads(done.stdout)["dependencies"]
        except (subprocess.TimeoutExpired, ValueError, KeyError):
            return None
    return packages


if __name__ == "__main__":
    sys.exit(main())
