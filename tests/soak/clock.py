"""A clock that goes backwards: a kill in the middle, and the rest of the run happens earlier than its beginning.

Python's own clock is replaced in the child, in every module that uses it; files of the run seem to be from the future.
The machine's clock is left alone.
"""

from __future__ import annotations

import datetime
import os
import signal
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import Random

from .child import Child
from .jobs import PATIENCE, Job, Undisturbed
from .judge import compared, resumed
from .tally import Attempt

DAY = 86_400.0
PACKAGES = ("guardrails", "reports", "generators")
KIND = "clock going backwards"


def backwards(job: Job, alone: Undisturbed, rng: Random, folder: Path) -> list[Attempt]:
    """Kill a run whose clock goes backwards; date its files a day ahead; go on, a day earlier."""
    folder.mkdir(parents=True)
    step = rng.uniform(1, 3600)
    child = Child(_at(job.begin, 0.0, step), folder)
    child.signal_at(rng.uniform(0, 1) * alone.ended.seconds, signal.SIGKILL)
    child.wait(PATIENCE)
    ahead = time.time() + DAY
    for path in folder.rglob("*"):
        os.utime(path, (ahead, ahead))
    earlier = Job(job.name, _at(job.begin, DAY, step), _at(job.resume, DAY, step), job.result)
    return [compared(earlier, KIND, folder, resumed(earlier, folder), alone, may_refuse=False)]


def _at(work: Callable[[], int], ago: float, step: float) -> Callable[[], int]:
    """Return work done at a time in the past that goes backwards, a step with each look at the clock."""

    def done() -> int:
        real, looks = time.time, count()

        def earlier() -> float:
            return real() - ago - step * next(looks)

        class Earlier(datetime.datetime):
            @classmethod
            def now(cls, tz: datetime.tzinfo | None = None) -> Earlier:
                return cls.fromtimestamp(earlier(), tz)

        time.time = earlier
        time.time_ns = lambda: int(earlier() * 1e9)
        for name, module in list(sys.modules.items()):
            if name.startswith(PACKAGES) and getattr(module, "datetime", None) is datetime.datetime:
                module.datetime = Earlier  # type: ignore[attr-defined]
        return work()

    return done
