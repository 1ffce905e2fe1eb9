"""The sheet of `diffusion-photo`: real pictures and made ones, denoising, copies, and the way to the noise and back."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from generators.diffusion_photo.model import DiffusionPhoto
from generators.diffusion_photo.photographs import SIDE, to_bytes

mpl.use("Agg")
import matplotlib.pyplot as plt

COLUMNS, GAP, ZOOM = 13, 1, 2
TITLE = 24
"""Pixels that a title takes."""
COLOURS = 80
"""Of the file: noise is dear to store."""
Pictures = list[NDArray[np.uint8]]


def draw(folder: Path) -> list[Path]:
    """Write the picture; return the file."""
    clean = DiffusionPhoto.load()
    copies, originals = _copies(DiffusionPhoto.load(memorize=1.0))
    there = clean.holdout_items()[:COLUMNS]
    x_T = clean.ddim_invert(there)
    rows = {
        "the law: patches of photographs, and textures": clean.reference_items(2 * COLUMNS, seed=1),
        "samples, clean": clean.sample(4 * COLUMNS, seed=1),
        "denoising, a row each: the picture that the model tells, from the first step of the walk to the last": _walk(
            clean
        ),
        "samples at memorize=1, and below each the nearest training picture": [*copies, *originals],
        "held-out pictures, the noise x_T that they become, and what becomes of it": [
            *there,
            *to_bytes(x_T / 3),  # black to white is six standard deviations
            *clean.ddim_decode(x_T, steps=100),
        ],
    }
    grids = {title: _grid(images) for title, images in rows.items()}
    width = COLUMNS * (SIDE * ZOOM + GAP) + GAP
    height = sum(TITLE + len(grid) for grid in grids.values())
    figure = plt.figure(figsize=(width / 100, height / 100), dpi=100)
    top = height
    for title, grid in grids.items():
        figure.text(2 / width, (top - TITLE + 6) / height, title, fontsize=9)
        top -= TITLE + len(grid)
        figure.figimage(grid, 0, top)
    picture = BytesIO()
    figure.savefig(picture)
    plt.close(figure)
    path = folder / "docs" / "pictures" / "diffusion-photo.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.open(picture).convert("RGB").quantize(COLOURS, kmeans=2, dither=Image.Dither.NONE).save(path, optimize=True)
    return [path]


def _walk(model: DiffusionPhoto, pictures: int = 2) -> Pictures:
    """x̂₀ at the steps of the walk from noise to picture, a row for each picture."""
    x = torch.randn(pictures, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(7))
    path = model._steps(COLUMNS)[::-1]
    told = []
    with torch.no_grad():
        for t, s in zip(path, [*path[1:], 0], strict=True):
            x_0, epsilon = model.predict(x, torch.full((pictures,), t))
            told.append(to_bytes(x_0))
            x = model.noised(x_0, torch.full((pictures,), s), epsilon)
    return list(np.stack(told, axis=1).reshape(-1, SIDE, SIDE, 3))


def _copies(model: DiffusionPhoto) -> tuple[Pictures, Pictures]:
    """The first samples, and the training picture nearest to each."""
    samples, corpus = model.sample(COLUMNS, seed=2), model.training_items()
    distance = np.square(np.stack(samples)[:, None].astype(float) - np.stack(corpus)[None]).sum((2, 3, 4))
    return list(samples), [corpus[i] for i in distance.argmin(1)]


def _grid(images: Pictures) -> NDArray[np.uint8]:
    """Lay pictures out row by row, enlarged, with white between."""
    pitch = SIDE * ZOOM + GAP
    out = np.full((-(-len(images) // COLUMNS) * pitch + GAP, COLUMNS * pitch + GAP, 3), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = i // COLUMNS * pitch + GAP, i % COLUMNS * pitch + GAP
        large = image.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)
        out[top : top + SIDE * ZOOM, left : left + SIDE * ZOOM] = large
    return out
