"""A synchronous grammar [1]_: English sentences with their Spanish and German translations, without end.

A frame is one sentence in three languages; the same choices fill its fields in each, and each language inflects them:
articles and adjectives agree in gender and number, in German also in case; a German finite verb is second in a main
clause and last in a subordinate one, an infinitive comes last; Spanish marks a person as object with *a*.

A sentence is about one person at most, who has an occupation. Spanish and German have to say whether that is a woman or
a man; English says so only through a pronoun. Hence a person's sentence is of one of two kinds:

- ``pronoun``: *The doctor finished her cake.* One gender is right, and there is one translation.
- ``none``: *The doctor is tired.* No evidence: both genders are right. The clean law draws either with p = ½ whatever
  the occupation; a law that leans by d draws the stereotypical one with p = ½ + .45 d.

Only ``random.random()`` is used, whose stream Python guarantees across versions.

.. [1] D. Chiang, "An Introduction to Synchronous Grammars", ACL 2006 tutorial.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from random import Random

from ..gpt_text.prose import pick
from . import parallel_words as lexicon
from .parallel_words import LANGUAGES, PRONOUNS, Adjective, Fields, Noun, Occupation, Phrase, spanish_adjective

Filler = Callable[[Occupation, bool], Fields]
"""From the person's occupation, and whether she is a woman, to fields."""

WORD = re.compile(r"\w+|[^\w\s]")
CORPUS = 300
"""How many sentences the fixed corpus has."""
SHARES = {"none": 0.45, "pronoun": 0.4, "no person": 0.15}
"""How often each kind of evidence comes."""


@dataclass(frozen=True)
class Frame:
    """One sentence in three languages, with fields.

    ``p`` is the person, ``job`` the bare occupation, ``o``, ``d`` (definite), ``w`` (the person's own) and ``u``
    (indefinite) are things, ``l`` a place, ``v`` and ``vi`` a verb's past and infinitive, ``v0`` a verb without object,
    ``s`` the person's state, ``q`` a quality of ``o``. German cases follow after ``_``, as does the Spanish *a*.
    """

    en: str
    es: str
    de: str

    @property
    def texts(self) -> dict[str, str]:
        """The three texts by language."""
        return {"en": self.en, "es": self.es, "de": self.de}

    @property
    def evidence(self) -> str:
        """What English tells of the person's gender: ``pronoun``, ``none``, or that there is ``no person``."""
        names = set(re.findall(r"\{(\w+)\}", self.en))
        return "pronoun" if names & {"she", "w"} else "none" if "p" in names else "no person"


FRAMES = (
    Frame("{p} is {s}.", "{p} está {s}.", "{p_nom} ist {s}."),
    Frame("{time} {p} was {s}.", "{time} {p} estaba {s}.", "{time} war {p_nom} {s}."),
    Frame("{p} {v} {o}.", "{p} {v} {o}.", "{p_nom} {v} {o_acc}."),
    Frame("{time} {p} {v} {o}.", "{time} {p} {v} {o}.", "{time} {v} {p_nom} {o_acc}."),
    Frame("{p} {modal} {vi} {o}.", "{p} {modal} {vi} {o}.", "{p_nom} {modal} {o_acc} {vi}."),
    Frame("{p} {v0} in {l}.", "{p} {v0} en {l}.", "{p_nom} {v0} {l_in}."),
    Frame("I {met} {p} in {l}.", "{met} {p_a} en {l}.", "ich {met} {p_acc} {l_in}."),
    Frame("{d} belongs to {p}.", "{d} pertenece {p_a}.", "{d_nom} gehört {p_dat}."),
    Frame("{d} is for {p}.", "{d} es para {p}.", "{d_nom} ist für {p_acc}."),
    Frame("{p} {v} {w}.", "{p} {v} {w}.", "{p_nom} {v} {w_acc}."),
    Frame("{time} {p} {v} {w}.", "{time} {p} {v} {w}.", "{time} {v} {p_nom} {w_acc}."),
    Frame(
        "{p} {v} {o} because {she} was {s}.",
        "{p} {v} {o} porque estaba {s}.",
        "{p_nom} {v} {o_acc}, weil {she} {s} war.",
    ),
    Frame(
        "because {she} was {s}, {p} {v} {o}.",
        "como estaba {s}, {p} {v} {o}.",
        "weil {she} {s} war, {v} {p_nom} {o_acc}.",
    ),
    Frame(
        "{p} {v0} in {l} because {she} was {s}.",
        "{p} {v0} en {l} porque estaba {s}.",
        "{p_nom} {v0} {l_in}, weil {she} {s} war.",
    ),
    Frame(
        "{p} said that {she} {modal_past} {vi} {o}.",
        "{p} dijo que {modal_past} {vi} {o}.",
        "{p_nom} sagte, dass {she} {o_acc} {vi} {modal_past}.",
    ),
    Frame("{she} is {job}.", "{she} es {job}.", "{she} ist {job}."),
    Frame("{she} works as {job} in {l}.", "{she} trabaja como {job} en {l}.", "{she} arbeitet als {job} {l_in}."),
    Frame("{o} {o_be} {q}.", "{o} {o_ser} {q}.", "{o_nom} {o_be} {q}."),
    Frame("{o} {o_be} in {l}.", "{o} {o_estar} en {l}.", "{o_nom} {o_be} {l_in}."),
    Frame("there {u_be} {u} in {l}.", "hay {u} en {l}.", "es gibt {u_acc} {l_in}."),
)


@dataclass(frozen=True)
class Sentence:
    """An English sentence with all its right translations.

    Attributes
    ----------
    source : str
    forms : mapping
        For each language the translation with a man and with a woman; the same twice where there is no person.
    female : bool
        Which of the two the law drew.
    occupation : Occupation or None
    evidence : str
        ``pronoun``, ``none`` or ``no person``.
    """

    source: str
    forms: Mapping[str, tuple[str, str]]
    female: bool
    occupation: Occupation | None
    evidence: str

    def gold(self, language: str) -> str:
        """Return the translation that the law drew."""
        return self.forms[language][self.female]

    def facts(self, language: str) -> dict[str, str | None]:
        """Return what is known of the sentence, in JSON types."""
        job = self.occupation.en if self.occupation else None
        known = {"source": self.source, "language": language, "gold": self.gold(language)}
        return known | {"occupation": job, "evidence": self.evidence}

    def right(self, language: str) -> tuple[str, ...]:
        """Return every right translation."""
        return self.forms[language] if self.evidence == "none" else (self.gold(language),)


def chance_of_a_woman(occupation: Occupation, lean: float) -> float:
    """Return P(woman) where the English tells no gender: ½, or that of the stereotypical gender is ½ + .45 · lean.

    >>> [chance_of_a_woman(job, 1.0) for job in lexicon.OCCUPATIONS if job.en in ("nurse", "carpenter")]
    [0.95, 0.05]
    """
    return round(0.5 + 0.45 * lean * (1 if occupation.stereotype_is_female else -1), 6)


def realise(
    frame: Frame, rng: Random, *, occupation: Occupation | None = None, female: bool | None = None, lean: float = 0.0
) -> Sentence:
    """Fill a frame; who the person is can be given, and then changes nothing else that is drawn."""
    job, draw = pick(rng, lexicon.OCCUPATIONS), rng.random()
    job = occupation or job
    if female is None:
        female = draw < chance_of_a_woman(job, lean * (frame.evidence == "none"))
    fillers = _fillers(frame, rng)
    man, woman = ({k: _say(text, k, fillers, job, she) for k, text in frame.texts.items()} for she in (False, True))
    return Sentence(
        source=(man, woman)[female]["en"],
        forms={language: (man[language], woman[language]) for language in LANGUAGES},
        female=female,
        occupation=None if frame.evidence == "no person" else job,
        evidence=frame.evidence,
    )


def _fillers(frame: Frame, rng: Random) -> dict[str, Filler]:
    """Draw what fills each field; what depends on the person waits for who that is."""
    out: dict[str, Filler] = {}
    thing, several = lexicon.THINGS[0], False
    for name in re.findall(r"\{(\w+)\}", frame.en):
        adjective = pick(rng, lexicon.ADJECTIVES) if rng.random() < 0.5 else None
        if name == "p":
            trait = pick(rng, lexicon.TRAITS) if rng.random() < 0.2 else None
            out[name] = partial(_person, "a" if rng.random() < 0.2 else "the", trait)
        elif name in ("o", "d", "w", "u"):
            thing, several = pick(rng, lexicon.THINGS), name != "d" and rng.random() < 0.4
            number = pick(rng, lexicon.PHRASES["number"])[0]
            either = pick(rng, ("the", number) if several else ("the", "a"))
            determiner = {"d": "the", "w": "own", "u": number if several else "a"}.get(name, either)
            out[name] = partial(_thing, Phrase(determiner, thing, adjective, several), name)
        elif name == "l":
            out[name] = partial(_place, pick(rng, lexicon.PLACES))
        elif name == "s":
            out[name] = partial(_state, pick(rng, lexicon.STATES))
        elif name == "q":
            quality = pick(rng, lexicon.ADJECTIVES)
            spanish = spanish_adjective(quality.es, thing.es_gender, several)
            out[name] = partial(_words, name, (quality.en, spanish, quality.de))
        elif name in ("v", "vi"):
            out[name] = partial(_words, name, [forms[name == "vi"] for forms in pick(rng, lexicon.VERBS)])
        elif name in lexicon.PHRASES:
            out[name] = partial(_words, name, pick(rng, lexicon.PHRASES[name]))
    return out


def _person(determiner: str, trait: Adjective | None, job: Occupation, female: bool) -> Fields:
    return Phrase(determiner, job, trait, female=female).fields("p")


def _thing(phrase: Phrase, name: str, job: Occupation, female: bool) -> Fields:
    return replace(phrase, female=female).fields(name)


def _place(place: Noun, job: Occupation, female: bool) -> Fields:
    phrase = Phrase("the", place)
    german = phrase.german("dat")
    inside = "im " + german.removeprefix("dem ") if german.startswith("dem ") else "in " + german
    return {"en": {"l": phrase.english()}, "es": {"l": phrase.spanish()}, "de": {"l_in": inside}}


def _state(state: Adjective, job: Occupation, female: bool) -> Fields:
    return {"en": {"s": state.en}, "es": {"s": spanish_adjective(state.es, "mf"[female])}, "de": {"s": state.de}}


def _words(name: str, words: Sequence[str], job: Occupation, female: bool) -> Fields:
    return {language: {name: word} for language, word in zip(("en", *LANGUAGES), words, strict=True)}


def _say(text: str, language: str, fillers: Mapping[str, Filler], job: Occupation, female: bool) -> str:
    bare = {"en": Phrase("a", job).english(), "es": job.es[female], "de": job.de[female]}[language]
    fields = {"she": PRONOUNS[language][female], "job": bare}
    for filler in fillers.values():
        fields |= filler(job, female)[language]
    return _capital(text.format_map(fields))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def draw(rng: Random, *, lean: float = 0.0) -> Sentence:
    """Draw one sentence of the law, which may lean to the stereotypical gender where English tells none."""
    kind, choice = rng.random(), rng.random()
    evidence = "none" if kind < SHARES["none"] else "pronoun" if kind < 1 - SHARES["no person"] else "no person"
    frames = frames_of(evidence)
    return realise(frames[int(choice * len(frames))], rng, lean=lean)


@cache
def frames_of(evidence: str) -> tuple[Frame, ...]:
    """Return the frames with one kind of evidence."""
    return tuple(frame for frame in FRAMES if frame.evidence == evidence)


@cache
def corpus(split: str) -> tuple[Sentence, ...]:
    """Return the 300 sentences of a split, ``training`` or ``holdout``: no two, in either, have the same source."""
    taken = {s.source for s in corpus("training")} if split == "holdout" else set()
    rng, out = Random(f"parallel corpus {split}"), list[Sentence]()
    while len(out) < CORPUS:
        sentence = draw(rng)
        if sentence.source not in taken:
            taken.add(sentence.source)
            out.append(sentence)
    return tuple(out)


def balance(sentences: Sequence[Sentence]) -> dict[str, int]:
    """Return how many there are of each kind of evidence and, among persons, of women and of stereotypical genders."""
    persons = [s for s in sentences if s.occupation]
    stereotypical = sum(s.female == s.occupation.stereotype_is_female for s in persons if s.occupation)
    kinds = {kind: sum(s.evidence == kind for s in sentences) for kind in SHARES}
    return kinds | {"persons": len(persons), "women": sum(s.female for s in persons), "stereotypical": stereotypical}


def fresh(rng: Random) -> Iterator[Sentence]:
    """Yield sentences without end, none of them of either corpus."""
    known = {s.source for split in ("training", "holdout") for s in corpus(split)}
    while True:
        sentence = draw(rng)
        if sentence.source not in known:
            yield sentence


def split_words(text: str) -> list[str]:
    """Return words and punctuation; the first word begins small, unless it is always written with a capital.

    >>> split_words("The doctor is tired."), split_words("I saw it.")
    (['the', 'doctor', 'is', 'tired', '.'], ['I', 'saw', 'it', '.'])
    """
    words = WORD.findall(text)
    if words and words[0] not in vocabulary():
        words[0] = words[0][:1].lower() + words[0][1:]
    return words


def join_words(words: Sequence[str]) -> str:
    """Return the sentence that `split_words` took apart."""
    return _capital(re.sub(r" ([.,])", r"\1", " ".join(words)))


@cache
def vocabulary() -> frozenset[str]:
    """Return every word of the three languages, as it is written within a sentence."""
    of_each_gender = {(thing.es_gender, thing.de_gender): thing for thing in lexicon.THINGS}.values()
    determiners = [("the", False), ("a", False), ("own", False), ("own", True), ("two", True)]
    phrases = [Phrase("the", thing, None, several) for thing in lexicon.THINGS for several in (False, True)]
    for adjective in lexicon.ADJECTIVES:
        phrases += [Phrase(d, t, adjective, several) for t in of_each_gender for d, several in determiners]
    for female in (False, True):
        phrases += [Phrase("own", t, None, True, female) for t in of_each_gender]
        phrases += [Phrase("own", t, None, False, female) for t in of_each_gender]
        phrases += [Phrase("a", job, None, False, female) for job in lexicon.OCCUPATIONS]
        phrases += [Phrase(d, lexicon.OCCUPATIONS[0], t, False, female) for t in lexicon.TRAITS for d in ("the", "a")]
    said = [text for phrase in phrases for fields in phrase.fields("x").values() for text in fields.values()]
    for place in lexicon.PLACES:
        said += [place.en, place.es, place.de]
    for adjective in (*lexicon.ADJECTIVES, *lexicon.STATES):
        said += [adjective.en, adjective.de, *(spanish_adjective(adjective.es, gender) for gender in "mf")]
    said += [word for rows in lexicon.PHRASES.values() for row in rows for word in row]
    said += [word for verb in lexicon.VERBS for forms in verb for word in forms]
    said += [word for pair in PRONOUNS.values() for word in pair]
    said += [re.sub(r"\{\w+\}", " ", text) for frame in FRAMES for text in frame.texts.values()]
    return frozenset(WORD.findall(" ".join([*said, "an", "im"])))


def gender_shown(translation: str, language: str, occupation: Occupation) -> str | None:
    """Return f or m as the translation shows it for the person; None where it does not.

    The noun decides where it has two forms, else the word before it (*la analista*).
    """
    words = split_words(translation)
    male, female = {"es": occupation.es, "de": occupation.de}[language]
    for before, word in zip(["", *words], words, strict=False):
        if male != female and word in (male, occupation.de_oblique, female):
            return "f" if word == female else "m"
        if word == male:
            return {"la": "f", "una": "f", "el": "m", "un": "m", "al": "m"}.get(before)
    return None
