from __future__ import annotations

import numpy as np
import pytest

from generators.translator import parallel
from generators.translator.parallel_words import OCCUPATIONS
from generators.translator.truth import with_evidence
from guardrails.bias.grammatical_gender.alignment import align
from guardrails.bias.grammatical_gender.published_rules import published_gender
from guardrails.bias.grammatical_gender.reading import person, read_genders

GERMAN = {
    "Der Angestellte lachte.": ("employee", "male"),
    "Ich half der Angestellten.": ("employee", "female"),
    "Ein Angestellter lachte.": ("employee", "male"),
    "Sie sah den Angestellten.": ("employee", "male"),
    "Die Angestellte lachte.": ("employee", "female"),
    "Die Ärztin traf den Koch, weil sie Hunger hatte.": ("cook", "male"),
    "Er dankte der neuen Lehrerin.": ("teacher", "female"),
    "Das Kind schlief.": ("child", "neutral"),
    "Die Lehrer:in lachte.": ("teacher", "neutral"),
    "Die LehrerIn lachte.": ("teacher", "neutral"),
    "Jede Kundin kam.": ("customer", "female"),
    "Es regnete.": ("teacher", "unknown"),
}
SPANISH = {
    "La analista rió.": ("analyst", "female"),
    "Vi al analista.": ("analyst", "male"),
    "La médico rió.": ("doctor", "female"),
    "El enfermera rió.": ("nurse", "unknown"),
    "El ama de llaves rió.": ("housekeeper", "female"),
    "Alguien rió.": ("someone", "neutral"),
    "Analista rió.": ("analyst", "unknown"),
    "El/la enfermero/a rió.": ("nurse", "neutral"),
    "La buena maestra rió.": ("teacher", "female"),
    "Llovía.": ("teacher", "unknown"),
}


@pytest.mark.parametrize(("language", "translation"), [("de", t) for t in GERMAN] + [("es", t) for t in SPANISH])
def test_a_gender_is_read_from_noun_and_article(language: str, translation: str) -> None:
    profession, gender = (GERMAN if language == "de" else SPANISH)[translation]
    who = person(f"The {profession} laughed.", profession)
    assert who is not None
    (reading,) = read_genders([who], [translation], language)
    assert reading.gender.value == gender


@pytest.mark.parametrize("language", ["es", "de"])
def test_every_gender_of_a_grammar_is_read(language: str) -> None:
    """The reference grammar writes each sentence for a woman and for a man: an oracle of its own."""
    names = {job.en for job in OCCUPATIONS}
    sentences = [s for s in with_evidence(1) if s.occupation and s.occupation.en in names]
    shown = [parallel.gender_shown(s.gold(language), language, s.occupation) for s in sentences if s.occupation]
    people = [person(s.source, s.occupation.en) for s in sentences if s.occupation]
    readings = read_genders([p for p in people if p], [s.gold(language) for s in sentences], language)
    pairs = [(r.gender.value[0], g) for r, g in zip(readings, shown, strict=True) if g]
    assert len(pairs) > 500
    assert all(a == b for a, b in pairs)


def test_of_two_people_the_right_one_is_read() -> None:
    first, second = person("The clerk paid the teacher.", "clerk"), person("The clerk paid the teacher.", "teacher")
    assert first is not None
    assert second is not None
    text = "La empleada pagó al maestro."
    assert [r.gender.value for r in read_genders([first, second], [text, text], "es")] == ["female", "male"]


def test_a_person_is_found_near_the_given_word() -> None:
    sentence = "The cook saw a cook and the construction worker's hat."
    near = person(sentence, "cook", 4)
    assert near is not None
    assert near.first == 4
    worker = person(sentence, "Construction worker")
    assert worker is not None
    assert worker.words[worker.first : worker.last + 1] == ("construction", "worker's")
    assert person(sentence, "nurse") is None


def test_alignment_is_learnt_from_the_file() -> None:
    rng = np.random.default_rng(0)
    words = [f"w{k}" for k in range(20)]
    sources = [list(rng.permutation(words)[:6]) for _ in range(150)]
    targets = [[w.upper().replace("W", "z") for w in s[1:] + s[:1]] for s in sources]
    scores = align(sources, targets)
    right = [int(score[i].argmax()) == (i - 1) % 6 for score in scores for i in range(6)]
    assert np.mean(right) > 0.97
    assert all(score.shape == (6, 6) and score.min() >= 0 and score.max() <= 1 for score in scores)


def test_empty_translations_are_unknown() -> None:
    who = person("The cook sang.", "cook")
    assert who is not None
    assert [r.gender.value for r in read_genders([who, who], ["", "   "], "es")] == ["unknown", "unknown"]


def test_the_published_rules_err_as_published() -> None:
    assert published_gender("nurse", "Der Pfleger kam.", "Pfleger").value == "female"
    assert published_gender("cook", "Es regnete.", None).value == "male"
    assert published_gender("cook", "Sie sah einen Koch.", "Koch").value == "male"
