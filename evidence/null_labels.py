"""Rows of probes of groups with the labels of the groups dealt anew: what they then show, chance has made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

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
    """Deal the answers to a prompt to the groups of its feature."""
    prompts: dict[tuple[Any, ...], list[int]] = {}
    for i, r in enumerate(rows):
        prompts.setdefault((r["feature"], r["case"], r["record"]), []).append(i)
    out = list(rows)
    for places in prompts.values():
        for place, other in zip(places, rng.permutation(places), strict=True):
            out[place] = rows[place] | {"group": rows[int(other)]["group"]}
    return out


def texts(rows: Sequence[Row], rng: np.random.Generator) -> list[Row]:
    """Deal the three texts of a row, two of one group and one of another, to their places."""
    out = []
    for r in rows:
        order = rng.permutation(3)
        scores = {name: [values[k] for k in order] for name, values in r["scores"].items()}
        out.append(r | {"scores": scores} | {name: [r[name][k] for k in order] for name in ("refused", "words")})
    return out


DEALS: dict[str, Deal] = {"people": people, "groups": groups, "texts": texts}
