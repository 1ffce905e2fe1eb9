"""Tell what became of a disturbed job."""

from __future__ import annotations

from pathlib import Path

from .child import INTERRUPTED, Ended
from .jobs import NOT_BEGUN, Job, Undisturbed, verdict
from .tally import Attempt, Fate

REFUSALS = (2, INTERRUPTED)


def ended_badly(ended: Ended) -> Fate | None:
    """Return crash or hang for an ending that no command may have, else None."""
    if ended.hung:
        return "hang"
    if ended.code < 0 or ended.code == 99 or "Traceback" in ended.output or "this is a defect" in ended.output:
        return "crash"
    return None


def not_begun(ended: Ended) -> bool:
    """Return whether a command refused to go on with a run because none had begun."""
    return ended.code == 2 and any(words in ended.output for words in NOT_BEGUN)


def resumed(job: Job, folder: Path) -> Ended:
    """Go on with a job that was cut off; one that had not begun is begun."""
    ended = job.once(folder, job.resume)
    if not_begun(ended):
        ended = job.once(folder, job.begin)
    return ended


def compared(job: Job, kind: str, folder: Path, ended: Ended, alone: Undisturbed, *, may_refuse: bool) -> Attempt:
    """Return the fate of a job that was gone on with to its end."""
    words = f"{job.name}: exit code {ended.code}: {ended.output[-600:]}"
    if bad := ended_badly(ended):
        return Attempt(kind, bad, ended.peak, words)
    if may_refuse and ended.code in REFUSALS and ended.code != alone.ended.code:
        return Attempt(kind, "refused", ended.peak)
    result = job.result(folder)
    if ended.code == alone.ended.code and result == alone.result:
        return Attempt(kind, "recovered", ended.peak)
    differ = sorted(k for k in result.keys() | alone.result.keys() if result.get(k) != alone.result.get(k))
    passed = verdict(result) == "pass" and verdict(alone.result) != "pass"
    fate: Fate = "false pass" if passed else "lost"
    return Attempt(kind, fate, ended.peak, f"{words}; differs in {', '.join(differ[:5])}")
