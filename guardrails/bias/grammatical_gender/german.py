"""The gender of a person in German: the noun's form and, where that serves both genders, the determiner before it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .lexicon import Gender, Noun

MALE, FEMALE, NEUTRAL, UNKNOWN, EITHER = Gender.MALE, Gender.FEMALE, Gender.NEUTRAL, Gender.UNKNOWN, Gender.EITHER

FEMALE_NOUN = re.compile(r"(\w{3,}in|frau|schwester|dame|mädchen)$")
NEUTRAL_NOUN = re.compile(r"(kraft|person|opfer|kind|mitglied|leute)$")
MALE_NOUN = re.compile(r"((er|or|eur|är)(s|n)?|(mann|ist|ent|ant|ekt|loge|arzt|wirt|at|oph|iker|ling|chef)(e?n|e?s)?)$")
STEMS = ("mein", "dein", "sein", "ihr", "unser", "euer", "eur", "kein", "ein")
DEFINITE = ("dies", "jen", "jed", "welch", "manch")
DETERMINER = re.compile(
    rf"(der|die|das|den|dem|des|am|im|vom|zum|zur|beim|({'|'.join(STEMS)})(e[rnms]?)?|({'|'.join(DEFINITE)})(e[rnms]))$"
)
BOUND = {"zum": "dem", "vom": "dem", "beim": "dem", "am": "dem", "im": "dem", "zur": "der"}


def noun(word: str) -> Gender:
    """Return the gender that the ending of a noun tells."""
    low = word.lower()
    for pattern, gender in ((FEMALE_NOUN, FEMALE), (NEUTRAL_NOUN, NEUTRAL), (MALE_NOUN, MALE)):
        if pattern.search(low):
            return gender
    return EITHER


def can_be_noun(word: str) -> bool:
    """Whether a word outside the lexicon can be what a person is called: nouns have a capital."""
    return len(word) > 2 and word[0].isupper() and not DETERMINER.match(word.lower())


def _determiner(words: Sequence[str], place: int) -> str:
    """Return the determiner before a noun, with at most two adjectives between them."""
    for k in range(place - 1, max(-1, place - 4), -1):
        low = words[k].lower()
        if DETERMINER.match(low):
            return BOUND.get(low, low)
        if not words[k][0].islower() or not re.search(r"e[nrsm]?$", low):
            return ""
    return ""


def agreement(words: Sequence[str], place: int, kind: Noun = Noun.PLAIN) -> Gender:
    """Return the gender of the determiner of a noun in the singular, EITHER where it serves both.

    *der* and *dessen* alike are masculine as subject and feminine in dative and genitive: only a noun made of an
    adjective tells which, by its own ending (*der Angestellte* but *der Angestellten*).
    """
    determiner, word = _determiner(words, place), words[place].lower()
    stem = next((s for s in STEMS if determiner.startswith(s)), None)
    ending = determiner[len(stem) :] if stem else "e" if determiner.endswith("e") else determiner[-2:]
    if not determiner:
        # Without a determiner an adjective has the strong ending: Angestellter.
        return MALE if kind is Noun.ADJECTIVE and word.endswith("er") else EITHER
    if ending in ("en", "em", "es"):
        return MALE  # den, einen, dem, einem, des, eines
    if ending == "e":
        plural = kind is Noun.ADJECTIVE and word.endswith("en")
        return EITHER if plural else FEMALE  # die, eine
    if ending == "er":  # der, einer
        if stem:
            return FEMALE
        if kind is Noun.ADJECTIVE:
            return FEMALE if word.endswith("en") else MALE
        return EITHER
    return MALE if stem and not ending and kind is Noun.ADJECTIVE and word.endswith("er") else EITHER


def conclude(word: str, form: Gender, around: Gender) -> Gender:
    """Return the gender from that of the noun's form and that of the words around it: the form decides."""
    if form is EITHER:
        return UNKNOWN if around is EITHER else around
    return form
