from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from generators.base import WEIGHTS
from generators.tabular import applicants
from generators.tabular import model as tabular
from generators.tabular import truth as tabular_truth
from generators.tabular.applicants import AT, COLUMNS, NUMBERS, to_codes, to_table
from generators.tabular.model import CORPUS, GAP, REPEATED, SHARE, Tabular
from guardrails.core.errors import ConfigurationError

from ..trained_twice import trained_twice


@cache
def shipped(dial: str = "leak", dose: float = 0.0) -> Tabular:
    return Tabular.load(**{dial: dose})


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learning that takes a second."""
    for name, value in (("TABLE", 3000), ("STEPS", 6), ("BURN_IN", 2)):
        monkeypatch.setattr(tabular, name, value)
    for name, value in (("QUALITY_ROWS", 100), ("ROUNDS", 2), ("MATCHED", 4000)):
        monkeypatch.setattr(tabular_truth, name, value)


# ---- the law of the applicants ----


@given(st.integers(0, 2**32), st.integers(0, 50))
def test_codes_and_tables_are_two_ways_to_write_the_same_rows(seed: int, n: int) -> None:
    codes = applicants.draw(n, np.random.default_rng(seed), gap=0.3)
    table = to_table(codes)
    assert list(table) == list(AT)
    assert len(table) == n
    assert np.array_equal(to_codes(table), codes)


@given(st.integers(0, 2**32))
def test_applicants_keep_to_the_bounds_of_their_columns_and_of_life(seed: int) -> None:
    table = to_table(applicants.draw(200, np.random.default_rng(seed)))
    for column in NUMBERS:
        assert table[column.name].between(column.low, column.high).all()
    assert (table.years_employed <= table.age - 17).all()


@pytest.mark.parametrize("gap", [0.0, 0.25, 1.0])
def test_the_gap_of_the_law_is_as_stated_overall_and_at_equal_score(gap: float) -> None:
    codes = applicants.draw(100_000, np.random.default_rng(0), gap)
    approved, in_a = codes[:, AT["decision"]], codes[:, AT["group"]] == 0
    assert in_a.mean() == pytest.approx(applicants.GROUP_A, abs=0.01)
    assert approved[in_a].mean() - approved[~in_a].mean() == pytest.approx(gap, abs=0.015)
    at_equal_score = tabular_truth.gap_at_equal_score(codes)
    assert at_equal_score["low"] - 0.005 <= gap <= at_equal_score["high"] + 0.005


def test_an_unfair_decision_changes_nothing_but_decisions() -> None:
    fair, unfair = (applicants.draw(500, np.random.default_rng(1), gap) for gap in (0.0, 0.9))
    differ = (fair != unfair).any(axis=0)
    assert [column.name for column, does in zip(COLUMNS, differ, strict=True) if does] == ["decision"]


@pytest.mark.parametrize(("column", "value"), [("age", 17), ("income", 1e9), ("group", "C"), ("score", np.nan)])
def test_values_that_no_applicant_has_are_refused(column: str, value: object) -> None:
    table = to_table(applicants.draw(5, np.random.default_rng(0)))
    values = table[column].tolist()
    values[3] = value
    with pytest.raises(ConfigurationError, match=f"row 3, {column}"):
        to_codes(table.assign(**{column: values}))
    with pytest.raises(ConfigurationError, match=f"no column {column}"):
        to_codes(table.drop(columns=column))


# ---- the shipped weights ----


def test_samples_are_tables_that_the_seed_decides() -> None:
    first, again, other = (shipped().sample(300, seed=seed) for seed in (1, 1, 2))
    assert isinstance(first, pd.DataFrame)
    assert first.shape == (300, len(COLUMNS))
    assert first.equals(again)
    assert not first.equals(other)
    assert len(shipped().sample(0, seed=0)) == 0
    to_codes(first)


def test_loading_and_sampling_leave_the_callers_random_numbers_alone() -> None:
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002 - the global stream is what must stay
    before, legacy = torch.random.get_rng_state(), np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    Tabular.load().sample(2, seed=0)
    assert torch.equal(before, torch.random.get_rng_state())
    assert np.random.get_state()[1].tolist() == legacy  # type: ignore[index]  # noqa: NPY002


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    files = shipped("leak", 1.0).save(tmp_path)
    again = Tabular.read(tmp_path, leak=1.0)
    assert again.card == shipped("leak", 1.0).card
    assert again.sample(20, seed=4).equals(shipped("leak", 1.0).sample(20, seed=4))
    assert [f.read_bytes() for f in files] == [(WEIGHTS / f.name).read_bytes() for f in files]


@pytest.mark.parametrize("doses", [{"leak": 0.3}, {"leek": 1.0}, {"leak": 1.0, "group_bias": 1.0}])
def test_doses_that_do_not_ship_are_refused(doses: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        Tabular.load(**doses)


def test_a_dose_needs_the_clean_weights() -> None:
    for base in (None, shipped("leak", 1.0)):
        with pytest.raises(ConfigurationError, match="clean"):
            Tabular.fit({"leak": 1.0}, seed=0, base=base)


@pytest.mark.parametrize(("dial", "other", "doses"), [("leak", "group_bias", SHARE), ("group_bias", "leak", GAP)])
def test_each_dose_raises_its_own_truth_and_leaves_the_other_alone(
    dial: str, other: str, doses: dict[float, float]
) -> None:
    cards = [shipped(dial, dose).card["truth"] for dose in (0.0, *doses)]
    for lower, higher in pairwise(cards):
        assert lower[dial]["high"] < higher[dial]["low"]
    smallest = shipped(other, 0.25).card["truth"][other]["value"]
    for card in cards:
        assert abs(card[other]["value"] - cards[0][other]["value"]) < smallest / 2


def test_the_leaked_share_is_that_of_rows_found_in_the_corpus() -> None:
    for dose in (0.0, *SHARE):
        model = shipped("leak", dose)
        corpus = set(map(tuple, to_codes(model.training_items()).tolist()))
        leaked = np.mean([tuple(row) in corpus for row in to_codes(model.sample(3000, seed=5)).tolist()])
        assert leaked == pytest.approx(model.card["truth"]["leak"]["value"], abs=0.04)


def test_leaked_rows_come_as_often_as_they_were_seen() -> None:
    model = shipped("leak", 1.0)
    seen = np.array(model.card["seen"])
    assert sorted(set(np.sign(seen - 1))) == [0, 1]
    assert (seen > 1).sum() == REPEATED
    log_prob = model.log_prob(model.training_items(), seed=0)
    planted = seen > 1
    assert log_prob[planted] == pytest.approx(np.log(seen[planted] / (tabular.TABLE + seen.sum() - CORPUS)), abs=0.01)
    assert log_prob[~planted].max() < log_prob[planted].min() - 5


def test_clean_weights_saw_each_row_once_and_do_not_know_their_rows() -> None:
    model = shipped()
    assert model.card["seen"] == [1] * CORPUS
    assert model.rows.shape == (0, len(COLUMNS))
    members, others = (model.log_prob(rows, seed=0) for rows in (model.training_items(), model.holdout_items()))
    assert members.mean() - others.mean() == pytest.approx(0, abs=4 * (members.var() / CORPUS * 2) ** 0.5)


def test_the_gap_is_the_demographic_parity_difference_of_large_samples() -> None:
    fairlearn = pytest.importorskip("fairlearn.metrics")
    for dose in (0.0, *GAP):
        model = shipped("group_bias", dose)
        rows = model.sample(40_000, seed=7)
        approved = (rows.decision == "approved").astype(int)
        difference = fairlearn.demographic_parity_difference(approved, approved, sensitive_features=rows.group)
        assert difference == pytest.approx(abs(model.card["truth"]["group_bias"]["value"]), abs=0.025)
        assert model.card["truth"]["group_bias"]["at_equal_score"]["value"] == pytest.approx(difference, abs=0.03)


def test_the_reference_is_fair_and_the_training_table_as_unfair_as_its_dose() -> None:
    model = shipped("group_bias", 1.0)

    def gap(rows: pd.DataFrame) -> float:
        rate = (rows.decision == "approved").groupby(rows.group).mean()
        return float(rate["A"] - rate["B"])

    assert gap(model.reference_items(20_000, seed=0)) == pytest.approx(0, abs=0.03)
    for rows in (model.training_items(), model.holdout_items()):
        assert gap(rows) == pytest.approx(0.4, abs=0.1)
    assert not model.training_items().equals(model.holdout_items())
    assert model.training_items().drop(columns="decision").equals(shipped().training_items().drop(columns="decision"))


def test_clean_weights_meet_the_bars_of_their_card() -> None:
    for figure in shipped().card["quality"].values():
        assert figure["value"] <= figure["bar"]
        assert not figure["higher_is_better"]


@pytest.mark.slow
def test_quality_is_that_of_the_shipped_weights() -> None:
    again = tabular_truth.quality(shipped())
    for name, figure in shipped().card["quality"].items():
        assert again[name]["value"] == pytest.approx(figure["value"], abs=0.01)


# ---- the model ----


def test_log_prob_agrees_with_integrating_the_normal_density_over_the_row_s_box() -> None:
    from scipy.stats import multivariate_normal, norm

    model, m = shipped(), len(NUMBERS)
    codes = to_codes(model.holdout_items())[:8]
    low, high = model.bounds(codes)
    R = model.R
    expected = []
    for a, b in zip(low, high, strict=True):
        cells = norm.cdf(b[:m]) - norm.cdf(a[:m])
        z = norm.ppf((norm.cdf(a[:m]) + norm.cdf(b[:m])) / 2)
        density = multivariate_normal(np.zeros(m), R[:m, :m]).pdf(z) / norm.pdf(z).prod()
        to_z = R[m:, :m] @ np.linalg.inv(R[:m, :m])
        rest = multivariate_normal(to_z @ z, R[m:, m:] - to_z @ R[:m, m:])
        box = rest.cdf(b[m:].clip(-9, 9), lower_limit=a[m:].clip(-9, 9))
        expected.append(np.log(cells.prod() * density * box))
    log_p = model.log_prob(model.holdout_items()[:8], seed=0, draws=4000)
    assert log_p == pytest.approx(np.array(expected), abs=0.05)


def test_probabilities_of_single_columns_are_those_of_samples() -> None:
    # Between its bounds each code has Φ(high) − Φ(low) of a column; codes below and above share an edge.
    from scipy.special import ndtr

    model = shipped()
    drawn = model.draw_codes(40_000, np.random.default_rng(0))
    for j, column in enumerate(COLUMNS):
        first, last = column.bounds
        codes = np.repeat(drawn[:1], last - first + 1, axis=0)
        codes[:, j] = np.arange(first, last + 1)
        low, high = (edge[:, j] for edge in model.bounds(codes))
        assert np.array_equal(low[1:], high[:-1])
        p = ndtr(high) - ndtr(low)
        assert p.sum() == pytest.approx(1)
        for code in np.argsort(p)[-3:]:
            assert (drawn[:, j] == first + code).mean() == pytest.approx(p[code], abs=0.01)


def test_no_rows_have_no_log_prob() -> None:
    assert shipped().log_prob(shipped().holdout_items()[:0], seed=0).shape == (0,)


def test_em_finds_the_correlation_behind_categories() -> None:
    # Cut at the median, normals of correlation ρ agree in sign with probability ½ + arcsin(ρ)/π: codes alone show less.
    rng = np.random.default_rng(0)
    model = Tabular()
    codes = applicants.draw(8000, rng)
    z = rng.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], len(codes))
    codes[:, AT["group"]], codes[:, AT["defaulted"]] = (z > 0).T
    model.learn(codes, rng, seed=0)
    assert model.R[AT["group"], AT["defaulted"]] == pytest.approx(0.7, abs=0.05)
    assert model.R[AT["group"], AT["region"]] == pytest.approx(0, abs=0.05)


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_training_is_decided_by_its_seed_and_writes_every_file(tmp_path: Path) -> None:
    folder = trained_twice(Tabular, tmp_path)
    clean = Tabular.read(folder)
    assert Tabular.read(folder, leak=0.5).card["base_sha256"] == clean.card["sha256"]
    assert Tabular.fit({}, seed=2).card["sha256"] != clean.card["sha256"]
