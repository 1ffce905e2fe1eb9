"""Leave-one-family-out on the public media corpus: what each descriptor tells apart, alone and together.

    GUARDRAILS_TEST_DATA=… python benchmarks/deepfake/media.py [--rescale] [--formats JPEG] [--draws 1]

Every picture of both classes is cropped and saved by the same rule (`_protocol.encoded`), and half of them are made
smaller where ``--rescale`` is given. A model is fitted to all families but one and to four fifths of the sources of
photographs, and scores the rest. Printed are the mean AUC over families, over those of at least 24 files, and the
worst of these, each with its interval over sources; beside them what the bare file tells before all this (its format,
size, bytes), what size and bytes tell after it, and the null: photographs against themselves, saved as JPEG beforehand.
Figures of this corpus are for development: its families are few and its photographs mostly old.
"""

import argparse
import csv
import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from guardrails.core.seeding import derive_seed32
from guardrails.deepfake._descriptors import DESCRIPTORS, described
from guardrails.deepfake._head import Head
from guardrails.deepfake._metadata import metadata
from guardrails.deepfake._protocol import (
    Placed,
    area,
    encoded,
    leave_one_family_out,
    mean_area,
    null_area,
    splits,
    weights_of,
)
from guardrails.kit.io import read_image

Array = NDArray[np.float64]

LARGE = 24
NULLS = 150


class Corpus:
    """The manifest's real and generated files, encoded alike and described."""

    def __init__(self, folder: Path, formats: Sequence[str], draw: int, *, rescale: bool) -> None:
        with open(folder / "manifest.csv", newline="", encoding="utf-8") as file:
            self.rows = [row for row in csv.DictReader(file) if row["label"] in ("real", "generated")]
        self.folder, self.formats, self.draw, self.rescale = folder, formats, draw, rescale
        self.labels = np.array([int(row["label"] == "generated") for row in self.rows])
        self.families = [row["family"] for row in self.rows]
        self.collections = [row["path"].split("/")[1] for row in self.rows]
        # Files cut from one picture are one source of a generator; photographs share the folder they came in.
        self.sources = [
            f"{row['source']}/{row['source_path']}" if label else folder
            for row, label, folder in zip(self.rows, self.labels, self.collections, strict=True)
        ]

    def described(self) -> dict[str, Array]:
        """(N, D) for each descriptor, and size and bytes as the baseline."""
        found = [self._one(row["path"]) for row in self.rows]
        return {name: np.stack([row[name] for row in found]).astype(np.float64) for name in found[0]}

    def _one(self, path: str) -> Mapping[str, NDArray[np.floating]]:
        seed = derive_seed32(self.draw, path)
        picture = encoded(read_image(self.folder / path), seed=seed, formats=self.formats, rescale=self.rescale)
        bare = metadata(self.folder / path)
        return {"bare file": bare, "size and bytes": _size(picture), **described(picture)}


def _size(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=90)
    side = picture.shape[0]
    return np.array([np.log(side), np.log(len(buffer.getvalue()) / side**2)], dtype=np.float32)


def scored(corpus: Corpus, blocks: Mapping[str, Array]) -> dict[str, Placed]:
    """Leave one family out."""

    def scorer(fit: NDArray[np.intp], rows: NDArray[np.intp]) -> Array:
        labels = corpus.labels[fit]
        weights = weights_of(labels, [corpus.collections[i] for i in fit])
        head = Head.fit({name: x[fit] for name, x in blocks.items()}, labels, weights)
        return head.score({name: x[rows] for name, x in blocks.items()})

    return leave_one_family_out(scorer, splits(corpus.labels, corpus.families, corpus.sources))


def line(name: str, corpus: Corpus, found: Mapping[str, Placed]) -> str:
    large = {f: placed for f, placed in found.items() if len(placed.generated) >= LARGE}
    areas = {f: area(placed, corpus.sources) for f, placed in large.items()}
    worst = min(areas, key=lambda f: areas[f].value)
    cells = [mean_area(found, corpus.sources), mean_area(large, corpus.sources), areas[worst]]
    return f"{name:<16}" + "".join(f"  {c.value:.3f} [{c.low:.2f}, {c.high:.2f}]" for c in cells) + f"  {worst}"


def null_line(corpus: Corpus, formats: Sequence[str]) -> str:
    """Lossless photographs only: the others have met JPEG before."""
    rows = [r for r, y in zip(corpus.rows, corpus.labels, strict=True) if not y and r["format"] == "PNG"][:NULLS]
    pictures = [read_image(corpus.folder / row["path"]) for row in rows]
    sources = [row["path"] for row in rows]

    lengths = {name: len(vector) for name, vector in described(pictures[0]).items()}

    def describe(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        return np.concatenate(list(described(picture).values())).astype(np.float64)

    def blocks(x: Array) -> dict[str, Array]:
        return dict(zip(lengths, np.split(x, np.cumsum(list(lengths.values()))[:-1], axis=1), strict=True))

    def fit(x: Array, labels: NDArray[np.int64]) -> Callable[[Array], Array]:
        head = Head.fit(blocks(x), labels)
        return lambda rows: head.score(blocks(rows))

    found = null_area(describe, pictures, sources, fit, formats=formats)
    what = "/".join(formats) or "as it is"
    return f"null, then {what}: {found.value:.3f} [{found.low:.2f}, {found.high:.2f}] over {len(rows)} photographs"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--formats", nargs="+", default=["JPEG"], choices=["JPEG", "WEBP", "PNG"])
    arguments.add_argument("--draws", type=int, default=1)
    arguments.add_argument("--rescale", action="store_true")
    options = arguments.parse_args()
    folder = Path(os.environ["GUARDRAILS_TEST_DATA"]) / "media"
    for draw in range(options.draws):
        corpus = Corpus(folder, options.formats, draw, rescale=options.rescale)
        x = corpus.described()
        print(f"{len(corpus.rows)} files, {len(set(corpus.families)) - 1} families, draw {draw}")
        print(f"{'':<16}  all families        of {LARGE} files or more  worst of these")
        for name, part in x.items():
            print(line(name, corpus, scored(corpus, {name: part})), flush=True)
        print(line("together", corpus, scored(corpus, {name: x[name] for name in DESCRIPTORS})), flush=True)
    nulls: list[list[str]] = [[], options.formats]
    for formats in nulls:
        print(null_line(corpus, formats), flush=True)


if __name__ == "__main__":
    main()
