"""What every target with a causal language model at hand can do: shared by the reference, hf and package targets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...core.errors import ConfigurationError, TargetError
from ...core.targets import Access, Modality
from ...kit.lm import moments, scoring
from ...kit.lm.mode import context_length

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LANGUAGE_MODEL_ACCESS = frozenset({Access.OUTPUTS, Access.SAMPLING, Access.LOGPROBS, Access.WEIGHTS})


class CausalTarget(ABC):
    """A `LanguageModelTarget` over a model and the tokens of its vocabulary.

    A subclass gives `name`, `model`, `identity`, `encode`, `decode`, `start` and `end`.
    """

    name: str
    modality = Modality.TEXT
    access = LANGUAGE_MODEL_ACCESS

    @property
    @abstractmethod
    def model(self) -> Any:
        """The causal model of `transformers`, in evaluation mode."""

    @property
    @abstractmethod
    def start(self) -> int:
        """The token that a text with nothing before it is written from."""

    @property
    @abstractmethod
    def end(self) -> frozenset[int]:
        """The tokens that end a text."""

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text as the model reads it, without an end-of-text token."""

    @abstractmethod
    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, without special ones."""

    @abstractmethod
    def identity(self) -> dict[str, str]:
        """Return hashes and versions that say exactly what was audited."""

    @property
    def starts(self) -> Mapping[str, Sequence[int]]:
        """What may stand before a document beside what `encode` puts there, by name: see `kit.document_starts`."""
        return {}

    @property
    def available(self) -> None:
        """None: there is no end to what it can write."""
        return None

    @property
    def context_length(self) -> int:
        """The longest sequence of tokens that the model can read."""
        return context_length(self.model)

    def continue_tokens(self, prefixes: Sequence[Sequence[int]], *, n: int, past_end: bool = False) -> list[list[int]]:
        """Return the greedy continuation of each prefix, n tokens long (shorter only at an end-of-text token).

        `past_end`: go on behind such a token, which in a conversation ends a turn.
        """
        return scoring.greedy(self.model, prefixes, n, end=frozenset() if past_end else self.end)

    def token_logprobs(self, sequences: Sequence[Sequence[int]]) -> list[NDArray[np.float64]]:
        """Return, per sequence, log p(token | tokens before it) for every token but the first.

        A sequence longer than the context is read through a sliding window: see
        `guardrails.kit.lm.scoring.token_logprobs`.
        """
        return scoring.token_logprobs(self.model, sequences, overflow="slide")

    def token_moments(self, sequences: Sequence[Sequence[int]]) -> list[NDArray[np.float64]]:
        """Return, per sequence, log p of every token but the first, and the mean and spread of log p: (length − 1, 3).

        See `guardrails.kit.lm.moments.token_moments`. Raises ConfigurationError beyond the context.
        """
        return moments.token_moments(self.model, sequences)

    def generate(
        self,
        prompts: Sequence[str],
        *,
        max_new_tokens: int,
        temperature: float = 1.0,
        seed: int = 0,
        start: Sequence[int] = (),
        past_end: bool = False,
    ) -> list[str]:
        """Return one continuation per prompt, without the prompt; of a prompt that is too long, its end counts.

        Each prompt is read after `start`, in place of what `encode` puts before it: see `begun_with`. `past_end` as in
        `continue_tokens`.
        """
        room = self.context_length - max_new_tokens
        if room < 1:
            raise ConfigurationError(
                f"{max_new_tokens} new tokens do not fit into the context of {self.context_length} of {self.name}"
            )
        encoded = [self.encode(prompt) for prompt in prompts]
        lead = len(self.encode("")) if start else 0
        begun = [begun_with(start, tokens, lead) for tokens in encoded]
        prefixes = [(tokens or [self.start])[-room:] for tokens in begun]
        end = frozenset() if past_end else self.end
        written = scoring.sample(self.model, prefixes, max_new_tokens, temperature=temperature, seed=seed, end=end)
        return [self.decode(tokens) for tokens in written]

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        """Return n texts written from the start token, no longer than the context."""
        length = min(max_new_tokens, self.context_length - 1)
        written = scoring.sample(self.model, [[self.start]] * n, length, seed=seed, end=self.end)
        return [self.decode(tokens) for tokens in written]


def begun_with(start: Sequence[int], tokens: Sequence[int], lead: int) -> list[int]:
    """Return the tokens of a prompt after a start, of which the prompt may hold all or the end.

    Parameters
    ----------
    start, tokens : sequence of int
        What is to stand before the prompt, and the prompt as `encode` gives it.
    lead : int
        How many of the tokens the tokenizer puts before every text: a start with others takes their place.

    Examples
    --------
    >>> begun_with([1, 2], [1, 2, 3], 0), begun_with([1, 2], [2, 3], 0), begun_with([1, 2], [9, 3], 1)
    ([1, 2, 3], [1, 2, 3], [1, 2, 3])
    """
    if not start:
        return list(tokens)
    if list(tokens[: len(start)]) == list(start):
        return list(tokens)
    text = list(tokens[lead:])
    there = next(n for n in range(len(start), -1, -1) if text[:n] == list(start[len(start) - n :]))
    return [*start[: len(start) - there], *text]


def refuse_lone_surrogate(text: str) -> None:
    """Raise TargetError for a text that is no valid Unicode: no tokenizer can read it."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        half = f"U+{ord(text[error.start]):04X}, half of a surrogate pair"
        raise TargetError(f"the text cannot be tokenized: character {error.start} is {half}") from None
