"""The network of `deepfake.face`: a crop around a face → where it was blended, where that ends, and whether.

The border, 4 m (1 − m) of a soft mask m, is what "face X-ray" looks for (Li et al. 2020, arXiv 1912.13458, eq. 2).
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import ConfigurationError
from ...kit.carded_weights import read_carded
from ...kit.pictures.faces import Face

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Floats = NDArray[np.float32]

WEIGHTS = Path(__file__).parents[1] / "weights"
COMMAND = "guardrails train detector deepfake.face"
SIDE = 96
"""Of a crop, in pixels."""
PLACES = 24
"""Of a mask, a side."""
ROOM = 1.8
"""Side of a crop, in heights of the box."""
LOWER = 0.1
"""How far below the middle of the box the middle of the crop is, in heights: a cascade's box ends above the chin."""


def square_of(face: Face) -> tuple[float, float, float]:
    """Return left, top and side of the square that is cropped around a face, in pixels; it may pass the edges."""
    x, y, width, height = face.box
    size = max(width, height)
    side = ROOM * size
    return x + width / 2 - side / 2, y + height / 2 + LOWER * size - side / 2, side


def crop(pixels: Image, face: Face, side: int = SIDE) -> Image:
    """Return the square around a face, (side, side, 3); beyond the picture's edge, mirrored."""
    from PIL import Image as Pillow

    left, top, length = square_of(face)
    edges = [int(np.floor(left)), int(np.floor(top)), int(np.ceil(left + length)), int(np.ceil(top + length))]
    height, width = pixels.shape[:2]
    inside = pixels[max(0, edges[1]) : max(0, edges[3]), max(0, edges[0]) : max(0, edges[2])]
    beyond = [(max(0, -edges[1]), max(0, edges[3] - height)), (max(0, -edges[0]), max(0, edges[2] - width)), (0, 0)]
    whole = Pillow.fromarray(np.pad(inside, beyond, mode="symmetric"))
    box = (left - edges[0], top - edges[1], left - edges[0] + length, top - edges[1] + length)
    return np.asarray(whole.resize((side, side), Pillow.Resampling.BILINEAR, box=box), dtype=np.uint8)


def network() -> Any:
    """Return the untrained network of about 140,000 weights.

    Returns
    -------
    torch.nn.Module
        (N, 3, `SIDE`, `SIDE`) in 0–1 → logits of the mask and of its border, (N, 2, `PLACES`, `PLACES`), and of the
        face, (N,).
    """
    import torch
    from torch import nn

    def block(n_in: int, n_out: int, stride: int = 1) -> nn.Sequential:
        convolution = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
        return nn.Sequential(convolution, nn.BatchNorm2d(n_out), nn.ReLU())

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fine = nn.Sequential(nn.PixelUnshuffle(2), block(24, 32), block(32, 32))
            self.middle = nn.Sequential(block(32, 48, 2), block(48, 48))
            self.coarse = nn.Sequential(block(48, 64, 2), block(64, 64))
            self.joined = block(48 + 64, 32)
            self.places = nn.Conv2d(32, 2, 1)
            self.face = nn.Linear(2 * (32 + 64), 1)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            residual = x - nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
            middle = self.middle(self.fine(torch.cat([2 * x - 1, 8 * residual], 1)))
            coarse = self.coarse(middle)
            wide = nn.functional.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
            joined = self.joined(torch.cat([middle, wide], 1))
            means = [part.mean((2, 3)) for part in (joined, coarse)]
            peaks = [part.amax((2, 3)) for part in (joined, coarse)]
            return self.places(joined), self.face(torch.cat(means + peaks, 1))[:, 0]

    return Net()


class FaceNet:
    """A trained network.

    Attributes
    ----------
    net : torch.nn.Module
    shares : tuple of float
        Of all places in its training, those that were blended and those at a border: what turns its logits into
        likelihood ratios.
    """

    def __init__(self, net: Any, shares: tuple[float, float]) -> None:
        self.net, self.shares = net.eval(), shares

    def __call__(self, crops: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """Return log-likelihood ratios of places and borders, (N, 2, `PLACES`, `PLACES`), and logits of faces."""
        import torch

        with torch.inference_mode():
            x = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float() / 255
            places, face = self.net(x)
        shares = np.array(self.shares, dtype=np.float32)
        return places.numpy() - np.log(shares / (1 - shares))[:, None, None], face.numpy()


def write_net(net: FaceNet, folder: Path) -> tuple[Path, str]:
    """Write ``face-net.safetensors``; return its path and hash, which belongs into the card."""
    import torch
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    kept = {n: t for n, t in net.net.state_dict().items() if not n.endswith("num_batches_tracked")}
    tensors = {n: t.to(torch.float16).contiguous() for n, t in kept.items()} | {"shares": torch.tensor(net.shares)}
    path = folder / "face-net.safetensors"
    path.write_bytes(save(tensors))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def read_net(folder: Path = WEIGHTS) -> FaceNet:
    """Read what `write_net` wrote.

    Raises
    ------
    ConfigurationError
        Where a file is missing, or the weights have not the hash or shape that ``face.json`` states.
    """
    from safetensors.torch import load

    content, _ = read_carded(folder, "face-net", command=COMMAND, card="face", key="net_sha256")
    tensors, net = load(content), network()
    try:
        of_places, of_borders = tensors.pop("shares").tolist()
        missing, unknown = net.load_state_dict({n: t.float() for n, t in tensors.items()}, strict=False)
    except (KeyError, ValueError, RuntimeError) as error:
        raise ConfigurationError(f"face-net.safetensors is of another version; make it anew: {COMMAND}") from error
    if unknown or any(not name.endswith("num_batches_tracked") for name in missing):
        raise ConfigurationError(f"face-net.safetensors is of another version; make it anew: {COMMAND}")
    return FaceNet(net, (of_places, of_borders))
