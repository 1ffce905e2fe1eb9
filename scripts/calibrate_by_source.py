"""Scores the shipped heads on sources and families that they have not learnt from, for calibrations by source.

python scripts/calibrate_by_source.py FOLDER [FOLDER ...]

Each folder has a ``manifest.csv`` (path, label, family, source, source_path, licence). Rows whose licence does not
permit to learn from them are left out, and pictures of a kind that the heads do not judge: with a face, drawn. Every
picture counts as it is and after one random crop, resize and encoding, drawn alike for both classes. The scores are
written to ``by_source.json`` beside the weights; they are all that is kept of the pictures.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from guardrails.deepfake.fusion import ENCODED, Fusion, block_of
from guardrails.deepfake.images.fitted_head import WEIGHTS, Fitted, read
from guardrails.deepfake.images.kinds import PHOTOGRAPH, kind_of
from guardrails.deepfake.images.picture import Picture
from guardrails.deepfake.images.source_calibration import NAME
from guardrails.training.material import pictures as examples
from guardrails.training.material.described_pictures import drawn

HEADS = (ENCODED, "deepfake.features")
BASIS = "photographs without a face and generated pictures that no head learnt from"
WHY = "its calibration has sources of photographs without a face alone, and the library no control of any other kind"
SEED = 0

Described = tuple[int, str, Mapping[str, Any]]
"""Label, source or family, blocks."""


def described(folders: Iterable[Path]) -> Iterable[Described]:
    """Yield both versions of every picture that may be learnt from and is judged."""
    detector = Fusion()
    for folder in folders:
        for label in (0, 1):
            for example in examples.of_folder(folder, label):
                if not example.learnt:
                    continue
                picture = Picture.of(example.read())
                blocks = detector.blocks(picture)
                if kind_of(picture) == PHOTOGRAPH:
                    yield label, example.group, blocks
                    changed = drawn(example, seed=SEED, plain=False)
                    yield label, example.group, detector.blocks(Picture.of(changed))


def stated(rows: Iterable[Described]) -> dict[str, Any]:
    """Return the scores of each head by source and family, and how strange its strangest picture is."""
    heads, card = read.__wrapped__(WEIGHTS)
    pictures = list(rows)
    out = {}
    for name in HEADS:
        one: dict[str, Any] = {"real": {}, "generated": {}, "weights_sha256": card["sha256"], "reach": 0.0}
        for label, group, blocks in pictures:
            x = _of(heads[name], blocks)
            several = one["generated" if label else "real"].setdefault(group, [])
            several.append(round(float(heads[name].head.score(x)[0]), 4))
            one["reach"] = max(one["reach"], round(float(heads[name].head.strangeness(x)[0]), 4))
        out[name] = one
    return {
        "what": "scores of the shipped heads by source of photographs and family of generators",
        "command": "python scripts/calibrate_by_source.py", "basis": BASIS,
        "scope": {"kinds": [PHOTOGRAPH], "why": WHY}, "heads": out,
    }  # fmt: skip


def _of(fitted: Fitted, blocks: Mapping[str, Any]) -> dict[str, Any]:
    """Return the blocks of a head, (1, D) each: the fusion calls those of an encoder otherwise."""
    renamed = {block_of(name): name for name in fitted.head.mean}
    there = {name: blocks[name if name in blocks else block_of(name)] for name in renamed.values()}
    return {name: np.asarray(x, dtype=np.float64)[None] for name, x in there.items()}


def main(folders: list[str]) -> int:
    """Write the file."""
    text = json.dumps(stated(described(map(Path, folders))), indent=1, sort_keys=True)
    (WEIGHTS / NAME).write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
