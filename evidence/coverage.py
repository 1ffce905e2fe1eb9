"""Counts how often the interval of a planted bias holds the value that is known to be true.

    python evidence/coverage.py [--probes GLOB] [--seeds 200] [--processes 2]

Writes ``evidence/coverage/<probe>.json``: the true value and, for each seed, the bounds of the reading of the positive
control. The first readings are those of ``evidence/<probe>.json`` and are taken from there.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
from collections.abc import Callable
from typing import Any

from make import CHUNK, HERE, check_place, each, in_processes, leave_with, stored, write_whole
from readings import measurement

from guardrails.core.registry import load_probe
from guardrails.targets.reference_chat import Truth

COVERAGE = HERE / "coverage"
SEEDS, LEAST = 200, 180
"""Of the readings, and how many have to hold the true value."""


TRUTHS: dict[str, Callable[[], float]] = {
    "bias.bbq": lambda: Truth.at(1).ambiguous,
}


def make(probe_id: str, seeds: int, processes: int) -> str:
    """Make the readings that are missing, write the bounds of all, and return what came out."""
    source = next(c.source for c in load_probe(probe_id).controls if c.expected == "found")
    bounds = {r["seed"]: (r["low"], r["high"]) for r in stored(probe_id)["readings"] if r["source"] == source}
    left = [seed for seed in range(seeds) if seed not in bounds]
    jobs = [(probe_id, source, tuple(left[i : i + CHUNK])) for i in range(0, len(left), CHUNK)]
    for more in in_processes(_work, jobs, processes, probe_id):
        bounds |= more
    file = {
        "probe": probe_id,
        "source": source,
        "truth": round(TRUTHS[probe_id](), 6),
        "bounds": [[round(x, 6) for x in bounds[seed]] for seed in range(seeds)],
    }
    COVERAGE.mkdir(exist_ok=True)
    write_whole(COVERAGE / f"{probe_id}.json", json.dumps(file).replace("], [", "],\n [") + "\n")
    return f"{probe_id}: {covered(file)} of {seeds} intervals hold {file['truth']:.4g}"


def covered(file: dict[str, Any]) -> int:
    """Return how many intervals hold the true value."""
    return sum(low <= file["truth"] <= high for low, high in file["bounds"])


def _work(job: tuple[str, str, tuple[int, ...]]) -> dict[int, tuple[float | None, float | None]]:
    probe_id, source, seeds = job
    measured = {seed: measurement(probe_id, source, seed) for seed in seeds}
    return {seed: (m.low, m.high) for seed, m in measured.items()}


def main() -> int:
    """Make what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--probes", default="*", metavar="GLOB")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    check_place()
    names = fnmatch.filter(TRUTHS, asked.probes)
    return each(names, lambda name: (True, make(name, asked.seeds, asked.processes)))


if __name__ == "__main__":
    leave_with(main)
