"""How one null run, or one run on the planted case, is made."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from dependencies import closure
from null_cases import CASES, CHANCE, Case
from null_labels import dealt
from readings import code_files, collected, generator_of, loaded, module_of

from generators.base import find_generator
from generators.gpt_text import prose
from generators.gpt_text.canaries import canaries, unplanted
from guardrails.assay.audit.controls import control_subject
from guardrails.core.batch import Row
from guardrails.core.probe import Probe
from guardrails.core.registry import load_probe
from guardrails.core.seeding import derive_seed
from guardrails.core.subject import Subject
from guardrails.membership.reference_models import scored
from guardrails.membership.separation import TOP, Attacks, best
from guardrails.targets.reference_data import UNPLANTED

DECIMALS = 4

Reading = dict[str, tuple[float, float] | None]
"""By attack: the statistic and its lower bound, or None where it could not be assessed."""


def null_files(probe: Probe) -> set[Path]:
    """Return the Python files that decide a probe's null runs: its instrument's, and those of other models here."""
    sources = {s for c in CASES if c.probe == probe.id for s in (c.source, c.asked)}
    models = {module_of(source) for source in sources}
    here = Path(__file__).resolve()
    attacks = {"guardrails.membership.separation", "guardrails.membership.reference_models"}
    return (
        code_files(probe)
        | closure(models | attacks | {"generators.gpt_text.prose"})
        | {here, here.with_name("null_cases.py")}
        | ({here.with_name("null_labels.py")} if any(c.labels for c in CASES if c.probe == probe.id) else set())
    )


def unseen(source: str, n: int, seed: int) -> Any:
    """Return n items of the law of a source's generator that no weights have read, by a seed, in random order."""
    if generator_of(source) != "gpt-text":
        return find_generator(generator_of(source)).load().reference_items(n, seed=derive_seed(seed, source, "unseen"))
    rng = np.random.default_rng(derive_seed(seed, source, "unseen"))
    records = 2 * prose.CONTACTS + rng.permutation(3000 - 2 * prose.CONTACTS)[: n // 3]  # one document in three
    texts = [*prose.writings(f"null {seed}", n - len(records)), *(prose.contact(int(i)).text for i in records)]
    return [texts[i] for i in rng.permutation(n)]


def null_subject(case: Case, seed: int) -> Subject:
    """Return the model with as many items in each arm as its control has, none of them seen by it."""
    base = control_subject(case.asked)
    if case.labels:
        return base
    m, n = len(base.corpus), len(base.holdout)
    if case.asked.startswith("canaries:"):
        m, n = len(canaries()), UNPLANTED
        texts = [canary.text for canary in unplanted(m + n)]
        items: Any = [texts[i] for i in np.random.default_rng(derive_seed(seed, "canaries")).permutation(m + n)]
    else:
        items = unseen(case.asked, m + n, seed)
    if hasattr(items, "iloc"):
        return replace(base, corpus=items.iloc[:m], holdout=items.iloc[m:].reset_index(drop=True))
    return replace(base, corpus=items[:m], holdout=items[m:])


def null_run(case: Case, seed: int) -> Reading:
    """Run an attack once where there is nothing to find."""
    if case.share == 1:
        probe, subject = load_probe(case.probe), null_subject(case, seed)
        return read(case, probe, collected(probe, subject, "null", seed), subject, seed)
    rows, subject = _pool(case, seed // case.share)
    rng = np.random.default_rng(derive_seed(seed, case.asked, "split"))
    anew = dealt(case.labels, rows, rng) if case.labels else split(rows, rng, case.draw)
    return read(case, loaded(case.probe), anew, subject, seed)


def planted_run(case: Case, seed: int) -> Reading:
    """Run it once on the planted case."""
    if not case.planted:
        probe, subject = loaded(case.probe), control_subject(case.source)
        return read(case, probe, collected(probe, subject, case.source, seed), subject, seed)
    rows, subject = _planted_pool(case, seed // case.share)
    rng = np.random.default_rng(derive_seed(seed, case.source, "draw"))
    return read(case, loaded(case.probe), draw(rows, rng, case.draw, case.planted), subject, seed)


@cache
def _pool(case: Case, number: int) -> tuple[list[Row], Subject]:
    probe, subject = load_probe(case.probe), null_subject(case, number)
    return usable(collected(probe, subject, "null", number)), subject


@cache
def _planted_pool(case: Case, number: int) -> tuple[list[Row], Subject]:
    subject = control_subject(case.source)
    return usable(collected(loaded(case.probe), subject, case.source, number)), subject


def usable(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of items that could be assessed, each item once."""
    return [r for r in rows if not r.keys() & {"error", "short", "curve"}]


def split(rows: Sequence[Row], rng: np.random.Generator, size: int = 0) -> list[Row]:
    """Return the rows with their arms dealt anew: as many of each as before, or `size` of each."""
    arms = [r["arm"] for r in rows] if not size else ["corpus"] * size + ["holdout"] * size
    chosen = rng.permutation(len(rows))[: len(arms)]
    return [rows[i] | {"arm": arm} for i, arm in zip(chosen, arms, strict=True)]


def draw(rows: Sequence[Row], rng: np.random.Generator, size: int, planted: int) -> list[Row]:
    """Return `size` rows of each arm, drawn at random; the planted ones always."""
    always = [r | {"planted": True} for r in rows if _is_planted(r, planted)]
    rest = [r for r in rows if r["arm"] == "corpus" and not _is_planted(r, planted)]
    others = [r for r in rows if r["arm"] == "holdout"]
    members = always + [rest[i] for i in rng.permutation(len(rest))[: size - len(always)]]
    return members + [others[i] for i in rng.permutation(len(others))[:size]]


def _is_planted(row: Row, planted: int) -> bool:
    return bool(row["arm"] == "corpus" and row["index"] < planted)


def read(case: Case, probe: Probe, rows: Sequence[Row], subject: Subject, seed: int) -> Reading:
    """Return what each attack made of the rows."""
    if not case.chance:
        return separations(rows)
    measured = {m.metric: m for m in probe.measure(rows, subject, seed=derive_seed(seed, case.probe, "measure"))}
    reading: Reading = {}
    for metric in case.chance:
        m = measured.get(metric)
        reading[metric] = None if m is None or m.value is None or m.low is None else (m.value, m.low)
    return reading


def separations(rows: Sequence[Row]) -> Reading:
    """Return the AUC, and the precision of the surest guesses, of each attack on membership and of the best.

    Each attack has its own 95% interval; those of the best hold for all attacks at once, as the probe states them.
    """
    models = [r for r in rows if "confidences" in r]
    items = scored([r for r in rows if "arm" in r], models) if models else rows
    members, others = ([r for r in items if r["arm"] == arm and "scores" in r] for arm in ("corpus", "holdout"))
    every = Attacks.of(members, others)
    planted = [r for r in members if "planted" in r]
    ranked = Attacks.of(planted, others) if planted else every
    reading: Reading = {}
    for name in every.members:
        reading[name] = _alone(ranked, name).aucs()[name][:2]
        reading[f"{name}, first {TOP}"] = _alone(every, name).precisions()[name][:2]
    reading["best"] = best(ranked.aucs())[:2]
    reading[f"best, first {TOP}"] = best(every.precisions())[:2]
    return reading


def _alone(attacks: Attacks, name: str) -> Attacks:
    return Attacks({name: attacks.members[name]}, {name: attacks.others[name]}, ())


def chance(case: Case, attack: str) -> float:
    """Return what an attack's statistic is where nothing was learnt."""
    return case.chance.get(attack, CHANCE)


def alarms(lows: Iterable[float | None], level: float) -> int:
    """Return in how many runs the lower bound lies above chance; runs without a reading count as none.

    >>> alarms([0.51, 0.5, None], 0.5)
    1
    """
    return sum(low is not None and low > level for low in lows)


def columns(runs: Sequence[Reading]) -> dict[str, dict[str, list[float | None]]]:
    """Return, by attack, the statistics and the lower bounds of all runs."""
    return {
        name: {what: [_rounded(run.get(name), k) for run in runs] for k, what in enumerate(("value", "low"))}
        for name in (runs[0] if runs else ())
    }


def _rounded(pair: tuple[float, float] | None, k: int) -> float | None:
    """Return one of both, a bound rounded down, so that rounding makes no alarm."""
    if pair is None:
        return None
    return math.floor(pair[1] * 10**DECIMALS) / 10**DECIMALS if k else round(pair[0], DECIMALS)
