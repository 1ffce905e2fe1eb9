"""Mixtures of Gaussians with diagonal covariances: one for real frames, one for synthetic ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, pi
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from .spectra import Spectra, cepstra

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

COMPONENTS = 64
FRAMES = 60_000
"""Of a class at most, evenly over its recordings."""
CHUNK = 4000


@dataclass(frozen=True)
class Mixture:
    """p(x) = Σ_k w_k Π_d N(x_d; μ_kd, σ²_kd).

    Attributes
    ----------
    weights : array, (K,)
    means, variances : array, (K, D)
    """

    weights: Array
    means: Array
    variances: Array

    @classmethod
    def fit(cls, x: Array, *, seed: int, components: int = COMPONENTS) -> Mixture:
        """Fit by expectation maximisation from k-means, to (N, D)."""
        import warnings

        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        k = max(1, min(components, len(x) // 20))
        model = GaussianMixture(k, covariance_type="diag", reg_covar=1e-3, max_iter=40, tol=1e-3, random_state=seed)
        with warnings.catch_warnings():  # 40 rounds are enough: the likelihood is flat long before it is still
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x)
        return cls(model.weights_, model.means_, model.covariances_)

    def log_density(self, x: Array) -> Array:
        """Natural logarithm of the density, (N,)."""
        from scipy.special import logsumexp

        precision = 1 / self.variances
        constant = np.log(self.weights) - 0.5 * (
            self.means.shape[1] * log(2 * pi) + np.log(self.variances).sum(axis=1) + (self.means**2 * precision).sum(1)
        )
        parts = [x[i : i + CHUNK] for i in range(0, len(x), CHUNK)]
        cross, square = (self.means * precision).T, 0.5 * precision.T
        log_densities = [logsumexp(constant + part @ cross - part**2 @ square, axis=1) for part in parts]
        return np.concatenate(log_densities) if log_densities else np.zeros(0)


@dataclass(frozen=True)
class MixturePair:
    """The logarithm of the likelihood ratio of frames: log p(x | synthetic) − log p(x | real)."""

    real: Mixture
    synthetic: Mixture

    @classmethod
    def fit(
        cls,
        items: Sequence[Spectra],
        labels: NDArray[np.int64],
        weights: Array,
        *,
        seed: int = 0,
        pairs: NDArray[np.int64] | None = None,
    ) -> Self:
        """Fit to recordings; a recording gives frames in proportion to its weight."""
        rng = np.random.default_rng(seed)
        made = []
        for label in (0, 1):
            of = np.flatnonzero(labels == label)
            share = weights[of] / weights[of].sum()
            parts = []
            for i, p in zip(of.tolist(), share, strict=True):
                x = cepstra(items[i].bands)[items[i].loud]
                parts.append(x[rng.permutation(len(x))[: max(1, round(p * FRAMES))]])
            made.append(Mixture.fit(np.concatenate(parts), seed=seed))
        return cls(*made)

    def evidence(self, item: Spectra) -> tuple[float, Array]:
        """Return the score and the evidence of every frame, NaN where it is silent."""
        x = cepstra(item.bands)[item.loud]
        real, synthetic = self.real.log_density(x), self.synthetic.log_density(x)
        frames = np.full(len(item.loud), np.nan)
        frames[item.loud] = synthetic - real
        return float((synthetic - real).mean()), frames

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Return what `of` reads."""
        return {
            f"{side}/{part}": np.asarray(getattr(getattr(self, side), part), dtype=np.float32)
            for side in ("real", "synthetic")
            for part in ("weights", "means", "variances")
        }

    @classmethod
    def of(cls, tensors: Mapping[str, Any]) -> Self:
        """Read `tensors`."""

        def one(side: str) -> Mixture:
            parts = (tensors[f"{side}/{part}"].astype(np.float64) for part in ("weights", "means", "variances"))
            return Mixture(*parts)

        return cls(one("real"), one("synthetic"))
