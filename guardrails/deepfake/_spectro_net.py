"""A small network over time and frequency: convolutions, then attention over time.

The idea of pooling a recording by what its frames say, spectral and temporal, is that of AASIST (Jung et al. 2021,
arXiv 2110.01200); there are no graphs here, and 83,000 parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..kit.training import cosine, train
from ._lfcc import BANDS, Spectra

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

WIDTHS = (16, 32, 48, 64)
STRIDES = ((2, 1), (2, 2), (2, 1), (2, 2))
STEP = 4
"""Frames of the spectrum to a frame of the network: 60 ms."""
INNER = 64
SCALE = 4.0
CROP, BATCH, STEPS, RATE = 128, 32, 600, 3e-3
CHUNK = 2048


def network() -> Any:
    """Return the network: (B, 70, T) → logit and attention by frame, (B, T / 4) each, and features, (B, 64, T / 4)."""
    from torch import nn

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layers: list[nn.Module] = []
            for before, after, stride in zip((1, *WIDTHS), WIDTHS, STRIDES, strict=False):
                layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.SiLU()]
            self.body = nn.Sequential(*layers)
            rows = BANDS
            for _ in STRIDES:
                rows = (rows + 1) // 2
            self.inner = nn.Sequential(
                nn.Conv1d(WIDTHS[-1] * rows, INNER, 1, bias=False), nn.BatchNorm1d(INNER), nn.SiLU(), nn.Dropout(0.2),
                nn.Conv1d(INNER, INNER, 3, 1, 1), nn.SiLU(),
            )  # fmt: skip
            self.logit, self.attention = nn.Conv1d(INNER, 1, 1), nn.Conv1d(INNER, 1, 1)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            features = self.inner(self.body(x[:, None] / SCALE).flatten(1, 2))
            return self.logit(features)[:, 0], self.attention(features)[:, 0], features

    return Network()


class SpectroNet:
    """A fitted network, with where its features usually lie.

    Attributes
    ----------
    net : torch.nn.Module
        See `network`.
    centre, spread : array, (64,)
        Mean and standard deviation of the features of recordings that it was fitted to, pooled by attention.
    """

    def __init__(self, net: Any, centre: Array, spread: Array) -> None:
        self.net, self.centre, self.spread = net.eval(), centre, spread

    @classmethod
    def fit(cls, items: Sequence[Spectra], labels: NDArray[np.int64], weights: Array, *, seed: int = 0) -> Self:
        """Fit to recordings, drawn in proportion to their weight; deterministic in the seed on one machine."""
        import torch

        rng, net = np.random.default_rng(seed), None
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            net = network()
            optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=0.02)
            share, y = weights / weights.sum(), torch.from_numpy(labels.astype(np.float32))

            def step(i: int) -> dict[str, float]:
                for group in optimiser.param_groups:
                    group["lr"] = RATE * cosine(i, steps=STEPS, warmup=30)
                of = rng.choice(len(items), BATCH, p=share)
                x = torch.from_numpy(np.stack([_crop(items[j], rng) for j in of]))
                logits, attention, _ = net(x)
                score = (torch.softmax(attention, dim=1) * logits).sum(dim=1)
                # Frames are asked as well as the whole, so that evidence by place is worth something.
                both = torch.cat([score[:, None], logits], dim=1)
                loss = torch.nn.functional.binary_cross_entropy_with_logits(
                    both, y[of][:, None].expand_as(both) * 0.96 + 0.02, reduction="none"
                )
                total = loss[:, 0].mean() + 0.3 * loss[:, 1:].mean()
                optimiser.zero_grad()
                total.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                return {"loss": float(total.item())}

            train(step, steps=STEPS, seed=seed)
        made = cls(net, np.zeros(INNER), np.ones(INNER))
        pooled = np.stack([made._pooled(item)[2] for item in items])
        return cls(net, pooled.mean(axis=0), pooled.std(axis=0) + 1e-3)

    def _pooled(self, item: Spectra) -> tuple[float, Array, Array]:
        """Score, evidence of every frame, and features pooled by attention."""
        import torch

        bands = item.bands.astype(np.float32)
        parts = [bands[i : i + CHUNK] for i in range(0, len(bands), CHUNK)]
        if len(parts) > 1 and len(parts[-1]) < 2 * STEP:
            parts[-2:] = [np.concatenate(parts[-2:])]
        found: list[list[Array]] = [[], [], []]
        with torch.no_grad():
            for part in parts:
                out = self.net(torch.from_numpy(np.ascontiguousarray(part.T))[None])
                for kept, value in zip(found, out, strict=True):
                    array = value[0].numpy().astype(np.float64)
                    kept.append(np.repeat(array, STEP, axis=-1)[..., : len(part)])
        logits, attention, features = (np.concatenate(values, axis=-1) for values in found)
        share = np.where(item.loud, np.exp(attention - attention[item.loud].max()), 0.0)
        share /= share.sum()
        return float(share @ logits), np.where(item.loud, logits, np.nan), features @ share

    def evidence(self, item: Spectra) -> tuple[float, Array, float]:
        """Return the score, the evidence of every frame (NaN where it is silent) and the strangeness."""
        score, frames, pooled = self._pooled(item)
        return score, frames, float(np.sqrt((((pooled - self.centre) / self.spread) ** 2).mean()))

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Return what `of` reads."""
        state = {f"net/{k}": v.float().numpy() for k, v in self.net.state_dict().items() if v.is_floating_point()}
        return state | {"centre": self.centre.astype(np.float32), "spread": self.spread.astype(np.float32)}

    @classmethod
    def of(cls, tensors: Mapping[str, Any]) -> Self:
        """Read `tensors`."""
        import torch

        net = network()
        state = {k.removeprefix("net/"): torch.from_numpy(v) for k, v in tensors.items() if k.startswith("net/")}
        net.load_state_dict(net.state_dict() | state)
        return cls(net, tensors["centre"].astype(np.float64), tensors["spread"].astype(np.float64))


def _crop(item: Spectra, rng: np.random.Generator) -> NDArray[np.float32]:
    """A stretch of a recording with one band of frequencies at its floor, (70, 128); short ones are repeated."""
    x = item.bands
    if len(x) < CROP:
        x = np.concatenate([x] * -(-CROP // len(x)))
    start = int(rng.integers(0, len(x) - CROP + 1))
    out = x[start : start + CROP].T.astype(np.float32)
    width = int(rng.integers(0, 13))
    low = int(rng.integers(0, BANDS - width + 1))
    out[low : low + width] = out.mean()
    return out
