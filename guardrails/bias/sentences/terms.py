"""Noun phrases for one person: each descriptor with each noun, in each case that the language needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from .items import GROUPS
from .set_file import FOLDER, SetFile
from .slots import agree

_KEYS = {"group", "before", "after", "nouns"}


@dataclass(frozen=True)
class Term:
    """A noun phrase.

    Attributes
    ----------
    group : str
        The dimension that the descriptor belongs to.
    descriptor, noun : str
        Their keys in the file.
    forms : dict
        The phrase with its indefinite article, by grammatical case.
    """

    group: str
    descriptor: str
    noun: str
    forms: dict[str, str]

    @property
    def id(self) -> str:
        """Return the name of the term in the id of an item."""
        return f"{self.descriptor}-{self.noun}".lower().replace(" ", "-")


@cache
def read_terms(language: str) -> tuple[Term, ...]:
    """Return the terms of a language.

    Raises
    ------
    ContentError
        For a file that does not have the format; it names the line.
    """
    file = SetFile(FOLDER / f"terms_{language}.toml", language)
    nouns, cases = file.table("nouns"), file.table("cases")
    terms = []
    for name, entry in file.table("descriptors").items():
        if not isinstance(entry, dict) or entry.get("group") not in GROUPS or set(entry) - _KEYS:
            raise file.error(f"the descriptor '{name}' needs a group and has at most {', '.join(sorted(_KEYS))}", name)
        if unknown := [noun for noun in entry.get("nouns", ()) if noun not in nouns]:
            raise file.error(f"no noun '{unknown[0]}'", name)
        for noun in entry.get("nouns", nouns):
            forms = {case: _phrase(entry, nouns[noun], forms) for case, forms in cases.items()}
            terms.append(Term(entry["group"], name, noun, forms))
    return tuple(terms)


def _phrase(descriptor: dict[str, Any], noun: dict[str, str], case: dict[str, dict[str, str]]) -> str:
    """Return article, descriptor and noun, agreeing in gender and case."""
    gender = noun["gender"]
    ending = case.get("ending", {}).get(gender, "")
    before = descriptor.get("before", "").replace("*", ending)
    after = agree(descriptor.get("after", ""), gender == "m")
    words = " ".join(part for part in (before, noun["text"], after) if part)
    article = case["article"][gender]
    if article == "a" and words[0].lower() in "aeiou":
        article = "an"
    return f"{article} {words}"
