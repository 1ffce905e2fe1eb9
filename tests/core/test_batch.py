"""Items and batches: what begins a row, what counts, and that a batch comes back from JSON as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.core.batch import RESERVED, Arm, Batch, Item, in_batches

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.dictionaries(st.text(max_size=6).filter(lambda key: key not in RESERVED), JSON, max_size=4)
ITEMS = st.builds(Item, st.text(max_size=8), st.none() | st.sampled_from(Arm), FIELDS, curve=st.booleans())
BATCHES = st.builds(Batch, st.integers(0, 9), st.lists(ITEMS, max_size=4).map(tuple), FIELDS, st.booleans())


@given(BATCHES)
def test_a_batch_comes_back_from_json_as_it_was(batch: Batch) -> None:
    again = Batch.from_json(batch.index, json.loads(json.dumps(batch.to_json(), allow_nan=False)))
    assert again == batch
    assert [item.row() for item in again.items] == batch.rows()


@given(ITEMS)
def test_what_counts_is_of_the_target_s_own_arm_and_no_point_of_a_curve(item: Item) -> None:
    assert item.counted == (not item.curve and item.arm in (None, "corpus", "outputs"))


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_field_may_not_be_called_as_what_a_row_has_beside_them(name: str) -> None:
    with pytest.raises(ValueError, match=f"may not be called '{name}'"):
        Item("x", fields={name: 1})


@pytest.mark.parametrize(
    "value",
    [
        None, [], 3, {}, {"items": ["00001"], "start": 0, "seed": 1},
        {"items": [{"item": "x", "arm": "corpus"}], "prefix": 8},
        {"items": ["x"], "payload": {}, "divisible": True},
        {"items": [{"item": 3}], "payload": {}, "divisible": True},
        {"items": [{"item": "x", "arm": "none of them"}], "payload": {}, "divisible": True},
        {"items": [{"item": "x", "arm": []}], "payload": {}, "divisible": True},
        {"items": [{"item": "x", "error": "no"}], "payload": {}, "divisible": True},
        {"items": {}, "payload": {}, "divisible": True},
        {"items": [], "payload": [], "divisible": True},
    ],
)  # fmt: skip
def test_what_another_version_or_a_stranger_wrote_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"no batch of this version|an item is|is not a valid Arm|may not be called"):
        Batch.from_json(0, value)


@given(st.integers(0, 40), st.integers(1, 9))
def test_batches_hold_every_item_once_in_order_and_there_is_always_one(n: int, size: int) -> None:
    items = [Item(str(i)) for i in range(n)]
    batches = in_batches(items, size, {"length": 8})
    assert [item for batch in batches for item in batch.items] == items
    assert [batch.index for batch in batches] == list(range(max(1, -(-n // size))))
    assert all(len(batch.items) <= size and batch.payload == {"length": 8} for batch in batches)
