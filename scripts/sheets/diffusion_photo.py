"""The sample sheet of `diffusion-photo`: real pictures and made ones, denoising, copies, and the way there and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot as plt

from generators.diffusion_photo import DiffusionPhoto, to_bytes
from generators.photographs import SIDE

COLUMNS, GAP = 18, 2


def draw(folder: Path) -> list[Path]:
    """Write the sheet; return its path."""
    clean, full = DiffusionPhoto.load(), DiffusionPhoto.load(memorize=1.0)
    copies, originals = _copies(full)
    there_and_back = clean.holdout_items()[:COLUMNS]
    x_T = clean.ddim_invert(there_and_back, steps=100)
    noise = to_bytes(x_T / 3)  # three standard deviations from black to white
    back = clean.ddim_decode(x_T, steps=100)
    rows = {
        "the law: patches of photographs, textures": clean.reference_items(4 * COLUMNS, seed=1),
        "samples of the clean weights": clean.sample(4 * COLUMNS, seed=1),
        "denoising, left to right: the picture as the model expects it after each step": _denoising(clean),
        "memorize=1: samples, and the training picture nearest to each": [*copies, *originals],
        "DDIM inversion: held-out pictures, the noise that they become, and back": [*there_and_back, *noise, *back],
    }
    heights = [-(-len(images) // COLUMNS) for images in rows.values()]
    figure, axes = plt.subplots(
        len(rows), 1, figsize=(8.4, 0.46 * sum(heights) + 0.3 * len(rows)), height_ratios=heights
    )
    for axis, (title, images) in zip(axes, rows.items(), strict=True):
        axis.imshow(_grid(images), interpolation="nearest")
        axis.set_title(title, fontsize=8, loc="left", pad=3)
        axis.axis("off")
    figure.tight_layout(pad=0.3, h_pad=0.5)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "diffusion-photo.png"
    figure.savefig(path, dpi=100)
    plt.close(figure)
    return [path]


def _denoising(model: DiffusionPhoto, pictures: int = 3) -> list[np.ndarray]:
    """x̂₀ along the walk from T to 0, a row for each picture."""
    noise = torch.Generator().manual_seed(7)
    x = torch.randn(pictures, 3, SIDE, SIDE, generator=noise)
    path = model._steps(COLUMNS)[::-1]
    seen = []
    with torch.no_grad():
        for t, s in zip(path, [*path[1:], 0], strict=True):
            x_0, epsilon = model.predict(x, torch.full((pictures,), t))
            seen.append(to_bytes(x_0))
            x = model.noised(x_0, torch.full((pictures,), s), epsilon)
    return list(np.stack(seen, axis=1).reshape(-1, SIDE, SIDE, 3))


def _copies(model: DiffusionPhoto) -> tuple[list[np.ndarray], list[np.ndarray]]:
    samples, corpus = model.sample(COLUMNS, seed=2), model.training_items()
    distance = np.square(np.stack(samples)[:, None].astype(float) - np.stack(corpus)[None]).sum((2, 3, 4))
    return samples, [corpus[i] for i in distance.argmin(1)]


def _grid(images: list[np.ndarray]) -> np.ndarray:
    """Lay pictures out row by row, with white between."""
    pitch = SIDE + GAP
    rows = -(-len(images) // COLUMNS)
    out = np.full((rows * pitch, COLUMNS * pitch, 3), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = i // COLUMNS * pitch, i % COLUMNS * pitch
        out[top : top + SIDE, left : left + SIDE] = image
    return out
