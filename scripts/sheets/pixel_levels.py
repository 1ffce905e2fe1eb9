"""The sample sheet of `pixel-levels`: clean levels of each kind, and copies beside what they copy."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from generators.pixel_levels import levels
from generators.pixel_levels import truth as levels_truth
from generators.pixel_levels.model import REPEATED, PixelLevels

COLUMNS, COLOURS = 6, 96
TITLES = (
    "dungeon: a key, a locked door, an exit",
    "cave",
    "overworld: a river and its bridges",
    "terrain, as a relief",
)
COPIED = ("dungeon", "overworld", "terrain")
VARIANTS = ("as it is", "mirrored", "re-skinned")


def draw(folder: Path) -> list[Path]:
    """Draw the sheet; return its file."""
    from matplotlib.figure import Figure
    from PIL import Image

    rows = [(title, _samples(kind)) for kind, title in zip(levels.KINDS, TITLES, strict=True)]
    rows += [(f"copy = 1: training levels, and samples that copy them ({kind})", _copies(kind)) for kind in COPIED]
    figure = Figure(figsize=(10.4, 11.2), layout="constrained")
    for part, (title, shown) in zip(figure.subfigures(len(rows), 1), rows, strict=True):
        part.suptitle(title, fontsize=9, x=0.01, ha="left")
        for axes, (caption, tiles) in zip(part.subplots(1, COLUMNS), shown, strict=True):
            axes.axis("off")
            axes.set_title(caption, fontsize=7, pad=2)
            axes.imshow(levels.picture(tiles), interpolation="nearest")
    path = folder / "docs" / "pictures" / "pixel-levels.png"
    picture = BytesIO()
    figure.savefig(picture, dpi=100)
    sheet = Image.open(picture).convert("RGB")
    sheet.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)
    return [path]


def _samples(kind: str) -> list[tuple[str, levels.Tiles]]:
    """The first samples of a kind; those that cannot be played are not left out but say so."""
    drawn = PixelLevels.load(kind=kind).draw_levels(COLUMNS, seed=0)
    can = levels.playable(drawn.tiles)
    captions = ["" if ok or kind == "terrain" else "cannot be played" for ok in can]
    return list(zip(captions, drawn.tiles, strict=True))


def _copies(kind: str) -> list[tuple[str, levels.Tiles]]:
    """The three repeated levels of a kind, beside each the nearest of 150 samples to the variant that was repeated."""
    model = PixelLevels.load(copy=1.0, kind=kind)
    drawn = model.draw_levels(150, seed=1).tiles
    repeated = levels.to_tiles(model.training_items()[levels.KINDS.index(kind) : REPEATED : len(levels.KINDS)])
    shown = []
    for original, what, look in zip(repeated, VARIANTS, levels.variants(repeated)[range(3), range(3)], strict=True):
        near = levels_truth.agreement(drawn, look[None])
        shown += [("training level", original), (f"{what}: {near.max():.0%} of the tiles", drawn[near.argmax()])]
    return shown
