"""Makes the null runs: each attack on arms of which the model saw none, and beside it on what was planted in the model.

    python evidence/nulls.py [--attacks GLOB] [--runs 200] [--processes 2]
    python evidence/nulls.py --confirm [N] [--attacks GLOB] [--processes 2]

In a *null run* both arms are fresh items of the law that the model should have learnt, none of which any weights have
read, and an attack reads one arm as members and the other as non-members: it can be right by chance alone. A *false
alarm*, fixed beforehand, is a run in which the lower bound of the attack's own 95% interval lies above chance (an AUC
or a precision of .5, an excess, a risk or an ε of 0). The *power* is the share of runs on the planted case that the
same rule calls found. What is asked is the very model whose planted case is found, where that can be: see `CASES`.

Where an attack's score of an item depends on nothing but the item, the model and the run's own draws, a pool of items
is scored once and only split anew for each of some runs. That is exact: given the scores, every split into two arms is
as likely as any other, which is all that a null run supposes, and the splits are drawn independently.

Writes ``evidence/nulls/<probe>.json``: of each case and attack the value and lower bound of every run, with the hash of
each file that they depend on. A file that stands, with enough runs, is left as it is. The work can be interrupted and
goes on where it stopped. ``--confirm`` makes N runs of each kind again, as ``make.py`` does.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dependencies import changed, hashes, opened
from make import (
    HERE,
    alike,
    changed_files,
    check_place,
    chosen_seeds,
    data_files,
    each,
    in_processes,
    leave_with,
    write_whole,
)
from null_cases import CASES, Case
from null_runs import DECIMALS, Reading, _pool, alarms, chance, columns, null_files, null_run, planted_run
from readings import known_probes

from guardrails.core.registry import load_probe

NULLS = HERE / "nulls"
RUNS, PLANTED_RUNS = 200, 60
MOST = 18
"""False alarms of 200 runs at most. A 95% bound is to be wrong in 5 of 100 runs at most: more than 18 of 200 would come
of that in one attack of two hundred."""

Job = tuple[int, str, tuple[int, ...]]
"""A case's place, whether its null or its planted runs, and their seeds: those of one pool together."""
Runs = dict[tuple[int, str], dict[int, Reading]]
"""By a case's place and the kind of run: the readings by seed."""


def make(probe_id: str, runs: int, planted: int, processes: int) -> str:
    """Make the null runs of a probe unless the stored ones stand; return what came out."""
    file, code = stored(probe_id), null_files(load_probe(probe_id))
    if complete(file, probe_id, runs) and not changed_files(file, code):
        return f"{probe_id}: complete"
    unfinished = Unfinished(probe_id, hashes(code))
    done, paths = unfinished.read()
    for job, readings, opened_paths in in_processes(
        work, [job for job in jobs([probe_id], runs, planted) if not is_done(job, done)], processes, probe_id
    ):
        done.setdefault(job[:2], {}).update(readings)
        paths |= opened_paths
        unfinished.add(job, readings, opened_paths)
    cases = [stored_case(case, done, i) for i, case in enumerate(CASES) if case.probe == probe_id]
    write({"probe": probe_id, "files": hashes(code | paths), "confirmed": None, "cases": cases})
    unfinished.path.unlink(missing_ok=True)
    return "\n".join([*map(outcome, cases), f"{probe_id}: made"])


def confirm(probe_id: str, n: int, processes: int) -> tuple[bool, str]:
    """Make n runs of each kind again and, if all are equal, write the new hashes.

    Returns
    -------
    stands : bool
    line : str
        What was done, or why the runs must be made anew.
    """
    file, code = stored(probe_id), null_files(load_probe(probe_id))
    files_now = hashes(code | data_files(file))
    if not changed(file["files"], files_now):
        return True, f"{probe_id}: unchanged"
    anew = f"make them anew: python evidence/nulls.py --attacks {probe_id}"
    if not complete(file, probe_id, RUNS):
        return False, f"{probe_id}: a case or some runs are missing; {anew}"
    sample = [
        (place, kind, chosen_seeds(files_now, n, total))
        for place, case in enumerate(CASES)
        for kind, total in (("null", RUNS), ("planted", 0 if case.planted == 0 else PLANTED_RUNS))
        if case.probe == probe_id and total
    ]
    cases = {case["source"]: case for case in file["cases"]}
    paths, different, again = set(data_files(file)), [], 0
    for (place, kind, _), readings, opened_paths in in_processes(work, sample, processes, probe_id):
        paths |= opened_paths
        again += len(readings)
        before = cases[CASES[place].source][kind]
        different += [f"{kind} run {seed}" for seed, run in readings if not equal(run, before, seed)]
    if different:
        return False, f"{probe_id}: {len(different)} of {again} runs differ ({different[0]}); {anew}"
    used = {path for path in paths if path.is_file()}
    note = {"runs": again, "of": sum(length(case[kind]) for case in file["cases"] for kind in ("null", "planted"))}
    write(file | {"files": hashes(code | used), "confirmed": note})
    return True, f"{probe_id}: confirmed by {again} of {note['of']} runs"


def equal(run: Reading, before: Mapping[str, Mapping[str, list[float | None]]], seed: int) -> bool:
    """Return whether a run has the stored values and lower bounds of each attack, but for rounding."""
    now = columns([run])
    if now.keys() != before.keys():
        return False
    for attack, column in now.items():
        value, low = before[attack]["value"][seed], before[attack]["low"][seed]
        width = 0.0 if value is None or low is None else 2 * (value - low)
        for what, stored in (("value", value), ("low", low)):
            if not alike(column[what][0], stored, width, step=1.01 * 10**-DECIMALS):
                return False
    return True


def length(attacks: Mapping[str, Mapping[str, list[float | None]]]) -> int:
    """Return how many runs are stored of one kind."""
    return min((len(column["value"]) for column in attacks.values()), default=0)


def stored(probe_id: str) -> dict[str, Any]:
    """Return the null runs of a probe, or an empty file."""
    path = NULLS / f"{probe_id}.json"
    file = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    blank = {"probe": probe_id, "files": {}, "confirmed": None, "cases": []}
    return {key: file.get(key, value) for key, value in blank.items()}


def write(file: Mapping[str, Any]) -> None:
    """Write the null runs of a probe, those of an attack on one line."""
    NULLS.mkdir(exist_ok=True)
    cases = []
    for case in file["cases"]:
        head = {k: v for k, v in case.items() if k not in ("null", "planted")}
        parts = [json.dumps(head, ensure_ascii=False, sort_keys=True)[1:-1]]
        parts += [f'"{kind}": {{\n{_lines(case[kind])}}}' for kind in ("null", "planted")]
        cases.append("{" + ",\n ".join(parts) + "}")
    head = json.dumps({key: file[key] for key in ("probe", "confirmed")})[1:-1]
    files = _lines(file["files"])
    write_whole(
        NULLS / f"{file['probe']}.json",
        f'{{{head},\n"files": {{\n{files}\n}},\n"cases": [\n' + ",\n".join(cases) + "]}\n",
    )


def _lines(entries: Mapping[str, Any]) -> str:
    return ",\n".join(f"  {json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in entries.items())


def complete(file: Mapping[str, Any], probe_id: str, runs: int) -> bool:
    """Return whether all cases are stored with enough runs."""
    made = {case["source"]: case for case in file["cases"]}
    wanted = [c for c in CASES if c.probe == probe_id]
    return made.keys() == {c.source for c in wanted} and all(length(made[c.source]["null"]) >= runs for c in wanted)


class Unfinished:
    """What was made of a probe's runs before an interruption: one line per job, under the hashes of the code."""

    def __init__(self, probe_id: str, code: Mapping[str, str]) -> None:
        self.path = NULLS / f"{probe_id}.unfinished"
        self.code = json.dumps(code)

    def read(self) -> tuple[Runs, set[Path]]:
        """Return the runs by place and kind, and the data files that they opened; none of other code."""
        done: Runs = {}
        paths: set[Path] = set()
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        if lines[:1] != [self.code]:
            NULLS.mkdir(exist_ok=True)
            self.path.write_text(self.code + "\n", encoding="utf-8")
            return done, paths
        for line in lines[1:]:
            try:
                place, kind, readings, names = json.loads(line)
            except ValueError:  # cut off while it was written
                continue
            pairs = {seed: {k: None if v is None else tuple(v) for k, v in run.items()} for seed, run in readings}
            done.setdefault((place, kind), {}).update(pairs)
            paths |= {Path(name) for name in names}
        return done, paths

    def add(self, job: Job, readings: Sequence[tuple[int, Reading]], paths: Iterable[Path]) -> None:
        """Add what a job made."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([job[0], job[1], readings, sorted(map(str, paths))]) + "\n")


def is_done(job: Job, done: Runs) -> bool:
    """Return whether all runs of a job are there."""
    return set(job[2]) <= done.get(job[:2], {}).keys()


def jobs(probe_ids: Iterable[str], runs: int, planted: int) -> list[Job]:
    """Return the work, the runs of a pool together."""
    wanted, out = set(probe_ids), []
    for place, case in enumerate(CASES):
        if case.probe in wanted:
            for kind, n in (("null", runs), ("planted", 0 if case.planted == 0 else planted)):
                step = max(case.share, 10)
                out += [(place, kind, tuple(range(k, min(k + step, n)))) for k in range(0, n, step)]
    return out


def work(job: Job) -> tuple[Job, list[tuple[int, Reading]], set[Path]]:
    """Do a job; return it with its readings by seed, and the data files that this process has opened."""
    place, kind, seeds = job
    run = null_run if kind == "null" else planted_run
    readings = [(seed, run(CASES[place], seed)) for seed in seeds]
    _pool.cache_clear()
    return job, readings, opened()


def stored_case(case: Case, done: Mapping[tuple[int, str], Mapping[int, Reading]], place: int) -> dict[str, Any]:
    """Return a case as it is stored, its runs in the order of their seeds."""
    null, planted = (
        columns([run for _, run in sorted(done.get((place, kind), {}).items())]) for kind in ("null", "planted")
    )
    levels = {attack: chance(case, attack) for attack in null}
    about = {"source": case.source, "asked": case.asked, "why": case.why, "chance": levels}
    return about | {"null": null, "planted": planted}


def outcome(case: Mapping[str, Any]) -> str:
    """Return one line for each attack of a stored case."""
    lines = []
    for name, level in case["chance"].items():
        null, planted = (case[kind].get(name, {"low": []})["low"] for kind in ("null", "planted"))
        lines.append(
            f"{case['asked']}, {name}: {alarms(null, level)} of {len(null)} alarms,"
            f" {alarms(planted, level)} of {len(planted)} found"
        )
    return "\n".join(lines)


def main() -> int:
    """Make or confirm what was asked for, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attacks", default="*", metavar="GLOB", help="of the ids of the probes")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--planted", type=int, default=PLANTED_RUNS, help="runs of the planted case")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--confirm", type=int, nargs="?", const=2, metavar="N", help="make N runs again and compare")
    asked = parser.parse_args()
    check_place()
    cases = {case.probe for case in CASES}
    names, n = [name for name in fnmatch.filter(known_probes(), asked.attacks) if name in cases], asked.confirm
    if n is None:
        return each(names, lambda name: (True, make(name, asked.runs, asked.planted, asked.processes)))
    if not 1 <= n <= PLANTED_RUNS:
        parser.error(f"--confirm takes 1 to {PLANTED_RUNS} runs")
    return each(names, lambda name: confirm(name, n, asked.processes))


if __name__ == "__main__":
    leave_with(main)
