from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from guardrails.kit.training import Patience, StabilityRecord, cosine, train


def falling(i: int) -> dict[str, float]:
    return {"loss": 1 / (i + 1)}


@given(st.integers(1, 60), st.integers(1, 25))
def test_the_record_has_an_entry_for_each_logged_step_and_the_last(steps: int, log_every: int) -> None:
    record = train(falling, steps=steps, seed=0, log_every=log_every)
    assert record.steps == steps
    assert record.logged == sorted({*range(0, steps, log_every), steps - 1})
    assert record.curves == {"loss": [1 / (i + 1) for i in record.logged]}
    assert record.diverged_at is None
    assert not record.stopped_early


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_it_stops_at_the_first_quantity_that_is_no_number(bad: float) -> None:
    called = []

    def step(i: int) -> dict[str, float]:
        called.append(i)
        return {"loss": 1.0, "grad_norm": bad if i == 7 else 1.0}

    record = train(step, steps=20, seed=0, log_every=5)
    assert called == list(range(8))
    assert (record.diverged_at, record.steps, record.logged) == (7, 8, [0, 5])
    assert not record.stopped_early


def test_the_seed_decides_torch_s_random_numbers_and_validation_leaves_them_alone() -> None:
    def step(i: int) -> dict[str, float]:
        return {"loss": torch.rand(()).item()}

    def validate() -> dict[str, float]:
        return {"validation": torch.rand(()).item()}

    alone = train(step, steps=9, seed=3, log_every=2)
    beside = train(step, steps=9, seed=3, log_every=2, validate=validate)
    torch.manual_seed(3)
    expected = [torch.rand(()).item() for _ in range(9)]
    assert train(step, steps=9, seed=3, log_every=1).curves["loss"] == expected
    assert alone.curves["loss"] == beside.curves["loss"]
    assert len(beside.curves["validation"]) == len(beside.logged)
    assert train(step, steps=9, seed=4, log_every=2).curves != alone.curves


def test_it_stops_early_once_validation_has_not_got_better_for_a_while() -> None:
    losses = iter([5.0, 4.0, 4.5, 3.0, 3.5, 3.0, 3.2, 0.0])

    def validate() -> dict[str, float]:
        return {"validation": next(losses)}

    record = train(
        falling, steps=100, seed=0, log_every=10, validate=validate, stop_when=Patience("validation", looks=3)
    )
    assert record.stopped_early
    assert record.curves["validation"] == [5.0, 4.0, 4.5, 3.0, 3.5, 3.0, 3.2]
    assert (record.steps, record.logged[-1]) == (61, 60)


def test_a_stop_at_the_last_step_is_not_early() -> None:
    def at_last(values: Mapping[str, float]) -> bool:
        return values["loss"] < 0.11

    assert not train(falling, steps=10, seed=0, log_every=1, stop_when=at_last).stopped_early


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(1, 5))
def test_patience_stops_where_the_best_is_as_many_looks_ago(values: list[float], looks: int) -> None:
    patience = Patience("loss", looks)
    for i, value in enumerate(values):
        stopped = patience({"loss": value})
        first_best = values.index(min(values[: i + 1]))
        assert stopped == (i - first_best >= looks)
        if stopped:
            break


def test_items_shown_are_counted() -> None:
    record = train(falling, steps=12, seed=0, batch=32, samples_per_epoch=96)
    assert (record.samples, record.samples_per_epoch) == (12 * 32, 96)
    assert train(falling, steps=12, seed=0).samples_per_epoch is None


def test_progress_is_told_as_it_is_logged() -> None:
    told: list[tuple[int, dict[str, float]]] = []
    record = train(falling, steps=7, seed=0, log_every=3, report=lambda i, values: told.append((i, values)))
    assert [i for i, _ in told] == record.logged == [0, 3, 6]
    assert [values["loss"] for _, values in told] == record.curves["loss"]


def test_a_record_survives_json_types_and_older_records_are_read() -> None:
    record = train(falling, steps=7, seed=5, log_every=3, batch=2)
    assert StabilityRecord(**record.to_dict()) == record
    older = {key: record.to_dict()[key] for key in ("seed", "steps", "logged", "curves", "diverged_at")}
    assert StabilityRecord(**older).samples == 0


@given(st.integers(1, 50), st.integers(0, 10))
def test_the_rate_climbs_while_warm_and_falls_after(steps: int, warmup: int) -> None:
    factors = [cosine(i, steps=steps + warmup, warmup=warmup) for i in range(steps + warmup)]
    assert all(0 < factor <= 1 for factor in factors)
    assert all(a < b for a, b in pairwise(factors[:warmup]))
    assert all(a > b for a, b in pairwise(factors[warmup:]))
