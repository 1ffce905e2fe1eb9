"""A small convolutional network on noise residuals of tiles; it never sees what a picture shows, only what is left.

The first layer is fixed: first differences along rows and columns, the 3 × 3 kernel of Ker and Böhme and the 5 × 5
kernel of Fridrich and Kodovský (2012), of each colour alone. A soft truncation, r / (1 + |r|), keeps edges from
drowning the noise. The layers above are learnt; the mean over places of the last one describes a tile.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...kit.carded_weights import read_carded
from .fitted_head import WEIGHTS

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

STEM = "cnn"
COMMAND = "guardrails train detector deepfake.cnn"
WIDTHS = ((24, 1), (32, 2), (48, 1), (48, 2), (64, 2))
"""Channels and stride of the learnt layers."""
DIMENSIONS = WIDTHS[-1][0]
TRUNCATION = 3.0
"""Residual, in grey levels, at which the soft truncation reaches one half."""
BATCH = 64


def kernels() -> NDArray[np.float32]:
    """Return the fixed kernels, (4, 5, 5), each with a sum of 0 and a largest weight of 1."""
    out = np.zeros((4, 5, 5), dtype=np.float32)
    out[0, 2, 2:4] = out[1, 2:4, 2] = (-1, 1)
    out[2, 1:4, 1:4] = np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]]) / 4
    half = np.array([[-1, 2, -2], [2, -6, 8], [-2, 8, -12]]) / 12
    quarter = np.concatenate([half, half[:, 1::-1]], axis=1)
    out[3] = np.concatenate([quarter, quarter[1::-1]])
    return out


def build() -> torch.nn.Sequential:
    """Return the network with random weights: tiles (T, 3, S, S) in 0–255 → logits (T, 1); 73,000 weights."""
    import torch
    from torch import nn

    fixed = nn.Conv2d(3, 12, 5, groups=3, bias=False)
    fixed.weight.data = torch.from_numpy(np.tile(kernels(), (3, 1, 1))[:, None] / np.float32(TRUNCATION))
    fixed.weight.requires_grad = False
    layers: list[nn.Module] = [fixed, nn.Softsign()]
    before = 12
    for width, stride in WIDTHS:
        layers += [nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 1))


def as_input(tiles: NDArray[Any]) -> torch.Tensor:
    """(T, S, S, 3) in 0–255 → (T, 3, S, S)."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(np.asarray(tiles, dtype=np.float32).transpose(0, 3, 1, 2)))


def embedded(net: torch.nn.Sequential, tiles: NDArray[Any]) -> NDArray[np.float32]:
    """Describe tiles, (T, S, S, 3) in 0–255, by what the last layer but one says: (T, `DIMENSIONS`)."""
    import torch

    with torch.no_grad():
        parts = [net[:-1](as_input(tiles[i : i + BATCH])).numpy() for i in range(0, len(tiles), BATCH)]
    return np.concatenate(parts)


def write(net: torch.nn.Module, folder: Path) -> Path:
    """Write the network's weights; return the file."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{STEM}-network.safetensors"
    save_file({name: value.contiguous() for name, value in net.state_dict().items()}, path)
    return path


@cache
def read(folder: Path = WEIGHTS) -> torch.nn.Sequential:
    """Read the network, in evaluation mode.

    Raises
    ------
    ConfigurationError
        Where a file is missing, or the weights have not the hash that the card states.
    """
    from safetensors.torch import load

    weights, _ = read_carded(folder, f"{STEM}-network", command=COMMAND, card=STEM, key="network_sha256")
    net = build()
    net.load_state_dict(load(weights))
    return net.eval()
