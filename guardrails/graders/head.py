"""Linear heads on vectors of sentences: what ships, how it is read, and what it says of a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.grading import ErrorCard, Grade, Grader, LabelledControls
from ..kit.carded_weights import read_carded
from .sentence_encoder import MOST_TOKENS, PACKAGE, sentence_encoder

WEIGHTS = Path(__file__).parent / "weights"
CARDS = Path(__file__).parent / "cards"
COMMAND = "guardrails train grader {}"

Features = Callable[[str], Sequence[float]]
"""Further numbers that a head reads from the text itself."""


class Head:
    """Multinomial logistic regression on a sentence's vector, and on what rules say of the text.

    Parameters
    ----------
    name : str
        Of the grader, and of the file of its weights.
    features : callable, optional
        What rules say.
    """

    def __init__(self, name: str, features: Features = lambda _: ()) -> None:
        self.name, self._features = name, features

    @cached_property
    def _shipped(self) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, Any]]:
        from safetensors.numpy import load

        weights, card = read_carded(WEIGHTS, self.name, command=COMMAND.format(self.name))
        arrays = load(weights)
        return arrays["coefficients"].astype(np.float64), arrays["intercepts"].astype(np.float64), card

    def identity(self) -> dict[str, str]:
        """Return the hashes of the head and of the encoder."""
        return {"head": str(self._shipped[2]["sha256"]), "encoder": PACKAGE.distribution, **PACKAGE.sha256}

    def card(self, grader: Grader) -> ErrorCard:
        """Return the error by cross-fitting, and that of the domains that were measured besides."""
        controls = [LabelledControls(**row) for row in self._shipped[2]["controls"]]
        card = ErrorCard(
            grader=self.name, grader_sha256=grader.sha256, identity=grader.identity(), controls=tuple(controls)
        )
        more = CARDS / f"{self.name}.json"
        if not more.is_file():
            return card
        measured = ErrorCard.from_json(more.read_bytes(), more.name)
        measured.check(grader)
        return card.with_domain(measured.controls)

    def grade(self, text: str, labels: Sequence[str]) -> Grade:
        """Return the most likely label of a text, with the probability of the first; no label for a text too long."""
        vector = vector_of(text, self._features)
        if isinstance(vector, Grade):
            return vector
        coefficients, intercepts, _ = self._shipped
        logits = coefficients @ vector + intercepts
        probabilities = np.exp(logits - logits.max())
        probabilities /= probabilities.sum()
        return Grade(labels[int(probabilities.argmax())], score=float(probabilities[0]))


def vector_of(text: str, features: Features = lambda _: ()) -> NDArray[np.float64] | Grade:
    """Return what a head reads of a text, or why it reads nothing."""
    readable = text.encode("utf-8", "ignore").decode()
    if not any(character.isalpha() for character in readable):
        return Grade(None, reason="it holds no letter")
    vector = _sentence_vector(readable)
    if isinstance(vector, Grade):
        return vector
    return np.concatenate([vector.astype(np.float64), np.asarray(features(text), dtype=np.float64)])


@lru_cache(maxsize=4096)
def _sentence_vector(text: str) -> NDArray[np.float32] | Grade:
    """Return the vector of a text, computed once for all heads."""
    tokens = sentence_encoder().tokens(text)
    if len(tokens) > MOST_TOKENS:
        return Grade(None, reason=f"it has {len(tokens):,} tokens; the encoder reads {MOST_TOKENS}")
    return sentence_encoder().encode(tokens)
