from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from guardrails.bias.counterfactual_prompts import CounterfactualPrompts
from guardrails.core.asking import ask
from guardrails.core.batch import Row
from guardrails.core.errors import NotApplicable
from guardrails.core.probe import Budget
from guardrails.core.registry import load_probe
from guardrails.core.subject import Subject
from guardrails.targets import load_target, reference_subject
from guardrails.targets.reference_chat import Truth, texts

from .writer import Writer

pytest.importorskip("vaderSentiment")
KIND, UNKIND, PLAIN = "What a wonderful, lovely day.", "What a horrible, awful day.", "The box is on the table."


def probe(**options: Any) -> CounterfactualPrompts:
    one = CounterfactualPrompts()
    one.options = CounterfactualPrompts.Options(**options)
    return one


def rows_of(one: CounterfactualPrompts, subject: Subject, budget: Budget, seed: int = 0) -> list[Row]:
    batches = one.plan(subject, budget, seed=seed)
    return [row for b in batches for row in ask(one, subject, b, seed=1000 * seed + b.index)]


def measured(one: CounterfactualPrompts, subject: Subject, budget: Budget = Budget.QUICK) -> dict[str, Any]:
    return {m.metric: m for m in one.measure(rows_of(one, subject, budget), subject, seed=0)}


@pytest.mark.parametrize("bias", [0.0, 1.0])
def test_the_planted_difference_is_measured(bias: float) -> None:
    one, subject = probe(feature="gender"), reference_subject(f"reference:chat,bias={bias:g}")
    (vader,) = one._graders.values()
    kind, unkind = (np.mean([g.score for g in vader.grade(texts(what))]) for what in ("positive", "negative"))
    truth, covered = -Truth.at(bias).unpleasant * (kind - unkind), 0
    for seed in range(10):
        rows = [row for row in rows_of(one, subject, Budget.CONTROL, seed) if row["feature"] == "gender"]
        got = {m.metric: m for m in one.measure(rows, subject, seed=seed)}
        covered += got["sentiment_gap_signed"].low <= truth <= got["sentiment_gap_signed"].high
        assert got["sentiment_gap"].low > 0.1 if bias else got["sentiment_gap"].high < 0.1
    assert covered >= 8


def test_the_controls_are_asked_about_all_features_whatever_the_target_is_asked_about() -> None:
    subject = Subject(Writer(str))
    asked = [probe(feature=feature).plan(subject, Budget.CONTROL, seed=0) for feature in ("all", "disability")]
    assert asked[0] == asked[1]


def test_the_group_that_is_written_of_unkindly_is_named() -> None:
    got = measured(probe(), Subject(Writer(lambda p: UNKIND if "wheelchair" in p else KIND)), Budget.STANDARD)
    assert "on these texts it is not known" in got["sentiment_gap"].explanation
    assert "disability: wheelchair user" in got["sentiment_gap"].explanation
    assert got["sentiment_gap"].low > 0.2
    assert got["sentiment_gap"].baseline.value == 0
    assert got["similarity_loss"].value > 0.1


def test_refusals_and_lengths_are_compared_in_pairs() -> None:
    def write(prompt: str) -> str:
        return "I'm sorry, I can't write that." if "Black" in prompt else f"{PLAIN} {PLAIN}"

    got = measured(probe(feature="ethnicity"), Subject(Writer(write)))
    assert got["refusal_gap"].value == 1
    assert "12 and 0 pairs, sign test p = 0.00049" in got["refusal_gap"].explanation
    assert got["length_gap"].value == pytest.approx((12 - 8) / 20)


def test_texts_that_are_all_the_same_show_no_difference_and_leave_doubt() -> None:
    got = measured(probe(), Subject(Writer(lambda p: PLAIN)))
    for metric in ("sentiment_gap", "refusal_gap", "length_gap", "similarity_loss"):
        assert got[metric].value == pytest.approx(0, abs=1e-9)
        assert got[metric].high > 0.02


def test_texts_that_cannot_be_graded_give_no_value() -> None:
    got = measured(probe(), Subject(Writer(lambda p: "…")))
    assert got["sentiment_gap"].value is None
    assert "0 of 96 pairs" in got["sentiment_gap"].reason


def test_a_grader_that_scores_the_names_of_groups_shows_it(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "unfair_grader.py").write_text(
        "def grade(items):\n"
        "    return ['bad' if 'Muslim' in str(i) else 'good' for i in items]\n"
        "grade.labels = ('good', 'bad')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    one = probe(feature="religion", sentiment="python:unfair_grader:grade", toxicity="python:unfair_grader:grade")
    assert one.options.runs_code().keys() == {"sentiment", "toxicity"}
    got = measured(one, Subject(Writer(lambda p: PLAIN)))
    assert got["grader_gap"].value == got["toxicity_grader_gap"].value == 1
    (alarms,) = got["toxicity_grader_gap"].evidence
    assert [row[:2] for row in alarms.rows] == [
        ("religion: Christian", "20 of 20"), ("religion: Muslim", "0 of 20"), ("religion: Jewish", "20 of 20"),
    ]  # fmt: skip
    assert "Muslim" in got["grader_gap"].explanation
    assert got["sentiment_gap"].explanation.endswith("The grader's error was not measured.")
    assert got["toxicity_gap"].explanation.endswith("The grader's error was not measured.")
    assert got["toxicity_gap"].value == 1  # the exchange holds the prompt, and so the name


def test_a_grader_that_always_says_the_same_gives_no_value(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "constant_grader.py").write_text(
        "def grade(items):\n    return ['good'] * len(items)\ngrade.labels = ('good', 'bad')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    one = probe(feature="gender", sentiment="python:constant_grader:grade")
    got = measured(one, Subject(Writer(lambda p: UNKIND if "woman" in p else KIND)))
    assert got["sentiment_gap"].value is None
    assert "gave each of 36 texts the score 1" in got["sentiment_gap"].reason


def test_a_grader_that_cannot_be_had_is_a_reason() -> None:
    with pytest.raises(NotApplicable, match="unknown grader 'vadr'"):
        probe(sentiment="vadr").applicable(Subject(Writer(str)))


def test_the_groups_of_a_feature_share_the_texts_that_they_are_compared_with() -> None:
    asked: list[str] = []
    one = probe(feature="ethnicity")
    rows = [r for r in rows_of(one, Subject(Writer(lambda p: asked.append(p) or KIND)), Budget.QUICK) if "prompt" in r]
    assert len(rows) == 3 * 12
    assert sum("a white person" in p for p in asked) == 2 * 12
    assert sum("an Asian person" in p for p in asked) == 12


def test_a_request_says_that_a_text_is_to_begin() -> None:
    asked: list[str] = []
    rows_of(probe(feature="age"), Subject(Writer(lambda p: asked.append(p) or KIND)), Budget.QUICK)
    assert len(asked) == 3 * 12
    assert all(p.endswith(".\nText:") for p in asked)


@pytest.mark.slow
def test_the_interval_of_the_headline_never_contradicts_its_test() -> None:
    """Texts are unkind at random, one in fifty: most differences are 0 and a few large, which misleads a bootstrap."""
    one, alarms = probe(), 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        rows: list[Row] = [
            {"feature": "ethnicity", "group": group, "prompt": p, "draw": 0, "words": [9] * 3, "refused": [False] * 3,
             "alike": {"again": 0.5, "other": 0.5},
             "scores": {"sentiment": [0.1 if rng.random() < 0.05 else 0.9 for _ in range(3)]}}
            for group in ("Black", "Asian", "Latino") for p in range(20) for _ in range(4)
        ]  # fmt: skip
        got = {m.metric: m for m in one.measure(rows, Subject(Writer(str)), seed=seed)}["sentiment_gap"]
        p = min(float(row[-1]) for row in got.evidence[0].rows)
        assert (got.low > 0) == (p <= 0.05)
        alarms += got.low > 0
    assert alarms <= 5


def test_no_text_is_kept_in_a_row() -> None:
    rows = rows_of(probe(feature="age"), Subject(Writer(lambda p: "Zebras everywhere.")), Budget.QUICK)
    assert "Zebra" not in str(rows)


@pytest.mark.parametrize("name", ["chat", "author"])
def test_its_spike_is_read(name: str) -> None:
    one = probe(feature="gender")
    subject = Subject(load_target("reference:chat") if name == "chat" else Writer(lambda p: PLAIN))
    batches = one.plan(subject, Budget.QUICK, seed=0)
    planted = one.spike(subject, batches, seed=0)
    assert planted is not None
    rows = [row for b in batches for row in ask(one, planted, b, seed=b.index)]
    assert one.recovery([], rows, planted)[0] == 1  # type: ignore[index]
    assert one.measure(rows, planted, seed=0)[0].low > 0.1  # type: ignore[operator]


def test_without_the_package_of_its_grader_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_probe("bias.counterfactual-prompts").not_installed() == []
    monkeypatch.setitem(sys.modules, "vaderSentiment.vaderSentiment", None)
    (line,) = load_probe("bias.counterfactual-prompts").not_installed()
    assert line.startswith("vaderSentiment is not available")
    assert "pip install" in line
