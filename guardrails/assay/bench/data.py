"""What a benchmark of detectors runs on: reference generators with their real data, and folders of the user's.

A folder of data is one of

- ``real/SOURCE/…`` and ``generated/FAMILY/…``: pictures below a folder for each source of real ones and each family of
  generators;
- a folder with ``manifest.csv``: the columns ``path``, ``label`` (real or generated; other rows are left out),
  ``family`` and ``source``, and, where several files were cut from one picture, ``source_path``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import ConfigurationError
from ...core.seeding import derive_seed
from ...core.targets import ImageTarget
from ...kit.pictures.manifest import NAME, read_manifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS = ("label", "family", "source")


@dataclass(frozen=True)
class Item:
    """One picture or recording of a benchmark.

    Attributes
    ----------
    name : str
        Unique.
    label : int
        1 = generated, 0 = real.
    family : str
        Of a generated picture; of a real one, ``real``.
    source : str
        Items of one source are alike: they stay on one side of a split and count as a cluster.
    group : str
        The data that it came in: a generated picture is compared with the real ones of its own group.
    read : callable
        Returns the pixels, or the samples at 16 kHz; raises ContentError.
    path : Path, optional
        Of a file.
    kind : str
        Of the system that made a recording, such as ``tts``; of a picture, see `deepfake.images.kinds`; empty: any.
    """

    name: str
    label: int
    family: str
    source: str
    group: str
    read: Callable[[], NDArray[Any]]
    path: Path | None = None
    kind: str = ""


def generator_items(patterns: Sequence[str], n: int, *, seed: int) -> list[Item]:
    """Return n outputs of each reference generator of pictures that a pattern names, and n of its real pictures.

    Raises
    ------
    ConfigurationError
        For a pattern that names no generator of pictures, with those that there are.
    """
    known = _image_generators()
    chosen = [name for name in known if any(fnmatchcase(name, pattern) for pattern in patterns)]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise ConfigurationError(f"no generator of pictures is called '{pattern}'; there are {', '.join(known)}")
    return [item for name in chosen for item in _of_generator(name, n, seed)]


def _image_generators() -> list[str]:
    from ...targets.reference import image_generators

    return image_generators()


def _of_generator(name: str, n: int, seed: int) -> Iterator[Item]:
    import numpy as np

    from ...targets import load_target

    for label, spec in ((1, f"reference:{name}"), (0, f"real:{name}")):
        target = load_target(spec)
        assert isinstance(target, ImageTarget), spec  # its name is one of `image_generators`
        pictures = target.sample_images(n, seed=derive_seed(seed, spec))
        for i, picture in enumerate(pictures):
            one = f"{spec}/{i:05d}"
            yield Item(one, label, name if label else "real", one, name, partial(np.asarray, picture))


def folder_items(folder: Path) -> list[Item]:
    """Return the pictures of a folder of data: see above.

    Raises
    ------
    ConfigurationError
        Where the folder is missing, of neither shape, or holds pictures of one class only.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"no folder {folder}; give one with manifest.csv, or with real/ and generated/")
    items = list(_listed(folder) if (folder / NAME).is_file() else _below(folder))
    missing = [what for label, what in ((0, "real"), (1, "generated")) if label not in {i.label for i in items}]
    if missing:
        raise ConfigurationError(
            f"{folder} holds no {' and no '.join(missing)} picture; it needs manifest.csv, or pictures below"
            " real/SOURCE/ and generated/FAMILY/"
        )
    return items


def _below(folder: Path) -> Iterator[Item]:
    from ...kit.pictures.folder import ImageFolder

    for label, side in ((0, "real"), (1, "generated")):
        pictures = ImageFolder(folder / side)
        for name in sorted([*pictures.names, *dict(pictures.unusable)]):
            where = name.split("/")[0] if "/" in name else side
            one = f"{side}/{name}"
            source = f"{side}/{where}" if not label else one
            yield _file(folder, one, label, where if label else "real", source)


def _listed(folder: Path) -> Iterator[Item]:
    for row in read_manifest(folder, COLUMNS):
        if row["label"] in ("real", "generated"):
            path, made = row["path"], row["label"] == "generated"
            # Photographs share the folder they came in; files cut from one picture are one source of a generator.
            source = f"{row['source']}/{row.get('source_path') or path}" if made else str(Path(path).parent)
            yield _file(folder, path, int(made), row["family"] if made else "real", source)


def _file(folder: Path, name: str, label: int, family: str, source: str) -> Item:
    from ...kit.io import read_image

    path = folder / name
    return Item(f"{folder.name}/{name}", label, family, source, folder.name, lambda: read_image(path), path)


def data_sha256(items: Iterable[Item]) -> str:
    """Return a hash of what the pictures are: of a file its bytes, of a drawn one its name."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(f"{item.name}\x1f{item.label}\x1f{item.family}\x1f{item.source}\x1e".encode())
        if item.path is not None and item.path.is_file():
            with item.path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
