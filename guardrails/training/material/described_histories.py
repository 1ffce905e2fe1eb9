"""Pictures of every draw of `histories` as vectors, kept in the user's cache: a run that is stopped goes on later.

One pass of the default encoder a view gives the class token and the pooled patches of several blocks.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...core.errors import ContentError
from ...core.seeding import derive_seed32
from ...deepfake.images import encoder
from ...deepfake.images.descriptors import DESCRIPTORS
from ...deepfake.images.onnx_graph import with_outputs
from ...deepfake.images.picture import Picture
from ...kit.io import cache_folder, read_image
from ...kit.pictures.faces import find_faces
from ...kit.pictures.onnx_session import onnx_session
from . import file_history, histories

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .corpora import Row

    Array = NDArray[np.float32]
    Vectors = Mapping[str, NDArray[np.float32]]

TOKEN_LAYERS = (6, 7, 8, 9, 10, 11)
PATCH_LAYERS = (7, 8, 9)
VERSION = "1"
"""Of what is kept: change it with the code of a descriptor or a draw."""


def describe(rows: Iterable[Row], draw: str, *, seed: int = 0) -> Iterator[tuple[Row, Vectors | ContentError]]:
    """Yield each picture with its vectors after a draw, or why it cannot be read."""
    for row in rows:
        try:
            yield row, vectors(row, draw, seed=seed)
        except ContentError as error:
            yield row, error


def vectors(row: Row, draw: str, *, seed: int = 0) -> Vectors:
    """Describe one picture after one draw.

    Raises
    ------
    ContentError
        Where it cannot be read.
    """
    file = place_of(row, draw, seed)
    if file.is_file():
        with np.load(file, allow_pickle=False) as there:
            return {key: there[key].astype(np.float32) for key in there.files}
    rng = np.random.default_rng(derive_seed32(seed, draw, row.name))
    image = histories.DRAWS[draw](read_image(row.path), rng)
    blocks = described(image)
    if draw == "untouched":
        blocks["faces"] = np.array([len(find_faces(image))], dtype=np.float32)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as stream:
        np.savez(stream, **{key: x.astype(np.float16) for key, x in blocks.items()})  # type: ignore[arg-type]
    part.replace(file)
    return {key: x.astype(np.float16).astype(np.float32) for key, x in blocks.items()}


def place_of(row: Row, draw: str, seed: int) -> Path:
    """Return the file that a picture's vectors are kept in."""
    name = hashlib.sha256(f"{seed} {draw} {row.name}".encode()).hexdigest()[:32]
    return cache_folder() / "histories" / f"{VERSION} {encoder.SHA256[:12]}" / draw / f"{name}.npz"


def described(image: NDArray[np.uint8]) -> dict[str, Array]:
    """Return every vector of a picture by name."""
    picture = Picture.of(image)
    blocks: dict[str, Array] = {name: picture.descriptor(name) for name in DESCRIPTORS}
    blocks["history"], blocks["noise"] = file_history.history(image), file_history.noise(image)
    blocks["size"] = np.log([image.shape[0], image.shape[1], _bytes(image) / image[..., 0].size]).astype(np.float32)
    for name, view in {"whole": encoder.whole, "centre": encoder.centre}.items():
        blocks |= {f"{name}/{layer}": x for layer, x in _encoded(view(image, encoder.SIDE)).items()}
    return blocks


def _bytes(image: NDArray[np.uint8]) -> int:
    import io

    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, "JPEG", quality=90)
    return len(buffer.getvalue())


def _encoded(view: NDArray[np.uint8]) -> dict[str, Array]:
    mean, deviation = (np.array(v, np.float32) for v in (encoder.CLIP_MEAN, encoder.CLIP_DEVIATION))
    batch = ((view.astype(np.float32) / 255 - mean) / deviation).transpose(2, 0, 1)[None]
    blocks: dict[str, Array] = {}
    for layer, tokens in zip(TOKEN_LAYERS, _network()(np.ascontiguousarray(batch)), strict=True):
        blocks[str(layer)] = tokens[0, 0]
        if layer in PATCH_LAYERS:
            blocks[f"{layer} mean"] = tokens[0, 1:].mean(axis=0)
            blocks[f"{layer} deviation"] = tokens[0, 1:].std(axis=0)
    return blocks


@cache
def _network() -> Callable[[Array], list[Array]]:
    encoder.default_encoder()  # says what is missing, and checks the file
    model = Path(str(distribution(encoder.PACKAGE).locate_file(encoder.FILE))).read_bytes()
    names = [f"/vision_model/encoder/layers.{layer - 1}/Add_1_output_0" for layer in TOKEN_LAYERS]
    session = onnx_session(with_outputs(model, names))
    ask = session.get_inputs()[0].name
    return lambda batch: list(session.run(names, {ask: batch}))
