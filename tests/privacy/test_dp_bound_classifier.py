"""The lower bound on ε for classifiers: by heart, at random, under a claimed ε, and trained with a true one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier

from guardrails import cli
from guardrails.assay.audit.controls import control_subject, headline_threshold
from guardrails.assay.policy.policy import judge
from guardrails.core.asking import ask
from guardrails.core.batch import Row
from guardrails.core.errors import ConfigurationError
from guardrails.core.probe import Budget
from guardrails.core.results import AuditResult, Measurement
from guardrails.core.subject import Subject
from guardrails.core.targets import Access
from guardrails.privacy.dp_bound_classifier import ClassifierPrivacyBound
from guardrails.privacy.one_run_bound import epsilon_bound
from guardrails.privacy.one_run_guesses import DELTA
from guardrails.targets import private_classifier
from guardrails.targets.estimator import EstimatorTarget
from guardrails.targets.private_classifier import PrivateClassifier

FEATURES = ["a", "b"]


def table(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "y": rng.random(n) < 0.5})


def subject(corpus: pd.DataFrame, holdout: pd.DataFrame, *, claimed: Any = None) -> Subject:
    model = DecisionTreeClassifier(random_state=0).fit(corpus[FEATURES], corpus["y"])
    if claimed is not None:
        model.claimed_epsilon = claimed
    return Subject(EstimatorTarget(model, "m"), corpus=corpus, holdout=holdout)


def read(given: Subject, seed: int = 0) -> tuple[list[Row], Measurement, Measurement]:
    probe = ClassifierPrivacyBound()
    batches = probe.plan(given, Budget.CONTROL, seed=seed)
    rows = [row for batch in batches for row in ask(probe, given, batch, seed=0)]
    json.dumps(rows, allow_nan=False)
    bound, blind = probe.measure(rows, given, seed=seed)
    return rows, bound, blind


def test_a_tree_that_knows_its_rows_is_convicted_by_those_it_does_not_know() -> None:
    # Labels are coins: of its own rows it is always right, of others half of the time.
    rows, bound, blind = read(subject(table(400, 1), table(400, 2)))
    scored = sorted(rows, key=lambda r: r["confidence"])
    lowest = [r["arm"] for r in scored[: len(rows) // 10]]
    assert set(lowest) == {"holdout"}
    right = int(bound.explanation.split()[0])
    guesses = len(rows) // 5
    assert right >= guesses // 2 + guesses // 4
    assert bound.value == epsilon_bound(right, guesses, len(rows), delta=DELTA)
    assert bound.value is not None
    assert bound.value > 1
    assert blind.value == pytest.approx(0.5, abs=0.06)


@pytest.mark.slow
def test_a_tree_that_learnt_none_of_the_rows_proves_nothing() -> None:
    stranger = subject(table(400, 99), table(400, 98)).target
    given = [Subject(stranger, corpus=table(400, 2 * s), holdout=table(400, 2 * s + 1)) for s in range(20)]
    known = [bound for one in given if (bound := read(one)[1].value) is not None]
    assert len(known) >= 18
    assert sum(b > 0 for b in known) <= 4  # 5% are promised: more than 4 of 20 would come once in 400 times


@pytest.mark.parametrize(
    ("claimed", "said"),
    [
        (0.5, "ε = 0.5 is claimed of the training: this bound contradicts it"),
        (9, "ε = 9 is claimed of the training, which this bound does not contradict"),
        (float("nan"), ""),
        ("one", ""),
        (-1.0, ""),
    ],
)
def test_what_is_claimed_is_held_against_the_bound(claimed: Any, said: str) -> None:
    _, bound, _ = read(subject(table(400, 1), table(400, 2), claimed=claimed))
    assert said in bound.explanation
    assert ("claimed" in bound.explanation) == bool(said)


def test_rows_in_both_are_left_out_and_named() -> None:
    corpus, holdout = table(200, 1), table(200, 2)
    _, bound, _ = read(subject(corpus, pd.concat([holdout, corpus[:30]], ignore_index=True)))
    assert "30 of 230 different holdout rows" in bound.explanation


def test_a_confounded_split_is_not_assessed() -> None:
    _, bound, blind = read(subject(table(300, 1), table(300, 2).assign(b=lambda t: t["b"] + 2)))
    assert bound.value is None
    assert "the split is confounded" in (bound.reason or "")
    assert blind.value is not None
    assert judge(bound, headline_threshold(ClassifierPrivacyBound()))[0].value == "not-assessed"


@pytest.mark.parametrize("size", [0, 1, 10])
def test_too_few_rows_are_a_reason(size: int) -> None:
    _, bound, blind = read(subject(table(200, 1), table(size, 2)))
    assert bound.value is blind.value is None
    assert "at least 50 are needed" in (bound.reason or "")


def test_what_fails_counts_as_an_error() -> None:
    class Broken(DecisionTreeClassifier):
        def predict_proba(self, x: Any) -> Any:
            raise ArithmeticError("x")

    corpus = table(200, 1)
    given = subject(corpus, table(200, 2))
    model = Broken().fit(corpus[FEATURES], corpus["y"])
    rows, bound, _ = read(replace(given, target=EstimatorTarget(model, "m")))
    assert (bound.n, bound.errors, bound.value) == (0, len(rows), None)


def test_tables_that_do_not_fit_are_one_message() -> None:
    given = subject(table(200, 1), table(200, 2))
    for corpus, holdout in (([[1]], given.holdout), (given.corpus, given.holdout.drop(columns="b"))):
        with pytest.raises(ConfigurationError):
            ClassifierPrivacyBound().plan(replace(given, corpus=corpus, holdout=holdout), Budget.CONTROL, seed=0)


def test_a_frequent_label_is_no_sign_of_membership() -> None:
    # Nine in ten labels are the same, and right for others too; rare ones are right for its own rows alone.
    rare = [
        t.assign(y=np.random.default_rng(i).random(1000) < 0.1) for i, t in enumerate(map(table, (1000, 1000), (1, 2)))
    ]
    rows, bound, _ = read(subject(*rare))
    plain = sorted(rows, key=lambda r: (-r["confidence"], r["item"][-1]))[: len(rows) // 10]
    by_confidence = sum(r["arm"] == "corpus" for r in plain) + len(rows) // 10
    assert int(bound.explanation.split()[0]) > by_confidence + 5


# The reference that was trained with differential privacy


def private() -> Subject:
    return control_subject("classifier:tabular,private=1")


def test_its_claim_is_not_contradicted() -> None:
    given = private()
    _, bound, _ = read(given)
    assert bound.value is not None
    assert bound.value <= 1
    assert "ε = 1 is claimed of the training, which this bound does not contradict" in bound.explanation
    assert judge(bound, headline_threshold(ClassifierPrivacyBound()))[0].value == "pass"


def test_it_classifies_as_its_card_says() -> None:
    given: Any = private()
    model, card = given.target.estimator, given.target.estimator.card
    label = given.holdout.columns[-1]
    accuracy = float((model.predict(given.holdout) == given.holdout[label]).mean())
    assert accuracy == pytest.approx(card["holdout"]["private"]["accuracy"], abs=1e-4)
    assert card["holdout"]["private"]["auc"] > card["holdout"]["not_private"]["auc"] - 0.05
    assert card["spent_epsilon"] <= card["claimed_epsilon"] == 1
    assert card["epsilon_lower_bound"]["private"] <= 1 < card["epsilon_lower_bound"]["not_private_overfitted"]
    assert given.target.access == {Access.LOGPROBS, Access.PREDICTIONS}


def test_probabilities_are_those_of_the_network() -> None:
    given: Any = private()
    model, rows = given.target.estimator, given.holdout.head(50)
    w = model.weights
    for row, p in zip(rows.to_dict("records"), model.predict_proba(rows), strict=True):
        x: list[float] = []
        for name, (middle, reach) in model.card["numbers"].items():
            x.append(max(-1.0, min(1.0, (row[name] - middle) / reach)))
        for name, levels in model.card["levels"].items():
            x += [float(row[name] == level) for level in levels]
        hidden = [
            np.tanh(sum(v * w["hidden_weight"][i, j] for i, v in enumerate(x)) + w["hidden_bias"][j])
            for j in range(len(w["hidden_bias"]))
        ]
        z = sum(h * v for h, v in zip(hidden, w["weight"], strict=True)) + w["bias"][0]
        assert p.tolist() == pytest.approx([1 / (1 + np.exp(z)), 1 / (1 + np.exp(-z))])


def test_weights_that_are_not_those_of_the_card_are_refused(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("json", "safetensors"):
        name = f"tabular,private=1.{kind}"
        (tmp_path / name).write_bytes((private_classifier.WEIGHTS / name).read_bytes())
    monkeypatch.setattr(private_classifier, "WEIGHTS", tmp_path)
    PrivateClassifier.load("tabular,private=1")
    with (tmp_path / "tabular,private=1.safetensors").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ConfigurationError, match="does not have the hash that its card states"):
        PrivateClassifier.load("tabular,private=1")


@pytest.mark.parametrize(
    "spec", ["tabular,private=2", "tabular,private=1,overfit=1", "tabular,leak=1,private=1", "gpt-text,private=1"]
)
def test_what_does_not_ship_is_refused(spec: str) -> None:
    with pytest.raises(ConfigurationError):
        control_subject(f"classifier:{spec}")


MODULE = """
import pandas as pd
from sklearn.tree import DecisionTreeClassifier
train = pd.read_csv("train.csv")
model = DecisionTreeClassifier(random_state=0).fit(train[["a", "b"]], train["y"])
model.claimed_epsilon = 0.5
"""


@pytest.mark.slow
def test_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, seed in (("train", 1), ("unseen", 2)):
        table(600, seed).to_csv(f"{name}.csv", index=False)
    (tmp_path / "bound_of_tests.py").write_text(MODULE)
    asked = ["python:bound_of_tests:model", "--corpus", "train.csv", "--holdout", "unseen.csv"]
    code = cli.run(["audit", *asked, "--probes", "privacy.dp-bound-classifier", "--budget", "quick", "--out", "run"])
    assert code == 1
    (finding,) = AuditResult.from_json(Path("run/result.json").read_text()).findings
    assert finding.status.value == "fail"
    assert [control.behaved for control in finding.controls] == [True, True]
    assert "this bound contradicts it" in Path("run/result.json").read_text()
