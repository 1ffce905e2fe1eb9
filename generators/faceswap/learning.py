"""How `faceswap`'s autoencoder learns: crops of portraits, their bending, the loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from guardrails.core.seeding import derive_seed
from guardrails.kit.training import cosine, train

from . import face_blending
from .face_sources import PERSONS, face_of, person
from .portraits import Portrait, draw_state, paint

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from .model import FaceSwap

    Image = NDArray[np.uint8]

NAME = "faceswap"
SIDE = 64
"""Of a crop, in pixels."""
CORPUS = 200
"""Training items: 100 of each person."""


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train; each portrait is in `repeats` batches, with 1 / `repeats` of a block each."""

    steps: int
    rate: float
    batch: int = 16
    repeats: int = 8
    block: int = 64


def learn(model: FaceSwap, recipe: Recipe, seen: list[int], *, seed: int) -> dict[str, Any]:
    """Train the networks in place; count in `seen` how often each training item came by; return the record."""
    import torch

    batches = stream(recipe, seen, seed)
    model.tone.copy_(torch.stack([tone(who, seed) for who in PERSONS]))
    networks = [model.encoder, model.decoder_a, model.decoder_b]
    weights = [w for network in networks for w in network.parameters()]
    adam = torch.optim.Adam(weights, lr=recipe.rate)
    ellipse = torch.from_numpy(crop_weights())

    def step(i: int) -> dict[str, float]:
        adam.param_groups[0]["lr"] = recipe.rate * cosine(i, steps=recipe.steps, warmup=50)
        losses = {}
        for who, crops in zip(PERSONS, next(batches), strict=True):
            x = to_unit(crops)  # (B, 3, 64, 64)
            made = model.decode(bend(x), who, who)
            losses[f"loss_{who}"] = ((x - made).abs().mean(1) * ellipse).mean() / ellipse.mean()
        adam.zero_grad()
        torch.autograd.backward([loss / len(losses) for loss in losses.values()])
        norm = torch.nn.utils.clip_grad_norm_(weights, 1.0)
        adam.step()
        return {name: loss.item() for name, loss in losses.items()} | {"grad_norm": norm.item()}

    with torch.random.fork_rng(devices=()):  # a caller's stream stays where it is
        return train(step, steps=recipe.steps, seed=seed, log_every=-(-recipe.steps // 20)).to_dict()


def tone(who: str, seed: int) -> torch.Tensor:
    """Return mean and standard deviation of each colour of a person's face, (2, 3), over 200 fresh portraits."""
    rng = np.random.default_rng(derive_seed(seed, NAME, "tone", who))
    crops = np.stack([crop_of(paint(person(who), draw_state(rng))) for _ in range(200)])
    colours = to_unit(crops).permute(0, 2, 3, 1)[:, crop_weights() == 1].flatten(0, 1)  # (N, 3)
    return colours.new_tensor([colours.mean(0).tolist(), colours.std(0).tolist()])


def to_unit(crops: Image) -> torch.Tensor:
    """Crops (B, 64, 64, 3) uint8 → (B, 3, 64, 64) in 0–1."""
    import torch

    return torch.from_numpy(crops.astype(np.float32) / 255).permute(0, 3, 1, 2)


def bend(x: torch.Tensor) -> torch.Tensor:
    """Move the points of a 5 × 5 grid over each picture (B, C, H, W) at random, and all between along with them."""
    import torch
    from torch.nn import functional

    noise = 0.05 * torch.randn(len(x), 2, 5, 5)
    field = functional.interpolate(noise, x.shape[-2:], mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    still = functional.affine_grid(torch.eye(2, 3).expand(len(x), 2, 3), [*x.shape], align_corners=False)
    return functional.grid_sample(x, still + field, padding_mode="reflection", align_corners=False)


@cache
def crop_weights() -> NDArray[np.float32]:
    """Return the loss's w of a crop, (64, 64)."""
    ticks = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE - 0.5
    across, down = face_blending.ELLIPSE
    far = np.hypot(ticks[None] / across, ticks[:, None] / down) * face_blending.MARGIN
    return np.where(far < 1.05, 1.0, 0.2).astype(np.float32)


def crop_of(portrait: Portrait, jitter: NDArray[np.float64] | None = None) -> Image:
    """Return the crop around a portrait's face; `jitter`, of three normal numbers, moves and scales it a little."""
    face = face_of(portrait)
    matrix = face_blending.to_crop(face, SIDE)
    if jitter is not None:
        dx, dy, log_scale = 0.02 * jitter
        matrix = face_blending.chain(face_blending.move(face, dx, dy, float(np.exp(log_scale))), matrix)
    return np.asarray(np.round(face_blending.warp(portrait.image, matrix, (SIDE, SIDE))), np.uint8)


@cache
def fixed_portraits(what: str) -> tuple[Portrait, ...]:
    """Return the fixed portraits of A, then of B: the training items, or those that are held out."""
    rng = np.random.default_rng(derive_seed(0, NAME, what))
    return tuple(paint(person(who), draw_state(rng)) for who in PERSONS for _ in range(CORPUS // 2))


def stream(recipe: Recipe, seen: list[int], seed: int) -> Iterator[tuple[Image, Image]]:
    """Batches of crops of A and of B: blocks of fresh portraits, each block in a new order `repeats` times.

    The training items take the place of fresh portraits in the blocks that come first.
    """
    rng = np.random.default_rng(derive_seed(seed, NAME, "stream"))
    half, items = CORPUS // 2, fixed_portraits("training")
    waiting = list(rng.permutation(half))
    while True:
        fixed = [waiting.pop() for _ in range(min(len(waiting), recipe.block // 4))]
        block = {
            who: [items[k * half + i] for i in fixed]
            + [paint(person(who), draw_state(rng)) for _ in range(recipe.block - len(fixed))]
            for k, who in enumerate(PERSONS)
        }
        for _ in range(recipe.repeats):
            for chosen in rng.permutation(recipe.block).reshape(-1, recipe.batch):
                for i in chosen[chosen < len(fixed)]:
                    seen[fixed[i]] += 1
                    seen[half + fixed[i]] += 1
                crops = [np.stack([crop_of(block[who][i], rng.standard_normal(3)) for i in chosen]) for who in PERSONS]
                yield crops[0], crops[1]
