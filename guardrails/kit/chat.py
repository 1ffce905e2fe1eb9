"""Conversations of a corpus: as messages, and as a chat template writes them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .messages import CONTENT_NAMES, ROLE_NAMES

Message = dict[str, Any]

ROLES = {"human": "user", "gpt": "assistant", "chatgpt": "assistant", "model": "assistant", "bot": "assistant"}
"""Roles that chat templates know under another name."""
SYSTEM = ("system", "system_prompt")
"""Fields of a record that hold the system's message."""
FURTHER = ("name", "reasoning_content", "tool_calls", "tool_call_id")
"""What else templates write out of a message."""


def conversation_of(sides: Mapping[str, Any]) -> list[Message] | None:
    """Return the messages of a record, or None where it is no conversation.

    Parameters
    ----------
    sides : mapping of str to object
        The fields that the text is read from, in order: one with a list of messages, or those of a prompt and, last,
        of an answer, each a string, a message or a list of messages.
    """
    sides = {name: [side] if isinstance(side, dict) else side for name, side in sides.items()}
    *_, last = sides.values()
    whole = _messages(last) if isinstance(last, list) else None
    if whole and (len(sides) == 1 or whole[0]["role"] != "assistant"):
        return whole  # an answer that repeats its prompt is the conversation
    if len(sides) == 1:
        return None
    *asked, (_, answer) = sides.items()
    messages: list[Message] = []
    for name, value in asked:
        role = "system" if name in SYSTEM else "user"
        part = _messages(value) if isinstance(value, list) else [{"role": role, "content": value}] if value else []
        if part is None:
            return None
        if len(part) == 1 and messages and messages[-1].keys() == part[0].keys() and messages[-1]["role"] == role:
            messages[-1] = {"role": role, "content": f"{messages[-1]['content']}\n{value}"}
        else:
            messages += part
    return messages + (whole or [{"role": "assistant", "content": answer}])


def _messages(turns: Sequence[Any]) -> list[Message] | None:
    messages = []
    for turn in turns:
        if not isinstance(turn, dict):
            return None
        role = next((turn[name] for name in ROLE_NAMES if isinstance(turn.get(name), str)), None)
        if role is None:
            return None
        content = next((turn[name] for name in CONTENT_NAMES if name in turn), None)
        if isinstance(content, list):
            content = "\n".join(text for part in content if isinstance(text := _text(part), str))
        further = {name: turn[name] for name in FURTHER if turn.get(name) is not None}
        role = ROLES.get(role.lower(), role.lower())
        messages.append({"role": role, "content": "" if content is None else content} | further)
    return messages or None


def _text(part: Any) -> Any:
    return part.get("text") if isinstance(part, dict) else part


class WrittenOut(list[str]):
    """The documents of a corpus, each as the chat template writes its conversation; empty where it cannot.

    Attributes
    ----------
    plain : sequence of str
        The same documents as they are read without a template.
    """

    def __init__(self, texts: Sequence[str], plain: Sequence[str]) -> None:
        super().__init__(texts)
        self.plain = plain


@dataclass(frozen=True)
class Chat:
    """A corpus, and a holdout where there is one, in the chat template of a model.

    Attributes
    ----------
    texts : mapping of str to WrittenOut
        By ``corpus`` and ``holdout``.
    head : tuple of int
        The tokens that every conversation begins with: roles, and a system message where all have the same.
    starts : mapping of str to tuple of int
        What may have stood at the beginning in training, by name: the head, with and without a start token.
    """

    texts: Mapping[str, WrittenOut]
    head: tuple[int, ...] = ()
    starts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def located(documents: Sequence[str], index: int, start: int, end: int) -> tuple[int, int] | None:
    """Return where characters of a plain document stand in the document as it is asked; None where they do not.

    >>> texts = WrittenOut(["<user>1 and 1</user>"], ["user: 1 and 1"])
    >>> located(texts, 0, 12, 13), located(texts.plain, 0, 12, 13)
    ((12, 13), (12, 13))
    """
    if not isinstance(documents, WrittenOut):
        return start, end
    plain, text = documents.plain[index], documents[index]
    part, place = plain[start:end], -1
    # The template keeps the order of what it writes out: the same words before are passed over.
    for _ in range(plain.count(part, 0, start) + 1):
        if (place := text.find(part, place + 1)) < 0:
            return None
    return place, place + len(part)
