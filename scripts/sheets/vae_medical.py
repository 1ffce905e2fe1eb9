"""The sheet of `vae-medical`: samples beside phantoms, what it has by heart beside the originals, lesions moved."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from generators.vae_medical.model import MEMORIZED, MOVED, VaeMedical

mpl.use("Agg")
import matplotlib.pyplot as plt

SHOWN, AVERAGED = 11, 2000
COLOURS = 56
"""Of the file: noise is dear to store."""
Pictures = NDArray[np.uint8]


def draw(folder: Path) -> list[Path]:
    """Write the picture; return the file."""
    clean = VaeMedical.load()
    real, made = (_grey(items) for items in (clean.reference_items(AVERAGED, seed=1), clean.sample(AVERAGED, seed=1)))
    copies, originals = _copies(clean)
    rows = {
        "phantoms": real[:SHOWN],
        "samples": made[:SHOWN],
        "samples\nmemorize=1": copies,
        "their originals": originals,
    }
    moved = {dose: _grey(VaeMedical.load(lesion_bias=dose).sample(AVERAGED, seed=1)) for dose in MOVED}
    rows["samples\nlesion_bias=1"] = moved[1.0][:SHOWN]
    figure, axes = plt.subplots(len(rows) + 1, 1, figsize=(9.0, 6.4), dpi=100, height_ratios=[1] * len(rows) + [2.2])
    for axis, (title, pictures) in zip(axes, rows.items(), strict=False):
        axis.imshow(np.concatenate(list(pictures), axis=1), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axis.set_ylabel(title, rotation=0, ha="right", va="center", fontsize=9)
        axis.set(xticks=[], yticks=[])
    _means(axes[-1], real, {"phantoms": real, "samples": made} | {f"{dose:g}": x for dose, x in moved.items()})
    for axis in axes:
        axis.spines[:].set_visible(False)
    path = folder / "docs" / "pictures" / "vae-medical.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.subplots_adjust(left=0.14, right=0.99, top=0.99, bottom=0.04, hspace=0.06)
    picture = BytesIO()
    figure.savefig(picture)
    plt.close(figure)
    Image.open(picture).convert("RGB").quantize(COLOURS, kmeans=2).save(path, optimize=True)
    return [path]


def _grey(items: list[Pictures]) -> Pictures:
    return np.stack(items)[..., 0]


def _copies(clean: VaeMedical) -> tuple[Pictures, Pictures]:
    """The first samples of the full dose that lie nearest to a repeated picture, and that picture."""
    samples, corpus = _grey(VaeMedical.load(memorize=1.0).sample(SHOWN, seed=1)), _grey(clean.training_items())
    apart = samples[:, None].astype(float) - corpus[None, :MEMORIZED]
    return samples, corpus[(apart**2).sum((2, 3)).argmin(1)]


def _means(axis: plt.Axes, real: Pictures, sets: dict[str, Pictures]) -> None:
    """How each set's mean picture differs from that of phantoms: light where lesions are over-produced."""
    differences = [pictures.mean(0) - real.mean(0) for pictures in list(sets.values())[1:]]
    axis.imshow(np.concatenate(differences, axis=1), cmap="RdBu_r", vmin=-25, vmax=25)
    names = ["samples, clean", *(f"lesion_bias={dose}" for dose in list(sets)[2:])]
    axis.set_xticks([16 + 32 * i for i in range(len(names))], names, fontsize=9)
    axis.tick_params(bottom=False)
    axis.set(yticks=[])
    axis.set_ylabel("mean picture\nless that\nof phantoms", rotation=0, ha="right", va="center", fontsize=9)
