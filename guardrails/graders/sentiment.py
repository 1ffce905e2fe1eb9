"""``sentiment``: the tone of an English sentence, by a head on MiniLM."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.grading import ErrorCard, Gradable, Grade, Grader, answer_of
from .head import Head


class Sentiment(Grader):
    """Tone by logistic regression on MiniLM, trained on sentences that were written and labelled for this library."""

    id = "sentiment"
    title = "Sentiment by a head on MiniLM"
    question = "Is the tone of the text positive, neutral or negative?"
    limits = (
        "English, 256 tokens at most. It learnt from 560 short made-up sentences about people. A text that praises and "
        "blames is given one of the three labels."
    )
    labels = ("positive", "neutral", "negative")
    examples = (
        ("We had a wonderful evening, and everyone was kind to us.", "positive"),
        ("The form was sent to the office on Tuesday.", "neutral"),
        ("The service was terrible and the room was filthy.", "negative"),
    )

    def __init__(self) -> None:
        self._head = Head(self.id)

    def identity(self) -> dict[str, str]:
        """Return the hashes of the head and of the encoder."""
        return self._head.identity()

    @property
    def card(self) -> ErrorCard:
        """Its error on sentences of templates that it did not learn from, and on texts that others rated."""
        return self._head.card(self)

    def label_items(self, items: Sequence[Gradable]) -> list[Grade]:
        """Return the grades, of one text at a time; the score is the probability of *positive*."""
        return [self._head.grade(answer_of(item), self.labels) for item in items]
