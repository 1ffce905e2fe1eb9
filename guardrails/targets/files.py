"""Targets of which only outputs are at hand: a folder of pictures, a file of texts."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import ContentError, TargetError
from ..core.targets import Access, Modality
from ..kit.checksums import file_sha256
from ..kit.io import shown
from ..kit.pictures.folder import ImageFolder, listed
from ..kit.text.corpus import iter_texts
from ..kit.text.documents import Reading
from ..kit.text.spooled import Spooled
from .folder_prompts import read_prompts

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ImageFolderTarget:
    """``dir:<folder>``: the pictures that a model made.

    Files are told by their content. One that should be a picture and cannot be read stands in `problems` and becomes an
    error row; `read_as` counts and names both these and the files that are left out. Beside the pictures
    ``prompts.jsonl`` or ``prompts.csv`` may say what each was made from: rows with ``file``, its place below the
    folder, and ``prompt``.

    Raises
    ------
    TargetError
        For a folder that is missing or holds no picture, or prompts that do not fit the pictures.
    """

    modality = Modality.IMAGE
    access = frozenset({Access.OUTPUTS})

    def __init__(self, folder: str | Path) -> None:
        self.name = f"dir:{folder}"
        path = Path(folder)
        if not path.is_dir():
            raise TargetError(f"{self.name}: no such folder")
        self._all = ImageFolder(path)
        if not self.available:
            others = [*self.problems, *self._all.ignored]
            hint = f" that can be read; left out {listed(others)}" if others else ""
            raise TargetError(f"{shown(self.name)}: the folder holds no picture{hint}")
        self._prompts = read_prompts(path, [*self._all.names, *dict(self._all.unusable)], self.name)

    @cached_property
    def images(self) -> ImageFolder:
        """The readable pictures, read lazily."""
        return self._all.readable()

    @property
    def prompts(self) -> list[str | None] | None:
        """The prompt of each of `images`, None for one that the manifest does not name; None without a manifest."""
        return None if self._prompts is None else [self._prompts.get(name) for name in self.images.names]

    @property
    def problems(self) -> tuple[tuple[str, str], ...]:
        """(name, reason) of every picture that cannot be read."""
        return self._all.problems

    @property
    def available(self) -> int:
        """How many readable pictures there are."""
        return len(self.images)

    @property
    def read_as(self) -> str:
        """How many pictures of each format are read, which cannot be read, and what is left out, with reasons."""
        parts = [self.images.counted()]
        parts += [f"counted as errors {listed(self.problems)}"] if self.problems else []
        parts += [f"left out {listed(self._all.ignored)}"] if self._all.ignored else []
        return "; ".join(parts)

    def identity(self) -> dict[str, str]:
        """Return the number of files that should be pictures and a hash over the name and bytes of each."""
        names = sorted([*self._all.names, *dict(self._all.unusable)])
        return {"files": str(len(names)), "sha256": hash_files(self._all.folder, names)}

    def sample_images(self, n: int, *, seed: int) -> ImageFolder:
        """Return n of the readable pictures without replacement, each read when it is looked at."""
        chosen = draw(self.name, self.available, n, seed, "readable pictures")
        return ImageFolder(self.images.folder, [self.images.names[i] for i in chosen])


class JsonlTarget:
    """``jsonl:<file>``: texts that a model wrote, as records of JSON Lines, JSON, CSV or Parquet.

    Of a record that holds a prompt or a conversation the model's part is its text: see `guardrails.kit.text.documents`.

    Parameters
    ----------
    file : path
    text_field : str, optional
        The field that holds the text, with dots between nested ones.

    Raises
    ------
    TargetError
        For a file that is missing, holds no text, or has a record of another shape than those before it.
    """

    modality = Modality.TEXT
    access = frozenset({Access.OUTPUTS})
    comparable = True
    """The texts are in the form in which texts are compared: see `guardrails.kit.text.documents.comparable`."""

    def __init__(self, file: str | Path, *, text_field: str | None = None) -> None:
        self.name = f"jsonl:{file}"
        self._path = Path(file)
        if not self._path.is_file():
            raise TargetError(f"{shown(self.name)}: no such file")
        self._texts, self.prompts = Spooled[str](), Spooled[str | None]()
        reading = Reading("output", text_field, comparable=True)
        try:
            for text, prompt in iter_texts(self._path, reading):
                self._texts.append(text)
                self.prompts.append(prompt)
        except ContentError as error:
            raise TargetError(str(error)) from None
        if not self.available:
            raise TargetError(f"{shown(self.name)}: the file holds no text")
        self.read_as, self.uses_text_field = reading.sentence(), reading.uses_text_field

    @property
    def available(self) -> int:
        """How many texts there are."""
        return len(self._texts)

    def identity(self) -> dict[str, str]:
        """Return the number of texts and the hash of the file."""
        return {"texts": str(self.available), "sha256": hash_files(self._path.parent, [self._path.name])}

    def outputs(self) -> Sequence[str]:
        """Return every text, in the order of the file, each read when it is looked at."""
        return self._texts

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        """Return n of the texts without replacement, whole whatever `max_new_tokens` says."""
        return [self._texts[int(i)] for i in draw(self.name, self.available, n, seed, "texts")]


def draw(name: str, available: int, n: int, seed: int, what: str) -> NDArray[np.int64]:
    """Return n of ``range(available)`` without replacement, in random order.

    Raises
    ------
    TargetError
        Where there are fewer than n.
    """
    if n > available:
        raise TargetError(f"{name}: {n} {what} are needed and {available} are there; give more, or a smaller budget")
    return np.random.default_rng(seed).permutation(available)[:n]


def hash_files(folder: Path, names: Sequence[str]) -> str:
    """Return one SHA-256 over the names and contents of files, each read in pieces; of an unreadable one the name."""
    whole = hashlib.sha256()
    for name in names:
        try:
            digest = file_sha256(folder / name)
        except (ContentError, OSError):
            digest = "unreadable"
        whole.update(os.fsencode(name) + f"\0{digest}\n".encode())
    return whole.hexdigest()
