"""Makes the evidence: each instrument on each dose of its planted fault, over many seeds.

    python evidence/make.py [--probes GLOB] [--seeds 60] [--processes 2]
    python evidence/make.py --confirm [N] [--probes GLOB] [--processes 2]

Writes ``evidence/<probe>.json``: one reading per (source, seed), with the hash of each file that the readings depend on
(`dependencies`). Readings whose files are unchanged are completed, others are made anew. The work can be interrupted
and goes on where it stopped. The tests judge each reading again, and name the files that changed since.
``guardrails/assay/audit/power.json``, which reports cite, is computed from the readings.

Many edits change no reading. With ``--confirm``, the readings of N seeds (default 2) on every source are made again
with the present code. The seeds follow from the new hashes, so that nobody can choose them. Where each of these
readings equals the stored one, the new hashes are written with a note of how many readings were made again. Where one
differs, nothing is written for this probe: make it anew.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import multiprocessing
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from dependencies import ROOT, changed, hashes, opened, start_recording
from readings import Reading, code_files, headline, judged, known_probes, measurement, reading, sources

import guardrails
from guardrails.core.probe import Probe
from guardrails.core.registry import load_probe
from guardrails.core.results import Power
from guardrails.core.statistics import wilson

HERE = Path(__file__).resolve().parent
POWER = Path(guardrails.__file__).parent / "assay" / "audit" / "power.json"
SEEDS = 60
CHUNK = 10
TOLERANCE, NOISE = 1e-9, 1e-2
"""Numbers are equal within the first, or within this share of the stored interval: single precision differs that much
between processors, in the order of its sums, and a share that counts pairs moves by whole pairs."""

Job = tuple[str, str, tuple[int, ...]]
"""A probe's id, a source, and the seeds of the readings to make."""
J, R = TypeVar("J"), TypeVar("R")


def make(probe_id: str, seeds: int, processes: int) -> str:
    """Make the readings of a probe that are missing; return a line that says so."""
    file, probe = stored(probe_id), load_probe(probe_id)
    if changed_files(file, code_files(probe)):
        file = empty(probe_id)
    done = {(r["source"], r["seed"]) for r in file["readings"]}
    left = {source: [seed for seed in range(seeds) if (source, seed) not in done] for source in sources(probe)}
    jobs = [
        (probe_id, source, tuple(todo[i : i + CHUNK]))
        for source, todo in left.items()
        for i in range(0, len(todo), CHUNK)
    ]
    if not jobs:
        return f"{probe_id}: complete"
    spent = 0.0
    for rows, common, paths, seconds in in_processes(_work, jobs, processes, probe_id):
        spent += seconds
        file["readings"] += rows
        file["headline"] = common
        file["files"] = hashes({*code_files(probe), *data_files(file), *paths})
        write(file | {"confirmed": None, "seconds": round(spent / (len(file["readings"]) - len(done)), 2)})
    return f"{probe_id}: {len(file['readings']) - len(done)} readings made"


def confirm(probe_id: str, n: int, processes: int) -> tuple[bool, str]:
    """Make the readings of n seeds again and, if all are equal, write the new hashes.

    Returns
    -------
    stands : bool
    line : str
        What was done, or why the probe must be made anew.
    """
    file, probe = stored(probe_id), load_probe(probe_id)
    files_now = hashes({*code_files(probe), *data_files(file)})
    if not changed(file["files"], files_now):
        return True, f"{probe_id}: unchanged"
    anew = f"make it anew: python evidence/make.py --probes {probe_id}"
    if not complete(file, probe):
        return False, f"{probe_id}: a source or a seed is missing; {anew}"
    seeds = chosen_seeds(files_now, n)
    before = {(r["source"], r["seed"]): r for r in file["readings"]}
    different, paths, spent = [], set(data_files(file)), 0.0
    for rows, file["headline"], more, seconds in in_processes(
        _work, [(probe_id, source, seeds) for source in sources(probe)], processes, probe_id
    ):
        paths |= more
        spent += seconds
        different += [r for r in rows if not equal(r, before[r["source"], r["seed"]])]
    again = len(seeds) * len(sources(probe))
    if different:
        r = min(different, key=lambda r: (r["source"], r["seed"]))
        old = before[r["source"], r["seed"]]
        return False, (
            f"{probe_id}: {len(different)} of {again} readings differ, {r['source']} with seed {r['seed']} is "
            f"{shown(r)} and was {shown(old)}; {anew}"
        )
    note = {"readings": again, "of": len(file["readings"]), "seeds": list(seeds)}
    rows = [r | {"status": judged(file, r)} for r in file["readings"]]
    used = {path for path in paths if path.is_file()}
    write(file | {"readings": rows, "files": hashes({*code_files(probe), *used}), "confirmed": note,
                  "seconds": round(spent / again, 2)})  # fmt: skip
    return True, f"{probe_id}: confirmed by {again} of {len(file['readings'])} readings"


def chosen_seeds(files: Mapping[str, str], n: int, of: int = SEEDS) -> tuple[int, ...]:
    """Return n of the seeds, drawn at random by the hashes of the present files."""
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).digest()
    return tuple(sorted(random.Random(digest).sample(range(of), min(n, of))))


def equal(one: Reading, other: Reading) -> bool:
    """Return whether two readings of the same source and seed have the same numbers, but for rounding."""
    if (one["n"], one.get("errors", 0)) != (other["n"], other.get("errors", 0)):
        return False
    width = 0.0 if other["low"] is None or other["high"] is None else other["high"] - other["low"]
    return all(alike(one[key], other[key], width) for key in ("value", "low", "high"))


def alike(one: float | None, other: float | None, width: float, *, step: float = TOLERANCE) -> bool:
    """Return whether two numbers are equal but for rounding, to a step, with an interval of some width."""
    return one == other if one is None or other is None else abs(one - other) <= max(step, NOISE * width)


def shown(r: Reading) -> str:
    """Return the numbers of a reading for a message."""
    return f"{r['value']} [{r['low']}, {r['high']}], n = {r['n']}"


def complete(file: Mapping[str, Any], probe: Probe) -> bool:
    """Return whether each source of a probe was read under each seed, and no other was."""
    seen = sorted((r["source"], r["seed"]) for r in file["readings"])
    return seen == sorted((source, seed) for source in sources(probe) for seed in range(SEEDS))


def data_files(file: Mapping[str, Any]) -> set[Path]:
    """Return the data files that an evidence file names."""
    return {ROOT / name for name in file["files"] if not name.endswith(".py")}


def changed_files(file: Mapping[str, Any], code: Iterable[Path]) -> list[str]:
    """Return the files that the readings of an evidence file depend on and that changed since, by name."""
    return changed(file["files"], hashes({*code, *data_files(file)}))


def _work(job: Job) -> tuple[list[Reading], dict[str, Any], set[Path], float]:
    probe_id, source, seeds = job
    begun = time.perf_counter()
    measured = [measurement(probe_id, source, seed) for seed in seeds]
    rows = [reading(m, source, seed) for m, seed in zip(measured, seeds, strict=True)]
    return rows, headline(measured[0]), opened(), time.perf_counter() - begun


def in_processes(work: Callable[[J], R], jobs: Sequence[J], processes: int, label: str) -> Iterator[R]:
    """Yield the results of jobs as they come, from fresh processes: what these open, this probe's readings need."""
    begun = time.perf_counter()
    if not jobs:
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(jobs)), context, start_worker) as pool:
        try:
            for i, future in enumerate(as_completed([pool.submit(work, job) for job in jobs]), 1):
                left = (time.perf_counter() - begun) / i * (len(jobs) - i)
                say(f"{label}: {i} of {len(jobs)} parts, about {left:.0f} s left")
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def start_worker() -> None:
    """Prepare a process of a pool: a record of the data files that it opens, one thread, and no life of its own."""
    start_recording()
    import torch

    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=[parent], daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


def say(line: str) -> None:
    """Print progress."""
    print(line, file=sys.stderr, flush=True)


def power(probe: Probe, rows: Sequence[Reading]) -> Power:
    """Return how often the positive control was found and the negative one raised an alarm, with 95% intervals."""
    positive = next(c.source for c in probe.controls if c.expected == "found")
    negative = next(c.source for c in probe.controls if c.expected == "clear")
    hits = [r["status"] == "fail" for r in rows if r["source"] == positive]
    alarms = [r["status"] == "fail" for r in rows if r["source"] == negative]
    hit, wolf = wilson(sum(hits), len(hits)), wilson(sum(alarms), len(alarms))
    return Power(
        positive=positive,
        negative=negative,
        power=hit.value,
        power_low=hit.low,
        power_high=hit.high,
        false_alarms=wolf.value,
        false_alarms_low=wolf.low,
        false_alarms_high=wolf.high,
        runs=min(len(hits), len(alarms)),
    )


def empty(probe_id: str) -> dict[str, Any]:
    """Return an evidence file without readings."""
    return {"probe": probe_id, "files": {}, "headline": {}, "confirmed": None, "seconds": None, "readings": []}


def stored(probe_id: str) -> dict[str, Any]:
    """Return the evidence file of a probe, or an empty one."""
    path = HERE / f"{probe_id}.json"
    file = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {key: file.get(key, value) for key, value in empty(probe_id).items()}


def write(file: Mapping[str, Any]) -> None:
    """Write an evidence file, one line per reading and per file that the readings depend on."""
    readings = sorted(file["readings"], key=lambda r: (r["source"], r["seed"]))
    head = json.dumps({key: file[key] for key in ("probe", "headline", "confirmed", "seconds")})[1:-1]
    files = ",\n".join(f"  {json.dumps(name)}: {json.dumps(sha256)}" for name, sha256 in file["files"].items())
    lines = ",\n".join(f"  {json.dumps(r, sort_keys=True)}" for r in readings)
    text = f'{{{head},\n "files": {{\n{files}\n}},\n "readings": [\n{lines}\n]}}\n'
    write_whole(HERE / f"{file['probe']}.json", text)


def write_whole(path: Path, text: str) -> None:
    """Write a file so that an interruption leaves the old one or the new one."""
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def write_powers() -> None:
    """Write the summary that reports cite, of every probe that has evidence."""
    readings = {name: stored(name)["readings"] for name in known_probes()}
    powers = {name: power(load_probe(name), rows).model_dump(mode="json") for name, rows in readings.items() if rows}
    write_whole(POWER, json.dumps(powers, indent=2, sort_keys=True) + "\n")


def estimate(names: Iterable[str], readings: Callable[[str, Mapping[str, Any]], int], processes: int) -> str:
    """Return a line that says about how long the readings of some probes take, from how long they took before."""
    seconds, unknown = 0.0, 0
    for name in names:
        file = stored(name)
        seconds += readings(name, file) * (file["seconds"] or 0) / processes
        unknown += file["seconds"] is None
    more = f", and what {unknown} probes take for which no time is known" if unknown else ""
    return f"about {seconds / 60:.0f} min with {processes} processes{more}"


def each(names: Sequence[str], work: Callable[[str], tuple[bool, str]]) -> int:
    """Do the work of each probe; an error of one does not stop the others. Return 1 if any did not stand."""
    wrong, begun = [], time.perf_counter()
    for i, name in enumerate(names, 1):
        try:
            stands, line = work(name)
        except Exception as error:
            stands, line = False, f"{name}: broke with {type(error).__name__}: {error}"
        if not stands:
            wrong.append(line)
        minutes = (time.perf_counter() - begun) / 60
        left = minutes / i * (len(names) - i)
        say(f"{line}  ({i} of {len(names)} probes after {minutes:.1f} min, about {left:.0f} min left)")
    if wrong:
        say("\n".join([f"\n{len(wrong)} of {len(names)} do not stand:", *wrong]))
    return int(bool(wrong))


def check_place() -> None:
    """Refuse to hash another copy of the library than the one beside this folder."""
    if HERE.parent != ROOT:
        sys.exit(f"guardrails is imported from {ROOT}, this file stands in {HERE.parent}: set PYTHONPATH={HERE.parent}")


def leave_with(main: Callable[[], int]) -> NoReturn:
    """Run a script's main function and leave with its code; an interruption is one line."""
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted: the same command goes on where it stopped")


def main() -> int:
    """Make or confirm what was asked for, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--probes", default="*", metavar="GLOB")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--confirm", type=int, nargs="?", const=2, metavar="N", help="make N seeds again and compare")
    asked = parser.parse_args()
    check_place()
    names, n, processes = fnmatch.filter(known_probes(), asked.probes), asked.confirm, asked.processes
    if n is not None and not 1 <= n <= SEEDS:
        parser.error(f"--confirm takes 1 to {SEEDS} seeds")
    if n:
        stale = [name for name in names if changed_files(stored(name), code_files(load_probe(name)))]
        say(f"{len(stale)} of {len(names)} probes to confirm: "
            + estimate(stale, lambda name, _: n * len(sources(load_probe(name))), processes))  # fmt: skip
        code = each(names, lambda name: confirm(name, n, processes))
    else:
        code = each(names, lambda name: (True, make(name, asked.seeds, processes)))
    write_powers()
    return code


if __name__ == "__main__":
    leave_with(main)
