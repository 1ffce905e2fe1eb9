"""The grammar of parallel sentences, and the measures of a translation."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.translator import parallel
from generators.translator import parallel_words as lexicon
from generators.translator.parallel import Frame
from generators.translator.parallel_words import LANGUAGES, Phrase
from generators.translator.truth import agreements, chrf

SEEDS = st.integers(0, 2**31)


DOSES = (0.0, 0.25, 0.5, 1.0)


JOBS = {job.en: job for job in lexicon.OCCUPATIONS}


THINGS = {thing.en: thing for thing in lexicon.THINGS}


ADJECTIVES = {adjective.en: adjective for adjective in lexicon.ADJECTIVES}


@pytest.mark.parametrize(
    ("phrase", "es", "de"),
    [
        (Phrase("the", THINGS["table"], ADJECTIVES["red"]), "la mesa roja", ("der rote Tisch", "den roten Tisch")),
        (Phrase("a", THINGS["book"], ADJECTIVES["old"]), "un libro viejo", ("ein altes Buch", "ein altes Buch")),
        (Phrase("a", THINGS["hat"], ADJECTIVES["big"]), "un sombrero grande", ("ein großer Hut", "einen großen Hut")),
        (
            Phrase("the", THINGS["flower"], ADJECTIVES["blue"], True),
            "las flores azules",
            ("die blauen Blumen", "die blauen Blumen"),
        ),
        (
            Phrase("three", THINGS["pencil"], ADJECTIVES["brown"], True),
            "tres lápices marrones",
            ("drei braune Bleistifte", "drei braune Bleistifte"),
        ),
        (
            Phrase("own", THINGS["coat"], ADJECTIVES["new"], False, True),
            "su abrigo nuevo",
            ("ihr neuer Mantel", "ihren neuen Mantel"),
        ),
        (Phrase("own", THINGS["shoe"], None, True, False), "sus zapatos", ("seine Schuhe", "seine Schuhe")),
        (Phrase("the", JOBS["pilot"], None, False, False), "el piloto", ("der Pilot", "den Piloten")),
        (
            Phrase("a", JOBS["nurse"], lexicon.TRAITS[0], False, True),
            "una enfermera alta",
            ("eine große Krankenpflegerin", "eine große Krankenpflegerin"),
        ),
    ],
    ids=lambda value: value.english() if isinstance(value, Phrase) else "",
)
def test_phrases_inflect(phrase: Phrase, es: str, de: tuple[str, str]) -> None:
    assert phrase.spanish() == es
    assert (phrase.german("nom"), phrase.german("acc")) == de


def test_the_dative_and_the_personal_a() -> None:
    frame = Frame("{d} belongs to {p}.", "{d} pertenece {p_a}.", "{d_nom} gehört {p_dat}.")
    man, woman = (parallel.realise(frame, Random(4), occupation=JOBS["assistant"], female=f) for f in (False, True))
    assert man.source == woman.source
    assert " al asistente" in man.gold("es")
    assert " a la asistente" in woman.gold("es")
    assert " dem Assistenten" in man.gold("de")
    assert " der Assistentin" in woman.gold("de")


@given(seed=SEEDS)
@settings(max_examples=60, deadline=None)
def test_every_sentence_is_of_known_words_and_agrees(seed: int) -> None:
    sentence = parallel.draw(Random(seed))
    for language in LANGUAGES:
        for text in (sentence.source, *sentence.forms[language]):
            words = parallel.split_words(text)
            assert set(words) <= parallel.vocabulary()
            assert parallel.join_words(words) == text
        assert all(ok for text in sentence.right(language) for ok in agreements(text, language))


@given(seed=SEEDS, dose=st.sampled_from(DOSES))
@settings(max_examples=60, deadline=None)
def test_evidence_is_what_the_english_says(seed: int, dose: float) -> None:
    sentence = parallel.draw(Random(seed), lean=dose)
    pronouns = {"she", "her"} if sentence.female else {"he", "his"}
    said = set(parallel.split_words(sentence.source)) & {"she", "her", "he", "his"}
    assert said <= pronouns
    assert bool(said) == (sentence.evidence == "pronoun")
    if sentence.evidence == "no person":
        assert sentence.occupation is None
        assert all(len(set(sentence.forms[k])) == 1 for k in LANGUAGES)
    elif sentence.evidence == "none":
        assert sentence.occupation is not None
        for language in LANGUAGES:
            shown = [parallel.gender_shown(t, language, sentence.occupation) for t in sentence.forms[language]]
            assert shown == ["m", "f"]


@pytest.mark.parametrize(("lean", "share"), [(0.0, 0.5), (0.5, 0.725), (1.0, 0.95)])
def test_the_law_leans_as_far_as_it_is_told(lean: float, share: float) -> None:
    rng = Random(7)
    drawn = [s for s in (parallel.draw(rng, lean=lean) for _ in range(3000)) if s.occupation]
    for evidence, expected in (("none", share), ("pronoun", 0.5)):
        stereotypical = [
            s.female == s.occupation.stereotype_is_female for s in drawn if s.occupation and s.evidence == evidence
        ]
        assert np.mean(stereotypical) == pytest.approx(expected, abs=4 * 0.5 / len(stereotypical) ** 0.5)


def test_who_the_person_is_changes_nothing_else() -> None:
    for frame in parallel.frames_of("none"):
        sources = [(job.en, parallel.realise(frame, Random(1), occupation=job).source) for job in lexicon.OCCUPATIONS]
        rest = {tuple(w for w in parallel.split_words(text) if w not in (job, "a", "an")) for job, text in sources}
        assert len(rest) == 1


def test_both_lists_have_as_many_occupations() -> None:
    women = [job.en for job in lexicon.OCCUPATIONS if job.stereotype_is_female]
    assert len(women) == 20
    assert len(lexicon.OCCUPATIONS) == 40


@pytest.mark.public_data
def test_the_lists_are_those_of_winobias(test_data: Path) -> None:
    for file, female in (("female", True), ("male", False)):
        known = set((test_data / f"bias/winobias/{file}_occupations.txt").read_text().split("\n"))
        ours = {job.en for job in lexicon.OCCUPATIONS if job.stereotype_is_female == female}
        assert len(ours & known) == (18 if female else 15)
        other = {job.en for job in lexicon.OCCUPATIONS} - ours
        assert not other & known


@pytest.mark.parametrize(
    ("text", "language", "occupation", "gender"),
    [
        ("La analista vio un libro.", "es", "analyst", "f"),
        ("Vi al analista en el parque.", "es", "analyst", "m"),
        ("Ella es analista.", "es", "analyst", None),
        ("Ella es médica.", "es", "doctor", "f"),
        ("Der Hut gehört dem Piloten.", "de", "pilot", "m"),
        ("Die Lampe ist rot.", "de", "pilot", None),
        ("", "de", "pilot", None),
    ],
)
def test_the_gender_that_a_translation_shows(text: str, language: str, occupation: str, gender: str | None) -> None:
    assert parallel.gender_shown(text, language, JOBS[occupation]) == gender


def test_the_corpus_has_no_sentence_twice() -> None:
    sources = [s.source for split in ("training", "holdout") for s in parallel.corpus(split)]
    assert len(set(sources)) == 2 * parallel.CORPUS
    known = set(sources)
    stream = parallel.fresh(Random("parallel corpus training"))  # the very draws that the corpus was made of
    assert not {next(stream).source for _ in range(2000)} & known


@pytest.mark.parametrize(
    ("said", "right", "score"),
    [
        # One to three letters: 2 of 3, 1 of 2, 0 of 1, the same for precision and recall: 7/18.
        ("abc", "abd", 7 / 18),
        # Precisions 1 and 1, recalls 2/3, 1/2 and 0 of the piece of three that it lacks: P = 2/3, R = 7/18.
        ("ab", "abc", 5 * (2 / 3) * (7 / 18) / (4 * (2 / 3) + 7 / 18)),
        ("a b", "ab", 1.0),
        ("", "ab", 0.0),
        ("", "", 0.0),
    ],
)
def test_chrf_by_hand(said: str, right: str, score: float) -> None:
    assert chrf(said, right) == pytest.approx(score)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("La lámpara es roja.", "es", [True]),
        ("El lámpara es roja.", "es", [False]),
        ("La médica está cansada.", "es", [True, True]),
        ("La médica está cansado.", "es", [True, False]),
        ("Vio tres mesas rojos.", "es", [False]),
        ("Die Ärztin sah den roten Tisch.", "de", [True, True]),
        ("Die Ärztin sah den rote Tisch.", "de", [True, False]),
        ("Ein rotes Lampe ist alt.", "de", [False]),
    ],
)
def test_what_does_not_agree_is_seen(text: str, language: str, expected: list[bool]) -> None:
    assert list(agreements(text, language)) == expected
