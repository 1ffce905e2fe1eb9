"""Disturb guardrails for an hour, or a part of it, and print what became of each attempt.

    python -m tests.soak [--minutes 60] [--seed N] [--only GLOB] [--write PAGE] [--keep FOLDER]

An hour is 1,000 kills, 100 full disks, 60 clocks that go backwards, 150 runs over files that change, 200 flipped bits
and 10,000 damaged inputs; fewer minutes are fewer of each. The attempts are shuffled and shared between the cores; what
the time does not suffice for is not tried, and the table says how many were. Exit code 1 where anything was lost,
passed wrongly, crashed or hung. Linux only: every attempt is a fork of one process that has imported everything.
"""

from __future__ import annotations

import argparse
import fnmatch
import importlib
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from .lanes import cores, in_lanes
from .plan import plan
from .tally import FAULTS, table, write_between_markers

HOUR = 60.0
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
ONE_THREAD["TOKENIZERS_PARALLELISM"] = "false"
USED = (
    "cv2", "pandas", "pyarrow", "scipy.stats", "sklearn.ensemble", "torch", "transformers",
    "guardrails.assay.audit.orchestrator", "guardrails.assay.scan.run", "guardrails.memorization.text.index_folder",
    "reports",
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--minutes", type=float, default=HOUR)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--only", default="*", metavar="GLOB", help="only tasks of such a name, as 'kill-*' or 'flip-scan-3'"
    )
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table between the markers of this page")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="work here, and leave what failed")
    asked = parser.parse_args()
    folder = asked.keep or Path(tempfile.mkdtemp(prefix="soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["GUARDRAILS_CACHE"] = str(folder / "cache")
    import_everything()
    tasks = plan(folder.resolve(), asked.minutes / HOUR, lambda name: fnmatch.fnmatchcase(name, asked.only))
    random.Random(asked.seed).shuffle(tasks)
    print(f"{len(tasks):,} tasks, {asked.minutes:g} minutes", flush=True)
    attempts = in_lanes(tasks, asked.seed, folder.resolve(), time.monotonic() + 60 * asked.minutes)
    lines = [heading(asked.minutes, asked.seed), "", *table(attempts)]
    print("\n".join(["", *lines]))
    faults = [attempt for attempt in attempts if attempt.fate in FAULTS]
    for fault in faults:
        print(f"\n{fault.fate}, {fault.kind}: {fault.detail}")
    if asked.write:
        write_between_markers(asked.write, lines)
    if not asked.keep and not faults:
        shutil.rmtree(folder)
    return 1 if faults or not attempts else 0


def heading(minutes: float, seed: int) -> str:
    """Return the sentence above the table."""
    said = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    commit = f", commit {said}" if said else ""
    return f"{datetime.now(UTC):%-d %B %Y}{commit}, {minutes:g} minutes on {len(cores())} cores, seed {seed}:"


def import_everything() -> None:
    """Import what the commands import, so that a forked process begins at once; none of it may start a thread."""
    modules = {name: importlib.import_module(name) for name in USED}
    modules["torch"].set_num_threads(1)
    modules["cv2"].setNumThreads(1)
    modules["pyarrow"].set_cpu_count(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


if __name__ == "__main__":
    if not os.environ.items() >= ONE_THREAD.items():  # numpy has been imported already
        os.execve(sys.executable, [sys.executable, "-m", "tests.soak", *sys.argv[1:]], os.environ | ONE_THREAD)
    sys.exit(main())
