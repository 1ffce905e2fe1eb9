"""Verifying a bundle or a run: every hash, the signatures, and that the findings follow from the measurements."""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ...core.errors import ConfigurationError, GuardrailsError, JournalError
from ...core.results import AuditResult
from ...core.results.migrate import VERSIONS
from ...kit.io import open_regular, shown
from ..audit.derivation import contradictions
from ..audit.journal import Journal
from ..file_hash import hash_and_size
from ..run_folder import JOURNAL
from . import archive
from .envelope import EnvelopeError, opened
from .journal_check import disagreements
from .keys import ed25519_of, key_id, public_key
from .manifest import EVAL_STATEMENT, MANIFEST, TEST_STATEMENT, FileRecord, Manifest
from .statements import eval_result, test_result
from .write import RESULT

if TYPE_CHECKING:
    from typing import BinaryIO

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MAX_HEAD_BYTES = 1 << 26
MAX_RESULT_BYTES = 1 << 28


@dataclass
class Verification:
    """What the check of a bundle or a run showed.

    Attributes
    ----------
    problems : list of str
        What was altered or contradicts itself; empty where nothing was.
    remarks : list of str
        What the check does not prove.
    checked : list of str
        What was checked, with figures.
    sha256 : str or None
        Of the archive.
    key_id : str or None
        Of the key that signed.
    result : AuditResult or None
        Where it can be read.
    """

    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    sha256: str | None = None
    key_id: str | None = None
    result: AuditResult | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing was altered."""
        return not self.problems


def verify(path: str | Path, *, key: str | Path | None = None) -> Verification:
    """Check a bundle, or the folder of a run, for anything that was altered; nothing is fetched or run.

    Parameters
    ----------
    path : path
        What `bundle` wrote, or the folder of a finished audit, which is not signed.
    key : path, optional
        The public Ed25519 key of whoever should have signed.

    Returns
    -------
    Verification

    Raises
    ------
    ConfigurationError
        Where there is no such file, or the key is of no use.
    """
    path = Path(path)
    known = None if key is None else public_key(Path(key))
    if path.is_dir():
        if known is not None:
            raise ConfigurationError(f"{path} is the folder of a run, which has no signature; verify its bundle")
        return _run(path)
    if not path.is_file():
        raise ConfigurationError(f"no such bundle or folder: {path}")
    seen = Verification()
    with ThreadPoolExecutor(1) as beside, open_regular(path) as stream:
        digest = beside.submit(hash_and_size, path)  # the same bytes twice, by two processors
        _archive(stream, path.stat().st_size, known, seen)
        seen.sha256, _ = digest.result()
    _outer_digest(path, seen)
    return seen


def _run(folder: Path) -> Verification:
    if not (folder / RESULT).is_file():
        raise ConfigurationError(f"no {RESULT} in {folder}: give a bundle, or the folder of a finished audit")
    seen = Verification(remarks=["a folder is not signed: anyone can write one anew; bundle it to sign it"])
    with open_regular(folder / RESULT) as stream:
        text = stream.read(MAX_RESULT_BYTES + 1)
    result = _derived(text, seen)
    if not (folder / JOURNAL).is_file():
        seen.remarks.append(f"there is no {JOURNAL}: the samples were not checked")
        return seen
    if not (folder / JOURNAL).stat().st_size:  # it would be made anew
        seen.problems.append(f"{JOURNAL} is empty")
        return seen
    try:
        with Journal(folder / JOURNAL) as journal:
            done, planned = journal.progress()
            seen.checked.append(f"{JOURNAL}: the checksum of each entry; {done:,} of {planned:,} batches")
            if result is not None:
                seen.problems += [f"{RESULT}: {sentence}" for sentence in disagreements(result, journal)]
    except JournalError as error:
        seen.problems.append(str(error))
    return seen


def _archive(stream: BinaryIO, size: int, known: Ed25519PublicKey | None, seen: Verification) -> None:
    """Check an archive from its first byte to its last."""
    try:
        heads = {
            name: archive.read_first(stream, name, MAX_HEAD_BYTES)
            for name in (TEST_STATEMENT, EVAL_STATEMENT, MANIFEST)
        }
        manifest = Manifest.from_bytes(heads[MANIFEST])
        carried = ed25519_of(manifest.public_key)
    except ValueError as error:
        seen.problems.append(f"not a bundle, or its beginning was altered: {shown(str(error))}")
        return
    statements = _signed(heads, known or carried, seen)
    _signer(known, carried, seen, fits=len(statements) == 2)
    text = b""
    for record in manifest.files:
        content = _content(stream, record, seen)
        if record.name == RESULT:
            text = content
    _ended(stream, size, seen)
    seen.checked.append(f"{len(manifest.files):,} files by size and SHA-256")
    if manifest.withheld:
        seen.remarks.append(f"{len(manifest.withheld):,} files with samples were withheld; their digests are signed")
    result = _derived(text, seen)
    if result is None:
        return
    expected = {
        TEST_STATEMENT: test_result(result, heads[MANIFEST]),
        EVAL_STATEMENT: eval_result(result, text, manifest.before_collection),
    }
    seen.problems += [
        f"{name} does not say what the result and the manifest say"
        for name, value in statements.items()
        if value != expected[name]
    ]


def _signed(heads: dict[str, bytes], key: Ed25519PublicKey, seen: Verification) -> dict[str, dict[str, Any]]:
    """Return the statements whose signature fits."""
    statements = {}
    for name in (TEST_STATEMENT, EVAL_STATEMENT):
        try:
            statements[name] = opened(heads[name], key)
        except EnvelopeError as error:
            seen.problems.append(f"{name}: {error}")
    return statements


def _signer(known: Ed25519PublicKey | None, carried: Ed25519PublicKey, seen: Verification, *, fits: bool) -> None:
    seen.key_id = key_id(carried)
    if known is None and fits:
        seen.remarks.append(
            f"the signature fits the key that the bundle carries ({seen.key_id[:16]}…): it proves that nothing was "
            "altered since it was signed, not who signed; give the signer's key with --key"
        )
    elif known is not None and key_id(known) != seen.key_id:
        seen.problems.append(f"the bundle carries another key than the one given: {seen.key_id[:16]}…")


def _content(stream: BinaryIO, record: FileRecord, seen: Verification) -> bytes:
    """Check the next member; return its content where it is the result."""
    if stream.read(archive.BLOCK) != archive.header(record.name, record.bytes):
        seen.problems.append(f"{record.name}: its header in the archive was altered")
    sha256, length, kept_parts = hashlib.sha256(), 0, []
    wanted = record.name == RESULT and record.bytes <= MAX_RESULT_BYTES
    for chunk in archive.chunks(stream, record.bytes):
        sha256.update(chunk)
        length += len(chunk)
        if wanted:
            kept_parts.append(chunk)
    if length < record.bytes:
        seen.problems.append(f"{record.name}: cut off after {length:,} of {record.bytes:,} bytes")
    elif sha256.hexdigest() != record.sha256:
        seen.problems.append(f"{record.name}: altered: its SHA-256 is another")
    filler = archive.padding(record.bytes)
    if stream.read(filler) != bytes(filler):
        seen.problems.append(f"{record.name}: altered after its end")
    return b"".join(kept_parts)


def _ended(stream: BinaryIO, size: int, seen: Verification) -> None:
    zeros = archive.end(stream.tell())
    if stream.tell() + zeros != size or stream.read(zeros) != bytes(zeros):
        seen.problems.append("the archive does not end where it was written to end")


def _derived(text: bytes, seen: Verification) -> AuditResult | None:
    """Read a result and derive its findings again from its measurements."""
    try:
        result = AuditResult.from_json(text.decode("utf-8"))
    except (ValidationError, UnicodeDecodeError, GuardrailsError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        seen.problems.append(f"{RESULT}: {shown(why)}")
        return None
    seen.result = result
    seen.problems += [f"{RESULT}: {sentence}" for sentence in contradictions(result)]
    source = "their measurements and the policy"
    if result.policy_record is None:
        source = "their measurements and limits"
        if _before_policies(text):
            seen.remarks.append(f"{RESULT} does not hold its policy, as before schema 1.5: its limits may be any")
        else:
            seen.problems.append(f"{RESULT}: its policy was taken out: results of its schema hold it")
    seen.checked.append(f"{len(result.findings):,} findings, derived again from {source}")
    return result


def _before_policies(text: bytes) -> bool:
    """Whether a result is of a schema that held no policy."""
    version = json.loads(text).get("schema_version", VERSIONS["audit"])  # without one it is read as of today
    major, minor = map(int, version.split("."))
    return (major, minor) < (1, 5)


def _outer_digest(path: Path, seen: Verification) -> None:
    """Hold the archive against the digest in the file beside it."""
    beside = path.with_name(f"{path.name}.sha256")
    if not beside.is_file():
        seen.remarks.append(f"there is no {beside.name} beside it: the digest of the archive was compared with nothing")
        return
    with open_regular(beside) as stream:
        stated = next(iter(_words(stream.read(1024))), "")
    if stated != seen.sha256:
        seen.problems.append(f"its SHA-256 is not the one in {beside.name}")


def _words(text: bytes) -> Iterator[str]:
    """Return what may be digests: other tools write capitals, and some shells UTF-16."""
    encoding = "utf-16" if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"
    return iter(re.findall(r"\b[0-9a-f]{64}\b", text.decode(encoding, "replace").lower()))
