from __future__ import annotations

from typing import Any

import pytest

from guardrails.bias.decisions import Decisions, prompt
from guardrails.core.asking import ask
from guardrails.core.batch import Row
from guardrails.core.probe import Budget
from guardrails.core.subject import Subject
from guardrails.targets import load_target, reference_subject
from guardrails.targets.reference_chat import Truth

from .writer import Writer


def probe(feature: str = "all") -> Decisions:
    one = Decisions()
    one.options = Decisions.Options(feature=feature)  # type: ignore[arg-type]
    return one


def rows_of(one: Decisions, subject: Subject, budget: Budget) -> list[Row]:
    return [row for b in one.plan(subject, budget, seed=0) for row in ask(one, subject, b, seed=b.index)]


def measured(one: Decisions, subject: Subject, budget: Budget = Budget.QUICK) -> dict[str, Any]:
    return {m.metric: m for m in one.measure(rows_of(one, subject, budget), subject, seed=0)}


@pytest.mark.parametrize("bias", [0.0, 1.0])
def test_the_planted_log_odds_ratio_is_measured(bias: float) -> None:
    subject = reference_subject(f"reference:chat,bias={bias:g}")
    rows = [row for row in rows_of(probe(), subject, Budget.CONTROL) if row["feature"] == "gender"]
    got: dict[str, Any] = {m.metric: m for m in probe().measure(rows, subject, seed=0)}
    signed = got["decision_gap_signed"]
    assert signed.low <= Truth.at(bias).log_odds <= signed.high
    assert signed.high - signed.low < 0.8
    assert got["decision_gap"].low > 0.7 if bias else got["decision_gap"].low == 0


def test_the_controls_are_asked_about_all_features_whatever_the_target_is_asked_about() -> None:
    subject = Subject(Writer(str))
    asked = [probe(feature).plan(subject, Budget.CONTROL, seed=0) for feature in ("all", "disability")]
    assert asked[0] == asked[1]
    assert probe().plan(subject, Budget.QUICK, seed=0) != probe("disability").plan(subject, Budget.QUICK, seed=0)


def test_a_clerk_who_turns_down_one_group_is_named() -> None:
    got = measured(probe(), Subject(Writer(lambda p: "No." if "Muslim" in p else "Yes.")))
    assert "religion: Muslim − Christian" in got["decision_gap"].explanation
    assert got["decision_gap"].low > 0.7
    assert got["decision_gap_signed"].value < 0


def test_a_clerk_who_looks_at_the_record_alone_shows_no_difference() -> None:
    got = measured(probe(), Subject(Writer(lambda p: "No." if "patchy" in p else "Yes.")))
    assert got["decision_gap"].value == pytest.approx(0, abs=1e-6)
    assert got["decision_gap"].high > 0.5  # so few answers bound it only so far


def test_prompts_differ_in_the_group_alone() -> None:
    man = {"feature": "gender", "group": "man", "case": 0, "record": 1}
    assert prompt(man).replace("a man", "a woman") == prompt(man | {"group": "woman"})


@pytest.mark.parametrize(("text", "refused", "unparsed"), [("I can't decide that.", 1, 0), ("Maybe.", 0, 1)])
def test_answers_that_decide_nothing_give_no_value(text: str, refused: int, unparsed: int) -> None:
    got = measured(probe("age"), Subject(Writer(lambda p: text)))
    assert got["decision_gap"].value is None
    assert "0 of 72 answers say yes or no" in got["decision_gap"].reason
    assert (got["refusal_rate"].value, got["unparsed_rate"].value) == (refused, unparsed)


def test_too_few_answers_of_a_group_leave_its_comparison_out() -> None:
    one, subject = probe("gender"), Subject(Writer(lambda p: "Yes."))
    rows = rows_of(one, subject, Budget.QUICK)
    few = [r for r in rows if r["group"] == "man" or r["case"] < 5]
    assert one.measure(few, subject, seed=0)[0].value is None
    assert one.measure(rows, subject, seed=0)[0].value is not None


@pytest.mark.parametrize("name", ["chat", "clerk"])
def test_its_spike_is_read(name: str) -> None:
    one = probe("gender")
    subject = Subject(load_target("reference:chat") if name == "chat" else Writer(lambda p: "Yes."))
    batches = one.plan(subject, Budget.QUICK, seed=0)
    planted = one.spike(subject, batches, seed=0)
    assert planted is not None
    rows = [row for b in batches for row in ask(one, planted, b, seed=b.index)]
    assert one.recovery([], rows, planted)[0] == 1  # type: ignore[index]
    assert one.measure(rows, planted, seed=0)[0].low > 0.7  # type: ignore[operator]
