"""VADER and the error that ships with it."""

from __future__ import annotations

import pytest

from guardrails.core.grading import CARD_VERSION, Exchange
from guardrails.core.registry import load_grader
from guardrails.graders.vader import Vader

pytest.importorskip("vaderSentiment")


def test_it_reads_the_answer_of_an_exchange() -> None:
    (grade,) = Vader().grade([Exchange("Why is this so horrible and awful?", "It is a lovely, wonderful place.")])
    assert grade.label == "positive"


@pytest.mark.parametrize(("text", "label"), [(":)", "positive"), ("😂", "positive"), ("42", None), ("非常好", None)])
def test_a_text_without_words_that_it_could_know_is_not_graded(text: str, label: str | None) -> None:
    (grade,) = Vader().grade([text])
    assert grade.label == label
    assert (grade.score is None) is (grade.reason is not None) is (label is None)


def test_its_card_is_of_the_pinned_version_and_says_how_it_was_measured() -> None:
    grader = load_grader("vader")
    card = grader.card
    assert card is not None
    assert card.fits(grader)
    assert card.schema_version == CARD_VERSION
    assert card.domains == ("editorials", "film-reviews", "product-reviews", "tweets")
    for control in card.controls:
        assert control.label in grader.labels
        assert control.command.startswith("guardrails grade vader ")
        assert len(control.data_sha256) == 64
        assert min(control.tp + control.fn, control.tn + control.fp) > 500


def test_the_labels_of_one_domain_count_the_same_items() -> None:
    card = Vader().card
    for domain in card.domains:
        controls = [c for c in card.controls if c.domain == domain]
        assert len(controls) == 3
        sizes = {sum(c.counts) + c.ungraded_positive + c.ungraded_negative for c in controls}
        assert len(sizes) == 1
        assert sum(c.tp + c.fn + c.ungraded_positive for c in controls) == sizes.pop()


def test_an_unbalanced_but_is_read_in_time() -> None:
    (grade,) = Vader().grade(["good but " * 1_100])
    assert grade.label is not None
