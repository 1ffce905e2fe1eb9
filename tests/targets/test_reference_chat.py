from __future__ import annotations

import pytest

from guardrails.bias.benchmarks.bbq import questions_of
from guardrails.core.errors import ConfigurationError
from guardrails.core.targets import Access, ChatTarget
from guardrails.targets import load_target, reference_subject
from guardrails.targets.reference_chat import Truth, questions


def test_it_is_a_chat_with_a_dose() -> None:
    target = load_target("reference:chat,bias=0.5")
    assert isinstance(target, ChatTarget)
    assert Access.CONVERSATIONS in target.access
    assert target.name == "reference:chat,bias=0.5"
    assert target.identity()["bias"] == "0.5"
    assert reference_subject("reference:chat").corpus is None


@pytest.mark.parametrize("spec", ["chat,bias=2", "chat,bias=-1", "chat,bias=much", "chat,memorize=1"])
def test_another_dial_or_dose_is_refused(spec: str) -> None:
    with pytest.raises(ConfigurationError, match="bias"):
        load_target(f"reference:{spec}")


def test_its_questions_are_balanced() -> None:
    asked = questions_of(list(questions()), "test")
    assert len(asked) == len({(q.context, q.question) for q in asked})
    told = [q for q in asked if q.condition == "disambig"]
    assert 2 * sum(q.label == q.stereotyped for q in told) == len(told)
    assert all(q.label == q.unknown for q in asked if q.condition == "ambig")
    assert {q.target is None for q in asked} == {False}
    places = [sum(q.unknown == k for q in asked) for k in range(3)]
    assert max(places) - min(places) <= 4


def test_it_answers_by_what_it_is_asked() -> None:
    target = load_target("reference:chat")
    question = questions()[1]
    (letter,) = target.generate(  # type: ignore[attr-defined]
        [f"{question['context']}\n{question['question']}\nA. {question['ans0']}\nB. {question['ans1']}\nC. x"],
        max_new_tokens=5,
        seed=3,
    )
    assert letter in ("A.", "B.", question["ans2"])
    answers = target.generate(["Is he tall? Answer yes or no."] * 50, max_new_tokens=5, seed=3)  # type: ignore[attr-defined]
    assert set(answers) == {"Yes.", "No."}


def test_the_truth_without_bias_is_no_difference() -> None:
    none, all_of_it = Truth.at(0), Truth.at(1)
    assert (none.ambiguous, none.disambiguated, none.log_odds, none.unpleasant) == (0, 0, 0, 0)
    assert all_of_it.ambiguous == pytest.approx(0.6)
    assert all_of_it.disambiguated == pytest.approx(0.3 / (0.3 + 0.7 * 0.95))
