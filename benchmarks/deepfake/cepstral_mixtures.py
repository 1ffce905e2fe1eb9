"""LFCC-GMM, the baseline of ASVspoof 2021 (arXiv 2109.00537): cepstra in linear bands, a mixture of Gaussians a class.

The score of a recording is the mean over its loud frames of log p(x | neural) - log p(x | real).
"""

from __future__ import annotations

import warnings

import numpy as np

from guardrails.core.errors import ContentError
from guardrails.deepfake.speech.spectra import spectra

COEFFICIENTS = 20
COMPONENTS = 64
REPEATS = 10
FRAMES = 64
"""Of a recording, evenly spaced among its loud ones."""


def frames(sound: np.ndarray) -> np.ndarray:
    """Return linear-frequency cepstral coefficients with first and second differences of some frames, (64, 60)."""
    from scipy.fft import dct

    # Of 5 of 930 clips less is loud than `spectra` asks for: repeated, they have the same frames.
    try:
        item = spectra(sound)
    except ContentError:
        item = spectra(np.tile(sound, REPEATS))
    c = dct(item.bands, type=2, norm="ortho", axis=1)[:, :COEFFICIENTS]
    first = _difference(c)
    loud = np.concatenate([c, first, _difference(first)], axis=1)[item.loud]
    return loud[np.linspace(0, len(loud) - 1, FRAMES).round().astype(int)].astype(np.float32)


def _difference(x: np.ndarray) -> np.ndarray:
    """The frame after less the frame before; the first and the last frame stand for those beyond."""
    padded = np.concatenate([x[:1], x, x[-1:]])
    return padded[2:] - padded[:-2]


def scores(fit: np.ndarray, labels: np.ndarray, weights: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Fit to (N, 64, 60), a recording giving frames in proportion to its weight; return scores of (M, 64, 60)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    rng, density = np.random.default_rng(0), []
    for label in (0, 1):
        of = labels == label
        drawn = rng.choice(np.flatnonzero(of), of.sum() * FRAMES, p=weights[of] / weights[of].sum())
        model = GaussianMixture(COMPONENTS, covariance_type="diag", reg_covar=1e-3, max_iter=40, random_state=0)
        with warnings.catch_warnings():  # 40 rounds are enough: the likelihood is flat long before it stands still
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(fit[drawn, rng.integers(FRAMES, size=len(drawn))].astype(np.float64))
        density.append(model.score_samples(new.reshape(-1, new.shape[-1]).astype(np.float64)).reshape(new.shape[:2]))
    return (density[1] - density[0]).mean(axis=1)
