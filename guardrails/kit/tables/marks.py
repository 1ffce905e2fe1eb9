"""Words in a column of numbers or dates that stand for a missing value, as ``unknown``, ``k.A.`` and ``*`` do.

One of them would make the whole column one of words: then ``34`` and ``34.0`` differ, and copies with them. So would a
bound, as ``90+`` and ``<0.5``: it is read as the number, which is as near to the others as can be told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import replace

import numpy as np

from .calendar import durations, order_of
from .cells import Cells
from .numerals import codes_why, matches, styles, unit_of

MOST = 10
"""With more different words a column is one of words."""
FEWEST = 20
"""With fewer different numbers or dates a column may be one of classes, such as 0, 1, 2 and ``more``."""
_NO_DIGIT = r"\D*"
_BOUND = re.compile(r"(?:[<>≤≥]=?\s*)(?P<above>[+-]?[\d.,].*)|(?P<below>\d[\d.,]*)\s*\+")
_INFINITE = {"inf", "infinity"}


def without_marks(parts: Mapping[str, Cells]) -> Mapping[str, Cells]:
    """Return a column of several tables, with its words as missing values where all else is numbers or dates.

    Parameters
    ----------
    parts : dict of str to Cells
        The column by table.
    """
    texts = {table: part.texts for table, part in parts.items() if part.texts}
    words = {table: _words(some) for table, some in texts.items()}
    marks = frozenset().union(*words.values())
    if not 1 <= len(marks) <= MOST:
        return parts
    rest = [[text for text in some if text not in marks] for some in texts.values()]
    if any(len(some) < FEWEST or not _values(some) for some in rest):
        return parts
    return {table: _take_out(part, marks) if part.texts else part for table, part in parts.items()}


def without_bounds(parts: Mapping[str, Cells]) -> Mapping[str, Cells]:
    """Return a column of several tables, with bounds as the numbers in them where all else is numbers and a few words.

    Parameters
    ----------
    parts : dict of str to Cells
        The column by table.
    """
    texts = {table: part.texts for table, part in parts.items() if part.texts}
    bounds = {text: match["above"] or match["below"] for some in texts.values() for text in some
              if not text.isdigit() and (match := _BOUND.fullmatch(text))}  # fmt: skip
    if not 1 <= len(bounds) <= MOST:
        return parts
    for some in texts.values():
        words = _words(some)
        rest = [text for text in some if text not in words and text not in bounds]
        numbers = [bounds[text] for text in some if text in bounds]
        if len(words) > MOST or len(rest) < FEWEST or not _values(rest) or not _values([*rest, *numbers]):
            return parts
    return {table: _read_bounds(part, bounds) if part.texts else part for table, part in parts.items()}


def _read_bounds(part: Cells, bounds: Mapping[str, str]) -> Cells:
    plain = [bounds.get(text, text) for text in part.texts]
    places = {text: i for i, text in enumerate(dict.fromkeys(plain))}
    moved = np.array([*(places[text] for text in plain), -1], np.int64)
    return replace(part, codes=moved[part.codes], texts=list(places), bounds=bounds.keys() & set(part.texts))


def _words(texts: list[str]) -> frozenset[str]:
    places = np.flatnonzero(np.asarray(matches(texts, _NO_DIGIT), dtype=bool))
    if len(places) > MOST + len(_INFINITE) * 2:
        return frozenset(texts[place] for place in places[: MOST + 1].tolist()) | {"…"}
    return frozenset(text for place in places.tolist() if (text := texts[place]).lower().lstrip("+-") not in _INFINITE)


def _values(texts: list[str]) -> bool:
    """Whether all texts are numbers, dates or durations."""
    if (pair := unit_of(texts)) and styles(pair[0]):
        return not codes_why(texts)
    return order_of(texts) != "none" or durations(texts) is not None


def _take_out(part: Cells, marks: Set[str]) -> Cells:
    places = {text: i for i, text in enumerate(text for text in part.texts if text not in marks)}
    moved = np.array([places.get(text, -1) for text in part.texts] + [-1], np.int64)
    return replace(part, codes=moved[part.codes], texts=list(places), marks=part.marks | (marks & set(part.texts)))
