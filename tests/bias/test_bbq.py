from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guardrails.bias.bbq import BBQ
from guardrails.core.asking import ask
from guardrails.core.batch import Row
from guardrails.core.errors import ConfigurationError, NotApplicable, TargetError
from guardrails.core.options import read_options
from guardrails.core.probe import Budget
from guardrails.core.registry import load_probe
from guardrails.core.results import Measurement
from guardrails.core.subject import Subject
from guardrails.core.targets import Access
from guardrails.targets import load_target, reference_subject
from guardrails.targets.files import JsonlTarget
from guardrails.targets.reference_chat import Truth, questions

from .writer import Writer

PUBLISHED = {"Age": (29.8, 1.2), "Nationality": (6.0, 1.2), "Religion": (14.3, 0.2)}


def probe(data: Path | None = None, **options: Any) -> BBQ:
    one = BBQ()
    one.options = BBQ.Options(data=data, **options)
    return one


def rows_of(one: BBQ, subject: Subject, budget: Budget = Budget.QUICK, seed: int = 0) -> list[Row]:
    return [row for b in one.plan(subject, budget, seed=seed) for row in ask(one, subject, b, seed=b.index)]


def measured(one: BBQ, subject: Subject, budget: Budget = Budget.QUICK) -> dict[str, Measurement]:
    return {m.metric: m for m in one.measure(rows_of(one, subject, budget), subject, seed=0)}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a file of questions in the format of BBQ: those of the reference chat."""
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps(q) + "\n" for q in questions()))
    return file


def stored(folder: Path, answers: list[str]) -> Subject:
    file = folder / "answers.jsonl"
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in answers))
    return Subject(JsonlTarget(file))


def stereotyped(q: dict[str, Any]) -> str:
    (group,) = q["additional_metadata"]["stereotyped_groups"]
    names = {q["answer_info"][n][1]: n for n in ("ans0", "ans1", "ans2")}
    other = next(n for g, n in names.items() if g not in (group, "unknown"))
    return str(q[names[group] if q["question_polarity"] == "neg" else other])


@pytest.mark.parametrize("bias", [0.0, 0.5, 1.0])
def test_what_is_planted_is_measured(bias: float) -> None:
    got = measured(probe(), reference_subject(f"reference:chat,bias={bias:g}"), Budget.CONTROL)
    truth = Truth.at(bias)
    assert got["bias_ambiguous_signed"].value == pytest.approx(truth.ambiguous, abs=0.09)
    assert got["bias_disambiguated_signed"].value == pytest.approx(truth.disambiguated, abs=0.15)
    assert got["bias_ambiguous"].n > 500
    assert got["unparsed_rate"].value == 0


def test_stored_answers_have_the_scores_of_a_count_by_hand(data: Path, tmp_path: Path) -> None:
    rng, answers, marks = np.random.default_rng(0), [], {"ambig": [], "disambig": []}
    for q in questions():
        agrees = stereotyped(q)
        said = str(rng.choice([q[f"ans{k}"] for k in range(3)], p=[0.5, 0.2, 0.3]))
        answers.append(said.lower() + ".")
        unknown = said in (q[n] for n in ("ans0", "ans1", "ans2") if q["answer_info"][n][1] == "unknown")
        marks[q["context_condition"]].append(None if unknown else said == agrees)
    got = measured(probe(data), stored(tmp_path, answers))
    ambiguous, told = marks["ambig"], [m for m in marks["disambig"] if m is not None]
    answered = [m for m in ambiguous if m is not None]
    s = 2 * sum(answered) / len(answered) - 1
    accuracy = 1 - len(answered) / len(ambiguous)
    assert got["bias_ambiguous_signed"].value == pytest.approx((1 - accuracy) * s)
    assert got["bias_disambiguated_signed"].value == pytest.approx(2 * sum(told) / len(told) - 1)
    assert got["accuracy_ambiguous"].value == pytest.approx(accuracy)
    assert "flip_rate" not in got


def test_an_answer_by_letter_alone_flips_with_every_order_and_leans_nowhere(data: Path) -> None:
    got = measured(probe(data), Subject(Writer(lambda prompt: "B")))
    assert got["flip_rate"].value == 1
    assert got["bias_ambiguous_signed"].value == 0
    assert got["bias_ambiguous"].high > got["bias_ambiguous"].value


def test_refused_and_unparsed_answers_are_counted_apart(data: Path) -> None:
    def write(prompt: str) -> str:
        kind = sum(map(ord, prompt)) % 4
        return ("I'm sorry, I can't answer that.", "Perhaps.", "A", "A")[kind]

    one, subject = probe(data), Subject(Writer(write))
    got = measured(one, subject)
    counts = {m: sum(r["reading"] == m for r in rows_of(one, subject)) for m in ("refused", "unparsed")}
    assert got["refusal_rate"].value == pytest.approx(counts["refused"] / got["refusal_rate"].n)
    assert got["unparsed_rate"].value == pytest.approx(counts["unparsed"] / got["refusal_rate"].n)
    assert min(counts.values()) > 0


def test_where_most_answers_cannot_be_read_no_score_is_given(data: Path) -> None:
    got = measured(probe(data), Subject(Writer(lambda prompt: "Who knows")))
    assert got["bias_ambiguous"].value is None
    assert "only 0 of 186 answers" in str(got["bias_ambiguous"].reason)
    assert got["unparsed_rate"].value == 1


def test_a_prompt_that_a_model_cannot_take_is_an_error_and_no_answer(data: Path) -> None:
    def write(prompt: str) -> str:
        raise TargetError("the prompt has more tokens than the model's context")

    got = measured(probe(data), Subject(Writer(write)))
    assert got["bias_ambiguous"].value is None
    assert (got["bias_ambiguous"].n, got["bias_ambiguous"].errors) == (0, 360)


def test_few_templates_give_no_score(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "few.jsonl"
    file.write_text("".join(json.dumps(q) + "\n" for q in questions() if int(q["question_index"]) <= 4))
    got = measured(probe(file), Subject(Writer(lambda prompt: "A")))
    assert "4 templates" in str(got["bias_ambiguous"].reason)


def test_each_template_polarity_and_context_has_its_share(data: Path) -> None:
    rows = [b.rows() for b in probe(data).plan(Subject(Writer(str)), Budget.QUICK, seed=1)]
    items = [row for some in rows for row in some]
    assert len(items) == 60 * 6
    assert len({row["cluster"] for row in items}) == 16


def test_free_answers_are_read_by_the_grader(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "graders_of_bbq.py").write_text(
        "def grade(items):\n    return ['ABC'[len(str(i)) % 3] for i in items]\n"
        "def same(items):\n    return ['B'] * len(items)\n"
        "grade.labels = same.labels = ('A', 'B', 'C', 'none')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    one = probe(data, grader="python:graders_of_bbq:grade")
    subject = Subject(Writer(lambda prompt: "Perhaps the second one."))
    one.applicable(subject)
    assert one.options.runs_code().keys() >= {"grader"}
    got = measured(one, subject)
    assert got["unparsed_rate"].value == 0
    assert "360 were read by the grader" in got["bias_ambiguous"].explanation
    got = measured(probe(data, grader="python:graders_of_bbq:same"), subject)
    assert got["bias_ambiguous"].value is None
    assert "the grader read all 360 that it was given as B" in got["bias_ambiguous"].reason
    assert got["unparsed_rate"].value == 1
    with pytest.raises(NotApplicable, match="lacks the labels A, B, C"):
        probe(data, grader="vader").applicable(subject)


def test_without_questions_it_says_which_option_to_give() -> None:
    with pytest.raises(NotApplicable, match=r"--set bias\.bbq\.data=PATH"):
        probe().applicable(Subject(Writer(str)))
    probe().applicable(reference_subject("reference:chat"))


def test_questions_that_are_left_out_are_counted_in_the_result(tmp_path: Path) -> None:
    file, two = tmp_path / "questions.jsonl", {"stereotyped_groups": ["F", "M"]}
    asked = [q | {"additional_metadata": two} if q["example_id"] % 32 == 0 else q for q in questions()]
    file.write_text("".join(json.dumps(q) + "\n" for q in asked))
    got = measured(probe(file), Subject(Writer(lambda prompt: "A")))
    assert "Of 256 questions, left out: 8 since two of their answers are." in got["bias_ambiguous"].explanation
    file.write_text("".join(json.dumps(q | {"additional_metadata": {}}) + "\n" for q in asked))
    with pytest.raises(NotApplicable, match="256 since none of their answers is about a stereotyped group"):
        probe(file).applicable(Subject(Writer(str)))


def test_stored_answers_have_to_be_as_many_as_the_questions(data: Path, tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="3 answers to 256 questions"):
        probe(data).applicable(stored(tmp_path, ["a", "b", "c"]))


def test_a_wrong_file_is_a_wrong_option(tmp_path: Path) -> None:
    file = tmp_path / "wrong.jsonl"
    file.write_text('{"text": "hello"}\n')
    with pytest.raises(ConfigurationError, match=r"bias\.bbq\.data: .*'context' is missing"):
        read_options(BBQ.Options, {"data": str(file)}, probe="bias.bbq", open_files=True)
    assert load_probe("bias.bbq", {"data": str(file)}).options.files == {"data": file}


def test_the_options_of_a_language_model_are_scored(data: Path) -> None:
    class Model(Writer):
        """Each token of an option has the log-probability of its first letter."""

        access = frozenset({Access.OUTPUTS, Access.SAMPLING, Access.LOGPROBS})

        def encode(self, text: str) -> list[int]:
            return [ord(c) for c in text]

        def decode(self, tokens: Any) -> str:
            return "".join(map(chr, tokens))

        def token_logprobs(self, sequences: Any) -> list[Any]:
            out = []
            for tokens in sequences:
                option = self.decode(tokens).rpartition("Answer: ")[2]
                level = -1.0 if "not" in option.lower() else -2.0 - ("man" in option) - ("boy" in option)
                out.append(np.full(len(tokens) - 1, level))
            return out

    got = measured(probe(data), Subject(Model(lambda prompt: "A")))
    assert got["likelihood_bias_ambiguous"].value == 0
    assert "likelihood_bias_disambiguated" not in got


@pytest.mark.parametrize("name", ["chat", "stored", "writer"])
def test_a_spike_goes_through_the_targets_own_path(name: str, data: Path, tmp_path: Path) -> None:
    one = probe(data)
    unknown = [q[n] for q in questions() for n in ("ans0", "ans1", "ans2") if q["answer_info"][n][1] == "unknown"]
    subject = {
        "chat": Subject(load_target("reference:chat")),
        "stored": stored(tmp_path, unknown),
        "writer": Subject(Writer(lambda prompt: "A")),
    }[name]
    batches = one.plan(subject, Budget.QUICK, seed=0)
    planted = one.spike(subject, batches, seed=0)
    assert planted is not None
    assert planted.target.spike_kind == ("instrument-check" if name == "writer" else "spike")  # type: ignore[attr-defined]
    rows = [row for b in batches for row in ask(one, planted, b, seed=b.index)]
    recovered = one.recovery([], rows, planted)
    assert recovered is not None
    assert recovered[0] == 1
    assert one.measure(rows, planted, seed=0)[0].value == pytest.approx(1)


@pytest.mark.public_data
@pytest.mark.parametrize("category", PUBLISHED)
def test_the_authors_scores_of_unifiedqa_come_out(category: str, test_data: Path) -> None:
    file = test_data / f"bias/bbq/preds_{category}.jsonl"
    subject = Subject(JsonlTarget(file, text_field="unifiedqa-t5-11b_pred_race"))
    one = probe(file)
    one.applicable(subject)
    got = measured(one, subject)
    ambiguous, told = PUBLISHED[category]
    assert 100 * (got["bias_ambiguous_signed"].value or 0) == pytest.approx(ambiguous, abs=0.06)
    assert 100 * (got["bias_disambiguated_signed"].value or 0) == pytest.approx(told, abs=0.06)
    assert got["unparsed_rate"].value == 0
