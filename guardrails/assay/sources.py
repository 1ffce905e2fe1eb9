"""The hash of everything that a reading depends on: our sources, weights, plug-ins, and library versions."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

DISTRIBUTION = "guardrails-audit"
PACKAGES = (Path(__file__).parents[1], Path(__file__).parents[2] / "generators")
NO_PART = frozenset({"__pycache__", "cli", "training"})
"""Folders on which no reading depends."""
TOOLS = frozenset({"test", "dev"})
"""Extras of which no audit imports anything."""
PLUGINS = ("guardrails.probes", "guardrails.detectors", "guardrails.targets", "guardrails.generators")


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python, this library, and each library that its metadata names, or ``absent``."""
    libraries = {requirement.name for requirement in _required(DISTRIBUTION, _extras())}
    return {"python": platform.python_version(), DISTRIBUTION: _version(DISTRIBUTION)} | {
        name: _version(name) for name in sorted(libraries, key=str.lower)
    }


def _extras() -> frozenset[str]:
    try:
        return frozenset(metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or ()) - TOOLS
    except metadata.PackageNotFoundError:
        return frozenset()


def _required(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    """Yield what a distribution requires on this platform, with some of its extras."""
    try:
        lines = metadata.requires(name) or ()
    except metadata.PackageNotFoundError:
        return
    for requirement in map(Requirement, lines):
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": e}) for e in {"", *extras}):
            yield requirement


@cache
def all_versions() -> dict[str, str]:
    """Return the versions of all libraries that ours require, directly or not; without metadata, of all installed."""
    if _version(DISTRIBUTION) == "absent":
        return {d.name: d.version for d in metadata.distributions()} | {"opencv-python": _opencv()}
    reached: dict[tuple[str, frozenset[str]], str] = {}
    left = [(DISTRIBUTION, _extras())]
    while left:
        if (wanted := left.pop()) not in reached:
            reached[wanted] = _version(wanted[0])
            left += [(canonicalize_name(r.name), frozenset(r.extras)) for r in _required(*wanted)]
    return {name: version for (name, _), version in reached.items()}


def _version(name: str) -> str:
    if canonicalize_name(name) == "opencv-python":
        return _opencv()
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


@cache
def _opencv() -> str:
    """Return the version of the OpenCV that is imported: several distributions write into the same folder ``cv2``."""
    spec = find_spec("cv2")
    file = Path(spec.origin).with_name("version.py") if spec and spec.origin else None
    if file is None or not file.is_file():
        return "absent"
    text = file.read_text(encoding="utf-8")
    version = re.search(r'opencv_version = "([^"]+)"', text)
    variants = [name for name in ("contrib", "headless") if f"{name} = True" in text]
    return " ".join([version[1] if version else "unknown", *variants])


@cache
def sources_sha256() -> str:
    """Return the hash of our sources, data files and weights, of those of plug-ins, and of all library versions."""
    python = {"python": platform.python_version()}
    digest = hashlib.sha256(repr(sorted({**python, **all_versions()}.items())).encode())
    digest.update(code_sha256().encode())
    return digest.hexdigest()


@cache
def code_sha256() -> str:
    """Return the hash of our sources, data files and weights, and of those of plug-ins: the same instruments."""
    digest = hashlib.sha256()
    for package in (*PACKAGES, *_plugins()):
        for path in sorted(package.rglob("*")) if package.is_dir() else [package]:
            if path.is_file() and not NO_PART & set(path.relative_to(package).parts):
                digest.update(str(path.relative_to(package)).encode() + path.read_bytes())
    return digest.hexdigest()


def _plugins() -> list[Path]:
    """Return the top-level folder or file of each plug-in; nothing of it is imported."""
    points = [point for group in PLUGINS for point in metadata.entry_points(group=group)]
    specs = [find_spec(name) for name in sorted({point.module.partition(".")[0] for point in points})]
    origins = [Path(spec.origin) for spec in specs if spec is not None and spec.origin]
    return [path.parent if path.name == "__init__.py" else path for path in origins]
