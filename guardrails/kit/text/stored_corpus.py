"""The documents of an index folder, read where they lie on disk.

An index folder (``guardrails index``) holds ``index.json`` and one folder a shard: the documents as UTF-8, each
followed by a byte that UTF-8 never uses, the place where each begins, what
`guardrails.memorization.text.corpus_index` adds, and the checksum of each file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ...core.errors import ConfigurationError, ContentError
from ..checksums import check_files, with_checksum
from ..settings_file import parse_json, read_bounded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
FORMAT, VERSION = "guardrails corpus index", 2
MANIFEST = "index.json"
MAX_MANIFEST = 100_000_000
CHECKSUMS = "sha256.json"
ARRAYS = ("text.npy", "starts.npy", "suffixes.npy", "keys.npy", "signatures.npy")
SHARD_FILES = (*ARRAYS, CHECKSUMS)
FAMILIES = "families.npy"
SEPARATOR = 0xFF
PAD = 512
"""Zero bytes after the last document of a shard, so that a comparison may read on past its end."""


def is_index(path: Path) -> bool:
    """Return whether a path is a folder that ``guardrails index`` has written to."""
    return (path / MANIFEST).is_file()


class StoredCorpus(Sequence[str]):
    """The documents of an index folder, each decoded when asked for.

    Opening it reads every file once and holds it against its checksum.

    Attributes
    ----------
    folder : Path
    manifest : dict
        ``shards`` and ``inputs``, as ``guardrails index`` wrote them.
    read_as : str
        How the documents were read, where the index says so.

    Raises
    ------
    ConfigurationError
        For a folder that is no index, of another version, unfinished or damaged.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder)
        self.read_as = str(self.manifest.get("read_as", ""))
        if not self.manifest.get("complete"):
            raise ConfigurationError(f"{self.folder}: the index is unfinished; run guardrails index again to go on")
        names = [FAMILIES, *(f"{shard.name}/{name}" for shard in self.shard_folders() for name in SHARD_FILES)]
        try:
            check_files(self.folder, names, self.manifest.get("sha256"))
        except ContentError as error:
            raise damaged(self.folder, str(error)) from None
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
        summary = self.manifest.get("near_duplicates")
        documents = summary.get("documents") if isinstance(summary, dict) else None
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
        content = read_bounded(folder / MANIFEST, max_bytes=MAX_MANIFEST)
    except ContentError:
        raise ConfigurationError(f"{folder}: no index; make one with: guardrails index CORPUS --out {folder}") from None
    try:
        manifest = parse_json(content, MANIFEST)
    except ContentError as error:
        raise damaged(folder, str(error)) from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ConfigurationError(f"{folder}: {MANIFEST} is not that of a corpus index")
    if (version := manifest.get("version")) != VERSION:
        why = ", which has no checksums; delete the folder and" if version == 1 else f", this is {VERSION};"
        raise ConfigurationError(f"{folder}: an index of version {version}{why} make it again")
    if with_checksum(manifest) != manifest:
        raise damaged(folder, f"{MANIFEST} does not match its checksum")
    shards = manifest.get("shards", 0)
    if not isinstance(shards, int) or not 0 <= shards <= 9999 or not isinstance(manifest.get("inputs"), list):
        raise damaged(folder, f"{MANIFEST} lacks shards or inputs")
    return manifest


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
    except Exception as error:  # numpy parses the header as Python: a damaged one raises anything
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
