"""What a reading depends on: each file of ours that its modules import, directly or not, and the data it opens."""

from __future__ import annotations

import ast
import hashlib
import os
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import guardrails

ROOT = Path(guardrails.__file__).resolve().parents[1]
PACKAGES = ("guardrails", "generators")
NO_PART = ("guardrails.assay", "guardrails.cli")
"""These run and judge probes; the numbers of a reading do not depend on them. The tests judge each reading again."""

_opened: set[str] = set()


def closure(modules: Iterable[str]) -> set[Path]:
    """Return the files of the modules and of all that they import, also inside functions, from our packages."""
    reached: set[str] = set()
    left = list(modules)
    while left:
        if (module := left.pop()) not in reached:
            reached.add(module)
            left += imported(module)
    return {path for path in map(file_of, reached) if path is not None}


@cache
def imported(module: str) -> frozenset[str]:
    """Return our modules that a module imports; imports for type checkers alone do not count."""
    path = file_of(module)
    if path is None:
        return frozenset()
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    visitor = _Imports(package)
    visitor.visit(ast.parse(path.read_text(encoding="utf-8")))
    return frozenset(name for name in visitor.names if not f"{name}.".startswith(tuple(f"{n}." for n in NO_PART)))


class _Imports(ast.NodeVisitor):
    """Collects the modules that are imported; of `from package import name` the submodule, where `name` is one."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.names: set[str] = set()

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for child in node.orelse:
                self.visit(child)
        else:
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.names |= {alias.name for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        above = self.package.split(".")[: len(self.package.split(".")) - node.level + 1] if node.level else []
        module = ".".join([*above, *([node.module] if node.module else [])])
        for alias in node.names:
            submodule = f"{module}.{alias.name}"
            self.names.add(submodule if file_of(submodule) else module)


@cache
def file_of(module: str) -> Path | None:
    """Return the file of one of our modules, or None for any other name."""
    if module.split(".")[0] not in PACKAGES:
        return None
    place = ROOT.joinpath(*module.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


@cache
def start_recording() -> None:
    """Record, from now on and in this process, each data file of our packages that is opened.

    Only what Python opens is seen: that holds for all weights, since each is read to check its hash.
    """
    homes = tuple(f"{ROOT / package}{os.sep}" for package in PACKAGES)
    judges = f"{ROOT / 'guardrails' / 'assay'}{os.sep}"

    def record(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | bytes):
            path = os.path.abspath(os.fsdecode(arguments[0]))
            if path.startswith(homes) and not path.startswith(judges) and not path.endswith((".py", ".pyc")):
                _opened.add(path)

    sys.addaudithook(record)


def opened() -> set[Path]:
    """Return the data files that were opened since `start_recording`."""
    return {Path(path) for path in _opened}


def hashes(paths: Iterable[Path]) -> dict[str, str]:
    """Return the hash of each file by its place in the repository, sorted; ``gone`` where there is none.

    Of a Python file it is that of what the code *does*: comments, docstrings and layout do not change it.
    """
    return {str(path.relative_to(ROOT)): _sha256(path) for path in sorted(set(paths))}


def changed(stored: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the files whose hash differs between two sets of hashes, or that only one of them has."""
    return sorted(name for name in stored.keys() | now.keys() if stored.get(name) != now.get(name))


@cache
def _sha256(path: Path) -> str:
    if not path.is_file():
        return "gone"
    content = _meaning(path.read_text(encoding="utf-8")).encode() if path.suffix == ".py" else path.read_bytes()
    return hashlib.sha256(content).hexdigest()[:16]


def _meaning(source: str) -> str:
    return ast.dump(_Silent().visit(ast.parse(source)))


class _Silent(ast.NodeTransformer):
    """Leaves out texts that stand by themselves: the docstrings of modules, classes, functions and constants."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) else node
