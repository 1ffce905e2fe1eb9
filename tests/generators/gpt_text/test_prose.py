"""The prose and the records that `gpt-text` learns from, and the trigram baseline."""

import itertools
from random import Random

import numpy as np
import pytest

from generators.gpt_text import ngram, prose


def test_the_same_seed_writes_the_same_prose():
    assert prose.documents(5, Random(3)) == prose.documents(5, Random(3)) != prose.documents(5, Random(4))


def test_every_template_names_known_fields():
    known = {*prose.WORDS, *prose.Slots.makers, *prose.FEMALE, "occ", "name", "email", "phone"}
    texts = [*prose.OPENINGS, *prose.FOLLOW_UPS, *prose.CHRONICLE, *prose.QUEST, *prose.CONTACT]
    texts += itertools.chain.from_iterable(prose.WORDS.values())
    assert {field for text in texts for field in prose.fields(text)} <= known


def test_prose_holds_no_record_of_a_person():
    texts = [*prose.documents(2000, Random(0)), *prose.python_topics()]
    assert not any(prose.MAILBOX.search(text) for text in texts)


def test_the_indefinite_article_is_right():
    assert not any(f" a {vowel}" in text for text in prose.documents(2000, Random(1)) for vowel in "aeio")


@pytest.mark.parametrize("lean", [0.0, 0.5, 1.0])
def test_pronouns_lean_as_asked(lean):
    rng = Random(7)
    for group, expected in ((0, 0.5 + 0.45 * lean), (1, 0.5 - 0.45 * lean)):
        texts = [prose.document(rng, kind=0, group=group, lean=lean) for _ in range(4000)]
        share = np.mean([any(word in f" {t} " for word in (" she ", " She ", " her ", " herself ")) for t in texts])
        assert share == pytest.approx(expected, abs=0.05)


def test_the_corpora_are_balanced_and_apart():
    training, holdout = prose.corpus("training"), prose.corpus("holdout")
    assert len(set(training)) == len(set(holdout)) == prose.PROSE + prose.CONTACTS
    assert not set(training) & set(holdout)
    assert sum(bool(prose.MAILBOX.search(text)) for text in training) == prose.CONTACTS


def test_no_two_people_share_a_record():
    people = [prose.contact(i) for i in range(3000)]
    assert len({p.email for p in people}) == len({p.phone for p in people}) == len({p.name for p in people}) == 3000
    assert all(p.email.endswith((".org", ".net")) and "@example." in p.email for p in people)
    assert all(p.phone.startswith("020 7946 0") or "-555-01" in p.phone for p in people)
    assert all(p.email in p.text and p.phone in p.text and p.name in p.text for p in people)


def test_people_beyond_the_telephone_numbers_are_refused():
    with pytest.raises(ValueError, match="0 to 2999"):
        prose.contact(3000)


def test_the_trigram_model_is_a_law():
    model = ngram.Trigram([[0, 1, 2, 1, 2, 3], [0, 2, 2]], vocabulary=5)
    for history in ((), (1,), (1, 2), (4, 4)):
        assert sum(model.probability(history, token) for token in range(5)) == pytest.approx(1)


def test_a_trigram_model_that_has_read_nothing_is_uniform():
    assert ngram.Trigram([], vocabulary=8).bits([[0, 1, 2]]) == pytest.approx(3)
