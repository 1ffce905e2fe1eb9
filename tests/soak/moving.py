"""Files that change and vanish while a scan or an audit reads them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from random import Random

from .child import Child, Ended
from .jobs import PATIENCE, Job, Undisturbed, verdict
from .judge import REFUSALS, ended_badly
from .tally import Attempt

CHANGES = 12
CODES = (0, 1, 3, 4, *REFUSALS)


def disturb(path: Path, rng: Random) -> None:
    """Do one of the things to a file that others do while we read: change, cut, empty, remove or replace it."""
    if not path.is_file():
        return  # disturbed before: what is now a pipe would wait for ever to be written to
    with suppress(OSError):
        match rng.randrange(7):
            case 0:
                path.unlink()
            case 1:
                os.truncate(path, rng.randrange(path.stat().st_size + 1))
            case 2:
                path.write_bytes(b"")
            case 3:
                with path.open("ab") as file:
                    file.write(rng.randbytes(500))
            case 4:
                path.unlink()
                path.mkdir()
            case 5:
                path.unlink()
                os.mkfifo(path)
            case _:
                path.unlink()
                path.symlink_to("nowhere")


def _run(job: Job, alone: Undisturbed, rng: Random, folder: Path, files: list[Path]) -> Ended:
    """Run a job, and disturb files at random moments of it."""
    child = Child(job.begin, folder)
    for moment in sorted(rng.uniform(0, alone.ended.seconds) for _ in range(CHANGES)):
        if not child.signal_at(moment, 0):
            break
        disturb(rng.choice(files), rng)
    return child.wait(PATIENCE)


def scanned(job: Job, alone: Undisturbed, rng: Random, folder: Path, data: Path) -> list[Attempt]:
    """Scan a folder that changes: every file has one row, with the hash of what it once was, or an error."""
    kind = "files that change, scan"
    files = sorted((data / "outputs").iterdir())
    listed = len(files)
    before = {hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    ended = _run(job, alone, rng, folder, files)
    words = f"exit code {ended.code}: {ended.output[-2000:]}"
    if bad := ended_badly(ended):
        return [Attempt(kind, bad, ended.peak, words)]
    if ended.code in REFUSALS:
        return [Attempt(kind, "refused", ended.peak)]
    rows = [json.loads(line) for line in (folder / "run" / "scan.jsonl").read_text().splitlines()]
    sound = sum(row["sha256"] in before or row["error"] is not None or row["size"] is not None for row in rows)
    there = len({row["path"] for row in rows})
    if ended.code != 0 or not listed - CHANGES <= there == len(rows) == sound <= listed:
        return [Attempt(kind, "lost", ended.peak, f"{len(rows)} rows for {listed} files; {words}")]
    return [Attempt(kind, "recovered", ended.peak)]


def audited(job: Job, alone: Undisturbed, rng: Random, folder: Path, data: Path) -> list[Attempt]:
    """Audit inputs that change: refused, or a result; never a pass where the inputs as they were at the start fail."""
    kind = "files that change, audit"
    files = sorted(path for path in data.rglob("*") if path.is_file())
    ended = _run(job, alone, rng, folder, files)
    words = f"{job.name}: exit code {ended.code}: {ended.output[-2000:]}"
    if bad := ended_badly(ended):
        return [Attempt(kind, bad, ended.peak, words)]
    if ended.code in REFUSALS:
        return [Attempt(kind, "refused", ended.peak)]
    result = job.result(folder)
    if verdict(result) == "pass" != verdict(alone.result) and _identity(result) == _identity(alone.result):
        return [Attempt(kind, "false pass", ended.peak, words)]
    if ended.code not in CODES or "run/result.json" not in result:
        return [Attempt(kind, "lost", ended.peak, words)]
    return [Attempt(kind, "recovered", ended.peak)]


def _identity(result: dict[str, bytes]) -> list[dict[str, str]]:
    """Return what an audit says that it audited."""
    return [target["identity"] for target in json.loads(result["run/result.json"])["targets"]]


def copied(data: Path, to: Path) -> Path:
    """Return a copy of the inputs, to be disturbed."""
    return Path(shutil.copytree(data, to))
