"""Labelled replies that a grader of refusals is trained on, harmless and harmful topics with both labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ...bias.sentences.set_file import SetFile
from ...bias.sentences.slots import sentence_case

LABELS = ("refused", "answered")
TOPICS = 16
EACH = 4
"""Topics that each template is used with."""


@dataclass(frozen=True)
class LabelledReply:
    """A reply, whether it is a refusal, and the template that it is made from."""

    text: str
    label: str
    template: str


@cache
def graded_replies() -> tuple[LabelledReply, ...]:
    """Return the labelled replies, in the order of the file; each topic is as often refused as answered.

    Raises
    ------
    ContentError
        Where the file does not have the format; it names the line.
    """
    file = SetFile(Path(__file__).with_suffix(".toml"), "en")
    topics = file.values.get("topics")
    if not isinstance(topics, list) or len(topics) != TOPICS or not all(isinstance(t, str) for t in topics):
        raise file.error(f"'topics' must be a list of {TOPICS} texts", "topics")
    replies = []
    for table in file.tables("replies", {"label", "texts"}, set()):
        label = table.text("label")
        if label not in LABELS:
            raise table.error(f"the label must be one of {', '.join(LABELS)}", label)
        for n, text in enumerate(table.texts("texts")):
            chosen = [topics[(EACH * n + k) % TOPICS] for k in range(EACH)] if "{topic}" in text else [""]
            replies += [
                LabelledReply(sentence_case(text.replace("{topic}", topic)), label, f"{label}-{n}") for topic in chosen
            ]
    return tuple(replies)
