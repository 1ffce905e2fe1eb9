"""What a generative model of pictures says of their membership: scores, larger for what it was trained on.

Each takes pictures (H, W, 3) uint8 of one size and returns (N,). Nothing is fitted: steps are those of the papers, the
number of draws is ours; both were fixed beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.seeding import derive_seed
from ...targets.white_box import Autoencoder, Discriminator, NoisePredictor, WhiteBox

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Image = NDArray[np.uint8]

DRAWS = 8
STEPS = 1000
"""Of the diffusion models in the papers; a model with another number gets its steps at the same share of them."""
LOSS_STEP, SECMI_STEP, SECMI_STRIDE, PIA_STEP = 100, 100, 10, 200
PIA_NORM = 4


def white_box_scores(box: WhiteBox | None, images: Sequence[Image], *, seed: int) -> dict[str, Floats]:
    """Return every attack that the white box allows, by name: see `guardrails.targets.white_box`."""
    if isinstance(box, Autoencoder):
        return {"ELBO": elbo(box, images, seed=seed), "reconstruction": reconstruction(box, images, seed=seed)}
    if isinstance(box, NoisePredictor):
        x = np.stack([np.asarray(image, dtype=np.float64) for image in images]) / 127.5 - 1
        return {"diffusion loss": diffusion_loss(box, x, seed=seed), "SecMI": secmi(box, x), "PIA": pia(box, x)}
    if isinstance(box, Discriminator):
        return {"discriminator": np.asarray(box.scores(images), dtype=np.float64)}
    return {}


def elbo(box: Autoencoder, images: Sequence[Image], *, seed: int) -> Floats:
    """Return the mean of `DRAWS` evidence lower bounds.

    The model's own loss as the score, as with language models; for attacks on autoencoders see D. Chen et al.,
    "GAN-Leaks: A Taxonomy of Membership Inference Attacks against Generative Models", CCS 2020, arXiv 1909.03935.
    """
    draws = [box.elbo(images, seed=derive_seed(seed, "elbo", i)) for i in range(DRAWS)]
    return np.mean(np.asarray(draws, dtype=np.float64), axis=0)  # type: ignore[no-any-return]


def reconstruction(box: Autoencoder, images: Sequence[Image], *, seed: int) -> Floats:
    """Return minus the mean over z ~ q(z | x) of ‖x − dec(z)‖, per value.

    B. Hilprecht, M. Härterich, D. Bernau, "Monte Carlo and Reconstruction Membership Inference Attacks against
    Generative Models", PoPETs 2019, arXiv 1906.03006.
    """
    x = np.stack([np.asarray(image, dtype=np.float64) for image in images]) / 255
    total = np.zeros(len(x))
    for i in range(DRAWS):
        decoded = np.asarray(box.reconstruct(images, seed=derive_seed(seed, "reconstruct", i)), dtype=np.float64)
        difference = (x - (decoded[..., None] if decoded.ndim == 3 else decoded)).reshape(len(x), -1)
        total += np.sqrt((difference**2).mean(axis=1))
    return -total / DRAWS


def diffusion_loss(box: NoisePredictor, x: Floats, *, seed: int) -> Floats:
    """Return minus the mean of ‖ε − ε_θ(x_t, t)‖² per value, over `DRAWS` of ε at t = 100.

    N. Carlini et al., "Extracting Training Data from Diffusion Models", USENIX Security 2023, arXiv 2301.13188: the
    loss at one step averaged over noise; here without reference models.
    """
    t = _step(box, LOSS_STEP)
    total = np.zeros(len(x))
    for i in range(DRAWS):
        noise = np.random.default_rng(derive_seed(seed, "diffusion loss", i)).standard_normal(x.shape)
        total += ((noise - box.predict_noise(_noised(box, x, t, noise), t)) ** 2).reshape(len(x), -1).mean(axis=1)
    return -total / DRAWS


def secmi(box: NoisePredictor, x: Floats) -> Floats:
    """Return minus the t-error ‖ψ(φ(x̃_t, t), t + k) − x̃_t‖² per value, at t = 100 and k = 10.

    x̃_t is the picture taken to step t, k steps at a time, without chance (DDIM); φ takes it one stride further and ψ
    back. J. Duan et al., "Are Diffusion Models Vulnerable to Membership Inference Attacks?", ICML 2023,
    arXiv 2302.01316: SecMI with the statistic alone.
    """
    path = [_step(box, t) for t in range(0, SECMI_STEP + 1, SECMI_STRIDE)]
    last, beyond = path[-1], _step(box, SECMI_STEP + SECMI_STRIDE)
    here = x
    for t, s in pairwise(path):
        here = _walk(box, here, t, s)
    back = _walk(box, _walk(box, here, last, beyond), beyond, last)
    error: Floats = ((back - here) ** 2).reshape(len(x), -1).mean(axis=1)
    return -error


def pia(box: NoisePredictor, x: Floats) -> Floats:
    """Return minus ‖ε_θ(x₀, 0) − ε_θ(√ᾱ_t x₀ + √(1 − ᾱ_t) ε_θ(x₀, 0), t)‖₄ at t = 200.

    F. Kong et al., "An Efficient Membership Inference Attack for the Diffusion Model by Proximal Initialization",
    ICLR 2024, arXiv 2305.18355.
    """
    t = _step(box, PIA_STEP)
    first = box.predict_noise(x, 0)
    distance = np.abs(first - box.predict_noise(_noised(box, x, t, first), t)).reshape(len(x), -1)
    norm: Floats = (distance.astype(np.float64) ** PIA_NORM).sum(axis=1) ** (1 / PIA_NORM)
    return -norm


def _step(box: NoisePredictor, t: int) -> int:
    return t * len(box.alpha_bar) // STEPS


def _noised(box: NoisePredictor, x: Any, t: int, noise: Any) -> Any:
    return np.sqrt(box.alpha_bar[t]) * x + np.sqrt(1 - box.alpha_bar[t]) * noise


def _walk(box: NoisePredictor, x: Any, t: int, s: int) -> Any:
    """Go from step t to step s, up or down, by the model's noise."""
    noise = box.predict_noise(x, t)
    return _noised(box, (x - np.sqrt(1 - box.alpha_bar[t]) * noise) / np.sqrt(box.alpha_bar[t]), s, noise)


def nearest_output(pictures: Floats, outputs: Floats, reference: Floats) -> Floats:
    """Return minus the distance to the nearest output, less that to the nearest of as many other real pictures.

    GAN-Leaks (Chen et al. 2020, as above), black box: d(x, R(x)) calibrated by that of a reference
    model. Real pictures that the model was not trained on are the outputs of a perfect one.

    Parameters
    ----------
    pictures : ndarray, (N, D)
        Those whose membership is asked.
    outputs : ndarray, (K, D)
        Of the model, K ≥ 1.
    reference : ndarray, (K', D)
        Real pictures that the model was not trained on; K' = 0: the distance is not calibrated.
    """
    distance = _nearest(pictures, outputs)
    return _nearest(pictures, reference) - distance if len(reference) else -distance


def _nearest(a: Floats, b: Floats) -> Floats:
    squares = (b**2).sum(axis=1)
    parts = [
        (squares - 2 * part @ b.T).min(axis=1) + (part**2).sum(axis=1)
        for part in np.array_split(a, max(1, len(a) // 256))
    ]
    distance: Floats = np.sqrt(np.maximum(np.concatenate(parts), 0))
    return distance
