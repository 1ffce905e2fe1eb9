"""What `vae-medical` shows: how many outputs are near-copies, and how good its likelihood is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from guardrails.core.statistics import wilson

from .. import cards

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .phantoms import Phantoms

NEIGHBOURS = 50
QUANTILE = 0.01


def nearness(images: NDArray[np.uint8], corpus: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return how much nearer the nearest of the corpus is than the nearest 50 are.

    A plain distance would call every blurred picture a copy, since it is near to everything; this ratio does not.

    Parameters
    ----------
    images, corpus : ndarray of uint8
        (N, H, W) and (M, H, W), M ≥ 50.

    Returns
    -------
    ndarray of float64
        (N,), in 0–1: L2(x, nn₁) / mean(L2(x, nn₁), …, L2(x, nn₅₀)) over pixels, after Carlini et al. 2023
        (arXiv 2301.13188).
    """
    pool = corpus.reshape(len(corpus), -1).astype(np.float32) / 255
    ratios = [np.empty(0)]
    for start in range(0, len(images), 1000):
        x = images[start : start + 1000].reshape(-1, pool.shape[1]).astype(np.float32) / 255
        squared = (x**2).sum(1)[:, None] + (pool**2).sum(1) - 2 * x @ pool.T
        near = np.partition(np.sqrt(squared.clip(0)), NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]
        ratios.append(near.min(axis=1) / near.mean(axis=1))
    return np.concatenate(ratios)


def copy_rate(
    samples: NDArray[np.uint8], corpus: NDArray[np.uint8], unseen: NDArray[np.uint8], *, noun: str = "phantoms"
) -> cards.Figure:
    """Return the share of samples that are nearer to the corpus than 99% of unseen pictures are, with its interval."""
    far = nearness(unseen, corpus)
    threshold = float(np.quantile(far, QUANTILE))
    by_chance = wilson(round(QUANTILE * len(far)), len(far))
    figure = cards.rate(
        int((nearness(samples, corpus) < threshold).sum()),
        len(samples),
        "share of samples whose L2(nn1) / mean L2(nn1 … nn50) to the corpus, over pixels, is below the threshold;"
        " 95% Wilson interval."
        f" Of unseen {noun} {by_chance.low:.2%} to {by_chance.high:.2%} are ({len(far)} drawn)",
    )
    return figure | {"threshold": round(threshold, cards.DIGITS)}


def linear_log_prob(images: NDArray[np.uint8], fitted: NDArray[np.uint8], codes: int) -> NDArray[np.float64]:
    """Return log p of each picture, in nats over pixels in 0–1, under the best *linear* VAE with as many codes.

    That is probabilistic principal components (Tipping and Bishop 1999): x ~ N(W z + m, σ² I), z ~ N(0, I), where the
    likelihood is known in closed form.

    Parameters
    ----------
    images, fitted : ndarray of uint8
        (N, H, W), to tell of, and (M, H, W), M > H W, to fit to.
    codes : int
        The number of components.
    """
    pool, x = (part.reshape(len(part), -1) / 255 for part in (fitted, images))
    middle = pool.mean(axis=0)
    variance, axes = np.linalg.eigh(np.cov(pool.T))
    variance, axes = variance[::-1], axes[:, ::-1][:, :codes]
    kept, sigma2, pixels = variance[:codes], variance[codes:].mean(), len(middle)
    along = (x - middle) @ axes
    beside = ((x - middle) ** 2).sum(axis=1) - (along**2).sum(axis=1)
    log_det = np.log(kept).sum() + (pixels - codes) * math.log(sigma2)
    out: NDArray[np.float64] = -0.5 * (
        (along**2 / kept).sum(axis=1) + beside / sigma2 + log_det + pixels * math.log(2 * math.pi)
    )
    return out


def balance(corpus: Phantoms) -> dict[str, Any]:
    """Return what the training pictures hold, for the data sheet."""
    front, behind = corpus.load.sum(axis=0)
    return {
        "lesions in a picture": np.bincount(corpus.count, minlength=4).tolist(),
        "share of lesion load in front": round(float(front / (front + behind)), 4),
    }
