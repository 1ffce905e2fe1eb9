"""The residual network on the public media corpus beside NPR and SRM: evaluation only, it has learnt from none of it.

    GUARDRAILS_TEST_DATA=… python benchmarks/deepfake/cnn.py

Every picture of both classes is cropped and saved as JPEG 70–95 by one draw. Photographs that packages carry are left
out, as the network may have learnt from the same packages. "as it ships" is one fixed score; the other lines fit a
linear head to all families but one and four fifths of the sources of photographs, and score the rest, as
`benchmarks/deepfake/media.py` does for every descriptor.
"""

import os
from pathlib import Path

import numpy as np
from media import KEYS, shown

from guardrails.deepfake.cnn import Cnn
from guardrails.deepfake.images.picture import Picture
from guardrails.kit.detection.protocol import leave_one_family_out, splits
from guardrails.training.exams.images import Rows, areas, families
from guardrails.training.material.described_pictures import drawn, vectors
from guardrails.training.material.pictures import of_folder

LEARNT_FROM = ("opencv-doc", "plasma-workspace-wallpapers", "mate-backgrounds", "lomiri-wallpapers-16.04")
TRACES = ["spectrum", "blocks", "upsampling", "residuals", "colour"]
HEADS = {
    "traces": TRACES,
    "traces, CNN": [*TRACES, "cnn"],
    "NPR": ["upsampling"],
    "SRM": ["residuals"],
    "CNN": ["cnn"],
    "NPR, SRM, CNN": ["upsampling", "residuals", "cnn"],
}


def main() -> None:
    folder, cnn = Path(os.environ["GUARDRAILS_TEST_DATA"]) / "media", Cnn()
    given = [e for e in of_folder(folder, 0) if e.source not in LEARNT_FROM] + of_folder(folder, 1)
    described, scores = [], []
    for example in given:
        pixels = drawn(example, seed=0, plain=True)
        picture = Picture.of(pixels)
        ((_, features),) = cnn.blocks(picture).items()
        described.append({**vectors(pixels, None), "cnn": features})
        scores.append(cnn.score([picture])[0].score)
    every, fixed = np.ones(len(given), dtype=bool), np.array(scores, dtype=np.float64)
    rows = Rows(
        {name: np.stack([x[name] for x in described]).astype(np.float64) for name in described[0]},
        np.array([e.label for e in given], dtype=np.int64), [e.group for e in given], [e.source for e in given],
        every, every,
    )  # fmt: skip
    results = {name: families(rows.only({block: block for block in blocks})) for name, blocks in HEADS.items()}
    parts = splits(rows.labels, rows.groups, rows.groups)
    results["CNN as it ships"] = leave_one_family_out(lambda _, left: fixed[left], parts)
    real = [e.source for e in given if not e.label]
    print(f"{len(given)} files, {len(real)} real of {len(set(real))} sources")
    print(f"{'':<16}  all families        24 files or more    worst of these      TPR at 5% FPR")
    for name, placed in results.items():
        figures = areas(rows, placed)
        print(f"{name:<16}  {'  '.join(shown(figures, key) for key in KEYS)}  {figures[KEYS[2]]['family']}")


if __name__ == "__main__":
    main()
