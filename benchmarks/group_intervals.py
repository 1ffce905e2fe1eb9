"""How long intervals for gaps between groups take: this library against the bootstrap of fairlearn.

    python benchmarks/group_intervals.py [--rows 1000] [--resamples 1000] [--repeats 20]

Both compare five rates (selection, accuracy, true and false positive rate, precision) between the groups of one column.
fairlearn resamples rows and computes a `MetricFrame` for each resample. The library has closed-form intervals that hold
for all pairs at once, and draws as many permutations of the groups. Prints seconds and the ratio.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from guardrails.fairness.metrics.decisions import Decisions, Partition
from guardrails.fairness.metrics.gaps import largest_gap, smallest_ratio
from guardrails.fairness.metrics.null import permuted
from guardrails.fairness.metrics.rates import RATES, count


def table(rows: int, seed: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.random(rows) < 0.4, rng.random(rows) < 0.4, rng.choice(4, rows, p=[0.4, 0.3, 0.2, 0.1])


def ours(y: Any, p: Any, group: Any, resamples: int) -> Any:
    names = tuple(map(str, range(4)))
    known = np.ones(len(y), dtype=bool)
    part = (Partition("group", names, group),)
    data = Decisions("1", False, p, known, y, np.full(len(y), np.nan), part)
    counts = [count(data, metric) for metric in RATES]
    gaps = [largest_gap([one]) for one in counts]
    smallest_ratio(counts[0])
    for one in counts:
        permuted([one], resamples=resamples)
    return gaps[0]


def theirs(y: Any, p: Any, group: Any, resamples: int) -> Any:
    from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate
    from sklearn.metrics import accuracy_score, precision_score

    frame = MetricFrame(
        metrics={
            "selection_rate": selection_rate,
            "accuracy": accuracy_score,
            "tpr": true_positive_rate,
            "fpr": false_positive_rate,
            "precision": precision_score,
        },
        y_true=y,
        y_pred=p,
        sensitive_features=group,
        n_boot=resamples,
        ci_quantiles=[0.025, 0.975],
        random_state=0,
    )
    return frame.difference_ci(method="between_groups")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=20)
    given = parser.parse_args()
    data = table(given.rows, 0)
    ours(*data, given.resamples)
    times = []
    for _ in range(given.repeats):
        begun = time.process_time()
        ours(*data, given.resamples)
        times.append(time.process_time() - begun)
    theirs(*data, 2)
    begun = time.process_time()
    theirs(*data, given.resamples)
    slow = time.process_time() - begun
    quick = float(np.median(times))
    print(f"{given.rows} rows, {given.resamples} resamples, five rates, four groups (processor seconds)")
    print(f"  this library {quick:.4f} (median of {given.repeats}), fairlearn {slow:.2f}: ratio {slow / quick:.0f}")


if __name__ == "__main__":
    main()
