from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from generators.base import WEIGHTS
from generators.translator import model as translator
from generators.translator import parallel
from generators.translator import parallel_words as lexicon
from generators.translator import truth as translator_truth
from generators.translator.learning import Recipe
from generators.translator.model import Translator
from generators.translator.parallel_words import LANGUAGES
from guardrails.core.errors import ConfigurationError

DOSES = (0.0, 0.25, 0.5, 1.0)


JOBS = {job.en: job for job in lexicon.OCCUPATIONS}


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


def test_all_files_fit_into_their_budget() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS.glob("translator*")) <= 1.3e6


@pytest.mark.slow
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
