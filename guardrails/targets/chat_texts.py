"""A model that answers conversations as a target that writes text, and the scheme ``chat:``."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from ..core.asking import IN_A_ROW
from ..core.conversations import Chat, Conversation, Decoding, Refusal, Reply
from ..core.errors import ConfigurationError, TargetError
from ..core.targets import Access, Modality, Target


@dataclass
class _Failed:
    """The replies of a call that failed in part, until the engine has asked for each part of it."""

    size: int = 0
    replies: dict[tuple[str, Decoding], deque[Reply]] = field(default_factory=dict)
    partial: bool = False
    """Whether any of them is an answer."""
    in_a_row: int = 0
    """Prompts that failed by themselves since one was answered."""


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
    name : str, optional
        Default: the model's.
    """

    modality = Modality.TEXT
    access = frozenset({Access.OUTPUTS, Access.SAMPLING, Access.CONVERSATIONS})
    available = None
    without_logprobs = "a chat gives no log-probabilities of what it is asked"
    """Why no log-probabilities can be read, for the report."""

    def __init__(self, model: Chat, name: str | None = None) -> None:
        self.model = model
        self.name = name or model.name
        self._failed: ContextVar[_Failed] = ContextVar("the replies of a call that failed in part")

    @property
    def concurrent_batches(self) -> int:
        """How many batches it may be asked at the same time: what the model says, else one."""
        return getattr(self.model, "concurrent_batches", 1)

    @property
    def read_as(self) -> str:
        """How the model is asked."""
        return str(getattr(self.model, "reply_read_as", "") or getattr(self.model, "read_as", ""))

    def identity(self) -> dict[str, str]:
        """Return the identity of the model."""
        return self.model.identity()

    def reply(self, conversations: Sequence[Conversation], decoding: Decoding, seed: int) -> list[Reply]:
        """Return the model's replies. One without an answer has an error, also where the model gave no reason.

        Raises
        ------
        TargetError
            Where the model does not return a `Reply` for each conversation.
        """
        replies: Any = self.model.reply(conversations, decoding, seed)
        if not isinstance(replies, Sequence) or len(replies) != len(conversations):
            raise TargetError(
                f"{self.name} has to return a list with one Reply for each of {len(conversations)} conversations"
            )
        return [self._checked(reply) for reply in replies]

    def _checked(self, reply: Any) -> Reply:
        if not isinstance(reply, Reply) or not isinstance(reply.text, str):
            what = (
                f"a Reply whose text is {type(reply.text).__name__}"
                if isinstance(reply, Reply)
                else type(reply).__name__
            )
            raise TargetError(f"{self.name} returned {what}, where a Reply with a text is needed")
        if reply.error is None and reply.finish in ("filtered", "error"):
            return replace(reply, error=f"no answer ({reply.finish}), and the model gave no reason")
        return reply

    def generate(
        self, prompts: Sequence[str], *, max_new_tokens: int, temperature: float = 1.0, seed: int = 0
    ) -> list[str]:
        """Return one answer per prompt; one that the server calls a refusal is a `Refusal`.

        Raises
        ------
        TargetError
            Where a prompt has no answer.
        """
        decoding = Decoding(max_new_tokens, temperature)
        failed = self._failed.get(_Failed())
        replies = _claimed(failed, prompts, decoding)
        if replies is None:
            failed = _Failed(len(prompts))
            self._failed.set(failed)
            replies = self.reply([[{"role": "user", "content": prompt}] for prompt in prompts], decoding, seed)
            failed.partial = any(reply.error is None for reply in replies)
        error = next((reply.error for reply in replies if reply.error is not None), None)
        if error is None:
            failed.in_a_row = 0
            return [Refusal(reply.text) if reply.finish == "refused" else reply.text for reply in replies]
        if len(prompts) > 1:
            for prompt, reply in reversed(list(zip(prompts, replies, strict=True))):
                failed.replies.setdefault((prompt, decoding), deque()).appendleft(reply)
        else:
            failed.in_a_row += 1
            if failed.in_a_row == IN_A_ROW and not failed.partial:
                # The rest of the batch will not be asked for: the next is another question.
                self._failed.set(_Failed())
        raise TargetError(error, partial=failed.partial)

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        """Return n answers to an empty prompt. Errors as `generate`."""
        return self.generate([""] * n, max_new_tokens=max_new_tokens, seed=seed)


def _claimed(failed: _Failed, prompts: Sequence[str], decoding: Decoding) -> list[Reply] | None:
    """Return the replies kept of a larger call, or None where this is another question."""
    wanted = Counter((prompt, decoding) for prompt in prompts)
    if len(prompts) >= failed.size or any(len(failed.replies.get(key, ())) < n for key, n in wanted.items()):
        return None
    return [failed.replies[prompt, decoding].popleft() for prompt in prompts]


def load(name: str) -> ChatTexts:
    """Return the target that ``chat:NAME`` names, which is asked by conversations.

    Raises
    ------
    ConfigurationError
        For a name that is none of a target.
    TargetError
        For a target that answers no conversations.
    """
    from . import ENDPOINTS, load_target
    from .callable import ChatFunction, load_object

    scheme, _, rest = name.partition(":")
    if scheme in (*ENDPOINTS, "chat"):
        raise ConfigurationError(f"'{name}' is asked by conversations already; leave 'chat:' off")
    target: Any = load_object(rest) if scheme == "python" else load_target(name)
    if scheme == "python" and not isinstance(target, Chat):
        target = ChatFunction(target, name)
    elif scheme != "python" and Access.CONVERSATIONS not in target.access:
        raise TargetError(f"{name} answers no conversations: {_why_not(target)}")
    return ChatTexts(target, f"chat:{name}")


def _why_not(target: Target) -> str:
    return "its tokenizer has no chat template" if Access.LOGPROBS in target.access else "it is no chat model"
