"""One bad item is one error row; a target that is down is asked a few times and no more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.core.asking import IN_A_ROW, LONGEST, ask, first_error, message, rows_of
from guardrails.core.batch import Arm, Batch, Item, Row
from guardrails.core.errors import ChangedInputError, EndpointError, TargetError


def batch(names: list[str], **payload: Any) -> Batch:
    return Batch(0, tuple(map(Item, names)), payload)


def names_of(part: Batch) -> list[str]:
    return [item.id for item in part.items]


class Asker:
    """Fails for some items, together with whatever is asked beside them, and counts how often it is asked."""

    def __init__(self, bad: set[str]) -> None:
        self.bad, self.asked, self.seeds = bad, 0, []

    def __call__(self, part: Batch, seed: int) -> list[Row]:
        self.asked += 1
        self.seeds.append(seed)
        for item in names_of(part):
            if item in self.bad:
                raise TargetError(f"no answer to {item}")
        return [{"item": item, "value": int(item)} for item in names_of(part)]


@given(n=st.integers(0, 70), bad=st.sets(st.integers(0, 69), max_size=4), seed=st.integers(0, 9))
def test_every_item_has_one_row_in_its_order_and_only_the_bad_ones_are_errors(n: int, bad: set[int], seed: int) -> None:
    names = [str(i) for i in range(n)]
    rows = rows_of(batch(names), Asker({str(i) for i in bad}), seed=seed)
    assert [row["item"] for row in rows] == names
    assert {row["item"] for row in rows if "error" in row} == {str(i) for i in bad if i < n}
    assert all(row["error"] == f"no answer to {row['item']}" for row in rows if "error" in row)


def test_a_batch_without_failure_is_asked_once_and_with_its_own_seed() -> None:
    asker = Asker(set())
    rows_of(batch([str(i) for i in range(64)]), asker, seed=7)
    assert (asker.asked, asker.seeds) == (1, [7])


def test_parts_of_a_batch_have_seeds_of_their_own() -> None:
    asker = Asker({"3"})
    rows_of(batch([str(i) for i in range(64)]), asker, seed=7)
    assert len(set(asker.seeds)) == asker.asked <= 2 * 7 + 1


def test_a_target_that_is_down_is_asked_a_few_times_and_every_item_says_why() -> None:
    asker = Asker({str(i) for i in range(64)})
    rows = rows_of(batch([str(i) for i in range(64)]), asker, seed=0)
    assert len(rows) == 64
    assert asker.asked <= 2 * IN_A_ROW + 7
    assert rows[-1]["error"] == f"not asked after {IN_A_ROW} failures in a row: no answer to 0"


def test_parts_share_the_payload_and_the_index_of_their_batch() -> None:
    parts = []

    def make(part: Batch, seed: int) -> list[Row]:
        parts.append((part.index, dict(part.payload), names_of(part)))
        if "b" in names_of(part):
            raise ValueError("no")
        return [{"item": item} for item in names_of(part)]

    rows_of(replace(batch(["a", "b", "c", "d"], length=8), index=3), make, seed=0)
    halves = [["a", "b", "c", "d"], ["a", "b"], ["a"], ["b"], ["c", "d"]]
    assert parts == [(3, {"length": 8}, names) for names in halves]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError()])
def test_errors_of_the_disk_and_of_memory_end_the_run(error: Exception) -> None:
    def make(part: Batch, seed: int) -> list[Row]:
        raise error

    with pytest.raises(type(error)):
        rows_of(batch(["a", "b"]), make, seed=0)


class Down:
    """A probe whose target is down."""

    def __init__(self, error: Exception) -> None:
        self.error, self.asked = error, 0

    def collect(self, subject: Any, batch: Batch, *, seed: int) -> list[Row]:
        self.asked += 1
        raise self.error


def asked(probe: Any, batch: Batch) -> list[Row]:
    subject: Any = None
    return ask(probe, subject, batch, seed=0)


def test_an_error_row_holds_the_item_its_arm_and_its_fields() -> None:
    items = (Item("x", Arm.OUTPUTS, {"index": 3}), Item("y", Arm.HOLDOUT, curve=True), Item("z"))
    assert asked(Down(TargetError("no")), Batch(0, items)) == [
        {"item": "x", "arm": "outputs", "index": 3, "error": "no"},
        {"item": "y", "arm": "holdout", "curve": True, "error": "no"},
        {"item": "z", "error": "no"},
    ]


def test_a_failure_of_an_indivisible_batch_is_no_row() -> None:
    probe = Down(TargetError("no table"))
    with pytest.raises(TargetError, match="no table"):
        asked(probe, Batch(0, (Item("x"), Item("y")), divisible=False))
    assert probe.asked == 1


def test_an_input_that_changed_is_no_failure_of_an_item() -> None:
    probe = Down(ChangedInputError("another descriptor"))
    with pytest.raises(ChangedInputError, match="another descriptor"):
        asked(probe, batch(["x", "y"]))
    assert probe.asked == 1


def test_a_batch_of_no_item_is_not_asked() -> None:
    probe = Down(TargetError("no"))
    assert asked(probe, Batch(0)) == asked(probe, Batch(1, divisible=False)) == []
    assert probe.asked == 0


@given(st.sets(st.integers(0, 31)))
def test_no_answer_is_dropped_that_the_target_holds_already(bad: set[int]) -> None:
    """As a served model that answered some prompts of a batch, after which each costs nothing."""

    def make(part: Batch, seed: int) -> list[Row]:
        failed = [name for name in names_of(part) if int(name) in bad]
        if failed:
            raise EndpointError("no", partial=len(failed) < len(part.items))
        return [{"item": name} for name in names_of(part)]

    rows = rows_of(batch([str(i) for i in range(32)]), make, seed=0)
    assert {int(row["item"]) for row in rows if "error" in row} == bad
    assert bad == set(range(32)) or {row.get("error", "no") for row in rows} == {"no"}


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
        return [{"item": item, "value": None + 1} for item in names_of(part)]  # type: ignore[operator]

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
    def make(part: Batch, seed: int) -> list[Row]:
        if "3" in names_of(part):
            raise error
        return [{"item": i} for i in names_of(part)]

    rows = rows_of(batch(list("01234567")), make, seed=0)
    assert "".join(row["item"] for row in rows) == "01234567"
    assert [row["item"] for row in rows if "error" in row] == ["3"]
