"""A disk that fills: by the largest size that a file may have, and, for root, by a small file system of its own."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from .jobs import Job, Undisturbed
from .judge import REFUSALS, compared, ended_badly, resumed
from .tally import Attempt

LEAST = 1024


def by_quota(job: Job, alone: Undisturbed, rng: Random, folder: Path) -> list[Attempt]:
    """No file may grow beyond a random size; then without that limit to the end."""
    most = max(p.stat().st_size for p in alone.folder.rglob("*") if p.is_file())
    limit = rng.randint(LEAST, most)

    def limited() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        return job.begin()

    folder.mkdir(parents=True)
    return [_filled(job, alone, folder, limited, "disk full by quota", lambda: None)]


def by_file_system(job: Job, alone: Undisturbed, rng: Random, folder: Path) -> list[Attempt]:
    """A file system of a random size, which then gets larger."""
    whole = sum(p.stat().st_size for p in alone.folder.rglob("*") if p.is_file())
    folder.mkdir(parents=True)
    with _mounted(folder, rng.randint(4 * LEAST, max(8 * LEAST, whole))):
        larger = ["mount", "-o", "remount,size=512m", str(folder)]
        return [
            _filled(job, alone, folder, job.begin, "disk full", lambda: subprocess.run(larger, check=True)),
        ]


def _filled(
    job: Job, alone: Undisturbed, folder: Path, work: Callable[[], int], kind: str, make_room: Callable[[], object]
) -> Attempt:
    first = job.once(folder, work)
    if bad := ended_badly(first):
        return Attempt(kind, bad, first.peak, f"{job.name}: {first.code}: {first.output[-2000:]}")
    if first.code not in (*REFUSALS, alone.ended.code):
        return Attempt(kind, "lost", first.peak, f"{job.name}: exit code {first.code}: {first.output[-2000:]}")
    make_room()
    return compared(job, kind, folder, resumed(job, folder), alone, may_refuse=False)


def may_mount(folder: Path) -> bool:
    """Return whether this process may mount a file system."""
    if os.geteuid() != 0:
        return False
    folder.mkdir(parents=True)
    tried = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)], capture_output=True)
    if tried.returncode == 0:
        subprocess.run(["umount", str(folder)], check=True)
    return tried.returncode == 0


@contextmanager
def _mounted(folder: Path, size: int) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
