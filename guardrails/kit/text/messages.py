"""Messages of a conversation: their text, and which of it the model wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

ROLE_NAMES = ("role", "from")
CONTENT_NAMES = ("content", "value")
THOUGHT_NAMES = ("reasoning_content", "reasoning", "thinking")
MODEL_ROLES = frozenset({"assistant", "model", "gpt", "chatgpt", "bot", "ai"})


class Parts(NamedTuple):
    """The text of one record: what was asked, what was answered, and both as one document."""

    prompt: str | None
    answer: str | None
    whole: str


def of_turns(turns: Any) -> Parts | None:
    """Return the text of messages; None for what is none. The answer is None where the model has no part in it."""
    if not isinstance(turns, list) or not turns:
        return None
    roles_and_texts = [_turn(turn) for turn in turns]
    if any(turn is None for turn in roles_and_texts):
        return None
    pairs = [turn for turn in roles_and_texts if turn is not None]
    answers = [text for role, text in pairs if role.lower() in MODEL_ROLES]
    prompts = [text for role, text in pairs if role.lower() not in MODEL_ROLES]
    whole = "\n".join(f"{role}: {text}" for role, text in pairs)
    return Parts("\n".join(prompts), "\n".join(answers) if answers else None, whole)


def _turn(turn: Any) -> tuple[str, str] | None:
    if not isinstance(turn, dict):
        return None
    role = next((turn[name] for name in ROLE_NAMES if isinstance(turn.get(name), str)), None)
    content = next((turn[name] for name in CONTENT_NAMES if name in turn), None)
    if role is None:
        return None
    parts = content if isinstance(content, list) else [content]
    thought = next((turn[name] for name in THOUGHT_NAMES if isinstance(turn.get(name), str)), None)
    texts = [thought, *map(_part, parts), *_arguments(turn)]
    return role, "\n".join(text for text in texts if isinstance(text, str))


def _part(part: Any) -> Any:
    """Return the text of one part of a message's content: said, thought, or handed to a tool."""
    if not isinstance(part, dict):
        return part
    said = next((part[name] for name in ("text", *THOUGHT_NAMES) if isinstance(part.get(name), str)), None)
    return json.dumps(part["input"], ensure_ascii=False) if said is None and "input" in part else said


def _arguments(turn: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a message hands to tools: the model wrote that too."""
    calls = turn.get("tool_calls")
    for call in [*(calls if isinstance(calls, list) else ()), {"function": turn.get("function_call")}]:
        function = call.get("function") if isinstance(call, dict) else None
        arguments = function.get("arguments") if isinstance(function, dict) else None
        if arguments:
            yield arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def ends_with_model(turns: Any) -> bool:
    """Whether messages end with one of the model's."""
    last = _turn(turns[-1]) if isinstance(turns, list) and turns else None
    return last is not None and last[0].lower() in MODEL_ROLES


def side_of(value: Any) -> str | None:
    """Return one side of an exchange: a string, or the contents of messages or of one."""
    if isinstance(value, dict):
        return None if (turn := _turn(value)) is None else turn[1]
    if isinstance(value, list):
        pairs = [_turn(turn) for turn in value]
        return None if not pairs or None in pairs else "\n".join(pair[1] for pair in pairs if pair)
    return value if isinstance(value, str) else None
