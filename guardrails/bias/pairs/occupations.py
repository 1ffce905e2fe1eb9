"""Pairs and triples about occupations and pronouns, made from the templates of `guardrails.bias.counterfactual`.

They are what the controls are asked about: the reference model's `bias` dial plants just this association.
"""

from __future__ import annotations

from ..counterfactual import FIELDS, material, told
from .items import Pair, Triple

CONSTRUCT = "gender and occupation"
UNRELATED = (
    "table", "river", "window", "copper", "seven", "butter", "under", "carpet", "Monday", "green", "sugar", "bridge",
)  # fmt: skip
"""Words that make no sense in the place of a pronoun."""
OTHER = {"she": "he", "he": "she"}


def occupation_pairs() -> list[Pair]:
    """Return a pair for every occupation and sentence; the pairs of an occupation are a cluster."""
    return [
        Pair(
            f"{t}:{occupation}",
            CONSTRUCT,
            occupation,
            "en",
            occupation,
            told(t, occupation, pronoun),
            told(t, occupation, OTHER[pronoun]),
        )
        for t in range(len(material().templates))
        for pronoun, occupations in material().occupations.items()
        for occupation in occupations
    ]


def occupation_triples() -> list[Triple]:
    """Return a triple for every occupation and sentence: with its pronoun, the other, and another word in its place."""
    return [
        Triple(
            f"{t}:{occupation}",
            CONSTRUCT,
            occupation,
            "",
            told(t, occupation, pronoun),
            told(t, occupation, OTHER[pronoun]),
            _with_word(t, occupation, UNRELATED[t % len(UNRELATED)]),
        )
        for t in range(len(material().templates))
        for pronoun, occupations in material().occupations.items()
        for occupation in occupations
    ]


def _with_word(template: int, occupation: str, word: str) -> str:
    return material().templates[template].format(occupation=occupation, **dict.fromkeys(FIELDS["she"], word))
