"""Roles of columns: what the attacks on synthetic tables take for secret, for known, and leave out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from guardrails.core.asking import ask
from guardrails.core.probe import Budget, Probe
from guardrails.core.results import Measurement
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality
from guardrails.privacy.inference import Inference
from guardrails.privacy.linkability import Linkability
from guardrails.privacy.singling_out import SinglingOut
from guardrails.privacy.table_membership import TableMembership
from guardrails.privacy.tables import predicates

from .people import people

N = 120
KNOWN = ["age", "city", "income"]


class Table:
    modality = Modality.TABLE
    access = frozenset({Access.OUTPUTS})
    name = "table:test"
    available = N

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def identity(self) -> dict[str, str]:
        return {}

    def sample_rows(self, n: int, *, seed: int) -> pd.DataFrame:
        return self.frame.head(n).reset_index(drop=True)


def subject(columns: list[str] | None = None, roles: dict[str, str] | None = None, shift: float = 0.0) -> Subject:
    made = pd.concat([people(N, 1).head(N // 2), people(N // 2, 3)], ignore_index=True)
    tables = [frame[columns or frame.columns] for frame in (made, people(N, 1), people(N, 2, shift))]
    return Subject(Table(tables[0]), corpus=tables[1], holdout=tables[2], roles=roles or {})


def measured(probe: Probe, given: Subject) -> list[Measurement]:
    rows = [row for batch in probe.plan(given, Budget.CONTROL, seed=0) for row in ask(probe, given, batch, seed=0)]
    return probe.measure(rows, given, seed=0)


def test_only_sensitive_columns_are_secrets() -> None:
    given = subject(roles={"income": "sensitive", "city": "sensitive"})
    top, largest = measured(Inference(), given)
    assert top.explanation.startswith("Of 2 columns in turn")
    assert "was no secret" not in top.explanation
    assert {point.x for point in top.series[0].points} == {"income", "city"}
    assert largest.explanation.split("risk is ")[1].split(";")[0] in ("income", "city")


@pytest.mark.parametrize("probe", [Linkability, SinglingOut])
def test_an_attacker_who_knows_some_columns_does_as_if_there_were_no_others(
    probe: type[Probe], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predicates, "TRIES", 20)
    some = measured(probe(), subject(roles=dict.fromkeys(KNOWN, "quasi-identifier")))
    alone = measured(probe(), subject(columns=KNOWN))
    assert [(m.metric, m.value, m.low, m.high, m.n) for m in some] == [
        (m.metric, m.value, m.low, m.high, m.n) for m in alone
    ]
    every = measured(probe(), subject())
    assert [m.value for m in every] != [m.value for m in alone]


def test_what_was_left_out_is_named_beside_the_reading() -> None:
    given = subject(roles={"ROWNUM": "id"})
    assert "Left out, since they number or name the rows: ROWNUM." in measured(Linkability(), given)[0].explanation


def test_a_confounded_split_names_the_columns_that_confound_it() -> None:
    given = subject(shift=60_000)
    top: Any = measured(TableMembership(), given)[0]
    assert top.value is None
    assert "the split is confounded" in top.reason
    assert "Columns that tell them apart by themselves: 'income' (AUC 1.00)." in top.reason
    clear = measured(TableMembership(), replace(given, holdout=people(N, 2)))[0]
    assert clear.value is not None
