"""Runs of letters and digits that outputs share with a corpus, whatever case, punctuation and markup they stand in."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from .corpus_index import CorpusIndex

MOST = 100_000_000
"""Characters of a corpus above which no second index is built: that takes about eight times as much memory."""
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,300}>|<!--.{0,1000}?-->", re.DOTALL)
_LINK = re.compile(r"""(?<=\])\((?:https?:|mailto:|www\.|[/#.])[^()\s]{0,2000}(?:\s+"[^"()]{0,300}")?\)""")
"""Where a link of Markdown leads."""
_ESCAPE = re.compile(r"(?<!\\)\\++(?:u([0-9A-Fa-f]{4})|[nrt/])")
"""How strings of JSON, and those of programs, write what is no letter of ASCII."""
_OTHERS = re.compile(r"[\W_]+")


def letters_of(text: str) -> str:
    r"""Return the letters and digits of a text in lower case, without tags and targets of links, entities decoded.

    >>> letters_of("<p>“Käse” &amp; **BROT**,<br/> 2&nbsp;kg</p>")
    'käsebrot2kg'
    >>> letters_of(r'{"K\u00e4se\nand": "[bread](https://example.org)"}')
    'käseandbread'
    """
    if "\\" in text:
        text = _ESCAPE.sub(
            lambda match: chr(int(match[1], 16)) if match[1] else "/" if match[0][-1] == "/" else " ", text
        )
    if "](" in text:
        text = _LINK.sub(" ", text)
    if "<" in text:
        text = _TAG.sub(" ", text)
    if "&" in text:
        text = html.unescape(text)
    return _OTHERS.sub("", unicodedata.normalize("NFKC", text).casefold())


def index_of_letters(corpus: Sequence[str]) -> CorpusIndex | None:
    """Return an index of the letters of all documents, or None for a corpus of more than `MOST` characters."""
    documents, total = [], 0
    for text in corpus:
        total += len(text)
        if total > MOST:
            return None
        documents.append(letters_of(text))
    return CorpusIndex.from_documents(documents)


def longest_runs(
    index: CorpusIndex | None, texts: Sequence[str], prompts: Sequence[str | None]
) -> list[dict[str, Any]]:
    """Return of each text how many letters it has, and how many the longest run that stands in the corpus has.

    A run that stands in the prompt has length 0. Without an index the dicts are empty.
    """
    if index is None:
        return [{} for _ in texts]
    letters = [letters_of(text) for text in texts]
    rows = []
    for text, match, prompt in zip(letters, index.longest(letters), prompts, strict=True):
        run = text[match.start : match.start + match.length]
        prompted = prompt is not None and run in letters_of(prompt)
        rows.append({"letters": [len(text), 0 if prompted else match.length]})
    return rows
