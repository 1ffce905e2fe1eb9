"""How a generator at hand gives a picture back: through its autoencoder, or through its noise and back.

A generator gives back its own outputs more nearly than other pictures: they lie where it can reach (Ricker et al. 2024,
arXiv 2401.17879, for autoencoders; Wang et al. 2023, arXiv 2303.09295, for diffusion).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.targets import Target
from .white_box import Autoencoder, NoisePredictor, white_box_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Rebuild = Callable[[Floats], Floats]

STEPS = 10
"""Of DDIM, each way."""
ENDS = (6.5, -9.0)
"""log ᾱ / (1 − ᾱ) of the first step and the last."""
SEED = 0
"""Of the one code that an autoencoder draws."""


def rebuilder(target: Target) -> Rebuild | None:
    """Return what gives pictures back, or None where a target cannot.

    It maps (N, H, W, 3) in 0–1 to the same shape and range. A target of one's own has a method ``rebuild`` that does
    so, or a `white_box` that is an `Autoencoder` or a `NoisePredictor`.
    """
    rebuild: Rebuild | None = getattr(target, "rebuild", None)
    if rebuild is not None:
        return rebuild
    box = white_box_of(target)
    if isinstance(box, NoisePredictor):
        return lambda x: ddim_and_back(box, x)
    return (lambda x: _through(box, x)) if isinstance(box, Autoencoder) else None


def _through(box: Autoencoder, x: Floats) -> Floats:
    rebuilt = box.reconstruct(list((x * 255).round().astype(np.uint8)), seed=SEED)
    return np.repeat(rebuilt[..., None], 3, axis=3) if rebuilt.ndim == 3 else rebuilt


def ddim_and_back(box: NoisePredictor, x: Floats, *, steps: int = STEPS) -> Floats:
    """Return D(D⁻¹(x)) with D the sampler without chance of Song et al. 2021 (arXiv 2010.02502), (N, H, W, 3) in 0–1.

    Parameters
    ----------
    box : NoisePredictor
        Of the suspect.
    x : array, (N, H, W, 3)
        In 0–1.
    steps : int
        Each way; they lie evenly in log ᾱ / (1 − ᾱ), between `ENDS`.
    """
    bar = np.clip(np.asarray(box.alpha_bar, dtype=np.float64), 1e-8, 1 - 1e-8)
    ratio = np.log(bar / (1 - bar))
    path = sorted({int(np.abs(ratio - wanted).argmin()) for wanted in np.linspace(*ENDS, steps)})
    up = path if path[0] == 0 else [0, *path]

    def told(z: Floats, t: int) -> tuple[Floats, Floats]:
        noise = box.predict_noise(z, t)
        return (z - np.sqrt(1 - bar[t]) * noise) / np.sqrt(bar[t]), noise

    z: Floats = 2 * x - 1
    for t, s in [*pairwise(up), *pairwise(path[::-1])]:
        x_0, noise = told(z, t)
        z = np.sqrt(bar[s]) * x_0 + np.sqrt(1 - bar[s]) * noise
    return (told(z, path[0])[0].clip(-1, 1) + 1) / 2


def log_likelihood(target: Target) -> Callable[[list[str]], Floats] | None:
    """Return what gives log p of texts in nats, (N,), or None: of a reference generator that is autoregressive."""
    generator = getattr(target, "generator", None)
    log_prob: Callable[[list[str]], Floats] | None = getattr(generator, "log_prob", None)
    return log_prob if log_prob is not None and str(target.modality) == "text" else None
