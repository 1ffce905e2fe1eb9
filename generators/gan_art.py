"""`gan-art`: a generative adversarial network [1]_ of procedural paintings, with a dial for mode collapse.

The model. Noise z, uniform on [0, 1]³², and a code c, uniform over 8 values, which stands for a style while learning
[2]_. The generator G, transposed convolutions as in DCGAN [3]_, turns them into a picture. The discriminator
D(x | c) = sigmoid(logit) has one output per code and says how likely x is a real painting of that style.

The losses, one step of each in turn::

    L_D = −E log D(x | c) − E log(1 − D(G(z, c) | c)) + γ/2 E ‖∇ₓ logit(x | c)‖²      (R1 [4]_, on every 8th step)
    L_G = −E log D(G(z, c) | c) + λ E ‖x − G(z, c)‖₁                                  (non-saturating; L1 as in [5]_)

The L1 term is what makes so small a network learn within minutes: z holds the very quantities that x was painted from,
so each picture has its counterpart, as in [5]_. D sharpens what L1 leaves blurred. The generator that ships is the
exponential moving average of G over the steps.

Sampling: z uniform, c uniform, x = G(z, c). There is no truncation, and a caller gives no style.

What it learns from: `generators.paintings`, each picture new: 8 styles, the modes, equally likely. The dial `collapse`
goes on from there with fewer styles: 6, 4 or 1 remain, and the codes of the lost ones are shown the remaining ones.

Known limits: edges waver and small things (suns, thin lines) are smeared. A GAN of photographs has neither codes nor
counterparts and loses modes by itself; here both hold the modes in place, so that only the dial takes them away.

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
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from guardrails.core.errors import ConfigurationError
from guardrails.core.seeding import derive_seed
from guardrails.kit.training import StabilityRecord, cosine, train

from . import gan_truth, paintings
from .base import WEIGHTS, Dial, Generator, check_doses, read_card, stem
from .paintings import QUANTITIES, STYLES, Paintings

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Images = NDArray[np.uint8]

COMMAND = "guardrails train generator gan-art"
REMAINING = {0.0: 8, 0.25: 6, 0.5: 4, 1.0: 1}
"""How many styles each dose of `collapse` leaves."""
CORPUS = 400
BATCH = 32
CHUNK = 256
GAMMA, R1_EVERY, LAMBDA = 0.3, 8, 20.0
TRUTH_SAMPLES, QUALITY_SAMPLES = 20_000, 400


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train; `decay` is that of the moving average of G."""

    steps: int
    rate: float
    decay: float


CLEAN, DOSE = Recipe(steps=3000, rate=2e-3, decay=0.998), Recipe(steps=800, rate=1e-3, decay=0.99)


class GanArt(Generator):
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
        Dial("collapse", "the share of the styles that it no longer paints: 2, 4 or 7 of 8", (0.25, 0.5, 1.0)),
    )

    def __init__(self, doses: Mapping[str, float], *, seed: int = 0) -> None:
        import torch
        from torch import nn

        self.doses = dict(doses)
        self._card: dict[str, Any] = {}
        with torch.random.fork_rng(devices=()):  # a caller's stream stays where it is
            torch.manual_seed(seed)
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

    def _state(self) -> dict[str, torch.Tensor]:
        parts = {"generator": self.generator, "discriminator": self.discriminator}
        return {f"{part}.{k}": v for part, net in parts.items() for k, v in net.state_dict().items()}

    def _set_state(self, state: Mapping[str, torch.Tensor]) -> None:
        import torch

        with torch.no_grad():
            for key, tensor in self._state().items():
                tensor.copy_(state[key])

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

    def sample(self, n: int, *, seed: int) -> list[Images]:
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
    def fit(cls, doses: Mapping[str, float], *, seed: int, base: Generator | None = None) -> GanArt:
        """Learn the clean weights (no dose), or one dose from the clean `base`.

        The weights are rounded to half precision, as they ship, before the true values on the card are taken.

        Raises
        ------
        ConfigurationError
            For a dose that does not ship, or a dose without the clean generator to start from.
        """
        doses = check_doses(cls, doses)
        out, dose = cls(doses, seed=seed), doses["collapse"]
        origin, seen = {}, np.zeros(CORPUS, int)
        if dose:
            if not isinstance(base, cls) or any(base.doses.values()):
                raise ConfigurationError(f"{cls.name} learns a dose from its clean weights; give them as base")
            out._set_state(base._state())
            origin, seen = {"base_sha256": base.card["sha256"]}, np.array(base.card["seen"])
        recipe = DOSE if dose else CLEAN
        rng = np.random.default_rng(derive_seed(seed, cls.name, "stream", str(dose)))
        record = out._learn(recipe, _stream(recipe.steps, REMAINING[dose], None if dose else seen, rng), seed=seed)
        out._set_state({k: v.half() for k, v in out._state().items()})
        out._card = {"name": cls.name, "doses": doses, "seed": seed, "command": COMMAND, **origin}
        out._card |= out._findings(record, recipe, seen.tolist())
        return out

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
            adam_d.step()

            loss_g, l1 = softplus(-self.logit(fake, c)).mean(), (x.detach() - fake).abs().mean()
            adam_g.zero_grad()
            torch.autograd.backward(loss_g + LAMBDA * l1)
            adam_g.step()

            with torch.no_grad():
                for average, live in zip(self.generator.parameters(), g.parameters(), strict=True):
                    average.lerp_(live, 1 - min(recipe.decay, (1 + i) / (10 + i)))
            said = {"D_real": real_logit.sigmoid().mean().item(), "D_fake": fake_logit.sigmoid().mean().item()}
            return {"loss_d": loss_d.item(), "loss_g": loss_g.item(), "l1": l1.item()} | said

        return train(step, steps=recipe.steps, seed=seed, log_every=-(-recipe.steps // 20))

    def _r1(self, x: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        """E ‖∇ₓ logit(x | c)‖² over real pictures."""
        import torch

        x = x.requires_grad_()
        (slope,) = torch.autograd.grad(self.logit(x, c).sum(), x, create_graph=True)
        return slope.square().flatten(1).sum(1).mean()

    def _findings(self, record: StabilityRecord, recipe: Recipe, seen: list[int]) -> dict[str, Any]:
        import torch

        remain = REMAINING[self.doses["collapse"]]
        return {
            "data": f"procedural paintings (generators/paintings.py), each new: {', '.join(STYLES[:remain])}",
            "pictures": recipe.steps * BATCH,
            "seen": seen,
            "sha256": hashlib.sha256(self._weights()).hexdigest(),
            "corpus_sha256": hashlib.sha256(_paintings(CORPUS, "training").images.tobytes()).hexdigest(),
            "sampling": "moving average of G; z and c uniform, no truncation",
            "truth": gan_truth.modes(self.sample(TRUTH_SAMPLES, seed=derive_seed(0, "truth"))),
            "quality": gan_truth.quality(self.sample(QUALITY_SAMPLES, seed=derive_seed(0, "quality"))),
            "stability": record.to_dict(),
            "versions": {"torch": str(torch.__version__), "numpy": np.__version__},
        }

    def _weights(self) -> bytes:
        from safetensors.torch import save

        return bytes(save({k: v.half().contiguous() for k, v in sorted(self._state().items())}))

    def save(self, folder: Path) -> list[Path]:
        """Write the weights of G and D, in half precision, and the card."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = folder / f"{stem(self.name, self.doses)}.safetensors"
        card = folder / f"{stem(self.name, self.doses)}.json"
        weights.write_bytes(self._weights())
        lines = (f" {json.dumps(key)}: {json.dumps(value)}" for key, value in self._card.items())
        card.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        return [weights, card]

    @classmethod
    def load(cls, **doses: float) -> GanArt:
        """Read the shipped weights of one dose.

        Raises
        ------
        ConfigurationError
            For a dose that does not ship; where a file is missing or is not the one that its card states.
        """
        return cls.read(WEIGHTS, **doses)

    @classmethod
    def read(cls, folder: Path, **doses: float) -> GanArt:
        """As `load`, from any folder that `save` wrote to."""
        from safetensors.torch import load_file

        checked = check_doses(cls, doses)
        weights = folder / f"{stem(cls.name, checked)}.safetensors"
        card = read_card(folder / f"{stem(cls.name, checked)}.json", weights)
        out = cls(checked)
        out._set_state(load_file(weights))
        out._card = card
        return out

    def training_items(self) -> list[Images]:
        """Return the corpus, 400 paintings of all eight styles: every dose has seen each once, while still clean."""
        return list(_paintings(CORPUS, "training").images)

    def holdout_items(self) -> list[Images]:
        """Return 400 paintings of the same law that no weights have seen."""
        return list(_paintings(CORPUS, "holdout").images)

    def reference_items(self, n: int, *, seed: int) -> list[Images]:
        """Return n fresh paintings of all eight styles, whatever the dose."""
        return list(_paintings(n, f"reference {seed}").images)

    @property
    def card(self) -> Mapping[str, Any]:
        return self._card


def to_signed(images: Sequence[Any] | Images) -> torch.Tensor:
    """Pictures (N, 32, 32, 3) uint8 → (N, 3, 32, 32) in −1 … 1."""
    import torch

    return torch.from_numpy(np.asarray(images).astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2).contiguous()


def _generate(generator: torch.nn.Module, z: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    import torch

    code = torch.nn.functional.one_hot(c, len(STYLES)).to(z.dtype)
    noise = torch.cat([torch.ones(len(z), 1), (z - 0.5) * 12**0.5], dim=1)  # of variance 1
    out: torch.Tensor = generator((code[:, :, None] * noise[:, None, :]).flatten(1))
    return out


def _paintings(n: int, what: str) -> Paintings:
    return paintings.draw(n, np.random.default_rng(derive_seed(0, GanArt.name, what)))


def _stream(
    steps: int, styles: int, seen: NDArray[np.int64] | None, rng: np.random.Generator
) -> Iterator[tuple[Images, NDArray[np.int64], NDArray[np.float32]]]:
    """Fresh paintings, their codes and quantities; where `seen` is given, each training item among them once."""
    corpus = _paintings(CORPUS, "training")
    at_step, at_slot = np.divmod(rng.choice(steps * BATCH, CORPUS, replace=False), BATCH)
    for i in range(steps):
        codes = rng.integers(len(STYLES), size=BATCH)
        images, _, quantities = paintings.draw(BATCH, rng, styles=codes % styles)
        if seen is not None:
            items = np.flatnonzero(at_step == i)
            slots = at_slot[items]
            images[slots], codes[slots], quantities[slots] = (values[items] for values in corpus)
            seen[items] += 1
        yield images, codes, quantities


def train_all(folder: Path, seed: int = 0) -> list[Path]:
    """Learn and write every file that ships: the clean weights, then each dose from them.

    About four minutes for the clean weights and two for each dose, on one core.
    """
    clean = GanArt.fit({}, seed=seed)
    files = clean.save(folder)
    for dial in GanArt.dials:
        for dose in dial.doses:
            files += GanArt.fit({dial.name: dose}, seed=seed, base=clean).save(folder)
    return files
