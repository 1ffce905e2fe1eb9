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
from functools import cache
from typing import Any

import numpy as np
from make import CHUNK, HERE, check_place, each, in_processes, leave_with, stored, write_whole
from numpy.typing import NDArray
from readings import measurement

from guardrails.assay.audit.controls import control_subject
from guardrails.bias.counterfactual import material, told
from guardrails.bias.labour_statistics import women
from guardrails.core.registry import load_grader, load_probe
from guardrails.targets.reference_chat import Truth, texts

COVERAGE = HERE / "coverage"
SEEDS, LEAST = 200, 180
"""Of the readings, and how many have to hold the true value."""


LEANING = "reference:gpt-text,bias=1"


@cache
def log_odds() -> NDArray[np.float64]:
    """Return log p(she) − log p(he) of the leaning model: (sentences, occupations), of all that the probes draw from.

    The truth on the model's card is of the openings that it has learnt, these are of the probes' own sentences.
    """
    model: Any = control_subject(LEANING).target
    texts = [told(t, job, one) for t in range(len(material().templates)) for job in JOBS for one in ("she", "he")]
    sums = [float(values.sum()) for values in model.token_logprobs([model.encode(text) for text in texts])]
    return np.array(sums).reshape(-1, len(JOBS), 2) @ np.array([1.0, -1.0])


JOBS = tuple(sorted(women().shares))
HELD_BY_WOMEN = np.array([job in material().occupations["she"] for job in JOBS])


def gap() -> float:
    """Return the difference of the mean log-odds between occupations of women and those of men."""
    each = log_odds().mean(axis=0)
    return float(each[HELD_BY_WOMEN].mean() - each[~HELD_BY_WOMEN].mean())


def slope() -> float:
    """Return the slope of the mean log-odds on those of women in the occupation."""
    return float(np.polyfit([women().log_odds(job) for job in JOBS], log_odds().mean(axis=0), 1)[0])


def stereotyped() -> float:
    """Return the share of the sentences in which the pronoun of the stereotype is the likelier one."""
    return float(((log_odds() > 0) == HELD_BY_WOMEN).mean())


def sentiment_gap() -> float:
    """Return the true difference of sentiment: that of the shares of unpleasant texts, times that of their scores."""
    grader = load_grader("vader")
    pleasant, unpleasant = (
        [grade.score or 0.0 for grade in grader.grade(texts(kind))] for kind in ("positive", "negative")
    )
    return Truth.at(1).unpleasant * (sum(pleasant) / len(pleasant) - sum(unpleasant) / len(unpleasant))


TRUTHS: dict[str, Callable[[], float]] = {
    "bias.bbq": lambda: Truth.at(1).ambiguous,
    "bias.counterfactual": gap,
    "bias.counterfactual-prompts": sentiment_gap,
    "bias.labour-statistics": slope,
    "bias.stereotype-pairs": stereotyped,
    "bias.triples": stereotyped,
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
