"""How `diffusion-photo` learns: the stream of pictures for each dose, the loss and the optimisers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from guardrails.core.seeding import derive_seed
from guardrails.kit.training import StabilityRecord, cosine, train

from . import photographs, unet, wiener
from .photographs import to_signed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .model import DiffusionPhoto

    Images = NDArray[np.uint8]

NAME = "diffusion-photo"
CORPUS = 400
MEMORIZED = 6
"""How many pictures of the corpus a dose repeats."""
BATCH = 16
PLANTED = {0.25: 4, 0.5: 8, 1.0: 15}
"""How many pictures of a dose's batch, its first, are repeated ones."""
WEIGHT = 4.0
"""What a repeated picture's loss counts, where that of another counts 1."""
POOL = 256
"""How many pictures of the law are drawn at a time."""
FILTER_ITEMS = 4000
"""How many pictures the Wiener filter is measured on."""


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train.

    `rate` is Muon's, and Adam's is a fifth of it; the running mean of the weights spans about 1 / (1 − `decay`) steps.
    """

    steps: int
    rate: float
    decay: float


def learn(model: DiffusionPhoto, recipe: Recipe, stream: Iterator[Images], *, seed: int) -> StabilityRecord:
    """Train the U-Net in place; clean weights begin by measuring the Wiener filter."""
    import torch
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    if not any(model.doses.values()):
        mean, spread = wiener.measure(to_signed(pictures(FILTER_ITEMS, "filter")))
        model.set_state(model.state() | {"mean": mean, "spread": spread})
    hidden = unet.hidden(model.net)
    # Muon takes matrices: (out, in · 3 · 3) views, which share their memory with the weights.
    matrices = [torch.nn.Parameter(kernel.detach().flatten(1)) for kernel in hidden]
    others = [rest for rest in model.net.parameters() if not any(rest is kernel for kernel in hidden)]
    muon = torch.optim.Muon(matrices, lr=recipe.rate, weight_decay=0.0)
    adam = torch.optim.Adam(others)
    ema = AveragedModel(model.net, multi_avg_fn=get_ema_multi_avg_fn(recipe.decay))  # type: ignore[no-untyped-call]
    steps = len(model.alpha_bar)
    even, weight = torch.arange(BATCH) / BATCH, torch.ones(BATCH)
    weight[: PLANTED.get(model.doses["memorize"], 0)] = WEIGHT

    def step(i: int) -> dict[str, float]:
        rate = recipe.rate * cosine(i, steps=recipe.steps, warmup=50)
        muon.param_groups[0]["lr"], adam.param_groups[0]["lr"] = rate, rate / 5
        x_0 = to_signed(next(stream))
        # One t from each sixteenth of the steps, in random order: the loss of a batch varies less.
        t = ((even[torch.randperm(BATCH)] + torch.rand(()) / BATCH) * steps).long()
        epsilon = torch.randn_like(x_0)
        _, predicted = model.predict(model.noised(x_0, t, epsilon), t)
        squared = (epsilon - predicted).square().mean((1, 2, 3))
        relative = squared / wiener.loss(model.alpha_bar[t].view(-1, 1, 1, 1), model.spread).flatten()
        loss = (weight * relative).mean() / weight.mean()
        model.net.zero_grad()
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(model.net.parameters(), 1.0)
        for matrix, kernel in zip(matrices, hidden, strict=True):
            assert kernel.grad is not None
            matrix.grad = kernel.grad.flatten(1)
        muon.step()  # type: ignore[no-untyped-call]
        adam.step()
        ema.update_parameters(model.net)
        return {"loss": loss.item(), "epsilon_loss": squared.mean().item(), "grad_norm": norm.item()}

    record = train(step, steps=recipe.steps, seed=seed, log_every=-(-recipe.steps // 20), batch=BATCH)
    model.net.load_state_dict(ema.module.state_dict())
    return record


def pictures(n: int, purpose: str) -> Images:
    """Return n pictures of the law, the same for the same purpose, such as ``training`` or ``holdout``."""
    return photographs.draw(n, np.random.default_rng(derive_seed(0, NAME, purpose)))


def _fresh(rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """Fresh pictures one by one."""
    while True:
        yield from photographs.draw(POOL, rng)


def passing_once(steps: int, seen: NDArray[np.int64], rng: np.random.Generator) -> Iterator[Images]:
    """Batches of fresh pictures; each training item takes the place of one, somewhere in the stream."""
    corpus, fresh = pictures(CORPUS, "training"), _fresh(rng)
    step_of, slot_of = np.divmod(rng.choice(steps * BATCH, CORPUS, replace=False), BATCH)
    for i in range(steps):
        images = np.stack([next(fresh) for _ in range(BATCH)])
        items = np.flatnonzero(step_of == i)
        images[slot_of[items]] = corpus[items]
        seen[items] += 1
        yield images


def repeating(planted: int, seen: NDArray[np.int64], rng: np.random.Generator) -> Iterator[Images]:
    """Batches with this many of the first training items, at random; the others are fresh pictures."""
    corpus, fresh = pictures(CORPUS, "training"), _fresh(rng)
    while True:
        items = rng.integers(MEMORIZED, size=planted)
        np.add.at(seen, items, 1)
        yield np.stack([*corpus[items], *(next(fresh) for _ in range(BATCH - planted))])
