"""The shapes that a record with a text may have: one field, messages, or a prompt and its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from ..io import shown
from .messages import Parts, ends_with_model, of_turns, side_of

Role = Literal["document", "output", "prompt"]
"""What texts are for: a document of a corpus, what a model wrote, or what it is asked."""
PLAIN = ("text", "content")
MOLECULE = "smiles"
"""Read where no other field is known."""
TURNS = ("messages", "conversations", "conversation")
PROMPT = ("system", "system_prompt", "context", "instruction", "prompt", "question", "query", "input")
ANSWER = ("completion", "response", "output", "answer", "chosen", "generated_text", "generation")
PREFERRED, REJECTED = "chosen", "rejected"
"""The two answers of a preference pair. Training for preferences reads both, so that a corpus holds both."""


class Record(NamedTuple):
    """One value of a file, and where it stands there."""

    where: str
    value: Any


@dataclass(frozen=True)
class Shape:
    """One way to find the text in a record. `parts` returns None for a record that is not of this shape.

    `rejected` finds the second document of a preference pair. `what`, `answer` and `prompt` are `words`.
    """

    what: str
    answer: str
    fields: tuple[str, ...]
    parts: Callable[[Any], Parts | None]
    exchange: bool = False
    rejected: Shape | None = None
    prompt: str = ""

    def words(self, role: Role) -> str:
        """Return what is read in a role, for the report."""
        return {"document": self.what, "output": self.answer, "prompt": self.prompt or self.what}[role]


def of_role(parts: Parts, role: Role) -> str | None:
    """Return the part of a record that is used in a role."""
    prompt = parts.whole if parts.prompt is None else parts.prompt
    return {"document": parts.whole, "output": parts.answer, "prompt": prompt}[role]


def has_shape(shape: Shape, value: Any, role: Role) -> bool:
    """Whether a record is of a shape and has the part that is used in a role."""
    parts = shape.parts(value)
    return parts is not None and of_role(parts, role) is not None


def shapes_of(rows: Sequence[Mapping[str, Any]], role: Role) -> list[Shape]:
    """Return every standard shape whose fields occur in the records."""
    names = _names(rows)
    prompts, answers = _prompts(names, rows), [n for n in ANSWER if n in names]
    if role == "prompt" and prompts:
        return [_asked(prompts)]
    turns = [name for name in TURNS if name in names and name not in prompts]
    shapes = [by_turns(name) for name in turns] + [by_field(name) for name in PLAIN if name in names]
    if prompts and len(answers) == 1:
        shapes.append(_exchange(prompts, answers[0]))
    elif len(answers) >= 1:
        shapes += [by_field(name) for name in answers]
    return shapes or ([by_field(MOLECULE)] if MOLECULE in names else [])


def _names(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    return {name for row in rows for name, value in row.items() if value not in (None, "", [])}


def _prompts(names: set[str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the fields of the prompt; before a preferred answer it may be messages that end with the user's."""
    prompts = [name for name in PROMPT if name in names]
    if prompts or PREFERRED not in names:
        return prompts
    return [name for name in TURNS if name in names and not any(map(ends_with_model, (row.get(name) for row in rows)))]


def with_rejected(shape: Shape, rows: Sequence[Mapping[str, Any]]) -> Shape:
    """Return the shape of preference pairs with that of the rejected answer, which stands where the other one does."""
    names = _names(rows)
    if not {PREFERRED, REJECTED} <= names:
        return shape
    prompts = _prompts(names, rows)
    rejected = _exchange(prompts, REJECTED) if prompts else by_field(REJECTED)
    return replace(shape, fields=(*shape.fields, REJECTED), rejected=rejected)


def widest(shapes: Sequence[Shape], rows: Sequence[Mapping[str, Any]], role: Role) -> Shape | None:
    """Return the shape whose text holds that of all the others; of outputs all have to be equal."""

    def holds(shape: Shape, other: Shape) -> bool:
        for row in rows:
            one, two = shape.parts(row), other.parts(row)
            if one is None or two is None:
                return False
            if role == "output" and one.answer != two.answer:
                return False
            inner = (two.prompt if other.exchange else "", two.answer)
            if one.whole != two.whole and not all(part in one.whole for part in inner if part):
                return False
        return True

    return next((s for s in shapes if all(s is other or holds(s, other) for other in shapes)), None)


def text_parts(text: str | None, prompt: str | None = None) -> Parts | None:
    """Return the parts of a text that stands by itself."""
    return None if text is None else Parts(prompt, text, text)


def by_field(name: str) -> Shape:
    """Return the shape whose text is one field, or a string alone."""

    def parts(value: Any) -> Parts | None:
        if isinstance(value, str):
            return text_parts(value)
        prompt = value.get("prompt") if isinstance(value, dict) else None
        text = at_path(value, name)
        if isinstance(text, list):
            return of_turns(text)
        if text is None and isinstance(value, dict) and name in value:
            return Parts(None, None, "")  # a blank document, and no output at all
        return text_parts(text if isinstance(text, str) else None, prompt if isinstance(prompt, str) else None)

    return Shape(f"the field '{shown(name)}'", f"the field '{shown(name)}'", (name,), parts)


def at_path(value: Any, path: str) -> Any:
    """Return what stands at a path of names and numbers with dots between them, or None."""
    if isinstance(value, dict) and path in value:
        return value[path]
    for name in path.split("."):
        if isinstance(value, list) and name.isdecimal():
            value = value[int(name)] if int(name) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value


def by_turns(name: str | None) -> Shape:
    """Return the shape whose text are the messages of a field, or of the record itself."""

    def parts(value: Any) -> Parts | None:
        return of_turns(value if name is None else value.get(name) if isinstance(value, dict) else None)

    what = "messages" if name is None else name
    return Shape(
        f"{what}, joined by role and content", f"the model's part of {what}", (what,), parts, exchange=True,
        prompt=f"the contents of {what} without the model's, joined",
    )  # fmt: skip


def _exchange(prompts: Sequence[str], answer: str) -> Shape:
    def parts(value: Any) -> Parts | None:
        if not isinstance(value, dict):
            return None
        asked = [side_of(value.get(name)) for name in prompts]
        answered = side_of(value.get(answer))
        if answered is None or all(text is None for text in asked):
            return None
        prompt = "\n".join(text for text in asked if text)
        conversation = of_turns(value[answer])
        if conversation and conversation.prompt and prompt in answered:
            return conversation  # the answer is the conversation, with the prompt in it
        joined = not prompt or not answered or prompt[-1].isspace() or answered[0].isspace()
        return Parts(prompt, answered, prompt + ("" if joined else "\n") + answered)

    names = f"{', '.join(prompts)} and {answer}"
    return Shape(f"{names}, joined", f"the field '{answer}'", (*prompts, answer), parts, exchange=True)


def _asked(prompts: Sequence[str]) -> Shape:
    def parts(value: Any) -> Parts | None:
        if isinstance(value, str):
            return text_parts(value)
        sides = [side_of(value.get(name)) for name in prompts] if isinstance(value, dict) else []
        prompt = "\n".join(text for text in sides if text)
        return None if all(text is None for text in sides) else Parts(prompt, None, prompt)

    what = f"the field '{prompts[0]}'" if len(prompts) == 1 else f"{', '.join(prompts)}, joined"
    return Shape(what, what, tuple(prompts), parts)
