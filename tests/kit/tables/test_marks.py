"""Words in columns of numbers and dates, and what else of one value is written in several ways."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from guardrails.core.errors import ConfigurationError
from guardrails.kit.tables.identifiers import identifiers
from guardrails.kit.tables.kinds import Read, decide

N = 60
NUMBERS = [str(n * 7 % 101 + 18) for n in range(N)]
DAYS = pd.date_range("2020-01-05", periods=N, freq="9D")


def read(**columns: list[Any] | pd.Series[Any]) -> Read:
    return decide({table: pd.DataFrame({"x": values}) for table, values in columns.items()})


def same(one: Read) -> bool:
    target, corpus = (one.frames[table]["x"] for table in ("target", "corpus"))
    return bool(target.equals(corpus)) and bool(corpus.notna().sum() > N // 2)


@pytest.mark.parametrize("mark", ["unknown", "k.A.", "*", ".a", "未知", "#NV"])
@pytest.mark.parametrize("write", [lambda n: f"{n}.0", lambda n: f"{n},00", lambda n: f"{n} €", lambda n: f"{n}.00-"])
def test_a_word_for_missing_values_does_not_make_words_of_numbers(mark: str, write: Any) -> None:
    sign = "-" if write(1).endswith("-") else ""
    one = read(
        target=[*map(write, NUMBERS), mark],
        corpus=[*(sign + n for n in NUMBERS), mark],
        holdout=[sign + n for n in NUMBERS],
    )
    assert one.kinds["x"] == "number"
    assert same(one)
    assert one.notes["corpus"] == [f"missing values written as {mark}"]


def test_a_word_for_missing_dates() -> None:
    written = ([f"{day:{form}}" for day in DAYS] for form in ("%d.%m.%Y", "%Y-%m-%d"))
    one = read(**{table: [*days, "unbekannt"] for table, days in zip(("target", "corpus"), written, strict=True)})
    assert one.kinds["x"] == "date"
    assert same(one)


@pytest.mark.parametrize(
    "values",
    [
        ["0", "1", "2", "more"] * 15,  # classes
        [*NUMBERS, *(f"V{n}" for n in range(30))],  # codes of letters and digits
        [*NUMBERS, *(chr(97 + n) * 3 for n in range(20))],  # more words than marks
        ["0" + n for n in NUMBERS] + ["unknown"],  # leading zeros
    ],
)
def test_words_that_are_values_stay(values: list[str]) -> None:
    one = read(target=values, corpus=values)
    assert one.kinds["x"] == "category"
    assert one.frames["target"]["x"].tolist() == values


def test_classes_that_have_little_but_unknown_in_common_are_refused() -> None:
    classes = {"target": "FM", "corpus": "fm", "holdout": "fm"}
    columns = {table: [*(few[i % 2] for i in range(N)), "x", "x"] for table, few in classes.items()}
    with pytest.raises(ConfigurationError, match=r"'x': 3% of the rows of target .*'F' here, 'f' there"):
        read(**columns)
    assert read(**(columns | {"target": columns["corpus"]})).kinds["x"] == "category"


@pytest.mark.parametrize("typed", [True, False])
def test_a_time_with_a_zone_beside_one_without_is_that_of_a_clock_on_the_wall(typed: bool) -> None:
    zoned = pd.Series(DAYS.tz_localize("Europe/Berlin"))
    assert same(read(target=zoned if typed else zoned.astype(str), corpus=[f"{day:%Y-%m-%d}" for day in DAYS]))


@pytest.mark.parametrize("text", ["f-{age}-{i}", "{age}{i:04x}q"])
def test_a_text_of_its_own_in_every_row_is_left_out(text: str) -> None:
    names = [text.format(age=n, i=i) for i, n in enumerate(NUMBERS)]
    other = [text.format(age=int(n) + 200, i=i + 500) for i, n in enumerate(NUMBERS)]
    tables = {"target": other, "corpus": names, "holdout": [name + "h" for name in names]}
    frames = {table: pd.DataFrame({"x": values}) for table, values in tables.items()}
    assert identifiers(frames) == {"x": "another text in every row"}
    frames["target"] = frames["corpus"]  # the model gives the names away
    assert identifiers(frames) == {}
    frames["holdout"] = frames["corpus"]  # numbers that begin anew in each table
    assert identifiers(frames) == {"x": "another text in every row"}


@pytest.mark.parametrize("censored", ["80+", "<5"])
@pytest.mark.parametrize("write", [lambda n: f"{n}.0", lambda n: f"{n},00"])
def test_numbers_among_words_are_equal_however_they_are_written(censored: str, write: Any) -> None:
    one = read(target=[*map(write, NUMBERS), censored], corpus=[*NUMBERS, censored], holdout=[*NUMBERS, censored])
    assert one.kinds["x"] == "number"
    bound = float(censored.strip("<+"))
    assert [one.frames[table]["x"].tolist() for table in ("target", "corpus")] == [[*map(float, NUMBERS), bound]] * 2
    assert f"{censored} read as the number" in one.notes["target"]


@pytest.mark.parametrize("bounds", [["<9000", ">90"], ["≥90 ", "> 90.5"], [">=90", "<=2"], ["90 +", "unknown"]])
def test_bounds_are_numbers_among_numbers(bounds: list[str]) -> None:
    one = read(target=[*(f"{n}.5" for n in NUMBERS), *bounds], corpus=[*NUMBERS, *bounds], holdout=NUMBERS)
    assert one.kinds["x"] == "number"
    near = np.abs(one.frames["target"]["x"] - one.frames["corpus"]["x"])
    assert np.nanmax(near) == 0.5


@pytest.mark.parametrize(
    "values",
    [["<5", "5+"] * 30, ["<18", "18-24", "25-64", "65+"] * 15, [f"<{n}" for n in NUMBERS], ["A+", "B", "5+"] * 20],
)
def test_bounds_without_numbers_beside_them_are_classes(values: list[str]) -> None:
    one = read(target=values, corpus=values, holdout=values)
    assert one.kinds["x"] == "category"
    assert one.frames["target"]["x"].tolist() == values
