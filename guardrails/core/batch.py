"""The items of a probe, in batches that are sampled, journalled and resumed as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

Row = dict[str, Any]
"""One finished sample: JSON only, always with the key ``item`` (unique within its probe and run)."""


class Arm(StrEnum):
    """The origin of an item. Only the first two belong to the target; the others are for comparison."""

    CORPUS = "corpus"  # what the target was trained on
    OUTPUTS = "outputs"  # what it writes or draws
    HOLDOUT = "holdout"  # the same kind of data, not trained on
    REFERENCE = "reference"  # other data of the same kind
    MODELS = "models"  # models that the probe trains


OWN = frozenset({Arm.CORPUS, Arm.OUTPUTS})
RESERVED = frozenset({"item", "arm", "curve", "error"})
"""Keys that a row has beside an item's fields."""


@dataclass(frozen=True)
class Item:
    """One thing that the target is asked about.

    Parameters
    ----------
    id : str
        Unique in the plan of its probe.
    arm : Arm, optional
        What it is taken from; None is the target's own, in a probe that compares nothing.
    fields : mapping of str to JSON
        What `collect` needs to know of it: places in the data rather than the data themselves. Not ``item``, ``arm``,
        ``curve`` or ``error``, which a row has beside them.
    curve : bool
        Whether it is a point of a curve beside the headline: it does not count in n, and no fault is planted in it.

    Raises
    ------
    ValueError
        For a field of a name that rows use otherwise.
    """

    id: str
    arm: Arm | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    curve: bool = False

    def __post_init__(self) -> None:
        if clash := sorted(RESERVED & self.fields.keys()):
            raise ValueError(f"item {self.id!r}: a field may not be called {clash[0]!r}")

    @property
    def counted(self) -> bool:
        """Whether it counts in the headline's n, and a fault can be planted in it."""
        return not self.curve and (self.arm is None or self.arm in OWN)

    def row(self) -> Row:
        """Return the beginning of its row: ``item``, where it has one ``arm``, its fields and, if so, ``curve``.

        >>> Item("corpus:3", Arm.CORPUS, {"index": 3}).row()
        {'item': 'corpus:3', 'arm': 'corpus', 'index': 3}
        """
        arm = {} if self.arm is None else {"arm": self.arm.value}
        return {"item": self.id, **arm, **self.fields, **({"curve": True} if self.curve else {})}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Return the item whose row begins so.

        Raises
        ------
        ValueError
            Where it is the beginning of no item's row.
        """
        if not isinstance(row, Mapping) or not isinstance(row.get("item"), str):
            raise ValueError("an item is an object with the key 'item', a text")
        fields = {key: value for key, value in row.items() if key not in ("item", "arm", "curve")}
        return cls(row["item"], Arm(row["arm"]) if "arm" in row else None, fields, curve="curve" in row)


@dataclass(frozen=True)
class Batch:
    """The unit of work and of resuming: never repacked.

    Parameters
    ----------
    index : int
        Its place in the plan, from 0.
    items : tuple of Item
        What is asked about; a batch of no item is not asked.
    payload : mapping of str to JSON
        What all its items share.
    divisible : bool
        Whether its items can also be asked about in smaller batches: a failure then costs the items that fail. Else,
        as where a model is trained for all of them, it ends the series.
    """

    index: int
    items: tuple[Item, ...] = ()
    payload: Mapping[str, Any] = field(default_factory=dict)
    divisible: bool = True

    def rows(self) -> list[Row]:
        """Return the beginning of each item's row, new ones at each call."""
        return [item.row() for item in self.items]

    def to_json(self) -> dict[str, Any]:
        """Return what the journal holds of it, beside its index."""
        return {"items": self.rows(), "payload": dict(self.payload), "divisible": self.divisible}

    @classmethod
    def from_json(cls, index: int, value: Any) -> Self:
        """Return the batch that the journal holds.

        Raises
        ------
        ValueError
            Where it is not what `to_json` returns, as in a journal of another version.
        """
        if not isinstance(value, dict) or value.keys() != {"items", "payload", "divisible"}:
            raise ValueError("it is no batch of this version")
        if not isinstance(value["items"], list) or not isinstance(value["payload"], dict):
            raise ValueError("it is no batch of this version")
        return cls(index, tuple(map(Item.from_row, value["items"])), value["payload"], bool(value["divisible"]))


def in_batches(
    items: Sequence[Item], size: int, payload: Mapping[str, Any] | None = None, *, divisible: bool = True
) -> list[Batch]:
    """Return batches of `size` items with the same payload; a single empty one where there are no items."""
    return [
        Batch(k, tuple(items[start : start + size]), payload or {}, divisible)
        for k, start in enumerate(range(0, len(items) or 1, size))
    ]
