"""Makes the null runs: each attack on arms of which the model saw none, and beside it on what was planted in the model.

    python evidence/nulls.py [--attacks GLOB] [--runs 200] [--processes 2]

In a *null run* both arms are fresh items of the law that the model should have learnt, none of which any weights have
read, and an attack reads one arm as members and the other as non-members: it can be right by chance alone. A *false
alarm*, fixed beforehand, is a run in which the lower bound of the attack's own 95% interval lies above chance (an AUC
or a precision of .5, an excess, a risk or an ε of 0). The *power* is the share of runs on the planted case that the
same rule calls found. What is asked is the very model whose planted case is found, where that can be: see `CASES`.

Where an attack's score of an item depends on nothing but the item, the model and the run's own draws, a pool of items
is scored once and only split anew for each of some runs. That is exact: given the scores, every split into two arms is
as likely as any other, which is all that a null run supposes, and the splits are drawn independently.

Writes ``evidence/nulls/<probe>.json``: of each case and attack the value and lower bound of every run, with the hash
of what made it. A file whose hash still stands, with enough runs, is left as it is.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import math
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from make import GENERATORS, HERE, collected, instrument_files, kept, laws, one_thread
from null_cases import CASES, CHANCE, Case

from generators import prose
from generators.base import find_generator
from generators.canaries import canaries, unplanted
from guardrails.assay.controls import control_subject
from guardrails.assay.sources import code_sha256
from guardrails.core.base import Probe, Row, Subject
from guardrails.core.registry import load_probe, probes
from guardrails.core.seeding import derive_seed
from guardrails.membership._separation import TOP, Attacks, best
from guardrails.membership.reference_models import scored
from guardrails.targets.reference import UNPLANTED

NULLS = HERE / "nulls"
RUNS, PLANTED_RUNS = 200, 60
MOST = 18
"""False alarms of 200 runs at most. A 95% bound is to be wrong in 5 of 100 runs at most: more than 18 of 200 would come
of that in one attack of two hundred."""
DECIMALS = 4

Reading = dict[str, tuple[float, float] | None]
"""By attack: the statistic and its lower bound, or None where it could not be assessed."""


def generator_of(source: str) -> str:
    """Return the name of a source's generator.

    >>> generator_of("classifier:tabular,overfit=1")
    'tabular'
    """
    return source.partition(":")[2].partition(",")[0]


def unseen(source: str, n: int, seed: int) -> Any:
    """Return n items of the law of a source's generator that no weights have read, by a seed, in random order."""
    if generator_of(source) != "gpt-text":
        return find_generator(generator_of(source)).load().reference_items(n, seed=derive_seed(seed, source, "unseen"))
    rng = np.random.default_rng(derive_seed(seed, source, "unseen"))
    records = 2 * prose.CONTACTS + rng.permutation(3000 - 2 * prose.CONTACTS)[: n // 3]  # one document in three
    texts = [*prose.writings(f"null {seed}", n - len(records)), *(prose.contact(int(i)).text for i in records)]
    return [texts[i] for i in rng.permutation(n)]


def null_subject(case: Case, seed: int) -> Subject:
    """Return the model with as many items in each arm as its control has, none of them seen by it."""
    base = control_subject(case.asked)
    m, n = len(base.corpus), len(base.holdout)
    if case.asked.startswith("canaries:"):
        m, n = len(canaries()), UNPLANTED
        texts = [canary.text for canary in unplanted(m + n)]
        items: Any = [texts[i] for i in np.random.default_rng(derive_seed(seed, "canaries")).permutation(m + n)]
    else:
        items = unseen(case.asked, m + n, seed)
    if hasattr(items, "iloc"):
        return replace(base, corpus=items.iloc[:m], holdout=items.iloc[m:].reset_index(drop=True))
    return replace(base, corpus=items[:m], holdout=items[m:])


def null_run(case: Case, seed: int) -> Reading:
    """Run an attack once where there is nothing to find."""
    if case.share == 1:
        probe, subject = load_probe(case.probe), null_subject(case, seed)
        return read(case, probe, collected(probe, subject, "null", seed), subject, seed)
    rows, subject = _pool(case, seed // case.share)
    rng = np.random.default_rng(derive_seed(seed, case.asked, "split"))
    return read(case, kept(case.probe), split(rows, rng, case.draw), subject, seed)


def planted_run(case: Case, seed: int) -> Reading:
    """Run it once on the planted case."""
    if not case.planted:
        probe, subject = kept(case.probe), control_subject(case.source)
        return read(case, probe, collected(probe, subject, case.source, seed), subject, seed)
    rows, subject = _planted_pool(case, seed // case.share)
    rng = np.random.default_rng(derive_seed(seed, case.source, "draw"))
    return read(case, kept(case.probe), draw(rows, rng, case.draw, case.planted), subject, seed)


@cache
def _pool(case: Case, number: int) -> tuple[list[Row], Subject]:
    probe, subject = load_probe(case.probe), null_subject(case, number)
    return usable(collected(probe, subject, "null", number)), subject


@cache
def _planted_pool(case: Case, number: int) -> tuple[list[Row], Subject]:
    subject = control_subject(case.source)
    return usable(collected(kept(case.probe), subject, case.source, number)), subject


def usable(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of items that could be assessed, each item once."""
    return [r for r in rows if not r.keys() & {"error", "short", "curve"}]


def split(rows: Sequence[Row], rng: np.random.Generator, size: int = 0) -> list[Row]:
    """Return the rows with their arms dealt anew: as many of each as before, or `size` of each."""
    arms = [r["arm"] for r in rows] if not size else ["corpus"] * size + ["holdout"] * size
    chosen = rng.permutation(len(rows))[: len(arms)]
    return [rows[i] | {"arm": arm} for i, arm in zip(chosen, arms, strict=True)]


def draw(rows: Sequence[Row], rng: np.random.Generator, size: int, planted: int) -> list[Row]:
    """Return `size` rows of each arm, drawn at random; the planted ones always."""
    always = [r | {"planted": True} for r in rows if _is_planted(r, planted)]
    rest = [r for r in rows if r["arm"] == "corpus" and not _is_planted(r, planted)]
    others = [r for r in rows if r["arm"] == "holdout"]
    members = always + [rest[i] for i in rng.permutation(len(rest))[: size - len(always)]]
    return members + [others[i] for i in rng.permutation(len(others))[:size]]


def _is_planted(row: Row, planted: int) -> bool:
    return bool(row["arm"] == "corpus" and row["index"] < planted)


def read(case: Case, probe: Probe, rows: Sequence[Row], subject: Subject, seed: int) -> Reading:
    """Return what each attack made of the rows."""
    if not case.chance:
        return separations(rows)
    measured = {m.metric: m for m in probe.measure(rows, subject, seed=derive_seed(seed, case.probe, "measure"))}
    found: Reading = {}
    for metric in case.chance:
        m = measured.get(metric)
        found[metric] = None if m is None or m.value is None or m.low is None else (m.value, m.low)
    return found


def separations(rows: Sequence[Row]) -> Reading:
    """Return the AUC, and the precision of the surest guesses, of each attack on membership and of the best.

    Each attack has its own 95% interval; those of the best hold for all attacks at once, as the probe states them.
    """
    models = [r for r in rows if "confidences" in r]
    items = scored([r for r in rows if "arm" in r], models) if models else rows
    members, others = ([r for r in items if r["arm"] == arm and "scores" in r] for arm in ("corpus", "holdout"))
    every = Attacks.of(members, others)
    planted = [r for r in members if "planted" in r]
    ranked = Attacks.of(planted, others) if planted else every
    found: Reading = {}
    for name in every.members:
        found[name] = _alone(ranked, name).aucs()[name][:2]
        found[f"{name}, first {TOP}"] = _alone(every, name).precisions()[name][:2]
    found["best"] = best(ranked.aucs())[:2]
    found[f"best, first {TOP}"] = best(every.precisions())[:2]
    return found


def _alone(attacks: Attacks, name: str) -> Attacks:
    return Attacks({name: attacks.members[name]}, {name: attacks.others[name]}, ())


def chance(case: Case, attack: str) -> float:
    """Return what an attack's statistic is where nothing was learnt."""
    return case.chance.get(attack, CHANCE)


def alarms(lows: Iterable[float | None], level: float) -> int:
    """Return in how many runs the lower bound lies above chance; runs without a reading count as none.

    >>> alarms([0.51, 0.5, None], 0.5)
    1
    """
    return sum(low is not None and low > level for low in lows)


def columns(runs: Sequence[Reading]) -> dict[str, dict[str, list[float | None]]]:
    """Return, by attack, the statistics and the lower bounds of all runs."""
    return {
        name: {what: [_rounded(run.get(name), k) for run in runs] for k, what in enumerate(("value", "low"))}
        for name in (runs[0] if runs else ())
    }


def _rounded(pair: tuple[float, float] | None, k: int) -> float | None:
    """Return one of both, a bound rounded down, so that rounding makes no alarm."""
    if pair is None:
        return None
    return math.floor(pair[1] * 10**DECIMALS) / 10**DECIMALS if k else round(pair[0], DECIMALS)


def null_files(probe: Probe) -> list[Path]:
    """Return the files whose meaning decides a probe's null runs: its instrument's, and those of other models here."""
    files = instrument_files(probe)
    for source in {s for c in CASES if c.probe == probe.id for s in (c.source, c.asked)}:
        spec = source.partition(":")[2]
        files += laws(generator_of(source))
        files += [GENERATORS / "weights" / f"{stem}.safetensors" for stem in {generator_of(source), spec}]
    return sorted({path for path in files if path.is_file()})


def stored(probe_id: str) -> dict[str, Any]:
    """Return the null runs of a probe, or an empty file."""
    path = NULLS / f"{probe_id}.json"
    return json.loads(path.read_text()) if path.exists() else {"probe": probe_id, "code": "", "cases": []}


def write(file: Mapping[str, Any]) -> None:
    """Write the null runs of a probe, those of an attack on one line."""
    NULLS.mkdir(exist_ok=True)
    cases = []
    for case in file["cases"]:
        head = {k: v for k, v in case.items() if k not in ("null", "planted")}
        parts = [json.dumps(head, ensure_ascii=False, sort_keys=True)[1:-1]]
        parts += [f'"{kind}": {{\n{_lines(case[kind])}}}' for kind in ("null", "planted")]
        cases.append("{" + ",\n ".join(parts) + "}")
    text = f'{{"code": "{file["code"]}",\n"probe": "{file["probe"]}",\n"cases": [\n' + ",\n".join(cases) + "]}\n"
    (NULLS / f"{file['probe']}.json").write_text(text)


def _lines(columns: Mapping[str, Any]) -> str:
    return ",\n".join(f"  {json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in columns.items())


def complete(file: Mapping[str, Any], probe_id: str, code: str, runs: int) -> bool:
    """Whether a file was made by this code, with all cases and enough runs."""
    wanted = [c for c in CASES if c.probe == probe_id]
    made = {case["source"]: case for case in file["cases"]}
    return file["code"] == code and all(
        c.source in made and min((len(a["value"]) for a in made[c.source]["null"].values()), default=0) >= runs
        for c in wanted
    )


Job = tuple[int, str, tuple[int, ...]]
"""A case's place, whether its null or its planted runs, and their seeds: those of one pool together."""


def jobs(probe_ids: Iterable[str], runs: int, planted: int) -> list[Job]:
    """Return the work, the runs of a pool together."""
    wanted, out = set(probe_ids), []
    for place, case in enumerate(CASES):
        if case.probe in wanted:
            for kind, n in (("null", runs), ("planted", 0 if case.planted == 0 else planted)):
                step = max(case.share, 10)
                out += [(place, kind, tuple(range(k, min(k + step, n)))) for k in range(0, n, step)]
    return out


def work(job: Job) -> tuple[int, str, list[tuple[int, Reading]], float]:
    """Do a job; return its readings by seed, and the seconds that it took."""
    place, kind, seeds = job
    run, begun = null_run if kind == "null" else planted_run, time.process_time()
    found = [(seed, run(CASES[place], seed)) for seed in seeds]
    _pool.cache_clear()
    return place, kind, found, time.process_time() - begun


def stored_case(case: Case, found: Mapping[tuple[int, str], Mapping[int, Reading]], place: int) -> dict[str, Any]:
    """Return a case as it is stored, its runs in the order of their seeds."""
    null, planted = (
        columns([run for _, run in sorted(found.get((place, kind), {}).items())]) for kind in ("null", "planted")
    )
    levels = {attack: chance(case, attack) for attack in null}
    about = {"source": case.source, "asked": case.asked, "why": case.why, "chance": levels}
    return about | {"null": null, "planted": planted}


def said(case: Mapping[str, Any]) -> str:
    """Return one line for each attack of a stored case."""
    lines = []
    for name, level in case["chance"].items():
        null, planted = (case[kind].get(name, {"low": []})["low"] for kind in ("null", "planted"))
        lines.append(
            f"{case['asked']}, {name}: {alarms(null, level)} of {len(null)} alarms,"
            f" {alarms(planted, level)} of {len(planted)} found"
        )
    return "\n".join(lines)


def main() -> None:
    """Make what is missing and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attacks", default="*", metavar="GLOB", help="of the ids of the probes")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--planted", type=int, default=PLANTED_RUNS, help="runs of the planted case")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    chosen = [name for name in fnmatch.filter(probes(), asked.attacks) if any(c.probe == name for c in CASES)]
    codes = {name: code_sha256(null_files(load_probe(name))) for name in chosen}
    missing = [name for name in chosen if not complete(stored(name), name, codes[name], asked.runs)]
    todo = jobs(missing, asked.runs, asked.planted)
    left = Counter(CASES[place].probe for place, _, _ in todo)
    found: dict[tuple[int, str], dict[int, Reading]] = {}
    seconds: dict[str, float] = {}
    with multiprocessing.get_context("spawn").Pool(asked.processes, one_thread) as pool:
        for place, kind, readings, took in pool.imap_unordered(work, todo):
            name = CASES[place].probe
            found.setdefault((place, kind), {}).update(readings)
            seconds[name] = seconds.get(name, 0.0) + took
            left[name] -= 1
            if not left[name]:
                cases = [stored_case(case, found, i) for i, case in enumerate(CASES) if case.probe == name]
                write({"probe": name, "code": codes[name], "cases": cases})
                print(*map(said, cases), f"{name}: {seconds[name]:.0f} s of one core", sep="\n", file=sys.stderr)


if __name__ == "__main__":
    main()
