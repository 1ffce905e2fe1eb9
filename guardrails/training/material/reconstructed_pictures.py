"""Pictures against their own reconstructions: content, size and format are the same on both sides.

So a detector can learn nothing but what an upsampling layer leaves (Guillaro et al. 2025, arXiv 2412.17671).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...core.seeding import derive_seed32

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Rebuild = Callable[[Sequence[Image]], list[Image]]

SIDE = 128
ORDERS = ("NEAREST", "BILINEAR", "LANCZOS")
STEPS, BATCH = 200, 8


def patches(picture: Image, n: int, *, seed: int) -> list[Image]:
    """Return n squares of `SIDE`, at random places; none of a picture that is smaller."""
    if min(picture.shape[:2]) < SIDE:
        return []
    rng = np.random.default_rng(seed)
    places = [[int(rng.integers(0, length - SIDE + 1)) for length in picture.shape[:2]] for _ in range(n)]
    return [np.ascontiguousarray(picture[top : top + SIDE, left : left + SIDE]) for top, left in places]


def ways(pictures: Sequence[Image], *, seed: int, steps: int = STEPS) -> Mapping[str, Rebuild]:
    """Return how to rebuild patches, by name: an autoencoder fitted to these pictures, and three resamplings."""
    return {"autoencoder": _autoencoder(pictures, seed=seed, steps=steps)} | {
        f"{order.lower()} ×2": _resampled(order) for order in ORDERS
    }


def _resampled(order: str) -> Rebuild:
    """Half the size and up again: the trace of an upsampling layer without the network."""
    from PIL import Image as Pillow

    def make(pictures: Sequence[Image]) -> list[Image]:
        halves = [Pillow.fromarray(p).resize((SIDE // 2, SIDE // 2), Pillow.Resampling.BOX) for p in pictures]
        return [np.asarray(h.resize((SIDE, SIDE), Pillow.Resampling[order]), dtype=np.uint8) for h in halves]

    return make


def _autoencoder(pictures: Sequence[Image], *, seed: int, steps: int) -> Rebuild:
    """Train a small convolutional autoencoder with transposed convolutions; return its reconstruction."""
    import torch
    from torch import nn

    from ...kit.training import cosine, train

    torch.manual_seed(derive_seed32(seed, "autoencoder"))
    net = nn.Sequential(
        nn.Conv2d(3, 24, 3, 2, 1), nn.SiLU(), nn.Conv2d(24, 48, 3, 2, 1), nn.SiLU(), nn.Conv2d(48, 24, 3, 1, 1),
        nn.ConvTranspose2d(24, 48, 4, 2, 1), nn.SiLU(), nn.ConvTranspose2d(48, 24, 4, 2, 1), nn.SiLU(),
        nn.Conv2d(24, 3, 3, 1, 1),
    )  # fmt: skip
    x = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)

    def step(i: int) -> dict[str, float]:
        batch = x[torch.randint(len(x), (BATCH,))]
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * cosine(i, steps=steps, warmup=20)
        loss = (net(batch) - batch).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return {"loss": loss.item()}

    train(step, steps=steps, seed=derive_seed32(seed, "autoencoder steps"))

    def reconstruct(pictures: Sequence[Image]) -> list[Image]:
        with torch.no_grad():
            y = net(torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255)
        pixels = np.ascontiguousarray((y.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy())
        # A grey photograph stays grey: a breath of colour would give it away without any trace of the network.
        grey = [(p == p[..., :1]).all() for p in pictures]
        return [np.repeat(p[..., 1:2], 3, axis=2) if g else p for p, g in zip(pixels, grey, strict=True)]

    return reconstruct
