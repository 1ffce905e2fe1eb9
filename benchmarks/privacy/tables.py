"""Attacks on a synthetic table beside Anonymeter, distances and novelty beside SDMetrics: risks, values, seconds.

    python -m venv PEERS && PEERS/bin/pip install -r benchmarks/privacy/requirements-tables.txt
    python benchmarks/privacy/tables.py --peers PEERS/bin/python [--data DIR]

DIR holds ``adults_{train,control,syn_ctgan}_part.csv``. The peers run in their own environment, on the same files and
in the same minute, one thread each. Bars: linkability within Anonymeter's interval and at least 3 times faster;
distance to the closest record and novelty of 2,000 rows the same as SDMetrics' and at least 50 times faster. Times are
the better of two runs, without imports and reading, so that compilation does not count against a peer.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "NUMBA_NUM_THREADS": "1"}

import numpy as np
import pandas as pd

HALVES = (
    ["type_employer", "education", "hr_per_week", "capital_loss", "capital_gain"],
    ["race", "sex", "fnlwgt", "age", "country"],
)
ATTACKS, NEIGHBOURS, ROWS, LEAK = 1000, 5, 2000, 0.5


def data(folder: Path, leak: float = LEAK) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the synthetic table, of which a share are training rows, the training and the control table."""
    synthetic, train, control = (
        pd.read_csv(folder / f"adults_{part}_part.csv") for part in ("syn_ctgan", "train", "control")
    )
    n = int(leak * len(synthetic))
    planted = train.iloc[np.random.default_rng(0).choice(len(train), n, replace=False)]
    return pd.concat([planted, synthetic.iloc[n:]], ignore_index=True), train, control


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result of the faster of two runs, and its seconds."""
    runs = []
    for _ in range(2):
        start = time.perf_counter()
        result = work()
        runs.append((time.perf_counter() - start, result))
    seconds, result = min(runs, key=lambda run: run[0])
    return result, seconds


def peers(folder: Path) -> dict[str, Any]:
    """Run Anonymeter and SDMetrics."""
    import warnings

    from anonymeter.evaluators import LinkabilityEvaluator
    from sdmetrics.single_table import NewRowSynthesis
    from sdmetrics.single_table.privacy.dcr_utils import calculate_dcr

    warnings.simplefilter("ignore")
    synthetic, train, control = data(folder)

    def link() -> list[float]:
        np.random.seed(0)  # noqa: NPY002  the only seed that it knows
        attack = LinkabilityEvaluator(
            train, synthetic, aux_cols=HALVES, n_attacks=ATTACKS, n_neighbors=NEIGHBOURS, control=control
        )
        risk = attack.evaluate(n_jobs=1).risk()
        return [float(risk.value), *map(float, risk.ci)]

    some = synthetic.tail(ROWS // 2)._append(synthetic.head(ROWS // 2), ignore_index=True)
    types = {k: {"sdtype": "numerical" if train[k].dtype.kind in "if" else "categorical"} for k in train.columns}
    meta = {"columns": types}
    links = {
        "linkability": timed(link),
        "dcr": timed(lambda: calculate_dcr(some, train, meta).tolist()),
        "novelty": timed(lambda: float(NewRowSynthesis.compute(train, some, meta))),
    }
    return {k: {"result": result, "seconds": seconds} for k, (result, seconds) in links.items()}


def ours(folder: Path) -> dict[str, Any]:
    """Run the same through the functions behind `privacy.linkability` and `privacy.table-distance`."""
    from guardrails.privacy import linkability, table_distance
    from guardrails.privacy.tables import arrays
    from guardrails.privacy.tables.risk import rate, risk

    synthetic, train, control = data(folder)
    some = pd.concat([synthetic.tail(ROWS // 2), synthetic.head(ROWS // 2)], ignore_index=True)

    def link() -> list[float]:
        tables = arrays.read(synthetic, train, control)
        halves = tuple([tables.names.index(name) for name in half] for half in HALVES)
        rng = np.random.default_rng(0)
        hits = []
        for table in (tables.corpus, tables.holdout):
            chosen = table[rng.choice(len(table), ATTACKS, replace=False)]
            links = linkability.links(chosen, tables.synthetic, halves, seed=0, most=NEIGHBOURS)
            hits.append(rate(linkability.linked(links, NEIGHBOURS), ATTACKS))
        return list(risk(*hits))

    def dcr() -> list[float]:
        tables = arrays.read(some, train, control)
        return table_distance.distances(tables.synthetic, tables.corpus)[0].tolist()

    def novelty() -> float:
        tables = arrays.read(some, train, control)
        return 1 - float(np.mean(table_distance.copied(tables.synthetic, tables.corpus, table_distance.NEAR)))

    results = {"linkability": timed(link), "dcr": timed(dcr), "novelty": timed(novelty)}
    return {k: {"result": result, "seconds": seconds} for k, (result, seconds) in results.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="attacks and distances on tables beside the peers")
    parser.add_argument("--peers", help="the Python of the peers' environment")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("GUARDRAILS_TEST_DATA", ".")) / "privacy")
    parser.add_argument("--only-peers", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only_peers:
        print(json.dumps(peers(options.data)))
        return
    if not options.peers:
        parser.error("give --peers, the Python of the environment that requirements-tables.txt was installed in")
    command = [options.peers, __file__, "--only-peers", "--data", str(options.data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    theirs, mine = json.loads(done.stdout.splitlines()[-1]), ours(options.data)
    (risk, *_), (peer, low, high) = mine["linkability"]["result"], theirs["linkability"]["result"]
    differ = max(abs(a - b) for a, b in zip(mine["dcr"]["result"], theirs["dcr"]["result"], strict=True))
    agree = {
        "linkability": f"risk {risk:.3f}; theirs {peer:.3f} ({low:.3f} to {high:.3f})",
        "dcr": f"{ROWS} values, largest difference {differ:.1e}",
        "novelty": f"{mine['novelty']['result']:.4f}; theirs {theirs['novelty']['result']:.4f}",
    }
    for name, said in agree.items():
        slow, fast = theirs[name]["seconds"], mine[name]["seconds"]
        print(f"{name:12} {slow:7.2f} s / {fast:6.3f} s = {slow / fast:6.1f}    {said}")


if __name__ == "__main__":
    main()
