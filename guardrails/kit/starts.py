"""Where a document of the training data may have begun: at its first token, or at a start token before it.

A tokenizer that names a start token need not add it, although the training did: then a model that knows a document by
heart only after that token seems to know nothing. Such a target says so in `starts`, and every probe that prompts with,
or scores, the beginnings of documents asks twice. The larger reading is reported. Its interval holds for both at once
(Bonferroni), so that looking twice finds no more where there is nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from ..core.base import Batch, Row, Subject
from ..core.errors import GuardrailsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..core.results import Measurement

PLAIN = "as its tokenizer begins it"
"""The reading without a further start token, in the report."""
STARTS = "starts"
"""Key of a row: what the same item gave after each further start."""


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

    def __init__(self, target: Any, start: Sequence[int]) -> None:
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
        return list(self._target.generate(prompts, max_new_tokens=max_new_tokens, **options))

    def continue_tokens(self, prefixes: Sequence[Sequence[int]], *, n: int) -> list[list[int]]:
        """Return the greedy continuation of each prefix after the start."""
        return list(self._target.continue_tokens([self._begun(prefix) for prefix in prefixes], n=n))

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


def further_starts(target: Any) -> Mapping[str, Sequence[int]]:
    """Return what may stand before a document: by name, its tokens. Empty for a target that knows of nothing."""
    while not hasattr(target, STARTS):
        if (target := getattr(target, "target", None)) is None:  # what stands in a spike around it
            return {}
    starts: Mapping[str, Sequence[int]] = target.starts
    return starts


def after(target: Any, start: Sequence[int]) -> Any:
    """Return the target, reading everything after a start; a spike stays around it."""
    if "target" not in vars(target):
        return StartedTarget(target, start)
    # Not copy.copy: it asks the empty copy for its attributes, which a spike looks up in the target that is not there.
    around = object.__new__(type(target))
    vars(around).update(vars(target), target=after(target.target, start))
    return around


class _Collects(Protocol):
    def __call__(self, probe: Any, subject: Subject, batch: Batch, /, *, seed: int) -> list[Row]: ...


class _Measures(Protocol):
    def __call__(
        self, probe: Any, rows: Sequence[Row], subject: Subject, /, *, seed: int, readings: int = 1
    ) -> list[Measurement]: ...


def at_each_start(collect: _Collects) -> Callable[..., list[Row]]:
    """Let a probe's `collect` ask once for each start; what further ones gave stands in the rows under `STARTS`."""
    return _asked_again(collect, lambda batch: True)


def prompts_at_each_start(collect: _Collects) -> Callable[..., list[Row]]:
    """As `at_each_start`, for batches whose items have prompts; stored or unprompted texts are had once."""
    return _asked_again(collect, lambda batch: any("prompt" in item for item in batch.payload["items"]))


def _asked_again(collect: _Collects, again: Callable[[Batch], bool]) -> Callable[..., list[Row]]:
    @functools.wraps(collect)
    def collected(self: Any, subject: Subject, batch: Batch, *, seed: int) -> list[Row]:
        rows = collect(self, subject, batch, seed=seed)
        for name, start in further_starts(subject.target).items() if again(batch) else ():
            begun = replace(subject, target=after(subject.target, start))
            others = {row["item"]: row for row in collect(self, begun, batch, seed=seed)}
            for row in rows:
                if row["item"] in others:
                    row.setdefault(STARTS, {})[name] = others[row["item"]]
        return rows

    vars(collected)[STARTS] = again
    return collected


def readings(probe: Any, target: Any, batches: Sequence[Batch]) -> int:
    """Return of how many readings of a target a probe reports the largest."""
    again = getattr(probe.collect, STARTS, None)
    return 1 + len(further_starts(target)) if again and any(map(again, batches)) else 1


def largest_start(measure: _Measures) -> Callable[..., list[Measurement]]:
    """Let a probe's `measure` return the reading of the start whose headline is largest, and say which that is.

    `measure` takes how many readings there are, and widens its intervals so that they hold for all at once.
    """

    @functools.wraps(measure)
    def measured(self: Any, rows: Sequence[Row], subject: Subject, *, seed: int) -> list[Measurement]:
        names = list(dict.fromkeys(name for row in rows for name in row.get(STARTS, ())))
        by_start = {PLAIN: [{k: v for k, v in row.items() if k != STARTS} for row in rows]}
        by_start |= {name: [row[STARTS][name] for row in rows if STARTS in row] for name in names}
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
        return [top.model_copy(update=update), *rest]

    return measured


def _headline(measurements: Sequence[Measurement]) -> float:
    value = measurements[0].value
    return float("-inf") if value is None else value


def _which(best: str, readings: Mapping[str, Sequence[Measurement]]) -> str:
    def told(name: str) -> str:
        value = readings[name][0].value
        return f"each document begun {name}: {'no reading' if value is None else f'{value:.3g}'}"

    others = "; ".join(told(name) for name in readings if name != best)
    if len({some[0].value for some in readings.values()}) == 1:
        return f"Both readings, whose intervals hold together, agree: {told(best)}; {others}."
    return f"The larger of {len(readings)} readings, whose intervals hold together: {told(best)}; {others}."


def encode_each(target: Any, texts: Sequence[str]) -> tuple[list[list[int]], list[str]]:
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
