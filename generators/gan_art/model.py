"""`gan-art`: a generative adversarial network [1]_ of procedural paintings, with dials for collapse.

The model. The input is noise z, uniform on [0, 1]³², and a code c, uniform over 8 values, which represents a style in
training [2]_. The generator G, transposed convolutions as in DCGAN [3]_, maps them to a picture. The discriminator D(x
| c) = sigmoid(logit) has one output per code: the probability that x is a real painting of that style.

The losses, one step of each in turn::

    L_D = −E log D(x | c) − E log(1 − D(G(z, c) | c)) + γ/2 E ‖∇ₓ logit(x | c)‖²      (R1 [4]_, on every 8th step)
    L_G = −E log D(G(z, c) | c) + λ E ‖x − G(z, c)‖₁                                  (non-saturating; L1 as in [5]_)

The L1 term lets such a small network learn within minutes: z contains the parameters from which x was painted, so each
picture has its counterpart, as in [5]_. D sharpens what L1 leaves blurred. The shipped generator is the exponential
moving average of G over the steps.

Sampling: z uniform, c uniform, x = G(z, c). There is no truncation, and the caller cannot choose a style.

Training data: `generators.gan_art.paintings`, each picture new: 8 styles, the modes, equally likely. The dial
`collapse` continues training with fewer styles: 6, 4 or 1 remain, and the codes of the removed styles are trained on
the remaining ones. The dial `narrow` continues with all eight, but the parameters of a painting keep only 60%, 35% or
nothing of their range: the variety within each style decreases to none.

Known limits: edges waver and small objects (suns, thin lines) are smeared. A GAN of photographs has neither codes nor
counterparts and loses modes by itself; here both keep the modes, so only the dial removes them.

.. [1] I. Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014, arXiv 1406.2661.
.. [2] M. Mirza and S. Osindero, "Conditional Generative Adversarial Nets", 2014, arXiv 1411.1784.
.. [3] A. Radford, L. Metz and S. Chintala, "Unsupervised Representation Learning with Deep Convolutional Generative
   Adversarial Networks", ICLR 2016, arXiv 1511.06434.
.. [4] L. Mescheder, A. Geiger and S. Nowozin, "Which Training Methods for GANs do actually Converge?", ICML 2018,
   arXiv 1801.04406.
.. [5] P. Isola, J.-Y. Zhu, T. Zhou and A. A. Efros, "Image-to-Image Translation with Conditional Adversarial Networks",
   CVPR 2017, arXiv 1611.07004.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from guardrails.core.seeding import derive_seed
from guardrails.kit.training import StabilityRecord, cosine, train

from .. import cards
from ..base import Dial, Generator, Network
from . import paintings
from . import truth as gan_truth
from .fidelity import fidelity
from .paintings import QUANTITIES, STYLES, Paintings

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Images = NDArray[np.uint8]

REMAINING = {0.0: 8, 0.25: 6, 0.5: 4, 1.0: 1}
"""How many styles each dose of `collapse` leaves."""
SPREAD = {0.0: 1.0, 0.25: 0.6, 0.5: 0.35, 1.0: 0.0}
"""The share of their range that each dose of `narrow` leaves to a painting's quantities."""
CORPUS = 400
BATCH = 32
CHUNK = 256
GAMMA, R1_EVERY, LAMBDA = 0.3, 8, 20.0
TRUTH_SAMPLES, QUALITY_SAMPLES = 20_000, 1000


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train; `decay` is that of the moving average of G."""

    steps: int
    rate: float
    decay: float


CLEAN, DOSE = Recipe(steps=3000, rate=2e-3, decay=0.998), Recipe(steps=800, rate=1e-3, decay=0.99)


class GanArt(Network):
    """A small DCGAN (160,000 weights in G, 127,000 in D) of 32 × 32 paintings.

    Attributes
    ----------
    generator, discriminator : torch.nn.Sequential
    doses : dict
    """

    name = "gan-art"
    family = "generative adversarial network"
    domain = "art"
    modality = "image"
    citation = "Goodfellow et al. 2014 (GAN); Radford et al. 2016 (DCGAN); Mescheder et al. 2018 (R1)"
    dials: ClassVar[tuple[Dial, ...]] = (
        Dial(
            "collapse",
            "the share of the styles that it no longer paints: 2, 4 or 7 of 8",
            (0.25, 0.5, 1.0),
            truth="total_variation",
        ),
        Dial("narrow", "the share of the range that each style's quantities have lost", (0.25, 0.5, 1.0)),
    )

    def build(self) -> None:
        from torch import nn

        self.generator = nn.Sequential(  # (B, 264): c ⊗ (1, z)
            *(nn.Linear(len(STYLES) * (1 + QUANTITIES), 128), nn.SiLU()),
            *(nn.Linear(128, 512), nn.SiLU(), nn.Unflatten(1, (32, 4, 4))),
            *(nn.ConvTranspose2d(32, 48, 4, 2, 1), nn.SiLU()),  # (B, 48, 8, 8)
            *(nn.ConvTranspose2d(48, 40, 4, 2, 1), nn.SiLU()),  # (B, 40, 16, 16)
            *(nn.Conv2d(40, 12, 3, 1, 1), nn.PixelShuffle(2), nn.Tanh()),  # (B, 3, 32, 32) in −1 … 1
        )
        self.discriminator = nn.Sequential(  # (B, 3, 32, 32)
            *(nn.Conv2d(3, 32, 4, 2, 1), nn.LeakyReLU(0.2)),  # (B, 32, 16, 16)
            *(nn.Conv2d(32, 64, 4, 2, 1), nn.LeakyReLU(0.2)),  # (B, 64, 8, 8)
            *(nn.Conv2d(64, 80, 4, 2, 1), nn.LeakyReLU(0.2)),  # (B, 80, 4, 4)
            *(nn.Flatten(), nn.Linear(1280, len(STYLES))),  # (B, 8): a logit for each code
        )

    @property
    def parts(self) -> Mapping[str, torch.nn.Module | torch.nn.Parameter]:
        return {"generator": self.generator, "discriminator": self.discriminator}

    def generate(self, z: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        """Return G(z, c), (B, 3, 32, 32) in −1 … 1, for noise z (B, 32) in 0–1 and codes c (B,)."""
        return _generate(self.generator, z, c)

    def logit(self, x: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        """Return the logit of D, (B,), for pictures (B, 3, 32, 32) in −1 … 1 and codes c (B,)."""
        out: torch.Tensor = self.discriminator(x).gather(1, c[:, None])[:, 0]
        return out

    def scores(self, images: Sequence[Any] | Images) -> NDArray[np.float64]:
        """Return how real D holds each picture, as a painting of the style that suits it best.

        Parameters
        ----------
        images : sequence of ndarray of uint8
            (32, 32, 3).

        Returns
        -------
        ndarray of float64
            (N,), the largest logit(x | c) over c; above 0 where D thinks it real.
        """
        import torch

        out = [np.empty(0)]
        with torch.no_grad():
            for start in range(0, len(images), CHUNK):
                logits = self.discriminator(to_signed(images[start : start + CHUNK]))
                out.append(logits.max(dim=1).values.double().numpy())
        return np.concatenate(out)

    def draw(self, n: int, *, seed: int) -> list[Images]:
        """Paint n pictures, each (32, 32, 3), from uniform z and c."""
        import torch

        noise = torch.Generator().manual_seed(derive_seed(seed, self.name))
        out = np.empty((n, 32, 32, 3), np.uint8)
        with torch.no_grad():
            for start in range(0, n, CHUNK):
                size = min(CHUNK, n - start)
                c = torch.randint(len(STYLES), (size,), generator=noise)
                x = self.generate(torch.rand(size, QUANTITIES, generator=noise), c)
                out[start : start + CHUNK] = ((x + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
        return list(out)

    @classmethod
    def fit(cls, doses: Mapping[str, float], *, seed: int, base: Generator | None = None) -> Self:
        out = cls.begin(doses, seed=seed, base=base)
        dose = max(out.doses.values())
        recipe = DOSE if dose else CLEAN
        seen = np.array(base.card["seen"]) if base and dose else np.zeros(CORPUS, int)
        rng = np.random.default_rng(derive_seed(seed, cls.name, "stream", str(dose)))
        styles, spread = REMAINING[out.doses["collapse"]], SPREAD[out.doses["narrow"]]
        record = out._learn(recipe, _stream(recipe.steps, styles, spread, None if dose else seen, rng), seed=seed)
        out.round()
        return out.seal(seed=seed, seen=seen.tolist(), **out._findings(), stability=record.to_dict())

    def _learn(
        self,
        recipe: Recipe,
        stream: Iterator[tuple[Images, NDArray[np.int64], NDArray[np.float32]]],
        *,
        seed: int,
    ) -> StabilityRecord:
        """Play the game; `self.generator` becomes the moving average."""
        from copy import deepcopy

        import torch
        from torch.nn.functional import softplus

        g = deepcopy(self.generator)
        adam_g = torch.optim.Adam(g.parameters(), betas=(0.5, 0.99))
        adam_d = torch.optim.Adam(self.discriminator.parameters(), betas=(0.5, 0.99))

        def step(i: int) -> dict[str, float]:
            rate = recipe.rate * cosine(i, steps=recipe.steps, warmup=50)
            adam_g.param_groups[0]["lr"], adam_d.param_groups[0]["lr"] = rate, rate / 2
            images, codes, quantities = next(stream)
            x, c, z = to_signed(images), torch.from_numpy(codes), torch.from_numpy(quantities)
            fake = _generate(g, z, c)

            real_logit, fake_logit = self.logit(torch.cat([x, fake.detach()]), torch.cat([c, c])).chunk(2)
            loss_d = softplus(-real_logit).mean() + softplus(fake_logit).mean()
            penalty = self._r1(x, c) if i % R1_EVERY == 0 else torch.zeros(())
            adam_d.zero_grad()
            torch.autograd.backward(loss_d + R1_EVERY * GAMMA / 2 * penalty)
            norms = {"grad_norm_d": grad_norm(self.discriminator)}
            adam_d.step()

            loss_g, l1 = softplus(-self.logit(fake, c)).mean(), (x.detach() - fake).abs().mean()
            adam_g.zero_grad()
            torch.autograd.backward(loss_g + LAMBDA * l1)
            norms["grad_norm_g"] = grad_norm(g)
            adam_g.step()

            with torch.no_grad():
                for average, live in zip(self.generator.parameters(), g.parameters(), strict=True):
                    average.lerp_(live, 1 - min(recipe.decay, (1 + i) / (10 + i)))
            losses = {"loss_d": loss_d.item(), "loss_g": loss_g.item(), "l1": l1.item()}
            return losses | norms | said(real_logit, fake_logit)

        return train(step, steps=recipe.steps, seed=seed, log_every=-(-recipe.steps // 20), batch=BATCH)

    def _r1(self, x: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        """E ‖∇ₓ logit(x | c)‖² over real pictures."""
        import torch

        x = x.requires_grad_()
        (slope,) = torch.autograd.grad(self.logit(x, c).sum(), x, create_graph=True)
        return slope.square().flatten(1).sum(1).mean()

    def _findings(self) -> dict[str, Any]:
        corpus = _paintings(CORPUS, "training")
        remain, spread = STYLES[: REMAINING[self.doses["collapse"]]], SPREAD[self.doses["narrow"]]
        kept = f"; {spread:.0%} of each quantity's range" if spread < 1 else ""
        real = [_paintings(QUALITY_SAMPLES, what).images for what in ("quality", "quality baseline")]
        return {
            "data": f"procedural paintings (generators/gan_art/paintings.py), each new: {', '.join(remain)}{kept}",
            "sheet": cards.data_sheet(corpus.images, balance=paintings.balance(corpus.styles)),
            "corpus_sha256": hashlib.sha256(corpus.images.tobytes()).hexdigest(),
            "sampling": "moving average of G; z and c uniform, no truncation",
            **gan_truth.findings(self.sample(TRUTH_SAMPLES, seed=derive_seed(0, "truth"))),
            "quality": fidelity(self.sample(QUALITY_SAMPLES, seed=derive_seed(0, "quality")), *real),
        }

    def training_items(self) -> list[Images]:
        """Return the corpus, 400 paintings of all eight styles: every dose has seen each once, while still clean."""
        return list(_paintings(CORPUS, "training").images)

    def holdout_items(self) -> list[Images]:
        """Return 400 paintings of the same distribution that no weights have seen."""
        return list(_paintings(CORPUS, "holdout").images)

    def reference_items(self, n: int, *, seed: int) -> list[Images]:
        """Return n fresh paintings of all eight styles, whatever the dose."""
        return list(_paintings(n, f"reference {seed}").images)


def to_signed(images: Sequence[Any] | Images) -> torch.Tensor:
    """Pictures (N, 32, 32, 3) uint8 → (N, 3, 32, 32) in −1 … 1."""
    import torch

    return torch.from_numpy(np.asarray(images).astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2).contiguous()


def grad_norm(network: torch.nn.Module) -> float:
    """Return the norm of all its gradients."""
    import torch

    return torch.nn.utils.get_total_norm([w.grad for w in network.parameters() if w.grad is not None]).item()


def said(real_logit: torch.Tensor, fake_logit: torch.Tensor) -> dict[str, float]:
    """Return what D holds of the real and of the made pictures, and their difference, the balance."""
    real, fake = (logit.sigmoid().mean().item() for logit in (real_logit, fake_logit))
    return {"D_real": real, "D_fake": fake, "balance": real - fake}


def _generate(generator: torch.nn.Module, z: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    import torch

    code = torch.nn.functional.one_hot(c, len(STYLES)).to(z.dtype)
    noise = torch.cat([torch.ones(len(z), 1), (z - 0.5) * 12**0.5], dim=1)  # of variance 1
    out: torch.Tensor = generator((code[:, :, None] * noise[:, None, :]).flatten(1))
    return out


def _paintings(n: int, what: str) -> Paintings:
    return paintings.draw(n, np.random.default_rng(derive_seed(0, GanArt.name, what)))


def _stream(
    steps: int, styles: int, spread: float, seen: NDArray[np.int64] | None, rng: np.random.Generator
) -> Iterator[tuple[Images, NDArray[np.int64], NDArray[np.float32]]]:
    """Fresh paintings, their codes and z; where `seen` is given, each training item is among them once."""
    corpus = _paintings(CORPUS, "training")
    at_step, at_slot = np.divmod(rng.choice(steps * BATCH, CORPUS, replace=False), BATCH)
    for i in range(steps):
        codes = rng.integers(len(STYLES), size=BATCH)
        images, _, quantities = paintings.draw(BATCH, rng, styles=codes % styles, spread=spread)
        if seen is not None:
            items = np.flatnonzero(at_step == i)
            slots = at_slot[items]
            images[slots], codes[slots], quantities[slots] = (values[items] for values in corpus)
            seen[items] += 1
        yield images, codes, quantities
