"""Tables as arrays, Gower's distance and the searches, against slow oracles; bad tables against their reasons."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.core.errors import ConfigurationError
from guardrails.privacy.tables import arrays
from guardrails.privacy.tables.arrays import Rows
from guardrails.privacy.tables.gower import Gower
from guardrails.privacy.tables.predicates import control_rate


def people(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "city": rng.choice(["Ulm", "Bonn", "Jena"], n),
            "age": rng.integers(18, 90, n),
            "income": rng.normal(30_000, 9_000, n),
        }
    )


def oracle(a: Rows, b: Rows, *range_of: Rows) -> np.ndarray:
    """Gower's distance by its definition, one pair and one column at a time."""
    out = np.zeros((len(a), len(b)))
    for i in range(len(a)):
        for k in range(len(b)):
            for j in range(a.numbers.shape[1]):
                every = [x for t in range_of for x in t.numbers[:, j] if not math.isnan(x)]
                spread = max(every) - min(every)
                x, y = a.numbers[i, j], b.numbers[k, j]
                if math.isnan(x) or math.isnan(y):
                    out[i, k] += math.isnan(x) != math.isnan(y)
                else:
                    out[i, k] += min(1.0, abs(x - y) / spread) if spread else x != y
            out[i, k] += sum(x != y for x, y in zip(a.codes[i], b.codes[k], strict=True))
    return out


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_nearest_are_those_of_the_definition(data: st.DataObject) -> None:
    p, q = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 3))
    if p + q == 0:
        p = 1
    number = st.one_of(st.just(math.nan), st.sampled_from([-2.5, 0.0, 1.0, 7.25]))

    def rows(n: int) -> Rows:
        numbers = [[data.draw(number) for _ in range(p)] for _ in range(n - 1)] + [[0.5] * p]  # one is present
        codes = [[data.draw(st.integers(-1, 2)) for _ in range(q)] for _ in range(n)]
        return Rows(np.array(numbers, float).reshape(n, p), np.array(codes, np.int32).reshape(n, q))

    a, b = rows(data.draw(st.integers(1, 4))), rows(data.draw(st.integers(1, 6)))
    k = data.draw(st.integers(1, 7))
    for ranges in ((a, b), (b,)):
        places, far = Gower(*ranges).nearest(a, b, k, seed=1)
        truth = oracle(a, b, *ranges)
        assert places.shape == (len(a), min(k, len(b)))
        assert np.allclose(far, np.sort(truth, axis=1)[:, :k], atol=1e-6)
        assert np.allclose(np.take_along_axis(truth, places, axis=1), far, atol=1e-6)


def test_the_distance_without_a_column_leaves_it_out() -> None:
    tables = arrays.read(people(300, 0), people(40, 1), people(40, 2))
    distances = Gower(tables.synthetic, tables.corpus).nearest_without_each(tables.corpus, tables.synthetic, seed=5)
    for j in range(3):
        others = [i for i in range(3) if i != j]
        gower = Gower(tables.synthetic, tables.corpus, columns=others)
        _, far = gower.nearest(tables.corpus, tables.synthetic, 1)
        a, b = gower.points(tables.corpus), gower.points(tables.synthetic)
        every = np.concatenate([distance for _, distance in gower.blocks(a, b)]) / gower.unit
        assert np.allclose(every[np.arange(40), distances[:, j]], far[:, 0], atol=1e-6)


def test_one_of_several_that_are_equally_near_is_drawn() -> None:
    same = Rows(np.zeros((50, 1)), np.zeros((50, 0), np.int32))
    drawn = {int(Gower(same).nearest(same[:1], same, 1, seed=seed)[0][0, 0]) for seed in range(60)}
    assert len(drawn) > 25


@pytest.mark.parametrize(
    ("values", "number"),
    [
        ([1, 2, 3], True),
        ([1.5, np.nan, np.inf], True),
        (pd.to_datetime(["2020-01-01", "2021-05-05", None]), True),
        (pd.to_timedelta([1, 2, 3], unit="D"), True),
        ([True, False, True], False),
        (["a", "b", None], False),
        (pd.Categorical(["x", "y", "x"]), False),
        (pd.array([1, None, 3], dtype="Int64"), True),
        (["2020-01-01", "2021-01-01", "x"], False),
    ],
)
def test_columns_of_every_kind(values: object, number: bool) -> None:
    frame = pd.DataFrame({"x": values, "y": [1, 2, 3]})
    tables = arrays.read(frame, frame.iloc[::-1].assign(y=[5, 6, 7]), frame.assign(y=[8, 9, 9]))
    assert tables.numbers == 1 + number
    for j in range(2):
        assert np.array_equal(tables.synthetic.column(j)[::-1], tables.corpus.column(j), equal_nan=True) or (
            tables.names[j] == "y"
        )


def test_a_column_of_another_type_in_one_table_is_read_alike() -> None:
    plain = pd.DataFrame({"x": [1, 2, 3], "d": pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-03"])})
    text = pd.DataFrame({"x": ["1", "2.0", "4"], "d": ["2020-01-01", "2020-01-02", "2020-01-09"]})
    tables = arrays.read(text, plain, plain.assign(x=[7.0, 8.0, 9.0]))
    assert tables.numbers == 2
    assert tables.synthetic.numbers[:2].tolist() == tables.corpus.numbers[:2].tolist()
    mixed = arrays.read(text.assign(x=["1", "b", "4"]), plain, plain.assign(x=[7, 8, 9]))
    assert mixed.names == ("d", "x")  # the same words are the same category
    assert mixed.synthetic.codes[0] == mixed.corpus.codes[0]


@pytest.mark.parametrize(
    ("values", "kind"),
    [(["31 years", "40 years", "50 years"], "text"), ([True, False, True], "truth"), (["2.0.1", "x", None], "text")],
)
def test_a_column_of_which_one_table_writes_every_value_another_way_is_named(values: list[object], kind: str) -> None:
    plain = pd.DataFrame({"age": [31, 40, 50], "y": [1, 2, 3]})
    other = plain.assign(age=values, y=[4, 5, 6])
    for tables, where in (((other, plain, plain), "synthetic table"), ((plain, plain, other), "holdout")):
        with pytest.raises(ConfigurationError, match=rf"column 'age' .* kind {kind} in the {where} and number in the"):
            arrays.read(*tables)
    shared = plain.assign(age=["31", "x", "y"], y=[4, 5, 6])
    assert arrays.read(plain, plain, shared).names == ("y", "age")


@pytest.mark.parametrize(
    ("corpus", "holdout", "sizes"), [([1] * 40, [1] * 40, (73, 72)), ([1] * 40 + [2] * 9, [0] * 49, (400, 99))]
)
def test_a_control_of_all_or_none_is_worth_its_bound(corpus: list[int], holdout: list[int], sizes: Any) -> None:
    control = control_rate(corpus, holdout, sizes)
    assert control.share in (0, 1)
    assert control.n == pytest.approx(len(corpus) * sizes[1] / sizes[0])


def test_repeated_rows_count_once_missing_values_and_zeros_of_either_sign_alike() -> None:
    rows = Rows(np.array([[0.0], [-0.0], [np.nan], [np.nan], [1.0]]), np.array([[1], [1], [-1], [-1], [1]], np.int32))
    assert rows.distinct().numbers[:, 0].tolist()[0::2] == [0.0, 1.0]
    assert len(rows.distinct()) == 3


# Bad tables


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ((people(9), people(9, 1), [1, 2]), "the holdout is list, not a table"),
        ((people(9), people(0), people(9)), "the corpus has no rows"),
        ((people(9).drop(columns="age"), people(9, 1), people(9, 2)), "the synthetic table lacks age"),
        ((people(9), people(9, 1).rename(columns={"age": "Age"}), people(9, 2)), "different columns"),
        ((people(9).set_axis(["a", "a", "b"], axis=1), people(9), people(9)), "two columns named 'a'"),
        ((people(9).map(lambda _: None), people(9, 1), people(9, 2)), "every column"),
        ((people(9), people(200, 1), people(200, 1)), "200 of the 200 rows of the holdout also occur in the corpus"),
    ],
)
def test_tables_that_cannot_be_compared(tables: tuple[object, ...], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        arrays.read(*tables)


def test_too_many_columns_are_refused_before_they_are_read() -> None:
    wide = pd.DataFrame(np.zeros((2, arrays.MAX_COLUMNS + 1)))
    with pytest.raises(ConfigurationError, match="at most 1000"):
        arrays.read(wide, wide, wide)


def test_a_column_that_one_table_lacks_all_values_of_is_left_out() -> None:
    tables = arrays.read(people(9).assign(age=np.nan), people(9, 1), people(9, 2))
    assert tables.names == ("income", "city")


def test_an_overlap_is_found_and_the_rows_are_named() -> None:
    corpus, holdout = people(300, 1), people(200, 2)
    tables = arrays.read(people(50), corpus, pd.concat([holdout, corpus.head(30)], ignore_index=True))
    assert tables.overlap == frozenset(range(200, 230))
    assert tables.honest().tolist() == list(range(200))


def test_equal_rows_by_chance_are_no_overlap() -> None:
    small = [people(400, seed)[["city"]] for seed in range(3)]
    tables = arrays.read(*small)
    assert not tables.overlap
    assert tables.twins == 1


def test_an_overlap_that_cannot_be_told_from_chance_is_refused() -> None:
    corpus, holdout = people(300, 1), people(300, 2)
    corpus = pd.concat([corpus, corpus.head(40)], ignore_index=True)
    holdout.iloc[:140] = corpus.iloc[:140]
    with pytest.raises(ConfigurationError, match=r"140 of the 300 rows .* cannot be told"):
        arrays.read(people(50), corpus, holdout)
