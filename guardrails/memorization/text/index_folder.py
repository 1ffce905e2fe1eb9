"""Writing an index folder: shard by shard, so that a build that was stopped goes on with the next shard."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import ConfigurationError, ContentError
from ...kit.checksums import check_files, file_sha256, with_checksum
from ...kit.settings_file import parse_json, read_bounded
from ...kit.text.corpus import files_of, iter_documents
from ...kit.text.documents import Reading
from ...kit.text.stored_corpus import (
    ARRAYS,
    CHECKSUMS,
    FAMILIES,
    FORMAT,
    MANIFEST,
    VERSION,
    StoredCorpus,
    is_index,
    read_manifest,
)
from ...targets.files import hash_files
from .corpus_index import SHARD, SHARD_BYTES, group_documents
from .minhash import PLACES, families, signatures
from .suffix_array import SuffixArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .corpus_index import Bytes, Ints

Progress = Callable[[int, int, str], None]
MB = 1_000_000
LOCK = "index.lock"
"""Held by the command that builds."""
BLOCK = 256
"""Documents whose signatures are in memory at once: one takes 512 bytes, which is more than a short document."""
PART = ".part"
"""Suffix of what is being written; it is renamed when it is whole."""


def build_index(
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    shard_bytes: int = SHARD_BYTES,
    text_field: str | None = None,
    progress: Progress = lambda done, total, label: None,
) -> dict[str, Any]:
    """Index files and folders of text, or go on where an earlier call was stopped; return what ``index.json`` holds.

    Parameters
    ----------
    inputs : sequence of paths
        As `guardrails.kit.text.corpus.iter_documents` reads them; documents are numbered through, in this order.
    out : path
        A new or empty folder, or one of an earlier call with the same inputs: its finished shards are kept.
    shard_bytes : int
        Bytes of text in a shard, at most 2 GiB. Building takes about six times as much memory.
    text_field : str, optional
        The field of records that holds the text, with dots between nested ones.
    progress : callable
        Takes (done, total, label); megabytes of text.

    Raises
    ------
    ConfigurationError
        Where an input is missing or cannot be read, holds no text, or `out` is taken.
    """
    if not inputs:
        raise ConfigurationError("give at least one file or folder to index")
    if not 1 <= shard_bytes <= SHARD:
        raise ConfigurationError(f"a shard of {shard_bytes:,} bytes; it must have 1 to {SHARD:,}")
    paths, out = [Path(name) for name in inputs], Path(out)
    progress(0, 1, "reading the inputs' hashes")
    try:
        identities = [_identity(path) for path in paths]
    except ContentError as error:
        raise ConfigurationError(str(error)) from None
    plan = {"format": FORMAT, "version": VERSION, "shard_bytes": shard_bytes, "inputs": identities}
    plan |= {"text_field": text_field} if text_field else {}
    reading = Reading(text_field=text_field, comparable=True)
    manifest = _begin(out, plan)
    if manifest.get("complete"):
        progress(0, 1, "comparing checksums")
        StoredCorpus(out)
        return manifest
    total = max(1, sum(entry["bytes"] for entry in manifest["inputs"]) // MB)
    try:
        shards = _write_shards(
            out, chain.from_iterable(iter_documents(path, reading) for path in paths), shard_bytes,
            lambda done, label: progress(min(done, total), total, label),
        )  # fmt: skip
    except ContentError as error:
        raise ConfigurationError(str(error)) from None
    if text_field and not reading.uses_text_field:
        raise ConfigurationError(f"--text-field {text_field}: no file given has this field")
    if not shards:
        (out / MANIFEST).unlink()
        if not any(out.iterdir()):
            out.rmdir()
        raise ConfigurationError(f"{', '.join(map(str, paths))}: no document that is not blank")
    progress(total, total, "comparing documents")
    manifest |= {"shards": len(shards), "complete": True, "read_as": reading.sentence()}
    manifest |= {"documents": sum(n for n, _ in shards), "bytes": sum(size for _, size in shards)}
    manifest["near_duplicates"] = _near_duplicates(out, len(shards))
    manifest["sha256"] = _checksums(out, len(shards))
    manifest = with_checksum(manifest)
    _write_json(out / MANIFEST, manifest)
    progress(total, total, "comparing checksums")
    StoredCorpus(out)
    return manifest


def _begin(out: Path, plan: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest that stands in the folder, or a new one."""
    if is_index(out):
        manifest = read_manifest(out)
        if all(manifest.get(key) == plan[key] for key in plan):
            return manifest
        if manifest.get("complete") or any(out.glob("shard-*")):
            raise ConfigurationError(
                f"--out {out}: holds an index of other files, or they have changed; give a new folder"
            )
    elif out.exists() and (not out.is_dir() or any(not _is_leftover(file.name) for file in out.iterdir())):
        raise ConfigurationError(f"--out {out} is not an empty folder; give a new one")
    out.mkdir(parents=True, exist_ok=True)
    manifest = with_checksum(plan | {"shards": 0, "complete": False})
    _write_json(out / MANIFEST, manifest)
    return manifest


def _is_leftover(name: str) -> bool:
    """Whether a command that was killed before it wrote a manifest leaves a file of this name."""
    return name.startswith(LOCK) or name == Path(MANIFEST).with_suffix(PART).name


def _write_shards(
    out: Path, documents: Iterable[str], shard_bytes: int, progress: Callable[[int, str], None]
) -> list[tuple[int, int]]:
    """Write the shards that are not there or are damaged; return documents and bytes of each."""
    done: list[tuple[int, int]] = []
    for number, (text, starts) in enumerate(group_documents(documents, shard_bytes)):
        count = len(starts) - 1
        size = int(starts[-1]) - count
        folder = out / f"shard-{number:04d}"
        progress(sum(s for _, s in done) // MB, f"shard {number + 1}: sorting {size / MB:.0f} MB")
        if not _is_written(folder):
            shutil.rmtree(folder, ignore_errors=True)
            _write_shard(folder, text, starts)
        done.append((count, size))
    return done


def _is_written(folder: Path) -> bool:
    try:
        check_files(folder, ARRAYS, _read_checksums(folder))
    except ContentError:
        return False
    return True


def _read_checksums(folder: Path) -> Any:
    return parse_json(read_bounded(folder / CHECKSUMS), CHECKSUMS)


def _write_shard(folder: Path, text: Bytes, starts: Ints) -> None:
    """Write a shard beside its place and move it there: a folder of that name is finished."""
    part = folder.with_suffix(PART)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    _write_signatures(part / "signatures.npy", text, starts)
    array = SuffixArray.build(text)
    arrays: dict[str, NDArray[Any]] = {
        "text": text, "starts": starts, "suffixes": array.suffixes, "keys": array.keys,
    }  # fmt: skip
    for name, values in arrays.items():
        _save_array(part / f"{name}.npy", values)
    _write_json(part / CHECKSUMS, {name: file_sha256(part / name) for name in ARRAYS})
    part.rename(folder)


def _write_signatures(path: Path, text: Bytes, starts: Ints) -> None:
    """Write the signature of each document, as `numpy.save` would write all of them."""
    documents = (
        text[begin : end - 1].tobytes().decode("utf-8", "surrogatepass") for begin, end in pairwise(map(int, starts))
    )
    header = {"descr": "<u4", "fortran_order": False, "shape": (len(starts) - 1, PLACES)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        while block := list(islice(documents, BLOCK)):
            file.write(signatures(block).astype("<u4", copy=False).tobytes())


def _checksums(out: Path, shards: int) -> dict[str, str]:
    """Return the checksum of every file but ``index.json``: of arrays those that were taken when they were written."""
    checksums = {FAMILIES: file_sha256(out / FAMILIES)}
    for folder in (out / f"shard-{number:04d}" for number in range(shards)):
        checksums |= {f"{folder.name}/{name}": value for name, value in _read_checksums(folder).items()}
        checksums[f"{folder.name}/{CHECKSUMS}"] = file_sha256(folder / CHECKSUMS)
    return checksums


def _near_duplicates(out: Path, shards: int) -> dict[str, int]:
    """Return how many documents are near-duplicates of another one, how many families they are, and the largest."""
    names = [out / f"shard-{number:04d}" / "signatures.npy" for number in range(shards)]
    family = families(*(np.load(name, mmap_mode="r", allow_pickle=False) for name in names))
    _save_array(out / FAMILIES, family)
    return summary(family)


def summary(family: NDArray[np.int64]) -> dict[str, int]:
    """Return documents with a near-duplicate, their families, and the size of the largest family."""
    sizes = np.bincount(family)
    several = sizes[sizes > 1]
    return {"documents": int(several.sum()), "families": len(several), "largest": int(several.max(initial=0))}


def _identity(path: Path) -> dict[str, Any]:
    """Return name, size and hash of an input; of a folder, over the files that are read."""
    if not path.exists():
        raise ConfigurationError(f"{path}: no such file or folder")
    folder = path if path.is_dir() else path.parent
    names = [file.relative_to(folder).as_posix() for file in files_of(path)]
    size = sum((folder / name).stat().st_size for name in names)
    return {"name": path.name, "bytes": size, "sha256": hash_files(folder, names)}


def _save_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array as `numpy.save` does, but raise where the disk is full.

    NumPy writes through C and ignores the error of closing the file: up to 4 kB at the end are lost silently.
    """
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(array))
        stream.write(np.ascontiguousarray(array).data)


def _write_json(path: Path, value: Any) -> None:
    part = path.with_suffix(PART)
    try:
        part.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)  # of a full disk: with it the folder would be refused next time
