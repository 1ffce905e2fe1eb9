"""What an audit was given, told by its content: it must be the same when the audit ends, and when it is resumed."""

from __future__ import annotations

import ast
import hashlib
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence, Sized
from importlib.machinery import PathFinder
from itertools import islice
from pathlib import Path
from typing import Any

from ...core.errors import ConfigurationError
from ...core.results import InputRecord
from ...kit.pictures.folder import files_below
from ...targets import CHAT
from ..file_hash import hash_and_size
from .options import flag, option_files
from .plan import DATA, OBJECT, Settings

BY_SOURCES = ("reference", "real", "package")
"""Schemes of targets from installed packages: `sources_sha256` and the target's identity cover their files."""
SETTLED = 2.0
"""Seconds after which a file's times tell a later change: a change in the same tick of the clock leaves them as they
are."""
MAX_SOURCES = 10_000
"""Python files of a ``python:`` target."""

Records = dict[str, InputRecord]


class Inputs:
    """The files and objects that an audit was given.

    Parameters
    ----------
    settings : Settings
    objects : mapping
        Target and data that were given as Python objects, by name.
    without : Path
        The run's own folder: left out where it lies in a folder that is audited.
    """

    def __init__(self, settings: Settings, objects: Mapping[str, Any], without: Path) -> None:
        self._settings, self._objects, self._without = settings, objects, without.resolve()
        self._known: dict[str, tuple[tuple[int, ...], tuple[str, int]]] = {}

    def records(self) -> Records:
        """Return the hash of each input, by ``target``, ``corpus`` and so on, read now.

        A file that was hashed before is read again unless size, times and place are the same. What cannot be hashed, as
        a model on a hub or an object of an unknown type, is left out.

        Raises
        ------
        ConfigurationError
            Where an object that the run was given is not given again.
        """
        records: dict[str, InputRecord | None] = {name: self._record(name) for name in ("target", *DATA)}
        files = option_files(self._settings.options)
        records |= {name: self._path(str(path), path) for name, path in files.items() if os.path.exists(path)}
        records |= {f"import {i}": self._path(file, Path(file)) for i, file in enumerate(self._settings.imports, 1)}
        return {name: record for name, record in records.items() if record is not None}

    def _record(self, name: str) -> InputRecord | None:
        value = getattr(self._settings, name)
        if value is None:
            return None
        if value.startswith(OBJECT):
            if self._objects[name] is None:
                raise ConfigurationError(
                    f"the run was given {name} as a {value}; give the same object to resume it, from Python"
                )
            return None if name == "target" else self._object(value, self._objects[name])
        if name == "target":
            scheme, _, rest = value.removeprefix(CHAT).partition(":")
            if scheme == "python":
                files = _module_files(rest)
                return self._hashed(value, files) if files else None
            if scheme in BY_SOURCES or not os.path.exists(rest):
                return None
            return self._path(value, Path(rest))
        return self._path(value, Path(value)) if os.path.exists(value) else None

    def _path(self, name: str, path: Path) -> InputRecord:
        if not path.is_dir():
            sha256, size = self._file(path)
            return InputRecord(name=name, sha256=sha256, files=1, bytes=size)
        top, excluded = path.resolve(), ""
        if self._without.is_relative_to(top):
            excluded = self._without.relative_to(top).as_posix() + "/"
        names = sorted(n for n in files_below(path) if not excluded or not n.startswith(excluded))
        return self._hashed(name, [(n, path / n) for n in names])

    def _hashed(self, name: str, files: Sequence[tuple[str, Path]]) -> InputRecord:
        whole, total = hashlib.sha256(), 0
        for shown, path in files:
            sha256, size = self._file(path)
            whole.update(os.fsencode(shown) + f"\0{sha256}\n".encode())
            total += size
        return InputRecord(name=name, sha256=whole.hexdigest(), files=len(files), bytes=total)

    def _file(self, path: Path) -> tuple[str, int]:
        try:
            about = os.stat(path)
        except (OSError, ValueError):
            return hash_and_size(path)
        place = os.path.abspath(path)
        key = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
        if place in self._known and self._known[place][0] == key:
            return self._known[place][1]
        hashed = hash_and_size(path)
        if os.name == "posix" and time.time() - max(about.st_mtime, about.st_ctime) > SETTLED:
            self._known[place] = key, hashed
        return hashed

    def _object(self, name: str, value: Any) -> InputRecord | None:
        folder = getattr(value, "folder", None)
        if isinstance(folder, Path):  # an index, or a folder of pictures
            return self._path(name, folder)
        if hasattr(value, "iloc") and hasattr(value, "columns"):
            return InputRecord(name=name, sha256=_table_sha256(value), bytes=0)
        return _collection_record(name, value)


def check_apart(settings: Settings, folder: Path) -> None:
    """Refuse a run's folder in a folder that is read: what the run writes there would be read as an input.

    Raises
    ------
    ConfigurationError
    """
    places = {name: getattr(settings, name) for name in ("target", *DATA)}
    places |= {name: str(path) for name, path in option_files(settings.options).items()}
    for name, value in places.items():
        if value is None or value.startswith(OBJECT):
            continue
        scheme, _, place = value.removeprefix(CHAT).partition(":") if name == "target" else ("", "", value)
        if scheme in (*BY_SOURCES, "python") or not os.path.isdir(place):
            continue
        model = scheme in ("hf", "diffusers")  # of a model's folder only its own files are read
        for real in (os.path.realpath, os.path.abspath):  # a link to the folder is followed too
            run, read = Path(real(folder)), Path(real(place))
            if run == read or (run.is_relative_to(read) and not model):
                what = "target" if name == "target" else flag(name)
                raise ConfigurationError(
                    f"the run's folder {folder} lies in {what} {value}, and what the run writes would be read with it;"
                    " give another --out"
                )


def _table_sha256(table: Any) -> str:
    from ...targets.table import FrameTarget

    if table.empty:  # which no target is
        return hashlib.sha256(f"{list(table.columns)}".encode()).hexdigest()
    return FrameTarget(table).identity()["sha256"]


def _collection_record(name: str, value: Any) -> InputRecord | None:
    """Return the hash of a collection of texts, arrays or plain values; of others, as of an iterator, None."""
    if not (isinstance(value, Iterable) and isinstance(value, Sized)):
        return None
    whole, total = hashlib.sha256(), 0
    for item in value:
        hashed = _item(item)
        if hashed is None:
            return None
        kind, content = hashed
        whole.update(f"{kind} {len(content)}\0".encode())
        whole.update(content)
        total += len(content)
    return InputRecord(name=name, sha256=whole.hexdigest(), bytes=total)


def _item(item: Any) -> tuple[str, bytes] | None:
    """Return the kind and the content of an item of a collection, or None where these cannot be told."""
    if isinstance(item, str):
        return "text", item.encode("utf-8", "surrogatepass")
    if hasattr(item, "__array_interface__") and hasattr(item, "tobytes"):
        dtype, shape = getattr(item, "dtype", ""), getattr(item, "shape", "")
        # Of an array of Python objects the bytes are addresses.
        return f"{dtype} {shape}", repr(item.tolist()).encode() if str(dtype) == "object" else item.tobytes()
    if isinstance(item, int | float | bytes | list | tuple | dict | None):
        return type(item).__name__, repr(item).encode("utf-8", "backslashreplace")
    return None


def _module_files(spec: str) -> list[tuple[str, Path]]:
    """Return the files of the module that ``python:`` names, with their places below the folder that holds it.

    Those are the Python files of the module's whole top-level package and, in the same folder, of the modules and
    packages that they import, found in the text of their ``import`` statements: nothing is imported. Of what is
    installed, only the package itself.
    """
    top = spec.partition(":")[0].partition(".")[0]
    places = _places(top)
    beside = {place.parent for place in places if not _installed(place.parent)}
    files, looked_up, waiting = dict[Path, str](), {top}, list[Path]()
    while True:
        for place in places:
            further = {file: file.relative_to(place.parent).as_posix() for file in _python_files(place)}
            waiting += further.keys() - files.keys()
            files |= further
        if len(files) > MAX_SOURCES:
            raise ConfigurationError(
                f"python:{spec}: it and what it imports are more than {MAX_SOURCES:,} Python files"
            )
        if not beside or not waiting:
            return sorted((shown, file) for file, shown in files.items())
        names = _imported(waiting.pop()) - looked_up
        looked_up |= names
        places = [place for one in names for place in _places(one) if place.parent in beside]


def _places(name: str) -> list[Path]:
    """Return the file of a top-level module, or the folder of a package; one without ``__init__.py`` may have more."""
    try:
        spec = PathFinder.find_spec(name, [*sys.path, os.getcwd()])
    except (ImportError, ValueError, OSError):
        return []
    if spec is None:
        return []
    places = [Path(os.path.abspath(place)) for place in spec.submodule_search_locations or [spec.origin or ""]]
    return [place for place in places if place.is_dir() or place.is_file()]


def _python_files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    files = list(islice((path for path in place.rglob("*.py") if path.is_file()), MAX_SOURCES + 1))
    if len(files) > MAX_SOURCES:
        raise ConfigurationError(f"{place}: a package of more than {MAX_SOURCES:,} Python files")
    return files


def _installed(folder: Path) -> bool:
    return not {"site-packages", "dist-packages"}.isdisjoint(folder.parts) or folder == Path(os.__file__).parent


def _imported(file: Path) -> set[str]:
    """Return the top-level modules that a file's ``import`` statements name; none of a file that is no Python."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError, OSError):
        return set()
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.partition(".")[0])
    return names


def changes(before: Mapping[str, InputRecord], now: Mapping[str, InputRecord], when: str) -> str:
    """Return what changed between two times, in words; empty where nothing did.

    Parameters
    ----------
    before, now : mapping
        The records at either time.
    when : str
        What follows ``changed``: ``since …`` or ``while …``.
    """
    pairs = {name: (before.get(name), now.get(name)) for name in {**before, **now}}
    changed = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    return "; ".join(f"{_label(name, *pair)}: changed {when}{_difference(*pair)}" for name, pair in changed.items())


def _label(name: str, one: InputRecord | None, two: InputRecord | None) -> str:
    record = one or two
    return f"{'target' if name == 'target' else flag(name)} {record.name if record else ''}"


def _difference(one: InputRecord | None, two: InputRecord | None) -> str:
    if two is None:
        return " (it is not there now)"
    if one is None or (one.files, one.bytes) == (two.files, two.bytes):
        return ""
    return f" ({_size(one)} then, {_size(two)} now)"


def _size(record: InputRecord) -> str:
    files = f"{record.files:,} file{'' if record.files == 1 else 's'} of " if record.files else ""
    return f"{files}{record.bytes:,} bytes"
