"""Files of labels: which group each picture shows, said by people, and from which prompt it was made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from ...core.errors import ContentError
from ...kit.io import read_image, shown
from ...kit.pictures.attribute_model import LabelledPictures
from ...kit.text.record_shapes import Record
from ...kit.text.records import RECORD_SUFFIXES, records_of

MOST = 1_000_000


class Label(NamedTuple):
    """A row of a file of labels; `group` is empty where it has none."""

    group: str
    prompt: str | None


def read_labels(path: Path) -> dict[str, Label]:
    """Return the label of each picture: rows with ``file``, ``label`` and, if known, ``prompt``.

    Parameters
    ----------
    path : path
        JSON Lines, JSON, CSV or Parquet.

    Raises
    ------
    ContentError
        For a file that cannot be read, a row without ``file`` or ``label``, and a picture that is labelled twice.
    """
    return _labels(path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=4)
def _labels(path: Path, changed: int) -> dict[str, Label]:
    out: dict[str, Label] = {}
    for record in _records(path):
        value = record.value if isinstance(record.value, dict) else {}
        file, label, prompt = (value.get(key) for key in ("file", "label", "prompt"))
        if not isinstance(file, str) or not file or "label" not in value or isinstance(label, list | dict):
            raise ContentError(f"{record.where}: a row has 'file', a text, and 'label'; where unknown it is empty")
        if prompt is not None and not isinstance(prompt, str):
            raise ContentError(f"{record.where}: 'prompt' is no text")
        if file in out:
            raise ContentError(f"{record.where}: '{shown(file[:80])}' is labelled twice")
        group = "" if label is None else str(label).lower() if isinstance(label, bool) else str(label)
        out[file] = Label(group.strip(), prompt or None)
        if len(out) > MOST:
            raise ContentError(f"{shown(path)}: more than the limit of {MOST:,} rows")
    if not out:
        raise ContentError(f"{shown(path)}: it holds no labels")
    return out


def read_labelled(path: Path) -> LabelledPictures:
    """Return the pictures that a file of labels names, below its folder, with their groups; those without are left out.

    Raises
    ------
    ContentError
        As `read_labels`, and for a picture that is not there or lies outside the file's folder.
    """
    labels = {file: label.group for file, label in read_labels(path).items() if label.group}
    for file in labels:
        place = PurePosixPath(file)
        if place.is_absolute() or ".." in place.parts or not (path.parent / file).is_file():
            raise ContentError(f"{shown(path)}: '{shown(file[:80])}' is no file below its folder")
    return LabelledPictures(_Files(path.parent, tuple(labels)), tuple(labels.values()))


class _Files(Sequence[Any]):
    """Pictures that are read when they are looked at."""

    def __init__(self, folder: Path, names: tuple[str, ...]) -> None:
        self._folder, self._names = folder, names

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, place: Any) -> Any:
        return read_image(self._folder / self._names[place])


def _records(path: Path) -> Iterator[Record]:
    if path.suffix.lower() not in RECORD_SUFFIXES:
        raise ContentError(f"{shown(path)}: a file of records is needed ({', '.join(sorted(RECORD_SUFFIXES))})")
    return records_of(path)
