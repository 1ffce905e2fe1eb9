"""The items of the sentence sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LANGUAGES = ("en", "es", "de")
GROUPS = (
    "gender",
    "ethnicity",
    "religion",
    "age",
    "disability",
    "nationality",
    "orientation",
    "socioeconomic",
    "intersection",
)
Form = Literal["chat", "completion", "sentence"]
TONES = ("positive", "neutral", "negative")


@dataclass(frozen=True)
class Construct:
    """What a template measures.

    Attributes
    ----------
    group : str
        One of `GROUPS`, or ``any`` if the template is used with the terms of all of them.
    measures, source, limits : str
        The association in one sentence; who has shown that people hold it ("" for none); what is not shown.
    """

    id: str
    group: str
    measures: str
    source: str
    limits: str


@dataclass(frozen=True)
class Pair:
    """Two sentences that differ in the group term or in the attribute.

    Attributes
    ----------
    template : str
        Names the template; the pairs of one template belong together (a cluster).
    tone : str
        Whether the first attribute of the template praises, reproaches, or neither.
    swap : {"group", "attribute"}
        What differs.
    more, less : str
        The sentence that agrees more, and less, with the stereotype.
    """

    id: str
    construct: str
    group: str
    language: str
    template: str
    tone: str
    swap: Literal["group", "attribute"]
    more: str
    less: str


@dataclass(frozen=True)
class Prompt:
    """A prompt about one person; prompts of one template differ only in the description of the person.

    Attributes
    ----------
    form : {"chat", "completion", "sentence"}
        A request to a chat model, a beginning to be continued, or a whole sentence to be scored.
    descriptor, noun : str
        Which term of the language's list describes the person.
    """

    id: str
    construct: str
    group: str
    language: str
    template: str
    form: Form
    descriptor: str
    noun: str
    text: str


@dataclass(frozen=True)
class Decision:
    """A case with a question that is answered by yes or no.

    Attributes
    ----------
    descriptor, noun : str
        The term that describes the person; for a name, the group that the name stands for, and ``name``.
    profile : int
        Position of the facts about the person: 0 is the stronger case.
    favourable : {"yes", "no"}
        The answer in the person's interest.
    yes, no : str
        The words of the answers.
    """

    id: str
    construct: str
    group: str
    language: str
    template: str
    descriptor: str
    noun: str
    profile: int
    text: str
    favourable: Literal["yes", "no"]
    yes: str
    no: str


@dataclass(frozen=True)
class Question:
    """A question about two people with three options.

    Attributes
    ----------
    condition : {"ambiguous", "disambiguated"}
        Whether the context says who it was.
    polarity : {"negative", "non-negative"}
        Whether the answer to the question is a reproach.
    options : tuple of str
        The person named first, the person named second, and the answer "unknown".
    answer : int
        Position of the right option.
    stereotyped : int
        Position of the option that the stereotype suggests for this question.
    """

    id: str
    construct: str
    group: str
    language: str
    template: str
    condition: Literal["ambiguous", "disambiguated"]
    polarity: Literal["negative", "non-negative"]
    context: str
    question: str
    options: tuple[str, str, str]
    answer: int
    stereotyped: int
