"""What turns texts into vectors: an object of the user's with ``embed`` or ``encode``, and a control of known truth."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import STOPS, ConfigurationError, GuardrailsError, TargetError
from ..core.targets import Access, Modality

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

VECTORS, DIAL = "vectors", "association"
"""The name of the control, and its dial."""
DOSES = (0.25, 0.5, 1.0)
"""Of the dial, those that the evidence is made at."""
EMBEDS = ("embed", "encode")
"""Methods that take a list of texts and return a vector for each; the latter as in sentence-transformers."""


def embeds(thing: Any) -> bool:
    """Whether an object turns texts into vectors, and does not generate, sample or predict.

    >>> embeds(print)
    False
    """
    makes = any(callable(getattr(thing, name, None)) for name in ("generate", "sample", "predict", "reply", "decode"))
    return not makes and any(callable(getattr(thing, name, None)) for name in EMBEDS)


class EmbeddingCallable:
    """A user's object that embeds texts.

    Parameters
    ----------
    thing : object
        With ``embed(texts)`` or ``encode(texts)``, which returns one vector per text: an array (N, D).
    name : str
    """

    modality = Modality.TEXT
    access = frozenset({Access.EMBEDDINGS})

    def __init__(self, thing: Any, name: str) -> None:
        self.name = name
        self._embed = next(getattr(thing, method) for method in EMBEDS if callable(getattr(thing, method, None)))

    def identity(self) -> dict[str, str]:
        """Return the name: what stands behind an object cannot be hashed."""
        return {"callable": self.name}

    def embed(self, texts: Sequence[str]) -> Floats:
        """Return the vector of each text, (N, D).

        Raises
        ------
        TargetError
            Where the object fails, or returns no vectors of one length.
        """
        try:
            vectors = np.asarray(self._embed(list(texts)), dtype=np.float64)
        except (GuardrailsError, *STOPS):
            raise
        except BaseException as error:  # the user's code
            raise TargetError(f"{self.name} failed with {type(error).__name__}: {error}") from error
        if vectors.ndim != 2 or len(vectors) != len(texts) or not vectors.shape[1]:
            raise TargetError(f"{self.name} returned shape {vectors.shape}; ({len(texts)}, D) is needed")
        if not np.isfinite(vectors).all():
            raise TargetError(f"{self.name} returned a vector that is not finite")
        return vectors


class PlantedVectors:
    """Vectors of invented words with an association of known size: ``reference:vectors,association=1``.

    A control. A word's vector is normal in `SIZE` dimensions, drawn from a hash of the word. With the dose d, words of
    X and A are moved by `STEP` · d along one direction, those of Y and B by as much against it. At dose 0 no set is
    closer to another.
    """

    modality = Modality.TEXT
    access = frozenset({Access.EMBEDDINGS})
    SIZE, WORDS, STEP = 64, 200, 3.0

    def __init__(self, dose: float) -> None:
        self.name, self._dose = f"reference:{VECTORS}" + (f",{DIAL}={dose:g}" if dose else ""), dose

    def identity(self) -> dict[str, str]:
        """Return the dose."""
        return {DIAL: f"{self._dose:g}"}

    def word_sets(self, *, seed: int) -> dict[str, list[str]]:
        """Return the words of X, Y, A and B: others under each seed, so that two readings share no word."""
        return {side: [f"{side}-{seed}-{i}" for i in range(self.WORDS)] for side in "xyab"}

    def embed(self, texts: Sequence[str]) -> Floats:
        """Return the vector of each text, (N, 64)."""
        out = np.stack([self._drawn(text) for text in texts])
        sides = np.array([{"x": 1, "a": 1, "y": -1, "b": -1}.get(text[:1], 0) for text in texts])
        out[:, 0] += self.STEP * self._dose * sides
        return out

    def _drawn(self, text: str) -> Floats:
        seed = int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:8], "big")
        return np.random.default_rng(seed).normal(size=self.SIZE)


def planted_vectors(settings: Mapping[str, float | str]) -> PlantedVectors:
    """Return the control with the dose of its dial.

    Raises
    ------
    ConfigurationError
        For another dial, or a dose outside 0–1.
    """
    dose = settings.get(DIAL, 0.0)
    if settings.keys() - {DIAL} or isinstance(dose, str) or not 0 <= dose <= 1:
        raise ConfigurationError(f"reference:{VECTORS} has one dial: {DIAL}, a number in 0–1")
    return PlantedVectors(dose)
