"""A folder of pictures: told by content and not by name, with what is left out and why."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, overload

from ...core.errors import ContentError
from ...core.targets import Modality
from ..content import HEAD, content_of, is_read, misnamed, not_read, promised
from ..io import MAX_STREAMED, check_file, read_image, read_picture, shown
from .bounds import MAX_PIXELS
from .frames import OWN_PICTURES, has_own_frames

if TYPE_CHECKING:
    from ..io import Image

RAW_SUFFIXES = (".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2")
UNREAD_SUFFIXES = frozenset(
    [*RAW_SUFFIXES, ".tga", ".sgi", ".pcx", ".dds", ".exr", ".hdr", ".psd", ".ico", ".eps", ".svg", ".jxr", ".qoi"]
)
"""Of pictures that are not read: a folder of outputs that holds them was not read whole."""
NAMED = 5
"""How many of the files that were left out are named in a sentence."""


class ImageFolder(Sequence["Image"]):
    """The pictures below a folder, in the order of their names, each read when asked for.

    Hidden files and folders are left out; a folder reached twice through links is listed once.

    Parameters
    ----------
    folder : path
    names : sequence of str, optional
        Only these pictures, relative to the folder; default all.

    Attributes
    ----------
    names : tuple of str
        Paths relative to the folder, with forward slashes.
    ignored : tuple of (str, str)
        (name, what it is) of files that hold no picture and whose names promise none.
    unusable : tuple of (str, str)
        (name, reason) of files that should be pictures and are not, or cannot be opened.
    """

    def __init__(
        self, folder: str | os.PathLike[str], names: Sequence[str] | None = None, *, max_pixels: int = MAX_PIXELS
    ) -> None:
        self.folder = Path(folder)
        self.max_pixels = max_pixels
        self.ignored: tuple[tuple[str, str], ...] = ()
        self.unusable: tuple[tuple[str, str], ...] = ()
        self._kinds: Counter[str] = Counter()
        self._several = 0
        self.names = tuple(self._listed() if names is None else names)

    def _listed(self) -> list[str]:
        """Tell the files of the folder by their content; return those that hold pictures."""
        pictures, unusable, ignored = [], [], []
        for name in sorted(files_below(self.folder)):
            try:
                content = content_of(head_of(self.folder / name))
            except ContentError as error:
                unusable.append((name, _without_folder(error, self.folder, name)))
                continue
            if content.modality is Modality.IMAGE and is_read(content):
                pictures.append(name)
            elif content.modality is Modality.IMAGE:
                unusable.append((name, not_read(content)))
            elif promised(name) is Modality.IMAGE:
                unusable.append((name, misnamed(name, content) or ""))
            elif Path(name).suffix.lower() in UNREAD_SUFFIXES or (content.modality is None and not Path(name).suffix):
                unusable.append((name, f"{content.modality or content.format}: not a picture that is read here"))
            else:
                ignored.append((name, str(content.modality or content.format)))
        self.unusable, self.ignored = tuple(unusable), tuple(ignored)
        return pictures

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Image: ...
    @overload
    def __getitem__(self, index: slice) -> ImageFolder: ...
    def __getitem__(self, index: int | slice) -> Image | ImageFolder:
        if isinstance(index, slice):
            return ImageFolder(self.folder, self.names[index], max_pixels=self.max_pixels)
        return read_image(self.folder / self.names[index], max_pixels=self.max_pixels)

    @cached_property
    def problems(self) -> tuple[tuple[str, str], ...]:
        """(name, reason) of every file that should be a picture and cannot be read whole. Decodes each picture once."""
        problems = list(self.unusable)
        for name in self.names:
            try:
                picture = read_picture(self.folder / name, max_pixels=self.max_pixels)
                if picture.several and has_own_frames(self.folder / name):
                    raise ContentError(OWN_PICTURES)
            except ContentError as error:
                problems.append((name, _without_folder(error, self.folder, name)))
            else:
                self._kinds[picture.format] += 1
                self._several += picture.several
        return tuple(sorted(problems))

    def readable(self) -> ImageFolder:
        """Return the folder without its problems; `problems` and `ignored` of the returned one still name them."""
        bad = {name for name, _ in self.problems}
        folder = ImageFolder(self.folder, [n for n in self.names if n not in bad], max_pixels=self.max_pixels)
        folder.problems, folder.ignored = self.problems, self.ignored
        folder._kinds, folder._several = self._kinds, self._several
        return folder

    @property
    def read_as(self) -> str:
        """How many pictures of each format are read, and what is left out and why, in one sentence."""
        left_out = [*self.problems, *self.ignored]
        return self.counted() + (f"; left out {listed(left_out)}" if left_out else "")

    def counted(self) -> str:
        """Return how many pictures of each format are read, in words."""
        self.problems  # noqa: B018  decodes each picture, which tells its format
        kinds = ", ".join(f"{kind} {n}" for kind, n in self._kinds.most_common())
        text = f"{sum(self._kinds.values())} pictures" + (f" ({kinds})" if kinds else "")
        if self._several:
            text += f"; of {self._several} with previews, reduced pages or masks the first picture"
        return text


def listed(left_out: Sequence[tuple[str, str]]) -> str:
    """Count files and name the first of them.

    >>> listed([("a.txt", "text"), ("b.png", "damaged")])
    '2: a.txt (text), b.png (damaged)'
    """
    first = ", ".join(f"{shown(name)} ({why})" for name, why in left_out[:NAMED])
    return f"{len(left_out)}: {first}" + (f" and {len(left_out) - NAMED} more" if len(left_out) > NAMED else "")


def head_of(path: Path) -> bytes:
    """Return the first bytes of a regular file.

    Raises
    ------
    ContentError
        Where it is none or cannot be read.
    """
    check_file(path, max_bytes=MAX_STREAMED)
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError as error:
        raise ContentError(f"{shown(path)}: cannot be read ({error.strerror})") from None


def _without_folder(error: ContentError, folder: Path, name: str) -> str:
    return str(error).removeprefix(f"{shown(folder / name)}: ")


def files_below(folder: Path) -> Iterator[str]:
    """Yield the files below a folder that are not hidden, each folder once, as paths relative to it.

    A folder that cannot be listed is yielded in place of its files.
    """
    seen: set[str] = set()
    closed: list[str] = []
    for here, folders, files in os.walk(folder, followlinks=True, onerror=lambda error: closed.append(error.filename)):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            if not name.startswith("."):
                yield (Path(here) / name).relative_to(folder).as_posix()
    yield from (Path(name).relative_to(folder).as_posix() for name in closed if Path(name) != folder)
