"""The contract of models that answer conversations: what is asked, how, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

Conversation = Sequence[Mapping[str, str]]
"""Messages with ``role`` (system, user, assistant) and ``content``; the last one is to be answered."""
Finish = Literal["stop", "length", "refused", "filtered", "error"]


@dataclass(frozen=True)
class Decoding:
    """How an answer is sampled. Temperature 0 is greedy."""

    max_new_tokens: int
    temperature: float = 1.0


@dataclass(frozen=True)
class Usage:
    """The tokens of one request."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class Reply:
    """The outcome of one request.

    Attributes
    ----------
    text : str
        The answer; of a refusal, its words. Empty where there is none.
    finish : str
        ``stop`` or ``length``: an answer, which may be empty. ``refused``: the server says that the model refused,
        which is an answer, too. ``filtered``: the server withheld the answer. ``error``: there is no answer.
    error : str, optional
        Why there is no answer; set for ``filtered`` and ``error``, and for no other.
    usage : Usage, optional
        What the server counted, or the tokens that a local model read and wrote.
    """

    text: str = ""
    finish: Finish = "stop"
    error: str | None = None
    usage: Usage | None = None


class Refusal(str):
    """The text of an answer of which the server says that the model refused."""

    __slots__ = ()


@runtime_checkable
class Chat(Protocol):
    """A model that answers conversations (`Access.CONVERSATIONS`).

    It may also say in `reply_read_as`, or in `read_as`, how it is asked, for the report.
    """

    name: str

    def reply(self, conversations: Sequence[Conversation], decoding: Decoding, seed: int) -> list[Reply]:
        """Return one reply per conversation, in their order. A request that failed is a reply, not an exception.

        What is drawn for a conversation depends on the seed and on its place, not on the others.
        """
        ...

    def identity(self) -> dict[str, str]:
        """Return what says which model was asked."""
        ...
