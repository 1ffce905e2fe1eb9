"""Text corpora as streams of documents, and the documents of an index folder, read where they lie on disk.

An index folder (``guardrails index``) holds ``index.json`` and one folder a shard: the documents as UTF-8, each
followed by a byte that UTF-8 never uses, the place where each begins, and what `guardrails.memorization.corpus_index`
adds.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, overload

from ..core.errors import ConfigurationError, ContentError
from .io import MAX_LINE, TEXT_SUFFIXES, _check_file, _decode, _files_below, read_documents, read_jsonl, text_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMAT, VERSION = "guardrails corpus index", 1
MANIFEST = "index.json"
SEPARATOR = 0xFF
PAD = 512
"""Zero bytes after the last document of a shard, so that a comparison may read on past its end."""
MAX_ROWS_DECODED = 4_000_000_000
ROWS = 1024
HEAD = 2**16
"""Bytes at the beginning of a file that are looked at for what is no UTF-8 text."""
MARKS = {
    b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16",
}  # fmt: skip
"""Byte-order marks; the first that fits counts."""
COLUMNS = ("text", "smiles")
"""The column of a CSV file that holds the documents: the first of these that there is, in any case."""
_TUNE = re.compile(r"^(?=X:)", re.MULTILINE)


def iter_documents(path: Path) -> Iterator[str]:
    """Yield the documents of a file or folder, one file, row or line in memory at a time.

    ``.jsonl`` and ``.ndjson``: a line is a JSON string or an object with the key ``text``; ``.parquet``: the column
    ``text``; ``.csv``: the column ``text``, else ``smiles``; ``.smi``: a line is a SMILES string, with or without a
    name behind it; ``.abc``: each tune, from one ``X:`` to the next; any other file is one document, such as a level.
    A folder holds its ``.txt``, ``.md``, ``.abc`` and ``.smi`` files, in the order of their names. Blank documents are
    left out.

    Raises
    ------
    ContentError
        For what is missing, too large, not of its kind, or text that is not UTF-8, by file and place.
    """
    for file in files_of(path):
        for text in _READERS.get(file.suffix.lower(), _plain)(file):
            if text.strip():
                yield text


def files_of(path: Path) -> list[Path]:
    """Return the files that documents are read from: those of a folder whose names say so, else the path itself."""
    if not path.is_dir():
        return [path]
    return [path / n for n in sorted(_files_below(path)) if Path(n).suffix.lower() in FOLDER_SUFFIXES]


def _plain(path: Path) -> Iterator[str]:
    _check_text(path)
    for text in read_documents(path):
        if "\0" in text:
            raise ContentError(f"{path}: a NUL byte at {len(text[: text.index(chr(0))].encode())}: this is no text")
        yield text


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a text file, each with its end."""
    _check_text(path)
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise ContentError(f"{path}, line {number}: longer than {MAX_LINE:,} bytes")
            if b"\0" in line:
                raise ContentError(f"{path}, line {number}: a NUL byte at {line.index(0)}: this is no text")
            yield _decode(line, f"{path}, line {number}")


def _jsonl(path: Path) -> Iterator[str]:
    _check_text(path)
    return (text_of(value, f"{path}, line {number}") for number, value in read_jsonl(path))


def _csv(path: Path) -> Iterator[str]:
    rows = csv.reader(_lines(path))
    try:
        header = next(rows, [])
        names = [name.strip().lower() for name in header]
        column = next((names.index(name) for name in COLUMNS if name in names), None)
        if column is None:
            raise ContentError(
                f"{path}: no column {' or '.join(map(repr, COLUMNS))}; its columns are "
                f"{', '.join(map(repr, header[:8]))}"
            )
        yield from (row[column] for row in rows if len(row) > column)
    except csv.Error as error:
        raise ContentError(f"{path}, line {rows.line_num}: not CSV ({error}); give JSON Lines") from None


def _smiles(path: Path) -> Iterator[str]:
    words = (line.split(maxsplit=1) for line in _lines(path))
    first = (found[0] for found in words if found)
    return (smiles for i, smiles in enumerate(first) if i or smiles.lower() != "smiles")


def _tunes(path: Path) -> Iterator[str]:
    """Yield the tunes of a file; what stands before the first ``X:`` belongs to none."""
    for text in _plain(path):
        tunes = [tune for tune in _TUNE.split(text.replace("\r\n", "\n")) if tune.startswith("X:")]
        yield from tunes or [text]


def _check_text(path: Path) -> None:
    """Refuse what its first bytes show to be no UTF-8."""
    _check_file(path)
    with path.open("rb") as file:
        head = file.read(HEAD)
    for mark, name in MARKS.items():
        if head.startswith(mark):
            raise ContentError(
                f"{path}: {name} by its byte-order mark, not UTF-8; to convert it, type: "
                f"iconv -f {name} -t UTF-8 {quote(path.name)} > {quote('utf8-' + path.name)}"
            )
    if b"\0" in head:
        raise ContentError(
            f"{path}: a NUL byte at {head.index(0)}: this is no text, or UTF-16 without a byte-order mark; give UTF-8"
        )


def _parquet(path: Path) -> Iterator[str]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            column = file.schema_arrow.get_field_index("text")
            if column < 0:
                names = ", ".join(map(repr, file.schema_arrow.names[:8]))
                raise ContentError(f"{path}: no column 'text'; its columns are {names}")
            kind = file.schema_arrow.field(column).type
            if not (pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)):
                raise ContentError(f"{path}: the column 'text' holds {kind}, not strings")
            groups = (file.metadata.row_group(i) for i in range(file.metadata.num_row_groups))
            if (size := max((group.total_byte_size for group in groups), default=0)) > MAX_ROWS_DECODED:
                raise ContentError(f"{path}: a group of rows of {size:,} bytes; at most {MAX_ROWS_DECODED:,}")
            for batch in file.iter_batches(ROWS, columns=["text"]):
                yield from (text for text in batch.column(0).to_pylist() if text is not None)
    except ContentError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError) as error:  # also text that is not UTF-8
        raise ContentError(f"{path}: not a readable parquet file ({str(error).splitlines()[0][:200]})") from None


_READERS: dict[str, Callable[[Path], Iterator[str]]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".parquet": _parquet,
    ".csv": _csv,
    ".smi": _smiles,
    ".abc": _tunes,
}
FOLDER_SUFFIXES = TEXT_SUFFIXES | {".abc", ".smi"}


def is_index(path: Path) -> bool:
    """Return whether a path is a folder that ``guardrails index`` has written to."""
    return (path / MANIFEST).is_file()


class StoredCorpus(Sequence[str]):
    """The documents of an index folder, each decoded when asked for.

    Attributes
    ----------
    folder : Path
    manifest : dict
        ``shards`` and ``inputs``, as ``guardrails index`` wrote them.

    Raises
    ------
    ConfigurationError
        For a folder that is no index, of another version, unfinished or damaged.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder)
        if not self.manifest.get("complete"):
            raise ConfigurationError(f"{self.folder}: the index is unfinished; run guardrails index again to go on")
        self.shards = [
            (load_array(shard, "text", "uint8"), _check_starts(load_array(shard, "starts", "int64"), shard))
            for shard in self.shard_folders()
        ]
        self._first = [0]
        for text, starts in self.shards:
            if len(starts) and int(starts[-1]) + PAD != len(text):
                raise damaged(self.folder, "a text is shorter or longer than its documents")
            self._first.append(self._first[-1] + len(starts) - 1)

    def shard_folders(self) -> list[Path]:
        """Return the folder of each shard, in order."""
        return [self.folder / f"shard-{number:04d}" for number in range(int(self.manifest["shards"]))]

    @property
    def near_duplicates(self) -> int:
        """How many documents are near-duplicates of another one."""
        found = self.manifest.get("near_duplicates")
        documents = found.get("documents") if isinstance(found, dict) else None
        return documents if isinstance(documents, int) else 0

    def __len__(self) -> int:
        return self._first[-1]

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(f"document {index} of {len(self)}")
        shard = next(k for k, first in enumerate(self._first[1:]) if number < first)
        text, starts = self.shards[shard]
        begin, end = (int(x) for x in starts[number - self._first[shard] :][:2])
        # Half of a surrogate pair may stand in a JSON string; it comes out as it went in.
        try:
            return text[begin : end - 1].tobytes().decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise damaged(self.folder, f"document {number} is not UTF-8") from None


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return ``index.json``.

    Raises
    ------
    ConfigurationError
        Where it is missing, damaged or of another version.
    """
    try:
        with (folder / MANIFEST).open("rb") as file:
            found = json.loads(file.read(100_000_000))
    except OSError:
        raise ConfigurationError(f"{folder}: no index; make one with: guardrails index CORPUS --out {folder}") from None
    except (ValueError, RecursionError):
        raise damaged(folder, f"{MANIFEST} is not JSON") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ConfigurationError(f"{folder}: {MANIFEST} is not that of a corpus index")
    if found.get("version") != VERSION:
        raise ConfigurationError(
            f"{folder}: an index of version {found.get('version')}, this is {VERSION}; make it again"
        )
    shards = found.get("shards", 0)
    if not isinstance(shards, int) or not 0 <= shards <= 9999 or not isinstance(found.get("inputs"), list):
        raise damaged(folder, f"{MANIFEST} lacks shards or inputs")
    return found


def load_array(folder: Path, name: str, kind: str) -> NDArray[Any]:
    """Return an array of one dimension, mapped from disk.

    Raises
    ------
    ConfigurationError
        Where it is missing, cut short or of another kind.
    """
    import numpy as np

    try:
        array: NDArray[Any] = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise damaged(folder, f"{name}.npy: {str(error).splitlines()[0][:120] if str(error) else 'empty'}") from None
    if array.ndim != 1 or array.dtype != np.dtype(kind):
        raise damaged(folder, f"{name}.npy holds {array.dtype} of {array.ndim} dimensions")
    return array


def _check_starts(starts: NDArray[np.int64], folder: Path) -> NDArray[np.int64]:
    if len(starts) < 2 or int(starts[0]) != 0 or bool((starts[1:] <= starts[:-1]).any()):
        raise damaged(folder, "starts.npy does not rise from 0")
    return starts


def damaged(folder: Path, why: str) -> ConfigurationError:
    """Return the error of an index that cannot be read."""
    return ConfigurationError(f"{folder}: the index is damaged ({why}); delete the folder and make it again")
