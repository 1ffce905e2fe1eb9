"""Professions with their forms in the languages that have grammatical gender."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path

LANGUAGES = {"es": "Spanish", "de": "German"}
WORD = re.compile(r"\w+(?:[-'’*:/_·]-?\w+)*|[^\w\s]")


class Gender(StrEnum):
    """What a translation shows of a person's gender."""

    MALE = "male"
    FEMALE = "female"
    NEUTRAL = "neutral"  # a form that tells no gender: *alguien*, *das Kind*, *Lehrer:in*
    UNKNOWN = "unknown"  # the person was not located, or the words contradict each other
    EITHER = "either"  # of a noun only: its form serves both genders, so the words around it decide


class Noun(StrEnum):
    """How a noun inflects, where that matters for its gender."""

    PLAIN = "plain"
    ADJECTIVE = "adjective"  # German: der Angestellte, ein Angestellter


Forms = Mapping[str, tuple[Gender, Noun]]
"""By word, in lower case."""


def words_of(text: str) -> list[str]:
    """Return words and punctuation; a form for both genders, as *Lehrer:in* or *enfermero/a*, is one word.

    >>> words_of("Der Arzt sah die Lehrer:in.")
    ['Der', 'Arzt', 'sah', 'die', 'Lehrer:in', '.']
    """
    return WORD.findall(text)


@cache
def professions(language: str) -> Mapping[str, Forms]:
    """Return the forms of every profession of the lexicon in a language."""
    column = 1 + list(LANGUAGES).index(language)
    lines = (Path(__file__).parent / "professions.txt").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")] for line in lines if line and not line.startswith("#")]
    return {row[0]: _forms(row[column].split(), language) for row in rows}


def forms_of(profession: str, language: str) -> Forms:
    """Return the forms of a profession; none where the lexicon lacks it."""
    return professions(language).get(profession.lower(), {})


_FIXED = {"m": Gender.MALE, "f": Gender.FEMALE, "n": Gender.NEUTRAL}


def _forms(entries: list[str], language: str) -> dict[str, tuple[Gender, Noun]]:
    out: dict[str, tuple[Gender, Noun]] = {}
    for entry in entries:
        if entry.startswith("~"):
            out |= {(entry[1:] + end).lower(): (Gender.EITHER, Noun.ADJECTIVE) for end in ("e", "er", "en", "em", "es")}
            continue
        mark, colon, word = entry.rpartition(":")
        if colon:
            out |= dict.fromkeys(_cases(word.lower(), language), (_FIXED[mark], Noun.PLAIN))
            continue
        male, slash, female = word.lower().partition("/")
        if not slash and language == "de":
            female = male + "in"
        either = male == female or not female
        out |= dict.fromkeys(_cases(male, language), (Gender.EITHER if either else Gender.MALE, Noun.PLAIN))
        if not either:
            out[female] = (Gender.FEMALE, Noun.PLAIN)
    return out


def _cases(word: str, language: str) -> list[str]:
    """Return a masculine or neuter noun in every case of the singular."""
    if language != "de":
        return [word]
    return [
        word,
        *((word + "n", word + "ns") if word.endswith("e") else (word + end for end in ("s", "es", "en", "n"))),
    ]
