"""What a text's token log-probabilities say of its membership: scores, larger for what the model was trained on.

Each takes the log-probabilities of a text's tokens but the first, in nats, (T,) with T ≥ 1.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

K = 0.2
"""The share of a text's tokens that the two Min-K% attacks look at: fixed beforehand, as Shi et al. do."""
LEAST_SPREAD = 1e-6
LEAST_LOSS = 1e-9


def loss(log_p: Floats) -> float:
    """Return the mean log-likelihood, minus the model's loss on the text.

    S. Yeom et al., "Privacy Risk in Machine Learning: Analyzing the Connection to Overfitting", CSF 2018,
    arXiv 1709.01604.

    >>> loss(np.array([-1.0, -3.0]))
    -2.0
    """
    return float(log_p.mean())


def zlib_ratio(log_p: Floats, text: str) -> float:
    """Return the mean log-likelihood over the bytes that zlib needs: dull text is likely anyway.

    N. Carlini et al., "Extracting Training Data from Large Language Models", USENIX Security 2021, arXiv 2012.07805:
    the ratio of log-perplexity and zlib entropy.

    >>> round(zlib_ratio(np.array([-1.0, -3.0]), "a" * 100), 3)
    -0.167
    """
    return loss(log_p) / len(zlib.compress(text.encode("utf-8", "replace")))


def min_k(log_p: Floats, k: float = K) -> float:
    """Return the mean over the share k of the tokens that are least likely: at least one, rounded down.

    W. Shi et al., "Detecting Pretraining Data from Large Language Models", ICLR 2024, arXiv 2310.16789: Min-K% Prob.

    >>> min_k(np.array([-1.0, -5.0, -2.0, -3.0]), 0.5)
    -4.0
    """
    return float(np.sort(log_p)[: max(1, int(k * len(log_p)))].mean())


def min_k_plus_plus(log_p: Floats, mean: Floats, spread: Floats, k: float = K) -> float:
    """Return the mean over the lowest share k of z = (log p − μ) / σ, with μ and σ of log p over the vocabulary.

    J. Zhang et al., "Min-K%++: Improved Baseline for Detecting Pre-Training Data from Large Language Models",
    ICLR 2025, arXiv 2404.02936. Where σ is 0 the prediction is flat over what it allows, and z is 0.

    >>> min_k_plus_plus(np.array([-1.0, -5.0]), np.array([-2.0, -3.0]), np.array([1.0, 2.0]), 0.5)
    -1.0
    """
    z = np.where(spread > LEAST_SPREAD, (log_p - mean) / np.maximum(spread, LEAST_SPREAD), 0.0)
    return min_k(z, k)


def recall(log_p: Floats, after_prefix: Floats) -> float:
    """Return LL(x | P) / LL(x): text that is not trained on, put before it, spoils a member more.

    R. Xie et al., "ReCaLL: Membership Inference via Relative Conditional Log-Likelihoods", EMNLP 2024,
    arXiv 2406.15968. Both are means over the same tokens; P are held-out documents.

    >>> recall(np.array([-1.0, -3.0]), np.array([-2.0, -4.0]))
    1.5
    """
    return loss(after_prefix) / min(loss(log_p), -LEAST_LOSS)


def reference_ratio(log_p: Floats, reference: Floats, characters: int) -> float:
    """Return log p(x) − log p_ref(x) in nats a character, p_ref a model that was not trained on x.

    After N. Carlini et al. 2021, as `zlib_ratio`, who take the ratio; L. Watson et al., "On the Importance of
    Difficulty Calibration in Membership Inference Attacks", ICLR 2022, arXiv 2111.08440, eq. 1: the loss less that
    of a reference model, which is how hard the text is. Over characters, since the two models' tokens may differ.

    >>> reference_ratio(np.array([-1.0, -3.0]), np.array([-5.0]), 10)
    0.1
    """
    return float(log_p.sum() - reference.sum()) / max(characters, 1)
