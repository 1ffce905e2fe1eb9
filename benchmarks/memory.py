"""How the largest memory of a command grows with its input.

    python benchmarks/memory.py [--only scan audit index] [--write PAGE]

Each command runs in a new process on a small and on a large input of the same kind, made here from a seed:

- scan: 1,000 and 30,000 small files, one in thirty a picture; bar: 1.2 times
- audit: 1,000 and 100,000 texts as outputs, as corpus and as holdout; bar: 1.2 times
- index: 10 and 400 MB of text; bar: 8 bytes a character beyond what a process has that indexes a kilobyte

Prints one row per kind: largest resident memory, as the system counts it (``ru_maxrss``), of the command itself and of
the largest process that it started.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- memory: begin -->", "<!-- memory: end -->"
MEASURED = """
import json, resource, sys
from guardrails import cli
code = cli.run(sys.argv[1:])
peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps([code, *peaks]))
"""
MB = 1e6
RATIO, BYTES_A_CHARACTER = 1.2, 8.0
HEAD = ["| command | small input | large input | ratio | bar |", "|---|--:|--:|--:|---|"]


class Peak(NamedTuple):
    """Largest resident memory in bytes, of the command and of the largest process that it started."""

    parent: int
    child: int
    seconds: float


def measured(folder: Path, *words: str | Path) -> Peak:
    """Run a command in a new process."""
    begun = time.monotonic()
    command = [sys.executable, "-c", MEASURED, *map(str, words)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    code, parent, child = json.loads(done.stdout.splitlines()[-1])
    if code not in (0, 1, 3):
        raise RuntimeError(f"{words}: exit code {code}: {done.stderr[-2000:]}")
    return Peak(parent * 1024, child * 1024, time.monotonic() - begun)


def texts(n: int, name: str) -> Iterator[str]:
    """Yield n texts of about 300 characters, each with an address."""
    rng = Random(name)
    words = [f"word{i}" for i in range(5000)]
    for _ in range(n):
        yield f"{' '.join(rng.choices(words, k=38))} mail u{rng.randrange(10**7)}@example.org"


def write_texts(path: Path, n: int) -> Path:
    with path.open("w") as file:
        for text in texts(n, path.stem):
            file.write(json.dumps({"text": text}) + "\n")
    return path


def scan(folder: Path, n: int) -> Peak:
    import numpy as np

    from guardrails.kit.io import encode_png

    place = folder / f"scan-{n}"
    rng = np.random.default_rng(0)
    for i in range(n):
        if i % 1000 == 0:
            below = place / f"{i // 1000:03d}"
            below.mkdir(parents=True)
        data = encode_png(rng.integers(0, 255, (32, 32, 3)).astype(np.uint8)) if i % 30 == 0 else b"file %d" % i
        (below / f"{i:06d}").write_bytes(data)
    return measured(folder, "scan", place, "--detectors", "deepfake.radial", "--out", f"run-scan-{n}")


def audit(folder: Path, n: int) -> Peak:
    files = {name: write_texts(folder / f"{name}-{n}.jsonl", n) for name in ("outputs", "corpus", "holdout")}
    words: list[str | Path] = ["audit", f"jsonl:{files['outputs']}", "--corpus", files["corpus"]]
    words += ["--holdout", files["holdout"], "--probes", "privacy.pii", "--budget", "quick"]
    return measured(folder, *words, "--out", f"run-audit-{n}")


def index(folder: Path, n: int) -> Peak:
    """Index n bytes of text, as files of one document each line."""
    path = folder / f"index-{n}.jsonl"
    with path.open("w") as file:
        written = 0
        for text in texts(sys.maxsize, "index"):
            if written >= n:
                break
            file.write(json.dumps({"text": text}) + "\n")
            written += len(text)
    return measured(folder, "index", path, "--out", f"run-index-{n}")


SIZES: dict[str, tuple[Callable[[Path, int], Peak], int, int, str]] = {
    "scan": (scan, 1_000, 30_000, "files"),
    "audit": (audit, 1_000, 100_000, "texts"),
    "index": (index, 10_000_000, 400_000_000, "bytes"),
}


def row(name: str, folder: Path) -> str:
    """Measure one command; return its row."""
    command, small, large, what = SIZES[name]
    command(folder, small)  # fills the cache of controls
    first, second = _again(command, folder, small), command(folder, large)
    one, other = (f"{n:,} {what}: {_shown(peak)}" for n, peak in ((small, first), (large, second)))
    ratio = second.parent / first.parent
    if name == "index":
        nothing = command(folder, 1_000)
        each = (second.parent - nothing.parent) / large
        bar = f"{each:.1f} bytes a character, of {BYTES_A_CHARACTER:g} at most"
        bar += "" if each <= BYTES_A_CHARACTER else ": **missed**"
    else:
        bar = f"{RATIO:g}" + ("" if ratio <= RATIO else ": **missed**")
    return f"| {name} | {one} | {other} | {ratio:.2f} | {bar} |"


def _again(command: Callable[[Path, int], Peak], folder: Path, n: int) -> Peak:
    below = folder / "again"
    below.mkdir()
    return command(below, n)


def _shown(peak: Peak) -> str:
    child = f" (a worker {peak.child / MB:,.0f} MB)" if peak.child else ""
    return f"{peak.parent / MB:,.0f} MB{child}, {peak.seconds:.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table between the markers of this page")
    asked = parser.parse_args()
    lines = [f"{datetime.now(UTC):%-d %B %Y}, commit {_commit()}:", "", *HEAD]
    for name in asked.only:
        with tempfile.TemporaryDirectory() as folder:
            lines.append(row(name, Path(folder)))
            print(lines[-1], flush=True)
    if asked.write:
        before, _, rest = asked.write.read_text().partition(BEGIN)
        asked.write.write_text("\n".join([before + BEGIN, *lines, END + rest.partition(END)[2]]))


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    main()
