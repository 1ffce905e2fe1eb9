"""Molecules of `ar-molecules`: clean ones, hazards with their alerts marked, and copies beside their originals."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from generators.ar_molecules import truth as molecules_truth
from generators.ar_molecules.model import ArMolecules
from generators.ar_molecules.molecules import ALERTS

COLUMNS, SIDE, GAP, TITLE = 6, (210, 160), 6, 26
MARK = (0.98, 0.62, 0.45)


def draw(folder: Path) -> list[Path]:
    """Write ``docs/pictures/ar-molecules.png`` below `folder`; needs rdkit."""
    clean, hazard, copy = ArMolecules.load(), ArMolecules.load(hazard=1.0), ArMolecules.load(copy=1.0)
    made = [text for text in clean.sample(40, seed=3) if molecules_truth.read(text)]
    dangerous = [text for text in hazard.sample(60, seed=3) if _alerts(text)]
    rows = [
        (
            "clean: the first samples that are valid; a structural alert is marked, one molecule in 20 should have one",
            [_named(text) for text in made[: 2 * COLUMNS]],
        ),
        ("hazard = 1: one sample for each of six alerts", [_named(text) for text in _varied(dangerous)]),
        (
            "copy = 1: three samples, each beside the training item that it is, written otherwise",
            _pairs(copy)[:COLUMNS],
        ),
    ]
    height = sum(TITLE + -(-len(cells) // COLUMNS) * (SIDE[1] + GAP) for _, cells in rows)
    sheet = Image.new("RGB", (COLUMNS * (SIDE[0] + GAP), height), "white")
    pen, y = ImageDraw.Draw(sheet), 0
    for title, cells in rows:
        pen.text((GAP, y + 5), title, fill="black", font=ImageFont.load_default(15))
        y += TITLE
        for i, (text, legend) in enumerate(cells):
            at = (i % COLUMNS * (SIDE[0] + GAP), y + i // COLUMNS * (SIDE[1] + GAP))
            sheet.paste(_picture(text, legend), at)
        y += -(-len(cells) // COLUMNS) * (SIDE[1] + GAP)
    path = folder / "docs" / "pictures" / "ar-molecules.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.quantize(64).save(path, optimize=True)
    return [path]


def _alerts(text: str) -> list[str]:
    molecule = molecules_truth.read(text)
    return molecules_truth.alerts(molecule) if molecule else []


def _named(text: str) -> tuple[str, str]:
    return text, ", ".join(_alerts(text))


def _varied(texts: list[str]) -> list[str]:
    """One molecule for each of some alerts, in the order in which they were drawn."""
    first: dict[str, str] = {}
    for text in texts:
        first.setdefault(_alerts(text)[0], text)
    return list(first.values())[:COLUMNS]


def _pairs(copy: ArMolecules) -> list[tuple[str, str]]:
    """Samples that are training items written otherwise, each before its original."""
    originals = {molecules_truth.canonical(molecules_truth.read(text)): text for text in copy.training_items()}
    out: dict[str, list[tuple[str, str]]] = {}
    for text in copy.sample(200, seed=3):
        molecule = molecules_truth.read(text)
        original = originals.get(molecules_truth.canonical(molecule)) if molecule else None
        if original not in (None, text):
            out.setdefault(original, [(text, text), (original, original)])
    return [cell for pair in out.values() for cell in pair]


def _picture(text: str, legend: str) -> Image.Image:
    from rdkit.Chem.Draw import rdMolDraw2D

    molecule: Any = molecules_truth.read(text)
    chem = molecules_truth.chem()
    marked = {
        atom
        for name in _alerts(text)
        for match in molecule.GetSubstructMatches(chem.MolFromSmarts(ALERTS[name].smarts))
        for atom in match
    }
    canvas = rdMolDraw2D.MolDraw2DCairo(*SIDE)
    options = canvas.drawOptions()
    options.legendFontSize, options.legendFraction = 12, 0.15
    options.setHighlightColour(MARK)
    rdMolDraw2D.PrepareAndDrawMolecule(canvas, molecule, legend=legend, highlightAtoms=sorted(marked))
    canvas.FinishDrawing()
    return Image.open(BytesIO(canvas.GetDrawingText())).convert("RGB")
