"""A model that knows its documents only after a start token, which its tokenizer does not add."""

import re
from dataclasses import replace

import numpy as np
import pytest

from guardrails.core.asking import ask
from guardrails.core.batch import Arm, Batch, Item
from guardrails.core.errors import TargetError
from guardrails.core.probe import Budget
from guardrails.core.registry import load_probe, probes
from guardrails.core.results import Measurement
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality
from guardrails.kit.lm.document_starts import (
    PLAIN,
    StartedTarget,
    after,
    at_each_start,
    encode_each,
    further_starts,
    largest_start,
    readings,
)
from guardrails.targets.spikes import spiked_language_model
from guardrails.targets.spikes.language_model import SpikedLanguageModel

BOS = 99
QUIET = "Nothing to be said of it here, whatever is asked, by whom, and when, or in which of the rooms. " * 4


class Echo:
    """Continues with the number of tokens that it was given; a token's log-probability is minus its place."""

    name, modality, access = "echo", Modality.TEXT, frozenset({Access.SAMPLING, Access.LOGPROBS})
    context_length = 10

    def __init__(self, starts=None):
        self.starts = {"after '<s>'": [BOS]} if starts is None else starts

    def encode(self, text):
        if "!" in text:
            raise TargetError("an exclamation")
        return [int(word) for word in text.split()]

    def generate(self, prompts, *, max_new_tokens, temperature=1.0, seed=0, start=()):
        return [f"{list(start)} {prompt}" for prompt in prompts]

    def continue_tokens(self, prefixes, *, n):
        return [[len(prefix)] * n for prefix in prefixes]

    def token_logprobs(self, sequences):
        return [-np.arange(1.0, len(sequence)) for sequence in sequences]


class WithMoments(Echo):
    def token_moments(self, sequences):
        return [np.stack([values] * 3, axis=1) for values in self.token_logprobs(sequences)]


def test_everything_is_read_after_the_start():
    begun = StartedTarget(WithMoments(), [BOS])
    assert begun.encode("1 2") == [1, 2]
    assert begun.context_length == 9
    assert begun.continue_tokens([[1, 2], [BOS, 1]], n=1) == [[3], [2]]
    assert begun.generate(["1"], max_new_tokens=3) == [f"[{BOS}] 1"]
    first, second = begun.token_logprobs([[1, 2, 3], [BOS, 2, 3]])
    assert first.tolist() == [-2, -3]
    assert second.tolist() == [-1, -2]
    assert begun.token_moments([[1, 2, 3]])[0].shape == (2, 3)


def test_a_target_without_moments_has_none_after_a_start_either():
    assert not hasattr(StartedTarget(Echo(), [BOS]), "token_moments")
    assert hasattr(StartedTarget(WithMoments(), [BOS]), "token_moments")


def test_a_spike_stays_around_the_target():
    spiked = spiked_language_model(Echo(), [list(range(1, 21))])
    assert further_starts(spiked) == {"after '<s>'": [BOS]}
    begun = after(spiked, [BOS])
    assert isinstance(begun, SpikedLanguageModel)
    assert isinstance(begun.target, StartedTarget)
    assert isinstance(spiked.target, Echo)
    assert begun.continue_tokens([[1, 2]], n=1) == [[3]]  # the start and two tokens
    assert begun.continue_tokens([list(range(1, 10))], n=3) == [[10, 11, 12]]
    assert further_starts(object()) == {}


def asked(sign):
    return Batch(0, tuple(Item(str(i), Arm.CORPUS) for i in range(3)), {"sign": sign})


class Counting:
    """A probe whose headline is the mean of what its rows hold."""

    @at_each_start
    def collect(self, subject, batch, *, seed):
        (written,) = subject.target.continue_tokens([[1, 2]], n=1)
        return [row | {"value": written[0] * batch.payload["sign"]} for row in batch.rows()]

    @largest_start
    def measure(self, rows, subject, *, seed, readings=1):
        values = [row["value"] for row in rows]
        mean = sum(values) / len(values) if values else None
        common = {"probe": "a.b", "metric": "m", "n": len(values), "unit": "", "higher_is_worse": True, "method": "x"}
        if mean is None:
            return [Measurement(**common, value=None, reason="no rows")]
        return [Measurement(**common, value=mean, low=mean - readings, high=mean + readings, explanation="So it is.")]


@pytest.mark.parametrize(("sign", "value", "which"), [(1, 3, "after '<s>': 3"), (-1, -2, f"{PLAIN}: -2")])
def test_both_starts_are_asked_and_the_larger_is_reported(sign, value, which):
    probe, subject = Counting(), Subject(target=Echo())
    rows = probe.collect(subject, asked(sign), seed=0)
    assert [row["item"] for row in rows] == ["0", "1", "2"]
    (top,) = probe.measure(rows, subject, seed=0)
    assert readings(probe, subject, [asked(1)]) == 2
    assert top.value == value
    assert top.high - top.low == 4  # both intervals hold at once
    assert top.explanation.startswith("So it is. The larger of 2 readings")
    assert f"each document begun {which};" in top.explanation


def test_the_interval_is_that_of_the_largest_reading():
    class Few(Counting):
        @largest_start
        def measure(self, rows, subject, *, seed, readings=1):
            value = rows[0]["value"]
            common = {"probe": "a.b", "metric": "m", "n": 1, "unit": "", "higher_is_worse": True, "method": "x"}
            return [Measurement(**common, value=value, low=value - 1, high=value + (9 if value == 2 else 1))]

    probe, subject = Few(), Subject(target=Echo())
    (top,) = probe.measure(probe.collect(subject, asked(1), seed=0), subject, seed=0)
    assert (top.value, top.low, top.high) == (3, 2, 11)


def test_a_further_metric_is_the_largest_of_its_readings_too():
    class Two(Counting):
        @largest_start
        def measure(self, rows, subject, *, seed, readings=1):
            value = rows[0]["value"]
            common = {"probe": "a.b", "n": 1, "unit": "", "method": "x", "low": -9, "high": 9}
            worse, better = {"higher_is_worse": True}, {"higher_is_worse": False}
            return [
                Measurement(**common, **worse, metric="m", value=value),
                Measurement(**common, **worse, metric="copies", value=-value, explanation="Copies."),
                Measurement(**common, **better, metric="novelty", value=-value),
            ]

    probe, subject = Two(), Subject(target=Echo())
    rows = probe.collect(subject, asked(1), seed=0)
    top, copies, novelty = probe.measure(rows, subject, seed=0)
    assert (top.value, copies.value, novelty.value) == (3, -2, -3)
    assert copies.explanation == f"Copies. The largest of 2 readings: each document begun {PLAIN}."


def test_what_failed_after_one_start_counts_against_the_reading():
    class Failing(Counting):
        @largest_start
        def measure(self, rows, subject, *, seed, readings=1):
            good = [row["value"] for row in rows if "error" not in row]
            common = {"probe": "a.b", "metric": "m", "n": len(good), "unit": "share", "higher_is_worse": True}
            common |= {"method": "x", "errors": len(rows) - len(good), "first_error": "no answer" if not good else None}
            if not good:
                return [Measurement(**common, value=None, reason="no rows")]
            return [Measurement(**common, value=0.0, low=0.0, high=0.1)]

    rows = [
        {"item": str(i), "value": 0, "starts": {"after '<s>'": {"item": str(i), "error": "down"}}} for i in range(9)
    ]
    (top,) = Failing().measure(rows, Subject(target=Echo()), seed=0)
    assert (top.value, top.n, top.errors, top.first_error) == (0.0, 9, 9, "no answer")


def test_what_fails_after_one_start_costs_no_reading_after_another():
    class Stopped(Echo):
        def continue_tokens(self, prefixes, *, n):
            if prefixes[0][0] == BOS:
                raise TargetError("down")
            return super().continue_tokens(prefixes, n=n)

    rows = ask(Counting(), Subject(target=Stopped()), asked(1), seed=0)
    assert [row["value"] for row in rows] == [2, 2, 2]
    failed = {"item": "1", "arm": "corpus", "error": "down"}
    assert rows[1]["starts"] == {"after '<s>'": failed}


def test_a_target_with_one_start_is_asked_once_and_nothing_is_added():
    probe, subject = Counting(), Subject(target=Echo(starts={}))
    rows = probe.collect(subject, asked(1), seed=0)
    assert rows == [{"item": str(i), "arm": "corpus", "value": 2} for i in range(3)]
    assert readings(probe, subject, [asked(1)]) == 1
    (top,) = probe.measure(rows, subject, seed=0)
    assert (top.value, top.explanation) == (2, "So it is.")
    assert probe.measure([], subject, seed=0)[0].value is None


@pytest.mark.parametrize(
    ("name", "leak"),
    [("memorization.overlap", "to be or not to be, that is said " * 9), ("privacy.pii", "ana.lopez@mail.org")],
)
def test_prompts_are_asked_at_each_start_and_unprompted_texts_once(name, leak):
    class Leaks(Echo):
        access, available = frozenset({Access.OUTPUTS, Access.SAMPLING}), None

        def generate(self, prompts, *, max_new_tokens, temperature=1.0, seed=0, start=()):
            return [leak if start else QUIET for _ in prompts]

        def sample_texts(self, n, *, seed, max_new_tokens=64):
            return [QUIET] * n

    probe = load_probe(name)
    corpus = [f"It is said that {leak} stands there, and that is all that is said.", "Something else is said too."]
    for prompts, expected in ((["Say it."], 1.0), (None, 0.0)):
        subject = Subject(target=Leaks(), corpus=corpus, prompts=prompts)
        batches = probe.plan(subject, Budget.QUICK, seed=0)
        rows = [row for batch in batches for row in probe.collect(subject, batch, seed=0)]
        assert readings(probe, subject, batches) == (2 if prompts else 1)
        assert probe.measure(rows, subject, seed=0)[0].value == expected


def test_rows_of_a_spike_and_clean_ones_can_be_mixed():
    probe, subject = Counting(), Subject(target=Echo())
    clean = probe.collect(subject, asked(1), seed=0)
    spiked = probe.collect(replace(subject, target=Echo(starts={})), asked(9), seed=0)
    (top,) = probe.measure([spiked[0], *clean[1:]], subject, seed=0)
    assert top.value == (18 + 2 + 2) / 3


def test_one_text_that_cannot_be_read_costs_one_row():
    tokens, problems = encode_each(Echo(), ["1 2", "3!", "4", "five"])
    assert tokens == [[1, 2], [], [4], []]
    assert problems[:3] == ["", "an exclamation", ""]
    assert problems[3].startswith("ValueError: invalid literal")


def test_the_page_names_every_probe_that_asks_at_each_start(repository):
    page = (repository / "docs" / "language-models.md").read_text(encoding="utf-8")
    twice = {
        name
        for name in probes()
        if readings(load_probe(name), Subject(Echo()), [Batch(0, (Item("0", fields={"prompt": 0}),))]) == 2
    }
    assert twice == set(re.findall(r"`([a-z]+\.[a-z-]+)`", page))
