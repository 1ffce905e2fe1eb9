"""``guardrails generate``: outputs of a reference generator, to look at or to try other tools on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import ConfigurationError
from ..core.seeding import derive_seed
from . import _outputs as outputs
from ._console import only_data_on_stdout, progress
from ._new_folder import new_folder
from ._screen import note

if TYPE_CHECKING:
    from generators.base import Generator

CHUNK = 256
"""Outputs that are in memory at once; each chunk has its own seed."""

MOST = 10**9
"""Outputs that may be asked for: years of work, and more files than a folder takes."""


def generate(
    name: Annotated[str, typer.Argument(metavar="NAME[,DIAL=DOSE]", help="See: guardrails list generators")],
    out: Annotated[Path, typer.Option(help="A new or empty folder; nothing is written elsewhere.")],
    n: Annotated[int, typer.Option("-n", "--n", min=1, max=MOST, help="How many outputs.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same outputs.")] = 0,
    faces: Annotated[Path | None, typer.Option(help="faceswap: a folder of photographs to take faces from.")] = None,
    boxes: Annotated[Path | None, typer.Option(help="A CSV or JSON file with the places of the faces.")] = None,
    face_model: Annotated[Path | None, typer.Option(help="A YuNet model (.onnx) for finding the faces.")] = None,
) -> None:
    """Sample a reference generator into files, with a manifest.json.

    Texts go to outputs.jsonl, tables to outputs.csv, pictures to PNG, sound to WAV, videos to AVI files. What is known
    of each output goes to facts.jsonl, and which pixels are forged to masks.npz.
    """
    from ..targets.reference import find_generator, parse

    base, settings = parse(name)
    cls = find_generator(base)
    with only_data_on_stdout():
        generator = cls.load(**settings)
        if faces is not None:
            generator = _with_faces(generator, faces, boxes, face_model)
        elif boxes is not None or face_model is not None:
            raise ConfigurationError("--boxes and --face-model say where the faces of --faces are; give that too")
    with new_folder(out):
        with progress() as report, only_data_on_stdout(), outputs.writer(generator, out) as write:
            for start in range(0, n, CHUNK):
                size = min(CHUNK, n - start)
                write(start, generator.items(size, seed=derive_seed(seed, "generate", start // CHUNK)))
                report(start + size, n, name)
        _write_manifest(out, generator, base, settings, n=n, seed=seed, faces=faces)
    note(f"wrote {n} outputs of {name} to {out}")


def _write_manifest(
    out: Path, generator: Generator, base: str, settings: Any, *, n: int, seed: int, faces: Path | None
) -> None:
    manifest = {
        "generator": base,
        "settings": settings,
        "modality": generator.modality,
        "n": n,
        "seed": seed,
        "chunk": CHUNK,
        "faces": str(faces) if faces else None,
        "sha256": generator.card["sha256"],
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _with_faces(generator: Any, faces: Path, boxes: Path | None, model: Path | None) -> Generator:
    if not hasattr(generator, "with_faces"):
        raise ConfigurationError(f"{generator.name} takes no --faces; faceswap does")
    made: Generator = generator.with_faces(faces, boxes=boxes, model=model)
    return made
