"""Where decisions about rows come from: a classifier that is asked about a table, or a table that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.batch import Row
from ...core.errors import ConfigurationError
from ...core.options import ProbeOptions
from ...core.subject import Subject
from ...core.targets import Access, DecidedRows, PredictingTarget
from .decisions import as_text

if TYPE_CHECKING:
    import pandas as pd

LEAK_LEVELS = 20
"""Columns with more values are no copies of a label."""


@dataclass(frozen=True)
class Columns:
    """Which columns hold what, from the options or, for a target that says it, from the target.

    Attributes
    ----------
    groups : tuple of str
    prediction, label, probability, positive : str or None
        Of a table of decisions; of a classifier the label is its own.
    """

    groups: tuple[str, ...]
    prediction: str | None = None
    label: str | None = None
    probability: str | None = None
    positive: str | None = None


def asks_a_classifier(subject: Subject[Any]) -> bool:
    """Whether decisions are predicted by the target rather than held in its rows."""
    return Access.PREDICTIONS in subject.target.access


def columns_of(subject: Subject[Any], options: ProbeOptions, *, crossed: bool) -> Columns:
    """Return the columns of a subject. What a reference table says of itself counts: it has no other columns."""
    decided: DecidedRows | None = getattr(subject.target, "decided", None)
    if decided is not None:
        groups = decided.crossed if crossed else decided.groups
        return Columns(groups, decided.prediction, decided.label, None, decided.positive)
    given: Any = options
    return Columns(names(given.columns), given.prediction, given.label, given.probability, given.positive)


def names(text: str | None) -> tuple[str, ...]:
    """Return the names in a list with commas; quotes keep a comma in a name.

    >>> names("sex, race"), names('"last, first",age'), names(None)
    (('sex', 'race'), ('last, first', 'age'), ())
    """
    import csv

    fields = next(csv.reader([text or ""], skipinitialspace=True), [])
    return tuple(dict.fromkeys(name.strip() for name in fields if name.strip()))


def evaluated(subject: Subject[Any]) -> tuple[str, pd.DataFrame]:
    """Return the table that a classifier is asked about: the holdout, else the corpus; and its name.

    Raises
    ------
    ConfigurationError
        Where it is no table.
    """
    import pandas as pd

    name = "holdout" if subject.holdout is not None else "corpus"
    table = getattr(subject, name)
    if not isinstance(table, pd.DataFrame):
        raise ConfigurationError(f"--{name}: a table (data frame, CSV, Parquet) is needed, not {type(table).__name__}")
    return name, table


def check_columns(table: pd.DataFrame, wanted: Sequence[str], where: str) -> None:
    """Raise ConfigurationError for a column that the table lacks, with those that it has."""
    from ...core.errors import did_you_mean

    present = list(map(str, table.columns))
    for name in wanted:
        if name not in present:
            raise ConfigurationError(f"{where} has no column '{name}'.{did_you_mean(name, present)}")


def predicted_rows(subject: Subject[PredictingTarget], places: Sequence[int], columns: Columns) -> list[Row]:
    """Return what a classifier decides about rows of its table, with their groups and labels."""
    name, whole = evaluated(subject)
    check_columns(whole, columns.groups, f"--{name}")
    target, table = subject.target, whole.iloc[list(places)]
    label = columns.label or target.label(whole.columns)
    check_columns(whole, [label], f"--{name}")
    predicted = np.asarray(target.predict(table), dtype=object)
    true = [as_text(value) for value in table[label]]
    rows = _rows(table, columns.groups, list(predicted), true)
    if Access.LOGPROBS in target.access and label == target.label(whole.columns):
        known = table[label].notna().to_numpy()
        asked: Any = target
        confidence = iter(asked.confidence(table[known]).tolist() if known.any() else [])
        for row, there in zip(rows, known.tolist(), strict=True):
            if there:
                row["confidence"] = next(confidence)
    return rows


def stored_rows(table: pd.DataFrame, columns: Columns) -> list[Row]:
    """Return the decisions that a table holds, with their groups and labels."""
    assert columns.prediction is not None
    named = [c for c in (columns.prediction, columns.label, columns.probability) if c]
    check_columns(table, [*columns.groups, *named], "the table")
    true = [as_text(v) for v in table[columns.label]] if columns.label else [None] * len(table)
    rows = _rows(table, columns.groups, list(table[columns.prediction]), true)
    if columns.probability:
        for row, value in zip(rows, table[columns.probability], strict=True):
            row |= _probability(value, columns.probability)
    return rows


def _probability(value: Any, column: str) -> Row:
    if as_text(value) is None:
        return {}
    try:
        p = float(value)
    except (TypeError, ValueError):
        p = float("nan")
    return {"probability": p} if 0 <= p <= 1 else {"error": f"column '{column}' holds no probability"}


def _rows(
    table: pd.DataFrame, groups: Sequence[str], predicted: Sequence[Any], true: Sequence[str | None]
) -> list[Row]:
    """Return rows; one without a decision is an error."""
    values = list(zip(*(map(as_text, table[name]) for name in groups), strict=True)) if groups else [()] * len(table)
    rows: list[Row] = []
    for each, decision, label in zip(values, map(as_text, predicted), true, strict=True):
        if decision is None:
            rows.append({"error": "there is no decision for this row"})
            continue
        rows.append({"groups": list(each), "predicted": decision} | ({"label": label} if label is not None else {}))
    return rows


def remarks(subject: Subject[Any], columns: Columns) -> list[str]:
    """Return what a reader must know of the rows: which they are, and whether the label leaks into the features."""
    if not asks_a_classifier(subject):
        if columns.label and columns.label == columns.prediction:
            return [f"Label leak: '{columns.label}' is both the prediction and the true label."]
        return []
    name, table = evaluated(subject)
    target = subject.target
    label = columns.label or target.label(table.columns)
    out = []
    if name == "corpus":
        out.append("The rows are those of --corpus: errors on rows it was trained on are no measure of others; give"
                   " --holdout.")  # fmt: skip
    features = [str(c) for c in getattr(target, "features", ())]
    if used := [g for g in columns.groups if g in features]:
        out.append(f"The classifier reads {', '.join(used)} itself.")
    leaks = [str(c) for c in table.columns if c != label and (not features or str(c) in features) and
             _is_copy(table[c], table[label])]  # fmt: skip
    if leaks:
        out.append(f"Label leak: {', '.join(leaks[:3])} tells the label '{label}' exactly; error rates say little.")
    return out


def _is_copy(column: pd.Series[Any], label: pd.Series[Any]) -> bool:
    """Whether each value of a column goes with one label, and the other way round."""
    both = column.notna() & label.notna()
    a, b = column[both].astype(str), label[both].astype(str)
    levels = a.nunique()
    if not 1 < levels <= LEAK_LEVELS or levels != b.nunique():
        return False
    return int((a + "\x1f" + b).nunique()) == levels
