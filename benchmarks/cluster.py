"""How much faster two nodes of a Ray cluster collect an audit than one; each node has one logical CPU.

    python benchmarks/cluster.py [TARGET] [--probes GLOB] [--budget quick]

Both clusters are on this machine, so that it needs two free cores; the model is a reference generator, which computes.
In a first run on each cluster, which is not counted, its workers import the libraries, and the controls are made.
Prints the ratio of the times (bar 1.6), whether both results equal that of a local run, and the load of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TARGET, PROBES = "reference:diffusion-photo,memorize=1", "memorization.copies"


def timed(options: argparse.Namespace, folder: Path) -> tuple[float, dict[str, Any]]:
    """Return the seconds of an audit on `options.nodes` nodes (0: without a cluster), and its findings."""
    from guardrails.assay.audit.orchestrator import run_audit

    engine = "ray" if options.nodes else "local"
    given = {"probes": [options.probes], "budget": options.budget, "engine": engine}
    if not options.nodes:
        result, _ = run_audit(options.target, out=folder / "run", **given)
        return 0.0, result.model_dump(mode="json", include={"findings"})
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(options.nodes - 1):
        cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    try:
        run_audit(options.target, out=folder / "warm", **given)
        start = time.perf_counter()
        result, _ = run_audit(options.target, out=folder / "timed", **given)
        return time.perf_counter() - start, result.model_dump(mode="json", include={"findings"})
    finally:
        ray.shutdown()
        cluster.shutdown()


def measured(nodes: int, words: list[str]) -> tuple[float, dict[str, Any]]:
    """Return what `timed` does, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        variables = {"GUARDRAILS_CACHE": folder, "OMP_NUM_THREADS": "1", "RAY_worker_niceness": "0"}
        command = [sys.executable, __file__, *words, "--nodes", str(nodes), "--folder", folder]
        done = subprocess.run(command, env=os.environ | variables, stdout=subprocess.PIPE, text=True, check=True)
    seconds, findings = json.loads(done.stdout.splitlines()[-1])
    return seconds, findings


def without_cached(findings: dict[str, Any]) -> dict[str, Any]:
    """Return findings without whether their controls were known from before."""
    for finding in findings["findings"]:
        for control in finding["controls"]:
            control.pop("cached")
    return findings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", nargs="?", default=TARGET)
    parser.add_argument("--probes", default=PROBES)
    parser.add_argument("--budget", default="quick")
    parser.add_argument("--nodes", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.nodes is not None:
        print(json.dumps(timed(options, options.folder)))
        return
    words = [options.target, "--probes", options.probes, "--budget", options.budget]
    load = os.getloadavg()[0]
    (one, first), (two, second), (_, local) = (measured(nodes, words) for nodes in (1, 2, 0))
    same = without_cached(first) == without_cached(second) == without_cached(local)
    print(
        f"{options.target}, {options.probes}, {options.budget}: two nodes are {one / two:.2f} times as fast (bar 1.6)"
    )
    print(f"the three results are {'equal' if same else 'NOT equal'}; load of the machine before: {load:.1f}")


if __name__ == "__main__":
    main()
