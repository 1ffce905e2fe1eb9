"""Rows of probes of groups with the labels of the groups dealt anew: what they then show, chance has made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from guardrails.bias.grammatical_gender.cases import built_in
from guardrails.bias.grammatical_gender.stereotyped import turned
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


def answers(rows: Sequence[Row], rng: np.random.Generator) -> list[Row]:
    """Deal the answers to a prompt to the groups of its feature."""
    prompts: dict[tuple[Any, ...], list[int]] = {}
    for i, r in enumerate(rows):
        prompts.setdefault((r["feature"], r["case"], r["record"]), []).append(i)
    out = list(rows)
    for places in prompts.values():
        for place, other in zip(places, rng.permutation(places), strict=True):
            out[place] = rows[place] | {"group": rows[int(other)]["group"]}
    return out


def genders(rows: Sequence[Row], rng: np.random.Generator) -> list[Row]:
    """Turn, or not, all Spanish translations of a profession to the other gender."""
    jobs = [built_in()[r["n"]].profession for r in rows]
    chosen = {job: rng.random() < 0.5 for job in sorted(set(jobs))}
    return [
        r | {"translation": _other(r["translation"], job)} if chosen[job] else r
        for r, job in zip(rows, jobs, strict=True)
    ]


def _other(text: str, job: str) -> str:
    woman = turned(text, job, "female", "es")
    return woman if woman != text else turned(text, job, "male", "es")


def sentences(rows: Sequence[Row], rng: np.random.Generator) -> list[Row]:
    """Exchange, or not, both sentences in all pairs of a template."""
    turned = _coins(rows, "template", rng)
    return [
        r | {"scores": {scorer: pair[::-1] for scorer, pair in r["scores"].items()}} if turned[r["template"]] else r
        for r in rows
    ]


def stereotypes(rows: Sequence[Row], rng: np.random.Generator) -> list[Row]:
    """Exchange, or not, stereotype and anti-stereotype in all triples of a target."""
    turned = _coins(rows, "target", rng)
    return [
        r | {name: [r[name][k] for k in (1, 0, 2)] for name in ("scores", "tokens")} if turned[r["target"]] else r
        for r in rows
    ]


def occupations(rows: Sequence[Row], rng: np.random.Generator) -> list[Row]:
    """Give each occupation's readings to another one."""
    names = sorted({r["occupation"] for r in rows})
    other = dict(zip(names, rng.permutation(names).tolist(), strict=True))
    return [r | {"occupation": other[r["occupation"]]} for r in rows]


def _coins(rows: Sequence[Row], field: str, rng: np.random.Generator) -> dict[str, bool]:
    return {name: bool(rng.random() < 0.5) for name in sorted({r[field] for r in rows})}


def texts(rows: Sequence[Row], rng: np.random.Generator) -> list[Row]:
    """Deal the texts of a prompt, two of one group and one of each that is compared with it, to their places."""
    prompts: dict[tuple[Any, ...], list[int]] = {}
    for i, r in enumerate(rows):
        prompts.setdefault((r["feature"], r["prompt"], r["draw"]), []).append(i)
    out = list(rows)
    for places in prompts.values():
        order = rng.permutation(2 + len(places)).tolist()
        for k, place in enumerate(places):
            out[place] = rows[place] | _of_three(
                [rows[places[0]]] * 2 + [rows[i] for i in places], [order[0], order[1], order[2 + k]]
            )
    return out


def _of_three(written: Sequence[Row], chosen: Sequence[int]) -> Row:
    """Return the readings of three texts; of `written`, the first two rows hold the texts that all rows share."""

    def of(values: Callable[[Row], Any]) -> list[Any]:
        return [values(written[k])[min(k, 2)] for k in chosen]

    scores = {name: of(lambda r, name=name: r["scores"][name]) for name in written[0]["scores"]}
    return {"scores": scores} | {name: of(lambda r, name=name: r[name]) for name in ("refused", "words")}


def shown(rows: Sequence[Row], rng: np.random.Generator) -> list[Row]:
    """Read each picture as a labelled one of a group that is drawn from all groups, equally often."""
    known: dict[str, list[str]] = {}
    for r in rows:
        if "true" in r:
            known.setdefault(r["true"], []).append(r["group"])
    groups = sorted(known)

    def drawn() -> str:
        readings = known[groups[int(rng.integers(len(groups)))]]
        return readings[int(rng.integers(len(readings)))]

    return [r if "true" in r else r | {"group": drawn()} for r in rows]


DEALS: dict[str, Deal] = {
    "people": people,
    "groups": groups,
    "sides": sides,
    "answers": answers,
    "genders": genders,
    "sentences": sentences,
    "texts": texts,
    "stereotypes": stereotypes,
    "occupations": occupations,
    "shown": shown,
}
