"""A small network over time and frequency: convolutions over two resolutions, then attention over time.

The idea of pooling a recording by what its frames say, spectral and temporal, is that of AASIST (Jung et al. 2021,
arXiv 2110.01200); there are no graphs here, and 136,000 parameters. Short windows see the single pulses of a voice,
long ones its harmonics: vocoders make both too regular. It is trained on couples, real speech and the same utterance
from a vocoder through the same channel, so that neither words nor speaker nor channel help (as Wang & Yamagishi 2023,
arXiv 2210.10570, train on vocoded speech).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ...kit.training import cosine, train
from .spectra import LONG_ROWS, LONG_TIMES, SHORT_ROWS, SHORT_TIMES, Spectra, fine, usual

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Half = NDArray[np.float16]

INNER = 64
STEP = 4
"""Frames of 15 ms to a frame of the network."""
SCALE = 3.0
CROP, COUPLES, RATE = 64, 24, 2e-3
PASSES, FEWEST, STEPS = 12, 200, 1500
"""How often each synthetic recording is learnt from, and the least and most steps that this may take."""
CHUNK = 1024


def network() -> Any:
    """Return the network: (B, T, 837) → logit and attention by frame, (B, T / 4) each."""
    from torch import nn

    def block(before: int, after: int, kernel: tuple[int, int], stride: tuple[int, int]) -> list[nn.Module]:
        around = (kernel[0] // 2, kernel[1] // 2)
        return [nn.Conv2d(before, after, kernel, stride, around, bias=False), nn.BatchNorm2d(after), nn.SiLU()]

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.short = nn.Sequential(
                *block(1, 16, (3, 5), (2, 1)), *block(16, 32, (3, 5), (2, SHORT_TIMES)),
                *block(32, 48, (3, 3), (2, 1)), *block(48, 48, (3, 3), (2, 1)),
            )  # fmt: skip
            self.long = nn.Sequential(
                *block(1, 12, (5, 3), (2, 1)), *block(12, 24, (3, 3), (2, LONG_TIMES)),
                *block(24, 32, (3, 3), (2, 1)), *block(32, 48, (5, 3), (4, 1)),
            )  # fmt: skip
            self.inner = nn.Sequential(
                nn.Dropout(0.1), nn.Conv1d(48 * (5 + 8), INNER, 1, bias=False), nn.BatchNorm1d(INNER), nn.SiLU(),
                nn.Dropout(0.2), nn.Conv1d(INNER, INNER, 5, STEP, 2), nn.SiLU(),
            )  # fmt: skip
            self.logit, self.attention = nn.Conv1d(INNER, 1, 1), nn.Conv1d(INNER, 1, 1)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            import torch

            n, frames = x.shape[:2]
            cut = SHORT_ROWS * SHORT_TIMES
            short = x[:, :, :cut].reshape(n, frames * SHORT_TIMES, SHORT_ROWS).transpose(1, 2)[:, None]
            long = x[:, :, cut:].reshape(n, frames * LONG_TIMES, LONG_ROWS).transpose(1, 2)[:, None]
            both = torch.cat([self.short(short / SCALE).flatten(1, 2), self.long(long / SCALE).flatten(1, 2)], dim=1)
            features = self.inner(both)
            return self.logit(features)[:, 0], self.attention(features)[:, 0]

    return Network()


class SpectroNet:
    """A fitted network.

    Attributes
    ----------
    net : torch.nn.Module
        See `network`.
    """

    def __init__(self, net: Any) -> None:
        self.net = net.eval()

    @classmethod
    def fit(
        cls,
        items: Sequence[Spectra],
        labels: NDArray[np.int64],
        weights: Array,
        *,
        seed: int = 0,
        pairs: NDArray[np.int64] | None = None,
    ) -> Self:
        """Fit to couples of a synthetic recording and a real one; deterministic in the seed on one machine.

        Synthetic ones are drawn in proportion to their weight. The real one is that of the same number in `pairs`, the
        same utterance through the same channel, where there is one; or else drawn by weight.
        """
        import torch

        rng = np.random.default_rng(seed)
        views = [_whole(item) for item in items]
        real, made = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
        real_of = {} if pairs is None else {int(pairs[i]): int(i) for i in real}
        shares = [weights[of] / weights[of].sum() for of in (real, made)]
        steps = int(np.clip(PASSES * len(made) / COUPLES, FEWEST, STEPS))
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            net = network()
            optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=0.02)
            y = torch.cat([torch.ones(COUPLES), torch.zeros(COUPLES)])

            def step(i: int) -> dict[str, float]:
                for group in optimiser.param_groups:
                    group["lr"] = RATE * cosine(i, steps=steps, warmup=30)
                synthetic, instead = rng.choice(made, COUPLES, p=shares[1]), rng.choice(real, COUPLES, p=shares[0])
                partners = [int(r) if pairs is None else real_of.get(int(pairs[j]), int(r))
                            for j, r in zip(synthetic, instead, strict=True)]  # fmt: skip
                seeds = rng.integers(2**32, size=COUPLES)
                x = np.stack([_crop(views[j], np.random.default_rng(s)) for of in (synthetic, partners)
                              for j, s in zip(of, seeds, strict=True)])  # fmt: skip
                logits, attention = net(torch.from_numpy(x))
                score = (torch.softmax(attention, dim=1) * logits).sum(dim=1)
                # Frames are asked as well as the whole, so that evidence by place is worth something.
                both = torch.cat([score[:, None], logits], dim=1)
                loss = torch.nn.functional.binary_cross_entropy_with_logits(
                    both, y[:, None].expand_as(both) * 0.96 + 0.02, reduction="none"
                )
                higher = torch.nn.functional.softplus(score[COUPLES:] - score[:COUPLES]).mean()
                total = loss[:, 0].mean() + 0.3 * loss[:, 1:].mean() + higher
                optimiser.zero_grad()
                total.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                return {"loss": float(total.item())}

            train(step, steps=steps, seed=seed)
        return cls(net)

    def evidence(self, item: Spectra) -> tuple[float, Array]:
        """Return the score and the evidence of every frame, NaN where it is silent."""
        import torch

        n, mean = len(item.bands), usual(item)
        edges = [*range(0, max(n - 2 * STEP, 1), CHUNK), n]  # no last part of a few frames
        parts: list[list[Array]] = [[], []]
        with torch.no_grad():
            for start, stop in pairwise(edges):
                out = self.net(torch.from_numpy(fine(item, np.arange(start, stop)) - mean)[None])
                for kept, value in zip(parts, out, strict=True):
                    kept.append(np.repeat(value[0].numpy().astype(np.float64), STEP)[: stop - start])
        logits, attention = (np.concatenate(values) for values in parts)
        share = np.where(item.loud, np.exp(attention - attention[item.loud].max()), 0.0)
        return float(share @ logits / share.sum()), np.where(item.loud, logits, np.nan)

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Return what `of` reads."""
        return {k: v.float().numpy() for k, v in self.net.state_dict().items() if v.is_floating_point()}

    @classmethod
    def of(cls, tensors: Mapping[str, Any]) -> Self:
        """Read `tensors`."""
        import torch

        net = network()
        net.load_state_dict(net.state_dict() | {k: torch.from_numpy(v) for k, v in tensors.items()})
        return cls(net)


def _whole(item: Spectra) -> Half:
    """Return the view of a short recording, less what is usual in it."""
    return (fine(item) - usual(item)).astype(np.float16)


def _crop(view: Half, rng: np.random.Generator) -> NDArray[np.float32]:
    """A stretch of a recording, (64, 837), with some of the lower and the upper rows gone; short ones are repeated."""
    x = view
    if len(x) < CROP:
        x = np.concatenate([x] * -(-CROP // len(x)))
    start = int(rng.integers(0, len(x) - CROP + 1))
    out = x[start : start + CROP].astype(np.float32)
    cut, width = SHORT_ROWS * SHORT_TIMES, int(rng.integers(0, 11))
    low = int(rng.integers(0, SHORT_ROWS - width + 1))
    out[:, :cut].reshape(CROP, SHORT_TIMES, SHORT_ROWS)[:, :, low : low + width] = 0
    out[:, cut:].reshape(CROP, LONG_TIMES, LONG_ROWS)[:, :, 8 * low : 8 * (low + width)] = 0
    return out
