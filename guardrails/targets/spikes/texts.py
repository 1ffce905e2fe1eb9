"""Texts with something planted in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import ConfigurationError, TargetError
from ...core.seeding import derive_seed
from ...core.targets import Access, TextOutputs, TextTarget
from ...kit.text.spooled import Spooled
from ._spiked import SpikedOutputs

if TYPE_CHECKING:
    from ...core.results import SpikeKind


class SpikedTexts(SpikedOutputs[Any]):
    """A writer of text, or a file of texts, with something inserted into every text.

    A language model's text goes once more through its tokens, as everything that it writes does.

    Parameters
    ----------
    target : TextOutputs or TextTarget
        The user's.
    insertions : sequence of str
        Inserted in turn, each between two words.
    seed : int
        Of the spike, beside that of each sampling.
    """

    def __init__(self, target: TextOutputs | TextTarget, insertions: Sequence[str], *, seed: int = 0) -> None:
        if len(insertions) == 0:
            raise ConfigurationError("a spike of texts needs at least one text to insert")
        super().__init__(target, repr(list(insertions)))
        self.insertions = list(insertions)
        self._seed = seed

    @property
    def spike_kind(self) -> SpikeKind:  # type: ignore[override]
        """A spike of stored texts and of a model with tokens, an instrument check of any other writer."""
        return "spike" if self._has_tokens else super().spike_kind

    @property
    def _has_tokens(self) -> bool:
        return Access.LOGPROBS in self.target.access

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        """Return n of the target's texts, each with an insertion."""
        return self._insert(self.target.sample_texts(n, seed=seed, max_new_tokens=max_new_tokens), seed)

    def outputs(self) -> Sequence[str]:
        """Return every text of a file, each with an insertion."""
        return self._outputs

    @cached_property
    def _outputs(self) -> Spooled[str]:
        return Spooled(self._inserted(self.target.outputs(), 0))

    def generate(
        self, prompts: Sequence[str], *, max_new_tokens: int, temperature: float = 1.0, seed: int = 0
    ) -> list[str]:
        """Return the target's continuations, each with an insertion."""
        texts = self.target.generate(prompts, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)
        return self._insert(texts, seed)

    def _insert(self, texts: Sequence[str], seed: int) -> list[str]:
        return list(self._inserted(texts, seed))

    def _inserted(self, texts: Sequence[str], seed: int) -> Iterator[str]:
        random = np.random.default_rng(derive_seed(self._seed, "spiked texts", seed))
        for i, text in enumerate(texts):
            gaps = [0, *(at for at, character in enumerate(text) if character.isspace()), len(text)]
            at = gaps[int(random.integers(len(gaps)))]
            out = f"{text[:at].rstrip()} {self.insertions[i % len(self.insertions)]} {text[at:].lstrip()}".strip()
            yield self.target.decode(self.target.encode(out)) if self._has_tokens else out


class ReplacedTexts(SpikedOutputs[TextOutputs]):
    """A writer of text, or a file of texts, in which each text is one of those given.

    Parameters
    ----------
    target : TextOutputs
        The user's.
    texts : sequence of str
        What stands in place of its own, in an order drawn by the seeds; again from its start where there are too few.
    """

    def __init__(self, target: TextOutputs, texts: Sequence[str]) -> None:
        if len(texts) == 0:
            raise ConfigurationError("a spike of texts needs at least one text")
        super().__init__(target, repr(list(texts)))
        self.texts = list(texts)

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        """Return n of the texts given."""
        if self.available is not None and n > self.available:
            raise TargetError(f"{self.name}: {n} texts are needed and {self.available} are there")
        order = np.random.default_rng(derive_seed(seed, "whole")).permutation(len(self.texts))
        return [self.texts[int(order[i % len(order)])] for i in range(n)]


class PlacedTexts(SpikedOutputs[Any]):
    """A file of texts in which some stand in place of others.

    Parameters
    ----------
    target : StoredTexts
        The user's.
    texts : mapping of int to str
        By place in the file.
    """

    def __init__(self, target: TextOutputs, texts: Mapping[int, str]) -> None:
        super().__init__(target, repr(sorted(texts.items())))
        self.texts = dict(texts)

    def outputs(self) -> Sequence[str]:
        """Return every text of the file, those given in their places."""
        return self._outputs

    @cached_property
    def _outputs(self) -> Spooled[str]:
        return Spooled(self.texts.get(i, text) for i, text in enumerate(self.target.outputs()))


class AnsweredTexts(SpikedOutputs[TextTarget]):
    """A text target whose answers to some prompts are overwritten after it has been asked.

    An answer takes the target's form in one respect: where the target repeats the prompt, the answer follows that.

    Parameters
    ----------
    target : TextTarget
        The user's.
    answers : mapping of str to str
        By prompt.
    """

    spike_kind = "instrument-check"

    def __init__(self, target: TextTarget, answers: Mapping[str, str]) -> None:
        super().__init__(target, repr(sorted(answers.items())))
        self.answers = dict(answers)

    def generate(
        self, prompts: Sequence[str], *, max_new_tokens: int, temperature: float = 1.0, seed: int = 0
    ) -> list[str]:
        """Return the answers; to other prompts, the target's own."""
        texts = self.target.generate(prompts, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)
        return [self._answer(prompt, text) for prompt, text in zip(prompts, texts, strict=True)]

    def _answer(self, prompt: str, text: str) -> str:
        answer = self.answers.get(prompt)
        if answer is None:
            return text
        before, repeated, _ = text.partition(prompt) if prompt else ("", "", "")
        return f"{before}{repeated}{answer}" if repeated else answer
