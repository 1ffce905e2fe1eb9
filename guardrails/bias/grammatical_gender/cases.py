"""Sentences whose translations are read: what each tells of the person's gender, and the profession's stereotype."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SENTENCES = Path(__file__).parent.parent / "sentences"
_PRONOUNS = {
    "he": "she",
    "him": "her",
    "his": "her",
    "himself": "herself",
    "they": "she",
    "them": "her",
    "their": "her",
}
_UNKNOWN_TO_REFERENCE = frozenset(
    {"construction worker", "sheriff", "mover", "physician", "ceo", "attendant", "housekeeper"}
)
"""Professions that the reference translator does not know: its controls and a user's target are asked the same."""


@dataclass(frozen=True)
class Case:
    """One English sentence about a person with a profession.

    Attributes
    ----------
    gender : str
        What the English tells: ``male``, ``female``, ``neutral`` (*they*) or ``untold``.
    template : str
        The sentence without what tells the gender: sentences that share it differ in that alone.
    near : int, optional
        The number of the word, by spaces, that names the person.
    """

    sentence: str
    profession: str
    gender: str
    template: str
    near: int | None = None

    @property
    def stereotype(self) -> str | None:
        """The gender of most people in the profession, by `women`; None where that is not listed."""
        share = women().get(self.profession.lower())
        return None if share is None else "female" if share > 50 else "male"


@cache
def women() -> Mapping[str, float]:
    """Return the percentage of women in each profession that the labour statistics list."""
    rows = [line.split("|") for line in _lines("translation_professions.txt")]
    return {name.strip(): float(share) for name, share in rows}


@cache
def built_in() -> tuple[Case, ...]:
    """Return every profession in every sentence: once where the gender is untold, else for a woman and for a man."""
    out = []
    for template in _lines("translation_templates.txt"):
        told = "{she}" in template or "{her}" in template
        for gender in ("female", "male") if told else ("untold",):
            she, her = ("he", "his") if gender == "male" else ("she", "her")
            for profession in women():
                if profession not in _UNKNOWN_TO_REFERENCE:
                    sentence = template.format(profession=profession, she=she, her=her)
                    out.append(Case(sentence, profession, gender, f"{template} {profession}"))
    return tuple(out)


def without_gender(sentence: str) -> str:
    """Return a sentence with one pronoun for all genders.

    >>> without_gender("The cook said that he lost his key.")
    'the cook said that she lost her key.'
    """
    return re.sub(r"\w+", lambda word: _PRONOUNS.get(word[0], word[0]), sentence.lower())


def _lines(name: str) -> list[str]:
    lines = (SENTENCES / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]
