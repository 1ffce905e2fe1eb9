"""Training rows in a synthetic table, word for word."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from guardrails.assay.policy.policy import judge, load_policy
from guardrails.core.asking import ask
from guardrails.core.probe import Budget
from guardrails.core.results import Measurement, Status
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality
from guardrails.privacy.singling_out import SinglingOut
from guardrails.privacy.table_distance import TableDistance

from .people import people


class Table:
    modality = Modality.TABLE
    access = frozenset({Access.OUTPUTS})
    name = "table:test"

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame, self.available = frame, len(frame)

    def identity(self) -> dict[str, str]:
        return {}

    def sample_rows(self, n: int, *, seed: int) -> pd.DataFrame:
        return self.frame.sample(n, random_state=seed % 2**32).reset_index(drop=True)


def judged(synthetic: pd.DataFrame, corpus: pd.DataFrame, holdout: pd.DataFrame) -> tuple[Measurement, Status]:
    given, probe = Subject(Table(synthetic), corpus=corpus, holdout=holdout), TableDistance()
    rows = [row for b in probe.plan(given, Budget.CONTROL, seed=0) for row in ask(probe, given, b, seed=0)]
    reading = next(m for m in probe.measure(rows, given, seed=0) if m.metric == "exact_copies")
    threshold: Any = load_policy("default").threshold(probe.id, reading.metric)
    return reading, judge(reading, threshold)[0]


def mixed(share: float, n: int, holdout: int, change: Any = None) -> tuple[Measurement, Status]:
    corpus, synthetic = people(n, 1), people(n, 3)
    copies = corpus.head(int(share * n)).copy()
    if change is not None:
        copies = change(copies)
    return judged(pd.concat([copies, synthetic.iloc[len(copies) :]]), corpus, people(holdout, 2))


@pytest.mark.parametrize(("n", "holdout"), [(1000, 1000), (1000, 400), (1000, 3000)])
def test_one_row_in_twenty_word_for_word_fails(n: int, holdout: int) -> None:
    reading, status = mixed(0.05, n, holdout)
    assert status is Status.FAIL
    assert reading.value == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize(("n", "holdout"), [(1000, 1000), (1000, 400), (400, 1000)])
def test_a_clean_table_passes(n: int, holdout: int) -> None:
    reading, status = mixed(0.0, n, holdout)
    assert status is Status.PASS
    assert reading.low < reading.high


def test_a_copy_with_one_rounded_number_is_no_exact_copy_and_is_said_beside() -> None:
    reading, status = mixed(0.05, 1000, 1000, lambda rows: rows.assign(income=rows["income"] * 1.0001))
    assert status is Status.PASS
    altered = re.search(r"(\d+) more are copies with numbers altered by at most 1%", reading.explanation)
    assert 50 <= int(altered[1]) <= 60  # some fresh rows are as near by chance


@pytest.mark.parametrize("sizes", [(1500, 1500), (2000, 500), (500, 2000)])
def test_equal_rows_of_a_table_of_few_categories_raise_no_alarm(sizes: tuple[int, int]) -> None:
    def survey(n: int, seed: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        return pd.DataFrame({f"q{k}": rng.choice(list("abc"), n, p=[0.6, 0.3, 0.1]) for k in range(6)})

    for seed in range(4):
        reading, status = judged(survey(1000, seed + 10), survey(sizes[0], seed + 20), survey(sizes[1], seed + 30))
        assert status is not Status.FAIL
        assert (reading.baseline.value if reading.baseline else 0) > 0.5


def test_a_row_that_the_corpus_holds_many_times_counts_with_each_of_its_copies() -> None:
    corpus = pd.concat([people(500, 1)] * 2)
    copies = pd.concat([corpus.head(3)] * 20)
    reading, status = judged(pd.concat([copies, people(940, 3)]), corpus, people(1000, 2))
    assert reading.value == pytest.approx(0.06, abs=0.005)
    assert status is not Status.PASS


@pytest.mark.slow
def test_half_of_the_rows_copied_are_seen_by_single_columns_where_predicates_of_several_do_not_settle_it() -> None:
    corpus = people(400, 1)
    given = Subject(Table(pd.concat([corpus.head(200), people(200, 3)])), corpus=corpus, holdout=people(400, 2))
    probe = SinglingOut()
    rows = [row for b in probe.plan(given, Budget.CONTROL, seed=0) for row in ask(probe, given, b, seed=0)]
    readings = {m.metric: m for m in probe.measure(rows, given, seed=0)}
    threshold: Any = load_policy("default").threshold(probe.id, "univariate_risk")
    assert judge(readings["univariate_risk"], threshold)[0] is Status.FAIL
    assert readings["singling_out_risk"].low > 0
