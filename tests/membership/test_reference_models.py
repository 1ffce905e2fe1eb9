from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cloudpickle import register_pickle_by_value, unregister_pickle_by_value
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier

from guardrails import cli
from guardrails.assay.audit.controls import control_outcome, control_subject, headline_threshold
from guardrails.assay.audit.spikes import batches_to_spike, spike_outcome
from guardrails.assay.policy.policy import judge
from guardrails.core.asking import ask
from guardrails.core.batch import Row
from guardrails.core.errors import ConfigurationError, TargetError
from guardrails.core.probe import Budget
from guardrails.core.results import AuditResult, Measurement
from guardrails.core.subject import Subject
from guardrails.membership.classifiers.reference_training import halves, reference_confidences
from guardrails.membership.reference_models import AT_ONCE, ReferenceModels
from guardrails.targets.estimator import EstimatorTarget


def table(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    words = rng.choice(["red", "blue"], n)
    return pd.DataFrame({**{f"x{i}": x[:, i] for i in range(4)}, "word": words, "y": x[:, 0] + rng.normal(0, 2, n) > 0})


CORPUS, HOLDOUT = table(160, 1), table(160, 2)
FEATURES = [f"x{i}" for i in range(4)]


def subject(model: Any = None, corpus: pd.DataFrame = CORPUS, holdout: pd.DataFrame = HOLDOUT) -> Subject:
    model = DecisionTreeClassifier(min_samples_leaf=3, random_state=0) if model is None else model
    if not hasattr(model, "classes_"):
        model.fit(corpus[FEATURES], corpus["y"])
    return Subject(EstimatorTarget(model, "m"), corpus=corpus, holdout=holdout)


def audited(
    given: Subject, budget: Budget = Budget.CONTROL, seed: int = 0, probe: ReferenceModels | None = None
) -> tuple[list[Row], list[Any], dict[str, Measurement]]:
    probe = probe or ReferenceModels()
    batches = probe.plan(given, budget, seed=seed)
    rows = [row for batch in batches for row in ask(probe, given, batch, seed=seed)]
    json.dumps([batch.to_json() for batch in batches], allow_nan=False)
    json.dumps(rows, allow_nan=False)
    return rows, batches, {m.metric: m for m in probe.measure(rows, given, seed=seed)}


def test_an_overfitted_tree_tells_its_rows() -> None:
    rows, batches, readings = audited(subject())
    auc = readings["membership_auc"]
    assert auc.value is not None
    assert auc.low is not None
    assert auc.low > 0.6
    assert auc.n == 320
    assert [p.x for p in auc.series[0].points] == ["RMIA", "LiRA", "loss"]
    assert "8 reference models" in auc.method
    assert [sum(i.arm == "models" for i in b.items) for b in batches] == [0, 0, 0, 0, AT_ONCE]
    assert not any(word in json.dumps(rows) for word in ("red", "blue"))
    assert readings["tpr_at_1pct_fpr"].value is None
    assert "insufficient n" in (readings["tpr_at_1pct_fpr"].reason or "")


def test_a_classifier_that_generalizes_raises_no_alarm() -> None:
    _, _, readings = audited(subject(LogisticRegression(C=1e-3)))
    assert judge(readings["membership_auc"], headline_threshold(ReferenceModels()))[0].value != "fail"
    assert readings["blind_auc"].low is not None
    assert readings["blind_auc"].low < 0.55


@pytest.mark.slow
@pytest.mark.parametrize("dose", ["", ",overfit=1"])
def test_its_controls_come_out(dose: str) -> None:
    probe = ReferenceModels()
    control = next(c for c in probe.controls if c.source == f"classifier:tabular{dose}")
    _, _, readings = audited(control_subject(control.source), probe=probe)
    assert control_outcome(probe, control, readings["membership_auc"], None).behaved


@pytest.mark.parametrize("spec", ["classifier:tabular,overfit=.3", "classifier:gpt-text", "classifier:tabular,leek=1"])
def test_controls_that_do_not_exist_are_refused(spec: str) -> None:
    with pytest.raises(ConfigurationError):
        control_subject(spec)


def test_each_model_is_trained_on_as_many_rows_as_the_target_and_never_on_what_it_is_asked_unseen() -> None:
    seen: list[set[float]] = []

    class Spy(EstimatorTarget):
        def retrained(self, rows: pd.DataFrame, *, seed: int) -> Any:
            assert len(rows) == 160
            seen.append(set(rows["x0"]))
            return super().retrained(rows, seed=seed)

    given = subject()
    rows, _, _ = audited(replace(given, target=Spy(given.target.estimator, "m"), holdout=HOLDOUT[:60]))  # type: ignore[attr-defined]
    items = sorted((r for r in rows if "place" in r), key=lambda r: r["place"])
    assert [r["arm"] for r in items] == ["corpus"] * 60 + ["holdout"] * 60
    pool = pd.concat([CORPUS, HOLDOUT[:60]], ignore_index=True)
    asked = [pool["x0"][r["index"]] for r in items]
    for model, inside in zip((r for r in rows if "model" in r), seen, strict=True):
        assert model["trained"] == "".join("01"[value in inside] for value in asked)
        assert set(CORPUS["x0"]) - set(asked) <= inside


def test_copies_of_a_row_go_with_it() -> None:
    given = subject(corpus=pd.concat([CORPUS, CORPUS[:50]], ignore_index=True))
    lengths = []

    class Spy(EstimatorTarget):
        def retrained(self, rows: pd.DataFrame, *, seed: int) -> Any:
            counts = rows["x0"].value_counts()
            lengths.append(len(rows))
            assert set(counts[counts.index.isin(set(CORPUS["x0"][:50]))]) <= {2}
            return super().retrained(rows, seed=seed)

    audited(replace(given, target=Spy(given.target.estimator, "m")))  # type: ignore[attr-defined]
    assert sum(lengths) == 8 * (160 + 25)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_number_of_processes_changes_nothing() -> None:
    model = MLPClassifier((4,), max_iter=5, random_state=0)
    given = subject(model)
    pool = pd.concat([CORPUS, HOLDOUT], ignore_index=True)
    training = [np.flatnonzero(halves(k, len(pool), seed=0)) for k in range(4)]
    args = (given.target, pool, training, np.arange(len(pool)))
    one, two = (list(reference_confidences(*args, seeds=range(4), jobs=jobs)) for jobs in (1, 2))
    assert all((a == b).all() for a, b in zip(one, two, strict=True))
    assert len({a.tobytes() for a in one}) == 4  # type: ignore[union-attr]


def test_what_goes_over_the_disk_is_what_the_models_say_and_nothing_stays_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    given = subject(RandomForestClassifier(3, random_state=0))
    target, training, asked = given.target, [np.arange(80), np.arange(40, 160)], np.arange(0, 160, 3)
    told = reference_confidences(target, CORPUS, training, asked, seeds=[3, 4], jobs=1)
    for rows, seed, said in zip(training, [3, 4], told, strict=True):
        alone = target.retrained(CORPUS.iloc[rows], seed=seed)  # type: ignore[attr-defined]
        assert said.tolist() == alone.confidence(CORPUS.iloc[asked]).tolist()  # type: ignore[union-attr]
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())


def test_a_disk_that_cannot_be_written_to_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    told = reference_confidences(subject().target, CORPUS, [np.arange(80)], np.arange(9), seeds=[0], jobs=1)
    with pytest.raises(TargetError, match="could not be written"):
        list(told)


class Dying(DecisionTreeClassifier):
    """Its process ends while it is trained again, unless it is this one."""

    def __init__(self, home: int | None = None) -> None:
        super().__init__()
        self.home = home

    def fit(self, x: Any, y: Any) -> Any:
        import os

        if self.home not in (None, os.getpid()):
            os._exit(1)
        return super().fit(x, y)


@pytest.mark.slow
def test_a_process_that_ends_is_one_reason() -> None:
    register_pickle_by_value(sys.modules[__name__])  # of this module, a worker knows nothing
    args = (CORPUS, [np.arange(80)] * 3, np.arange(9))
    told = reference_confidences(subject(Dying()).target, *args, seeds=range(3), jobs=2)
    assert all(not isinstance(said, str) for said in told)
    told = reference_confidences(subject(Dying(os.getpid())).target, *args, seeds=range(3), jobs=2)
    with pytest.raises(TargetError, match="a process that trained it was ended, perhaps for memory"):
        list(told)
    unregister_pickle_by_value(sys.modules[__name__])


def test_what_cannot_be_sent_to_another_process_is_a_reason() -> None:
    given = subject()
    given.target.estimator.lock = threading.Lock()  # type: ignore[attr-defined]
    with pytest.raises(TargetError, match="cannot be sent to another process"):
        list(reference_confidences(given.target, CORPUS, [np.arange(80)] * 2, np.arange(9), seeds=[0, 1], jobs=2))


class Failing(ClassifierMixin, BaseEstimator):
    """Fits nothing whose last row has an x0 above the limit."""

    def __init__(self, limit: float = -9.0) -> None:
        self.limit, self.classes_, self.feature_names_in_ = limit, np.array([False, True]), np.array(FEATURES)

    def fit(self, x: Any, y: Any) -> Failing:
        if x["x0"].iloc[-1] > self.limit:
            raise ArithmeticError("diverged")
        return self

    def predict_proba(self, x: Any) -> Any:
        p = 1 / (1 + np.exp(-x["x0"].to_numpy()))
        return np.stack([1 - p, p], 1)


def test_a_fit_that_always_raises_leaves_one_reason() -> None:
    rows, _, readings = audited(subject(Failing()))
    assert sum("error" in r for r in rows) == 8
    for measurement in readings.values():
        assert measurement.value is None
        assert "0 reference models could be trained; at least 4 are needed" in (measurement.reason or "")
        assert "8 reference models failed; the first: m: fit failed with ArithmeticError: diverged" in (
            measurement.reason or ""
        )


def test_models_that_fail_now_and_then_are_counted_and_said() -> None:
    holdout = HOLDOUT.copy()
    holdout.loc[159, "x0"] = 99.0  # half of the models are trained on the last row, and have it last
    rows, _, readings = audited(subject(Failing(50.0), holdout=holdout))
    auc = readings["membership_auc"]
    assert sum("confidences" in r for r in rows) == 4
    assert "4 reference models failed; the first: m: fit failed" in auc.explanation
    assert 1 <= auc.errors < 100  # the last row, and about one in eight, has no model with it or none without it


def test_a_target_that_fails_is_counted_in_errors() -> None:
    class Broken(EstimatorTarget):
        def confidence(self, rows: pd.DataFrame) -> Any:
            raise TargetError("out of memory")

    given = subject()
    _, _, readings = audited(replace(given, target=Broken(given.target.estimator, "m")))  # type: ignore[attr-defined]
    assert readings["membership_auc"].errors == 320
    assert readings["membership_auc"].n == 0
    assert readings["membership_auc"].value is None


def test_the_same_rows_on_both_sides_are_named() -> None:
    _, _, readings = audited(subject(holdout=CORPUS.copy()))
    for measurement in readings.values():
        assert measurement.value is None
        assert "160 of 160 different holdout rows also occur in the corpus" in (measurement.reason or "")


def test_holdout_rows_that_stand_in_the_corpus_are_left_out_and_named() -> None:
    rows, _, readings = audited(subject(holdout=pd.concat([HOLDOUT[:60], CORPUS[:30]], ignore_index=True)))
    assert max(r["index"] for r in rows if r.get("arm") == "holdout") < 160 + 60
    assert "30 of 90 different holdout rows" in readings["membership_auc"].explanation
    assert "number 60, 61" in readings["membership_auc"].explanation


def test_rows_without_a_label_are_left_out_and_said() -> None:
    corpus = CORPUS.assign(y=CORPUS["y"].astype(object))
    corpus.loc[:9, "y"] = None
    rows, _, readings = audited(subject(DecisionTreeClassifier().fit(CORPUS[FEATURES], CORPUS["y"]), corpus=corpus))
    assert min(r["index"] for r in rows if r.get("arm") == "corpus") == 10
    assert "10 rows have no label in column 'y'" in readings["membership_auc"].explanation


def test_too_few_rows_are_a_reason_and_train_nothing() -> None:
    for corpus, holdout in ((CORPUS[:39], HOLDOUT), (CORPUS, HOLDOUT[:1]), (CORPUS, HOLDOUT[:0])):
        model = DecisionTreeClassifier().fit(CORPUS[FEATURES], CORPUS["y"])
        rows, _, readings = audited(subject(model, corpus=corpus, holdout=holdout))
        assert not any("model" in r for r in rows)
        assert "at least 40 rows of each are needed" in (readings["membership_auc"].reason or "")


def test_constant_confidences_and_one_class_tell_nothing() -> None:
    one = DecisionTreeClassifier().fit(CORPUS[FEATURES], CORPUS["y"] | True)
    _, _, readings = audited(subject(one, corpus=CORPUS.assign(y=True), holdout=HOLDOUT.assign(y=True)))
    assert "gives all the same score" in (readings["membership_auc"].reason or "")


def test_a_confounded_split_is_not_assessed() -> None:
    shifted = HOLDOUT.assign(x2=HOLDOUT["x2"] + 2)
    _, _, readings = audited(subject(holdout=shifted))
    assert "the split is confounded" in (readings["membership_auc"].reason or "")
    assert judge(readings["membership_auc"], headline_threshold(ReferenceModels()))[0].value == "not-assessed"


@pytest.mark.parametrize(
    ("corpus", "holdout", "reason"),
    [
        (CORPUS, HOLDOUT.drop(columns="word"), "--holdout lacks columns of --corpus: word"),
        (CORPUS.drop(columns="x1"), HOLDOUT, "lacks 1 of the features"),
        (CORPUS[FEATURES], HOLDOUT[FEATURES], "no column beside the features"),
        ([[1, 2]], HOLDOUT, "--corpus: a table .* is needed, not list"),
        (CORPUS.rename(columns={"word": "y"}), HOLDOUT, "two columns have the same name"),
    ],
)
def test_tables_that_do_not_fit_are_one_message(corpus: Any, holdout: Any, reason: str) -> None:
    given = replace(subject(), corpus=corpus, holdout=holdout)
    with pytest.raises(ConfigurationError, match=reason):
        ReferenceModels().plan(given, Budget.CONTROL, seed=0)


def test_any_rows_can_be_measured() -> None:
    given, probe = subject(), ReferenceModels()
    rows, _, _ = audited(given, probe=probe)
    for some in ([], rows[:3], rows[:320], rows[320:], rows[100:], rows[:330], [*rows, *rows]):
        readings = probe.measure(some, given, seed=0)
        assert readings[0].metric == "membership_auc"
        assert readings[0].value is not None or readings[0].reason
    for turned, straight in zip(
        probe.measure(rows[::-1], given, seed=0), probe.measure(rows, given, seed=0), strict=True
    ):
        assert turned.value == pytest.approx(straight.value)


def test_the_spike_is_recovered_and_turns_the_finding() -> None:
    given, probe = subject(LogisticRegression(C=1e-3)), ReferenceModels()
    clean, batches, _ = audited(given, probe=probe)
    batches = batches_to_spike(batches)
    planted = probe.spike(given, batches, seed=0)
    assert planted is not None
    spiked = [row for batch in batches for row in ask(probe, planted, batch, seed=0)]
    assert {r["arm"] for r in spiked} == {"corpus"}
    outcome = spike_outcome(probe, clean, spiked, given, headline_threshold(probe), seed=0)
    assert outcome.recovery == 1
    assert outcome.smallest_dose is not None
    assert outcome.smallest_dose <= 0.5


MODULE = """
import numpy as np, pandas as pd
from sklearn.tree import DecisionTreeClassifier
train = pd.read_csv("train.csv")
model = DecisionTreeClassifier(random_state=0).fit(train[["x0", "x1", "x2", "x3"]], train["y"])
"""


@pytest.mark.slow
def test_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    CORPUS.to_csv("train.csv", index=False)
    HOLDOUT.to_csv("unseen.csv", index=False)
    (tmp_path / "scoring_of_tests.py").write_text(MODULE)
    asked = ["python:scoring_of_tests:model", "--corpus", "train.csv", "--holdout", "unseen.csv"]
    code = cli.run(["audit", *asked, "--probes", "membership.reference-models", "--budget", "quick", "--out", "run"])
    assert code == 1
    (finding,) = AuditResult.from_json(Path("run/result.json").read_text()).findings
    assert finding.status.value == "fail"
    assert [control.behaved for control in finding.controls] == [True, True]
