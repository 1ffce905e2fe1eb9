"""Writes the outputs of a reference generator, each modality in its usual format."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile

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
    content = CONTENTS[generator.modality]
    with ExitStack() as stack:
        masks: ZipFile | None = None

        def write(start: int, items: Sequence[Item]) -> None:
            nonlocal masks
            for number, item in enumerate(items, start):
                content(generator, folder, number, item.content)
                if item.facts:
                    _append(folder / "facts.jsonl", {"item": number} | dict(item.facts))
                if item.mask is not None:
                    if masks is None:
                        masks = stack.enter_context(ZipFile(folder / "masks.npz", "w", ZIP_DEFLATED))
                    _add_array(masks, f"{number:06d}", item.mask)

        yield write


def _add_array(archive: ZipFile, name: str, array: Any) -> None:
    """Add an array to an .npz file, as `numpy.savez_compressed` does with all of them at once."""
    import numpy as np

    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)


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

    whole = BytesIO()  # libsndfile hides why a file cannot be written; Python says that the disk is full
    soundfile.write(whole, content, generator.rate, format="WAV", subtype="PCM_16")
    (folder / f"{number:06d}.wav").write_bytes(whole.getbuffer())


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
