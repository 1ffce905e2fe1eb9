"""Work off tasks side by side, one process to a core."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import time
import traceback
from pathlib import Path

from .plan import Task
from .tally import FAULTS, Attempt


def in_lanes(tasks: list[Task], seed: int, folder: Path, deadline: float) -> list[Attempt]:
    """Work off the tasks, one lane to a core; return what became of all attempts."""
    lanes, available = [], cores()
    for number, core in enumerate(available):
        log = folder / f"lane-{number}.jsonl"
        lanes.append((os.fork(), log))
        if lanes[-1][0] == 0:
            os.sched_setaffinity(0, {core})
            _lane(tasks[number :: len(available)], seed, folder, log, deadline)
    attempts = []
    for pid, log in lanes:
        _, status = os.waitpid(pid, 0)
        if status:
            raise RuntimeError(f"a lane of the soak itself broke; see above, and {log}")
        attempts += [Attempt(**json.loads(line)) for line in log.read_text().splitlines()]
    return attempts


def _lane(tasks: list[Task], seed: int, folder: Path, log: Path, deadline: float) -> None:
    """Work off tasks until the time is up, in a process of its own; never returns."""
    code, parent = 1, os.getppid()
    try:
        with log.open("w", buffering=1) as file:
            for task in tasks:
                if time.monotonic() > deadline or os.getppid() != parent:
                    break
                place = folder / task.name
                shutil.rmtree(place, ignore_errors=True)
                begun = time.monotonic()
                for attempt in task.work(random.Random(f"{seed} {task.name}"), place):
                    named = attempt.as_json() | {"detail": attempt.detail and f"--only '{task.name}': {attempt.detail}"}
                    file.write(json.dumps(named) + "\n")
                    if attempt.fate in FAULTS:
                        print(f"{attempt.fate}: {named['detail']}", flush=True)
                        place = Path()
                if place.name:
                    shutil.rmtree(place, ignore_errors=True)
                if os.environ.get("SOAK_SLOW"):
                    print(f"{task.name}: {time.monotonic() - begun:.1f} s", flush=True)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))
