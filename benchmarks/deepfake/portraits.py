"""`deepfake.face` with portraits as a kind of their own: what a calibration by owner of the photographs would say.

    GUARDRAILS_TEST_DATA=… python benchmarks/deepfake/portraits.py

Real faces are those of the media and media2 corpora, by the owner of the repository that they come from; swaps are the
20 manipulated files, by tool. All are saved as JPEG 90 first. Each owner, or tool, is judged by a calibration on the
others: its faces then come from a source that neither the weights nor the thresholds know. Nothing is learnt here that
ships.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from guardrails.core.detector import Detector
from guardrails.core.registry import load_detector
from guardrails.core.statistics import Interval, cluster_bootstrap, wilson
from guardrails.kit.detection.calibration import ALPHA, Calibration
from guardrails.kit.io import read_image
from guardrails.training.material.corpora import Row, rows_of
from guardrails.training.material.self_blending import jpeg

LARGE = 20
"""Faces from which an owner is shown by itself."""
Scored = tuple[Row, float]


def scored(rows: Sequence[Row], detector: Detector) -> Iterator[Scored]:
    """Yield the rows in which a face is found, with the detector's score."""
    for row in rows:
        (detection,) = detector.score([jpeg(read_image(row.path), 90)])
        if detection.score is not None:
            yield row, detection.score


def unit(row: Row) -> str:
    """Owner of a real picture, tool of a swap: what is left out as one."""
    return row.family if row.kind == "swap" else row.group


def judged(rows: Sequence[Scored]) -> list[tuple[Row, float, str]]:
    """Return the p-value of "real" and the verdict of each row, by a calibration without its owner or tool."""
    out = []
    for name in sorted({unit(row) for row, _ in rows}):
        others = [(row, score) for row, score in rows if unit(row) != name]
        labels = np.array([row.kind == "swap" for row, _ in others], dtype=np.int64)
        calibration = Calibration.fit([score for _, score in others], labels, [unit(row) for row, _ in others])
        for row, score in rows:
            if unit(row) == name:
                out.append((row, float(calibration.p_values([score])[0][0]), calibration.judged(score)[0]))
    return out


def mean_over_owners(hits: Sequence[bool], owners: Sequence[str]) -> Interval:
    """Return the mean over owners of a share, each weighing the same, with its interval over owners."""
    names = sorted(set(owners))
    shares = [float(np.mean([hit for hit, owner in zip(hits, owners, strict=True) if owner == name])) for name in names]
    return cluster_bootstrap(np.array(shares), names, resamples=2000, seed=0)


def shown(interval: Interval) -> str:
    return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def print_tables(rows: Sequence[Scored]) -> None:
    """Print how often real faces and swaps are called manipulated, and which verdicts they get."""
    judgements = judged(rows)
    real = [one for one in judgements if one[0].kind == "photograph"]
    swaps = [one for one in judgements if one[0].kind == "swap"]
    hits, owners = [p <= ALPHA for _, p, _ in real], [unit(row) for row, _, _ in real]
    print(f"real faces: {len(real)} of {len(set(owners))} owners; swaps: {len(swaps)}")
    print(f"p <= {ALPHA}: real, mean over owners {shown(mean_over_owners(hits, owners))};", end=" ")
    print(f"of all {sum(hits)} of {len(hits)}; swaps {sum(p <= ALPHA for _, p, _ in swaps)} of {len(swaps)}")
    for name, side in (("real", real), ("swaps", swaps)):
        verdicts = [verdict for _, _, verdict in side]
        print(f"verdicts, {name}:", {one: verdicts.count(one) for one in sorted(set(verdicts))})
    print("\nowner                     faces  p <= .05           called manipulated")
    for owner in sorted(set(owners)):
        side = [one for one in real if unit(one[0]) == owner]
        if len(side) >= LARGE:
            low = sum(p <= ALPHA for _, p, _ in side)
            called = sum(verdict == "synthetic" for _, _, verdict in side)
            print(f"{owner:<25} {len(side):>5}  {shown(wilson(low, len(side)))}  {shown(wilson(called, len(side)))}")


def main() -> None:
    folder = Path(os.environ["GUARDRAILS_TEST_DATA"])
    rows = [row for row in rows_of([folder / "media", folder / "media2"]) if row.kind in ("photograph", "swap")]
    print_tables(list(scored(rows, load_detector("deepfake.face"))))


if __name__ == "__main__":
    main()
