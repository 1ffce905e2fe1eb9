"""Text corpora as streams of documents."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import ContentError
from ...core.targets import Modality
from ..content import content_of, misnamed, promised
from ..io import shown
from ..pictures.folder import files_below, head_of, listed
from .documents import MAX_LEFT_OUT, Reading, texts_of
from .files import COMPRESSED, GZIP, TextFile
from .record_shapes import Role
from .records import RECORD_SUFFIXES, columns_without_text, holds_records, records_of
from .spooled import Spooled
from .stored_corpus import FORMAT, MANIFEST

if TYPE_CHECKING:
    pass

TEXT_SUFFIXES = frozenset({".txt", ".md", ".abc", ".smi"})
"""Of a folder the files that are read as texts, with those without a suffix that hold text."""
MAX_MINOR = 0.25
"""Largest share of a folder's bytes that may lie in files of the other kind, texts or records, and be left out."""
FILES_NAMED = 3
_TUNE = re.compile(r"^(?=X:)", re.MULTILINE)


class Documents(Spooled[str]):
    """Texts in a temporary file, with how they were read.

    Parameters
    ----------
    texts : iterable of str
        Read once; `reading` is looked at afterwards.
    reading : Reading

    Attributes
    ----------
    read_as : str
        One sentence for the report.
    form : str
        What was joined to make a document of an exchange; empty for texts that stand in their files as they are.
    uses_text_field : bool
    conversations : list of list of dict
        The messages of each document, in the order of the documents; empty where they are no conversations.
    """

    def __init__(self, texts: Iterable[str], reading: Reading) -> None:
        super().__init__(texts)
        self.read_as = reading.sentence() if len(self) else ""
        self.form, self.uses_text_field = reading.form, reading.uses_text_field
        conversations = reading.conversations or []
        self.conversations = conversations if len(conversations) == len(self) else []


def read_documents(
    path: str | Path,
    *,
    role: Role = "document",
    text_field: str | None = None,
    comparable: bool = False,
    conversations: bool = True,
) -> Documents:
    """Return the texts of `iter_documents`; the arguments are those of `Reading`.

    Conversations are read of documents alone, and stay in memory: leave them out where nobody asks for them.
    """
    wanted = conversations and role == "document"
    reading = Reading(role, text_field, comparable, conversations=[] if wanted else None)
    return Documents(iter_documents(Path(path), reading), reading)


def iter_documents(path: Path, reading: Reading | None = None) -> Iterator[str]:
    """Yield the documents of a file or folder, one file, row or line in memory at a time.

    ``.jsonl``, ``.ndjson``, ``.json``, ``.csv``, ``.tsv`` and ``.parquet`` hold records: see
    `guardrails.kit.text.documents`. ``.smi``: a line is a SMILES string, with or without a name behind it; ``.abc``:
    each tune, from one ``X:`` to the next; any other file is one document, such as a level, or one prompt a line. A
    folder holds files of texts or files of records, read in the order of their names. Text files may be gzipped. Blank
    documents are left out.

    Parameters
    ----------
    path : Path
        A file or a folder.
    reading : Reading, optional
        How texts are to be read; holds afterwards what was read.

    Raises
    ------
    ContentError
        For what is missing, too large, not of its kind or no text, by file and place.
    """
    reading = reading or Reading()
    for text, _ in iter_texts(path, reading):
        yield text


def iter_texts(path: Path, reading: Reading) -> Iterator[tuple[str, str | None]]:
    """Yield (text, prompt) as `iter_documents` yields texts. Errors as there."""
    files, left_out = _chosen_files(path)
    if left_out:
        reading.notes[f"left out {listed(left_out)}"] = None
    if reading.role == "prompt" and path.is_dir():  # a file is expected: what was read in its place is said
        names = ", ".join(shown(file.relative_to(path)) for file in files[:FILES_NAMED])
        more = f" and {len(files) - FILES_NAMED} more" if len(files) > FILES_NAMED else ""
        reading.notes[f"from a folder, of which {names}{more} {'is' if len(files) == 1 else 'are'} read"] = None
    for file in files:
        yield from _texts_of_file(file, reading)
    reading.check()


def _texts_of_file(path: Path, reading: Reading) -> Iterator[tuple[str, str | None]]:
    if path.suffix.lower() == ".parquet":
        reading.unread |= dict.fromkeys(columns_without_text(path))
        return texts_of(records_of(path), reading)
    file = TextFile(path)
    reading.notes |= dict.fromkeys(file.notes)
    if holds_records(file):
        return texts_of(records_of(path, file), reading)
    if reading.role == "output":
        raise ContentError(f"{shown(path)}: no file of records; give JSON Lines, JSON, CSV or Parquet")
    return _plain_texts(file, reading)


def _plain_texts(file: TextFile, reading: Reading) -> Iterator[tuple[str, str | None]]:
    default = ("each line", _lines) if reading.role == "prompt" else ("each file", _whole)
    what, texts = _PLAIN.get(file.suffix, default)
    reading.shapes[what] = None
    for where, text in texts(file):
        if (accepted := reading.accepted(text, where)) is not None:
            reading.counts[what] += 1
            yield accepted, None


def _whole(file: TextFile) -> Iterator[tuple[str, str]]:
    yield shown(file.path), file.text()


def _lines(file: TextFile) -> Iterator[tuple[str, str]]:
    lines = ((number, line) for number, line in file.lines() if line.strip())
    yield from ((f"{shown(file.path)}, line {number}", line) for number, line in lines)


def _smiles(file: TextFile) -> Iterator[tuple[str, str]]:
    words = ((number, line.split(maxsplit=1)) for number, line in file.lines())
    first = ((number, fields[0]) for number, fields in words if fields)
    for i, (number, smiles) in enumerate(first):
        if i or smiles.lower() != "smiles":
            yield f"{shown(file.path)}, line {number}", smiles


def _tunes(file: TextFile) -> Iterator[tuple[str, str]]:
    """Yield the tunes of a file; what stands before the first ``X:`` belongs to none."""
    text = file.text()
    tunes = [tune for tune in _TUNE.split(text) if tune.startswith("X:")]
    yield from ((f"{shown(file.path)}, tune {i}", tune) for i, tune in enumerate(tunes or [text], 1))


_PLAIN: dict[str, tuple[str, Callable[[TextFile], Iterator[tuple[str, str]]]]] = {
    ".smi": ("each line", _smiles),
    ".abc": ("each tune", _tunes),
}


def files_of(path: Path) -> list[Path]:
    """Return the files that documents are read from: those of a folder that `iter_documents` reads, else the path."""
    return _chosen_files(path)[0]


def _chosen_files(path: Path) -> tuple[list[Path], list[tuple[str, str]]]:
    """Return the files of a folder that are read, and (name, why) of the others.

    Either its texts or its records are read, whichever are more: the others are then a README or a table beside them.

    Raises
    ------
    ContentError
        Where it cannot be told which, or files that would have to be read cannot be.
    """
    if not path.is_dir():
        return [path], []
    names = sorted(files_below(path))
    indexes = tuple(name.removesuffix(MANIFEST) for name in names if _is_manifest(path / name))
    kinds: dict[str, list[str]] = {"texts": [], "records": [], "other texts": []}
    left_out, unusable = [], []
    for name in names:
        if name.startswith(indexes):
            continue
        try:
            kind = _kind(name, head_of(path / name))
        except ContentError as error:
            unusable.append((name, str(error).removeprefix(f"{shown(path / name)}: ")))
            continue
        if kind in kinds:
            kinds[kind].append(name)
        else:
            left_out.append((name, kind))
    chosen = _larger(path, kinds)
    for kind, names in kinds.items():
        left_out += [(name, f"one of its {kind}") for name in names if kind != chosen]
    if len(unusable) > max(1, MAX_LEFT_OUT * len(kinds[chosen])):
        raise ContentError(f"{shown(path)}: files that cannot be read: {listed(unusable)}")
    return [path / name for name in kinds[chosen]], sorted(left_out + unusable)


def _kind(name: str, head: bytes) -> str:
    """Return the kind of a file of a folder: one of those that may be read, or what it is.

    Raises
    ------
    ContentError
        For what is called a text and is none.
    """
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    suffix = next((s for s in reversed(suffixes) if s != ".gz"), "")
    known = RECORD_SUFFIXES | TEXT_SUFFIXES
    if packed := next((kind for mark, kind in COMPRESSED.items() if head.startswith(mark)), None):
        # Kept among the files to read, where it is refused by its name: it may be most of the corpus.
        return "records" if known & set(suffixes) else packed
    if suffix in RECORD_SUFFIXES:
        return "records"
    if head.startswith(GZIP):
        return "texts" if suffix in TEXT_SUFFIXES else "gzip"
    content = content_of(head)
    if promised(name) is Modality.TEXT and content.modality is not Modality.TEXT and head:
        raise ContentError(misnamed(name, content) or "")
    if content.modality is not Modality.TEXT or promised(name) not in (None, Modality.TEXT):
        return misnamed(name, content) or str(content.modality or content.format)
    return "texts" if suffix in TEXT_SUFFIXES or not suffix else "other texts"


def _is_manifest(path: Path) -> bool:
    if path.name != MANIFEST or not path.is_file():
        return False
    return FORMAT.encode() in head_of(path)


def _larger(path: Path, kinds: dict[str, list[str]]) -> str:
    """Return which kind of a folder's files is read."""
    sizes = {kind: sum((path / name).stat().st_size for name in names) for kind, names in kinds.items()}
    first = "texts" if sizes["texts"] >= sizes["records"] else "records"
    if not kinds[first]:
        return "other texts"
    for kind, size in sizes.items():
        if kind != first and size > MAX_MINOR * (size + sizes[first]):
            raise ContentError(
                f"{shown(path)}: holds {len(kinds[first])} files of {first} and {len(kinds[kind])} of {kind}"
                f" ({listed([(name, kind) for name in kinds[kind]])}); give a folder for each"
            )
    return first
