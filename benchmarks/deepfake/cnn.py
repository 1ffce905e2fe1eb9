"""The residual network on the public media corpus beside NPR and SRM: evaluation only, it has learnt from none of it.

    GUARDRAILS_TEST_DATA=… python benchmarks/deepfake/cnn.py

Every picture is cropped and saved as JPEG by one rule (`_protocol.encoded`). Collections of photographs that packages
carry are left out, as the network may have learnt from the same packages. "as it ships" is one fixed score; the other
lines fit a linear head to all families but one and four fifths of the collections, and score the rest, as
`benchmarks/deepfake/media.py` does for every descriptor. TPR at 5% false positives is over all generated files, at the
threshold that 5% of the real files reach in each fold, with its interval over families.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))

from media import LARGE, Corpus, line, scored

from guardrails.core.seeding import derive_seed32
from guardrails.core.statistics import cluster_bootstrap
from guardrails.deepfake._descriptors import DESCRIPTORS
from guardrails.deepfake._picture import Picture
from guardrails.deepfake._protocol import Placed, encoded
from guardrails.deepfake.cnn import Cnn
from guardrails.kit.io import read_image

LEARNT_FROM = ("opencv-doc", "plasma-workspace-wallpapers", "mate-backgrounds", "lomiri-wallpapers-16.04")
PEERS = {"NPR": "upsampling", "SRM": "residuals"}
FPR = 0.05


class Described(Corpus):
    """The corpus without what the network may have learnt from."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, ["JPEG"], 0, rescale=False)
        keep = [i for i, name in enumerate(self.collections) if name not in LEARNT_FROM]
        self.rows, self.labels = [self.rows[i] for i in keep], self.labels[keep]
        for name in ("families", "sources", "collections"):
            setattr(self, name, [getattr(self, name)[i] for i in keep])
        self._cnn = Cnn()

    def _one(self, path: str) -> Mapping[str, NDArray[np.floating]]:
        pixels = encoded(read_image(self.folder / path), seed=derive_seed32(0, path), formats=["JPEG"], rescale=False)
        picture = Picture(path, pixels=pixels)
        found = {name: DESCRIPTORS[key](picture.tiles) for name, key in PEERS.items()}
        ((_, features),) = self._cnn.blocks(picture).items()
        score = self._cnn.score([picture])[0].score
        return {**found, "CNN": features, "CNN as it ships": np.array([score])}


def shipped(corpus: Corpus, scores: NDArray[np.float64]) -> dict[str, Placed]:
    """Every family against every real file: one fixed score needs no folds."""
    real, families = np.flatnonzero(corpus.labels == 0), np.array(corpus.families)
    out = {}
    for family in sorted(set(families[corpus.labels == 1])):
        made = np.flatnonzero((families == family) & (corpus.labels == 1))
        a, b = scores[made][:, None], scores[real][None]
        out[family] = Placed((a > b) + 0.5 * (a == b), made, real)
    return out


def sensitivity(found: Mapping[str, Placed]) -> str:
    """Share of generated files above 95% of the real ones; real files of all folds together."""
    caught = np.concatenate([(placed.above.mean(axis=1) >= 1 - FPR).astype(float) for placed in found.values()])
    family = np.repeat(list(found), [len(placed.generated) for placed in found.values()])
    rate = cluster_bootstrap(caught, family, statistic=np.mean, resamples=1000, seed=0)
    return f"{rate.value:.2f} [{rate.low:.2f}, {rate.high:.2f}]"


def main() -> None:
    corpus = Described(Path(os.environ["GUARDRAILS_TEST_DATA"]) / "media")
    x = corpus.described()
    print(f"{len(corpus.rows)} files, {int((corpus.labels == 0).sum())} real of {len(set(corpus.collections))} folders")
    print(f"{'':<16}  all families        of {LARGE} files or more  worst of these")
    results = {name: scored(corpus, {name: part}) for name, part in x.items() if name in (*PEERS, "CNN")}
    results["NPR, SRM, CNN"] = scored(corpus, {name: x[name] for name in (*PEERS, "CNN")})
    results["CNN as it ships"] = shipped(corpus, x["CNN as it ships"][:, 0])
    for name, found in results.items():
        print(line(name, corpus, found), f" TPR@5% {sensitivity(found)}", flush=True)


if __name__ == "__main__":
    main()
