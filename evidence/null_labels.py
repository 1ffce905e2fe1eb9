"""Rows of probes of groups with the labels of the groups dealt anew: what they then show, chance has made."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from guardrails.core.batch import Row

Deal = Callable[[Sequence[Row], np.random.Generator], list[Row]]
TURNED = {"stereotype": "other", "other": "stereotype"}


def dealt(labels: str, rows: Sequence[Row], rng: np.random.Generator) -> list[Row]:
    """Return the rows with labels of one kind dealt anew: a key of `DEALS`."""
    return DEALS[labels](rows, rng)


def people(rows: Sequence[Row], rng: np.random.Generator) -> list[Row]:
    """Exchange, or not, the person of the stereotype and the other one in all answers to a template."""
    turned = {cluster: rng.random() < 0.5 for cluster in sorted({r["cluster"] for r in rows})}
    return [r | {"reading": TURNED.get(r["reading"], r["reading"])} if turned[r["cluster"]] else r for r in rows]


def groups(rows: Sequence[Row], rng: np.random.Generator) -> list[Row]:
    """Deal the groups to the rows."""
    return _permuted("groups", rows, rng)


def sides(rows: Sequence[Row], rng: np.random.Generator) -> list[Row]:
    """Deal the two sets to the words."""
    return _permuted("side", rows, rng)


def _permuted(key: str, rows: Sequence[Row], rng: np.random.Generator) -> list[Row]:
    return [row | {key: rows[i][key]} for row, i in zip(rows, rng.permutation(len(rows)).tolist(), strict=True)]


DEALS: dict[str, Deal] = {"people": people, "groups": groups, "sides": sides}
