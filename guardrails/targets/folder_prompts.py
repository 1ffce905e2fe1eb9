"""The prompts beside a folder of pictures: ``prompts.jsonl`` or ``prompts.csv``, a file and its prompt a row."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..core.errors import ContentError, TargetError
from ..kit.text.files import read_jsonl

NAMES = ("prompts.jsonl", "prompts.csv")


def read_prompts(folder: Path, pictures: Sequence[str], name: str) -> dict[str, str] | None:
    """Return the prompt of each picture that the manifest names, or None where there is no manifest.

    Parameters
    ----------
    folder : Path
        Where the pictures and the manifest lie.
    pictures : sequence of str
        Every picture of the folder, as its place below it.
    name : str
        Of the target, for errors.

    Raises
    ------
    TargetError
        For two manifests, one that cannot be read, a row without ``file`` and ``prompt``, and a file that is no picture
        of the folder or stands there twice.
    """
    manifests = [folder / each for each in NAMES if (folder / each).is_file()]
    if not manifests:
        return None
    if len(manifests) > 1:
        raise TargetError(f"{name}: both {' and '.join(NAMES)} are there; keep one")
    known, out = set(pictures), dict[str, str]()
    try:
        for line, row in _rows(manifests[0]):
            where = f"{name}: {manifests[0].name}, line {line}"
            file, prompt = (row.get(key) if isinstance(row, dict) else None for key in ("file", "prompt"))
            if not isinstance(file, str) or not isinstance(prompt, str):
                raise TargetError(f"{where}: a row has the texts 'file' and 'prompt'")
            if file not in known:
                raise TargetError(f"{where}: '{file}' is no picture of the folder")
            if file in out:
                raise TargetError(f"{where}: '{file}' has a prompt already")
            out[file] = prompt
    except (ContentError, csv.Error, UnicodeDecodeError) as error:
        raise TargetError(f"{name}: {manifests[0].name} cannot be read ({error})") from None
    return out


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    if path.suffix == ".jsonl":
        yield from read_jsonl(path)
        return
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        for row in reader:
            yield reader.line_num, row
