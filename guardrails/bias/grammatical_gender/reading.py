"""Finds the person in each translation and reads the gender that the translation gives."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import german, spanish
from .alignment import align
from .lexicon import Gender, Noun, forms_of, words_of

GRAMMARS: dict[str, Any] = {"es": spanish, "de": german}
LEAST_SCORE = 0.15
"""Of an alignment with a word that the lexicon does not have."""
ANOTHERS = 0.3
"""Of an alignment with another word of the sentence: whose word it then is."""
BOTH = re.compile(r"[\w]+([*:_·/]-?(in|innen|r|a|as|n|la|las|una)\b|[a-zäöü]In(nen)?$)|^(el|un)[/](la|una)$")
"""A form for both genders: *Lehrer:in*, *Lehrer/-in*, *LehrerIn*, *enfermero/a*."""


class Person(NamedTuple):
    """Whom a sentence is about: its English words, the first and the last of the profession in them, its name."""

    words: tuple[str, ...]
    first: int
    last: int
    profession: str


class Reading(NamedTuple):
    """The gender that a translation shows of a person, and the word that stands for the person, if one was located."""

    gender: Gender
    word: str | None


def person(sentence: str, profession: str, near: int | None = None) -> Person | None:
    """Return where a profession stands in a sentence, None where it does not.

    Parameters
    ----------
    sentence, profession : str
        In English; case is ignored.
    near : int, optional
        The number of a word, by spaces: of several mentions, the nearest is taken. Default: the first.
    """
    words, names = words_of(sentence), [w.lower() for w in words_of(profession)]
    low = [w.lower().removesuffix("'s").removesuffix("’s") for w in words]
    places = [k for k in range(len(low)) if names and low[k : k + len(names)] == names]
    if not places:
        return None
    wanted = 0 if near is None else len(words_of(" ".join(sentence.split()[:near])))
    first = min(places, key=lambda k: abs(k - wanted))
    return Person(tuple(words), first, first + len(names) - 1, profession)


def read_genders(people: Sequence[Person], translations: Sequence[str], language: str) -> list[Reading]:
    """Return the gender that each translation shows of its person.

    The alignment is learnt from these sentences together, so that more of them are read better.
    """
    targets = [words_of(text) for text in translations]
    scores = align([p.words for p in people], targets)
    together = Counter(
        (p.profession.lower(), w) for p, words in zip(people, targets, strict=True) for w in {w.lower() for w in words}
    )
    return [
        _read(p, words, score, language, together) if words else Reading(Gender.UNKNOWN, None)
        for p, words, score in zip(people, targets, scores, strict=True)
    ]


def _read(
    who: Person, words: Sequence[str], scores: NDArray[np.float64], language: str, together: Counter[tuple[str, str]]
) -> Reading:
    forms, grammar = forms_of(who.profession, language), GRAMMARS[language]
    own = scores[who.first : who.last + 1].max(axis=0)
    listed = [k for k, word in enumerate(words) if _bare(word) in forms]
    place = max(
        (k for k in listed if not _is_anothers(who, _bare(words[k]), own[k], scores[:, k], language)),
        key=lambda k: float(own[k]),
        default=None,
    )
    if place is None:
        place = _aligned(who, words, own, grammar.can_be_noun, together)
    if place is None:
        return Reading(Gender.UNKNOWN, None)
    word = words[place]
    if BOTH.search(word) or (place and BOTH.search(words[place - 1])):
        return Reading(Gender.NEUTRAL, word)
    form, kind = forms.get(word.lower(), (grammar.noun(word), Noun.PLAIN))
    around = grammar.agreement(words, place, kind) if language == "de" else grammar.agreement(words, place)
    return Reading(grammar.conclude(word, form, around), word)


def _is_anothers(who: Person, word: str, own: float, scores: NDArray[np.float64], language: str) -> bool:
    """Whether a form that the lexicon has for two people of the sentence is aligned with the other one."""
    return any(
        scores[i] > own and scores[i] >= ANOTHERS and word in forms_of(name, language)
        for i, name in enumerate(who.words)
        if not who.first <= i <= who.last
    )


def _aligned(
    who: Person,
    words: Sequence[str],
    own: NDArray[np.float64],
    can_be_noun: Callable[[str], bool],
    together: Counter[tuple[str, str]],
) -> int | None:
    """Return the best aligned noun that the lexicon lacks, if it comes with the profession more than once."""
    nouns = [k for k, w in enumerate(words) if can_be_noun(w) and together[who.profession.lower(), w.lower()] > 1]
    best = max(nouns, key=lambda k: float(own[k]), default=None)
    return best if best is not None and own[best] >= LEAST_SCORE else None


def _bare(word: str) -> str:
    """Return a word without the ending for the other gender: *enfermero/a*, *Lehrer:in*."""
    return re.split(r"[*:_·/]", word)[0].lower()
