"""A known shift of log-odds put into a language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ShiftedTarget:
    """A language model that finds some sentences less probable, each by a known number of nats.

    Only ever less: log-probabilities stay at most 0, and a pair's log-odds shift by the same amount either way.

    Parameters
    ----------
    target : LanguageModelTarget
        The user's.
    penalties : mapping of str to float
        Nats, at least 0, by sentence.
    """

    def __init__(self, target: Any, penalties: Mapping[str, float]) -> None:
        self.target = target
        self.name = f"{target.name} (spiked)"
        self._penalties = {tuple(target.encode(text)): nats for text, nats in penalties.items()}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)

    def identity(self) -> dict[str, str]:
        """Return the identity of the target, marked as spiked."""
        identity: dict[str, str] = self.target.identity()
        return identity | {"spiked": f"{len(self._penalties)} sentences"}

    def token_logprobs(self, sequences: Sequence[Sequence[int]]) -> list[NDArray[np.float64]]:
        """Return the target's log-probabilities; the last token of a sentence bears its penalty."""
        scores = [values.copy() for values in self.target.token_logprobs(sequences)]
        for sequence, values in zip(sequences, scores, strict=True):
            if len(values):
                values[-1] -= self._penalties.get(tuple(sequence), 0.0)
        return scores
