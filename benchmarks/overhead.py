"""What an audit costs beyond asking the target: journal, statistics, report; and whether its memory grows with n.

    python benchmarks/overhead.py [TARGET] [--corpus FILE …]

Prints ratios, each against a limit measured in the same run:

- journal: samples a second in batches, and the share of what plain SQLite inserts of the same rows reach
- overhead: the share of a run that is neither sampling nor opening the target; bar: at most 10%
- memory: peak resident size with four times the samples, over the peak with one
"""

from __future__ import annotations

import argparse
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from guardrails.assay.audit.journal import Journal
from guardrails.core.batch import Batch

BATCH, SAMPLES = 32, 64_000


def journal_ratio(folder: Path) -> None:
    rows = [{"item": f"{i:06}", "value": 0.123456, "text": "x" * 80, "arm": "target"} for i in range(SAMPLES)]
    batches = [Batch(i) for i in range(SAMPLES // BATCH)]
    with Journal(folder / "journal.sqlite") as journal:
        journal.add_plan([("s", batches)], {})
        start = time.perf_counter()
        for batch in batches:
            journal.finish("s", batch, rows[batch.index * BATCH : (batch.index + 1) * BATCH])
        ours = SAMPLES / (time.perf_counter() - start)
    with sqlite3.connect(folder / "plain.sqlite") as plain:
        plain.execute("CREATE TABLE samples (item TEXT PRIMARY KEY, row TEXT) WITHOUT ROWID")
        start = time.perf_counter()
        plain.executemany("INSERT INTO samples VALUES (?, ?)", ((r["item"], json.dumps(r)) for r in rows))
        plain.commit()
        bare = SAMPLES / (time.perf_counter() - start)
    print(
        f"journal: {ours:,.0f} samples/s in batches of {BATCH} (bar 20,000); {ours / bare:.2f} of one bare transaction"
    )


def overhead(words: list[str], folder: Path) -> None:
    from guardrails.assay.audit.orchestrator import run_audit
    from reports import render

    given = dict(zip([w.removeprefix("--") for w in words[1::2]], words[2::2], strict=True))
    run_audit(words[0], **given, budget="quick", out=folder / "warm")  # opens the target, fills the control cache
    start = time.perf_counter()
    result, run = run_audit(words[0], **given, budget="quick", out=folder / "timed")
    render(result, "html", run / "report.html", run_folder=run)
    total = time.perf_counter() - start
    with Journal(run / "journal.sqlite") as journal:
        sampling = sum(journal.seconds(name) for name in journal.series())
    from guardrails.targets import load_target

    start = time.perf_counter()
    load_target(words[0]).identity()
    opening = time.perf_counter() - start
    spent = max(0.0, total - sampling - opening)
    print(
        f"overhead: {spent / total:.1%} of {total:.1f} s (sampling {sampling:.1f} s, opening {opening:.1f} s; bar 10%)"
    )


GROW = """
import resource, sys
sys.path.insert(0, {tests!r})
import fakes
from pathlib import Path
fakes.FakeProbe.size = {size}
fakes.main(Path({folder!r}), resume=False, pause=0.0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def memory(folder: Path) -> None:
    tests = str(Path(__file__).parents[1] / "tests" / "assay")
    peaks = []
    for size in (5_000, 20_000):
        code = GROW.format(tests=tests, size=size, folder=str(folder / f"memory{size}"))
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        peaks.append(int(said.split()[-1]) / 1024)
    print(
        f"memory: {peaks[0]:.0f} MB with 5,000 samples, {peaks[1]:.0f} MB with 20,000: ratio {peaks[1] / peaks[0]:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs=argparse.REMAINDER, help="a target and its options")
    words = parser.parse_args().words or ["reference:gpt-text"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        journal_ratio(folder)
        memory(folder)
        overhead(words, folder)
    print(f"peak of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
