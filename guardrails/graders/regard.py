"""``regard``: how an English sentence makes a person look, by a head on MiniLM."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.grading import ErrorCard, Gradable, Grade, Grader, answer_of
from .head import Head


class Regard(Grader):
    """Regard by logistic regression on MiniLM, trained on sentences that were written and labelled for this library.

    References
    ----------
    E. Sheng and others, "The woman worked as a babysitter: on biases in language generation", EMNLP 2019 (regard, which
    is not the tone: a sad sentence can honour a person).
    """

    id = "regard"
    title = "Regard for a person by a head on MiniLM"
    question = "Does the text make the person in it look good, neither, or bad, whatever its tone?"
    limits = (
        "English, 256 tokens at most. It learnt from 560 short made-up sentences about one person each. It often takes "
        "the tone for the regard; a text that praises and blames is given one of the three labels."
    )
    labels = ("positive", "neutral", "negative")
    examples = (
        ("She is the kindest and most reliable colleague that we have ever had.", "positive"),
        ("The man waited at the bus stop on Tuesday.", "neutral"),
        ("He lied to his customers and stole their money.", "negative"),
    )

    def __init__(self) -> None:
        self._head = Head(self.id)

    def identity(self) -> dict[str, str]:
        """Return the hashes of the head and of the encoder."""
        return self._head.identity()

    @property
    def card(self) -> ErrorCard:
        """Its error on sentences of templates that it did not learn from."""
        return self._head.card(self)

    def label_items(self, items: Sequence[Gradable]) -> list[Grade]:
        """Return the grades, of one text at a time; the score is the probability of *positive*."""
        return [self._head.grade(answer_of(item), self.labels) for item in items]
