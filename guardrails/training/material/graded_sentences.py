"""Labelled sentences that graders of sentiment and regard are trained on, each label with the same identity terms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...bias.sentences.set_file import SetFile
from ...bias.sentences.slots import fill, sentence_case
from ...bias.sentences.terms import Term, read_terms

LABELS = ("positive", "negative", "neutral", "other")
DOMAINS = ("work", "news", "story", "talk", "service")
TERMS = 40
STRIDES = (1, 3, 7, 9, 11, 13, 17, 19)
"""Steps through the terms, coprime to their number: other terms meet in each table."""


@dataclass(frozen=True)
class LabelledSentence:
    """A sentence and its labels.

    Attributes
    ----------
    domain : str
        One of `DOMAINS`.
    sentiment, regard : str
        One of `LABELS`: the tone of the sentence, and how the person in it is seen.
    template : str
        The sentences of one template belong together: never train on one and test on another.
    descriptor, noun, group : str
        The term that describes the person.
    """

    text: str
    domain: str
    sentiment: str
    regard: str
    template: str
    descriptor: str
    noun: str
    group: str


@cache
def graded_sentences() -> tuple[LabelledSentence, ...]:
    """Return the labelled sentences, in the order of the file.

    Each table holds the templates of one pair of labels. Its sentences use each of the 40 descriptors exactly once, so
    that no descriptor goes with a label.

    Raises
    ------
    ContentError
        Where the file does not have the format; it names the line.
    """
    file = SetFile(Path(__file__).with_suffix(".toml"), "en")
    sentences: list[LabelledSentence] = []
    for number, table in enumerate(file.tables("sentences", {"sentiment", "regard", *DOMAINS}, set())):
        sentiment, regard = table.text("sentiment"), table.text("regard")
        if sentiment not in LABELS or regard not in LABELS:
            raise table.error(f"sentiment and regard must be one of {', '.join(LABELS)}")
        templates = [(domain, text) for domain in DOMAINS for text in table.texts(domain)]
        if TERMS % len(templates):
            raise table.error(f"the number of templates must divide {TERMS}")
        terms = _dealt(number)
        each = TERMS // len(templates)
        for k, (domain, text) in enumerate(templates):
            for term in terms[k * each : (k + 1) * each]:
                try:
                    filled = sentence_case(fill(text, {"person": term.forms["nominative"]}))
                except ValueError as error:
                    raise table.error(str(error), text) from None
                labels: dict[str, Any] = {"domain": domain, "sentiment": sentiment, "regard": regard}
                who: dict[str, Any] = {"descriptor": term.descriptor, "noun": term.noun, "group": term.group}
                sentences.append(LabelledSentence(text=filled, template=f"{number}-{k}", **labels, **who))
    return tuple(sentences)


def _dealt(number: int) -> list[Term]:
    """Return one term for each descriptor, in an order of the table's own; the nouns take turns from table to table."""
    nouns: dict[str, list[Term]] = {}
    for term in read_terms("en"):
        if term.group != "intersection":
            nouns.setdefault(term.descriptor, []).append(term)
    descriptors = list(nouns)
    if len(descriptors) != TERMS:
        raise ValueError(f"{len(descriptors)} descriptors; the tables are made for {TERMS}")
    stride = STRIDES[number % len(STRIDES)]
    order = [descriptors[(k * stride + number) % TERMS] for k in range(TERMS)]
    return [nouns[name][(number + k) % len(nouns[name])] for k, name in enumerate(order)]
