"""Conversations of a corpus: as messages, and as a chat template writes them out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..text.messages import CONTENT_NAMES, ROLE_NAMES

Message = dict[str, Any]

ROLES = {"human": "user", "gpt": "assistant", "chatgpt": "assistant", "model": "assistant", "bot": "assistant"}
"""Roles that chat templates know under another name."""
SYSTEM = ("system", "system_prompt")
"""Fields of a record that hold the system's message."""
OPENING = 60
"""Characters with which an answer begins: one that begins as that to another question is a set phrase."""
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


class Answers(WrittenOut):
    """The same documents, to be asked for the model's first answer after all that precedes it.

    Attributes
    ----------
    spans : sequence of (int, int) or None
        Where in each document that answer stands; None without one, or where it begins as the answer to another
        question does.
    """

    def __init__(self, texts: WrittenOut, spans: Sequence[tuple[int, int] | None]) -> None:
        super().__init__(texts, texts.plain)
        self.spans = spans


def answers_of(
    texts: Mapping[str, WrittenOut], conversations: Mapping[str, Sequence[Sequence[Message]]]
) -> dict[str, Answers]:
    """Return the first answers of corpus and holdout, by arm."""
    spans = {
        arm: [answer_in(text, talk) for text, talk in zip(of_arm, conversations[arm], strict=True)]
        for arm, of_arm in texts.items()
    }
    opening = {
        text: text[span[0] : min(span[1], span[0] + OPENING)]
        for arm, of_arm in texts.items()
        for text, span in zip(of_arm, spans[arm], strict=True)
        if span
    }
    times = Counter(opening.values())
    for arm, of_arm in texts.items():
        of_each = zip(of_arm, spans[arm], strict=True)
        spans[arm] = [span if span and times[opening[text]] == 1 else None for text, span in of_each]
    return {arm: Answers(of_arm, spans[arm]) for arm, of_arm in texts.items()}


def answer_in(text: str, conversation: Sequence[Message]) -> tuple[int, int] | None:
    """Return where the assistant's first answer to the user stands in a conversation as it is written out.

    >>> talk = [{"role": "user", "content": "1 and 1"}, {"role": "assistant", "content": "1"}]
    >>> answer_in("<user>1 and 1</user>1", talk)
    (20, 21)
    """
    place, asked = 0, False
    for message in conversation:
        content = message["content"].strip() if isinstance(message["content"], str) else ""
        start = text.find(content, place) if content else -1
        if message["role"] == "assistant" and asked:
            return None if start < 0 else (start, start + len(content))
        if start >= 0:
            place = start + len(content)
            asked = asked or message["role"] == "user"
    return None


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
    answers : mapping of str to Answers
        As `texts`; empty where no document has one.
    """

    texts: Mapping[str, WrittenOut]
    head: tuple[int, ...] = ()
    starts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    answers: Mapping[str, Answers] = field(default_factory=dict)


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
