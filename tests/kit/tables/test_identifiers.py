"""Columns that number the rows are found, and columns of values are not taken for them."""

from __future__ import annotations

import uuid
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest

from guardrails.kit.tables.identifiers import identifiers

N = 300
RNG = np.random.default_rng(0)


def names(seed: int) -> list[str]:
    rng = Random(seed)
    return [str(uuid.UUID(int=rng.getrandbits(128))) for _ in range(N)]


def detected(name: str, corpus: Any, holdout: Any, target: Any = None) -> list[str]:
    tables = {"corpus": pd.DataFrame({name: corpus}), "holdout": pd.DataFrame({name: holdout})}
    if target is not None:
        tables["target"] = pd.DataFrame({name: target})
    return list(identifiers(tables))


@pytest.mark.parametrize(
    ("corpus", "holdout"),
    [
        (range(N), range(N)),
        (range(N), range(N, 2 * N)),
        (range(0, 10 * N, 10), range(5, 10 * N, 10)),
        (RNG.permutation(N), RNG.permutation(N)),
        (RNG.permutation(2 * N)[:N], RNG.permutation(2 * N)[:N]),
        (np.arange(N) * 1.0, np.arange(N) + 7.0),
        ([f"P{i:05d}" for i in range(N)], [f"P{i:05d}" for i in range(N, 2 * N)]),
        (names(1), names(2)),
    ],
)
def test_identifiers(corpus: Any, holdout: Any) -> None:
    assert detected("x", corpus, holdout, target=corpus if corpus is range(N) else None) == ["x"]


def test_a_name_and_values_that_do_not_repeat_are_enough() -> None:
    sparse = [RNG.choice(10**7, N, replace=False) for _ in range(2)]
    assert detected("patient_id", *sparse) == ["patient_id"]
    assert detected("Unnamed: 0", *sparse) == ["Unnamed: 0"]
    assert detected("income", *sparse) == []


@pytest.mark.parametrize("seed", range(20))
def test_values_are_none(seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = {
        "income": lambda: rng.normal(30_000, 9_000, N).round(),
        "exact": lambda: rng.normal(0, 1, N),
        "age": lambda: rng.integers(18, 90, N),
        "seconds": lambda: np.sort(rng.integers(1_500_000_000, 1_600_000_000, N)),
        "day": lambda: pd.date_range("2020-01-01", periods=N).to_numpy(),
        "mail": lambda: [f"{word}@example.org" for word in names(seed)],
        "name": lambda: [f"Anna {word[:4]}" for word in names(seed)],
        "valid": lambda: rng.random(N) < 0.5,
    }
    for name, column in columns.items():
        assert detected(name, column(), column()) == [], name


def test_names_that_the_target_repeats_from_the_corpus_are_looked_at() -> None:
    assert detected("key", names(1), names(2), target=names(3)) == ["key"]
    assert detected("key", names(1), names(2), target=names(1)) == []


def test_numbers_of_rows_with_a_gap_or_a_repeat_are_none_where_half_of_them_repeat() -> None:
    assert detected("x", [*range(N - 1), None], range(N)) == []
    assert detected("x", [*range(N // 2)] * 2, range(N)) == []


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_times_given_out_one_after_the_other_number_the_rows(zone: str | None) -> None:
    regular = pd.Series(pd.date_range("2024-01-01", periods=N, freq="37s", tz=zone))
    assert detected("created", regular, regular + pd.Timedelta(1, "D")) == ["created"]
    births = pd.to_datetime(pd.Series(RNG.integers(-5000, 12_000, 2 * N)), unit="D").dt.tz_localize(zone)
    assert detected("born", births[:N].reset_index(drop=True), births[N:].reset_index(drop=True)) == []
    moments = pd.to_datetime(pd.Series(RNG.integers(0, 10**9, 2 * N)), unit="s").dt.tz_localize("UTC")
    assert detected("seen", moments[:N].reset_index(drop=True), moments[N:].reset_index(drop=True)) == []
