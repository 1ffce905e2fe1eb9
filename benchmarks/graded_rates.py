"""How often intervals for a rate that an imperfect grader measured hold the true rate, and how wide they are.

    python benchmarks/graded_rates.py [--runs 100]

Draws graders with labelled items and graded samples, and prints for each kind of grader the coverage and mean width of
four intervals: the library's (melded), Lang and Reiczigel's, the delta method's, and Wilson's of the uncorrected rate.
Only draws count in which the grader is shown to be better than chance and its error does not rule the sample out: the
library gives no number for the others, and their share stands in the last column. The worst cell is the smallest
coverage over rates and sizes.
"""

from __future__ import annotations

import argparse
from itertools import product
from math import sqrt

import numpy as np

from guardrails.core.statistics import CannotCorrect, GraderCounts, rogan_gladen, wilson

Z = 1.959964
RATES = (0.0, 0.01, 0.1, 0.5)
SIZES = (50, 500)
LABELLED = (15, 50, 150)
"""Of each kind."""
ABILITIES = ((0.6, 0.6), (0.6, 0.99), (0.99, 0.6), (0.8, 0.8), (0.95, 0.9), (0.99, 0.99))
METHODS = ("melded", "Lang–Reiczigel", "delta", "uncorrected")


def lang_reiczigel(k: int, n: int, e: GraderCounts) -> tuple[float, float]:
    """Return the interval of Preventive Veterinary Medicine 113 (2014) 13–22."""
    positive, negative = e.tp + e.fn, e.tn + e.fp
    p, se, sp = (k + Z * Z / 2) / (n + Z * Z), (e.tp + 1) / (positive + 2), (e.tn + 1) / (negative + 2)
    rate = (p + sp - 1) / (se + sp - 1)
    of_se, of_sp = se * (1 - se) / (positive + 2), sp * (1 - sp) / (negative + 2)
    spread = sqrt(p * (1 - p) / (n + Z * Z) + rate**2 * of_se + (1 - rate) ** 2 * of_sp) / (se + sp - 1)
    middle = rate + 2 * Z * Z * (rate * of_se - (1 - rate) * of_sp)
    return middle - Z * spread, middle + Z * spread


def delta(k: int, n: int, e: GraderCounts) -> tuple[float, float]:
    """Return Rogan and Gladen's own interval, by the delta method."""
    positive, negative = e.tp + e.fn, e.tn + e.fp
    p, se, sp = k / n, e.tp / positive, e.tn / negative
    rate = (p + sp - 1) / (se + sp - 1)
    variance = p * (1 - p) / n + rate**2 * se * (1 - se) / positive + (1 - rate) ** 2 * sp * (1 - sp) / negative
    half = Z * sqrt(variance) / (se + sp - 1)
    return rate - half, rate + half


def intervals(k: int, n: int, e: GraderCounts) -> list[tuple[float, float]]:
    """Return the interval of each method, within [0, 1]."""
    _, low, high = rogan_gladen(k, n, e)
    pairs = [(low, high), lang_reiczigel(k, n, e), delta(k, n, e), wilson(k, n)[1:]]
    return [(min(max(a, 0.0), 1.0), min(max(b, 0.0), 1.0)) for a, b in pairs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    runs = parser.parse_args().runs
    rng = np.random.default_rng(0)
    print("sensitivity, specificity, labelled | method: coverage (worst cell), width | draws without a number")
    for (se, sp), labelled in product(ABILITIES, LABELLED):
        held, widths, refused = [], [], 0
        for rate, n in product(RATES, SIZES):
            cell: list[list[bool]] = []
            while len(cell) < runs:
                tp, tn, k = (int(rng.binomial(m, p)) for m, p in (
                    (labelled, se), (labelled, sp), (n, rate * se + (1 - rate) * (1 - sp))
                ))  # fmt: skip
                try:
                    pairs = intervals(k, n, GraderCounts(tp, labelled - tp, tn, labelled - tn))
                except CannotCorrect:
                    refused += 1
                    continue
                cell.append([low <= rate <= high for low, high in pairs])
                widths.append([high - low for low, high in pairs])
            held.append(np.array(cell).reshape(-1, len(METHODS)))
        coverage, width = np.concatenate(held).mean(axis=0), np.mean(widths, axis=0)
        worst = np.min([cell.mean(axis=0) for cell in held], axis=0)
        columns = [
            f"{m}: {c:.3f} ({w:.2f}), {d:.2f}" for m, c, w, d in zip(METHODS, coverage, worst, width, strict=True)
        ]
        share = refused / (refused + runs * len(RATES) * len(SIZES))
        print(f"{se:.2f} {sp:.2f} {labelled:4d} | {' | '.join(columns)} | {share:.2f}", flush=True)


if __name__ == "__main__":
    main()
