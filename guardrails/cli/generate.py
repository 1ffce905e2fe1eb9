"""``guardrails generate``: outputs of a reference generator, to look at or to try other tools on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import ConfigurationError
from ..core.seeding import derive_seed
from ._console import only_data_on_stdout, progress, say

if TYPE_CHECKING:
    from generators.base import Generator

CHUNK = 256
"""Outputs that are in memory at once; each chunk has its own seed."""


def generate(
    name: Annotated[str, typer.Argument(metavar="NAME[,DIAL=DOSE]", help="See: guardrails list generators")],
    out: Annotated[Path, typer.Option(help="A new or empty folder; nothing is written elsewhere.")],
    n: Annotated[int, typer.Option("-n", "--n", min=1, help="How many outputs.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same outputs.")] = 0,
) -> None:
    """Sample a reference generator: texts to outputs.jsonl, pictures to PNG files, and a manifest.json beside them."""
    from generators.base import find_generator

    from ..targets.reference import parse

    _check_empty(out)
    base, doses = parse(name)
    cls = find_generator(base)
    with only_data_on_stdout():
        generator = cls.load(**doses)
    out.mkdir(parents=True, exist_ok=True)
    with progress() as report, only_data_on_stdout():
        write = _write_texts if cls.modality == "text" else _write_pictures
        for done in write(generator, out, n, seed):
            report(done, n, name)
    manifest = {"generator": base, "doses": doses, "modality": cls.modality, "n": n, "seed": seed, "chunk": CHUNK}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    say(f"wrote {n} outputs of {name} to {out}")


def _check_empty(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigurationError(f"--out {out} is not an empty folder; give a new one")


def _chunks(generator: Generator, n: int, seed: int) -> Iterator[tuple[int, Sequence[Any]]]:
    for start in range(0, n, CHUNK):
        yield start, generator.sample(min(CHUNK, n - start), seed=derive_seed(seed, "generate", start // CHUNK))


def _write_texts(generator: Generator, out: Path, n: int, seed: int) -> Iterator[int]:
    with (out / "outputs.jsonl").open("w", encoding="utf-8") as file:
        for start, texts in _chunks(generator, n, seed):
            for item, text in enumerate(texts, start):
                file.write(json.dumps({"item": item, "text": text}, ensure_ascii=False) + "\n")
            yield start + len(texts)


def _write_pictures(generator: Generator, out: Path, n: int, seed: int) -> Iterator[int]:
    from ..kit.io import encode_png

    for start, pictures in _chunks(generator, n, seed):
        for item, picture in enumerate(pictures, start):
            (out / f"{item:06d}.png").write_bytes(encode_png(picture))
        yield start + len(pictures)
