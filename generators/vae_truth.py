"""How many outputs of `vae-medical` are near-copies: the true value on its card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from guardrails.core.statistics import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

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


def copy_rate(samples: NDArray[np.uint8], corpus: NDArray[np.uint8], unseen: NDArray[np.uint8]) -> dict[str, Any]:
    """Return the share of samples that are nearer to the corpus than 99% of unseen pictures are, with its interval."""
    far = nearness(unseen, corpus)
    threshold = float(np.quantile(far, QUANTILE))
    rate = wilson(int((nearness(samples, corpus) < threshold).sum()), len(samples))
    by_chance = wilson(round(QUANTILE * len(far)), len(far))
    return {
        "value": round(rate.value, 5),
        "low": round(rate.low, 5),
        "high": round(rate.high, 5),
        "n": len(samples),
        "threshold": round(threshold, 5),
        "what": "share of samples whose L2(nn1) / mean L2(nn1 … nn50) to the corpus, over pixels, is below the"
        " threshold; 95% Wilson interval."
        f" Of unseen phantoms {by_chance.low:.2%} to {by_chance.high:.2%} are ({len(far)} drawn)",
    }
