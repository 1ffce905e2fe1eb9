"""One bit of a run's or an index's folder is flipped: going on gives the same result, or is refused."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from random import Random

from .child import Child
from .jobs import PATIENCE, Job, Undisturbed
from .judge import compared, resumed
from .tally import Attempt


def flipped(job: Job, alone: Undisturbed, rng: Random, folder: Path) -> list[Attempt]:
    """Flip a bit of a run that was killed, or of one that is complete, and go on with it."""
    kind = f"bit flip, {job.name if 'index' in job.name else job.name.partition(' of ')[0]}"
    if rng.random() < 0.3:
        shutil.copytree(alone.folder, folder)
    elif not _cut_off(job, alone, rng, folder):
        return []
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size)
    path = rng.choice(files)
    bit = rng.randrange(8 * path.stat().st_size)
    flip(path, bit)
    attempt = compared(job, kind, folder, resumed(job, folder), alone, may_refuse=True)
    place = f"bit {bit} of {path.relative_to(folder)}: "
    return [Attempt(kind, attempt.fate, attempt.peak, attempt.detail and place + attempt.detail)]


def flip(path: Path, bit: int) -> None:
    """Flip one bit of a file; its time of change stays, as after a fault of the disk."""
    about = path.stat()
    with path.open("r+b") as file:
        file.seek(bit // 8)
        (byte,) = file.read(1)
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


def _cut_off(job: Job, alone: Undisturbed, rng: Random, folder: Path) -> bool:
    """Kill a run in the middle; return whether it left anything."""
    folder.mkdir(parents=True)
    child = Child(job.begin, folder)
    child.signal_at(rng.uniform(0.2, 1) * alone.ended.seconds, signal.SIGKILL)
    child.wait(PATIENCE)
    return any(p.is_file() and p.stat().st_size for p in folder.rglob("*"))
