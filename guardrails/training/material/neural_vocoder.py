"""A small neural vocoder: a network says from mel bands what the short-time spectrum was, phases and all.

The network is that of Vocos (Siuzdak 2023, arXiv 2306.00814): layers of ConvNeXt at the rate of frames, then one
inverse Fourier transform. There is no adversary: it learns by spectra in several resolutions alone (Yamamoto et al.
2020, arXiv 1910.11480), so what it says buzzes, as that of early neural vocoders did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ...core.seeding import derive_seed, derive_seed32
from ...deepfake.speech.vocoders import POINTS, like, mel_bank
from ...kit.sound import RATE
from ...kit.training import cosine, train

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

STEPS, BATCH, RATE_OF_LEARNING = 500, 16, 1e-3
SECONDS = 0.75
"""Of a stretch to learn from."""
RESOLUTIONS = (256, 512, 1024)
EXPANSION, KERNEL = 3, 7


@dataclass(frozen=True)
class Shape:
    """What a vocoder is like: frames every `hop` samples, windows of four hops, mel bands, and the network's size."""

    hop: int
    bands: int
    width: int
    depth: int

    @classmethod
    def drawn(cls, seed: int) -> Self:
        """Draw one."""
        rng = np.random.default_rng(seed)
        hop = int(rng.choice([128, 160, 200, 256]))
        bands = int(rng.integers(40, 81))
        return cls(hop, bands, int(rng.choice([96, 128, 192])), int(rng.integers(3, 6)))


class NeuralVocoder:
    """A trained network of a shape; `train` makes one."""

    def __init__(self, shape: Shape, net: Any) -> None:
        self.shape, self.net = shape, net.eval()

    @classmethod
    def train(cls, sounds: Sequence[NDArray[np.floating]], *, seed: int, steps: int = STEPS) -> Self:
        """Train one of a drawn shape on real speech; deterministic in the seed on one machine.

        Parameters
        ----------
        sounds : sequence of array, (N,) each
            Real speech at 16 kHz, of one second at least.
        seed : int
            Its shape, its first weights and what it is shown depend on it.
        steps : int
            Of the optimiser.
        """
        import torch

        shape, length = Shape.drawn(derive_seed(seed, "shape")), int(SECONDS * RATE)
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(derive_seed32(seed, "network"))
            net = network(shape)
            optimiser = torch.optim.AdamW(net.parameters(), RATE_OF_LEARNING, betas=(0.8, 0.99))

            def step(i: int) -> dict[str, float]:
                rng = np.random.default_rng(derive_seed(seed, f"step {i}"))
                cuts = [_stretch(sounds[int(k)], length, rng) for k in rng.integers(len(sounds), size=BATCH)]
                real = torch.from_numpy(np.stack(cuts))
                made = spoken(net, mel(real, shape), shape)[:, :length]
                loss = sum((apart(made, real, points) for points in RESOLUTIONS), torch.zeros(()))
                optimiser.param_groups[0]["lr"] = RATE_OF_LEARNING * cosine(i, steps=steps, warmup=50)
                optimiser.zero_grad()
                torch.autograd.backward(loss)
                torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                optimiser.step()
                return {"loss": float(loss.item())}

            train(step, steps=steps, seed=seed)
        return cls(shape, net)

    def __call__(self, sound: Array, *, seed: int) -> Array:
        """Say an utterance again; the seed is there as all vocoders have one, and changes nothing."""
        import torch

        scaled = sound / max(float(np.abs(sound).max()), 1e-9) * 0.7
        with torch.no_grad():
            x = torch.from_numpy(scaled.astype(np.float32))[None]
            made = spoken(self.net, mel(x, self.shape), self.shape)[0, : len(sound)].numpy().astype(np.float64)
        return like(np.pad(made, (0, len(sound) - len(made))), sound)

    def __getstate__(self) -> dict[str, Any]:
        """Return plain arrays, so that another process can have one."""
        return {"shape": asdict(self.shape), "net": {k: v.numpy() for k, v in self.net.state_dict().items()}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        import torch

        self.shape = Shape(**state["shape"])
        self.net = network(self.shape)
        self.net.load_state_dict({k: torch.from_numpy(v) for k, v in state["net"].items()})
        self.net.eval()


def network(shape: Shape) -> Any:
    """Return the network: log mel bands (B, bands, T) → (B, 2 · (2 hop + 1), T), log magnitudes and phases."""
    from torch import nn

    class Block(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.near = nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2, groups=width)
            self.norm = nn.GroupNorm(1, width)
            self.within = nn.Sequential(
                nn.Conv1d(width, EXPANSION * width, 1), nn.GELU(), nn.Conv1d(EXPANSION * width, width, 1)
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            more: torch.Tensor = self.within(self.norm(self.near(x)))
            return x + more

    return nn.Sequential(
        nn.Conv1d(shape.bands, shape.width, KERNEL, padding=KERNEL // 2),
        *(Block(shape.width) for _ in range(shape.depth)),
        nn.GroupNorm(1, shape.width),
        nn.Conv1d(shape.width, 2 * (2 * shape.hop + 1), 1),
    )


def mel(x: torch.Tensor, shape: Shape) -> torch.Tensor:
    """Return log mel bands, (B, N) → (B, bands, T)."""
    import torch

    bank = torch.from_numpy(mel_bank(shape.bands).astype(np.float32))
    # Four hops are 1024 samples at most: whatever the hop, they are transformed to as many points as the bank has.
    window = torch.hann_window(4 * shape.hop)
    magnitude = torch.stft(x, POINTS, shape.hop, len(window), window, center=True, return_complex=True).abs()
    return torch.log(bank @ magnitude + 1e-4)


def spoken(net: Any, bands: torch.Tensor, shape: Shape) -> torch.Tensor:
    """Return what the network says, (B, N)."""
    import torch

    level, phase = net(bands).chunk(2, dim=1)
    points = 4 * shape.hop
    spectrum = torch.polar(torch.exp(level.clamp(max=7)), phase)
    return torch.istft(spectrum, points, shape.hop, points, torch.hann_window(points), center=True)


def apart(made: torch.Tensor, real: torch.Tensor, points: int) -> torch.Tensor:
    """Return how far two sounds' magnitudes are apart: spectral convergence plus the mean difference of logarithms."""
    import torch

    window = torch.hann_window(points)
    a, b = (
        torch.stft(x, points, points // 4, points, window, return_complex=True).abs().clamp(min=1e-4)
        for x in (made, real[:, : made.shape[1]])
    )
    distance: torch.Tensor = (a - b).norm() / b.norm() + (a.log() - b.log()).abs().mean()
    return distance


def _stretch(sound: NDArray[np.floating], length: int, rng: np.random.Generator) -> NDArray[np.float32]:
    start = int(rng.integers(max(1, len(sound) - length + 1)))
    x = np.asarray(sound[start : start + length], dtype=np.float32)
    x = np.pad(x, (0, length - len(x)))
    return x / max(float(np.abs(x).max()), 1e-6) * np.float32(0.7)
