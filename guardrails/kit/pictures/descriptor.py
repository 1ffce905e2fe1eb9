"""A copy descriptor: a small network that gives a picture and its altered copies nearly the same vector.

After SSCD (Pizzi et al. 2022, arXiv 2202.10261), at a thousandth of its size: contrastive learning on pictures and
augmented copies of them, with a term that spreads the vectors over the sphere. It is taught to be blind to mirroring,
rotation, cropping, overlays, blur, compression and colour; `guardrails train descriptor` makes the weights anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import ConfigurationError
from ..carded_weights import read_carded, write_carded

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

SIDE = 64
WIDTH = 128
"""Numbers in a vector of the shipped descriptor."""
BATCH = 64
WEIGHTS = Path(__file__).parent / "weights"
COMMAND, STEM = "guardrails train descriptor", "descriptor"


@dataclass(frozen=True)
class Descriptor:
    """A function from pictures to unit vectors, whose Euclidean distances say how alike two pictures are.

    Attributes
    ----------
    name : str
        As a report names it.
    sha256 : str
        Of the file of its weights.
    size : (int, int)
        Height and width that every picture is brought to.
    run : callable
        (N, H, W, 3) float32 in 0–1 → (N, D) float.
    """

    name: str
    sha256: str
    size: tuple[int, int]
    run: Callable[[NDArray[np.float32]], NDArray[Any]]

    def embed(self, pictures: Sequence[Any]) -> Vectors:
        """Return the unit vectors of pictures of any size, (N, D); they are read and described in batches.

        Raises
        ------
        ConfigurationError
            Where the model does not return N finite vectors of one width.
        ValueError
            For an array that is no picture.
        """
        import numpy as np

        vectors: list[Vectors] = []
        for start in range(0, len(pictures), BATCH):
            batch = np.stack([self.small(pictures[i]) for i in range(start, min(start + BATCH, len(pictures)))])
            vectors.append(self._unit(self.run(batch), len(batch)))
        return np.concatenate(vectors) if vectors else np.empty((0, WIDTH), np.float32)

    def small(self, picture: Any) -> NDArray[np.float32]:
        """Return a picture at the size that it is described at: all that `embed` needs of it."""
        return squared(picture, self.size)

    def _unit(self, vectors: NDArray[Any], n: int) -> Vectors:
        import numpy as np

        if vectors.ndim != 2 or len(vectors) != n or not vectors.shape[1] or vectors.dtype.kind != "f":
            raise ConfigurationError(
                f"descriptor {self.name}: for {n} pictures it returned {vectors.dtype} of shape {vectors.shape};"
                f" a descriptor returns ({n}, D) numbers"
            )
        vectors = vectors.astype(np.float64)
        if not np.isfinite(vectors).all():
            raise ConfigurationError(f"descriptor {self.name}: it returned vectors that are not finite")
        norm = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: Vectors = (vectors / np.maximum(norm, 1e-12)).astype(np.float32)
        return unit


def squared(picture: Any, size: tuple[int, int]) -> NDArray[np.float32]:
    """Bring a picture to ``size``, (H, W, 3) float32 in 0–1: averaged where it shrinks, interpolated where it grows.

    Raises
    ------
    ValueError
        For an array that is no picture.
    """
    import numpy as np
    from PIL import Image as Pillow

    pixels = np.asarray(picture)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(f"a picture is (H, W) or (H, W, 3), not {np.shape(picture)}")
    if pixels.dtype != np.uint8:
        pixels = np.round(np.clip(pixels.astype(np.float64), 0, 1) * 255).astype(np.uint8)
    if pixels.shape[:2] != size:
        # Pillow's bilinear filter widens with the reduction: no aliasing.
        image = Pillow.fromarray(np.ascontiguousarray(pixels))
        pixels = np.asarray(image.resize(size[::-1], Pillow.Resampling.BILINEAR), dtype=np.uint8)
    out: NDArray[np.float32] = pixels.astype(np.float32) / np.float32(255)
    return out


def network() -> torch.nn.Sequential:
    """Return the untrained network: (N, 3, 64, 64) from `standardised` → (N, 128), not yet of length 1."""
    from torch import nn

    def block(n_in: int, n_out: int, stride: int, kernel: int = 3) -> list[nn.Module]:
        convolution = nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=False)
        return [convolution, nn.BatchNorm2d(n_out), nn.ReLU()]

    return nn.Sequential(
        *block(3, 32, 2, 5), *block(32, 64, 2), *block(64, 64, 1), *block(64, 128, 2), *block(128, 192, 1),
        nn.LPPool2d(3, SIDE // 8), nn.Flatten(), nn.Linear(192, WIDTH),
    )  # fmt: skip


def standardised(x: torch.Tensor) -> torch.Tensor:
    """(N, 3, H, W) → each picture with mean 0 in each colour and deviation 1: blind to brightness, contrast and tint.

    A picture with next to no contrast stays faint: noise is no content.
    """
    x = x - x.mean((2, 3), keepdim=True)
    return x / x.pow(2).mean((1, 2, 3), keepdim=True).sqrt().clamp_min(0.02)


def write_weights(net: torch.nn.Module, card: dict[str, Any], folder: Path) -> list[Path]:
    """Write ``descriptor.safetensors``, in half precision, and its card; return both paths."""
    import torch
    from safetensors.torch import save

    kept = {name: t for name, t in net.state_dict().items() if not name.endswith("num_batches_tracked")}
    weights = save({name: t.to(torch.float16).contiguous() for name, t in kept.items()})
    return write_carded(folder, STEM, weights, card)


def read_weights(folder: Path) -> Descriptor:
    """Return the descriptor whose weights and card lie in a folder.

    Raises
    ------
    ConfigurationError
        Where a file is missing, or the weights have not the hash or shape that they should.
    """
    from safetensors.torch import load

    content, card = read_carded(folder, STEM, command=COMMAND)
    net = network().eval()
    try:
        missing, unknown = net.load_state_dict({n: t.float() for n, t in load(content).items()}, strict=False)
    except RuntimeError as error:
        raise ConfigurationError(f"{STEM}.safetensors is of another version; make it anew: {COMMAND}") from error
    if unknown or any(not name.endswith("num_batches_tracked") for name in missing):
        raise ConfigurationError(f"{STEM}.safetensors is of another version; make it anew: {COMMAND}")

    return Descriptor("that ships", card["sha256"], (SIDE, SIDE), runner(net))


def runner(net: torch.nn.Module) -> Callable[[NDArray[np.float32]], NDArray[Any]]:
    """Return the function of pictures, (N, 64, 64, 3) in 0–1, that a trained network is."""
    import torch

    def run(batch: NDArray[np.float32]) -> NDArray[Any]:
        with torch.inference_mode():
            vectors: NDArray[Any] = net(standardised(torch.from_numpy(batch).permute(0, 3, 1, 2))).numpy()
        return vectors

    return run


@cache
def shipped_descriptor() -> Descriptor:
    """Return the descriptor that ships."""
    return read_weights(WEIGHTS)
