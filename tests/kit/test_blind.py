from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest

from guardrails.kit.blind import blind_features, blind_pictures, blind_table, blind_texts, confounded

NAMES = [
    "Anna",
    "Ben",
    "Carl",
    "Dora",
    "Emil",
    "Fritz",
    "Gerd",
    "Hans",
    "Ida",
    "Jan",
    "Karl",
    "Lena",
    "Max",
    "Nora",
    "Otto",
    "Paul",
    "Rosa",
    "Sven",
    "Tom",
    "Udo",
]
VERBS = ["saw", "met", "called", "found", "lost", "heard", "asked", "told", "left", "knew"]


def letters(n: int, name: str, *, year: int = 1990, sentences: int = 4) -> list[str]:
    rng = Random(name)
    return [
        " ".join(
            f"{rng.choice(NAMES)} {rng.choice(VERBS)} {rng.choice(NAMES)} in {year + rng.randrange(9)}."
            for _ in range(sentences)
        )
        for _ in range(n)
    ]


def phantoms(n: int, seed: int, *, light: float = 0.0, side: int = 24) -> list[Any]:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 160, (n, 4, 4, 3))
    return [np.kron(c + light, np.ones((side // 4, side // 4, 1))).astype(np.uint8) for c in coarse]


@pytest.mark.parametrize("seed", range(4))
def test_one_law_is_not_told_apart(seed: int) -> None:
    assert not confounded(blind_texts(letters(100, f"a{seed}"), letters(100, f"b{seed}")))
    assert not confounded(blind_pictures(phantoms(100, 2 * seed), phantoms(100, 2 * seed + 1)))


def test_another_date_word_or_length_is() -> None:
    members = letters(100, "a")
    for others in (
        letters(100, "b", year=2020),
        [text + " Regards." for text in letters(100, "b")],
        letters(100, "b", sentences=6),
    ):
        area = blind_texts(members, others)
        assert confounded(area)
        assert area.value > 0.9


def test_another_light_or_size_is() -> None:
    members = phantoms(100, 0)
    for others in (phantoms(100, 1, light=25), phantoms(100, 1, side=28)):
        assert confounded(blind_pictures(members, others))


def test_it_is_the_same_for_the_same_items() -> None:
    members, others = letters(60, "a"), letters(60, "b")
    assert blind_texts(members, others) == blind_texts(members, others)


def test_it_reads_anything() -> None:
    odd = ["", " ", "\x00", "\ud800", "日本語", "a" * 5000] * 10
    area = blind_texts(odd, odd)
    assert area.low <= area.value <= area.high
    flat = [np.zeros((8, 8), np.uint8)] * 10
    area = blind_pictures(flat, flat)
    assert area.value == 0.5


def test_unequal_numbers_are_no_confounder() -> None:
    assert not confounded(blind_texts(letters(200, "a"), letters(50, "b")))
    assert not confounded(blind_texts(letters(50, "c"), letters(200, "d")))


def table(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "height": rng.normal(170, 10, n),
            "children": rng.poisson(2, n),
            "colour": rng.choice(["red", "blue", "green"], n),
            "born": pd.Timestamp("1980-01-01") + pd.to_timedelta(rng.integers(0, 9000, n), unit="D"),
            "smokes": rng.random(n) < 0.3,
            "income": pd.array(rng.integers(10, 90, n), dtype="Int64"),
        }
    )


@pytest.mark.parametrize("seed", range(4))
def test_tables_of_one_law_are_not_told_apart(seed: int) -> None:
    assert not confounded(blind_table(table(600, seed), 300))
    features = np.random.default_rng(seed).normal(size=(400, 8))
    assert not confounded(blind_features(features, 200))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("height", np.nan),
        ("height", np.inf),
        ("height", 230.0),
        ("height", 170.0),  # the same mean: only the tenths tell
        ("children", 9),
        ("colour", "black"),
        ("colour", None),
        ("born", pd.Timestamp("2015-01-01")),
        ("born", pd.NaT),
        ("smokes", True),
        ("income", pd.NA),
    ],
)
def test_a_difference_of_a_single_column_is(column: str, value: Any) -> None:
    rows, half = table(600, 0), np.arange(600) % 2 == 0
    rows[column] = rows[column].mask(half & (np.arange(600) >= 300), value)
    assert confounded(blind_table(rows, 300))


def test_columns_that_say_nothing_say_nothing() -> None:
    rows = pd.DataFrame({"same": ["x"] * 40, "none": [np.nan] * 40, "never": [pd.NaT] * 40})
    assert blind_table(rows, 20).value == 0.5
    assert blind_table(rows[[]], 20).value == 0.5
    assert blind_features(np.zeros((40, 2)), 20).value == 0.5
