"""A classifier as a target: recognised, asked, trained again, and refused with a reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from guardrails.core.errors import ConfigurationError, TargetError
from guardrails.core.registry import load_probe, probes
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality
from guardrails.targets import load_target
from guardrails.targets.estimator import EstimatorTarget, is_estimator


def table(n: int = 60, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n))
    return pd.DataFrame({"a": a, "b": b, "kind": np.where(a + rng.normal(size=n) > 0, "yes", "no")})


def fitted(model: Any, data: pd.DataFrame | None = None) -> Any:
    data = table() if data is None else data
    return model.fit(data[["a", "b"]], data["kind"])


def test_a_fitted_classifier_is_a_target_that_can_be_trained_again() -> None:
    target = load_target(fitted(LogisticRegression()))
    assert isinstance(target, EstimatorTarget)
    assert target.modality is Modality.TABLE
    assert target.access == {Access.LOGPROBS, Access.PREDICTIONS, Access.RETRAINING}
    assert set(target.identity()) == {"estimator", "settings"}
    assert target.identity() != load_target(fitted(LogisticRegression(C=2))).identity()


def test_its_identity_does_not_say_where_its_parts_lie_in_memory() -> None:
    def model() -> Any:
        return make_pipeline(make_column_transformer((StandardScaler(), make_column_selector())), LogisticRegression())

    first, second = model(), model()
    assert repr(first.get_params()) != repr(second.get_params())
    assert load_target(fitted(first)).identity() == load_target(fitted(second)).identity()


def test_its_confidence_is_the_probability_of_the_true_label() -> None:
    model, data = fitted(LogisticRegression()), table(20, seed=1)
    every = model.predict_proba(data[["a", "b"]])
    expected = [row[1 if kind == "yes" else 0] for row, kind in zip(every, data["kind"], strict=True)]
    assert EstimatorTarget(model, "m").confidence(data) == pytest.approx(expected)


def test_an_estimator_that_was_fitted_to_an_array_gets_arrays_and_the_last_column_is_the_label() -> None:
    data = table()
    model = LogisticRegression().fit(data[["a", "b"]].to_numpy(), data["kind"])
    target = EstimatorTarget(model, "m")
    assert target.label(data.columns) == "kind"
    assert target.confidence(data) == pytest.approx(EstimatorTarget(fitted(LogisticRegression()), "m").confidence(data))
    assert not hasattr(target.retrained(data, seed=0).estimator, "feature_names_in_")


def test_the_label_is_the_last_column_that_is_no_feature() -> None:
    data = table()[["kind", "a", "b"]].assign(kind=lambda t: t["kind"])
    data.insert(0, "name", "x")
    assert EstimatorTarget(fitted(LogisticRegression()), "m").label(data.columns) == "kind"


def test_training_again_follows_the_seed_in_every_step() -> None:
    target = EstimatorTarget(fitted(make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=0))), "m")
    a, b, c = (target.retrained(table(seed=2), seed=s) for s in (1, 1, 2))
    assert (a.confidence(table()) == b.confidence(table())).all()
    assert (a.confidence(table()) != c.confidence(table())).any()
    assert a.estimator is not target.estimator


def test_labels_that_it_does_not_know_have_no_probability() -> None:
    target = EstimatorTarget(fitted(DecisionTreeClassifier()), "m")
    data = table(4)
    data.loc[2, "kind"] = "perhaps"
    assert target.confidence(data)[2] == 0
    data["kind"] = 3
    with pytest.raises(TargetError, match=r"no label of column 'kind' is one of its classes \('no', 'yes'"):
        target.confidence(data)


def test_what_lacks_a_method_or_training_is_refused_with_what_to_do() -> None:
    with pytest.raises(TargetError, match=r"LinearSVC has no predict_proba.*CalibratedClassifierCV"):
        load_target(fitted(LinearSVC()))
    with pytest.raises(TargetError, match="LinearRegression has no predict_proba"):
        load_target(LinearRegression().fit([[0], [1]], [0, 1]))
    with pytest.raises(TargetError, match="has no classes_; fit it to the corpus first"):
        load_target(LogisticRegression())

    class Bare:
        classes_ = (0, 1)

        def fit(self, x: Any, y: Any) -> None: ...
        def predict(self, x: Any) -> None: ...
        def predict_proba(self, x: Any) -> None: ...

    with pytest.raises(TargetError, match=r"Bare has no get_params.*BaseEstimator"):
        load_target(Bare())


def test_what_makes_outputs_is_no_classifier() -> None:
    class Writer:
        def fit(self, texts: Any) -> None: ...
        def predict(self, prompts: Any) -> Any:
            return ["x"] * len(prompts)

    assert not is_estimator(Writer())
    assert not is_estimator(GaussianMixture())
    assert load_target(Writer()).modality is Modality.TEXT


def test_tables_that_do_not_fit_are_refused() -> None:
    target = EstimatorTarget(fitted(LogisticRegression()), "m")
    with pytest.raises(ConfigurationError, match="lacks 1 of the features that m uses: b"):
        target.label(["a", "kind"])
    with pytest.raises(ConfigurationError, match="no column beside the features of m"):
        target.label(["a", "b"])


class Odd(ClassifierMixin, BaseEstimator):
    """Does as it is told, wrongly."""

    def __init__(self, how: str = "shape") -> None:
        self.how = how

    def fit(self, x: Any, y: Any) -> Odd:
        if self.how == "fit":
            raise ZeroDivisionError("nothing\nto divide")
        self.classes_ = np.array(["no", "yes"])
        return self

    def predict_proba(self, x: Any) -> Any:
        if self.how == "raise":
            raise RuntimeError("broken")
        return {"shape": np.ones(len(x)), "nan": np.full((len(x), 2), np.nan), "sum": np.full((len(x), 2), 7.0)}[
            self.how
        ]


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("shape", r"predict_proba returned shape \(60,\); \(60, 2\) is needed"),
        ("nan", "returned what is no probability"),
        ("sum", "returned what is no probability"),
        ("raise", "m: predict_proba failed with RuntimeError: broken"),
    ],
)
def test_answers_that_are_no_probabilities_are_refused(how: str, reason: str) -> None:
    with pytest.raises(TargetError, match=reason):
        EstimatorTarget(Odd(how).fit(None, None), "m").confidence(table())


def test_a_fit_that_raises_is_a_reason() -> None:
    odd = Odd().fit(None, None)
    odd.how = "fit"
    with pytest.raises(TargetError, match=r"m: fit failed with ZeroDivisionError: nothing$"):
        EstimatorTarget(odd, "m").retrained(table(), seed=0)
    with pytest.raises(TargetError, match=r"m: fit failed with ValueError: .*one class"):
        EstimatorTarget(fitted(LogisticRegression()), "m").retrained(table().assign(kind="no"), seed=0)


def test_what_an_error_quotes_of_the_data_is_left_out() -> None:
    with pytest.raises(TargetError, match="could not convert string to float: '…'"):
        EstimatorTarget(fitted(LogisticRegression()), "m").retrained(table().assign(a="Ada Lovelace"), seed=0)


def test_other_probes_of_tables_say_which_access_they_need() -> None:
    subject = Subject(EstimatorTarget(fitted(LogisticRegression()), "m"), corpus=table(), holdout=table(seed=1))
    for name in probes():
        probe = load_probe(name)
        if Modality.TABLE in probe.modalities and not probe.requires <= subject.target.access:
            assert "access 'outputs' to the target" in probe.missing(subject)
