"""Completing the hidden half of pictures from the visible one, by what a model gives: outputs, codes or noise.

Pictures are (N, H, W, 3) in 0–1, masks (N, H, W) and true where hidden. Several completions are tried, and of each
picture the one is kept that fits the *visible* half best: an attacker who does not know the rest can do so too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from ...core.errors import ConfigurationError, TargetError
from ...core.seeding import derive_seed
from ...kit.io import resize
from ...targets.white_box import Autoencoder, NoisePredictor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Masks = NDArray[np.bool_]

Half = Literal["left", "right"]

NEAREST = (1, 3)
"""How many outputs a completion is the mean of."""
CHAINS, ROUNDS = 3, 4
STEPS, DRAWS = 8, 2
ENDS = (6.5, -9.0)
"""log ᾱ / (1 − ᾱ) where a diffusion ends and where it begins: nothing but grain, and nothing but noise."""


class Completion(NamedTuple):
    """One way to complete some pictures."""

    pictures: Floats
    """(N, H, W, 3) in 0–1; what it says of the visible part, too."""
    misfit: Floats
    """Root mean square difference from the visible part, (N,)."""


def hidden(size: Sequence[int], half: Half) -> Masks:
    """Return where the half of a picture of this height and width is; of an odd width, the middle column is visible.

    >>> hidden((1, 5), "left").astype(int).tolist(), hidden((1, 5), "right").astype(int).tolist()
    ([[1, 1, 0, 0, 0]], [[0, 0, 0, 1, 1]])
    """
    height, width = size
    mask = np.zeros((height, width), bool)
    mask[:, slice(0, width // 2) if half == "left" else slice(width - width // 2, width)] = True
    return mask


def errors(completed: Floats, pictures: Floats, where: Masks) -> Floats:
    """Return the root mean square difference of each picture where the mask is true, (N,)."""
    squares = np.where(where[..., None], (completed - pictures) ** 2, 0).sum(axis=(1, 2, 3))
    mean: Floats = squares / (pictures.shape[-1] * np.maximum(where.sum(axis=(1, 2)), 1))
    return np.sqrt(mean)


def by_nearest(pictures: Floats, masks: Masks, others: Floats, k: int, *, left_out: Any = None) -> Floats:
    """Complete each picture by the mean of the k other pictures that are nearest to it where it is visible.

    Parameters
    ----------
    pictures, masks : ndarray
        What is completed.
    others : ndarray, (K, H, W, 3)
        K ≥ 1; where K < k, all of them.
    k : int
        How many are averaged.
    left_out : array of int, (N,), optional
        Of each picture, the place of itself among the others, or −1.

    Returns
    -------
    ndarray
        As `pictures`, the visible part being that of the mean, too.
    """
    b = others.reshape(len(others), -1)
    seen = np.repeat(~masks.reshape(len(masks), -1), pictures.shape[-1], axis=1).astype(b.dtype)
    # Of Σ m (a − b)², m = 1 where visible, the part that depends on b.
    distance = seen @ (b**2).T - 2 * (pictures.reshape(seen.shape).astype(b.dtype) * seen) @ b.T
    if left_out is not None:
        left_out = np.asarray(left_out)
        distance[np.flatnonzero(left_out >= 0), left_out[left_out >= 0]] = np.inf
    k = min(k, len(others))
    nearest = np.argpartition(distance, k - 1, axis=1)[:, :k]
    mean: Floats = others[nearest].mean(axis=1, dtype=np.float64)
    return mean


def by_outputs(pictures: Floats, masks: Masks, outputs: Floats) -> list[Completion]:
    """Complete each picture by the output nearest to its visible half, and by the mean of the nearest three.

    Where several noisy copies of one picture are among the outputs, their mean is nearer to it than each of them.
    """
    tried = [by_nearest(pictures, masks, outputs, k) for k in NEAREST]
    return [Completion(one, errors(one, pictures, ~masks)) for one in tried]


def by_autoencoder(box: Autoencoder, pictures: Floats, masks: Masks, start: Floats, *, seed: int) -> list[Completion]:
    """Encode and decode again and again, the visible half put back each time: `CHAINS` times over `ROUNDS` rounds.

    D. J. Rezende, S. Mohamed and D. Wierstra 2014, arXiv 1401.4082, on missing data: a Markov chain whose law comes
    near to p(hidden | visible). A chain is drawn to what was learnt by heart as to no other picture.

    Parameters
    ----------
    box : Autoencoder
        See `guardrails.targets.white_box`.
    pictures, masks : ndarray
        Of the model's own size.
    start : ndarray
        As `pictures`: what the hidden half begins with.
    seed : int
        Of the codes.
    """
    ends = []
    for chain in range(CHAINS):
        decoded = start
        for turn in range(ROUNDS):
            filled = np.round(np.clip(_fill(decoded, pictures, masks), 0, 1) * 255).astype(np.uint8)
            read = _finite(box.reconstruct(list(filled), seed=derive_seed(seed, "reconstruct", chain, turn)))
            decoded = np.broadcast_to(read[..., None] if read.ndim == 3 else read, pictures.shape)
        ends.append(Completion(decoded, errors(decoded, pictures, ~masks)))
    return ends


def by_diffusion(box: NoisePredictor, pictures: Floats, masks: Masks, *, seed: int) -> list[Completion]:
    """Go from noise to a picture in `STEPS` steps without further chance (DDIM), from `DRAWS` noises.

    At every step the visible half is put back at the noise of that step: A. Lugmayr et al., "RePaint", CVPR 2022,
    arXiv 2201.09865, equation 8, without its resampling, and with the walk of J. Song et al. 2021, arXiv 2010.02502.
    The fit to the visible half is that of x̂₀ midway, where it is told from noise.
    """
    ends = []
    for draw in range(DRAWS):
        noise = np.random.default_rng(derive_seed(seed, "inpaint", draw)).standard_normal(pictures.shape)
        end, midway = _denoised(box, pictures * 2 - 1, masks, noise)
        ends.append(Completion((end + 1) / 2, errors((midway + 1) / 2, pictures, ~masks)))
    return ends


def by_white_box(
    box: Any, images: Sequence[Any], halves: Sequence[Any], start: Floats, *, seed: int
) -> list[Completion]:
    """Let a white box complete pictures at their own size, beginning with `start`, (N, S, S, 3).

    Raises
    ------
    ConfigurationError
        For pictures of different sizes.
    TargetError
        Where the white box raises, or gives values that are not finite or of another shape.
    """
    sizes = {image.shape[:2] for image in images}
    if len(sizes) > 1:
        raise ConfigurationError(f"a white box takes pictures of one size; these have {len(sizes)}: resize them")
    size = sizes.pop()
    pictures, masks = np.stack([_unit(image) for image in images]), np.stack([hidden(size, half) for half in halves])
    begun = np.stack([_unit(resize(np.round(one * 255).astype(np.uint8), size)) for one in start])
    try:
        if isinstance(box, NoisePredictor):
            return by_diffusion(box, pictures, masks, seed=seed)
        return by_autoencoder(box, pictures, masks, begun, seed=seed)
    except MemoryError:
        raise
    except Exception as error:  # whatever a white box of the user's own raises
        raise TargetError(f"the white box failed ({type(error).__name__}: {error})") from error


def best(tried: Sequence[Completion]) -> Floats:
    """Return, of each picture, the completion that fits the visible part best."""
    place = np.argmin([one.misfit for one in tried], axis=0)
    chosen: Floats = np.stack([one.pictures for one in tried])[place, np.arange(len(place))]
    return chosen


def _denoised(box: NoisePredictor, x: Floats, masks: Masks, noise: Floats) -> tuple[Floats, Floats]:
    """Return x̂₀ at the end of the walk, and that of its middle; pictures in −1 … 1."""
    alpha_bar = np.clip(np.asarray(box.alpha_bar, dtype=np.float64), 1e-12, 1 - 1e-12)
    path = _path(alpha_bar)
    here, told = noise, x
    midway = x
    for place, (t, s) in enumerate(zip(path, [*path[1:], None], strict=True)):
        kept, rest = np.sqrt(alpha_bar[t]), np.sqrt(1 - alpha_bar[t])
        here = _fill(here, kept * x + rest * noise, masks)
        predicted = _finite(box.predict_noise(here, t))
        told = np.clip((here - rest * predicted) / kept, -1, 1)
        if place == len(path) // 2:
            midway = told
        if s is not None:  # the noise that remains once x̂₀ has been kept in its range
            here = np.sqrt(alpha_bar[s]) * told + np.sqrt(1 - alpha_bar[s]) * (here - kept * told) / rest
    return told, midway


def _path(alpha_bar: Floats) -> list[int]:
    """Return the steps of the walk, from noise to picture, evenly in log ᾱ / (1 − ᾱ)."""
    ratio = np.log(alpha_bar / (1 - alpha_bar))
    wanted = np.linspace(max(ENDS[1], ratio.min()), min(ENDS[0], ratio.max()), STEPS)
    steps = [int(np.abs(ratio - one).argmin()) for one in wanted]
    return list(dict.fromkeys(steps))


def _finite(values: Any) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError("it gave values that are not finite")
    return array


def _fill(completed: Floats, pictures: Floats, masks: Masks) -> Floats:
    """Put the visible part back."""
    return np.where(masks[..., None], completed, pictures)


def _unit(image: Any) -> Floats:
    """(H, W) or (H, W, 3) of uint8 → (H, W, 3) in 0–1."""
    pixels = np.asarray(image) / 255.0
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels
