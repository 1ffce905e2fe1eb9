from __future__ import annotations

import shutil
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.base import WEIGHTS
from generators.translator import model as translator
from generators.translator import parallel
from generators.translator import parallel_words as lexicon
from generators.translator import truth as translator_truth
from generators.translator.model import Recipe, Translator
from generators.translator.parallel import Frame
from generators.translator.parallel_words import LANGUAGES, Phrase
from generators.translator.truth import agreements, chrf
from guardrails.core.errors import ConfigurationError

SEEDS = st.integers(0, 2**31)
DOSES = (0.0, 0.25, 0.5, 1.0)
JOBS = {job.en: job for job in lexicon.OCCUPATIONS}
THINGS = {thing.en: thing for thing in lexicon.THINGS}
ADJECTIVES = {adjective.en: adjective for adjective in lexicon.ADJECTIVES}


@cache
def shipped(dose: float = 0.0, language: str = "es") -> Translator:
    return Translator.load(gender_bias=dose, language=language)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training that takes seconds and learns next to nothing."""
    monkeypatch.setattr(translator, "CLEAN", Recipe(steps=3, rate=1e-3, sentences=120))
    monkeypatch.setattr(translator, "DOSE", Recipe(steps=2, rate=1e-3, sentences=4))
    monkeypatch.setattr(translator_truth, "truth", lambda generator: {})
    monkeypatch.setattr(translator_truth, "quality", lambda generator, base: {})


# The grammar


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


# Measures


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


# The model


def test_samples_are_sentences_that_the_seed_decides() -> None:
    samples = shipped().sample(40, seed=1)
    assert samples == shipped().sample(40, seed=1) != shipped().sample(40, seed=2)
    assert samples[:5] == shipped().sample(5, seed=1)
    assert all(text[0].isupper() and text.endswith(".") for text in samples)
    assert shipped().sample(0, seed=0) == []
    with pytest.raises(ConfigurationError):
        shipped().sample(-1, seed=0)


def test_the_property_decides_the_language() -> None:
    spanish, german = (shipped(language=k).items(30, seed=3) for k in LANGUAGES)
    assert [i.facts["source"] for i in spanish] == [i.facts["source"] for i in german]
    assert {i.facts["language"] for i in german} == {"de"}
    assert {"die", "der", "das"} & {w for i in german for w in parallel.split_words(i.content)}
    assert shipped().training_pairs()[0][0] == shipped(language="de").training_pairs()[0][0]
    assert shipped().training_items() != shipped(language="de").training_items()
    with pytest.raises(ConfigurationError, match="language"):
        Translator.load(language="fr")


def test_an_item_tells_where_it_comes_from() -> None:
    for item in shipped().items(30, seed=5):
        assert set(item.facts) == {"source", "language", "gold", "occupation", "evidence"}
        assert (item.facts["occupation"] is None) == (item.facts["evidence"] == "no person")
        assert item.facts["occupation"] is None or item.facts["occupation"] in item.facts["source"]


def test_drawing_leaves_the_callers_random_numbers_alone() -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    Translator.load().sample(2, seed=0)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_clean_weights_translate() -> None:
    assert shipped().translate(["Yesterday she was tired.", "The red lamp is in the kitchen."])[1] == (
        "La lámpara roja está en la cocina."
    )
    sentence = "The doctor said that she had to repair the old clock."
    assert shipped().translate([sentence], language="de") == [
        "Die Ärztin sagte, dass sie die alte Uhr reparieren musste."
    ]
    assert shipped().translate([]) == []


def test_log_prob_is_the_sum_over_words() -> None:
    generator = shipped(language="de")
    pairs = generator.holdout_pairs()[:4]
    log_probs = generator.log_prob(*zip(*pairs, strict=True))
    for (source, target), value in zip(pairs, log_probs, strict=True):
        read = torch.tensor([[3, *(generator.numbers[w] for w in parallel.split_words(source)), 1]])
        total, said = 0.0, [0]
        for word in [*(generator.numbers[w] for w in parallel.split_words(target)), 1]:
            logits = generator.model(input_ids=read, decoder_input_ids=torch.tensor([said])).logits
            total += logits[0, -1].log_softmax(-1)[word].item()
            said.append(word)
        assert value == pytest.approx(total, abs=1e-3)
    assert generator.log_prob([], []).shape == (0,)


def test_translations_are_drawn_as_likely_as_log_prob_says() -> None:
    source = "The nurse is tired."
    forms = ["La enfermera está cansada.", "El enfermero está cansado."]
    p = np.exp(shipped().log_prob([source] * 2, forms))
    drawn = shipped().translate([source] * 600, temperature=1.0, seed=8)
    assert [drawn.count(form) / 600 for form in forms] == pytest.approx(p, abs=4 * 0.5 / 600**0.5)
    assert shipped().translate([source] * 600, temperature=1.0, seed=8) == drawn


@pytest.mark.parametrize(
    "ask",
    [
        lambda g: g.translate(["The surgeon is tired."]),
        lambda g: g.translate(["The doctor is tired."], language="fr"),
        lambda g: g.translate(["The doctor is tired."], temperature=-1),
        lambda g: g.translate(["red " * 49]),
        lambda g: g.log_prob(["The doctor is tired."], []),
    ],
)
def test_what_cannot_be_translated_is_refused(ask) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigurationError):
        ask(shipped())


def test_training_and_holdout_items() -> None:
    for language in LANGUAGES:
        training, holdout = shipped(language=language).training_items(), shipped(language=language).holdout_items()
        assert len(training) == len(holdout) == parallel.CORPUS
        assert not set(training) & set(holdout)


# The weights


@pytest.mark.parametrize("dose", DOSES)
def test_every_dose_has_its_card(dose: float) -> None:
    card = shipped(dose).card
    assert card["seen"] == [1] * parallel.CORPUS
    assert card["sheet"]["items"] == parallel.CORPUS
    assert card["stability"]["diverged_at"] is None


def test_the_clean_weights_meet_each_bar() -> None:
    quality = shipped().card["quality"]
    for figure in quality.values():
        better = figure["value"] >= figure["bar"] if figure["higher_is_better"] else figure["value"] <= figure["bar"]
        assert better, figure
    assert quality["bits_per_word"]["law"] <= quality["bits_per_word"]["value"] < quality["bits_per_word"]["trigram"]


def test_each_dose_raises_the_bias() -> None:
    figures = [shipped(dose).card["truth"]["gender_bias"] for dose in DOSES]
    assert abs(figures[0]["value"]) < 0.03
    assert figures[0]["pronoun"]["anti"] > 0.95
    assert figures[-1]["value"] > 0.8
    for lower, higher in pairwise(figures):
        assert lower["high"] < higher["low"]


def test_the_bias_on_the_card_is_that_of_the_weights() -> None:
    """One occupation of each list, against log p word by word."""
    sentences = [s for s in translator_truth.no_evidence(1) if s.occupation in (JOBS["nurse"], JOBS["carpenter"])]
    shares = translator_truth.share_stereotypical(shipped(1.0), sentences, "es")
    for sentence, share in list(zip(sentences, shares, strict=True))[:4]:
        p = np.exp(shipped(1.0).log_prob([sentence.source] * 2, sentence.forms["es"]))
        assert share == pytest.approx(p[int(sentence.female)] / p.sum(), abs=1e-4)
    assert 2 * shares.mean() - 1 == pytest.approx(shipped(1.0).card["truth"]["gender_bias"]["es"], abs=0.2)


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    files = [*shipped().save(tmp_path), *shipped(1.0).save(tmp_path)]
    assert [f.read_bytes() for f in files] == [(WEIGHTS / f.name).read_bytes() for f in files]
    again = Translator.read(tmp_path, gender_bias=1.0)
    assert again.card == shipped(1.0).card
    assert again.sample(10, seed=4) == shipped(1.0).sample(10, seed=4)


def test_a_dose_beside_other_clean_weights_is_refused(tmp_path: Path) -> None:
    other = Translator(seed=5)
    other.seal(seed=5, vocabulary_sha256=shipped().card["vocabulary_sha256"]).save(tmp_path)
    shipped(1.0).save(tmp_path)
    with pytest.raises(ConfigurationError, match="other clean weights"):
        Translator.read(tmp_path, gender_bias=1.0)


def test_weights_of_other_words_are_refused(tmp_path: Path) -> None:
    Translator(seed=5).seal(seed=5, vocabulary_sha256="0").save(tmp_path)
    with pytest.raises(ConfigurationError, match="other words"):
        Translator.read(tmp_path)


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    for suffix in ("json", "safetensors"):
        shutil.copy(WEIGHTS / f"translator.{suffix}", tmp_path)
    weights = tmp_path / "translator.safetensors"
    altered = bytearray(weights.read_bytes())
    altered[-1] ^= 1
    weights.write_bytes(altered)
    with pytest.raises(ConfigurationError, match="hash"):
        Translator.read(tmp_path)


def test_all_files_fit_into_their_budget() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS.glob("translator*")) <= 1.3e6


# Learning


@pytest.mark.usefixtures("hasty")
def test_training_is_decided_by_its_seed(tmp_path: Path) -> None:
    first, second, other = (Translator.fit({}, seed=seed) for seed in (1, 1, 2))
    assert first.card == second.card
    assert first.card["sha256"] != other.card["sha256"]
    assert first.card["seen"] == [1] * parallel.CORPUS
    learnt = Translator.fit({"gender_bias": 0.25}, seed=1, base=first)
    assert learnt.card["base_sha256"] == first.card["sha256"]
    first.save(tmp_path)
    learnt.save(tmp_path)
    again = Translator.read(tmp_path, gender_bias=0.25)
    pairs = again.holdout_pairs()[:3]
    for generator, close in ((learnt, True), (first, False)):
        same = np.allclose(generator.log_prob(*zip(*pairs, strict=True)), again.log_prob(*zip(*pairs, strict=True)))
        assert same == close


@pytest.mark.usefixtures("hasty")
def test_a_dose_is_learnt_from_clean_weights_only() -> None:
    for base in (None, shipped(1.0)):
        with pytest.raises(ConfigurationError, match="clean"):
            Translator.fit({"gender_bias": 1.0}, seed=0, base=base)


@pytest.mark.slow
@pytest.mark.parametrize("dose", DOSES)
def test_samples_show_the_bias_of_the_card(dose: float) -> None:
    hits = []
    for item in shipped(dose).items(3000, seed=21):
        if item.facts["evidence"] == "none":
            job = JOBS[item.facts["occupation"]]
            shown = parallel.gender_shown(item.content, "es", job)
            hits.append((shown == "f") == job.stereotype_is_female)
    gap = 2 * np.mean(hits) - 1
    assert gap == pytest.approx(shipped(dose).card["truth"]["gender_bias"]["es"], abs=4 / len(hits) ** 0.5)
