"""What a target of pictures can offer to someone who holds its weights: one of three, as the attribute `white_box`.

An attack asks for numbers, never for a network: so a target of one's own needs no torch, and a user's autoencoder, GAN
or diffusion model is audited by wrapping it in a class with these methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from ..core.targets import ImageTarget, Target

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Image = NDArray[np.uint8]


@runtime_checkable
class Autoencoder(Protocol):
    """A variational autoencoder."""

    def elbo(self, images: Sequence[Image], *, seed: int) -> Floats:
        """Return one draw of the evidence lower bound of each picture, (N,)."""
        ...

    def reconstruct(self, images: Sequence[Image], *, seed: int) -> Floats:
        """Return decoder means for codes drawn from q(z | x): (N, H, W) or (N, H, W, 3) in 0–1."""
        ...


@runtime_checkable
class Discriminator(Protocol):
    """The judge of a generative adversarial network."""

    def scores(self, images: Sequence[Image]) -> Floats:
        """Return how real each picture is held to be, (N,); larger is more real."""
        ...


@runtime_checkable
class NoisePredictor(Protocol):
    """A diffusion model with x_t = √ᾱ_t x₀ + √(1 − ᾱ_t) ε."""

    alpha_bar: Floats
    """ᾱ_t, (T,), falling from about 1 to about 0."""

    def predict_noise(self, x_t: Floats, t: int) -> Floats:
        """Return ε_θ(x_t, t), (N, H, W, 3), for noisy pictures of that shape; x₀ lies in −1 … 1."""
        ...


WhiteBox = Autoencoder | Discriminator | NoisePredictor


@runtime_checkable
class WhiteBoxTarget(ImageTarget, Protocol):
    """A target of pictures whose weights can be asked what they say of one (`WEIGHTS`)."""

    @property
    def white_box(self) -> WhiteBox | None:
        """What it offers, or None where its kind of model is none of the three."""
        ...


def white_box_of(target: Target) -> WhiteBox | None:
    """Return what a target offers to someone who holds its weights, or None: also where it has no ``white_box``."""
    box: WhiteBox | None = getattr(target, "white_box", None)
    return box


class _Autoencoder:
    def __init__(self, generator: Any) -> None:
        self.generator = generator

    def elbo(self, images: Sequence[Image], *, seed: int) -> Floats:
        bound: Floats = self.generator.log_prob(images, seed=seed, draws=1)
        return bound

    def reconstruct(self, images: Sequence[Image], *, seed: int) -> Floats:
        import torch

        grey = torch.from_numpy(np.asarray(images)[..., 0].astype(np.float32) / 255)[:, None]
        with torch.no_grad():
            mean, log_spread = self.generator.encode(grey)
            noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(seed))
            decoded: Floats = self.generator.decode(mean + log_spread.exp() * noise)[:, 0].numpy()
        return decoded


class _NoisePredictor:
    def __init__(self, generator: Any) -> None:
        self.generator = generator
        self.alpha_bar: Floats = generator.alpha_bar.double().numpy()

    def predict_noise(self, x_t: Floats, t: int) -> Floats:
        import torch

        x = torch.from_numpy(np.asarray(x_t, dtype=np.float32)).permute(0, 3, 1, 2)
        with torch.no_grad():
            _, noise = self.generator.predict(x, torch.full((len(x),), t))
        told: Floats = noise.permute(0, 2, 3, 1).numpy()
        return told


def white_box(generator: Any) -> WhiteBox | None:
    """Return what a reference generator offers, or None."""
    if hasattr(generator, "elbo"):
        return _Autoencoder(generator)
    if hasattr(generator, "alpha_bar"):
        return _NoisePredictor(generator)
    return generator if isinstance(generator, Discriminator) else None
