"""Where a document of the training data may have begun: at its first token, or at a start token before it.

A tokenizer that names a start token need not add it, although the training did: then a model that knows a document by
heart only after that token seems to know nothing. Such a target says so in `starts`, and every probe that prompts with,
or scores, the beginnings of documents asks twice. The larger reading is reported. Its interval holds for both at once
(Bonferroni), so that looking twice finds no more where there is nothing.

Where the corpus holds conversations and the model has a chat template, training may have read them so written out: one
more form of the same documents that is asked (`guardrails.kit.lm.chat`). A text that is written without a prompt begins
at the start token; where training may never have read one, texts are also begun with the first token of a document.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ...core.asking import rows_of
from ...core.batch import Batch, Row
from ...core.errors import GuardrailsError
from ...core.seeding import derive_seed
from ...core.subject import Subject
from ...core.targets import LanguageModelTarget, Target
from .chat import Answers, Chat, WrittenOut

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...core.results import Measurement

T = TypeVar("T", bound=Target)

PLAIN = "as its tokenizer begins it"
"""The reading without a further start token, in the report."""
STARTS = "starts"
"""Key of a row: what the same item gave in each further form."""
FIRST_TOKEN = "with the first token of a document of the corpus"
OPENING = 64
"""Characters of a document that are read for its first token."""


class StartedTarget:
    """A language model that reads a start before everything it is given.

    Log-probabilities are those of the same tokens as without it: the one of the first token is left out in both.

    Parameters
    ----------
    target : LanguageModelTarget
        With a `generate` that takes `start`.
    start : sequence of int
        Tokens. A text that begins with them by itself gets none.
    """

    _options: Mapping[str, Any] = {}
    """What the target is told beside: how to continue."""

    def __init__(self, target: LanguageModelTarget, start: Sequence[int]) -> None:
        self._target, self._start = target, list(start)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        # Not every target tells moments, and a probe asks whether it does.
        return functools.partial(self._without_start, value) if name == "token_moments" else value

    @property
    def context_length(self) -> int:
        """What is left of the target's."""
        return int(self._target.context_length) - len(self._start)

    def generate(
        self, prompts: Sequence[str], *, max_new_tokens: int, temperature: float = 1.0, seed: int = 0
    ) -> list[str]:
        """Return the target's continuation of each prompt after the start."""
        options: dict[str, Any] = {"temperature": temperature, "seed": seed, "start": self._start}
        return list(self._target.generate(prompts, max_new_tokens=max_new_tokens, **options, **self._options))

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        """Return n texts written from the start."""
        length = min(max_new_tokens, self.context_length - 1)
        return self.generate([""] * n, max_new_tokens=length, seed=seed)

    def continue_tokens(self, prefixes: Sequence[Sequence[int]], *, n: int) -> list[list[int]]:
        """Return the greedy continuation of each prefix after the start."""
        return list(self._target.continue_tokens([self._begun(prefix) for prefix in prefixes], n=n, **self._options))

    def token_logprobs(self, sequences: Sequence[Sequence[int]]) -> list[NDArray[np.float64]]:
        """Return, per sequence, the log-probability of every token but the first, after the start."""
        return self._without_start(self._target.token_logprobs, sequences)

    def _begun(self, tokens: Sequence[int]) -> list[int]:
        again = list(tokens[: len(self._start)]) == self._start
        return list(tokens) if again else [*self._start, *tokens]

    def _without_start(self, score: Callable[..., Any], sequences: Sequence[Sequence[int]]) -> list[Any]:
        begun = [self._begun(sequence) for sequence in sequences]
        return [
            values[len(tokens) - len(sequence) :]
            for values, tokens, sequence in zip(score(begun), begun, sequences, strict=True)
        ]


class ChatTarget(StartedTarget):
    """A language model that reads a chat template's head before the conversations that it is given.

    `encode` leaves the head out, so that a passage of a conversation begins with what sets it apart from others. A
    token that ends a turn does not end a text.
    """

    _options: Mapping[str, Any] = {"past_end": True}

    def __init__(self, target: LanguageModelTarget, start: Sequence[int], head: Sequence[int]) -> None:
        super().__init__(target, start)
        self._head, self._lead = list(head), list(target.encode(""))

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a conversation behind the head; of any other text, without the tokenizer's own start."""
        tokens: list[int] = self._target.encode(text)
        before = next(b for b in (self._head, self._lead, []) if tokens[: len(b)] == b)
        return tokens[len(before) :]

    def _begun(self, tokens: Sequence[int]) -> list[int]:
        return [*self._start, *tokens]


class FirstTokenTarget:
    """A language model that begins a text with the first token of a document, drawn at random.

    Parameters
    ----------
    target : LanguageModelTarget
    documents : sequence of str
    """

    def __init__(self, target: LanguageModelTarget, documents: Sequence[str]) -> None:
        self._target, self._documents = target, documents

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        """Return n texts, without the token that each was begun with."""
        import numpy as np

        drawn = np.random.default_rng(derive_seed(seed, FIRST_TOKEN)).integers(len(self._documents), size=n)
        openings = [self._documents[int(i)].lstrip()[:OPENING] for i in drawn]
        prompts = [self._target.decode(tokens[:1]) for tokens in encode_each(self._target, openings)[0]]
        length = min(max_new_tokens, self._target.context_length - 1)
        return list(self._target.generate(prompts, max_new_tokens=length, seed=seed))


def further_starts(target: object) -> Mapping[str, Sequence[int]]:
    """Return what may stand before a document: by name, its tokens. Empty for a target that knows of nothing."""
    while not hasattr(target, STARTS):
        if (target := getattr(target, "target", None)) is None:  # what stands in a spike around it
            return {}
    starts: Mapping[str, Sequence[int]] = getattr(target, STARTS)
    return starts


def after(target: T, start: Sequence[int]) -> T:
    """Return the target, reading everything after a start; a spike stays around it."""
    return _inside(target, lambda model: StartedTarget(model, start))


def _inside(target: T, wrap: Callable[[Any], Any]) -> T:
    """Return the target with its model wrapped; a spike stays around it."""
    if "target" not in vars(target):
        wrapped: T = wrap(target)
        return wrapped
    # Not copy.copy: it asks the empty copy for its attributes, which a spike looks up in the target that is not there.
    around = object.__new__(type(target))
    vars(around).update(vars(target), target=_inside(vars(target)["target"], wrap))
    return around


def _after_starts(subject: Subject[T]) -> dict[str, Subject[T]]:
    starts = further_starts(subject.target)
    return {name: replace(subject, target=after(subject.target, start)) for name, start in starts.items()}


def _in_chat(subject: Subject[T], documents: Callable[[Chat], Mapping[str, WrittenOut]]) -> dict[str, Subject[T]]:
    """Return the subject in its model's chat template, with these documents, or its own where there are none."""
    chat = getattr(subject.target, "chat", None)
    if not isinstance(chat, Chat):
        return {}
    texts: dict[str, Any] = {}
    for arm, written in documents(chat).items():
        if getattr(subject, arm) is not written.plain:
            return {}
        texts[arm] = written
    forms = {}
    for name, start in chat.starts.items():
        wrap = functools.partial(ChatTarget, start=start, head=chat.head)
        forms[name] = replace(subject, target=_inside(subject.target, wrap), **texts)
    return forms


def further_forms(subject: Subject[T]) -> dict[str, Subject[T]]:
    """Return the subject asked after each further start, and with its documents in the chat template: by name."""
    return _after_starts(subject) | _in_chat(subject, lambda chat: chat.texts)


def after_questions(subject: Subject[T]) -> dict[str, Subject[T]]:
    """Return the subject with `Answers` in place of its documents, in the chat template: by name."""
    forms = _in_chat(subject, lambda chat: chat.answers)
    return {f"{name} and its question in full": f for name, f in forms.items() if isinstance(f.corpus, Answers)}


def longest_start(subject: Subject[LanguageModelTarget]) -> int:
    """Return how many tokens stand before a document at most, beside those that `encode` puts there."""
    forms = [form.target for form in further_forms(subject).values()]
    return max((subject.target.context_length - form.context_length for form in forms), default=0)


def _unprompted(subject: Subject[T]) -> dict[str, Subject[T]]:
    """Return the subject with its target writing texts from other beginnings than its start token."""
    forms = _in_chat(subject, lambda chat: {})
    if subject.corpus is not None and getattr(subject.target, "adds_start", True) is False:
        target = _inside(subject.target, lambda model: FirstTokenTarget(model, subject.corpus))
        forms[FIRST_TOKEN] = replace(subject, target=target)
    return forms


class _Collects(Protocol):
    def __call__(self, probe: Any, subject: Subject[Any], batch: Batch, /, *, seed: int) -> list[Row]: ...


class _Measures(Protocol):
    def __call__(
        self, probe: Any, rows: Sequence[Row], subject: Subject[Any], /, *, seed: int, readings: int = 1
    ) -> list[Measurement]: ...


_Forms = Callable[[Subject, Batch], dict[str, Subject]]


def at_each_start(collect: _Collects) -> Callable[..., list[Row]]:
    """Let a probe's `collect` ask once for each start; what further ones gave stands in the rows under `STARTS`."""
    return _asked_again(collect, lambda subject, batch: _after_starts(subject))


def in_each_form(collect: _Collects) -> Callable[..., list[Row]]:
    """As `at_each_start`, for a probe that asks about documents: also in the chat template."""
    return _asked_again(collect, lambda subject, batch: further_forms(subject))


def also_after_questions(collect: _Collects) -> Callable[..., list[Row]]:
    """As `in_each_form`, and for a batch that says how many tokens of an ``answer`` to compare, with `Answers`."""

    def forms(subject: Subject, batch: Batch) -> dict[str, Subject]:
        return further_forms(subject) | (after_questions(subject) if "answer" in batch.payload else {})

    return _asked_again(collect, forms)


def written_in_each_form(collect: _Collects) -> Callable[..., list[Row]]:
    """As `at_each_start`, for a probe of what is written: to prompts after each start, else from each beginning.

    Stored texts are had once.
    """

    def forms(subject: Subject, batch: Batch) -> dict[str, Subject]:
        fields = [item.fields for item in batch.items]
        if any("prompt" in given for given in fields):
            return _after_starts(subject)
        return {} if any("output" in given for given in fields) else _unprompted(subject)

    return _asked_again(collect, forms)


def ranked_in_each_form(collect: _Collects) -> Callable[..., list[Row]]:
    """As `at_each_start`, for a probe that scores what is written without a prompt, from each beginning."""
    return _asked_again(collect, lambda subject, batch: _after_starts(subject) | _unprompted(subject))


def _asked_again(collect: _Collects, forms: _Forms) -> Callable[..., list[Row]]:
    @functools.wraps(collect)
    def collected(self: Any, subject: Subject, batch: Batch, *, seed: int) -> list[Row]:
        rows = collect(self, subject, batch, seed=seed)
        for name, form in forms(subject, batch).items():
            # A failure in one form costs no reading in another.
            asked = functools.partial(_in_form, collect, self, form)
            others = {row["item"]: row for row in rows_of(batch, asked, seed=seed)}
            for row in rows:
                if row["item"] in others:
                    row.setdefault(STARTS, {})[name] = others[row["item"]]
        return rows

    vars(collected)[STARTS] = forms
    return collected


def _in_form(collect: _Collects, probe: Any, form: Subject, batch: Batch, seed: int) -> list[Row]:
    return collect(probe, form, batch, seed=seed)


def readings(probe: Any, subject: Subject, batches: Sequence[Batch]) -> int:
    """Return of how many readings of a target a probe reports the largest."""
    forms: _Forms | None = getattr(probe.collect, STARTS, None)
    return 1 + max((len(forms(subject, batch)) for batch in batches), default=0) if forms else 1


def largest_start(measure: _Measures) -> Callable[..., list[Measurement]]:
    """Let a probe's `measure` return the reading of the form whose headline is largest, and say which that is.

    `measure` takes how many readings there are, and widens its intervals so that they hold for all at once.
    """

    @functools.wraps(measure)
    def measured(self: Any, rows: Sequence[Row], subject: Subject, *, seed: int) -> list[Measurement]:
        names = list(dict.fromkeys(name for row in rows for name in row.get(STARTS, ())))
        by_start = {PLAIN: [{k: v for k, v in row.items() if k != STARTS} for row in rows]}
        by_start |= {name: [r[STARTS][name] for r in rows if name in r.get(STARTS, ())] for name in names}
        measured_by = {
            name: measure(self, some, subject, seed=seed, readings=len(by_start)) for name, some in by_start.items()
        }
        if not names:
            return measured_by[PLAIN]
        best = max(measured_by, key=lambda name: _headline(measured_by[name]))  # the first of equal ones
        top, *rest = measured_by[best]
        update: dict[str, Any] = {"explanation": f"{top.explanation} {_which(best, measured_by)}".strip()}
        # The interval of the largest: that of a reading from fewer items may reach higher than the larger reading's.
        for bound in ("low", "high"):
            bounds = [b for some in measured_by.values() if (b := getattr(some[0], bound)) is not None]
            update |= {bound: max(bounds)} if bounds else {}
        # What failed after one start might have been the larger reading.
        worst = max((some[0] for some in measured_by.values()), key=lambda m: m.errors)
        update |= {"errors": worst.errors, "first_error": worst.first_error}
        return [top.model_copy(update=update), *(_largest(m, best, measured_by) for m in rest)]

    return measured


def _largest(measurement: Measurement, best: str, readings: Mapping[str, Sequence[Measurement]]) -> Measurement:
    """Return the largest reading of a further metric, which may be of another form than that of the headline."""
    name, largest = best, measurement
    for other, some in readings.items() if measurement.higher_is_worse else ():
        for m in some:
            if m.metric == measurement.metric and _headline([m]) > _headline([largest]):
                name, largest = other, m
    if name == best:
        return measurement
    said = f"{largest.explanation} The largest of {len(readings)} readings: each document begun {name}."
    return largest.model_copy(update={"explanation": said.strip()})


def _headline(measurements: Sequence[Measurement]) -> float:
    value = measurements[0].value
    return float("-inf") if value is None else value


def _which(best: str, readings: Mapping[str, Sequence[Measurement]]) -> str:
    def told(name: str) -> str:
        value = readings[name][0].value
        return f"each document begun {name}: {'no reading' if value is None else f'{value:.3g}'}"

    others = "; ".join(told(name) for name in readings if name != best)
    if len({some[0].value for some in readings.values()}) == 1:
        which = "Both" if len(readings) == 2 else f"All {len(readings)}"
        return f"{which} readings, whose intervals hold together, agree: {told(best)}; {others}."
    return f"The larger of {len(readings)} readings, whose intervals hold together: {told(best)}; {others}."


def encode_each(target: LanguageModelTarget, texts: Sequence[str]) -> tuple[list[list[int]], list[str]]:
    """Return the tokens of each text, and what is wrong with it; no tokens, or no words, where there is none.

    A text that cannot be tokenized costs one row, not a batch.
    """
    tokens: list[list[int]] = []
    problems: list[str] = []
    for text in texts:
        try:
            tokens.append(list(target.encode(text)))
            problems.append("")
        except Exception as error:  # a tokenizer of the user's own raises anything
            tokens.append([])
            problems.append(str(error) if isinstance(error, GuardrailsError) else f"{type(error).__name__}: {error}")
    return tokens, problems
