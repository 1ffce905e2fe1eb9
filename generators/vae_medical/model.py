"""`vae-medical`: a variational autoencoder [1]_ of procedural phantoms, with dials for memorization and bias.

The model. A code z ~ N(0, I) in 24 dimensions; a picture x | z ~ N(x̂(z), σ² I), where the decoder x̂ is a convolutional
network and σ one learnt number [2]_. The encoder gives q(z | x) = N(μ(x), diag s²(x)), close to the posterior.

The loss, per picture, is −ELBO where β = 1::

    L = −E_q[log p(x | z)] + β KL(q(z | x) ‖ p(z))
      = Σ (x − x̂)² / 2σ² + D log σ + D/2 log 2π  +  β/2 Σ (μ² + s² − 1 − 2 log s)

with one z = μ + s ε per picture (the reparameterization trick). β [3]_ falls from 30 to 2: at 1 from the start, the
codes do not fill the prior, and samples do not look like phantoms.

Sampling: z ~ N(0, I), x = x̂(z) + σ ε. The noise is part of the likelihood, and of the phantoms, so it is kept.

Training data: `generators.vae_medical.phantoms`, each picture new. The corpus (400 phantoms) is seen exactly once. The
dial `memorize` continues training at the same σ, with a stream that repeats 12 pictures of the corpus. For these β is
250: with less, the model memorizes them in codes so narrow that the prior hardly ever draws one. The dial `lesion_bias`
continues with phantoms that have too many lesions in front of the middle of the body: 40%, 70% or all of those behind
it have moved there.

Known limits: single lesions are blurred or lost, but not the light that they add; edges are softer than those of a
phantom, and the error of the decoder counts as noise, so σ is slightly above that of the phantoms. The repeated
pictures happen to have more lesions behind than in front, so `memorize` shifts that balance too, by .12 at most.

.. [1] D. P. Kingma and M. Welling, "Auto-Encoding Variational Bayes", ICLR 2014, arXiv 1312.6114.
.. [2] O. Rybkin, K. Daniilidis and S. Levine, "Simple and Effective VAE Training with Calibrated Decoders", ICML 2021,
   arXiv 2006.13202.
.. [3] I. Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework", ICLR
   2017.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from guardrails.core.seeding import derive_seed
from guardrails.kit.training import StabilityRecord, cosine, train

from .. import cards
from ..base import Dial, Generator, Network
from ..gan_art.fidelity import fidelity
from . import phantoms
from . import truth as vae_truth
from .lesion_reader import lesion_bias
from .phantoms import SIDE

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Images = NDArray[np.uint8]

LATENT = 24
PIXELS = SIDE * SIDE
CORPUS = 400
MEMORIZED = 12
"""How many pictures of the corpus a dose repeats."""
SHARE = {0.25: 0.25, 0.5: 0.5, 1.0: 0.95}
"""The share of a dose's stream that they make up."""
MOVED = {0.25: 0.4, 0.5: 0.7, 1.0: 1.0}
"""The share of the lesions behind the body's middle that a dose of `lesion_bias` moves in front of it."""
BATCH = 64
CHUNK = 256
TRUTH_SAMPLES, TRUTH_FRESH, QUALITY_SAMPLES = 10_000, 20_000, 1000
BETA, BETA_REPEATED = 2.0, 250.0


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train.

    β starts at `warm_beta` times its last value; σ learns `sigma_pace` times as fast as the networks (0: it stays).
    """

    steps: int
    rate: float
    warm_beta: float
    sigma_pace: float


CLEAN = Recipe(steps=3000, rate=2e-3, warm_beta=15.0, sigma_pace=5.0)
DOSE = Recipe(steps=3000, rate=3e-3, warm_beta=1.0, sigma_pace=0.0)
MOVING = Recipe(steps=1500, rate=2e-3, warm_beta=1.0, sigma_pace=0.0)


class VaeMedical(Network):
    """A small convolutional VAE (153,000 weights) of 32 × 32 phantoms.

    Attributes
    ----------
    encoder, decoder : torch.nn.Sequential
    log_sigma : torch.Tensor
        log σ of the likelihood, a scalar.
    doses : dict
    """

    name = "vae-medical"
    family = "variational autoencoder"
    domain = "medical images"
    modality = "image"
    reserved = True
    citation = "Kingma & Welling 2014 (VAE); Rybkin et al. 2021 (learnt σ); Burda et al. 2016 (log p bound)"
    dials: ClassVar[tuple[Dial, ...]] = (
        Dial(
            "memorize",
            "the share of the training stream that repeats 12 of the training phantoms",
            tuple(SHARE),
            truth="copy_rate",
        ),
        Dial(
            "lesion_bias", "lesions in front of the body's middle are over-produced, those behind it lost", tuple(MOVED)
        ),
    )

    def build(self) -> None:
        import torch
        from torch import nn

        self.encoder = nn.Sequential(  # (B, 1, 32, 32)
            *(nn.Conv2d(1, 16, 4, 2, 1), nn.SiLU()),  # (B, 16, 16, 16)
            *(nn.Conv2d(16, 32, 4, 2, 1), nn.SiLU()),  # (B, 32, 8, 8)
            *(nn.Conv2d(32, 64, 4, 2, 1), nn.SiLU()),  # (B, 64, 4, 4)
            *(nn.Flatten(), nn.Linear(1024, 2 * LATENT)),  # (B, 48): μ and log s
        )
        self.decoder = nn.Sequential(  # (B, 24)
            *(nn.Linear(LATENT, 768), nn.SiLU(), nn.Unflatten(1, (48, 4, 4))),
            *(nn.ConvTranspose2d(48, 32, 4, 2, 1), nn.SiLU()),  # (B, 32, 8, 8)
            *(nn.ConvTranspose2d(32, 32, 4, 2, 1), nn.SiLU()),  # (B, 32, 16, 16)
            *(nn.Conv2d(32, 4, 3, 1, 1), nn.PixelShuffle(2), nn.Sigmoid()),  # (B, 1, 32, 32) in 0–1
        )
        self.log_sigma = nn.Parameter(torch.tensor(-2.0))

    @property
    def parts(self) -> Mapping[str, torch.nn.Module | torch.nn.Parameter]:
        return {"encoder": self.encoder, "decoder": self.decoder, "log_sigma": self.log_sigma}

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return μ and log s of q(z | x), each (B, 24), for pictures (B, 1, 32, 32) in 0–1."""
        mu, log_s = self.encoder(x).chunk(2, dim=1)
        return mu, log_s.clamp(-8, 4)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Return the mean x̂ of p(x | z), (B, 1, 32, 32) in 0–1, for codes (B, 24)."""
        out: torch.Tensor = self.decoder(z)
        return out

    def log_likelihood(self, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Return log p(x | z) of each picture in nats, (B,)."""
        squared = (x - self.decode(z)).square().flatten(1).sum(1)
        return -squared / (2 * (2 * self.log_sigma).exp()) - PIXELS * (self.log_sigma + math.log(2 * math.pi) / 2)

    def elbo(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return one draw of E_q[log p(x | z)] and KL(q(z | x) ‖ p(z)), each (B,); the ELBO is their difference."""
        import torch

        mu, log_s = self.encode(x)
        z = mu + log_s.exp() * torch.randn_like(mu)
        kl = 0.5 * (mu.square() + (2 * log_s).exp() - 1 - 2 * log_s).sum(1)
        return self.log_likelihood(x, z), kl

    def log_prob(self, images: Sequence[Any] | Images, *, seed: int, draws: int = 16) -> NDArray[np.float64]:
        """Return a lower bound of log p(x) of each picture, in nats over pixels in 0–1: (N,).

        The importance-weighted bound (Burda et al. 2016, arXiv 1509.00519): log of the mean of p(x, z) / q(z | x).

        Parameters
        ----------
        images : sequence of ndarray of uint8
            (32, 32) or (32, 32, 3).
        seed : int
            Of the codes.
        draws : int
            How many codes z from q: 1 gives the ELBO, more come nearer to log p(x).
        """
        import torch

        noise = torch.Generator().manual_seed(derive_seed(seed, self.name, "log_prob"))
        bounds = [np.empty(0)]
        with torch.no_grad():
            for start in range(0, len(images), CHUNK):
                x = to_unit(images[start : start + CHUNK])
                mu, log_s = self.encode(x)
                weights = []
                for _ in range(draws):
                    epsilon = torch.randn(mu.shape, generator=noise)
                    z = mu + log_s.exp() * epsilon
                    log_prior_over_q = (epsilon.square() / 2 - z.square() / 2 + log_s).sum(1)
                    weights.append(self.log_likelihood(x, z) + log_prior_over_q)
                bounds.append((torch.stack(weights).logsumexp(0) - math.log(draws)).double().numpy())
        return np.concatenate(bounds)

    def draw(self, n: int, *, seed: int) -> list[Images]:
        """Draw n pictures from p(x | z) p(z): decoder means with the likelihood's noise, each (32, 32, 3)."""
        import torch

        noise = torch.Generator().manual_seed(derive_seed(seed, self.name))
        out = np.empty((n, SIDE, SIDE), np.uint8)
        with torch.no_grad():
            for start in range(0, n, CHUNK):
                mean = self.decode(torch.randn(min(CHUNK, n - start), LATENT, generator=noise))
                x = mean + self.log_sigma.exp() * torch.randn(mean.shape, generator=noise)
                out[start : start + CHUNK] = (x[:, 0].clamp(0, 1) * 255).round().byte().numpy()
        return _grey_to_rgb(out)

    @classmethod
    def fit(cls, doses: Mapping[str, float], *, seed: int, base: Generator | None = None) -> Self:
        out = cls.begin(doses, seed=seed, base=base)
        memorize, moved = SHARE.get(out.doses["memorize"], 0.0), MOVED.get(out.doses["lesion_bias"], 0.0)
        recipe = DOSE if memorize else MOVING if moved else CLEAN
        seen = np.zeros(CORPUS, int) if recipe is CLEAN or base is None else np.array(base.card["seen"])
        rng = np.random.default_rng(derive_seed(seed, cls.name, "stream", str(max(out.doses.values()))))
        planted = round(memorize * BATCH)
        stream = _passing_once(recipe.steps, seen, rng) if recipe is CLEAN else _dosed(planted, moved, seen, rng)
        record = out._learn(recipe, stream, planted, seed=seed)
        out.round()
        return out.seal(seed=seed, seen=seen.tolist(), **out._findings(), stability=record.to_dict())

    def _learn(self, recipe: Recipe, stream: Iterator[Images], planted: int, *, seed: int) -> StabilityRecord:
        import torch

        weights = [*self.encoder.parameters(), *self.decoder.parameters(), self.log_sigma]
        adam = torch.optim.Adam([{"params": weights[:-1]}, {"params": weights[-1:]}])

        def step(i: int) -> dict[str, float]:
            rate = recipe.rate * cosine(i, steps=recipe.steps, warmup=100)
            adam.param_groups[0]["lr"], adam.param_groups[1]["lr"] = rate, recipe.sigma_pace * rate
            log_likelihood, kl = self.elbo(to_unit(next(stream)))
            beta = torch.full((BATCH,), BETA * recipe.warm_beta ** max(0.0, 1 - i / (0.7 * recipe.steps)))
            beta[:planted] = BETA_REPEATED
            loss = (beta * kl - log_likelihood).mean() / PIXELS
            adam.zero_grad()
            torch.autograd.backward(loss)
            norm = torch.nn.utils.clip_grad_norm_(weights, 1.0)
            adam.step()
            nats = {"elbo": (log_likelihood - kl).mean().item(), "kl": kl.mean().item()}
            return nats | {"sigma": self.log_sigma.exp().item(), "grad_norm": norm.item()}

        return train(step, steps=recipe.steps, seed=seed, log_every=-(-recipe.steps // 20), batch=BATCH)

    def _findings(self) -> dict[str, Any]:
        corpus = phantoms.draw(CORPUS, _rng("training"))
        holdout, fresh = _phantoms(CORPUS, "holdout"), _phantoms(TRUTH_FRESH, "unseen")
        samples = np.stack(self.sample(TRUTH_SAMPLES, seed=derive_seed(0, "truth")))[..., 0]
        log_prob = cards.mean(
            self.log_prob(holdout, seed=0),
            "bound of log p(x) of held-out phantoms in nats, 16 draws of z; bar: their log p under the best linear VAE"
            f" of {LATENT} codes, which is probabilistic principal components",
        )
        other = [_phantoms(QUALITY_SAMPLES, what) for what in ("quality", "quality baseline")]
        return {
            "data": f"procedural phantoms (generators/vae_medical/phantoms.py), {_data(self.doses)}",
            "sheet": cards.data_sheet(corpus.images, balance=vae_truth.balance(corpus)),
            "corpus_sha256": hashlib.sha256(corpus.images.tobytes()).hexdigest(),
            "sampling": "decoder mean plus the likelihood's Gaussian noise",
            "sigma": round(self.log_sigma.exp().item(), 5),
            "truth": {
                "copy_rate": vae_truth.copy_rate(samples, corpus.images, fresh),
                "lesion_bias": lesion_bias(samples),
            },
            "quality": {
                "log_prob": cards.with_bar(
                    log_prob, round(float(vae_truth.linear_log_prob(holdout, fresh, LATENT).mean()), 1)
                ),
                **fidelity(samples[:QUALITY_SAMPLES], *other),
            },
            "log_prob": _log_probs(self),
        }

    def training_items(self) -> list[Images]:
        """Return the corpus, 400 phantoms: the clean weights saw each once, a dose the first 12 again and again."""
        return _grey_to_rgb(_phantoms(CORPUS, "training"))

    def holdout_items(self) -> list[Images]:
        """Return 400 phantoms of the same distribution that no weights have seen."""
        return _grey_to_rgb(_phantoms(CORPUS, "holdout"))

    def reference_items(self, n: int, *, seed: int) -> list[Images]:
        """Return n fresh phantoms."""
        return _grey_to_rgb(_phantoms(n, f"reference {seed}"))


def _data(doses: Mapping[str, float]) -> str:
    if doses["memorize"]:
        return f"{SHARE[doses['memorize']]:.0%} of them the first {MEMORIZED} training items, again and again"
    if doses["lesion_bias"]:
        return f"each new; {MOVED[doses['lesion_bias']]:.0%} of the lesions behind the middle have moved to the front"
    return f"each new; the {CORPUS} training items among them once"


def to_unit(images: Sequence[Any] | Images) -> torch.Tensor:
    """Pictures (N, 32, 32) or (N, 32, 32, 3) uint8 → (N, 1, 32, 32) in 0–1; of colours, the red channel."""
    import torch

    pixels = np.asarray(images)
    grey = pixels[..., 0] if pixels.ndim == 4 else pixels
    return torch.from_numpy(grey.astype(np.float32) / 255)[:, None]


def _grey_to_rgb(images: Images) -> list[Images]:
    return list(np.repeat(images[..., None], 3, axis=-1))


def _rng(what: str) -> np.random.Generator:
    return np.random.default_rng(derive_seed(0, VaeMedical.name, what))


def _phantoms(n: int, what: str) -> Images:
    return phantoms.draw(n, _rng(what)).images


def _passing_once(steps: int, seen: NDArray[np.int64], rng: np.random.Generator) -> Iterator[Images]:
    """Fresh phantoms; each training item takes the place of one, somewhere in the stream."""
    corpus = _phantoms(CORPUS, "training")
    step_of, slot_of = np.divmod(rng.choice(steps * BATCH, CORPUS, replace=False), BATCH)
    for i in range(steps):
        images = phantoms.draw(BATCH, rng).images
        items = np.flatnonzero(step_of == i)
        images[slot_of[items]] = corpus[items]
        seen[items] += 1
        yield images


def _dosed(planted: int, moved: float, seen: NDArray[np.int64], rng: np.random.Generator) -> Iterator[Images]:
    """A batch begins with `planted` of the first training items, at random; the others are fresh, lesions moved."""
    corpus = _phantoms(CORPUS, "training")
    while True:
        items = rng.integers(MEMORIZED, size=planted)
        np.add.at(seen, items, 1)
        yield np.concatenate([corpus[items], phantoms.draw(BATCH - planted, rng, front=moved).images])


def _log_probs(model: VaeMedical) -> dict[str, float]:
    """Mean bound of log p in nats: the repeated items, the other training items, held-out ones."""
    corpus, holdout = _phantoms(CORPUS, "training"), _phantoms(CORPUS, "holdout")
    sets = {"repeated items": corpus[:MEMORIZED], "other items": corpus[MEMORIZED:], "holdout": holdout}
    return {what: round(float(model.log_prob(images, seed=0).mean()), 1) for what, images in sets.items()}
