"""Log-probabilities of a text's tokens, as servers of completions give them, checked before any is used.

Two forms are read. ``echo``: the answer repeats the text, and ``logprobs`` lists its tokens before those that were
written. ``prompt_logprobs`` (vLLM): a list of its own, one entry per token of the text. A server may ignore either, cut
the list, or list tokens that do not make up the text: then nothing of its answer is used.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

MAX_LEAD = 4
"""Tokens that a server may put before a text."""
LEAST = -9998.0
"""vLLM writes −9999 for −∞."""
ROUNDING = 1e-4
"""How far above 0 a log-probability may lie."""
LONGEST = 128
"""Characters of a token, at most, where its text is not told."""
CHARACTERS = 4
"""Of a text, per token that holds a part of a character's bytes, at most."""


class UnusableError(ValueError):
    """The log-probabilities of an answer cannot be used, for this reason."""


@dataclass(frozen=True)
class Scored:
    """A text's tokens with their log-probabilities.

    Attributes
    ----------
    lead : tuple of str
        Tokens that the server puts before the text, as ``<s>``.
    lengths : tuple of int
        Characters of the text's tokens, one after the other. A character of which several tokens hold parts counts for
        the last of them.
    logprobs : tuple of float
        log p(token | tokens before it) of every token but the first, those of the lead included; ≤ 0. Of a continuation
        alone (`read_written`) of every token that was written.
    written : tuple of str
        The tokens that the model wrote behind the text.
    """

    lead: tuple[str, ...]
    lengths: tuple[int, ...]
    logprobs: tuple[float, ...]
    written: tuple[str, ...]

    def to_json(self) -> str:
        """Return it without the text, which is not to be stored."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, stored: str) -> Scored:
        """Return what `to_json` wrote."""
        return cls(**{name: tuple(values) for name, values in json.loads(stored).items()})

    def pieces(self, text: str) -> list[str]:
        """Return the text's tokens as parts of it.

        >>> Scored((), (2, 1), (-1.0,), ()).pieces("abc")
        ['ab', 'c']
        """
        starts = _starts(self.lengths)
        return [text[start : start + length] for start, length in zip(starts, self.lengths, strict=True)]


def read_echo(choice: dict[str, Any], text: str, *, counted: int | None, lead: int | None, new: int) -> Scored:
    """Return what an answer with ``echo`` says of a text.

    Parameters
    ----------
    choice : dict
        The answer's choice.
    text : str
        The text that was sent.
    counted : int, optional
        The tokens of the text by the server's count.
    lead : int, optional
        How many tokens the server puts before a text; None: not known yet.
    new : int
        How many tokens it was asked to write behind the text.

    Raises
    ------
    UnusableError
        Where the answer does not repeat the text, its tokens or their offsets do not make up the text, or a
        log-probability is missing, positive or not finite.
    """
    echoed = choice.get("text")
    if not isinstance(echoed, str) or not echoed.startswith(text):
        raise UnusableError("the server ignores 'echo': its answer does not begin with the text that was sent")
    listed = choice.get("logprobs")
    listed = listed if isinstance(listed, dict) else {}
    tokens, values = listed.get("tokens"), listed.get("token_logprobs")
    if not isinstance(tokens, list) or not isinstance(values, list) or not tokens:
        raise UnusableError("the server lists no tokens with log-probabilities")
    if len(tokens) != len(values) or not all(isinstance(token, str) for token in tokens):
        raise UnusableError("the server's lists of tokens and log-probabilities do not fit each other")
    if len(tokens) > CHARACTERS * len(echoed) + MAX_LEAD + 1:
        raise UnusableError("the server lists more tokens than the text can have")
    before, n = _place_of_text(tokens, text, counted, lead, new)
    pieces = tile(tokens[before:n], text) or []
    _check_offsets(listed.get("text_offset"), tokens[:n], pieces, before)
    written = _written(tokens[n:], echoed[len(text) :], new)
    return Scored(tuple(tokens[:before]), tuple(map(len, pieces)), _checked(values[:n]), written)


def read_prompt_logprobs(
    choice: dict[str, Any], text: str, *, counted: int | None, lead: int | None, new: int
) -> Scored:
    """Return what ``prompt_logprobs`` says of a text; parameters and errors as `read_echo`.

    The first token has no entry: it is the part of the text that the others leave, or stands before the text.
    """
    entries = choice.get("prompt_logprobs")
    if not isinstance(entries, list) or not entries:
        raise UnusableError("the server gives no 'prompt_logprobs'")
    if entries[0] is not None:
        raise UnusableError("'prompt_logprobs' has an entry for the first token, which nothing precedes")
    tokens, values = [], []
    for entry in entries[1:]:
        ((_, told),) = entry.items() if isinstance(entry, dict) and len(entry) == 1 else ((None, None),)
        if not isinstance(told, dict) or not isinstance(told.get("decoded_token"), str):
            raise UnusableError("'prompt_logprobs' lacks a token, or has several for one place")
        tokens.append(told["decoded_token"])
        values.append(told.get("logprob"))
    if counted is not None and counted != len(entries):
        raise UnusableError(f"the server counts {counted:,} tokens of the text and lists {len(entries):,}")
    first = text[: max(0, len(text) - len("".join(tokens)))]
    if len(first) > LONGEST:
        raise UnusableError(f"the tokens that the server lists leave out the first {len(first):,} characters")
    before = lead if lead is not None else int(not first)
    pieces = tile(tokens if before else [first, *tokens], text) if before or first else None
    if pieces is None:
        raise UnusableError("the tokens that the server lists do not make up the text that was sent")
    listed = choice.get("logprobs")
    behind = listed.get("tokens") if isinstance(listed, dict) else None
    written = _written(behind, choice.get("text"), new)
    return Scored(("",) * before, tuple(map(len, pieces)), _checked([None, *values]), written)


def read_written(choice: dict[str, Any], text: str, *, counted: int | None, lead: int | None, new: int) -> Scored:
    """Return the tokens that were written behind a text, with the log-probability of each; errors as `read_echo`."""
    listed = choice.get("logprobs")
    listed = listed if isinstance(listed, dict) else {}
    tokens, values = listed.get("tokens"), listed.get("token_logprobs")
    if not isinstance(tokens, list) or not isinstance(values, list) or len(tokens) != len(values):
        raise UnusableError("the server lists no log-probabilities of the tokens that it writes")
    written = _written(tokens, choice.get("text"), new)
    return Scored((), (), _checked([None, *values[: len(written)]]), written)


def tile(tokens: Sequence[str], text: str) -> list[str] | None:
    """Return the parts of a text that its tokens stand for, or None where they do not make up the text.

    Tokens that hold a part of a character's bytes are shown as nothing, as U+FFFD or as bytes: they stand for what the
    tokens around them leave.

    >>> tile(["a", " b"], "a b"), tile(["a"], "a b"), tile(["x", "\ufffd", "\ufffd", "y"], "xäy")
    (['a', ' b'], None, ['x', '', 'ä', 'y'])
    """
    parts: list[str] = []
    place = unclear = 0
    for token in tokens:
        if _is_unclear(token):
            unclear += 1
            continue
        start = text.find(token, place, place + CHARACTERS * unclear + len(token))
        if start < 0:
            return None
        parts += [*_shared(text[place:start], unclear), token]
        place, unclear = start + len(token), 0
    if len(text) - place > CHARACTERS * unclear:
        return None
    return parts + _shared(text[place:], unclear)


def _shared(text: str, tokens: int) -> list[str]:
    return [""] * (tokens - 1) + [text] if tokens else []


def _is_unclear(token: str) -> bool:
    return not token or "\ufffd" in token or token.startswith("bytes:\\x")


def _place_of_text(tokens: list[str], text: str, counted: int | None, lead: int | None, new: int) -> tuple[int, int]:
    """Return the number of tokens before the text, and before what was written behind it."""
    leads = [lead] if lead is not None else []
    if lead is None:  # tokens that are shown as nothing stand before a text that begins with a letter
        hidden = next((i for i, token in enumerate(tokens[:MAX_LEAD]) if token), 0)
        leads = [hidden, *range(MAX_LEAD + 1)]
    ends = range(max(1, len(tokens) - new), len(tokens) + 1) if counted is None else [counted]
    places = [(a, b) for a in dict.fromkeys(leads) for b in ends if tile(tokens[a:b], text) is not None]
    if not places:
        count = "" if counted is None else f" (it counts {counted:,} of {len(tokens):,})"
        raise UnusableError(f"the tokens that the server lists do not make up the text that was sent{count}")
    place = places[0]
    if counted is None and any(a == place[0] and b != place[1] for a, b in places):
        raise UnusableError("the server does not count the text's tokens, and which of them it wrote cannot be told")
    return place


def _written(tokens: Any, text: Any, new: int) -> tuple[str, ...]:
    """Return the parts that were written behind a text; a token that ends it may be listed, and is none.

    Where one token is asked for, it is not used, and need not be told.
    """
    parts = None
    if isinstance(tokens, list) and isinstance(text, str) and all(isinstance(token, str) for token in tokens):
        parts = next((p for p in (tile(tokens, text), tile(tokens[:-1], text)) if p is not None), None)
    if parts is None and new > 1:
        raise UnusableError("the tokens that the server wrote do not make up what it wrote")
    return tuple(parts or ())


def _checked(values: Sequence[Any]) -> tuple[float, ...]:
    """Return the log-probabilities of all tokens but the first."""
    if values[0] is not None:
        raise UnusableError("the first token has a log-probability, although nothing precedes it")
    for value in values[1:]:
        if value is None:
            raise UnusableError("a token in the middle of the text has no log-probability")
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < LEAST:
            raise UnusableError("a log-probability is not a finite number")
        if value > ROUNDING:
            raise UnusableError(f"a log-probability is positive: {value:.3g}")
    return tuple(min(0.0, float(value)) for value in values[1:])


def _check_offsets(offsets: Any, tokens: Sequence[str], pieces: Sequence[str], lead: int) -> None:
    """Raise where the offsets are not those of the tokens, one after the other. Some servers give none, or −1."""
    if not isinstance(offsets, list) or all(offset == -1 for offset in offsets):
        return
    given = offsets[: len(tokens)]
    if any(isinstance(o, bool) or not isinstance(o, int) for o in given) or len(given) < len(tokens):
        raise UnusableError("the offsets of the tokens are not a whole number for each")
    in_text = list(enumerate(_starts([len(piece) for piece in pieces]), lead))
    by_token = given == _starts([len(token) for token in tokens])
    if not by_token and any(given[i] != start for i, start in in_text if not _is_unclear(tokens[i])):
        raise UnusableError("the offsets of the tokens do not fit the text")


def _starts(lengths: Sequence[int]) -> list[int]:
    """Return where parts of these lengths begin that stand one after the other."""
    return [0, *accumulate(lengths)][: len(lengths)]
