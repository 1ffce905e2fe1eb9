"""What an hour consists of, as tasks that depend on nothing but the seed and their names."""

from __future__ import annotations

import importlib
import json
import math
import random
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import clock, disk, flips, inputs, jobs, kills, material, moving
from .child import Child
from .readers import READERS, Reader
from .tally import Attempt

KILLS, DISKS, CLOCKS, MOVES, FLIPS, INPUTS = 1000, 100, 60, 150, 200, 10_000
BATCH = 20
KILLS_A_RUN = 0.9
"""Kills that one run of a job sees on average: on a quiet machine many end before they are killed."""
Work = Callable[[random.Random, Path], list[Attempt]]
Wanted = Callable[[str], bool]


@dataclass(frozen=True)
class Task:
    """Some attempts of one kind; its name and the seed tell everything that it does."""

    name: str
    work: Work


def plan(folder: Path, share: float, wanted: Wanted) -> list[Task]:
    """Return the tasks that are wanted."""
    tasks = disturbances(folder, share, wanted) + moves(MOVES * share)
    whole = sum(reader.share for reader in READERS)
    batches = {reader.name: batch_sizes(round(INPUTS * share * reader.share / whole)) for reader in READERS}
    readers = [r for r in READERS if any(wanted(f"input-{r.name}-{i}") for i in range(len(batches[r.name])))]
    sound = sound_inputs(readers, folder / "sound")
    for reader in readers:
        tasks += damaged(reader, sound[reader.name], batches[reader.name])
    return [task for task in tasks if wanted(task.name)]


def batch_sizes(n: int) -> list[int]:
    """Return how many inputs each task reads: n in all, at least one."""
    return [min(BATCH, n - at) for at in range(0, n, BATCH)] or [1]


def disturbances(folder: Path, share: float, wanted: Wanted) -> list[Task]:
    """Return what is done to commands; each runs undisturbed first: that is what the others are compared with."""
    small = disk.may_mount(folder / "mount")
    disturb: dict[str, tuple[float, Callable[..., list[Attempt]]]] = {
        "kill": (KILLS / KILLS_A_RUN, kills.killed),
        "quota": (DISKS / (1 + small), disk.by_quota),
        "disk": (DISKS / 2 * small, disk.by_file_system),
        "clock": (CLOCKS, clock.backwards),
        "flip": (FLIPS, flips.flipped),
    }
    names = {(kind, f"{kind}-{i}"): i for kind, (n, _) in disturb.items() for i in range(math.ceil(n * share))}
    if not any(wanted(name) for _, name in names):
        return []
    data = material.write_all(folder / "data")
    audits, scan, index = jobs.audits(data), jobs.scan(data), jobs.index(data)
    indexed = jobs.indexed(data)
    alone = jobs.undisturbed([*audits, scan, index, indexed], folder / "undisturbed")
    run = alone[audits[0].name].folder / "run"
    renderings = [jobs.rendering(run, format) for format in ("html", "markdown", "json")]
    alone |= jobs.undisturbed(renderings, folder / "undisturbed")
    some = {
        "kill": [*audits * 2, scan, scan, index, index, *renderings],
        "flip": [*audits, scan, scan, index, indexed, indexed],
    }

    def task(kind: str, name: str, number: int) -> Task:
        among = some.get(kind, [*audits, scan, index])
        job = among[number % len(among)]
        return Task(name, lambda rng, place: disturb[kind][1](job, alone[job.name], rng, place))

    return [task(kind, name, number) for (kind, name), number in names.items()]


def moves(n: float) -> list[Task]:
    """Return scans and audits of a copy of the inputs that changes meanwhile."""

    def move(number: int) -> Work:
        def work(rng: random.Random, folder: Path) -> list[Attempt]:
            folder.mkdir()
            data = material.write_all(folder / "data")
            job = jobs.scan(data) if number % 2 else jobs.audits(data)[number // 2 % 3]
            alone = jobs.undisturbed([job], folder / "undisturbed")[job.name]
            (folder / "job").mkdir()
            return (moving.scanned if number % 2 else moving.audited)(job, alone, rng, folder / "job", data)

        return work

    return [Task(f"move-{i}", move(i)) for i in range(max(2, round(n)))]


def damaged(reader: Reader, sound: list[Path], sizes: list[int]) -> list[Task]:
    """Return batches of damaged inputs of one kind."""

    def batch(size: int) -> Work:
        return lambda rng, folder: inputs.attempts(reader, sound, size, rng, folder)

    return [Task(f"input-{reader.name}-{i}", batch(size)) for i, size in enumerate(sizes)]


def sound_inputs(readers: list[Reader], folder: Path) -> dict[str, list[Path]]:
    """Make the sound inputs of each kind, and read them, in processes of their own: this one stays without threads.

    What was imported there is imported here, so that the processes that are forked later need not.
    """
    begun = [(reader, Child(partial(_make_sound, reader, folder / reader.name), _made(folder))) for reader in readers]
    sound = {}
    for reader, child in begun:
        ended = child.wait(jobs.FIRST)
        if ended.code:
            raise RuntimeError(f"{reader.name}: a sound input cannot be read: {ended.output}")
        paths, modules = json.loads((folder / f"{reader.name}.json").read_text())
        sound[reader.name] = [Path(path) for path in paths]
        for module in modules:
            with suppress(Exception):  # some are made, and cannot be imported by their name
                importlib.import_module(module)
    return sound


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def _make_sound(reader: Reader, folder: Path) -> int:
    folder.mkdir()
    sound = reader.seeds(folder)
    for path in sound:
        reader.read(path)
    answer = [[str(path) for path in sound], list(sys.modules)]
    folder.with_name(f"{folder.name}.json").write_text(json.dumps(answer))
    return 0
