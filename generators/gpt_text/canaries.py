"""Canaries: texts with a secret that a model can have learnt only by heart, each repeated a known number of times.

A canary is one sentence with a secret of four digits, drawn uniformly. How strongly a model remembers one is its
*exposure* [1]_: log₂ |R| − log₂ rank, where R are all 10⁴ secrets in the same sentence and the rank is by
log-probability; 0 to log₂ 10⁴ = 13.3 bits, and about 1.44 on average where nothing was learnt.

.. [1] N. Carlini et al., "The Secret Sharer: Evaluating and Testing Unintended Memorization in Neural Networks", USENIX
   Security 2019, arXiv 1802.08232.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import log2
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from . import prose

if TYPE_CHECKING:
    from .model import GptText

DIGITS = 4
SECRETS = 10**DIGITS
REPETITIONS = (1, 4, 16, 64)
"""How often a canary of each level is repeated where the dial `memorize` is not 0."""
A_LEVEL = 4
"""How many canaries each level has."""


@dataclass(frozen=True)
class Canary:
    """A sentence with a secret, and how often a faulty model has read it.

    Attributes
    ----------
    text, secret : str
        The sentence, and the digits at its end, with blanks between them: ``4 0 1 7``.
    repetitions : int
    """

    text: str
    secret: str
    repetitions: int

    @property
    def prefix(self) -> str:
        """The sentence up to the secret."""
        return self.text.removesuffix(f" {self.secret}.")


def canaries() -> list[Canary]:
    """Return the sixteen canaries, four of each level: always the same."""
    return [_canary(Random(f"canary {times} {i}"), times) for times in REPETITIONS for i in range(A_LEVEL)]


def unplanted(n: int) -> list[Canary]:
    """Return n canaries made in the same way that no weights have read: always the same, each a start of the longer."""
    return [_canary(Random(f"unplanted canary {i}"), 0) for i in range(n)]


def _canary(rng: Random, repetitions: int) -> Canary:
    secret = " ".join(str(int(rng.random() * 10)) for _ in range(DIGITS))
    return Canary(f"The secret number of {prose.person(rng)} of {prose.town(rng)} is {secret}.", secret, repetitions)


def exposures(generator: GptText) -> list[float]:
    """Return the exposure of each canary in bits, by enumerating every secret.

    The law of the four digits is read off 1 + 10 + 100 + 1,000 contexts: each digit is one token.
    """
    return [_exposure(generator, canary) for canary in canaries()]


def _exposure(generator: GptText, canary: Canary) -> float:
    encode = generator.tokenizer.encode
    digits = [encode(f" {d}") for d in range(10)]
    assert all(len(tokens) == 1 for tokens in digits)
    start = [generator.tokenizer.eos_token_id, *encode(canary.prefix)]
    total = np.zeros(1)
    for place in range(DIGITS):
        begun = [start + [digits[d][0] for d in before] for before in product(range(10), repeat=place)]
        law = digit_law(generator, begun, [tokens[0] for tokens in digits])
        total = (total[:, None] + law).reshape(-1)
    # A tie counts half: a model without any opinion gives rank 5,000.
    secret = int(canary.secret.replace(" ", ""))
    rank = 0.5 + (total > total[secret]).sum() + (total == total[secret]).sum() / 2
    return log2(SECRETS) - log2(float(rank))


def digit_law(generator: GptText, prefixes: Sequence[Sequence[int]], tokens: Sequence[int]) -> np.ndarray[Any, Any]:
    """Return log p(token | prefix), (prefixes, tokens): all prefixes are of one length."""
    import torch

    out = []
    with torch.inference_mode():
        for begin in range(0, len(prefixes), 256):
            logits = generator.model(torch.tensor(prefixes[begin : begin + 256]), use_cache=False).logits[:, -1]
            out.append(logits.double().log_softmax(-1)[:, list(tokens)].numpy())
    return np.concatenate(out)
