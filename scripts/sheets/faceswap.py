"""The sample sheet of `faceswap`: people, each method at each dose with its mask, and a strip of a flickering video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from generators.faceswap.model import FaceSwap

DOSES = (0.25, 0.5, 1.0)
SEEDS = {"autoencoder": 4, "self-blend": 8, "poisson": 3}
TILE, GAP, LEFT, TOP = 96, 4, 84, 16
COLOURS = 192
FACE = slice(22, 78)
SHOTS = 10


def draw(folder: Path) -> list[Path]:
    rows: list[tuple[str, list[tuple[str, np.ndarray]]]] = []
    people = FaceSwap.load(method="self-blend").sample(6, seed=1)
    rows.append(("untouched", [("", image) for image in people]))
    for method, seed in SEEDS.items():
        clean = FaceSwap.load(method=method).items(1, seed=seed)[0]
        forged = [FaceSwap.load(method=method, forgery=dose).items(1, seed=seed)[0] for dose in DOSES]
        tiles = [("untouched", clean.content)]
        tiles += [(f"forgery={dose:g}", item.content) for dose, item in zip(DOSES, forged, strict=True)]
        mask = forged[0].mask
        assert mask is not None
        tiles.append(("mask", np.repeat(mask[..., None], 3, -1)))
        rows.append((method, tiles))
    for name, doses in (("untouched", {}), ("flicker=1", {"flicker": 1.0})):
        forged_frames = (
            FaceSwap.load(method="self-blend", output="video", flicker=1.0).items(1, seed=7)[0].facts["frames"]
        )
        video = FaceSwap.load(method="self-blend", output="video", **doses).sample(1, seed=7)[0]
        start = max(0, forged_frames[0] - 2)
        shots = range(start, start + SHOTS)
        said = [("forged" if doses and t in forged_frames else f"frame {t}") for t in shots]
        rows.append((f"video,\n{name}", [(s, video[t, FACE, FACE]) for s, t in zip(said, shots, strict=True)]))
    heights = [tiles[0][1].shape[0] + TOP for _, tiles in rows]
    widths = [sum(tile.shape[1] + GAP for _, tile in tiles) for _, tiles in rows]
    sheet = Image.new("RGB", (LEFT + max(widths), sum(heights) + GAP), "white")
    pen, font, up = ImageDraw.Draw(sheet), ImageFont.load_default(11), 0
    for (title, tiles), height in zip(rows, heights, strict=True):
        pen.multiline_text((4, up + TOP + 20), title, fill="black", font=font)
        left = LEFT
        for label, tile in tiles:
            pen.text((left, up + 2), label, fill="black", font=font)
            sheet.paste(Image.fromarray(tile), (left, up + TOP))
            left += tile.shape[1] + GAP
        up += height
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "faceswap.png"
    small = sheet.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    return [path]
