"""What a detector's argument names on this machine: where a file of it changes, the detector is another one."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...core.errors import ConfigurationError

MOST_FILES = 10_000


def arguments_sha256(names: Iterable[str]) -> dict[str, str]:
    """Return the hash of what each ``ID:ARGUMENT`` names; those that name no file are left out.

    A file or a folder may stand anywhere in an argument (``FILE#centre``, ``MODULE:CLASS,checkpoint=FILE``,
    ``diffusers:FOLDER``); a module is one where it lies in the working folder. Of a hub's id the text is all there is.

    Raises
    ------
    ConfigurationError
        Where a folder holds more than 10,000 files, or one cannot be read.
    """
    hashes = {}
    for name in names:
        places = list(dict.fromkeys(_places(name.partition(":")[2])))
        if places:
            hashes[name] = hashlib.sha256("".join(place_sha256(place) for place in places).encode()).hexdigest()
    return hashes


def _places(argument: str) -> Iterator[Path]:
    if not argument:
        return
    for part in [argument, argument.rpartition("#")[0], *re.split("[:,=#]", argument)]:
        module = Path(part.replace(".", "/") + ".py")
        yield from (place for place in (Path(part), module) if part and os.path.exists(place))


def place_sha256(place: Path) -> str:
    """Return the hash of a file, or of the names and contents of all files below a folder.

    Raises
    ------
    ConfigurationError
        Where there are more than 10,000, or one cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for name, path in _files(place):
            digest.update(f"{len(name)} {name} ".encode("utf-8", "surrogateescape"))
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    except OSError as error:
        raise ConfigurationError(f"{place}: it cannot be read: {error.strerror or error}") from None
    return digest.hexdigest()


def _files(place: Path) -> list[tuple[str, Path]]:
    if place.is_file():
        return [("", place)]
    files: list[tuple[str, Path]] = []
    for path in place.rglob("*"):
        if path.is_file():
            files.append((path.relative_to(place).as_posix(), path))
            if len(files) > MOST_FILES:
                raise ConfigurationError(
                    f"{place}: more than {MOST_FILES:,} files; name the folder of the model itself"
                )
    return sorted(files)
