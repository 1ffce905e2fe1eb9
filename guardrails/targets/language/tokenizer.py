"""What a tokenizer of `transformers` puts around a text, found by trying, and how a text is read because of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...core.errors import TargetError
from .causal_model import refuse_lone_surrogate
from .tokenizer_limits import TimedTokenizer

SAMPLES = ("The cat sat.", "9 to 5", "the", "Äpfel, Birnen\nund mehr")
"""Texts that a tokenizer is tried on: tokens that stand around all of them are put there by the tokenizer."""
MAX_AROUND = 64
"""Tokens that may be put around a text."""
FEW, MAX_UNKNOWN = 16, 0.5
"""Tokens of a text, and the largest share of them that may be the unknown one."""


class TextTokenizer:
    """A tokenizer, without what it appends, and with what it puts before a text put there once.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
    rows : int
        How many tokens the model has an embedding for.
    start : int, optional
        The token that the model's configuration says a text begins with.

    Attributes
    ----------
    lead, tail : list of int
        What the tokenizer puts before and after every text.

    Raises
    ------
    TargetError
        Where it puts different tokens around different texts, more than `MAX_AROUND`, or a token without an embedding.
    """

    def __init__(self, tokenizer: Any, rows: int, *, start: int | None = None) -> None:
        self._tokenizer, self._rows = TimedTokenizer(tokenizer), rows
        self.lead, self.tail = _around(self._tokenizer)
        if (around := len(self.lead) + len(self.tail)) > MAX_AROUND:
            raise TargetError(f"the tokenizer puts {around:,} tokens around each text; at most {MAX_AROUND} are read")
        if max(self.lead, default=0) >= rows:
            lead = self._names(self.lead)
            raise TargetError(f"the tokenizer puts {lead} before each text; the model has embeddings for {rows} tokens")
        named = (tokenizer.bos_token_id, start, tokenizer.eos_token_id)
        # A configuration's default may name an ordinary token.
        self._start = next((t for t in named if t in _special(tokenizer) and 0 <= t < rows), None)

    @property
    def start(self) -> int:
        """The start token, else the end-of-text token, else token 0."""
        return 0 if self._start is None else self._start

    @property
    def starts(self) -> Mapping[str, Sequence[int]]:
        """What training may have put before a document although the tokenizer puts nothing there."""
        return {} if self.lead or self._start is None else {f"after {self._names([self._start])}": (self._start,)}

    @property
    def chat_template(self) -> str | None:
        """The template that conversations are written out with, where there is one."""
        try:
            return str(self._tokenizer.get_chat_template()) if self._tokenizer.chat_template else None
        except (AttributeError, TypeError, ValueError):  # none of several is the default
            return None

    @property
    def special_tokens(self) -> dict[str, Any]:
        """What a template may write out beside the messages."""
        return dict(self._tokenizer.special_tokens_map)

    def starts_with_head(self, head: tuple[int, ...], text: str) -> dict[str, tuple[int, ...]]:
        """Return what may stand before conversations that begin with `head`: by name, its tokens.

        Beside the head as `encode` gives it, that is the head without a start token that the tokenizer adds and the
        template does not, or after one that neither does.
        """
        starts = {"": head}
        lead, bos = len(self.lead), self._tokenizer.bos_token_id
        if lead and _encode(self._tokenizer, text, special=False)[:lead] != self.lead:
            starts[f", without {self._names(self.lead)}"] = head[lead:]
        elif not lead and bos is not None and bos == self._start and bos not in head[:1]:
            starts[f", after {self._names([bos])}"] = (bos, *head)
        return starts

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text, after what the tokenizer puts before each.

        Raises
        ------
        TargetError
            For a text with half a surrogate pair, with a token that the model has no embedding for, or of `FEW` tokens
            or more of which more than half are the unknown one: of what is left, nothing could be remembered.
        """
        refuse_lone_surrogate(text)
        tokens = _encode(self._tokenizer, text, special=False)
        last = next((i for i in range(len(tokens), 0, -1) if tokens[i - 1] != self._tokenizer.eos_token_id), 0)
        tokens = tokens[:last]
        self._check(tokens)
        return tokens if tokens[: len(self.lead)] == self.lead else [*self.lead, *tokens]

    def encode_as_is(self, text: str) -> list[int]:
        """Return the tokens of a text and of nothing else, as of a conversation that a template has written out.

        Errors as `encode`.
        """
        refuse_lone_surrogate(text)
        tokens = _encode(self._tokenizer, text, special=False)
        self._check(tokens)
        return tokens

    def _check(self, tokens: Sequence[int]) -> None:
        if beyond := next((t for t in tokens if t >= self._rows), None):
            raise TargetError(
                f"the text holds {self._names([beyond])}, token {beyond}; the model has embeddings for {self._rows}"
            )
        unknown = tokens.count(self._tokenizer.unk_token_id)
        if len(tokens) >= FEW and unknown > MAX_UNKNOWN * len(tokens):
            raise TargetError(
                f"{unknown} of {len(tokens)} tokens of the text are {self._names([self._tokenizer.unk_token_id])}: the "
                "tokenizer does not know its words; is it the one that the model was trained with?"
            )

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, without special ones."""
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def describe(self) -> str:
        """Return how texts are read, for the report."""
        parts = []
        if self.lead:
            parts.append(f"each text begins with {self._names(self.lead)}, as the tokenizer adds it, and never twice")
        elif self._start is not None:
            parts.append(
                "the tokenizer adds no start token: documents are asked without one and after "
                f"{self._names([self._start])}, and the larger reading is reported"
            )
        if self.tail:
            parts.append(f"{self._names(self.tail)}, which the tokenizer appends, is taken off")
        if beyond := [token for token, i in self._tokenizer.get_vocab().items() if i >= self._rows]:
            some = ", ".join(map(repr, sorted(beyond)[:3])) + (" …" if len(beyond) > 3 else "")
            parts.append(
                f"the model has no embedding for {len(beyond)} of the tokenizer's tokens ({some}): a document that "
                "holds one is an error"
            )
        return "; ".join(parts)

    def _names(self, tokens: Iterable[int]) -> str:
        return " ".join(f"'{name}'" for name in self._tokenizer.convert_ids_to_tokens(list(tokens)))


def _encode(tokenizer: Any, text: str, *, special: bool) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=special, verbose=False))


def _special(tokenizer: Any) -> set[int]:
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return {*tokenizer.all_special_ids, *(i for i, token in added.items() if token.special)}


def _samples(tokenizer: Any) -> list[str]:
    """Return plain sentences, and words of the tokenizer's own for one that does not know those."""
    special = _special(tokenizer)
    ids = sorted(i for i in tokenizer.get_vocab().values() if i not in special)
    return [*SAMPLES, *(tokenizer.decode([i]) for i in ids[:: max(1, len(ids) // 5)])]


def _around(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Return what a tokenizer puts before and after every text."""
    around: list[tuple[list[int], list[int]]] = []
    for text in _samples(tokenizer):
        whole, plain = (_encode(tokenizer, text, special=special) for special in (True, False))
        if whole == plain:
            around.append(([], []))
            continue
        places = [i for i in range(len(whole) - len(plain) + 1) if whole[i : i + len(plain)] == plain]
        if len(places) == 1:
            around.append((whole[: places[0]], whole[places[0] + len(plain) :]))
    if not around or any(other != around[0] for other in around):
        raise TargetError(
            "the tokenizer puts different tokens around different texts, so where one begins is not known"
        )
    return around[0]
