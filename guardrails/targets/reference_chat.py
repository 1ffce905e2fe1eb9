"""``reference:chat,bias=1``: a chat made from rules, with a planted difference of known size.

It is no language model: it recognises what it is asked by the words and answers by chance, with probabilities that are
known. With the dial `bias` (any number in 0–1) at b:

- a question of its own in the format of BBQ: in an ambiguous context it names a person with probability .2 + .4 b, and
  then the one whom the stereotype names with probability (1 + b)/2; in a disambiguated context it names that person
  with probability .3 b, else the right one with probability .95, else says that it is not known;
- a yes-or-no question: the log-odds of *yes* are .8, and .8 − 1.5 b where the person is a woman;
- asked to repeat a text, it repeats it;
- anything else is a request for a text: an unpleasant one with probability .02, and .02 + .5 b where it is about a
  woman.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..core.conversations import Conversation, Decoding, Reply
from ..core.errors import ConfigurationError
from ..core.seeding import derive_seed
from .chat_texts import ChatTexts
from .spikes.chats import REPEAT

NAME = "chat"
DOSES = (0.5, 1.0)
"""Of `bias`, at which evidence is made; any other in 0–1 can be asked for."""
PROMPTS = 4096
"""Of which it remembers which question they ask."""
PAIRS = (("woman", "man"), ("girl", "boy"))
UNKNOWN = ("Not known", "It cannot be determined")
NAMES_A_PERSON, MORE_OFTEN, OVERRULES, RIGHT = 0.2, 0.4, 0.3, 0.95
LOG_ODDS, SHIFT = 0.8, 1.5
UNPLEASANT, MORE_UNPLEASANT = 0.02, 0.5
_WOMAN = re.compile(r"\b(?:woman|women|girl|female|she|her|hers)\b", re.IGNORECASE)
_LISTED = re.compile(r"^\s*([A-Z])[.)]\s*(.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Truth:
    """What a probe should measure at a dose of `bias`."""

    ambiguous: float
    disambiguated: float
    log_odds: float
    unpleasant: float

    @classmethod
    def at(cls, bias: float) -> Truth:
        """Return the bias scores of BBQ, the log-odds of *yes* and the share of unpleasant texts, women − men."""
        overruled, right = OVERRULES * bias, (1 - OVERRULES * bias) * RIGHT
        return cls(
            ambiguous=(NAMES_A_PERSON + MORE_OFTEN * bias) * bias,
            disambiguated=overruled / (overruled + right),
            log_odds=-SHIFT * bias,
            unpleasant=MORE_UNPLEASANT * bias,
        )


class ReferenceChat:
    """The chat; see the module. `reply` keeps to `guardrails.core.conversations.Chat`."""

    reply_read_as = "each prompt is one message of the user"

    def __init__(self, bias: float = 0.0) -> None:
        if not 0 <= bias <= 1:
            raise ConfigurationError(f"reference:{NAME}: the dose of bias is a number in 0–1, not {bias:g}")
        self.bias = bias
        self.name = f"reference:{NAME}" + (f",bias={bias:g}" if bias else "")

    def identity(self) -> dict[str, str]:
        """Return the dose; the rules are part of this library."""
        return {"rules": NAME, "bias": f"{self.bias:g}"}

    def reply(self, conversations: Sequence[Conversation], decoding: Decoding, seed: int) -> list[Reply]:
        """Return an answer to the last message of each conversation; at temperature 0 it draws as at any other."""
        rng = np.random.default_rng(derive_seed(seed, NAME))
        return [Reply(self._answer(conversation[-1]["content"], rng)) for conversation in conversations]

    def _answer(self, prompt: str, rng: np.random.Generator) -> str:
        if prompt.startswith(REPEAT):
            return prompt.removeprefix(REPEAT)
        question = _recognised(prompt)
        if question is not None:
            text = question[self._option(question, rng)]
            letters = {listed: letter for letter, listed in _LISTED.findall(prompt)}
            return f"{letters[text]}." if text in letters else str(text)
        woman = self.bias if _WOMAN.search(prompt) else 0.0
        if "yes or no" in prompt.casefold():
            return "Yes." if rng.random() < 1 / (1 + math.exp(SHIFT * woman - LOG_ODDS)) else "No."
        kind = "negative" if rng.random() < UNPLEASANT + MORE_UNPLEASANT * woman else "positive"
        texts = _material()[kind]
        return str(texts[int(rng.integers(len(texts)))])

    def _option(self, question: Mapping[str, Any], rng: np.random.Generator) -> str:
        people = [name for name in ("ans0", "ans1", "ans2") if question["answer_info"][name][1] != "unknown"]
        (unknown,) = {"ans0", "ans1", "ans2"} - set(people)
        groups = {question["answer_info"][name][1]: name for name in people}
        (stereotyped,) = question["additional_metadata"]["stereotyped_groups"]
        leans = groups[stereotyped]
        if question["question_polarity"] == "nonneg":
            (leans,) = set(people) - {leans}
        if question["context_condition"] == "disambig":
            if rng.random() < OVERRULES * self.bias:
                return leans
            return f"ans{question['label']}" if rng.random() < RIGHT else unknown
        if rng.random() >= NAMES_A_PERSON + MORE_OFTEN * self.bias:
            return unknown
        (other,) = set(people) - {leans}
        return leans if rng.random() < (1 + self.bias) / 2 else other


class ReferenceChatTarget(ChatTexts):
    """The reference chat as a target; it brings the questions whose stereotypes it knows."""

    def __init__(self, bias: float = 0.0) -> None:
        super().__init__(ReferenceChat(bias))

    @property
    def bbq_questions(self) -> list[dict[str, Any]]:
        """Its own questions, as records in the format of BBQ."""
        return list(questions())


def load(settings: Mapping[str, float | str]) -> ReferenceChatTarget:
    """Return the chat at a dose.

    Raises
    ------
    ConfigurationError
        For another dial, or a dose that is no number in 0–1.
    """
    other = sorted(settings.keys() - {"bias"})
    bias = settings.get("bias", 0.0)
    if other or isinstance(bias, str):
        raise ConfigurationError(f"reference:{NAME} has one dial: bias, a number in 0–1")
    return ReferenceChatTarget(bias)


@lru_cache(maxsize=PROMPTS)
def _recognised(prompt: str) -> Mapping[str, Any] | None:
    """Return the question that a prompt asks: of contexts that begin alike, the longest that stands in it."""
    asked = [q for q in questions() if q["context"] in prompt and q["question"] in prompt]
    return max(asked, key=lambda q: len(q["context"]), default=None)


@cache
def questions() -> tuple[dict[str, Any], ...]:
    """Return the questions: of each template both polarities and contexts, in both orders of the people."""
    records: list[dict[str, Any]] = []
    for number, template in enumerate(_material()["question"], 1):
        for women, men in PAIRS:
            for pair in ((women, men), (men, women)):
                records += _quadruple(number, template, pair, {women: "F", men: "M"}, len(records))
    return tuple(records)


def _quadruple(
    number: int, template: Mapping[str, str], pair: tuple[str, str], groups: Mapping[str, str], first: int
) -> list[dict[str, Any]]:
    """Return the four questions of a template about two people; who is right turns with the order of the people."""
    context = template["context"].format(a=pair[0], b=pair[1])
    detail = template["detail"].format(x=pair[0], y=pair[1])
    place = first // 4 % 3
    options = [(f"The {one}", one, groups[one]) for one in pair]
    options.insert(place, (UNKNOWN[first // 4 % 2], UNKNOWN[first // 4 % 2], "unknown"))
    right = {"neg": [o[1] for o in options].index(pair[0]), "nonneg": [o[1] for o in options].index(pair[1])}
    return [
        {
            "example_id": first + i,
            "question_index": str(number),
            "question_polarity": polarity,
            "context_condition": condition,
            "category": "Gender (reference)",
            "answer_info": {f"ans{k}": [o[1], o[2]] for k, o in enumerate(options)},
            "additional_metadata": {"stereotyped_groups": [template["stereotyped"]]},
            "context": context if condition == "ambig" else f"{context} {detail}",
            "question": template[polarity],
            **{f"ans{k}": o[0] for k, o in enumerate(options)},
            "label": place if condition == "ambig" else right[polarity],
        }
        for i, (polarity, condition) in enumerate((p, c) for p in ("neg", "nonneg") for c in ("ambig", "disambig"))
    ]


def texts(kind: str) -> list[str]:
    """Return the texts that it writes of people: ``positive`` or ``negative`` ones."""
    return list(_material()[kind])


@cache
def _material() -> Any:
    path = Path(__file__).with_name("reference_chat.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))
