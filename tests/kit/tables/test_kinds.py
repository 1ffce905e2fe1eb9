"""Kinds of columns, decided over several tables: what is told apart, what is refused, and that only values count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.core.errors import ConfigurationError
from guardrails.kit.tables.kinds import Read, decide

OTHER = [str(i) for i in range(6)]


def read(delimiter: str | None = ";", **columns: list[Any]) -> Read:
    """Return what is decided on one column of several tables, beside a column of plain numbers."""
    tables = {}
    for table, values in columns.items():
        tables[table] = pd.DataFrame({"x": values, "other": (OTHER * len(values))[: len(values)]})
        tables[table].attrs["delimiter"] = delimiter
    return decide(tables)


def values(read: Read, table: str = "target") -> list[Any]:
    return [None if pd.isna(value) else value for value in read.frames[table]["x"]]


@pytest.mark.parametrize(
    ("texts", "kind", "expected"),
    [
        (["1", "2", ""], "number", [1.0, 2.0, None]),
        (["1.5", "-2", "3e+05"], "number", [1.5, -2, 3e5]),
        (["1,5", "2", "NA"], "number", [1.5, 2, None]),
        (["1.234,5", "7"], "number", [1234.5, 7]),
        (["1,234.5", "7"], "number", [1234.5, 7]),
        (["12,34,567", "1"], "number", [1234567, 1]),
        (["1 234,5", "7"], "number", [1234.5, 7]),
        (["1'234.50", "−7"], "number", [1234.5, -7]),
        (["12 %", "7%"], "number", [12, 7]),
        (["€ 3.000,50", "€ 4,00"], "number", [3000.5, 4]),
        (["(1,200)", "$5.5"], "number", [-1200, 5.5]),
        (["inf", "1"], "number", [np.inf, 1]),
        (["TRUE", "false", "?"], "truth", [True, False, None]),
        (["2020-01-31", "null"], "date", [pd.Timestamp("2020-01-31"), None]),
        (["31.1.2020", "01.02.2020"], "date", [pd.Timestamp("2020-01-31"), pd.Timestamp("2020-02-01")]),
        (["12/31/2020", "01/02/2020"], "date", [pd.Timestamp("2020-12-31"), pd.Timestamp("2020-01-02")]),
        (["2020-01-01T12:30:00+02:00"], "date", [pd.Timestamp("2020-01-01 10:30")]),
        (["Jan 3, 2020", "4 March 2021"], "date", [pd.Timestamp("2020-01-03"), pd.Timestamp("2021-03-04")]),
        (["1 days 00:00:10", "00:05:00"], "duration", [pd.Timedelta(86410, "s"), pd.Timedelta(300, "s")]),
        (["01234", "70173"], "category", ["01234", "70173"]),
        (["1e5", "12"], "category", ["1e5", "12"]),
        (["+491234567", "+441234567"], "category", ["+491234567", "+441234567"]),
        (["1234567890123456", "1"], "category", ["1234567890123456", "1"]),
        (["31/12/2020", "12/31/2020"], "category", ["31/12/2020", "12/31/2020"]),
        (["2020-02-30", "2020-01-01"], "category", ["2020-02-30", "2020-01-01"]),
        (['="0123"', " 0124 "], "category", ["0123", "0124"]),
        (["1.2.3.4", "5"], "category", ["1.2.3.4", "5"]),
    ],
)
def test_a_column_of_text(texts: list[str], kind: str, expected: list[Any]) -> None:
    outcome = read(target=texts, corpus=texts)
    assert outcome.kinds["x"] == kind
    assert values(outcome) == expected


def test_letters_in_one_table_make_categories_in_all() -> None:
    outcome = read(target=["1", "", "3"], corpus=["A", "1", "3"], holdout=["3", "B", "NA"])
    assert outcome.kinds["x"] == "category"
    assert values(outcome) == ["1", None, "3"]
    assert values(outcome, "corpus") == ["A", "1", "3"]


def test_each_table_may_have_its_own_decimals_and_order_of_days() -> None:
    outcome = read(target=["1,5", "2,25"], corpus=["1.5", "2.25"], holdout=[1.5, 2.25])
    assert values(outcome) == values(outcome, "corpus") == values(outcome, "holdout") == [1.5, 2.25]
    outcome = read(target=["31/12/2020"], corpus=["12/31/2020"], holdout=["2020-12-31"])
    assert values(outcome) == values(outcome, "corpus") == values(outcome, "holdout")
    assert outcome.notes["target"] == ["dates with the day first"]


def test_what_one_table_leaves_open_another_decides() -> None:
    outcome = read(target=["01/02/2020"], corpus=["31/12/2020"])
    assert values(outcome) == [pd.Timestamp("2020-02-01")]
    outcome = read(target=["1.234", "2.345"], corpus=["1234.5", "2345"])
    assert values(outcome) == [1234, 2345]
    outcome = read(target=["1.234", "2.345"], corpus=["1.2", "2.3"])
    assert values(outcome) == [1.234, 2.345]


def test_other_columns_of_the_file_decide_on_its_decimals() -> None:
    frame = pd.DataFrame({"x": ["1.234", "12"], "y": ["0,5", "12,75"]})
    assert decide({"target": frame}).frames["target"]["x"].tolist() == [1234, 12]
    english = frame.assign(y=["0.5", "12.75"])
    assert decide({"target": english}).frames["target"]["x"].tolist() == [1.234, 12]


def test_separators_that_stay_open_are_refused_unless_nothing_depends_on_them() -> None:
    with pytest.raises(ConfigurationError, match=r"column 'x' of target: '1\.234' may be a decimal fraction"):
        read(target=["1.234", "12"], corpus=["1.234", "12"])
    assert values(read(target=["1.234", "2.345"], corpus=["3.456", "1.111"])) == [1.234, 2.345]
    many = [f"{i // 1000}.{i % 1000:03d}" for i in range(1111, 9999, 101)]
    assert values(read(target=[*many, "12"], corpus=many))[:2] == [1111, 1212]
    assert values(read(",", target=["1.234", "12"], corpus=["1.234", "12"])) == [1.234, 12]


def test_zeros_that_a_spreadsheet_took_off_are_taken_off_everywhere() -> None:
    outcome = read(target=[1234, 70173], corpus=["01234", "70173"])
    assert values(outcome) == values(outcome, "corpus") == ["1234", "70173"]
    assert "leading zeros of 'x' left out" in outcome.notes["target"][0]


@pytest.mark.parametrize(
    ("target", "corpus", "message"),
    [
        (["31 years", "40 years"], ["31", "40"], "kind text in target and number in corpus"),
        (["2020-01-01"], ["737425"], "kind date in target and number in corpus"),
        (["12%", "13%"], ["0.12", "0.13"], "written differently"),
        (["$12", "$13"], ["€12", "€13"], "written differently"),
        (["Z\u0178rich", "Bonn"] * 3, ["Zürich", "Bonn"] * 3, "look like one text in two encodings"),
        (["m", "f", "f", "m", "m"], ["male", "female", "male", "male", "female"], "has no value in common"),
    ],
)
def test_a_column_that_is_written_differently_is_named(target: list[str], corpus: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"column 'x'.*{message}"):
        read(target=target, corpus=corpus)


def test_a_column_without_values_in_one_table_has_the_kind_of_the_others() -> None:
    outcome = read(target=["", "NA"], corpus=["1", "2"])
    assert outcome.kinds["x"] == "number"
    assert outcome.frames["target"]["x"].dtype == np.float64


def test_missing_values_are_the_same_in_all_tables_and_named() -> None:
    outcome = read(target=["a", "?", "b"], corpus=["a", None, "b"], holdout=["NULL", "a", "b"])
    assert [values(outcome, table).count(None) for table in ("target", "corpus", "holdout")] == [1, 1, 1]
    assert outcome.notes["target"] == ["missing values written as ?"]


def test_a_column_with_the_role_date() -> None:
    tables = {"target": pd.DataFrame({"x": ["20200131", "20200201"]}), "corpus": pd.DataFrame({"x": [20200131]})}
    outcome = decide(tables, dates_are=["x"])
    assert values(outcome) == [pd.Timestamp("2020-01-31"), pd.Timestamp("2020-02-01")]
    assert values(outcome, "corpus") == [pd.Timestamp("2020-01-31")]
    with pytest.raises(ConfigurationError, match="column 'x' of target has the role date, and 'soon' is none"):
        decide({"target": pd.DataFrame({"x": ["soon", "2020-01-01"]})}, dates_are=["x"])


def test_for_a_model_codes_are_numbers_and_dates_stay_text() -> None:
    frame = pd.DataFrame({"zip": ["01234", "2"], "day": ["2020-01-01", "2020-01-02"], "n": ["1", "2"]})
    outcome = decide({"corpus": frame}, plain=True).frames["corpus"]
    assert outcome["zip"].tolist() == [1234, 2]
    assert outcome["day"].tolist() == ["2020-01-01", "2020-01-02"]
    assert outcome["n"].dtype == np.int64


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9).map(lambda x: round(x, 3))), min_size=1, max_size=9),
    st.sampled_from(["point", "comma"]),
    st.booleans(),
)
def test_text_and_typed_values_are_decided_alike(numbers: list[float | None], style: str, grouped: bool) -> None:
    """A table of text against one of floats: the same numbers, in whatever way they are written."""

    def write(number: float | None) -> str:
        if number is None:
            return ""
        english = f"{number:,.3f}" if grouped else f"{number:.3f}"
        return english if style == "point" else english.translate(str.maketrans(",.", ".,"))

    texts = [write(number) for number in numbers]
    outcome = read(target=texts, corpus=[*numbers, 0.5])
    assert outcome.kinds["x"] == "number"
    expected = [None if number is None else pytest.approx(number) for number in numbers]
    assert values(outcome) == expected
