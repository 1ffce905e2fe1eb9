"""Decisions by group: of classifiers and of tables, against fairlearn's point values, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from sklearn.linear_model import LogisticRegression

from guardrails.assay.policy.policy import load_policy
from guardrails.core.asking import ask
from guardrails.core.batch import Row
from guardrails.core.errors import NotApplicable
from guardrails.core.probe import Budget
from guardrails.core.registry import load_probe
from guardrails.core.results import Measurement
from guardrails.core.statistics import newcombe
from guardrails.core.subject import Subject
from guardrails.fairness.groups import Groups
from guardrails.fairness.metrics import sources
from guardrails.targets import load_target, reference_subject
from guardrails.targets.table import FrameTarget


def people(n: int = 1200, gap: float = 0.3, seed: int = 0) -> pd.DataFrame:
    """Return rows with groups, features, a prediction that depends on the sex by `gap`, and a true label."""
    rng = np.random.default_rng(seed)
    sex, race = rng.choice(["f", "m"], n), rng.choice(["a", "b", "c"], n, p=[0.6, 0.35, 0.05])
    x = rng.normal(size=n)
    fair = rng.random(n) >= gap
    decided = np.where(np.where(fair, x + rng.normal(size=n) > 0, sex == "m"), "yes", "no")
    true = np.where(x + rng.normal(size=n) > 0, "yes", "no")
    return pd.DataFrame({"sex": sex, "race": race, "x": x, "decided": decided, "truth": true})


def of_table(table: pd.DataFrame, probe: str = "fairness.groups", **options: Any) -> dict[str, Measurement]:
    return measured(probe, Subject(FrameTarget(table)), **{"columns": "sex", "prediction": "decided"} | options)


def collected(probe: Any, subject: Subject) -> list[Row]:
    batches = probe.plan(subject, Budget.QUICK, seed=3)
    return [row for batch in batches for row in ask(probe, subject, batch, seed=batch.index)]


def measured(name: str, subject: Subject, **options: Any) -> dict[str, Measurement]:
    probe = load_probe(name, options)
    assert probe.missing(subject) == []
    return {m.metric: m for m in probe.measure(collected(probe, subject), subject, seed=0)}


def test_the_point_values_are_those_of_fairlearn() -> None:
    fairlearn = pytest.importorskip("fairlearn.metrics")
    metrics = pytest.importorskip("sklearn.metrics")
    table = people()
    y, p = (table[c] == "yes" for c in ("truth", "decided"))
    frame = fairlearn.MetricFrame(
        metrics={
            "selection_rate": fairlearn.selection_rate,
            "accuracy": metrics.accuracy_score,
            "true_positive_rate": fairlearn.true_positive_rate,
            "false_positive_rate": fairlearn.false_positive_rate,
            "precision": metrics.precision_score,
        },
        y_true=y,
        y_pred=p,
        sensitive_features=table["race"],
    )
    values = of_table(table, columns="race", label="truth")
    for metric, gap in frame.difference().items():
        assert values[f"{metric}_difference"].value == pytest.approx(gap), metric
    assert values["selection_rate_ratio"].value == pytest.approx(frame.ratio()["selection_rate"])
    odds = fairlearn.equalized_odds_difference(y, p, sensitive_features=table["race"])
    assert values["equalized_odds_difference"].value == pytest.approx(odds)


def test_a_planted_gap_is_found_with_its_groups() -> None:
    planted = of_table(people(3000))["selection_rate_difference"]
    assert planted.low is not None
    assert planted.low > 0.2
    assert "Higher for sex = m than for sex = f. Evidence of an association" in planted.explanation
    assert planted.baseline is not None
    assert planted.baseline.value < 0.05


def test_where_there_is_no_gap_an_interval_leaves_out_0_and_a_p_is_small_no_more_often_than_stated() -> None:
    runs = 60
    of_chance = [of_table(people(400, gap=0.0, seed=seed))["selection_rate_difference"] for seed in range(runs)]
    most = binom.ppf(0.999, runs, 0.05)  # more than these come once in a thousand times
    assert sum(m.low > 0 for m in of_chance) <= most
    assert sum("Evidence of an association" in m.explanation for m in of_chance) <= most
    assert sum("no evidence of an association" in m.explanation for m in of_chance) >= runs - most


def test_without_labels_selection_alone_is_compared() -> None:
    values = of_table(people())
    assert set(values) == {"selection_rate_difference", "selection_rate_ratio"}
    assert "Without true labels" in values["selection_rate_difference"].explanation


def test_missing_labels_and_groups_are_counted_and_left_out() -> None:
    table = people()
    table.loc[:99, "truth"] = None
    table.loc[:49, "sex"] = None
    values = of_table(table, label="truth")
    text = values["selection_rate_difference"].explanation
    assert "50 rows have no value of sex and were left out there." in text
    assert "100 of 1,200 rows have no true label" in text
    assert values["selection_rate_difference"].n == 1150
    assert values["accuracy_difference"].n == 1100


def test_a_group_without_positives_has_no_true_positive_rate() -> None:
    table = people()
    table["sex"] = np.where(table["truth"] == "no", "f", "m")
    values = of_table(table, label="truth")
    tpr = values["true_positive_rate_difference"]
    assert tpr.value is None
    assert "insufficient evidence" in str(tpr.reason)
    assert "sex = f: 0" in str(tpr.reason)
    assert values["equalized_odds_difference"].value is None
    (evidence,) = values["selection_rate_difference"].evidence
    cells = {row[0]: row for row in evidence.rows}
    assert cells["sex = f"][4] == "insufficient evidence (n = 0)"


@pytest.mark.parametrize(
    ("change", "options", "reason"),
    [
        (lambda t: t.assign(sex="f"), {}, "insufficient evidence: fewer than two groups"),
        (lambda t: t.assign(sex=None), {}, "insufficient evidence"),
        (lambda t: t.assign(sex=range(len(t))), {}, "has 1200 different values; at most 50"),
        (lambda t: t.assign(decided=None), {}, "no decision to compare: there is no decision for this row"),
        (lambda t: t.assign(decided=t.index % 3), {}, "the decisions have 3 values"),
        (lambda t: t, {"positive": "maybe"}, "no decision is 'maybe'; there are no, yes"),
        (lambda t: t, {"columns": "sx"}, "no column 'sx'. Did you mean 'sex'?"),
        (lambda t: t.assign(truth=t["truth"] == "yes"), {"label": "truth"}, "the decisions have 4 values (predicted"),
        (lambda t: t.head(3), {}, "insufficient evidence"),
    ],
)
def test_what_cannot_be_compared_has_a_reason(change: Any, options: dict[str, Any], reason: str) -> None:
    values = of_table(change(people()), **options)
    headline = values["selection_rate_difference"]
    assert headline.value is None
    assert reason in str(headline.reason)


def test_a_positive_value_can_be_named_and_the_assumed_one_is_said() -> None:
    table = people()
    yes, no = of_table(table), of_table(table, positive="no")
    assert "Selected: 'yes', the last of the two values" in yes["selection_rate_difference"].explanation
    assert "Selected: 'no'." in no["selection_rate_difference"].explanation
    key = "selection_rate_difference"
    assert yes[key].value == pytest.approx(no[key].value)


def test_probabilities_of_a_table_are_compared_with_what_came_true() -> None:
    rng = np.random.default_rng(5)
    p, sex = rng.random(4000), rng.choice(["f", "m"], 4000)
    true = rng.random(4000) < np.clip(p + np.where(sex == "m", 0.15, 0) * (p < 0.85), 0, 1)
    table = pd.DataFrame({"sex": sex, "decided": (p > 0.5).astype(int), "truth": true.astype(int), "p": p})
    gap = of_table(table, label="truth", probability="p")["calibration_difference"]
    error = table["truth"] - table["p"]
    assert gap.value == pytest.approx(error[table["sex"] == "m"].mean() - error[table["sex"] == "f"].mean())
    assert gap.low is not None
    assert gap.low > 0.05
    assert "lower, against what came true, for sex = m" in gap.explanation
    assert of_table(table.assign(p=2.0), label="truth", probability="p")["selection_rate_difference"].errors == 4000


def classifier(table: pd.DataFrame, columns: list[str]) -> Any:
    features = pd.get_dummies(table[columns]).astype(float)
    return LogisticRegression().fit(features, table["truth"]), features


def test_a_classifier_is_asked_about_the_holdout() -> None:
    table = people(2000)
    model, features = classifier(table, ["x"])
    holdout = features.assign(sex=table["sex"], truth=table["truth"])
    values = measured("fairness.groups", Subject(load_target(model), holdout=holdout), columns="sex")
    predicted = pd.Series(model.predict(features) == "yes")
    rates = predicted.groupby(table["sex"]).mean()
    assert values["selection_rate_difference"].value == pytest.approx(abs(rates["m"] - rates["f"]))
    p = pd.Series(model.predict_proba(features)[:, 1])
    error = ((table["truth"] == "yes") - p).groupby(table["sex"]).mean()
    assert values["calibration_difference"].value == pytest.approx(abs(error["m"] - error["f"]))


def test_what_a_reader_must_know_of_a_classifier_is_said() -> None:
    table = people(600)
    table["male"], table["copy"] = (table["sex"] == "m").astype(float), (table["truth"] == "yes").astype(float)
    model = LogisticRegression().fit(table[["male", "copy"]], table["truth"])
    rows = table[["male", "copy", "truth"]]
    values = measured("fairness.groups", Subject(load_target(model), corpus=rows), columns="male")
    text = values["selection_rate_difference"].explanation
    assert "The classifier reads male itself." in text
    assert "Label leak: copy tells the label 'truth' exactly" in text
    assert "errors on rows it was trained on" in text


def test_what_is_missing_is_named() -> None:
    table = people()
    bare = Subject(FrameTarget(table))
    assert "--groups" in load_probe("fairness.groups").missing(bare)[0]
    assert "fairness.groups.prediction" in load_probe("fairness.groups", {"columns": "sex"}).missing(bare)[0]
    model, _ = classifier(table, ["x"])
    asked = load_probe("fairness.groups", {"columns": "sex"})
    assert "--holdout" in asked.missing(Subject(load_target(model)))[0]
    crossed = load_probe("fairness.intersections", {"columns": "sex", "prediction": "decided"})
    assert "second column" in crossed.missing(bare)[0]


def test_a_table_is_no_table_of_decisions_unless_groups_are_named() -> None:
    subject = Subject(FrameTarget(people(50)))
    with pytest.raises(NotApplicable, match="name their columns with --groups"):
        load_probe("fairness.groups").applicable(subject)
    load_probe("fairness.groups", {"columns": "sex"}).applicable(subject)


def test_what_a_policy_has_limits_for_holds_together() -> None:
    """With true labels two readings decide: each interval is wider than where one decides alone."""
    table = people()
    alone, both = (of_table(table, **options)["selection_rate_difference"] for options in ({}, {"label": "truth"}))
    counts = (table["decided"] == "yes").groupby(table["sex"]).agg(["sum", "count"])
    (f, m) = counts.loc["f"].tolist(), counts.loc["m"].tolist()
    assert (alone.low, alone.high) == pytest.approx(newcombe(*m, *f, confidence=0.95)[1:])
    assert (both.low, both.high) == pytest.approx(newcombe(*m, *f, confidence=0.975)[1:])
    gated = {metric for probe, metric in load_policy("default").thresholds if probe == "fairness.groups"}
    assert gated == {*Groups.gated}


@pytest.mark.slow
def test_combinations_of_groups_are_groups() -> None:
    table = people(4000)
    values = of_table(table, probe="fairness.intersections", columns="sex,race")
    rates = (table["decided"] == "yes").groupby([table["sex"], table["race"]]).mean()
    headline = values["selection_rate_difference"]
    assert headline.value == pytest.approx(rates.max() - rates.min())
    assert "sex × race = m & " in headline.explanation


def test_each_column_has_its_largest_gaps_in_a_table() -> None:
    table = people(3000)
    headline = of_table(table, columns="sex,race", label="truth")["selection_rate_difference"]
    rates, by_column = headline.evidence
    assert len(rates.rows) == 5
    first = next(row for row in by_column.rows if row[:2] == ("sex", "selection rate"))
    gap = (table["decided"] == "yes").groupby(table["sex"]).mean()
    assert first[2].startswith(f"{gap['m'] - gap['f']:.3f} [")
    assert first[3:] == ("m", "f")
    assert len(by_column.rows) == 2 * 5
    assert len(of_table(table, columns="sex")["selection_rate_difference"].evidence) == 1


def readings(source: str, probe: str, rows: int, seed: int) -> Measurement:
    """Return the headline of a control of fewer rows than the controls have."""
    subject, loaded = reference_subject(source), load_probe(probe)
    table = subject.target.sample_rows(rows, seed=seed)
    columns = sources.columns_of(subject, loaded.options, crossed=loaded.crossed)
    return loaded.measure(sources.stored_rows(table, columns), subject, seed=seed)[0]


@pytest.mark.slow
@pytest.mark.parametrize("dose", [0.25, 1.0])
def test_intervals_cover_the_gap_on_the_card_in_nineteen_of_twenty_seeds(dose: float) -> None:
    source = f"decisions:tabular,group_bias={dose:g}"
    truth = reference_subject(source).target.generator.card["truth"]["group_bias"]["value"]
    measured = [readings(source, "fairness.groups", 500, seed) for seed in range(200)]
    assert sum(m.low <= truth <= m.high for m in measured) >= 180


@pytest.mark.slow
def test_intervals_of_combinations_cover_their_largest_gap() -> None:
    source = "decisions:tabular,group_bias=0.5"
    every = reference_subject(source).target.sample_rows(400_000, seed=900)
    rates = (every["decision"] == "approved").groupby([every["group"], every["region"]]).mean()
    measured = [readings(source, "fairness.intersections", 1000, seed) for seed in range(100)]
    assert sum(m.low <= rates.max() - rates.min() <= m.high for m in measured) >= 90


@pytest.mark.parametrize("kind", ["table", "classifier"])
def test_a_spike_decides_by_the_group_alone(kind: str) -> None:
    table = people(1500, gap=0.0)
    probe = load_probe("fairness.groups", {"columns": "sex"} | ({"prediction": "decided"} if kind == "table" else {}))
    if kind == "table":
        subject = Subject(FrameTarget(table))
    else:
        model, features = classifier(table, ["x"])
        subject = Subject(load_target(model), holdout=features.assign(sex=table["sex"], truth=table["truth"]))
    batches = probe.plan(subject, Budget.QUICK, seed=3)
    spiked = probe.spike(subject, batches, seed=1)
    assert spiked is not None
    headline = probe.measure(collected(probe, spiked), spiked, seed=0)[0]
    assert headline.value == 1


def test_the_journal_holds_groups_decision_and_label_and_nothing_else() -> None:
    table = people(100).assign(name=[f"Person {i}" for i in range(100)])
    probe = load_probe("fairness.groups", {"columns": "sex", "prediction": "decided", "label": "truth"})
    for row in collected(probe, Subject(FrameTarget(table))):
        assert set(row) == {"item", "arm", "place", "groups", "predicted", "label"}
        assert row["groups"][0] in ("f", "m")


@pytest.mark.public_data
@pytest.mark.slow
def test_the_incomes_of_adult_differ_as_its_page_says(test_data: Path) -> None:
    names = [*(f"column-{i}" for i in range(9)), "sex", *(f"column-{i}" for i in range(10, 14)), "income"]
    table = pd.read_csv(test_data / "tabular" / "adult_first10000.data", names=names, skipinitialspace=True)
    subject = Subject(FrameTarget(table))
    probe = load_probe("fairness.groups", {"columns": "sex", "prediction": "income"})
    rows = [r for b in probe.plan(subject, Budget.STANDARD, seed=0) for r in ask(probe, subject, b, seed=0)]
    values = {m.metric: m for m in probe.measure(rows, subject, seed=0)}
    assert values["selection_rate_difference"].value == pytest.approx(0.1839, abs=5e-5)
    assert values["selection_rate_ratio"].value == pytest.approx(0.384, abs=5e-4)
