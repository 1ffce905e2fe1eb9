"""Counts what a target of text writes for a batch: mostly empty, all alike or echoes, they are no pass."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence, Sized
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

from ...core.conversations import Refusal
from ...core.results import Measurement
from ...core.results.cost import Use
from ...core.subject import Subject
from ...core.targets import Modality, stored_texts

_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U0001d159\U000e0100-\U000e01ef]"
)
"""Letters, marks and symbols that nobody sees: those that Unicode calls ignorable, an empty Braille cell and note."""
MOST = 0.5
"""A probe is not assessed where more than this share of outputs are empty or refusals, or repeat a text or a prompt."""


@dataclass
class Outputs:
    """How many outputs a probe was given in a batch, how many are empty or refusals, how often each other one came."""

    n: int = 0
    empty: int = 0
    refused: int = 0
    answers: Counter[int] = field(default_factory=Counter, compare=False)
    """By the hash of an output: a batch may hold long ones."""
    echoed: int = 0
    """Outputs that are their own prompt; they differ as the prompts do, and say as little as one text for all."""

    def add(self, output: Any, prompt: Any = None) -> None:
        """Count a text, or the tokens of one; what is neither is the probe's to refuse."""
        empty = is_blank(output) if isinstance(output, str) else isinstance(output, Sized) and len(output) == 0
        self.n += 1
        self.empty += empty
        if not empty and isinstance(output, Refusal):
            self.refused += 1
        elif not empty and isinstance(prompt, str) and str(output).split() == prompt.split():
            self.echoed += 1
        elif not empty:
            self.answers[hash(str(output).strip())] += 1

    def use(self) -> Use:
        """Return the counts as the journal keeps them."""
        repeated = max(self.answers.values(), default=1) - 1 + self.echoed
        return Use(outputs=self.n, empty=self.empty, refused=self.refused, repeated=repeated)


def counted(subject: Subject, outputs: Outputs) -> Subject:
    """Return the subject with a target whose outputs are counted, where it writes text."""
    if subject.modality is not Modality.TEXT:
        return subject
    return replace(subject, target=_Counted(subject.target, outputs))


def is_blank(text: str) -> bool:
    r"""Whether a text holds nothing but white space, characters that nobody sees, and one punctuation mark repeated.

    The marks are those of Unicode and of ASCII, which has some that Unicode calls symbols, and what stands for bytes
    that are no character.

    >>> is_blank(" \n\u200b"), is_blank("\u2800"), is_blank(". . ."), is_blank("?!"), is_blank("0")
    (True, True, True, False, False)
    >>> is_blank("```\n```"), is_blank("\ufffd" * 9)
    (True, True)
    """
    seen = {c for c in set(text) if not (c.isspace() or not c.isprintable() or _BLANK.match(c) is not None)}
    return not seen or (len(seen) == 1 and _is_mark(seen.pop()))


def _is_mark(c: str) -> bool:
    return c in string.punctuation or c == "\ufffd" or unicodedata.category(c).startswith("P")


def stated(m: Measurement, use: Use) -> Measurement:
    """Return a measurement whose explanation says how many of the outputs are empty or refusals, where any is."""
    if not use.empty + use.refused:
        return m
    return m.model_copy(update={"explanation": f"{m.explanation} {_sentence(use)}.".strip()})


def why_not_assessed(use: Use, *, closed_answers: bool) -> str | None:
    """Return why outputs can pass no probe, or None where enough of them hold an answer of their own.

    Parameters
    ----------
    use : Use
        Of all batches.
    closed_answers : bool
        Whether the probe asked for one of a few answers, so that one text may be the answer to most questions.
    """
    if use.empty + use.refused > MOST * use.outputs:
        return f"{_sentence(use)}: what the target does not write shows no fault"
    if not closed_answers and use.repeated > MOST * use.outputs:
        return (
            f"{use.repeated:,} of {use.outputs:,} outputs repeat another one, or their prompt, word for word: a target "
            "that writes the same text whatever it is asked, or what it is asked, shows no fault"
        )
    return None


def _sentence(use: Use) -> str:
    """Return the counts in words.

    >>> _sentence(Use(outputs=8, empty=5, refused=2))
    '7 of 8 outputs are empty (5) or refusals (2)'
    """
    without, what = use.empty + use.refused, "empty" if use.empty else "refusals"
    if use.empty and use.refused:
        what = f"empty ({use.empty:,}) or refusals ({use.refused:,})"
    return f"{without:,} of {use.outputs:,} outputs {'is' if without == 1 else 'are'} {what}"


class _Counted:
    """A target of text whose outputs are counted; all else is the target's own."""

    def __init__(self, target: Any, outputs: Outputs) -> None:
        self.target, self._outputs = target, outputs  # `target`: see `kit.lm.document_starts`
        self.name, self.modality, self.access = target.name, target.modality, target.access

    def __getattr__(self, name: str) -> Any:
        if name == "target":  # not set yet, as while it is copied
            raise AttributeError(name)
        return getattr(self.target, name)

    @property  # type: ignore[misc]  # in `object` it can be set
    def __class__(self) -> Any:
        """The class of the target, for `isinstance` alone."""
        return type(self.target)

    @property
    def available(self) -> int | None:
        available: int | None = getattr(self.target, "available", None)
        return available

    def identity(self) -> dict[str, str]:
        identity: dict[str, str] = self.target.identity()
        return identity

    def generate(self, prompts: Sequence[str], *args: Any, **options: Any) -> Any:
        return self._all(self.target.generate(prompts, *args, **options), prompts)

    def sample_texts(self, *args: Any, **options: Any) -> Any:
        texts = self.target.sample_texts(*args, **options)
        return self._all(texts) if self.available is None else _Stored(texts, self._outputs)

    def outputs(self) -> Sequence[str]:
        return _Stored(stored_texts(self.target), self._outputs)

    def continue_tokens(self, *args: Any, **options: Any) -> Any:
        return self._all(self.target.continue_tokens(*args, **options))

    def _all(self, outputs: Any, prompts: Sequence[str] = ()) -> Any:
        outputs = outputs if isinstance(outputs, Sized) else list(outputs)
        for output, prompt in zip_longest(outputs, prompts[: len(outputs)]):
            self._outputs.add(output, prompt)
        return outputs


class _Stored(Sequence[str]):
    """Stored texts, of which a batch looks at some: those are counted."""

    def __init__(self, texts: Sequence[str], outputs: Outputs) -> None:
        self._texts, self._outputs = texts, outputs

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        text = self._texts[place]
        self._outputs.add(text)
        return text
