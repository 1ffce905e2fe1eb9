"""Columns of words: the same classes have to be written in the same way in all tables."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...core.errors import ConfigurationError
from .calendar import durations, order_of
from .cells import Cells, Outcome, objects
from .numerals import bare_code, codes_why, numbers_among, styles, unit_of

NEW, KNOWN = 0.5, 0.9
"""A model whose classes are mostly new, while hardly one of the holdout's is, has them written in another way."""
NAMED = 3
"""Values of a column that a message names."""
REPEATED = 0.5
"""Below this share of distinct values a column of words is one of classes, not of names or remarks."""
TRUTH = {"true": True, "false": False}


def as_category(name: str, parts: Mapping[str, Cells], used: Mapping[str, Cells]) -> Outcome:
    """Return a column of words, written alike in all tables.

    Raises
    ------
    ConfigurationError
        Where two tables write its values in ways of their own.
    """
    texts = {table: set(part.words()[1]) for table, part in used.items()}
    remarks: dict[str, list[str]] = {}
    zeros = {table for table, some in texts.items() if codes_why(list(some)) == "leading zeros"}
    stripped = bool(zeros) and zeros != set(used)  # a spreadsheet took them off in one of the tables
    if stripped:
        texts = {table: {bare_code(text) for text in some} for table, some in texts.items()}
        remarks = {table: [f"leading zeros of '{name}' left out, as not all tables have them"] for table in used}
    plain = {} if stripped else _written_plainly(used, texts)
    texts = {table: {plain[table].get(text, text) for text in some} if plain else some for table, some in texts.items()}
    _same_kinds(name, used, texts, plain)
    out = {}
    for table, part in parts.items():
        codes, words = part.words()
        words = [bare_code(word) for word in words] if stripped else words
        words = [plain.get(table, {}).get(word, word) for word in words]
        out[table] = objects(np.array([*words, None], dtype=object)[codes])
    return "category", out, remarks


def _written_plainly(used: Mapping[str, Cells], texts: Mapping[str, set[str]]) -> dict[str, dict[str, str]]:
    """Return by table how numbers among words (``80+``, ``<5``) are written plainly, where more rows are equal then."""
    if not {"target", "corpus"} <= set(used):
        return {}
    common = len(texts["target"] & texts["corpus"])
    if common >= NEW * len(texts["target"]):
        return {}
    plain = {table: numbers_among(sorted(some)) for table, some in texts.items()}
    corpus = {plain["corpus"].get(text, text) for text in texts["corpus"]}
    more = sum(plain["target"].get(text, text) in corpus for text in texts["target"])
    return plain if more > common else {}


def _same_kinds(
    name: str, used: Mapping[str, Cells], texts: Mapping[str, set[str]], plain: Mapping[str, Mapping[str, str]]
) -> None:
    """Refuse a column that each of two tables writes in a way of its own, without one value in common."""
    kinds = {table: _alone(part) for table, part in used.items()}
    tables = list(used)
    base = "corpus" if "corpus" in used else next(iter(tables), "")
    for table in tables:
        if table == base:
            continue
        if texts[table] & texts[base]:
            _same_letters(name, (table, base), used, texts)
            if table == "target":
                _same_classes(name, used, texts, plain)
            continue
        if kinds[table] != kinds[base]:
            raise ConfigurationError(
                f"column '{name}' holds values of the kind {kinds[table]} in {table} and {kinds[base]} in {base},"
                " and has none in common: write it the same way in all of the tables"
            )
        as_many = 2 <= len(texts[table]) == len(texts[base])
        if (table == "target" or as_many) and all(_repeats(used[t]) for t in (table, base)):
            here, there = (", ".join(f"'{text}'" for text in sorted(texts[t])[:NAMED]) for t in (table, base))
            raise ConfigurationError(
                f"column '{name}' of {table} has no value in common with {base} ({here} here, {there} there):"
                " write it the same way in all of the tables, or leave it out with --ignore-columns"
            )


def _same_letters(name: str, pair: tuple[str, str], used: Mapping[str, Cells], texts: Mapping[str, set[str]]) -> None:
    """Refuse classes of which all with letters beyond ASCII differ: a file in another encoding than was told."""
    here, there = ({text for text in texts[table] if not text.isascii()} for table in pair)
    if here and there and not here & there and all(_repeats(used[table]) for table in pair):
        raise ConfigurationError(
            f"column '{name}': '{min(here)}' in {pair[0]} and '{min(there)}' in {pair[1]} look like one text in two"
            " encodings: save both files as UTF-8"
        )


def _same_classes(
    name: str, used: Mapping[str, Cells], texts: Mapping[str, set[str]], plain: Mapping[str, Mapping[str, str]]
) -> None:
    """Refuse classes of which hardly more than a common ``unknown`` stands in the corpus too: F, M beside f, m."""
    if not {"corpus", "holdout"} <= set(used) or not all(map(_repeats, used.values())):
        return
    made, unseen = (_known(used[table], texts["corpus"], plain.get(table, {})) for table in ("target", "holdout"))
    if made < NEW and unseen > KNOWN:
        here, there = min(texts["target"] - texts["corpus"]), min(texts["corpus"])
        raise ConfigurationError(
            f"column '{name}': {made:.0%} of the rows of target have a value that corpus has, and {unseen:.0%} of the"
            f" holdout's ('{here}' here, '{there}' there): write it the same way in all of the tables, or leave it out"
            " with --ignore-columns"
        )


def _known(part: Cells, texts: set[str], plain: Mapping[str, str]) -> float:
    """Return the share of the rows that hold one of some texts, among those that hold any."""
    codes, words = part.words()
    known = np.array([plain.get(word, word) in texts or bare_code(word) in texts for word in words])
    return float(known[codes[codes >= 0]].mean())


def _repeats(part: Cells) -> bool:
    codes, words = part.words()
    present = int((codes >= 0).sum())
    return len(words) < REPEATED * present


def _alone(part: Cells) -> str:
    """Return what a table's column would be by itself; codes of digits count as numbers."""
    if part.kind is not None:
        return part.kind
    if {text.lower() for text in part.texts} <= set(TRUTH):
        return "truth"
    if (pair := unit_of(part.texts)) and styles(pair[0]):
        return "number"
    if order_of(part.texts) != "none":
        return "date"
    return "duration" if durations(part.texts) is not None else "text"
