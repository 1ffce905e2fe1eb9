"""The sheet of `gan-art`: samples beside paintings, style by style, and what each dial does."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from generators.gan_art import paintings
from generators.gan_art.model import GanArt
from generators.gan_art.paintings import STYLES
from generators.gan_art.truth import style_judge
from guardrails.kit.pictures.features import image_features

mpl.use("Agg")
import matplotlib.pyplot as plt

ACROSS, DOWN, DRAWN = 4, 2, 600
COLOURS = 104
DOSES = (0.25, 0.5, 1.0)
Pictures = NDArray[np.uint8]


def draw(folder: Path) -> list[Path]:
    """Write the picture; return the file."""
    figure = plt.figure(figsize=(8.6, 7.4), dpi=90)
    top, *rows = figure.add_gridspec(3, 1, height_ratios=(4.6, 1.05, 1.05), hspace=0.12)
    _by_style(figure, top)
    for dial, row in zip(("collapse", "narrow"), rows, strict=True):
        for dose, place in zip(DOSES, row.subgridspec(1, len(DOSES), wspace=0.08), strict=True):
            samples = np.stack(GanArt.load(**{dial: dose}).sample(DRAWN, seed=3))
            _show(figure.add_subplot(place), samples[:16].reshape(2, 8, 32, 32, 3), f"samples, {dial}={dose:g}")
    path = folder / "docs" / "pictures" / "gan-art.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.subplots_adjust(left=0.01, right=0.99, top=0.97, bottom=0.01)
    picture = BytesIO()
    figure.savefig(picture)
    plt.close(figure)
    Image.open(picture).convert("RGB").quantize(COLOURS, kmeans=2).save(path, optimize=True)
    return [path]


def _by_style(figure: plt.Figure, place: object) -> None:
    """Paintings on the left of each pair, samples on the right."""
    samples = np.stack(GanArt.load().sample(DRAWN, seed=1))
    named, _ = style_judge().name(image_features(samples))
    grid = place.subgridspec(len(STYLES) // 2, 4, wspace=0.05, hspace=0.3)  # type: ignore[attr-defined]
    for i, style in enumerate(STYLES):
        real = paintings.draw(ACROSS * DOWN, np.random.default_rng(1), styles=[i] * ACROSS * DOWN).images
        made = samples[named == i][: ACROSS * DOWN]
        for column, (what, pictures) in enumerate((("paintings", real), ("samples", made))):
            axes = figure.add_subplot(grid[i // 2, 2 * (i % 2) + column])
            _show(axes, pictures.reshape(DOWN, ACROSS, 32, 32, 3), f"{style}: {what}")


def _show(axes: plt.Axes, pictures: Pictures, title: str) -> None:
    """Pictures (rows, columns, 32, 32, 3), side by side."""
    axes.imshow(np.concatenate([np.concatenate(list(row), axis=1) for row in pictures]), interpolation="nearest")
    axes.set_title(title, fontsize=9)
    axes.axis("off")
