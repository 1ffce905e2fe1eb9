"""Run the examples of a page, and write into it what its commands print.

Usage: python scripts/run_examples.py [PAGE ...]    (README.md and docs/tutorial.md, where none is named)

A fenced block whose first line ends with `run` is an example:

- ```python run: executed. The blocks of one page share their names and one folder.
- ```toml run: saved as `policy.toml` in that folder.
- ```console run: each line that begins with `guardrails` is run in that folder, 100 columns wide. The lines below it
  are what the command prints on stdout.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "tutorial.md")
FENCE = re.compile(r"^(?P<opening>```(?P<language>\w+) run\n)(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
COLUMNS = "100"
USED = re.compile(r"\b[\d.]+(?= (?:ms|s|min|h|MiB|GiB)\b)")
"""Seconds and memory that a run used: they differ from one machine and one moment to the next."""


def refreshed(page: Path, folder: Path) -> str:
    """Return a page's text after its examples were run in an empty folder, with what its commands printed."""
    names: dict[str, Any] = {"__name__": "example"}

    def run(block: re.Match[str]) -> str:
        code = block["code"]
        if block["language"] == "python":
            exec(compile(code, str(page), "exec"), names)
        elif block["language"] == "toml":
            Path("policy.toml").write_text(code, encoding="utf-8")
        elif block["language"] == "console":
            code = "".join(map(printed, commands(code)))
        return f"{block['opening']}{code}```"

    with chdir(folder):
        return FENCE.sub(run, page.read_text(encoding="utf-8"))


def without_use(text: str) -> str:
    """Return a page's text without the time and memory that its commands used, to compare pages by.

    >>> without_use("used: 8,448 items in 1.7 s, peak memory 0.2 GiB")
    'used: 8,448 items in … s, peak memory … GiB'
    """
    return USED.sub("…", text)


def commands(code: str) -> list[str]:
    """Return the command lines of a console block."""
    return [line for line in code.splitlines() if line.startswith("guardrails ")]


def printed(line: str) -> str:
    """Return a command line and what it prints on stdout, without blanks at the ends of lines.

    Raises
    ------
    RuntimeError
        Where the command did not come to an end: a usage error, or a run that broke.
    """
    command = [sys.executable, "-m", *shlex.split(line)]
    environment = os.environ | {"COLUMNS": COLUMNS, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environment)
    if done.returncode in (2, 5):
        raise RuntimeError(f"{line}\nexit code {done.returncode}\n{done.stderr}")
    return "".join(f"{text.rstrip()}\n" for text in (line, *done.stdout.splitlines()))


def main(arguments: list[str]) -> None:
    for page in map(Path, arguments or PAGES):
        with tempfile.TemporaryDirectory() as folder:
            text = refreshed(page.resolve(), Path(folder))
        if without_use(text) != without_use(page.read_text(encoding="utf-8")):
            page.write_text(text, encoding="utf-8")
            print(f"wrote {page}")


if __name__ == "__main__":
    main(sys.argv[1:])
