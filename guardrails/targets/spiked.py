"""A known dose of a fault in the user's own target: what a probe must then find."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.base import Target
from ..core.errors import ConfigurationError, TargetError
from ..core.seeding import derive_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

CONTEXT = 8
"""How many tokens of a document must precede for it to be recognised."""
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


class _Spiked:
    """The name, access and identity of a target with a spike in it."""

    def __init__(self, target: Target, planted: str) -> None:
        self.target: Any = target
        self.name = f"{target.name} (spiked)"
        self.modality = target.modality
        self.access = target.access
        self._planted = planted

    @property
    def available(self) -> int | None:
        """As many as the target has."""
        available: int | None = getattr(self.target, "available", None)
        return available

    def identity(self) -> dict[str, str]:
        """Return the identity of the target, with a hash of what was planted."""
        identity: dict[str, str] = self.target.identity()
        return identity | {"spiked": hashlib.sha256(self._planted.encode()).hexdigest()}


class SpikedLanguageModel(_Spiked):
    """A language model that, in part, knows documents by heart.

    Where the tokens so far end in at least `CONTEXT` tokens of a document, the next token's probability is the mixture
    p' = (1 - w) p + w [token = the document's next]; elsewhere p' = p. A sampling temperature tempers p alone.

    Parameters
    ----------
    target : Target
        The user's `LanguageModelTarget`.
    documents : sequence of str or of sequences of int
        What is planted; text is encoded by the target.
    weight : float
        w, in [0.5, 1): the document's next token is then also the most probable one.

    Raises
    ------
    ConfigurationError
        For a weight outside of that range.
    """

    def __init__(
        self, target: Target, documents: Sequence[str] | Sequence[Sequence[int]], weight: float = 0.95
    ) -> None:
        if not 0.5 <= weight < 1:
            raise ConfigurationError(f"the weight of a spike is {weight:g}; it must be at least 0.5 and below 1")
        language_model: Any = target
        tokens = [language_model.encode(d) if isinstance(d, str) else list(d) for d in documents]
        super().__init__(target, repr((weight, tokens)))
        self.weight = weight
        self.index = PrefixIndex(tokens)

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


class SpikedImages(_Spiked):
    """A maker or folder of pictures in which every picture is a slightly altered copy of a given one.

    Parameters
    ----------
    target : Target
        The user's `ImageTarget`.
    copies : sequence of arrays, (H, W, 3) uint8
        What is copied, in an order drawn by the seeds; again from its start where there are too few.
    seed : int
        Of the spike, beside that of each sampling.
    """

    def __init__(self, target: Target, copies: Sequence[Image], *, seed: int = 0) -> None:
        if len(copies) == 0:
            raise ConfigurationError("a spike of pictures needs at least one picture to copy")
        super().__init__(target, f"{len(copies)} pictures, seed {seed}")
        self.copies = copies
        self._seed = seed

    def sample_images(self, n: int, *, seed: int) -> list[Image]:
        """Return n altered copies: noise, brightness, a shift by a pixel and JPEG in turn."""
        if self.available is not None and n > self.available:
            raise TargetError(f"{self.name}: {n} pictures are needed and {self.available} are there")
        random = np.random.default_rng(derive_seed(self._seed, "spiked images", seed))
        order = random.permutation(len(self.copies))
        alter = (_noise, _brightness, _shift, _jpeg)
        return [alter[i % len(alter)](self.copies[int(order[i % len(order)])], random) for i in range(n)]


def _noise(image: Image, random: np.random.Generator) -> Image:
    return _to_uint8(image + random.normal(0, 4, image.shape))


def _brightness(image: Image, random: np.random.Generator) -> Image:
    return _to_uint8(image * random.choice([0.92, 1.08]))


def _shift(image: Image, random: np.random.Generator) -> Image:
    axis, step = int(random.integers(2)), int(random.choice([-1, 1]))
    padded = np.pad(image, [(1, 1) if a == axis else (0, 0) for a in range(image.ndim)], mode="edge")
    return np.take(padded, np.arange(1, image.shape[axis] + 1) + step, axis=axis)


def _jpeg(image: Image, random: np.random.Generator) -> Image:
    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, "JPEG", quality=int(random.integers(75, 91)))
    return np.asarray(Pillow.open(buffer).convert("L" if image.ndim == 2 else "RGB"), dtype=np.uint8)


def _to_uint8(image: NDArray[np.float64]) -> Image:
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


class SpikedTexts(_Spiked):
    """A writer of text, or a file of texts, with something inserted into every text.

    Parameters
    ----------
    target : Target
        The user's `TextOutputs` or `TextTarget`.
    insertions : sequence of str
        Inserted in turn, each between two words.
    seed : int
        Of the spike, beside that of each sampling.
    """

    def __init__(self, target: Target, insertions: Sequence[str], *, seed: int = 0) -> None:
        if len(insertions) == 0:
            raise ConfigurationError("a spike of texts needs at least one text to insert")
        super().__init__(target, repr(list(insertions)))
        self.insertions = list(insertions)
        self._seed = seed

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        """Return n of the target's texts, each with an insertion."""
        return self._insert(self.target.sample_texts(n, seed=seed, max_new_tokens=max_new_tokens), seed)

    def generate(
        self, prompts: Sequence[str], *, max_new_tokens: int, temperature: float = 1.0, seed: int = 0
    ) -> list[str]:
        """Return the target's continuations, each with an insertion."""
        texts = self.target.generate(prompts, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)
        return self._insert(texts, seed)

    def _insert(self, texts: Sequence[str], seed: int) -> list[str]:
        random = np.random.default_rng(derive_seed(self._seed, "spiked texts", seed))
        out = []
        for i, text in enumerate(texts):
            gaps = [0, *(at for at, character in enumerate(text) if character.isspace()), len(text)]
            at = gaps[int(random.integers(len(gaps)))]
            out.append(f"{text[:at].rstrip()} {self.insertions[i % len(self.insertions)]} {text[at:].lstrip()}".strip())
        return out
