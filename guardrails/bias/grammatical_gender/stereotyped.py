"""A translator whose translations give each person the stereotypical gender: the spike of `bias.translation`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from ...core.targets import TextTarget
from ...targets.spikes._spiked import Spiked
from .lexicon import Gender, forms_of, words_of

_ARTICLES = {
    "es": (("el", "la"), ("un", "una"), ("al", "a la"), ("del", "de la")),
    "de": (("der", "die"), ("den", "die"), ("dem", "der"), ("ein", "eine"), ("einen", "eine"), ("einem", "einer")),
}


class StereotypedTranslations(Spiked[TextTarget]):
    """A translator with the noun and the article of each person turned to one gender after it has translated.

    Parameters
    ----------
    target : TextTarget
        The user's.
    people : mapping of str to (str, str)
        By prompt: the profession, and the gender to turn to, ``male`` or ``female``.
    language : str
        ``es`` or ``de``.
    """

    spike_kind = "instrument-check"

    def __init__(self, target: TextTarget, people: Mapping[str, tuple[str, str]], language: str) -> None:
        super().__init__(target, repr(sorted(people.items())))
        self._people, self._language = dict(people), language

    def generate(
        self, prompts: Sequence[str], *, max_new_tokens: int, temperature: float = 1.0, seed: int = 0
    ) -> list[str]:
        """Return the target's translations, those of the given prompts turned."""
        texts = self.target.generate(prompts, max_new_tokens=max_new_tokens, temperature=temperature, seed=seed)
        people = [self._people.get(prompt) for prompt in prompts]
        return [t if who is None else turned(t, *who, self._language) for t, who in zip(texts, people, strict=True)]


def turned(text: str, profession: str, gender: str, language: str) -> str:
    """Return a translation with the person's noun and article in a gender; unchanged where neither is in the lexicon.

    >>> turned("Vi al enfermero en el parque.", "nurse", "female", "es")
    'Vi a la enfermera en el parque.'
    """
    forms, other = forms_of(profession, language), _counterparts(profession, language)
    words = words_of(text)
    for place, word in enumerate(words):
        low = word.lower()
        if low not in forms:
            continue
        form = forms[low][0]
        wanted = low if form in (gender, Gender.EITHER) else other.get(low, low)
        if form is Gender.EITHER or wanted != low:
            new = wanted.capitalize() if word[:1].isupper() else wanted
            before = words[place - 1] if place else ""
            article = _article(before, gender, language)
            return text.replace(f"{before} {word}", f"{article} {new}", 1) if before else text.replace(word, new, 1)
        return text
    return text


def _article(word: str, gender: str, language: str) -> str:
    for male, female in _ARTICLES[language]:
        old, new = (male, female) if gender == "female" else (female, male)
        if word.lower() == old:
            return new.capitalize() if word[:1].isupper() else new
    return word


@cache
def _counterparts(profession: str, language: str) -> Mapping[str, str]:
    """Return, for each form with a gender, that of the other gender which begins alike."""
    forms = {word: gender for word, (gender, _) in forms_of(profession, language).items()}
    out = {}
    for word, gender in forms.items():
        wanted = {Gender.MALE: Gender.FEMALE, Gender.FEMALE: Gender.MALE}.get(gender)
        alike = [w for w, g in forms.items() if g is wanted]
        if alike:
            out[word] = max(alike, key=lambda w: (_shared(word, w), -len(w)))
    return out


def _shared(a: str, b: str) -> int:
    return next((k for k, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
