"""Copies of which one column is written differently are named, whatever the difference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from guardrails.kit.tables.near_equal import all_but_one

N = 200


def people(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    born = pd.Timestamp("1960-01-01") + pd.to_timedelta(rng.integers(0, 20_000, N), unit="D")
    age = rng.integers(18, 90, N)
    sex, income = rng.choice(["f", "m"], N), rng.lognormal(8, 0.6, N).round(2)
    return pd.DataFrame({"age": age, "sex": sex, "income": income, "born": born, "one": age % 7, "two": age % 5})


CHANGES: dict[str, tuple[str, Any]] = {
    "currency": ("income", lambda column: (column * 1.08).round(2)),
    "rounded": ("income", lambda column: column.round(-1)),
    "swapped": ("sex", lambda column: column.map({"f": "m", "m": "f"})),
    "days": ("born", lambda column: column + pd.Timedelta(3, "D")),
    "missing": ("income", lambda column: column * np.nan),
}


@pytest.mark.parametrize("way", CHANGES)
def test_the_column_in_which_alone_copies_differ_is_named(way: str) -> None:
    name, change = CHANGES[way]
    corpus = people(1)
    copies = corpus.iloc[: N // 4]
    target = pd.concat([copies.assign(**{name: change(copies[name])}), people(3).iloc[N // 4 :]], ignore_index=True)
    tables = {"target": target, "corpus": corpus, "holdout": people(2)}
    assert all_but_one(tables) == [f"25% of the rows equal one of corpus in all columns but '{name}'"]
    assert not all_but_one(tables, skip=[name])
    assert not all_but_one(tables | {"holdout": target})  # as many as by chance


def test_copies_that_are_equal_or_differ_in_two_columns_and_fresh_rows_are_not_named() -> None:
    corpus = people(1)
    swapped = corpus.assign(one=corpus["two"], two=corpus["one"])
    for target in (corpus, people(3), swapped):
        assert not all_but_one({"target": target, "corpus": corpus, "holdout": people(2)})
    few = ["sex", "one", "two"]  # equal by chance all the time
    assert not all_but_one({name: people(seed)[few] for seed, name in enumerate(("target", "corpus", "holdout"))})
