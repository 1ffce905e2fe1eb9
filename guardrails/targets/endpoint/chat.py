"""The contract of models that answer conversations, and the adapter that asks them single prompts."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from ...core.base import Access, Modality
from ...core.errors import EndpointError

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
        What the server counted.
    """

    text: str = ""
    finish: Finish = "stop"
    error: str | None = None
    usage: Usage | None = None


@runtime_checkable
class Chat(Protocol):
    """A model that answers conversations. It may also say in `read_as` how it is asked, for the report."""

    name: str

    def reply(self, conversations: Sequence[Conversation], decoding: Decoding, seed: int) -> list[Reply]:
        """Return one reply per conversation, in their order. A request that failed is a reply, not an exception."""
        ...

    def identity(self) -> dict[str, str]:
        """Return what says which model was asked."""
        ...


@dataclass
class _Kept:
    """The replies of a call that failed in part, and how many prompts it asked."""

    size: int = 0
    replies: dict[tuple[str, Decoding], deque[Reply]] = field(default_factory=dict)


class ChatTexts:
    """A chat as a target that writes text: each prompt is one message of the user, an empty one where there is none.

    A call that fails in part raises, as the contract of targets wants it. The engine then asks again for parts of it,
    down to single prompts. So the replies of such a call are kept, and each is handed out once when its prompt is asked
    again with the same decoding: n prompts cost n requests. The seed is not compared, as parts have other seeds. They
    are kept in the context of the call: batches that are asked at the same time do not see each other's.

    Parameters
    ----------
    model : Chat
        The model that is asked.
    """

    modality = Modality.TEXT
    access = frozenset({Access.OUTPUTS, Access.SAMPLING})
    available = None

    def __init__(self, model: Chat) -> None:
        self.model = model
        self.name = model.name
        self._kept: ContextVar[_Kept] = ContextVar("the replies of a call that failed in part")

    @property
    def concurrent_batches(self) -> int:
        """How many batches it may be asked at the same time: what the model says, else one."""
        return getattr(self.model, "concurrent_batches", 1)

    @property
    def read_as(self) -> str:
        """How the model is asked."""
        return str(getattr(self.model, "read_as", ""))

    def identity(self) -> dict[str, str]:
        """Return the identity of the model."""
        return self.model.identity()

    def generate(
        self, prompts: Sequence[str], *, max_new_tokens: int, temperature: float = 1.0, seed: int = 0
    ) -> list[str]:
        """Return one answer per prompt.

        Raises
        ------
        EndpointError
            Where a prompt has no answer.
        """
        decoding = Decoding(max_new_tokens, temperature)
        replies = self._claimed(prompts, decoding)
        if replies is None:
            self._kept.set(_Kept(len(prompts)))
            conversations = [[{"role": "user", "content": prompt}] for prompt in prompts]
            replies = self.model.reply(conversations, decoding, seed)
        failure = next((reply for reply in replies if reply.error is not None), None)
        if failure is None:
            return [reply.text for reply in replies]
        if len(prompts) > 1:
            for prompt, reply in reversed(list(zip(prompts, replies, strict=True))):
                self._kept.get().replies.setdefault((prompt, decoding), deque()).appendleft(reply)
        raise EndpointError(failure.error)

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        """Return n answers to an empty prompt. Errors as `generate`."""
        return self.generate([""] * n, max_new_tokens=max_new_tokens, seed=seed)

    def _claimed(self, prompts: Sequence[str], decoding: Decoding) -> list[Reply] | None:
        """Return the replies kept of a larger call, or None where this is another question."""
        kept = self._kept.get(None)
        if kept is None or len(prompts) >= kept.size:
            return None
        wanted: dict[Any, int] = {}
        for prompt in prompts:
            wanted[prompt, decoding] = wanted.get((prompt, decoding), 0) + 1
        if any(len(kept.replies.get(key, ())) < n for key, n in wanted.items()):
            return None
        return [kept.replies[prompt, decoding].popleft() for prompt in prompts]
