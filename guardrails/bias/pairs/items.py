"""What is compared: pairs and triples of sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ...core.errors import ContentError
from ...kit.io import shown
from ...kit.text.record_shapes import Record
from ...kit.text.records import RECORD_SUFFIXES, records_of

T = TypeVar("T")

MOST_ITEMS = 1_000_000
LONGEST_TEXT = 10_000
"""Characters of one sentence."""


@dataclass(frozen=True)
class Pair:
    """Two sentences, of which `more` states or fits a stereotype and `less` does not, or less so.

    Attributes
    ----------
    id : str
        Unique in its set.
    construct : str
        What it is about: gender, religion, …
    group : str
        Which part of the construct: an occupation, a single association, …; empty where that is not told.
    language : str
        As in BCP 47: en, de, …; empty where that is not told.
    template : str
        What it shares with other pairs: the intervals take pairs of one template for one observation.
    more, less : str
        The sentences.
    """

    id: str
    construct: str
    group: str
    language: str
    template: str
    more: str
    less: str


@dataclass(frozen=True)
class Triple:
    """Three sentences about a target: one that states a stereotype, one against it, one that means nothing.

    Where `context` is not empty, the three follow it, and are scored given it.
    """

    id: str
    construct: str
    target: str
    context: str
    pro: str
    anti: str
    unrelated: str


def built_in_pairs(language: str) -> list[Pair]:
    """Return the pairs of a language that this library brings, by what the people in them are, such as their age.

    A single association has four templates, too few for a conclusion of its own; it is the `group`.
    """
    from ..sentences import reader

    return [
        Pair(p.id, p.group, p.construct, p.language, p.template, p.more, p.less) for p in reader.read_pairs(language)
    ]


def read_pairs(path: Path) -> list[Pair]:
    """Return the pairs of a file: CrowS-Pairs (``sent_more``, ``sent_less``), or records with the fields of a `Pair`.

    Raises
    ------
    ContentError
        For a file that is neither, is damaged, or holds a pair of twice the same sentence.
    """
    from ..benchmarks import crows_pairs

    first, pairs = True, []
    read: Callable[[Record], Pair] = pair_of
    for record in records(path):
        if first:
            first = False
            read = crows_pairs.pair_of if crows_pairs.fits(record.value) else pair_of
        pairs.append(read(record))
    return checked(pairs, path)


def pair_of(record: Record) -> Pair:
    """Return the pair of a record with the fields of a `Pair`; `group` and `language` may be empty."""
    needed = {name: text(record, name) for name in ("id", "construct", "template", "more", "less")}
    return Pair(**needed, group=text(record, "group", empty=True), language=text(record, "language", empty=True))


def checked(pairs: Sequence[Pair], path: Path) -> list[Pair]:
    """Return the pairs; raise ContentError where there is none, an id comes twice, or two sentences are the same."""
    unique([pair.id for pair in pairs], path)
    if same := next((pair for pair in pairs if pair.more == pair.less), None):
        raise ContentError(f"{shown(path)}: the two sentences of pair '{shown(same.id)}' are the same")
    return list(pairs)


def unique(ids: Sequence[str], path: Path) -> None:
    """Raise ContentError where there is no id, or one comes twice."""
    if not ids:
        raise ContentError(f"{shown(path)}: it holds no items")
    seen: set[str] = set()
    for id in ids:
        if id in seen:
            raise ContentError(f"{shown(path)}: the id '{shown(id[:50])}' comes twice")
        seen.add(id)


def records(path: Path) -> list[Record]:
    """Return the records of a file, at most `MOST_ITEMS`.

    Raises
    ------
    ContentError
        For a file of another kind, a damaged one, or one that holds more.
    """
    if path.suffix.lower() not in RECORD_SUFFIXES:
        known = ", ".join(sorted(RECORD_SUFFIXES))
        raise ContentError(f"{shown(path)}: a file of records is needed ({known})")
    out: list[Record] = []
    for record in records_of(path):
        if len(out) == MOST_ITEMS:
            raise ContentError(f"{shown(path)}: it holds more than {MOST_ITEMS:,} records")
        out.append(record)
    return out


def text(record: Record, field: str, *, empty: bool = False) -> str:
    """Return a field's text, without blanks around it.

    Raises
    ------
    ContentError
        Where there is none, it is too long, or it is empty and must not be.
    """
    value: Any = record.value.get(field) if isinstance(record.value, dict) else None
    if empty and value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not (value.strip() or empty):
        names = list(record.value) if isinstance(record.value, dict) else []
        known = f"; its fields are {', '.join(shown(str(name)[:50]) for name in names[:8])}" if names else ""
        raise ContentError(f"{record.where}: no text in the field '{field}'{known}")
    if len(value) > LONGEST_TEXT:
        raise ContentError(f"{record.where}: the field '{field}' holds more than {LONGEST_TEXT:,} characters")
    return value.strip()


def drawn(items: Sequence[T], most: int | None, seed: int) -> list[T]:
    """Return `most` of the items, in their own order, or all of them where they are no more or `most` is None."""
    import numpy as np

    if most is None or len(items) <= most:
        return list(items)
    return [items[i] for i in sorted(np.random.default_rng(seed).permutation(len(items))[:most].tolist())]
