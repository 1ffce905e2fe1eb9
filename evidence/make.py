"""Makes the evidence: each instrument on each dose of its planted fault, over many seeds.

    python evidence/make.py [--probes GLOB] [--seeds 60] [--processes 2]

Writes ``evidence/<probe>.json``: one reading per (source, seed) with the hash of what made it. A file whose hash still
stands is completed, not made anew. The tests compute every statistic from these files again and flag a stale hash.
``guardrails/assay/power.json``, which reports cite, is computed from them.
"""

from __future__ import annotations

import argparse
import ast
import fnmatch
import json
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import generators
import guardrails
from generators.base import find_generator
from guardrails.assay.controls import control_subject, headline_threshold
from guardrails.assay.policy import judge
from guardrails.assay.sources import code_sha256
from guardrails.core.base import Budget, Probe, Row, Subject
from guardrails.core.registry import load_probe, probes
from guardrails.core.results import Power
from guardrails.core.seeding import derive_seed
from guardrails.core.statistics import wilson
from guardrails.targets.reference import LEAF

HERE = Path(__file__).parent
LIBRARY, GENERATORS = Path(guardrails.__file__).parent, Path(generators.__file__).parent
POWER = LIBRARY / "assay" / "power.json"


def sources(probe: Probe) -> list[str]:
    """Return the probe's controls and, between them, every shipped dose of the same fault."""
    found = [c.source for c in probe.controls]
    for source in found[:]:
        scheme, _, spec = source.partition(":")
        name, _, fault = spec.partition(",")
        dial = fault.partition("=")[0]
        dials = {d.name: d.doses for d in find_generator(name).dials} | {"overfit": tuple(LEAF), "private": (1.0,)}
        doses = dials[dial] if dial else ()
        found += [f"{scheme}:{name},{dial}={dose:g}" for dose in doses if dose]
    return sorted(set(found))


def instrument_files(probe: Probe) -> list[Path]:
    """Return the files whose meaning decides a reading: probe, statistics, kit, its controls' generators and doses."""
    family, name = probe.id.replace("-", "_").split(".")
    files = [*_imported(LIBRARY / family / f"{name}.py"), *(LIBRARY / family).rglob("*.toml")]
    files += [*(LIBRARY / "core" / "statistics").glob("*.py")]
    files += [LIBRARY / "kit" / f"{module}.py" for module in ("features", "io", "lm", "pictures")]
    files += [
        LIBRARY / "kit" / f"{module}.py"
        for module in ("blind", "table_rows")
        if any(f"from ..kit.{module} import" in file.read_text() for file in files)
    ]
    if family == "membership":
        files += [LIBRARY / "kit" / "lm_moments.py", LIBRARY / "targets" / "white_box.py"]
    for source in sources(probe):
        scheme, _, spec = source.partition(":")
        generator = spec.partition(",")[0]
        files += laws(generator) + [GENERATORS / "canaries.py"] * (scheme == "canaries")
        files += [GENERATORS / "weights" / f"{stem}.safetensors" for stem in {generator, spec}]
        if ",private=" in spec:
            files += [LIBRARY / "targets" / "_private.py", LIBRARY / "targets" / "weights" / f"{spec}.safetensors"]
    return sorted({path for path in files if path.is_file() and path.name != "__init__.py"})


def _imported(file: Path) -> set[Path]:
    """Return a module and those of its own folder that it imports, and that these import."""
    found, left = set(), [file]
    while left:
        found.add(module := left.pop())
        nodes = [n for n in ast.walk(ast.parse(module.read_text())) if isinstance(n, ast.ImportFrom) and n.level == 1]
        names = {name for n in nodes for name in ([n.module] if n.module else [alias.name for alias in n.names])}
        left += {path for name in names if (path := file.with_name(f"{name}.py")).is_file()} - found
    return found


LAWS = {
    "ar-molecules": ("molecules",),
    "ar-music": ("melodies", "old_tunes"),
    "diffusion-photo": ("photographs",),
    "gan-art": ("paintings",),
    "gpt-text": ("prose",),
    "pixel-levels": ("levels",),
    "tabular": ("applicants",),
    "vae-medical": ("phantoms",),
}
"""What each generator learns from."""


def laws(generator: str) -> list[Path]:
    """Return a generator's own file and those beside it that say what it learns from."""
    own = GENERATORS / f"{generator.replace('-', '_')}.py"
    return [own, *(GENERATORS / f"{module}.py" for module in LAWS[generator])]


def reading(probe_id: str, source: str, seed: int) -> dict[str, Any]:
    """Run a probe once on one source at control size."""
    probe, subject = kept(probe_id), control_subject(source)
    measured = probe.measure(
        collected(probe, subject, source, seed), subject, seed=derive_seed(seed, probe_id, source, "measure")
    )
    m = next(m for m in measured if m.metric == probe.headline)
    status = judge(m, headline_threshold(probe))[0].value
    return {"source": source, "seed": seed, "value": m.value, "low": m.low, "high": m.high, "n": m.n, "status": status}


def collected(probe: Probe, subject: Subject, source: str, seed: int) -> list[Row]:
    """Return the rows of a probe on one subject at control size; the source tells the seeds of subjects apart."""
    rows = []
    for batch in probe.plan(subject, Budget.CONTROL, seed=derive_seed(seed, probe.id, source, "plan")):
        rows += probe.collect(subject, batch, seed=derive_seed(seed, probe.id, source, batch.index))
    return rows


@cache
def kept(probe_id: str) -> Probe:
    """Return the probe, the same one a process: what it has worked out of a subject's data serves every seed."""
    return load_probe(probe_id)


def _work(job: tuple[str, str, int]) -> tuple[str, dict[str, Any]]:
    return job[0], reading(*job)


def one_thread() -> None:
    """Keep a process of the pool to one thread."""
    import torch

    torch.set_num_threads(1)


def power(probe: Probe, readings: Iterable[dict[str, Any]]) -> Power:
    """Return how often the positive control was found and the negative one raised an alarm, with 95% intervals."""
    kept = list(readings)
    positive = next(c.source for c in probe.controls if c.expected == "found")
    negative = next(c.source for c in probe.controls if c.expected == "clear")
    found = [r["status"] == "fail" for r in kept if r["source"] == positive]
    alarms = [r["status"] == "fail" for r in kept if r["source"] == negative]
    hit, wolf = wilson(sum(found), len(found)), wilson(sum(alarms), len(alarms))
    return Power(
        positive=positive,
        negative=negative,
        power=hit.value,
        power_low=hit.low,
        power_high=hit.high,
        false_alarms=wolf.value,
        false_alarms_low=wolf.low,
        false_alarms_high=wolf.high,
        runs=min(len(found), len(alarms)),
    )


def stored(probe_id: str) -> dict[str, Any]:
    """Return the evidence file of a probe, or an empty one."""
    path = HERE / f"{probe_id}.json"
    return json.loads(path.read_text()) if path.exists() else {"probe": probe_id, "code": "", "readings": []}


def jobs(chosen: Iterable[str], seeds: int, evidence: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str, int]]:
    """Yield what is missing, all seeds of one source together, so that its model is loaded once."""
    for probe_id in chosen:
        probe = load_probe(probe_id)
        code = code_sha256(instrument_files(probe))
        if evidence[probe_id]["code"] != code:
            evidence[probe_id] |= {"code": code, "readings": []}
        done = {(r["source"], r["seed"]) for r in evidence[probe_id]["readings"]}
        for source in sources(probe):
            yield from ((probe_id, source, seed) for seed in range(seeds) if (source, seed) not in done)


def write(evidence: dict[str, dict[str, Any]]) -> None:
    """Write the evidence files."""
    for probe_id, file in evidence.items():
        file["readings"].sort(key=lambda r: (r["source"], r["seed"]))
        lines = ",\n".join(f"  {json.dumps(r, sort_keys=True)}" for r in file["readings"])
        text = f'{{"code": "{file["code"]}",\n "probe": "{probe_id}",\n "readings": [\n{lines}\n]}}\n'
        (HERE / f"{probe_id}.json").write_text(text)


def write_powers() -> None:
    """Write the summary that reports cite, of every probe that has evidence."""
    kept = {name: stored(name)["readings"] for name in probes()}
    powers = {name: power(load_probe(name), rows).model_dump(mode="json") for name, rows in kept.items() if rows}
    POWER.write_text(json.dumps(powers, indent=2, sort_keys=True) + "\n")


def main() -> None:
    """Make what is missing and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--probes", default="*")
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    chosen = fnmatch.filter(probes(), asked.probes)
    evidence = {name: stored(name) for name in chosen}
    work = list(jobs(chosen, asked.seeds, evidence))
    print(f"{len(work)} readings to make", file=sys.stderr)
    with multiprocessing.get_context("spawn").Pool(asked.processes, one_thread) as pool:
        for i, (probe_id, row) in enumerate(pool.imap_unordered(_work, work, chunksize=10), 1):
            evidence[probe_id]["readings"].append(row)
            if i % 50 == 0:
                print(f"{i}/{len(work)}", file=sys.stderr)
                write(evidence)
    write(evidence)
    write_powers()


if __name__ == "__main__":
    main()
