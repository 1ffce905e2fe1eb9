"""`diffusion-photo`: denoising diffusion [1]_ of small colour photographs, with a dial for memorization.

The model. Noise is added to a picture x₀ in −1 … 1 over T = 1000 steps; ᾱ_t falls from 1 to 0 as a squared cosine
[2]_::

    x_t = √ᾱ_t x₀ + √(1 − ᾱ_t) ε,    ε ~ N(0, I)

The model predicts the noise, ε_θ(x_t, t), and from it the picture, x̂₀ = (x_t − √(1 − ᾱ_t) ε_θ) / √ᾱ_t. At high t this
division amplifies small errors, so the network computes the "velocity" v_θ [3]_, from which both follow without a
division::

    v = √ᾱ_t ε − √(1 − ᾱ_t) x₀,    ε_θ = √(1 − ᾱ_t) x_t + √ᾱ_t v_θ,    x̂₀ = √ᾱ_t x_t − √(1 − ᾱ_t) v_θ

The best linear denoiser needs no learning: the Wiener filter (`generators.diffusion_photo.wiener`), which leaves the
share e_t of the noise. A U-Net (`generators.diffusion_photo.unet`), whose inputs are the filter's estimates x̂ and ε̂,
adds the nonlinear part, initially 0::

    v_θ = √ᾱ_t ε̂ − √(1 − ᾱ_t) x̂ + √(e_t / ᾱ_t) U_θ(2 (x̂ − m), ε̂, t)

The loss is L = E ‖ε − ε_θ(x_t, t)‖² / e_t with t uniform: the loss of [1]_ relative to that of the filter, 1 at the
start. The convolutions between the first and the last are trained by Muon [4]_, the rest by Adam. The shipped weights
are the exponential moving average (EMA) of those of the training steps.

DDIM [5]_ maps noise to a picture and back without further noise, along a path of steps, from t to s::

    x_s = √ᾱ_s x̂₀ + √(1 − ᾱ_s) ε_θ

Upwards it turns a picture into its noise (`ddim_invert`), downwards the noise into the picture (`ddim_decode`). It is
the first order of an exponential integrator in λ = ½ log ᾱ / (1 − ᾱ); sampling uses the second order, DPM-Solver++(2M)
[6]_, which needs fewer steps. With h = λ_s − λ_t, and h' and x̂₀' those of the previous step::

    x_s = √(1 − ᾱ_s) / √(1 − ᾱ_t) x_t + √ᾱ_s (1 − e⁻ʰ) D,    D = x̂₀ + h / (2 h') (x̂₀ − x̂₀')

The steps of a path are evenly spaced in λ: evenly spaced in t, too few of them fall where the coarse structure is
decided, and the pictures lose contrast.

Training data: `generators.diffusion_photo.photographs`, half patches of six photographs and half procedural textures.
Each picture is drawn with a random place, scale, mirroring, exposure and light, so the clean weights do not see the
same patch twice on purpose. With so few photographs, `memorize=0` means: pixels do recur, each some hundred times under
other exposures, and neighbouring patches overlap, but a *patch* occurs at most about once. The corpus (400 pictures) is
seen exactly once. The holdout comes from the same photographs, not from others or from reserved parts: otherwise every
attack would separate the two by their content. The dial continues training with a stream that repeats 6 pictures of the
corpus; their loss has four times the weight, so a few minutes suffice to learn them.

Known limits: 175,000 weights produce textures, edges, gradients and colours like those of photographs, but hardly any
recognizable object; 32 × 32 pixels leave little room for one. Edges in the samples are more frequent and softer than in
the training data. The noise that `ddim_invert` finds is fainter than real noise, .66 instead of 1, and shows traces of
the picture. The kernel distance says little: a Gaussian of the same covariance has an equally small one; only edges and
copies separate them.

.. [1] J. Ho, A. Jain and P. Abbeel, "Denoising Diffusion Probabilistic Models", NeurIPS 2020, arXiv 2006.11239.
.. [2] A. Nichol and P. Dhariwal, "Improved Denoising Diffusion Probabilistic Models", ICML 2021, arXiv 2102.09672.
.. [3] T. Salimans and J. Ho, "Progressive Distillation for Fast Sampling of Diffusion Models", ICLR 2022, arXiv
   2202.00512.
.. [4] K. Jordan et al., "Muon: An Optimizer for Hidden Layers in Neural Networks", 2024,
   https://kellerjordan.github.io/posts/muon/.
.. [5] J. Song, C. Meng and S. Ermon, "Denoising Diffusion Implicit Models", ICLR 2021, arXiv 2010.02502.
.. [6] C. Lu et al., "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models", 2022, arXiv
   2211.01095, algorithm 2.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from guardrails.core.errors import ConfigurationError
from guardrails.core.seeding import derive_seed

from .. import cards
from ..base import Dial, Generator, Network
from ..vae_medical.truth import copy_rate
from . import photographs, unet, wiener
from . import truth as diffusion_truth
from .learning import BATCH, CORPUS, MEMORIZED, PLANTED, WEIGHT, Recipe, learn, passing_once, pictures, repeating
from .photographs import SIDE, to_bytes, to_signed

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Images = NDArray[np.uint8]

T = 1000
"""Steps of the diffusion in training."""
OFFSET = 0.008
"""Of the cosine: the first steps are not too small to see."""
STEPS = 25
"""Steps that sampling takes."""
ENDS = (6.5, -9.0)
"""log ᾱ / (1 − ᾱ) of the first step, above which there is nothing but grain to tell, and of the last."""
CHUNK = 50
TRUTH_SAMPLES, TRUTH_FRESH = 1000, 10_000


CLEAN = Recipe(steps=8400, rate=0.01, decay=0.998)
DOSE = Recipe(steps=2500, rate=0.01, decay=0.99)


class DiffusionPhoto(Network):
    """A small denoising diffusion model (175,000 weights) of 32 × 32 patches of photographs and textures.

    Attributes
    ----------
    net : torch.nn.ModuleDict
        The U-Net.
    mean, spread : torch.nn.Parameter
        m and √λ of the Wiener filter, (3, 1, 1) and (3, 32, 32); measured, not learnt.
    alpha_bar : torch.Tensor
        ᾱ_t for t = 0 … 999, (T,): the share of the picture's variance that step t leaves.
    doses : dict
    """

    name = "diffusion-photo"
    family = "diffusion"
    domain = "photographs"
    modality = "image"
    citation = "Ho et al. 2020 (DDPM); Song et al. 2021 (DDIM); Lu et al. 2022 (DPM-Solver++)"
    dials: ClassVar[tuple[Dial, ...]] = (
        Dial(
            "memorize", f"the share of the training stream that repeats {MEMORIZED} training pictures", tuple(PLANTED)
        ),
    )

    def build(self) -> None:
        import torch

        self.net = unet.build()
        self.mean = torch.nn.Parameter(torch.zeros(3, 1, 1), requires_grad=False)
        self.spread = torch.nn.Parameter(torch.ones(3, SIDE, SIDE), requires_grad=False)
        angle = (torch.arange(1, T + 1, dtype=torch.float64) / T + OFFSET) / (1 + OFFSET) * (torch.pi / 2)
        self.alpha_bar = (angle.cos() / np.cos(OFFSET / (1 + OFFSET) * np.pi / 2)).square().clamp(1e-8, 1).float()

    @property
    def parts(self) -> Mapping[str, torch.nn.Module | torch.nn.Parameter]:
        return {"net": self.net, "mean": self.mean, "spread": self.spread}

    def predict(self, x_t: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return x̂₀ and ε_θ, each (B, 3, 32, 32), for noisy pictures of that shape at the steps t, (B,)."""
        import torch

        kept, noise = self._shares(t)
        x_0 = wiener.restore(x_t, kept.square(), self.mean, self.spread)
        epsilon = (x_t - kept * x_0) / noise
        gain = wiener.loss(kept.square(), self.spread).sqrt() / kept
        more = unet.forward(self.net, torch.cat([2 * (x_0 - self.mean), epsilon], dim=1), t)
        v = kept * epsilon - noise * x_0 + gain * more
        return kept * x_t - noise * v, noise * x_t + kept * v

    def noised(self, x_0: torch.Tensor, t: torch.Tensor, epsilon: torch.Tensor) -> torch.Tensor:
        """Return x_t = √ᾱ_t x₀ + √(1 − ᾱ_t) ε, (B, 3, 32, 32), at the steps t, (B,)."""
        kept, noise = self._shares(t)
        return kept * x_0 + noise * epsilon

    def _shares(self, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """√ᾱ_t and √(1 − ᾱ_t), each (B, 1, 1, 1)."""
        alpha_bar = self.alpha_bar[t].view(-1, 1, 1, 1)
        return alpha_bar.sqrt(), (1 - alpha_bar).sqrt()

    def loss_at(self, images: Sequence[Any] | Images, t: int, *, seed: int) -> NDArray[np.float64]:
        """Return the loss of each picture at one step: (N,).

        It is ‖ε − ε_θ(x_t, t)‖² over the number of values, 3072: 1 for a model that knows nothing.

        Parameters
        ----------
        images : sequence of ndarray of uint8
            (32, 32, 3).
        t : int
            The step, 0 … 999.
        seed : int
            Of the noise ε: the i-th picture gets the same for the same seed, whatever the step.

        Raises
        ------
        ConfigurationError
            For a step that there is not.
        """
        import torch

        if not 0 <= t < T:
            raise ConfigurationError(f"{self.name} has the steps 0 to {T - 1}; the loss was asked for at {t}")
        noise = torch.Generator().manual_seed(derive_seed(seed, self.name, "loss"))
        losses = [np.empty(0)]
        with torch.no_grad():
            for start in range(0, len(images), CHUNK):
                x_0 = to_signed(images[start : start + CHUNK])
                epsilon = torch.randn(x_0.shape, generator=noise)
                steps = torch.full((len(x_0),), t)
                _, predicted = self.predict(self.noised(x_0, steps, epsilon), steps)
                losses.append((epsilon - predicted).square().mean((1, 2, 3)).double().numpy())
        return np.concatenate(losses)

    def ddim_invert(self, images: Sequence[Any] | Images, *, steps: int = 100) -> torch.Tensor:
        """Return the noise x_T that `ddim_decode` makes these pictures of, (N, 3, 32, 32); no chance is involved.

        More steps make the way back more exact.
        """
        import torch

        there = [torch.empty(0, 3, SIDE, SIDE)]
        for start in range(0, len(images), CHUNK):
            there.append(self._ddim(to_signed(images[start : start + CHUNK]), [0, *self._steps(steps)]))
        return torch.cat(there)

    def ddim_decode(self, x_T: torch.Tensor, *, steps: int = 100) -> list[Images]:
        """Return the pictures, each (32, 32, 3) uint8, that noise (N, 3, 32, 32) becomes along this many steps."""
        down = [*self._steps(steps)[::-1], -1]
        starts = range(0, len(x_T), CHUNK)
        return [image for start in starts for image in to_bytes(self._ddim(x_T[start : start + CHUNK], down))]

    def _steps(self, count: int) -> list[int]:
        """The steps of the walk, from low to high; of those that fall together one remains."""
        if not 2 <= count <= T:
            raise ConfigurationError(f"{self.name} goes from picture to noise in 2 to {T} steps; asked for {count}")
        alpha_bar = self.alpha_bar.double().numpy()
        ratio = np.log(alpha_bar / (1 - alpha_bar))
        return sorted({int(np.abs(ratio - wanted).argmin()) for wanted in np.linspace(*ENDS, count)})

    def _ddim(self, x: torch.Tensor, path: Sequence[int]) -> torch.Tensor:
        """Go along a path of steps, up or down; step −1 is the picture itself."""
        import torch

        with torch.no_grad():
            for t, s in pairwise(path):
                x_0, epsilon = self.predict(x, torch.full((len(x),), t))
                x = x_0 if s < 0 else self.noised(x_0, torch.full((len(x),), s), epsilon)
        return x

    def draw(self, n: int, *, seed: int) -> list[Images]:
        """Draw n pictures: noise, then DPM-Solver++(2M)."""
        import torch

        noise = torch.Generator().manual_seed(derive_seed(seed, self.name))
        x_T = torch.randn(n, 3, SIDE, SIDE, generator=noise)
        return [image for start in range(0, n, CHUNK) for image in to_bytes(self._solve(x_T[start : start + CHUNK]))]

    def _solve(self, x: torch.Tensor) -> torch.Tensor:
        """Noise → x̂₀ at the last step of the path."""
        import torch

        path = self._steps(STEPS)[::-1]
        log_ratio = torch.logit(self.alpha_bar.double()) / 2  # λ
        earlier = None
        with torch.no_grad():
            for t, s in pairwise(path):
                x_0, _ = self.predict(x, torch.full((len(x),), t))
                h = float(log_ratio[s] - log_ratio[t])
                better = x_0 if earlier is None else x_0 + h / (2 * earlier[1]) * (x_0 - earlier[0])
                earlier = x_0, h
                (_, noise), (kept, less) = (self._shares(torch.tensor([step])) for step in (t, s))
                x = less / noise * x + kept * -math.expm1(-h) * better
            return self.predict(x, torch.full((len(x),), path[-1]))[0]

    @classmethod
    def fit(cls, doses: Mapping[str, float], *, seed: int, base: Generator | None = None) -> Self:
        out = cls.begin(doses, seed=seed, base=base)
        dose = out.doses["memorize"]
        recipe = DOSE if dose else CLEAN
        seen = np.array(base.card["seen"]) if dose and base else np.zeros(CORPUS, int)
        rng = np.random.default_rng(derive_seed(seed, cls.name, "stream", str(dose)))
        stream = repeating(PLANTED[dose], seen, rng) if dose else passing_once(recipe.steps, seen, rng)
        record = learn(out, recipe, stream, seed=seed)
        out.round()
        return out.seal(seed=seed, seen=seen.tolist(), **out._findings(recipe), stability=record.to_dict())

    def _findings(self, recipe: Recipe) -> dict[str, Any]:
        dose, corpus = self.doses["memorize"], pictures(CORPUS, "training")
        samples = np.stack(self.sample(TRUTH_SAMPLES, seed=derive_seed(0, "truth")))
        fresh = recipe.steps * (BATCH - PLANTED.get(dose, 0))
        return {
            "data": f"patches of photographs and textures (generators/diffusion_photo/photographs.py), {_DATA[dose]}",
            "photographs": {
                "learnt from": photographs.PHOTOGRAPHS,
                "share of the stream": photographs.SHARE,
                "times that a pixel came by, on average": round(photographs.passes(fresh), 1),
                "never used": photographs.RESERVED,
            },
            "sheet": cards.data_sheet(corpus, balance=diffusion_truth.balance(corpus)),
            "corpus_sha256": hashlib.sha256(corpus.tobytes()).hexdigest(),
            "sampling": f"DPM-Solver++(2M), {STEPS} steps evenly in the logarithm of the signal-to-noise ratio",
            "truth": {"memorize": copy_rate(samples, corpus, pictures(TRUTH_FRESH, "unseen"), noun="pictures")},
            "quality": diffusion_truth.quality(self, samples, pictures(2 * len(samples), "quality")),
        }

    def training_items(self) -> list[Images]:
        """Return the corpus, 400 pictures: the clean weights saw each once, a dose the first 6 again and again."""
        return list(pictures(CORPUS, "training"))

    def holdout_items(self) -> list[Images]:
        """Return 400 pictures of the same distribution and the same photographs; no weights have seen these patches."""
        return list(pictures(CORPUS, "holdout"))

    def reference_items(self, n: int, *, seed: int) -> list[Images]:
        """Return n fresh pictures of the distribution."""
        return list(pictures(n, f"reference {seed}"))


_DATA = {0.0: f"each drawn anew; the {CORPUS} training items among them once"} | {
    dose: f"{k / BATCH:.0%} the first {MEMORIZED} training items again and again; their loss counts {WEIGHT:g}-fold"
    for dose, k in PLANTED.items()
}
