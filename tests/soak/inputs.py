"""Damaged inputs: each is read, or refused with an error of our own, in time and within the memory."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import time
from pathlib import Path
from random import Random

from guardrails.core.errors import GuardrailsError

from .child import Child
from .mutate import mutated
from .readers import Reader
from .tally import MB, Attempt, Fate

SECONDS = 30
"""That one input may take, on one busy core."""
MEMORY = 3072 * MB
"""That reading one small input may take beyond what the process has."""


def attempts(reader: Reader, sound: list[Path], n: int, rng: Random, folder: Path) -> list[Attempt]:
    """Read n damaged inputs of a kind in a forked process; a new one takes over where it ended."""
    folder.mkdir(parents=True)
    inputs = [_damaged(sound, rng, folder / f"{number:04d}") for number in range(n)]
    done: list[Attempt] = []
    while len(done) < n:
        log = folder / "log"
        log.unlink(missing_ok=True)
        ended = Child(lambda: _read_all(reader, inputs[len(done) :], log), folder).wait(n * SECONDS + 60.0)  # noqa: B023
        lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        done += [Attempt(**line) for line in lines]
        if len(done) < n:
            fate: Fate = "hang" if ended.hung or ended.code == -signal.SIGALRM else "crash"
            place = inputs[len(done)]
            done.append(Attempt(_kind(reader), fate, ended.peak, f"{place}: {ended.code}: {ended.output[-600:]}"))
    if all(one.fate in ("recovered", "refused") for one in done):
        shutil.rmtree(folder)
    return done


def _kind(reader: Reader) -> str:
    return f"damaged inputs, {reader.name}"


def _damaged(sound: list[Path], rng: Random, folder: Path) -> Path:
    """Write a damaged copy of one of the sound inputs; of a folder, one file of it is damaged."""
    chosen = rng.choice(sound)
    folder.mkdir()
    path = folder / chosen.name
    if chosen.is_dir():
        shutil.copytree(chosen, path)
        files = sorted(p for p in path.rglob("*") if p.is_file())
        target = rng.choice(files)
    else:
        shutil.copy(chosen, path)
        files, target = sound, path
    others = [p.read_bytes() for p in rng.sample(files, min(3, len(files)))]
    target.write_bytes(mutated(target.read_bytes(), others, rng))
    return path


def _read_all(reader: Reader, inputs: list[Path], log: Path) -> int:
    limit = _status("VmSize") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with log.open("a", buffering=1) as file:
        for path in inputs:
            file.write(json.dumps(_read(reader, path).as_json()) + "\n")
    return 0


def _read(reader: Reader, path: Path) -> Attempt:
    Path("/proc/self/clear_refs").write_text("5")  # the largest memory is counted anew
    before, begun = _status("VmRSS"), time.monotonic()
    detail, fate = "", "recovered"
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process, whatever library it is in
    signal.alarm(SECONDS)
    try:
        reader.read(path)
    except GuardrailsError:
        fate = "refused"
    except BaseException as error:
        fate, detail = "crash", f"{path}: {type(error).__name__}: {error}"[:600]
    signal.alarm(0)
    peak = _status("VmHWM")
    if os.environ.get("SOAK_SLOW") and time.monotonic() - begun > 2:
        print(f"slow: {path}: {time.monotonic() - begun:.1f} s, {(peak - before) / MB:.0f} MB")
    return Attempt(_kind(reader), fate, peak, detail)  # type: ignore[arg-type]


def _status(name: str) -> int:
    """Return a size from the process's status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(name)
