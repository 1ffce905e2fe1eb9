"""Runs of letters and digits that outputs share with a corpus, whatever case, punctuation and markup they stand in."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from .corpus_index import CorpusIndex
from .line_stamps import without_stamps
from .shared_runs import Search

MOST = 100_000_000
"""Characters of a corpus above which no second index is built: that takes about six times as much memory."""
_BREAK = re.compile(r"<(?:br|/?(?:p|div|li|tr))\b[^<>]{0,300}>", re.IGNORECASE)
"""A tag where a line begins."""
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,300}>|<!--.{0,1000}?-->", re.DOTALL)
_LINK = re.compile(r"""(?<=\])\((?:https?:|mailto:|www\.|[/#.])[^()\s]{0,2000}(?:\s+"[^"()]{0,300}")?\)""")
"""Where a link of Markdown leads."""
_ESCAPE = re.compile(r"(?<!\\)\\++(?:u([0-9A-Fa-f]{4})|[nrt/])")
"""How strings of JSON, and those of programs, write what is no letter of ASCII."""
_ESCAPED = {"n": "\n", "r": "\n", "t": "\t", "/": "/"}
_OTHERS = re.compile(r"[\W_]+")


def letters_of(text: str) -> str:
    r"""Return the letters and digits of a text in lower case, entities decoded.

    Tags, targets of links, and the number or time that each line begins with are left out.

    >>> letters_of("<p>“Käse” &amp; **BROT**,<br/> 2&nbsp;kg</p>")
    'käsebrot2kg'
    >>> letters_of(r'{"K\u00e4se\nand": "[bread](https://example.org)"}')
    'käseandbread'
    >>> letters_of("1: Käse\n2: and\n3: bread")
    'käseandbread'
    """
    if "\\" in text:
        text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else _ESCAPED[match[0][-1]], text)
    if "](" in text:
        text = _LINK.sub(" ", text)
    if "<" in text:
        text = _TAG.sub(" ", _BREAK.sub("\n", text))
    if "&" in text:
        text = html.unescape(text)
    return _OTHERS.sub("", without_stamps(unicodedata.normalize("NFKC", text)).casefold())


def search_of_letters(corpus: Sequence[str], holdout: Sequence[str] | None) -> Search | None:
    """Return the search in the letters of all documents, or None where a side has more than `MOST` characters."""
    arms: list[list[str] | None] = []
    for texts in (corpus, holdout):
        letters, total = [], 0
        for text in texts or ():
            total += len(text)
            if total > MOST:
                return None
            letters.append(letters_of(text))
        arms.append(None if texts is None else letters)
    return Search(CorpusIndex.from_documents(arms[0] or ()), arms[1])


def longest_runs(
    search: Search | None, texts: Sequence[str], prompts: Sequence[str | None], sources: Sequence[int | None]
) -> list[dict[str, Any]]:
    """Return of each text how many letters it has, and how many the longest run that counts has.

    A run that stands in the prompt has length 0. Without a search the dicts are empty.
    """
    if search is None:
        return [{} for _ in texts]
    letters = [letters_of(text) for text in texts]
    rows = []
    for text, run, prompt in zip(letters, search.runs(letters, sources), prompts, strict=True):
        prompted = prompt is not None and run.text in letters_of(prompt)
        rows.append({"letters": [len(text), 0 if prompted else run.length]})
    return rows
