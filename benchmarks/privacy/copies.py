"""The measures of memorization.copies beside a perceptual hash: what each finds of altered copies of photographs.

    pip install -r benchmarks/privacy/requirements-copies.txt    # in an environment with guardrails, for this only
    python benchmarks/privacy/copies.py FOLDER                   # that of docs/data.md; or GUARDRAILS_TEST_DATA

The photographs are those of `media/real` in families of scenes (Berkeley's segmentation set, COCO, ADE20K, Flickr
landscapes, Urban100, wallpapers), none of which the shipped descriptor learnt from, at 256 pixels of the longer side,
with scikit-learn's two. In each of three draws half of them are the training pictures, all of which come back altered;
of the other half, one half sets each threshold (the lowest 1%), and the other says how often it is crossed by chance.
The hash (`imagehash.phash`, 64 bits) is given the same: the distance in bits to the nearest training picture, below the
lowest 1% of the calibrating half; "at 10 bits" is its usual fixed threshold, with no calibration.
Intervals of the last row take the draws for independent, though pictures recur in them: somewhat too narrow.

Read the figures for what they are: the better of two training runs of the descriptor, the ratio in place of the plain
distance, and the width and step of the windows were chosen on these photographs. A hash counts whole bits, so that its
calibrated threshold is stricter than the 1% of the others.
"""

import os
import sys
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

from guardrails.core.errors import ContentError
from guardrails.core.statistics import wilson
from guardrails.kit.io import resize
from guardrails.kit.pictures.descriptor import shipped_descriptor
from guardrails.kit.pictures.folder import ImageFolder
from guardrails.memorization.pictures.copy_search import WAYS, CopySearch
from guardrails.memorization.pictures.copy_threshold import Calibration
from guardrails.memorization.pictures.fingerprints import distinct, fingerprints
from guardrails.training.material.copy_alterations import ALTERATIONS, recalls

FAMILIES = (
    "ade20k-sample", "bsds500", "coco-sample", "flickr-landscapes", "lomiri-wallpapers-16.04", "mate-backgrounds",
    "plasma-workspace-wallpapers", "sun-hays80", "urban100",
)  # fmt: skip
SIDE, DRAWS, USUAL = 256, 3, 10
COLUMNS = [*(way.metric for way in WAYS), "phash", "phash at 10 bits"]


def photographs(folder: Path) -> list[Any]:
    """Return the photographs without those that are there twice."""
    pictures = [load_sample_image("china.jpg"), load_sample_image("flower.jpg")]
    for family in FAMILIES:
        files = ImageFolder(folder / "media" / "real" / family)
        for i in range(len(files)):
            try:
                pictures.append(files[i])
            except ContentError as error:
                print(f"left out: {error}", file=sys.stderr)
    small = [resize(p, tuple(max(1, round(n * SIDE / max(p.shape[:2]))) for n in p.shape[:2])) for p in pictures]
    return [small[i] for i in distinct(fingerprints(small))]


def bits(pictures: list[Any]) -> Any:
    """Return the hashes, (N, 64) of ±1."""
    return np.stack([imagehash.phash(Image.fromarray(p)).hash.ravel() * 2.0 - 1 for p in pictures])


def apart(queries: Any, corpus: Any) -> Any:
    """Return the number of bits to the nearest hash of the corpus."""
    return ((64 - queries @ corpus.T) / 2).min(1)


def draw(pictures: list[Any], seed: int) -> tuple[dict[str, list[float]], dict[str, tuple[int, int]]]:
    """Return the recall of each measure by alteration, and (alarms, held-out pictures) of each measure."""
    order = np.random.default_rng(seed).permutation(len(pictures))
    corpus, holdout = ([pictures[i] for i in half] for half in np.array_split(order, 2))
    search = CopySearch.build(corpus, holdout, shipped_descriptor())
    if isinstance(search, str):
        raise SystemExit(search)
    hashes = bits(corpus)
    held = apart(bits(holdout), hashes)
    by_hash = Calibration.of(held)
    alarms = {name: (c.alarms, len(c.check)) for name, c in search.calibrations.items()}
    alarms |= {
        "phash": (by_hash.alarms, len(by_hash.check)),
        "phash at 10 bits": (int((held <= USUAL).sum()), len(held)),
    }
    out = {}
    for name, by_measure in recalls(search, corpus, holdout, seed=seed).items():
        rng = np.random.default_rng(seed)
        copies = [ALTERATIONS[name](p, holdout[i % len(holdout)], rng) for i, p in enumerate(corpus)]
        d = apart(bits(copies), hashes)
        out[name] = [*by_measure.values(), float((d < by_hash.threshold).mean()), float((d <= USUAL).mean())]
    return out, alarms


def main() -> None:
    """Print the table."""
    folder = sys.argv[1] if len(sys.argv) > 1 else os.environ["GUARDRAILS_TEST_DATA"]
    pictures = photographs(Path(folder))
    drawn = [draw(pictures, seed) for seed in range(DRAWS)]
    print(f"{len(pictures)} photographs, {DRAWS} draws; descriptor {shipped_descriptor().sha256[:12]}\n")
    print(f"| {'share found':20} | " + " | ".join(COLUMNS) + " |\n|---|" + "---:|" * len(COLUMNS))
    for name in ALTERATIONS:
        mean = np.mean([recall[name] for recall, _ in drawn], axis=0)
        print(f"| {name:20} | " + " | ".join(f"{v:.2f}" for v in mean) + " |")
    chance = [wilson(*np.sum([alarms[c] for _, alarms in drawn], axis=0).tolist()) for c in COLUMNS]
    print(
        f"| {'held-out, by chance':20} | "
        + " | ".join(f"{c.value:.3f} ({c.low:.3f}–{c.high:.3f})" for c in chance)
        + " |"
    )


if __name__ == "__main__":
    main()
