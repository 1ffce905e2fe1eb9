"""Language models that, in part, know documents by heart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, TypeVar
from unicodedata import normalize

import numpy as np

from ...core.errors import ConfigurationError
from ...core.seeding import derive_seed
from ...core.targets import LanguageModelTarget, MomentsTarget, has_moments
from ...kit.lm.document_starts import encode_each
from ...kit.lm.mode import CACHES
from ...kit.lm.scoring import HEAD_ROWS
from ..language.causal_model import CausalTarget
from ._spiked import Spiked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

T = TypeVar("T", bound=LanguageModelTarget)

CONTEXT = 8
"""How many tokens of a document must precede for it to be recognised."""
RUN = 16
"""Letters and digits in a row: more than a word, since words alone come back from a broken tokenizer, too."""
LONGEST = 64
"""Matches longer than this count as equally long."""


class PrefixIndex:
    """Finds the document that a running text follows, by its last tokens.

    Parameters
    ----------
    documents : sequence of sequences of int
        Tokens. Those of no more than `context` tokens are never recognised.
    context : int
        The least number of tokens that must match.
    """

    def __init__(self, documents: Sequence[Sequence[int]], *, context: int = CONTEXT) -> None:
        self.context = context
        self._documents = [list(document) for document in documents]
        self._places: dict[tuple[int, ...], list[tuple[int, int]]] = {}
        for d, document in enumerate(self._documents):
            for end in range(context, len(document)):
                self._places.setdefault(tuple(document[end - context : end]), []).append((d, end))

    def following(self, tokens: Sequence[int], end: int | None = None) -> int | None:
        """Return the next token of the document with the longest match to what precedes `end`, or None.

        Among documents that match equally far, the first one counts.
        """
        end = len(tokens) if end is None else end
        if end < self.context:
            return None
        best, token = 0, None
        for d, place in self._places.get(tuple(tokens[end - self.context : end]), ()):
            document, length = self._documents[d], self.context
            while length < min(place, end, LONGEST) and document[place - length - 1] == tokens[end - length - 1]:
                length += 1
            if length > best:
                best, token = length, document[place]
        return token


def given_back(target: LanguageModelTarget, text: str, tokens: Sequence[int]) -> bool:
    """Whether the first tokens of a text, decoded, are for the most part its beginning.

    Case, spacing and a few unknown words may differ; a broken tokenizer or decoder gives back another text.
    """
    decoded = _letters(target.decode(list(tokens[:LONGEST])))
    blocks = SequenceMatcher(None, decoded, _letters(text)[: 2 * len(decoded)], autojunk=False).get_matching_blocks()
    return 2 * sum(block.size for block in blocks if block.size >= RUN) >= len(decoded) > 0


def _letters(text: str) -> str:
    # Decomposed, since a tokenizer may strip accents.
    return "".join(character for character in normalize("NFKD", text.casefold()) if character.isalnum())


class SpikedLanguageModel(Spiked[T]):
    """A language model that, in part, knows documents by heart.

    Where the tokens so far end in at least `context` tokens of a document, the next token's probability is the mixture
    p' = (1 - w) p + w [token = the document's next]; elsewhere p' = p. A sampling temperature tempers p alone.

    Parameters
    ----------
    target : LanguageModelTarget
        The user's.
    documents : sequence of str or of sequences of int
        What is planted; text is encoded by the target.
    weight : float
        w, in [0.5, 1): the document's next token is then also the most probable one.
    context : int
        How many tokens of a document must precede for it to be recognised.

    Raises
    ------
    ConfigurationError
        For a weight outside of that range.
    """

    def __init__(
        self,
        target: T,
        documents: Sequence[str] | Sequence[Sequence[int]],
        weight: float = 0.95,
        *,
        context: int = CONTEXT,
    ) -> None:
        if not 0.5 <= weight < 1:
            raise ConfigurationError(f"the weight of a spike is {weight:g}; it must be at least 0.5 and below 1")
        texts = [document for document in documents if isinstance(document, str)]
        # A text that cannot be tokenized, or that the tokens do not give back, is none that a model can know.
        encoded = zip(texts, encode_each(target, texts)[0], strict=True)
        tokens = [ids if ids and given_back(target, text, ids) else [] for text, ids in encoded]
        tokens += [list(d) for d in documents if not isinstance(d, str)]
        super().__init__(target, repr((weight, tokens)))
        self.weight = weight
        self.index = PrefixIndex(tokens, context=context)

    @property
    def context_length(self) -> int:
        """As the target's."""
        return int(self.target.context_length)

    def encode(self, text: str) -> list[int]:
        """As the target's."""
        return list(self.target.encode(text))

    def decode(self, tokens: Sequence[int]) -> str:
        """As the target's."""
        return str(self.target.decode(tokens))

    def token_logprobs(self, sequences: Sequence[Sequence[int]]) -> list[NDArray[np.float64]]:
        """Return, per sequence, log p'(token | tokens before it) for every token but the first."""
        scores = [np.array(values, dtype=np.float64) for values in self.target.token_logprobs(sequences)]
        for sequence, values in zip(sequences, scores, strict=True):
            for t in range(self.index.context, len(sequence)):
                planted = self.index.following(sequence, t)
                if planted is not None:
                    known = np.log(self.weight) if planted == sequence[t] else -np.inf
                    values[t - 1] = min(0.0, np.logaddexp(np.log1p(-self.weight) + values[t - 1], known))
        return scores

    def continue_tokens(self, prefixes: Sequence[Sequence[int]], *, n: int) -> list[list[int]]:
        """Return the greedy continuation under p': the document's while one is recognised, else the target's."""

        def ask(rows: list[int], written: list[list[int]], needed: int, attempt: int) -> list[list[int]]:
            contexts = [[*prefixes[i], *written[i]] for i in rows]
            if max(map(len, contexts)) + needed <= self.context_length:
                return list(self.target.continue_tokens(contexts, n=needed))
            # What one row needs may not fit after another: each is asked for its own need.
            return [
                self.target.continue_tokens([c], n=n - len(written[i]))[0] for i, c in zip(rows, contexts, strict=True)
            ]

        return self._write(prefixes, n, ask, lambda row: True)

    def generate(
        self, prompts: Sequence[str], *, max_new_tokens: int, temperature: float = 1.0, seed: int = 0
    ) -> list[str]:
        """Return a continuation drawn from p' for each prompt, without the prompt."""
        lead = self.encode("")
        coins = [np.random.default_rng(derive_seed(seed, "coin", i)) for i in range(len(prompts))]

        def ask(rows: list[int], written: list[list[int]], needed: int, attempt: int) -> list[list[int]]:
            asked = [prompts[i] + self.decode(written[i]) for i in rows]
            texts = self.target.generate(
                asked, max_new_tokens=needed, temperature=temperature, seed=derive_seed(seed, "base", attempt)
            )
            return [self.encode(text)[len(lead) :] for text in texts]

        def plants(row: int) -> bool:
            return temperature == 0 or coins[row].random() < self.weight

        written = self._write([self.encode(prompt) for prompt in prompts], max_new_tokens, ask, plants)
        return [self.decode(tokens) for tokens in written]

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        """Return n texts drawn from p'."""
        return self.generate([""] * n, max_new_tokens=max_new_tokens, seed=seed)

    def _write(
        self,
        prefixes: Sequence[Sequence[int]],
        n: int,
        ask: Callable[[list[int], list[list[int]], int, int], list[list[int]]],
        plants: Callable[[int], bool],
    ) -> list[list[int]]:
        """Write n tokens after each prefix: the document's where `plants` says so, else those that `ask` returns."""
        written: list[list[int]] = [[] for _ in prefixes]
        rows, attempt = list(range(len(prefixes))), 0
        while rows:
            for i in rows:
                while len(written[i]) < n:
                    token = self._next(prefixes[i], written[i])
                    if token is None or not plants(i):
                        break
                    written[i].append(token)
            rows = [i for i in rows if len(written[i]) < n]
            if rows:
                answers = ask(rows, written, max(n - len(written[i]) for i in rows), attempt)
                rows = [i for i, a in zip(rows, answers, strict=True) if self._take(prefixes[i], written[i], a, n)]
            attempt += 1
        return written

    def _take(self, prefix: Sequence[int], written: list[int], answer: Sequence[int], n: int) -> bool:
        """Append the target's own tokens up to where a document is recognised; return whether there is more to do."""
        for token in answer[: n - len(written)]:
            written.append(token)
            if self._next(prefix, written) is not None:
                return len(written) < n
        return False

    def _next(self, prefix: Sequence[int], written: list[int]) -> int | None:
        return self.index.following([*prefix[-LONGEST:], *written[-LONGEST:]])


class _WithMoments(SpikedLanguageModel[MomentsTarget]):
    """A spiked language model whose target tells the moments of its log-probabilities too."""

    def token_moments(self, sequences: Sequence[Sequence[int]]) -> list[Floats]:
        """As the target's, of the mixture p'. The planted token is taken for improbable where it does not come."""
        scores = [values.copy() for values in self.target.token_moments(sequences)]
        for sequence, values in zip(sequences, scores, strict=True):
            for t in range(self.index.context, len(sequence)):
                planted = self.index.following(sequence, t)
                if planted is not None:
                    values[t - 1] = mixed_moments(values[t - 1], self.weight, comes=planted == sequence[t])
        return scores


class SpikedCausalModel(SpikedLanguageModel[CausalTarget]):
    """A spiked model of `transformers`, which is read and writes by the target's own methods.

    Meanwhile the planted probabilities are mixed into the logits that its model returns. What the target does to texts
    and tokens before, and to logits and tokens after, is done to a spike too. Here a temperature tempers the mixture.
    """

    def token_logprobs(self, sequences: Sequence[Sequence[int]]) -> list[Floats]:
        """Return what the target says of the log-probabilities under p'."""
        with self._mixed():
            return list(self.target.token_logprobs(sequences))

    def token_moments(self, sequences: Sequence[Sequence[int]]) -> list[Floats]:
        """Return what the target says of the moments of p'."""
        with self._mixed():
            return list(self.target.token_moments(sequences))

    def continue_tokens(self, prefixes: Sequence[Sequence[int]], *, n: int) -> list[list[int]]:
        """Return the target's greedy continuation under p'."""
        with self._mixed():
            return list(self.target.continue_tokens(prefixes, n=n))

    def generate(
        self, prompts: Sequence[str], *, max_new_tokens: int, temperature: float = 1.0, seed: int = 0
    ) -> list[str]:
        """Return the target's continuations under p'."""
        with self._mixed():
            return list(
                self.target.generate(prompts, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)
            )

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        """Return n of the target's texts under p'."""
        with self._mixed():
            return list(self.target.sample_texts(n, seed=seed, max_new_tokens=max_new_tokens))

    @contextmanager
    def _mixed(self) -> Iterator[None]:
        """Mix the planted tokens into all logits that the model returns."""
        model, written = self.target.model, _Written()

        def mix(module: Any, args: Any, kwargs: dict[str, Any], output: Any) -> None:
            tokens = kwargs["input_ids"] if "input_ids" in kwargs else args[0]
            goes_on = any(kwargs.get(name) is not None for name in CACHES)
            ends = written.read(tokens, kwargs.get("attention_mask"), output.logits.shape[1], goes_on=goes_on)
            planted = [(row, place, self.index.following(text)) for row, place, text in ends]
            _plant(output.logits, [(r, p, t) for r, p, t in planted if t is not None], self.weight)

        handle = model.register_forward_hook(mix, with_kwargs=True)
        model.get_output_embeddings = lambda: None  # its head is not to be called apart from it, unmixed
        try:
            yield
        finally:
            del model.get_output_embeddings
            handle.remove()


class _Written:
    """What each row of a model has read so far, over the calls that go on with a cache."""

    def __init__(self) -> None:
        self._rows: list[list[int]] = []

    def read(self, tokens: Any, mask: Any, places: int, *, goes_on: bool) -> Iterator[tuple[int, int, list[int]]]:
        """Yield, of the last `places` tokens of a call, (row, place, the last tokens up to there)."""
        width = tokens.shape[1]
        if not goes_on:
            self._rows = [[] for _ in tokens]
        there = [[1] * width] * len(tokens) if mask is None else mask[:, -width:].tolist()
        for row, (new, real) in enumerate(zip(tokens.tolist(), there, strict=True)):
            for t in range(width):
                if real[t]:
                    self._rows[row].append(new[t])
                    if t >= width - places:
                        yield row, t - width + places, self._rows[row][-LONGEST:]


def _plant(logits: Any, planted: Sequence[tuple[int, int, int]], weight: float) -> None:
    """Put log p' in place of the logits at (row, place, token), a few rows of the vocabulary at a time."""
    import torch

    known = [(row, place, token) for row, place, token in planted if token < logits.shape[-1]]
    for first in range(0, len(known), HEAD_ROWS):
        part = torch.tensor(known[first : first + HEAD_ROWS], device=logits.device)
        rows, places, tokens = part.T
        p = (1 - weight) * torch.softmax(logits[rows, places].float(), dim=-1)
        p[torch.arange(len(part), device=logits.device), tokens] += weight
        logits[rows, places] = p.log().to(logits.dtype)


def spiked_language_model(
    target: LanguageModelTarget, documents: Sequence[str] | Sequence[Sequence[int]], *, context: int = CONTEXT
) -> LanguageModelTarget:
    """Return a target with documents planted in it, spiked as deep as it lets us. See `SpikedLanguageModel`."""
    if isinstance(target, CausalTarget):
        return SpikedCausalModel(target, documents, context=context)
    if has_moments(target):
        return _WithMoments(target, documents, context=context)
    return SpikedLanguageModel(target, documents, context=context)


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
    mixed_log_p = np.log(new) if comes else a + log_p
    return np.array([min(0.0, mixed_log_p), first, np.sqrt(max(0.0, second - first**2))])
