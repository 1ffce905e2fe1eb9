"""Real art that is no photograph: how often detectors as they ship call it generated, and how often they abstain.

    python scripts/fetch_photographs.py FOLDER art
    python benchmarks/deepfake/art.py FOLDER

Each picture is judged twice: cropped and saved as JPEG 70–95 by the draw that the card's figures are measured with, and
as its file is. Intervals resample whole packages. None of the pictures is generated, so that every verdict "synthetic"
is a false positive; the bar is at most 10% of them. FOLDER may be any folder of real pictures with a manifest.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from guardrails.core.registry import load_detector
from guardrails.core.statistics import cluster_bootstrap
from guardrails.deepfake.fusion import Fusion
from guardrails.deepfake.images.picture import Picture
from guardrails.training.material.described_pictures import drawn
from guardrails.training.material.pictures import of_folder

ALONE = ("features", "radial", "dct", "npr", "srm", "colour", "cnn", "metadata")
VERDICTS = ("synthetic", "abstain", "nothing found")


def detectors() -> dict[str, Any]:
    """All that have shipped weights; the fusion also as it is where its encoder is not installed."""
    fusions = {"deepfake.fusion": Fusion(), "deepfake.fusion, traces alone": Fusion("traces")}
    return fusions | {f"deepfake.{name}": load_detector(f"deepfake.{name}") for name in ALONE}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=Path)
    folder, known = arguments.parse_args().folder, detectors()
    given = of_folder(folder, 0)
    said: dict[tuple[str, bool], list[str | None]] = {}
    for example in given:
        for channel in (True, False):
            item = Picture.of(drawn(example, seed=0, plain=True) if channel else example.path)
            for name, detector in known.items():
                (detection,) = detector.score([item])
                said.setdefault((name, channel), []).append(None if detection.score is None else detection.verdict)
    sources = [e.source for e in given]
    print(f"{len(given)} real pictures of {len(set(sources))} packages")
    for channel in (True, False):
        print(f"\n{'cropped and saved as JPEG' if channel else 'as the files are'}: {', '.join(VERDICTS)}; no score; n")
        for name in known:
            verdicts = said[name, channel]
            at = [i for i, verdict in enumerate(verdicts) if verdict is not None]
            line = f"{name:<30}"
            if len(at) > 1:
                for wanted in VERDICTS:
                    rate = cluster_bootstrap([float(verdicts[i] == wanted) for i in at], [sources[i] for i in at])
                    line += f"  {rate.value:.3f} [{rate.low:.2f}, {rate.high:.2f}]"
            print(f"{line}  {len(verdicts) - len(at)}  {len(at)}")
    called = np.array([verdict == "synthetic" for verdict in said["deepfake.fusion", True]])
    worst = {s: called[[i for i, source in enumerate(sources) if source == s]] for s in sorted(set(sources))}
    print("\nfalse positives of deepfake.fusion, cropped and saved as JPEG, by package:")
    print("  " + ", ".join(f"{s} {x.sum()}/{len(x)}" for s, x in worst.items() if x.any()))


if __name__ == "__main__":
    main()
