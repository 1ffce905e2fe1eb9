"""Writes the outputs of a reference generator, each modality in its usual format."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from generators.base import Generator, Item

    Write = Callable[[int, Sequence[Item]], None]


@contextmanager
def writer(generator: Generator, folder: Path) -> Iterator[Write]:
    """Give a function that writes the outputs from a given number on; what is known of them is kept beside.

    Parameters
    ----------
    generator : Generator
        Its modality says how a content is written.
    folder : path
        An empty folder.
    """
    import numpy as np

    content = CONTENTS[generator.modality]
    masks: dict[str, Any] = {}

    def write(start: int, items: Sequence[Item]) -> None:
        for number, item in enumerate(items, start):
            content(generator, folder, number, item.content)
            if item.facts:
                _append(folder / "facts.jsonl", {"item": number} | dict(item.facts))
            if item.mask is not None:
                masks[f"{number:06d}"] = item.mask

    yield write
    if masks:
        np.savez_compressed(folder / "masks.npz", **masks)


def _append(path: Path, row: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _text(generator: Generator, folder: Path, number: int, content: str) -> None:
    _append(folder / "outputs.jsonl", {"item": number, "text": content})


def _image(generator: Generator, folder: Path, number: int, content: Any) -> None:
    from ..kit.io import encode_png

    (folder / f"{number:06d}.png").write_bytes(encode_png(content))


def _video(generator: Generator, folder: Path, number: int, content: Any) -> None:
    from ..kit.video import write_video

    write_video(content, folder / f"{number:06d}.avi", generator.rate or 1)


def _audio(generator: Generator, folder: Path, number: int, content: Any) -> None:
    import soundfile

    soundfile.write(folder / f"{number:06d}.wav", content, generator.rate, subtype="PCM_16")


def _row(generator: Generator, folder: Path, number: int, content: Any) -> None:
    path = folder / "outputs.csv"
    content.to_csv(path, mode="a", header=not path.exists(), index=False)


CONTENTS: dict[str, Callable[[Generator, Path, int, Any], None]] = {
    "text": _text,
    "image": _image,
    "video": _video,
    "audio": _audio,
    "table": _row,
}
