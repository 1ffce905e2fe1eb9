"""Pictures to learn from as vectors, kept in the user's cache: a training that is run again describes nothing twice."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...core.seeding import derive_seed32
from ...deepfake.images import descriptors
from ...deepfake.images.picture import Picture
from ...kit.detection.protocol import FORMATS, encoded
from ...kit.io import cache_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ...deepfake.images.base import ImageDetector
    from .pictures import Example, Image

    Vectors = Mapping[str, NDArray[np.float32]]
    Describe = Callable[[Picture], dict[str, NDArray[np.float32]]]

SIZE = "side and bytes"
"""Of the picture after it was encoded, in logarithms: what must not tell the classes apart."""


def drawn(example: Example, *, seed: int, plain: bool) -> Image:
    """Return an example as it is after one random crop and encoding.

    Parameters
    ----------
    example : Example
        To be read.
    seed : int
        The draw depends on it and on the example's name, never on its class.
    plain : bool
        A crop and JPEG, as the figures of a card are measured; else any format of `FORMATS`, and half made smaller.
    """
    example_seed = derive_seed32(seed, f"plain {example.name}" if plain else example.name)
    return encoded(example.read(), seed=example_seed, formats=("JPEG",) if plain else FORMATS, rescale=not plain)


def vectors(image: Image, encoder: ImageDetector | None) -> Vectors:
    """Describe a picture by all descriptors, its size and, where there is an encoder, its features."""
    blocks = {**_kept(image, "traces", _traces)}
    if encoder is not None:
        blocks |= _kept(image, "features", lambda picture: dict(encoder.blocks(picture)))
    return blocks


def _traces(picture: Picture) -> dict[str, NDArray[np.float32]]:
    return {**{name: picture.descriptor(name) for name in descriptors.DESCRIPTORS}, SIZE: _size(picture.pixels)}


def _size(picture: Image) -> NDArray[np.float32]:
    import io

    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.fromarray(picture).save(buffer, "JPEG", quality=90)
    x = np.log([picture.shape[0], len(buffer.getvalue()) / picture[..., 0].size])
    return np.array([*x, *x**2, x[0] * x[1]], dtype=np.float32)


def _kept(image: Image, what: str, describe: Describe) -> dict[str, NDArray[np.float32]]:
    name = hashlib.sha256(f"{image.shape}".encode() + image.tobytes()).hexdigest()
    file = cache_folder() / "described" / f"{what} {_version()[what]}" / name[:2] / f"{name}.npz"
    if file.is_file():
        with np.load(file, allow_pickle=False) as kept:
            return {key: kept[key] for key in kept.files}
    blocks = describe(Picture.of(image))
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as stream:
        np.savez(stream, **{key: np.asarray(x, dtype=np.float32) for key, x in blocks.items()})  # type: ignore[arg-type]
    part.replace(file)
    return blocks


@cache
def _version() -> Mapping[str, str]:
    """Of the descriptors' code, and of the encoder's weights."""
    from ...deepfake.images.encoder import SHA256

    code = b"".join(Path(str(module)).read_bytes() for module in (descriptors.__file__, __file__))
    return {"traces": hashlib.sha256(code).hexdigest()[:12], "features": SHA256[:12]}
