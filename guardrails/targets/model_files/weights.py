"""The safetensors files of a model: which ones an index names, and what their headers say that they hold."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ...core.errors import ContentError, TargetError
from ...kit.io import MAX_STREAMED, check_file, shown
from ...kit.settings_file import parse_json, read_bounded

INDEX = ".index.json"
MAX_INDEX, MAX_HEADER = 50_000_000, 100_000_000
MAX_SHARDS = 10_000


@dataclass(frozen=True)
class Weights:
    """One file of weights, as its header describes it.

    Attributes
    ----------
    path : Path
        Where it lies, links followed.
    stamp : tuple of int
        Device, inode, size and times: another stamp is another file.
    tensors, elements, largest : int
        How many tensors and numbers it holds, and the largest dimension of any.
    """

    path: Path
    stamp: tuple[int, ...]
    tensors: int
    elements: int
    largest: int

    def check(self) -> None:
        """Raise TargetError where the file is not the one that was checked."""
        if stamp_of(self.path) != self.stamp:
            raise TargetError(f"{shown(self.path.name)} was changed while it was read; start again")


def inside(folder: Path, name: str) -> Path:
    """Return where a file of a model lies, links followed.

    Raises
    ------
    TargetError
        For a name that leads out of the folder, by itself or by a link. Links from a snapshot of the hub's cache to its
        ``blobs`` are not out of it.
    """
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\0" in name or "\\" in name:
        raise TargetError(f"'{shown(name)[:100]}' is no file of the model's folder")
    home = folder.resolve()
    blobs = home.parent.parent / "blobs"
    place = (folder / name).resolve()
    if not place.is_relative_to(home) and not (home.parent.name == "snapshots" and place.is_relative_to(blobs)):
        raise TargetError(f"{shown(name)} is a link that leads out of the model's folder; put the file itself there")
    return place


def find_weights(folder: Path, stem: str, *, named: Any = None) -> tuple[bytes | None, dict[str, Weights]]:
    """Return the index of a model's weights, if there is one, and the files that hold them; none where there are none.

    Parameters
    ----------
    folder : path
        Of the model.
    stem : str
        Of ``STEM.safetensors`` or ``STEM.safetensors.index.json``, of which the first counts.
    named : str, optional
        Another file or index, which the model's configuration names.

    Returns
    -------
    index : bytes or None
    files : dict of str to Weights
        By the names that the index gives; a file without an index is called ``STEM.safetensors``.

    Raises
    ------
    TargetError
        For an index that names anything but safetensors files in the folder, and for a file whose header is damaged
        or says more than the file holds.
    """
    whole = f"{stem}.safetensors"
    choices = [whole, whole + INDEX]
    if named is not None:
        if not isinstance(named, str) or not named.removesuffix(INDEX).endswith(".safetensors"):
            raise TargetError("config.json names weights that are no safetensors file")
        choices = [named]
    first = next((name for name in choices if os.path.lexists(folder / name)), None)
    if first is None:
        return None, {}
    if not first.endswith(INDEX):
        return None, {whole: _read_header(inside(folder, first), first)}
    try:
        index = read_bounded(inside(folder, first), max_bytes=MAX_INDEX)
        places = parse_json(index, first)
    except ContentError as error:
        raise TargetError(str(error)) from None
    return index, {name: _read_header(inside(folder, name), name) for name in _shards(places, first)}


def _shards(value: Any, index: str) -> list[str]:
    places = value.get("weight_map") if isinstance(value, dict) else None
    if not isinstance(places, dict) or not places or not all(isinstance(file, str) for file in places.values()):
        raise TargetError(f"{shown(index)} names no files of weights")
    names = sorted(set(places.values()))
    if other := next((name for name in names if not name.endswith(".safetensors")), None):
        raise TargetError(
            f"{shown(index)} names {shown(other)[:100]}, which is no safetensors file; a pickle can run code when "
            "loaded and is never read"
        )
    if len(names) > MAX_SHARDS:
        raise TargetError(f"{shown(index)} names {len(names):,} files; at most {MAX_SHARDS:,} are read")
    return names


def _read_header(path: Path, name: str) -> Weights:
    try:
        check_file(path, max_bytes=MAX_STREAMED)
        stamp = stamp_of(path)
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            rest = path.stat().st_size - 8 - length
            if length > MAX_HEADER or rest < 0:
                raise TargetError(f"{shown(name)} is no safetensors file: its header is longer than the file")
            header = parse_json(file.read(length), shown(name))
    except (ContentError, OSError) as error:
        raise TargetError(f"{shown(name)} is no safetensors file: {error}") from None
    shapes, end = _shapes(header, name)
    if end != rest:
        raise TargetError(f"{shown(name)} holds {rest:,} bytes of weights, and its header says {end:,}: cut short?")
    sizes = [math.prod(shape) for shape in shapes]
    return Weights(path, stamp, len(shapes), sum(sizes), max((n for shape in shapes for n in shape), default=0))


def _shapes(header: Any, name: str) -> tuple[list[list[int]], int]:
    """Return the shape of each tensor, and how many bytes all of them take."""
    shapes: list[list[int]] = []
    end = 0
    tensors = header if isinstance(header, dict) else {"": None}
    for key, tensor in tensors.items():
        if key == "__metadata__":
            continue
        shape, place = _numbers(tensor, "shape"), _numbers(tensor, "data_offsets")
        if shape is None or place is None or len(place) != 2:
            raise TargetError(f"{shown(name)} is no safetensors file: a tensor has no shape or place")
        taken = place[1] - place[0]
        if 2 * taken < math.prod(shape):  # no type takes less than half a byte
            raise TargetError(f"{shown(name)} holds a tensor of {math.prod(shape):,} numbers in {taken:,} bytes")
        shapes.append(shape)
        end = max(end, place[1])
    return shapes, end


def _numbers(tensor: Any, key: str) -> list[int] | None:
    numbers = tensor.get(key) if isinstance(tensor, dict) else None
    if not isinstance(numbers, list) or not all(type(n) is int and n >= 0 for n in numbers):
        return None
    return numbers


def stamp_of(path: Path) -> tuple[int, ...]:
    """Return what tells this file from another in its place, and from itself after a change."""
    try:
        about = path.stat()
    except OSError as error:
        raise TargetError(f"{shown(path.name)} cannot be read: {error.strerror}") from None
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns
