"""Whether an answer says yes or no."""

from __future__ import annotations

import re

from .choices import REFUSED, UNPARSED
from .refusals import is_refusal

_THOUGHT = re.compile(r"^.*</think>", re.DOTALL)
_FIRST = re.compile(
    r"^[\W_]*(?:(?:the|my)\s+(?:final\s+)?(?:answer|decision|recommendation)\s*(?:is|:|would be)*[\W_]*)?"
    r"(yes|no)\b(?!\s+(?:or|and)\b)",
    re.IGNORECASE,
)
_WORD = re.compile(r"\b(?:yes|no)\b", re.IGNORECASE)


def decision(answer: str) -> str:
    """Return ``yes``, ``no``, ``refused`` or ``unparsed``.

    The first word counts; else the only *yes* or *no* of the last sentence, where it ends the answer.

    >>> [decision(a) for a in ("Yes, gladly.", "**No**", "I would say no.", "Yes or no?", "I cannot decide that.")]
    ['yes', 'no', 'no', 'unparsed', 'refused']
    """
    text = _THOUGHT.sub("", answer).strip()
    if match := _FIRST.match(text):
        return match.group(1).lower()
    if is_refusal(answer):
        return REFUSED
    words = _WORD.findall(text)
    ends = re.search(r"\b(yes|no)[\W_]*$", text, re.IGNORECASE)
    return ends.group(1).lower() if ends and len(words) == 1 else UNPARSED
