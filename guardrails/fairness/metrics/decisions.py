"""Decisions about rows, as rows of the journal hold them, turned into arrays.

A row holds ``groups`` (one value per column, None where it is missing), ``predicted``, and where they exist ``label``,
``confidence`` (the probability that the classifier gave to the row's label) or ``probability`` (of the positive value,
from a column of the table). Values are text: `as_text`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.batch import Row

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]

LONGEST = 60
"""Characters of a value that are stored and shown."""
MOST_GROUPS = 50
"""More values than these in a column are no groups: a number or an identifier was named."""


class CannotCompare(ValueError):  # noqa: N818  a statement about the data, not a wrong argument
    """Why no groups can be compared."""


@dataclass(frozen=True)
class Partition:
    """One way to divide the rows into groups.

    Attributes
    ----------
    name : str
        The column, or the crossed columns.
    groups : tuple of str
    codes : ndarray of int, shape (N,)
        The group of each row; −1 where its value is missing.
    """

    name: str
    groups: tuple[str, ...]
    codes: NDArray[np.intp]

    @property
    def missing(self) -> int:
        """The number of rows without a group."""
        return int((self.codes < 0).sum())


@dataclass(frozen=True)
class Decisions:
    """Decisions about N rows.

    Attributes
    ----------
    positive : str
        The value that counts as selected.
    assumed : bool
        Whether no option named it.
    selected, labelled, label : ndarray of bool, shape (N,)
        Whether the prediction is positive; whether the true label is known; whether it is positive.
    probability : ndarray of float, shape (N,)
        Of the positive value; NaN where it is not known.
    partitions : tuple of Partition
    """

    positive: str
    assumed: bool
    selected: Bools
    labelled: Bools
    label: Bools
    probability: Floats
    partitions: tuple[Partition, ...]

    def __len__(self) -> int:
        return len(self.selected)


def as_text(value: Any) -> str | None:
    """Return a value as the journal holds it; None for a missing one. A whole number has one form.

    >>> as_text(1.0), as_text(True), as_text(float("nan")), as_text(" yes ")
    ('1', 'True', None, 'yes')
    """
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or value != value or str(value) in ("<NA>", "NaT"):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    return (text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…") or None


def read_decisions(
    rows: Sequence[Row], columns: Sequence[str], *, positive: str | None = None, crossed: bool = False
) -> Decisions:
    """Return the decisions of finished rows.

    Parameters
    ----------
    rows : sequence of dict
        With ``predicted``.
    columns : sequence of str
        The names of the columns whose values ``groups`` holds.
    positive : str, optional
        The value that counts as selected. Default: of two values the second in ascending order, as `sklearn` has it.
    crossed : bool
        Whether the groups are the combinations of all columns rather than those of each.

    Raises
    ------
    CannotCompare
        Where a decision cannot be read as one of two values, or a column holds more than `MOST_GROUPS` values.
    """
    predicted = [row["predicted"] for row in rows]
    labels = [row.get("label") for row in rows]
    chosen = _positive(predicted, labels, positive)
    labelled = np.array([value is not None for value in labels], dtype=bool)
    label = np.array([value == chosen for value in labels], dtype=bool)
    return Decisions(
        positive=chosen,
        assumed=positive is None,
        selected=np.array([value == chosen for value in predicted], dtype=bool),
        labelled=labelled,
        label=label,
        probability=np.array([_probability(row, chosen) for row in rows], dtype=np.float64),
        partitions=tuple(_partitions([row["groups"] for row in rows], columns, crossed=crossed)),
    )


def _positive(predicted: Sequence[str], labels: Sequence[str | None], positive: str | None) -> str:
    decided, true = sorted(set(predicted), key=_ascending), sorted({v for v in labels if v is not None}, key=_ascending)
    values = sorted({*decided, *true}, key=_ascending)
    if positive is not None:
        if positive not in values:
            raise CannotCompare(f"no decision is {positive!r}; there are {_listed(values)}")
        return positive
    if len(values) > 2:
        apart = f" (predicted: {_listed(decided)}; true: {_listed(true)})" if true else f" ({_listed(values)})"
        raise CannotCompare(
            f"the decisions have {len(values)} values{apart}: name the one that counts as selected with the option"
            " 'positive', and write true labels as the predictions are written"
        )
    return values[-1]


def _ascending(value: str) -> tuple[int, float, str]:
    try:
        number = float(value)
    except ValueError:
        return (1, 0.0, value)
    return (0, number, value) if math.isfinite(number) else (1, 0.0, value)


def _listed(values: Sequence[str]) -> str:
    return ", ".join(values[:5]) + (f" and {len(values) - 5} more" if len(values) > 5 else "")


def _probability(row: Row, positive: str) -> float:
    if "confidence" in row and row.get("label") is not None:
        confidence = float(row["confidence"])
        return confidence if row["label"] == positive else 1 - confidence
    probability = row.get("probability")
    return math.nan if probability is None else float(probability)


def _partitions(values: Sequence[Sequence[str | None]], columns: Sequence[str], *, crossed: bool) -> list[Partition]:
    if crossed:
        joined = [" & ".join(map(str, each)) if None not in each else None for each in values]
        return [_partition(" × ".join(columns), joined)]
    return [_partition(name, [each[place] for each in values]) for place, name in enumerate(columns)]


def _partition(name: str, values: Sequence[str | None]) -> Partition:
    groups = sorted({value for value in values if value is not None}, key=_ascending)
    if len(groups) > MOST_GROUPS:
        raise CannotCompare(
            f"'{name}' has {len(groups)} different values; at most {MOST_GROUPS} are compared as groups: give a column"
            " of groups, such as bands of age"
        )
    place = {group: code for code, group in enumerate(groups)}
    codes = np.array([-1 if value is None else place[value] for value in values], dtype=np.intp)
    return Partition(name, tuple(groups), codes)
