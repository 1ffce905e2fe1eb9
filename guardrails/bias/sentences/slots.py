"""The notation of templates.

``{name}`` is a slot, ``[x|y]`` agrees with the first or the second term, ``{a|b}`` is one of two attributes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_AGREEING = re.compile(r"\[([^\[\]{}|]*)\|([^\[\]{}|]*)\]")
_ATTRIBUTES = re.compile(r"\{([^{}|]+)\|([^{}|]+)\}")
_SLOT = re.compile(r"\{([a-z.]+)\}")
_LEFT_OVER = re.compile(r"[\[\]{}|*]")


def agree(text: str, second: bool) -> str:
    """Return the text with the first or the second form of each ``[first|second]``."""
    return _AGREEING.sub(lambda match: match[2 if second else 1], text)


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return the text with its slots filled.

    Raises
    ------
    ValueError
        For a slot without a value, no slot at all, or brackets that remain.
    """
    names = set(_SLOT.findall(text))
    if not names:
        raise ValueError(f"no slot; known: {', '.join(sorted(values))}")
    if unknown := sorted(names - set(values)):
        raise ValueError(f"no slot '{unknown[0]}'; known: {', '.join(sorted(values))}")
    return _whole(_SLOT.sub(lambda match: values[match[1]], text))


def crossed(text: str, terms: tuple[str, str]) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return the four sentences of a template: for each term, with the first and with the second attribute.

    Raises
    ------
    ValueError
        If the template does not have ``{group}`` once and ``{a|b}`` once, or brackets remain.
    """
    if text.count("{group}") != 1:
        raise ValueError("the slot {group} must stand once in a template")
    sentences = []
    for position, term in enumerate(terms):
        with_term = agree(text, second=position == 1).replace("{group}", term)
        choices = _ATTRIBUTES.findall(with_term)
        if len(choices) != 1 or choices[0][0] == choices[0][1]:
            raise ValueError("two different attributes {a|b} must stand once in a template")
        before, _, _, after = _ATTRIBUTES.split(with_term)
        first, second = (sentence_case(_whole(f"{before}{attribute}{after}")) for attribute in choices[0])
        sentences.append((first, second))
    return sentences[0], sentences[1]


def sentence_case(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]


def _whole(text: str) -> str:
    if match := _LEFT_OVER.search(text):
        raise ValueError(f"'{match[0]}' remains after the slots are filled")
    return text
