"""How much faster two nodes of a Ray cluster collect than one: from the first batch handed out to the last one back.

    python benchmarks/cluster.py [sleeping|computing ...] [--repeats 5] [--batches 16] [--seconds 2]

Starting the cluster, and opening the target in each worker, is not counted: it takes as long on two nodes as on one.

sleeping   A model that is waited for, as one on a device. Two logical CPUs a node; it needs no free core.
computing  A model that computes in one thread. One logical CPU a node, so that two nodes need two free cores.

Each repeat measures one node and then two. Prints the median of the ratios (bar 1.6) and their range, whether all rows
equal those that are collected here, and the load of the machine.
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from guardrails.core.batch import Batch, Item, Row, in_batches
from guardrails.core.control import Control
from guardrails.core.probe import Budget, Probe
from guardrails.core.results import Measurement
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality

CPUS = {"sleeping": 2, "computing": 1}
SIDE = 256
ROUNDS = 1600
"""Products of two matrices for a second of work, about."""
SETTLED = {
    "OMP_NUM_THREADS": "1",
    "RAY_worker_niceness": "0",  # by default whatever else runs on a machine goes before Ray's workers
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}


class Model:
    """``slow:sleeping,SECONDS,BATCHES`` or ``slow:computing,…``: takes so long for each of so many batches."""

    modality = Modality.TEXT
    access = frozenset({Access.OUTPUTS, Access.SAMPLING})

    def __init__(self, argument: str) -> None:
        self.name = f"slow:{argument}"
        self.kind, seconds, batches = argument.split(",")
        self.seconds, self.batches = float(seconds), int(batches)

    def identity(self) -> dict[str, str]:
        return {"name": self.name}

    def answer(self, number: int) -> float:
        import numpy as np

        if self.kind == "sleeping":
            time.sleep(self.seconds)
            return float(number)
        generator = np.random.default_rng(number)
        step = generator.normal(size=(SIDE, SIDE)) / SIDE**0.5
        state = generator.normal(size=(SIDE, SIDE))
        for _ in range(int(ROUNDS * self.seconds)):
            state = np.tanh(step @ state)
        return float(state.sum())


class Work(Probe):
    """One question a batch."""

    id, title, question, limits, risk = "slow.work", "Work", "How long does it take?", "Nothing but time.", "none"
    modalities = frozenset({Modality.TEXT})
    requires = frozenset({Access.SAMPLING})
    headline, metrics = "work", ("work",)
    controls = (Control("reference:ar-molecules,hazard=1", "found"), Control("reference:ar-molecules", "clear"))

    def plan(self, subject: Subject, budget: Budget, *, seed: int) -> list[Batch]:
        target: Any = subject.target
        return in_batches([Item(f"{i:04}", fields={"number": i}) for i in range(target.batches)], 1)

    def collect(self, subject: Subject, batch: Batch, *, seed: int) -> list[Row]:
        target: Any = subject.target
        (item,) = batch.items
        if item.fields["number"] < 0:  # to start the workers: who did it is told
            time.sleep(1)
            return [{"item": item.id, "process": os.getpid()}]
        return [{"item": item.id, "value": target.answer(item.fields["number"])}]

    def measure(self, rows: Sequence[Row], subject: Subject, *, seed: int) -> list[Measurement]:
        raise NotImplementedError("rows are collected, and nothing else")


def install(folder: Path) -> None:
    """Install this file as a plug-in in a folder, for this process and those that it starts."""
    about = folder / "slow_model-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-model\nVersion: 1.0\n")
    points = ["[guardrails.probes]", "work = slow_model:Work", "[guardrails.targets]", "slow = slow_model:Model", ""]
    (about / "entry_points.txt").write_text("\n".join(points))
    (folder / "slow_model.py").write_text(Path(__file__).read_text())
    sys.path.insert(0, str(folder))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])


class Measured:
    """One kind of model on a cluster of one and of two nodes."""

    def __init__(self, kind: str, seconds: float, batches: int) -> None:
        import ray
        from ray.cluster_utils import Cluster

        from guardrails.assay.audit import ray as audit_ray
        from guardrails.assay.audit.plan import DATA, make_settings
        from guardrails.assay.audit.scope import Scope

        self.kind, self.nodes = kind, 1
        settings = make_settings({"target": f"slow:{kind},{seconds},{batches}", "probes": ["slow.work"]})
        scope = Scope(settings, dict.fromkeys(("target", *DATA)))
        ((assay,), _) = scope.assays()
        self.series, self.batches = scope.series(assay), scope.plan(assay)
        self.cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": CPUS[kind], "include_dashboard": False}
        )
        ray.init(address=self.cluster.address, log_to_driver=False)
        job = audit_ray.job_of(scope, Path.cwd(), scope.subject.target.identity(), {})
        self.tasks = audit_ray.Cluster(ray, job)

    def warm(self) -> None:
        """Have every worker of every node open the target."""
        seen: set[int] = set()
        workers = CPUS[self.kind] * self.nodes
        while len(seen) < workers:
            batches = [Batch(i, (Item(f"warm {i}", fields={"number": -1}),)) for i in range(2 * workers)]
            seen = {row["process"] for done in self.tasks.one(self.series, batches) for row in done.rows or ()}

    def collected(self) -> tuple[float, dict[int, Any]]:
        """Return the seconds that collecting takes, and the rows."""
        self.warm()
        start = time.perf_counter()
        rows = {done.batch.index: done.rows for done in self.tasks.one(self.series, self.batches)}
        return time.perf_counter() - start, rows

    def pair(self) -> tuple[tuple[float, dict[int, Any]], tuple[float, dict[int, Any]]]:
        """Return what one node collects, and two."""
        one = self.collected()
        node = self.cluster.add_node(num_cpus=CPUS[self.kind])
        self.cluster.wait_for_nodes()
        self.nodes = 2
        two = self.collected()
        self.cluster.remove_node(node)
        self.nodes = 1
        return one, two

    def here(self) -> dict[int, Any]:
        """Return the rows that are collected in this process."""
        from guardrails.assay.audit.engine import one_by_one

        return {done.batch.index: done.rows for done in one_by_one(self.series, self.batches)}

    def close(self) -> None:
        import ray

        ray.shutdown()
        self.cluster.shutdown()


def measure(kind: str, options: argparse.Namespace) -> None:
    """Measure one kind of model and print what came out."""
    load = os.getloadavg()[0]
    measured = Measured(kind, options.seconds, options.batches)
    try:
        pairs = [measured.pair() for _ in range(options.repeats)]
    finally:
        measured.close()
    here = measured.here()
    same = all(rows == here for pair in pairs for _, rows in pair)
    ratios = [one / two for (one, _), (two, _) in pairs]
    ones, twos = ([round(part[0], 1) for part in parts] for parts in zip(*pairs, strict=True))
    print(f"{kind}: {options.batches} batches of about {options.seconds:g} s, {CPUS[kind]} logical CPUs a node")
    print(f"  seconds on one node {ones}, on two {twos}")
    print(
        f"  two nodes are {statistics.median(ratios):.2f} times as fast (median of {len(ratios)}, {min(ratios):.2f} to "
        f"{max(ratios):.2f}; bar 1.6)"
    )
    print(f"  the rows {'equal' if same else 'DO NOT equal'} those collected here; load before: {load:.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", choices=[[], *CPUS], default=[])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batches", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    os.environ.update(SETTLED)
    with tempfile.TemporaryDirectory() as folder:
        install(Path(folder))
        for kind in options.kinds or CPUS:
            measure(kind, options)


if __name__ == "__main__":
    main()
