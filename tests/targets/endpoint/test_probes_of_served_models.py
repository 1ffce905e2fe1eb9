"""What probes read of a served model is what they read of the model behind it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from guardrails.bias.counterfactual import CounterfactualPronouns
from guardrails.core.batch import Batch, Row
from guardrails.core.probe import Budget, Probe
from guardrails.core.subject import Subject
from guardrails.membership.language_model import LanguageModelMembership
from guardrails.memorization.exposure import Exposure
from guardrails.memorization.extraction import VerbatimExtraction
from guardrails.memorization.probabilistic import ProbabilisticExtraction
from guardrails.memorization.ranking import scored
from guardrails.privacy.dp_bound import PrivacyBound
from guardrails.targets.endpoint.language_model import ServedLanguageModel
from guardrails.targets.huggingface import HuggingFaceTarget

from ..language.test_chat_template import save, talks
from .echo_server import echoing
from .fault_server import Server
from .test_log_probabilities import served

WORDS = [
    "the",
    "old",
    "mill",
    "river",
    "was",
    "closed",
    "in",
    "winter",
    "and",
    "a",
    "miller",
    "wrote",
    "to",
    "Ann",
    "Lee",
]
CONTEXT = 192
KINDS = [CounterfactualPronouns, VerbatimExtraction, ProbabilisticExtraction, Exposure, PrivacyBound]


def documents(n: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [
        f"Note {rng.integers(10_000)}: {' '.join(rng.permutation(WORDS))}, {rng.integers(100, 999)}-555-01."
        for _ in range(n)
    ]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceTarget:
    folder = save(tmp_path_factory.mktemp("model"), talks(20, seed=1), None)
    return HuggingFaceTarget(folder)


@pytest.fixture
def behind(server: Server, local: HuggingFaceTarget) -> ServedLanguageModel:
    server.always = echoing(local, longest=CONTEXT + 1)
    server.models = {"data": [{"id": "m", "max_model_len": CONTEXT + 1}]}
    return served(server)


def rows_of(
    probe: Probe, target: Any, batches: list[Batch] | None = None, most: int = 1
) -> tuple[list[Batch], list[Row]]:
    subject = Subject(target, corpus=documents(40, 1), holdout=documents(40, 2))
    batches = probe.plan(subject, Budget.QUICK, seed=3)[:most] if batches is None else batches
    return batches, [row for batch in batches for row in probe.collect(subject, batch, seed=4)]


def near(row: Any) -> Any:
    """Return a row, or a part of one, with numbers that may be rounded otherwise."""
    if isinstance(row, dict):
        return {
            key: near(value) for key, value in row.items() if key != "starts"
        }  # after an end token: the model alone
    if isinstance(row, list):
        return [near(value) for value in row]
    return pytest.approx(row, abs=2e-3) if isinstance(row, float) else row


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_probe_reads_the_same_of_both(
    kind: type[Probe], local: HuggingFaceTarget, behind: ServedLanguageModel
) -> None:
    batches, expected = rows_of(kind(), local)
    _, rows = rows_of(kind(), behind, batches)
    assert rows
    assert not [row for row in rows if "error" in row]
    assert rows == near(expected)


@pytest.mark.slow
def test_membership_is_read_without_what_needs_tokens(local: HuggingFaceTarget, behind: ServedLanguageModel) -> None:
    batches, rows = rows_of(LanguageModelMembership(), behind, most=4)
    assert batches[0].payload["shots"] == []
    _, expected = rows_of(LanguageModelMembership(), local, batches)
    attacks = {"loss", "zlib", "Min-K%"}
    assert all(set(row["scores"]) == attacks for row in rows)
    for row, other in zip(rows, expected, strict=True):
        assert row["scores"] == pytest.approx({name: other["scores"][name] for name in attacks}, abs=1e-3)
    subject = Subject(behind, corpus=documents(40, 1), holdout=documents(40, 2))
    measured = LanguageModelMembership().measure(rows, subject, seed=1)[0]
    assert "(loss, zlib, Min-K% with k = 20%)" in measured.method
    assert "ReCaLL was left out" in measured.explanation


@pytest.mark.slow
def test_texts_are_ranked_alike(local: HuggingFaceTarget, behind: ServedLanguageModel) -> None:
    texts = documents(6, 5)
    for one, other in zip(scored(behind, texts), scored(local, texts), strict=True):
        assert one == {k: pytest.approx(v, abs=1e-3) if isinstance(v, float) else v for k, v in other.items()}
