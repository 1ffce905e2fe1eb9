"""Writing a bundle."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from ...core.errors import ConfigurationError, JournalError
from ...core.results import AuditResult
from ..audit.engine import LOG
from ..audit.journal import Journal
from ..file_hash import hash_and_size
from ..run_folder import FOLDERS, JOURNAL, disk_errors, refuse_links
from . import archive
from .envelope import canonical, sealed
from .journal_check import disagreements
from .keys import key_id, new_key, private_key, to_pem
from .manifest import EVAL_STATEMENT, MANIFEST, TEST_STATEMENT, FileRecord, Manifest, fits
from .statements import digest_of, eval_result, test_result

if TYPE_CHECKING:
    from typing import BinaryIO

RESULT = "result.json"
ENVIRONMENT = "environment.txt"
SAMPLES = "samples.jsonl"
ANSWERS = "answers.jsonl"
WITHHELD = (JOURNAL, ANSWERS, LOG, "media/")
"""What holds the target's outputs."""
TAKEN = (RESULT, LOG, JOURNAL, ANSWERS)


class Written(NamedTuple):
    """A bundle that was written."""

    file: Path
    sha256: str
    key_id: str
    files: int
    withheld: int


def bundle(
    run: str | Path, out: str | Path, *, key: str | Path | None = None, withhold_samples: bool = False
) -> Written:
    """Put a finished audit into one signed archive.

    Parameters
    ----------
    run : path
        The run's folder.
    out : path
        The archive, a new file; ``OUT.sha256`` with its digest is written beside it.
    key : path, optional
        A private Ed25519 key (PEM or OpenSSH). Without one a key is made for this bundle and thrown away: then the
        signature proves that the bundle is whole, and not who made it.
    withhold_samples : bool
        Leave out the journal and the media, which hold the target's outputs. Their digests stay, and one of each row.

    Returns
    -------
    Written

    Raises
    ------
    ConfigurationError
        Where there is no finished audit, its result is not that of its journal, a key or file is of no use, or the
        archive exists already.
    JournalError
        Where the journal is damaged, a file changes meanwhile, or the disk is full.
    """
    run, out = Path(run), Path(out)
    signer = new_key() if key is None else private_key(Path(key))
    if not (run / RESULT).is_file():
        raise ConfigurationError(f"no result.json in {run}: give the folder of a finished audit")
    for file in (out, _digest_file(out)):
        if file.exists() or file.is_symlink():
            raise ConfigurationError(f"{file} exists already; give another --out")
    refuse_links(run)
    if not (run / JOURNAL).is_file():
        raise ConfigurationError(f"no {JOURNAL} in {run}: a bundle needs the journal of the run")
    result = _result(run)
    with closing(Journal(run / JOURNAL)) as journal:  # also keeps another process from going on with the run
        if why := next(disagreements(result, journal), None):
            raise ConfigurationError(f"{run / RESULT} is not the result of the {JOURNAL} beside it: {why}")
        before = journal.before_collection()
        made = {ENVIRONMENT: _environment(journal)}
        if withhold_samples:
            made[SAMPLES] = b"".join(_row_digests(journal))
    records = [_record(run, name) for name in _names(run)]
    withheld = [r for r in records if withhold_samples and r.name.startswith(WITHHELD)]
    files = [r for r in records if r not in withheld]
    files += [FileRecord(name=n, bytes=len(text), sha256=digest_of(text)) for n, text in made.items()]
    files.sort(key=lambda r: r.name != RESULT)  # the result first: who reads the archive needs it first
    manifest = Manifest(
        guardrails_version=result.guardrails_version,
        public_key=to_pem(signer.public_key()),
        before_collection=before,
        files=tuple(files),
        withheld=tuple(withheld),
    ).to_bytes()
    heads = {
        TEST_STATEMENT: sealed(test_result(result, manifest), signer),
        EVAL_STATEMENT: sealed(eval_result(result, (run / RESULT).read_bytes(), before), signer),
        MANIFEST: manifest,
    }
    sha256 = _written(run, out, heads, files, made)
    return Written(out, sha256, key_id(signer.public_key()), len(files), len(withheld))


def _written(run: Path, out: Path, heads: dict[str, bytes], files: list[FileRecord], made: dict[str, bytes]) -> str:
    try:
        with disk_errors(out.parent, "the bundle was not written"), out.open("xb") as stream:
            for name, text in heads.items():
                archive.add(stream, name, len(text), io.BytesIO(text))
            for record in files:
                with _content(run, record.name, made) as content:
                    if archive.add(stream, record.name, record.bytes, content) != record.sha256:
                        raise archive.ArchiveError(f"{record.name} changed while it was read")
            stream.write(bytes(archive.end(stream.tell())))
        sha256, _ = hash_and_size(out)
        _digest_file(out).write_text(f"{sha256}  {out.name}\n", encoding="utf-8")
    except BaseException as error:
        out.unlink(missing_ok=True)
        if isinstance(error, archive.ArchiveError):
            raise JournalError(f"{run}: {error}; the bundle was not written: try again") from error
        if isinstance(error, OSError):
            raise ConfigurationError(f"{error.filename or out}: {error.strerror or error}") from error
        raise
    return sha256


def _digest_file(out: Path) -> Path:
    return out.with_name(f"{out.name}.sha256")


def _content(run: Path, name: str, made: dict[str, bytes]) -> BinaryIO:
    return io.BytesIO(made[name]) if name in made else (run / name).open("rb")


def _names(run: Path) -> list[str]:
    """Return the files of a run that a bundle holds, in order."""
    media = [f"{folder}/{path.name}" for folder in FOLDERS for path in _inside(run / folder)]
    names = [name for name in TAKEN if (run / name).is_file()] + sorted(media)
    if odd := next((name for name in names if not fits(name)), None):
        raise ConfigurationError(f"{run / odd} is no file that a run writes; move it elsewhere")
    return names


def _inside(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else iter(())


def _record(run: Path, name: str) -> FileRecord:
    sha256, size = hash_and_size(run / name)
    if size > archive.MAX_BYTES:
        raise ConfigurationError(f"{run / name} is larger than a bundle can hold (8 GiB)")
    if len(sha256) != 64:
        raise ConfigurationError(f"{run / name}: {sha256}")
    return FileRecord(name=name, bytes=size, sha256=sha256)


def _result(run: Path) -> AuditResult:
    try:
        return AuditResult.from_json((run / RESULT).read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{run / RESULT} is not the result of an audit") from error


def _environment(journal: Journal) -> bytes:
    packages = journal.table("environment")
    if not packages:
        return b"# not recorded by the version that made the run\n"
    return "".join(f"{name}=={version}\n" for name, version in sorted(packages.items())).encode()


def _row_digests(journal: Journal) -> Iterator[bytes]:
    """Yield one line of JSON for each row: its series, its item, and the SHA-256 of its canonical JSON."""
    for series in journal.series():
        for row in journal.rows(series):
            sha256 = hashlib.sha256(canonical(row)).hexdigest()
            yield json.dumps({"series": series, "item": str(row["item"]), "sha256": sha256}).encode() + b"\n"
