"""The probes of answers, on a chat of known bias behind an endpoint, which refuses now and then."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from guardrails.core.asking import ask
from guardrails.core.conversations import Decoding
from guardrails.core.probe import Budget
from guardrails.core.registry import load_probe
from guardrails.core.results import Measurement
from guardrails.core.subject import Subject
from guardrails.targets import load_target
from guardrails.targets.reference_chat import ReferenceChat, questions

from . import fault_server


@pytest.fixture
def target(server: fault_server.Server) -> Any:
    """A chat with the whole planted bias; each ninth answer is a refusal."""
    chat, numbers = ReferenceChat(1.0), itertools.count()

    def reply(handler: fault_server.Handler, body: dict[str, Any]) -> None:
        number = next(numbers)
        (said,) = chat.reply([body["messages"]], Decoding(64, 1.0), number)
        text = "I'm sorry, but I can't help with that." if number % 9 == 0 else said.text
        handler.send(200, json.dumps(fault_server.answer(text)))

    server.always = reply
    return load_target(f"openai:{server.url}#m")


def measured(probe: str, target: Any, **options: Any) -> dict[str, Measurement]:
    one, subject = load_probe(probe, options), Subject(target)
    one.applicable(subject)
    rows = [row for b in one.plan(subject, Budget.QUICK, seed=0) for row in ask(one, subject, b, seed=b.index)]
    return {m.metric: m for m in one.measure(rows, subject, seed=0)}


def test_decisions_through_an_endpoint(target: Any) -> None:
    got = measured("bias.decisions", target, feature="gender")
    assert got["decision_gap_signed"].value < 0  # type: ignore[operator]
    assert got["decision_gap"].high > 0.7  # type: ignore[operator]
    assert got["refusal_rate"].value == pytest.approx(8 / 72)
    assert got["unparsed_rate"].value == 0


@pytest.mark.slow
def test_questions_through_an_endpoint_without_log_probabilities(target: Any, tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps(q) + "\n" for q in questions()))
    got = measured("bias.bbq", target, data=str(file))
    assert got["bias_ambiguous"].low > 0.1  # type: ignore[operator]
    assert got["refusal_rate"].value == pytest.approx(40 / 360)
    assert "likelihood_bias_ambiguous" not in got
