"""`deepfake.face` on real swaps and real faces: AUC by tool, and how often a real face is called manipulated.

    GUARDRAILS_TEST_DATA=… python benchmarks/deepfake/faces.py [--model face_detection_yunet.onnx]

Real swaps are the 20 manipulated files of the public media corpus; negatives are their untouched pairs, and all other
real files in which a face is found. Nothing is learnt or tuned here. Every file of both classes is saved as JPEG 90
first, since swaps and photographs differ in format otherwise. 20 files, some of one picture, prove nothing alone: the
intervals, over pictures, say so. The null is real faces against themselves, saved as JPEG 75.
"""

import argparse
import csv
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from guardrails.core.detector import Detection
from guardrails.core.registry import load_detector
from guardrails.core.statistics import Interval, wilson
from guardrails.kit.detection.protocol import Placed, area
from guardrails.kit.io import read_image
from guardrails.training.material.self_blending import jpeg

Row = dict[str, str]


def cluster(row: Row) -> str:
    """Swaps of one picture, and tiles cut from one file, are one; so are they with their untouched pair."""
    return row["source_path"] if row["tiled"] == "yes" else row["pair"] or row["path"]


def auc(forged: Sequence[tuple[Row, Detection]], real: Sequence[tuple[Row, Detection]]) -> str:
    """AUC with its interval over pictures."""
    if not forged or not real:
        return "none"
    x, y = (np.array([detection.score for _, detection in side]) for side in (forged, real))
    above = (x[:, None] > y[None]) + 0.5 * (x[:, None] == y[None])
    n = len(forged)
    placed = Placed(above, np.arange(n), np.arange(n, n + len(real)))
    interval = area(placed, [cluster(row) for row, _ in (*forged, *real)])
    clusters = len({cluster(row) for row, _ in forged})
    return f"{shown(interval)}, {n} forged ({clusters} pictures), {len(real)} real"


def shown(interval: Interval) -> str:
    return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--model", help="a YuNet model; default scikit-image's cascade")
    options = arguments.parse_args()
    folder = Path(os.environ["GUARDRAILS_TEST_DATA"]) / "media"
    detector = load_detector("deepfake.face" + (f":{options.model}" if options.model else ""))
    with open(folder / "manifest.csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] in ("real", "manipulated")]
    scored, saved = [], []
    for row in rows:
        pixels = read_image(folder / row["path"])
        detection = detector.score([jpeg(pixels, 90)])[0]
        if detection.score is None:
            scored.append((row, detection))
            continue
        scored.append((row, detection))
        if row["label"] == "real":
            saved.append((row, detector.score([jpeg(pixels, 75)])[0]))
    there = [(row, detection) for row, detection in scored if detection.score is not None]
    forged = [(row, detection) for row, detection in there if row["label"] == "manipulated"]
    real = [(row, detection) for row, detection in there if row["label"] == "real"]
    paired = {row["pair"] for row, _ in forged}
    pairs = [(row, detection) for row, detection in real if row["path"] in paired]

    missed = sum(row["label"] == "manipulated" for row, detection in scored if detection.score is None)
    print(f"swaps in which no face was found: {missed} of {missed + len(forged)}")
    print("AUC, all swaps against their untouched pairs:", auc(forged, pairs))
    print("AUC, all swaps against all real faces:       ", auc(forged, real))
    for family in sorted({row["family"] for row, _ in forged}):
        print(f"  {family:<20}", auc([pair for pair in forged if pair[0]["family"] == family], real))
    verdicts = [detection.verdict for _, detection in forged]
    print("verdicts of swaps:", {name: verdicts.count(name) for name in sorted(set(verdicts))})
    print("null, JPEG 75 against 90 of the same real faces:", auc([p for p in saved if p[1].score is not None], real))
    print("\nreal faces                             faces  called manipulated   abstained")
    by_source = defaultdict(list)
    for row, detection in real:
        by_source[row["path"].split("/")[1]].append(detection.verdict)
        by_source["all"].append(detection.verdict)
    for name, said in sorted(by_source.items()):
        rate, kept = wilson(said.count("manipulated"), len(said)), wilson(said.count("abstain"), len(said))
        print(f"{name:<38} {len(said):>5}  {shown(rate)}  {shown(kept)}")


if __name__ == "__main__":
    main()
