"""SIGKILL and SIGINT at random moments; then the job is gone on with and must end as if nothing had been."""

from __future__ import annotations

import signal
from pathlib import Path
from random import Random

from .child import INTERRUPTED, Child, Ended
from .jobs import PATIENCE, Job, Undisturbed
from .judge import compared, ended_badly, not_begun, resumed
from .tally import Attempt, Fate

MOST_KILLS = 3


def killed(job: Job, alone: Undisturbed, rng: Random, folder: Path) -> list[Attempt]:
    """Kill one run of a job up to three times, then let it end; one attempt per kill."""
    folder.mkdir(parents=True)
    kinds: list[str] = []
    for _ in range(rng.randint(1, MOST_KILLS)):
        number = rng.choice((signal.SIGKILL, signal.SIGINT))
        child = Child((job.resume if _begun(folder) else job.begin), folder)
        sent = child.signal_at(rng.uniform(0, 1.05) * alone.ended.seconds, number)
        ended = child.wait(PATIENCE)
        kind = f"{signal.Signals(number).name}, {_family(job)}"
        bad = "hang" if ended.hung else _rude(ended, alone) if number == signal.SIGINT and sent else None
        if bad:
            return [Attempt(kind, bad, ended.peak, f"{job.name}: {ended.code}: {ended.output[-2000:]}")]
        if not sent:
            break
        kinds.append(kind)
    last = compared(job, kinds[-1] if kinds else "", folder, resumed(job, folder), alone, may_refuse=False)
    return [Attempt(kind, last.fate, last.peak, last.detail) for kind in kinds]


def _begun(folder: Path) -> bool:
    run = folder / "run"
    return (run / "journal.sqlite").exists() or (run / "scan.sqlite").exists()


def _rude(ended: Ended, alone: Undisturbed) -> Fate | None:
    """Return crash where an interrupted command neither says so nor had ended."""
    if ended.code in (INTERRUPTED, alone.ended.code) or not_begun(ended):
        return ended_badly(ended)
    return "crash"


def _family(job: Job) -> str:
    return job.name.partition(" as ")[0]
