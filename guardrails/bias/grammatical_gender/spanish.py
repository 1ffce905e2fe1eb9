"""The gender of a person in Spanish: the noun's form, the determiner before it, the adjective behind it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .lexicon import Gender

MALE, FEMALE, NEUTRAL, UNKNOWN, EITHER = Gender.MALE, Gender.FEMALE, Gender.NEUTRAL, Gender.UNKNOWN, Gender.EITHER

_MALE = "el del al un este ese aquel nuestro vuestro cierto otro mismo propio algún ningún primer tercer los unos estos"
_FEMALE = (
    "la una esta esa aquella nuestra vuestra cierta otra misma propia alguna ninguna primera tercera las unas estas"
)
DETERMINERS = dict.fromkeys(_MALE.split(), MALE) | dict.fromkeys(_FEMALE.split(), FEMALE)
BETWEEN = frozenset(
    "buen gran mejor peor joven mi tu su cada otro otra nuevo nueva antiguo antigua viejo vieja".split()  # noqa: SIM905
)
"""Words that may stand between a determiner and a noun."""
FUNCTION = frozenset(
    [
        "el",
        "la",
        "los",
        "las",
        "un",
        "una",
        "de",
        "del",
        "al",
        "a",
        "en",
        "y",
        "o",
        "que",
        "con",
        "por",
        "para",
        "su",
        "sus",
        "se",
        "lo",
        "le",
        "no",
        "es",
        "era",
        "fue",
        "porque",
        "como",
        "sin",
        "sobre",
        "él",
        "ella",
        "ellos",
        "ellas",
        "más",
        "había",
        "ha",
        "mi",
        "tu",
        "cuando",
        "si",
        "ya",
        "les",
        "este",
        "esta",
        "ese",
        "esa",
    ]
)
ENDINGS = (
    (re.compile(r"(ista|ente|ante|eta|ogue|pa|ense|al|ble)$"), EITHER),
    (re.compile(r"(ora|triz|esa|isa|ina|era|ida|ada|oga|iva|aria|ica|ana|a)$"), FEMALE),
    (re.compile(r"(or|ero|ido|ado|ogo|ivo|ario|ico|ano|o|ón|és|ín|án)$"), MALE),
)
STRESSED_A = frozenset({"ama", "ama-de-llaves", "águila", "alma"})
"""Feminine nouns that take *el*."""


def noun(word: str) -> Gender:
    """Return the gender that the ending of a noun tells."""
    return next((gender for ending, gender in ENDINGS if ending.search(word)), EITHER)


def can_be_noun(word: str) -> bool:
    """Whether a word outside the lexicon can be what a person is called."""
    return len(word) > 2 and word.lower() not in FUNCTION and word[0].isalpha()


def agreement(words: Sequence[str], place: int) -> Gender:
    """Return the gender of the determiner of a noun, else of the adjective behind it; EITHER where neither tells."""
    k = place - 1
    while k >= 0 and words[k].lower() in BETWEEN and words[k].lower() not in DETERMINERS:
        k -= 1
    if k >= 0 and (before := words[k].lower()) in DETERMINERS:
        return DETERMINERS[before]
    return EITHER


def conclude(word: str, form: Gender, around: Gender) -> Gender:
    """Return the gender from that of the noun's form and that of the words around it.

    A masculine form behind a feminine determiner is said of women (*la médico*); the reverse is a contradiction, but
    for nouns that begin with a stressed *a* (*el ama*).
    """
    if form is EITHER:
        return UNKNOWN if around is EITHER else around
    if around in (EITHER, form) or form is NEUTRAL or word.lower() in STRESSED_A:
        return form
    return FEMALE if around is FEMALE else UNKNOWN
