"""One output in twenty that is a training item whole fails, in every modality; outputs of the law pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from guardrails.assay.policy.policy import judge, load_policy
from guardrails.core.asking import ask
from guardrails.core.probe import Budget, Probe
from guardrails.core.results import Measurement, Status
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality
from guardrails.memorization.copies import Copies
from guardrails.memorization.levels import Levels
from guardrails.memorization.melodies import Melodies
from guardrails.memorization.overlap import Overlap

from .scenes import Images, scenes
from .symbolic import Writer
from .test_melodies import book


def judged(probe: Probe, subject: Subject) -> tuple[Measurement, Status]:
    plan = probe.plan(subject, Budget.QUICK, seed=0)
    rows = [row for batch in plan for row in ask(probe, subject, batch, seed=batch.index)]
    reading = next(m for m in probe.measure(rows, subject, seed=0) if m.metric == "exact_copies")
    threshold: Any = load_policy("default").threshold(probe.id, reading.metric)
    return reading, judge(reading, threshold)[0]


def planted(fresh: list[Any], corpus: list[Any], every: int) -> list[Any]:
    """Return the fresh items with a training item in each so-manieth place."""
    return [corpus[i // every % len(corpus)] if every and i % every == 0 else item for i, item in enumerate(fresh)]


@dataclass
class Folder(Images):
    pictures: list
    at: int = 0

    def sample_images(self, n: int, *, seed: int) -> list[Any]:
        self.at += n
        return [self.pictures[i % len(self.pictures)] for i in range(self.at - n, self.at)]


@pytest.mark.slow
@pytest.mark.parametrize(("every", "status"), [(20, Status.FAIL), (0, Status.PASS)])
def test_pictures(every: int, status: Status) -> None:
    corpus, fresh = scenes(200, 1), scenes(300, 3)
    subject = Subject(Folder(planted(fresh, corpus, every)), corpus=corpus, holdout=scenes(200, 2))
    reading, judgement = judged(Copies(), subject)
    assert judgement is status
    assert reading.value == pytest.approx(0.05 if every else 0, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("every", "status"), [(16, Status.FAIL), (0, Status.PASS)])
def test_melodies(every: int, status: Status) -> None:
    corpus = book(0, 400)
    subject = Subject(Writer(planted(book(9000, 200), corpus, every)), corpus=corpus, holdout=book(3000, 400))
    assert judged(Melodies(), subject)[1] is status


def levels(n: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    rows = rng.choice(list("-#?E"), size=(n, 14, 12), p=[0.6, 0.3, 0.06, 0.04])
    return ["\n".join("".join(row) for row in level) for level in rows]


@pytest.mark.slow
@pytest.mark.parametrize(("every", "status"), [(16, Status.FAIL), (0, Status.PASS)])
def test_levels(every: int, status: Status) -> None:
    corpus = levels(300, 1)
    subject = Subject(Writer(planted(levels(200, 3), corpus, every)), corpus=corpus, holdout=levels(300, 2))
    assert judged(Levels(), subject)[1] is status


class Texts:
    """A file of texts."""

    name = "file"
    modality = Modality.TEXT
    access = frozenset({Access.OUTPUTS})
    prompts = None

    def __init__(self, texts: list[str]) -> None:
        self.texts, self.available = texts, len(texts)

    def identity(self) -> dict[str, str]:
        return {}

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        return self.texts[:n]

    def outputs(self) -> list[str]:
        return self.texts


def words(n: int, seed: int, of: int, kinds: int = 5000) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(f"w{k}" for k in rng.integers(kinds, size=of)) for _ in range(n)]


@pytest.mark.parametrize("length", [4, 60])
@pytest.mark.parametrize(("every", "status"), [(20, Status.FAIL), (0, Status.PASS)])
def test_texts_of_any_length(length: int, every: int, status: Status) -> None:
    """Texts too short for a run of a hundred characters are counted too."""
    corpus, fresh = words(400, 1, length), words(320, 3, length)
    subject = Subject(Texts(planted(fresh, corpus, every)), corpus=corpus, holdout=words(400, 2, length))  # type: ignore[arg-type]
    reading, judgement = judged(Overlap(), subject)
    assert judgement is status
    assert reading.value == pytest.approx(0.05 if every else 0, abs=1e-9)


def test_short_answers_that_everyone_gives_are_no_copies() -> None:
    corpus, holdout, outputs = (words(500, seed, 1, kinds=12) for seed in (1, 2, 3))
    reading, judgement = judged(Overlap(), Subject(Texts(outputs), corpus=corpus, holdout=holdout))  # type: ignore[arg-type]
    assert judgement is Status.PASS
    assert reading.baseline is not None
    assert reading.baseline.value == 1
