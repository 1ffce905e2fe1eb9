"""One bad item is one error row; a target that is down is asked a few times and no more."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.core.asking import IN_A_ROW, LONGEST, first_error, item_by_item, message, rows_of
from guardrails.core.base import Batch, Row
from guardrails.core.errors import TargetError


def batch(items: list[Any], **payload: Any) -> Batch:
    return Batch(0, {"items": items, **payload})


class Asker:
    """Fails for some items, together with whatever is asked beside them, and counts how often it is asked."""

    def __init__(self, bad: set[str]) -> None:
        self.bad, self.asked, self.seeds = bad, 0, []

    def __call__(self, part: Batch, seed: int) -> list[Row]:
        self.asked += 1
        self.seeds.append(seed)
        for item in part.payload["items"]:
            if item in self.bad:
                raise TargetError(f"no answer to {item}")
        return [{"item": item, "value": int(item)} for item in part.payload["items"]]


@given(n=st.integers(0, 70), bad=st.sets(st.integers(0, 69), max_size=4), seed=st.integers(0, 9))
def test_every_item_has_one_row_in_its_order_and_only_the_bad_ones_are_errors(n: int, bad: set[int], seed: int) -> None:
    names = [str(i) for i in range(n)]
    rows = rows_of(batch(names), Asker({str(i) for i in bad}), seed=seed)
    assert [row["item"] for row in rows] == names
    assert {row["item"] for row in rows if "error" in row} == {str(i) for i in bad if i < n}
    assert all(row["error"] == f"no answer to {row['item']}" for row in rows if "error" in row)


def test_a_batch_without_failure_is_asked_once_and_with_its_own_seed() -> None:
    ask = Asker(set())
    rows_of(batch([str(i) for i in range(64)]), ask, seed=7)
    assert (ask.asked, ask.seeds) == (1, [7])


def test_parts_of_a_batch_have_seeds_of_their_own() -> None:
    ask = Asker({"3"})
    rows_of(batch([str(i) for i in range(64)]), ask, seed=7)
    assert len(set(ask.seeds)) == ask.asked <= 2 * 7 + 1


def test_a_target_that_is_down_is_asked_a_few_times_and_every_item_says_why() -> None:
    ask = Asker({str(i) for i in range(64)})
    rows = rows_of(batch([str(i) for i in range(64)]), ask, seed=0)
    assert len(rows) == 64
    assert ask.asked <= 2 * IN_A_ROW + 7
    assert rows[-1]["error"] == f"not asked after {IN_A_ROW} failures in a row: no answer to 0"


def test_parts_count_on_from_the_batches_before() -> None:
    starts = []

    def make(part: Batch, seed: int) -> list[Row]:
        starts.append((part.payload["start"], list(part.payload["items"])))
        if "b" in part.payload["items"]:
            raise ValueError("no")
        return [{"item": item} for item in part.payload["items"]]

    rows_of(batch(["a", "b", "c", "d"], start=100), make, seed=0)
    assert starts == [(100, ["a", "b", "c", "d"]), (100, ["a", "b"]), (100, ["a"]), (101, ["b"]), (102, ["c", "d"])]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError()])
def test_errors_of_the_disk_and_of_memory_end_the_run(error: Exception) -> None:
    def make(part: Batch, seed: int) -> list[Row]:
        raise error

    with pytest.raises(type(error)):
        rows_of(batch(["a", "b"]), make, seed=0)


def test_a_probe_s_collect_says_what_an_error_row_holds_and_passes_other_batches_on() -> None:
    class Probe:
        @item_by_item(arm="outputs")
        def collect(self, subject: Any, batch: Batch, *, seed: int) -> list[Row]:
            """Ask."""
            if "items" not in batch.payload:
                raise TargetError("models")
            raise TargetError("no")

    item = {"item": "x", "index": 3}
    assert Probe().collect(None, batch([item]), seed=0) == [{**item, "arm": "outputs", "error": "no"}]  # type: ignore[arg-type]
    assert Probe.collect.__doc__ == "Ask."
    with pytest.raises(TargetError, match="models"):
        Probe().collect(None, Batch(0, {"models": [1]}), seed=0)  # type: ignore[arg-type]


def test_a_message_is_one_short_line_that_quotes_no_person() -> None:
    said = message(
        TargetError("no answer to 'Ann Lee was born on 3 May 1961 in Leeds', ann@example.org, +44 20 7946 0958")
    )
    assert said == "no answer to '[…]', […], […]"
    assert message(TargetError("first\nsecond")) == "first"
    assert len(message(TargetError("word " * 500))) <= LONGEST
    assert message(KeyError("text")).startswith("KeyError: 'text'")


def test_a_defect_is_named_with_its_place() -> None:
    def make(part: Batch, seed: int) -> list[Row]:
        return [{"item": item, "value": None + 1} for item in part.payload["items"]]  # type: ignore[operator]

    (row,) = rows_of(batch(["a"]), make, seed=0)
    assert row["error"].startswith("TypeError: unsupported operand")
    assert "(test_asking.py, line " in row["error"]


def test_the_first_error_is_that_of_the_first_row_that_has_one() -> None:
    assert first_error([{"item": "a"}, {"item": "b", "error": "x"}, {"item": "c", "error": "y"}]) == "x"
    assert first_error([{"item": "a"}]) is None


@pytest.mark.parametrize(
    "error",
    [ConnectionError("reset by peer"), TimeoutError("timed out"), FileNotFoundError(2, "No such file", "a.png")],
)
def test_a_lost_connection_or_file_is_one_error_row(error: Exception) -> None:
    def make(batch: Batch, seed: int) -> list[Row]:
        if 3 in batch.payload["items"]:
            raise error
        return [{"item": i} for i in batch.payload["items"]]

    rows = rows_of(Batch(0, {"items": list(range(8))}), make, seed=0)
    assert [row["item"] for row in rows] == list(range(8))
    assert [row["item"] for row in rows if "error" in row] == [3]
