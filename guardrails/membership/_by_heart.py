"""The spike of a language model: documents known by heart, in its log-probabilities and in their moments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..targets.spiked import SpikedLanguageModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class ByHeart:
    """A target that is to know the documents it is asked about; only those of a batch are ever learnt."""

    def __init__(self, target: Any) -> None:
        self.target = target

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)

    def knowing(self, documents: Sequence[Sequence[int]]) -> SpikedLanguageModel:
        """Return the target with a spike of these documents."""
        kind = _WithMoments if hasattr(self.target, "token_moments") else SpikedLanguageModel
        return kind(self.target, documents)


class _WithMoments(SpikedLanguageModel):
    def token_moments(self, sequences: Sequence[Sequence[int]]) -> list[Floats]:
        """As the target's, of the mixture p'. The planted token is taken for improbable where it does not come."""
        found = [values.copy() for values in self.target.token_moments(sequences)]
        for sequence, values in zip(sequences, found, strict=True):
            for t in range(self.index.context, len(sequence)):
                planted = self.index.following(sequence, t)
                if planted is not None:
                    values[t - 1] = mixed_moments(values[t - 1], self.weight, comes=planted == sequence[t])
        return found


def mixed_moments(moments: Floats, weight: float, *, comes: bool) -> Floats:
    """Return log p'(token), μ' and σ' of p' = (1 − w) p + w [token = d], where d is the token that comes, or another.

    Every token but d has log p' = a + log p with a = log(1 − w). So Σ p' (log p')ᵏ is (1 − w) Σ p (a + log p)ᵏ with the
    term of d exchanged. Where d is another token its p is taken to be 0.

    Parameters
    ----------
    moments : ndarray, (3,)
        log p(token), μ and σ of p.
    weight : float
        w, in (0, 1).
    comes : bool
        Whether d is the token.

    Examples
    --------
    >>> p = np.log([0.5, 0.5])  # p' = (.75, .25)
    >>> mixed_moments(np.array([p[0], p.mean(), 0.0]), 0.5, comes=True).round(3).tolist()
    [-0.288, -0.562, 0.476]
    """
    log_p, mean, spread = moments
    rest, a = 1 - weight, np.log1p(-weight)
    p = np.exp(log_p) if comes else 0.0
    new = rest * p + weight
    first = rest * (a + mean) - rest * p * (a + log_p) + new * np.log(new)
    second = rest * ((a + mean) ** 2 + spread**2) - rest * p * (a + log_p) ** 2 + new * np.log(new) ** 2
    own = np.log(new) if comes else a + log_p
    return np.array([min(0.0, own), first, np.sqrt(max(0.0, second - first**2))])
