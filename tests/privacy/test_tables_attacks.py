"""The attacks on synthetic tables: whole probes on known leaks."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from guardrails import cli
from guardrails.assay.audit.controls import control_subject
from guardrails.assay.audit.spikes import mix
from guardrails.core.asking import ask
from guardrails.core.batch import Row
from guardrails.core.errors import ConfigurationError
from guardrails.core.probe import Budget, Probe
from guardrails.core.results import Measurement
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality
from guardrails.privacy import inference, linkability, table_distance
from guardrails.privacy.inference import Inference
from guardrails.privacy.linkability import Linkability
from guardrails.privacy.singling_out import SinglingOut
from guardrails.privacy.table_distance import TableDistance
from guardrails.privacy.table_membership import TableMembership
from guardrails.privacy.tables import arrays, predicates
from guardrails.privacy.tables.attacked_rows import spiked
from guardrails.privacy.tables.risk import rate, risk

from .people import people

PROBES: list[Callable[[], Probe]] = [Linkability, Inference, SinglingOut, TableMembership, TableDistance]
EVERY = pytest.mark.parametrize("probe", PROBES)


@pytest.fixture(autouse=True)
def short_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up sooner where a table has too few predicates to find."""
    monkeypatch.setattr(predicates, "TRIES", 30)


class Table:
    """A target that draws from a data frame."""

    modality = Modality.TABLE
    access = frozenset({Access.OUTPUTS})
    name = "table:test"

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    @property
    def available(self) -> int:
        return len(self.frame)

    def identity(self) -> dict[str, str]:
        return {"rows": str(len(self.frame))}

    def sample_rows(self, n: int, *, seed: int) -> pd.DataFrame:
        return self.frame.sample(n, random_state=seed % 2**32).reset_index(drop=True)


def subject(share: float = 0.0, n: int = 400, shift: float = 0.0) -> Subject:
    """Return fresh rows of which a share are training rows, with the training rows and others."""
    corpus, synthetic = people(n, 1), people(n, 3)
    copies = int(share * n)
    synthetic = pd.concat([corpus.head(copies), synthetic.iloc[copies:]], ignore_index=True)
    return Subject(Table(synthetic), corpus=corpus, holdout=people(n, 2, shift))


def rows_of(probe: Probe, given: Subject, seed: int = 0) -> list[Row]:
    plan = probe.plan(given, Budget.CONTROL, seed=seed)
    rows = [row for batch in plan for row in ask(probe, given, batch, seed=0)]
    assert len({row["item"] for row in rows}) == len(rows)
    json.dumps(rows, allow_nan=False)
    return rows


def audit(probe: Probe, given: Subject, seed: int = 0) -> list[Measurement]:
    return probe.measure(rows_of(probe, given, seed), given, seed=0)


# Whole probes


@pytest.mark.slow
@EVERY
def test_a_leak_is_told_from_none(probe: Callable[[], Probe]) -> None:
    values = [audit(probe(), subject(share))[0] for share in (0.0, 0.5, 1.0)]
    assert all(m.value is not None and m.low is not None for m in values)
    if probe is not TableDistance:
        assert values[0].low in (0.0, pytest.approx(0.45, abs=0.1))
    assert values[0].high < values[2].low
    assert values[0].high < values[1].low or probe is SinglingOut  # of 400 rows, half: univariate_risk shows it
    assert values[1].value < values[2].value


@EVERY
def test_the_journal_holds_no_value_of_a_person(probe: Callable[[], Probe]) -> None:
    given = subject(1.0)
    text = json.dumps([{k: v for k, v in row.items() if k not in ("half",)} for row in rows_of(probe(), given)])
    assert not re.search(r"\b(Ulm|Bonn|True|2019)\b", text)
    assert not any(f" {int(x)}," in text for x in given.corpus["income"] if x > 20_000)


@pytest.mark.slow
@EVERY
def test_few_rows_get_a_reason_and_mixtures_with_the_spike_a_number(probe: Callable[[], Probe]) -> None:
    one, given = probe(), subject()
    clean = rows_of(one, given)
    for some in (clean[:1], clean[:20], [{"item": "x", "arm": "corpus", "error": "no"}]):
        for m in one.measure(some, given, seed=0):
            assert m.value is None or m.n >= 30
            assert m.value is not None or m.reason
    spiked_subject = one.spike(given, [], seed=3)
    assert spiked_subject is not None
    spiked = rows_of(one, spiked_subject)
    seen = one.recovery(clean, spiked, given)
    assert seen is not None
    assert seen[0] > 0.6
    values = [one.measure(mix(clean, spiked, m, seed=0), given, seed=0)[0].value for m in (0, 200, 400)]
    assert None not in values
    assert values[0] < values[1] < values[2]


@pytest.mark.slow
@EVERY
def test_the_same_seed_gives_the_same(probe: Callable[[], Probe]) -> None:
    assert rows_of(probe(), subject(0.5)) == rows_of(probe(), subject(0.5))


@EVERY
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: Subject(s.target, corpus=s.corpus.drop(columns="age"), holdout=s.holdout), "corpus lacks age"),
        (
            lambda s: Subject(s.target, corpus=s.corpus, holdout=s.corpus),
            "400 of the 400 rows of the holdout also occur",
        ),
        (lambda s: Subject(s.target, corpus=s.corpus, holdout=s.holdout.head(0)), "the holdout has no rows"),
        (
            lambda s: Subject(s.target, corpus=s.corpus.map(lambda _: None), holdout=s.holdout),
            "every column is missing",
        ),
    ],
)
def test_bad_tables_end_in_one_clear_reason(probe: Callable[[], Probe], change: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        rows_of(probe(), change(subject()))


@EVERY
@pytest.mark.parametrize(
    "columns",
    [["age"], ["city"], ["married"], ["note", "married"], ["age", "income"]],
    ids=lambda names: "+".join(names),
)
@pytest.mark.parametrize("constant", [False, True])
def test_narrow_and_constant_tables_get_a_number_or_a_reason(
    probe: Callable[[], Probe], columns: list[str], constant: bool
) -> None:
    given = subject(0.5, n=200)
    frames = [frame[columns] for frame in (given.target.frame, given.corpus, given.holdout)]
    if constant:
        frames = [frame.assign(**{k: given.corpus[k].dropna().iloc[0] for k in columns}) for frame in frames]
    readings: list[Measurement] = []
    with contextlib.suppress(ConfigurationError):  # a reason too
        readings = audit(probe(), Subject(Table(frames[0]), corpus=frames[1], holdout=frames[2]))
    for m in readings:
        assert m.reason or (m.low is not None and not math.isnan(m.low))


@EVERY
def test_fewer_rows_than_attacks_are_each_attacked_once(probe: Callable[[], Probe]) -> None:
    given = Subject(Table(people(50, 3)), corpus=people(45, 1), holdout=people(70, 2))
    rows = rows_of(probe(), given)
    records = [r["record"] for r in rows if r["arm"] == "corpus" and "record" in r]
    assert len(records) == len(set(records)) <= 45
    assert all(m.value is not None or m.reason for m in probe().measure(rows, given, seed=0))


@EVERY
def test_rows_of_the_holdout_that_were_trained_on_are_named(probe: Callable[[], Probe]) -> None:
    given = subject()
    holdout = pd.concat([given.holdout, given.corpus.head(60)], ignore_index=True)
    (top, *_) = audit(probe(), Subject(given.target, corpus=given.corpus, holdout=holdout))
    assert "60 rows of the holdout also occur in the corpus and were left out: number 400, 401" in top.explanation


def test_a_split_that_the_rows_alone_give_away_is_not_assessed() -> None:
    top, rate_, blind = audit(TableMembership(), subject(1.0, shift=20_000))
    assert top.value is rate_.value is None
    assert "the split is confounded" in (top.reason or "")
    assert blind.low is not None
    assert blind.low > 0.55


@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_a_holdout_that_repeats_people_is_not_assessed(jitter: float) -> None:
    """A clone of a non-member stands in the reference: its score sinks, and members seem to stand out."""
    honest, people_once = subject(), people(200, 2)
    again = people_once.assign(income=people_once["income"] + jitter)
    holdout = pd.concat([people_once, again], ignore_index=True)
    given = Subject(honest.target, corpus=honest.corpus, holdout=holdout)
    top, rate_, blind = audit(TableMembership(), given)
    assert top.value is rate_.value is None
    assert "the holdout repeats rows" in (top.reason or "")
    assert blind.value is not None


def test_a_corpus_that_repeats_people_is_assessed() -> None:
    honest, once = subject(), people(200, 1)
    given = Subject(honest.target, corpus=pd.concat([once, once], ignore_index=True), holdout=honest.holdout)
    top = audit(TableMembership(), given)[0]
    assert top.low is not None
    assert top.low < 0.5 < top.high


def test_nearness_to_a_corpus_that_lies_apart_from_the_holdout_is_not_assessed() -> None:
    """Rows of an honest generator are nearer to the corpus where the holdout is of a later time."""
    rng = np.random.default_rng(3)
    months = np.arange(600) % 200 + 100.0 * (np.arange(600) >= 400)

    def drifting(month: Any) -> pd.DataFrame:
        trend = month / 50 + rng.normal(0, 1, len(month))
        return pd.DataFrame({"a": trend.round(2), "b": (trend / 2 + rng.normal(0, 1, len(month))).round(2)})

    real = drifting(months)
    corpus, holdout = real[:400], real[400:].reset_index(drop=True)
    closer, novelty, copies = audit(
        TableDistance(), Subject(Table(drifting(rng.permutation(months[:400]))), corpus=corpus, holdout=holdout)
    )
    assert closer.value is novelty.value is None
    assert "the split is confounded" in (closer.reason or "")
    assert "Columns that tell them apart by themselves: 'a'" in (closer.reason or "")
    assert copies.value is not None
    leak = audit(TableDistance(), Subject(Table(corpus), corpus=corpus, holdout=holdout))
    assert leak[2].low is not None
    assert leak[2].low > 0.9


def test_the_blind_baseline_is_a_half_where_the_split_is_honest() -> None:
    areas = [audit(TableMembership(), subject(1.0, n=200 + 10 * i))[2].value for i in range(5)]
    assert abs(np.mean(areas) - 0.5) < 0.06


def test_columns_that_say_nothing_are_no_secret() -> None:
    given = subject(0.5)
    frames = [f.assign(same="x", empty=None) for f in (given.target.frame, given.corpus, given.holdout)]
    top, column = audit(Inference(), Subject(Table(frames[0]), corpus=frames[1], holdout=frames[2]))
    assert "2 constant or empty columns were no secret" in top.explanation
    assert {p.x for p in top.series[0].points} == set(given.corpus.columns)
    assert column.high >= top.high


def test_distance_and_novelty_by_their_definitions() -> None:
    a, b = people(60, 1), people(80, 2)
    a = pd.concat([a, b.head(5), b.tail(5).assign(income=b.tail(5)["income"] * 1.009)], ignore_index=True)
    tables = arrays.read(a, b, people(9, 3))
    (near,) = table_distance.distances(tables.synthetic, tables.corpus)
    assert near[60:65].tolist() == [0] * 5
    assert (near > 0).sum() == 65
    exact, close = (table_distance.copied(tables.synthetic, tables.corpus, t) for t in (0.0, 0.01))
    assert [i for i, copy in enumerate(exact) if copy] == list(range(60, 65))
    assert [i for i, copy in enumerate(close) if copy] == list(range(60, 70))


def test_the_spiked_table_begins_with_the_rows_that_are_attacked_first() -> None:
    given = subject(n=100)
    target: Any = spiked(given).target
    assert target.available == 100
    assert "spiked" in target.identity()
    few: Any = spiked(replace(given, corpus=given.corpus.head(20))).target
    small = few.sample_rows(100, seed=1)
    assert small.head(20).merge(given.corpus.head(20)).shape[0] == 20
    assert len(small) == 100


def test_nearness_is_labelled_a_smoke_test_and_gates_nothing() -> None:
    from guardrails.assay.policy.policy import load_policy

    threshold = load_policy("default").threshold("privacy.table-distance", "closer_to_training")
    assert threshold is not None
    assert not threshold.required
    assert threshold.severity == "info"
    assert "smoke test" in TableDistance.limits
    assert "2505.01524" in TableDistance.limits


@pytest.mark.slow
@EVERY
def test_the_controls_are_told_apart(probe: Callable[[], Probe]) -> None:
    from guardrails.assay.audit.controls import headline_threshold
    from guardrails.assay.policy.policy import judge

    one = probe()
    for control in one.controls:
        (top, *_) = audit(one, control_subject(control.source))
        assert judge(top, headline_threshold(one))[0] in (
            ("fail",) if control.expected == "found" else ("pass", "inconclusive")
        )


# The command line and public data


@pytest.mark.slow
def test_an_audit_of_files_from_the_command_line(tmp_path: Any) -> None:
    given = subject(1.0)
    for name, frame in (("out", given.target.frame), ("train", given.corpus), ("control", given.holdout)):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    names = [probe.id for probe in (Linkability, Inference, SinglingOut, TableMembership, TableDistance)]
    words = [word for name in names for word in ("--probes", name)]
    words += ["--corpus", str(tmp_path / "train.csv"), "--holdout", str(tmp_path / "control.csv")]
    code = cli.run(
        ["audit", f"table:{tmp_path / 'out.csv'}", *words, "--budget", "quick", "--out", str(tmp_path / "run")]
    )
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert code == 1
    assert {f["probe"]: f["status"] for f in result["findings"]} == dict.fromkeys(names, "fail")


@pytest.mark.public_data
@pytest.mark.parametrize("share", ["0.0", "0.5", "1.0"])
def test_the_risks_are_those_of_anonymeter(test_data: Any, share: str) -> None:
    folder = test_data / "privacy"
    expected = json.loads((folder / "expected_anonymeter.json").read_text())["results"][share]
    synthetic, train, control = (
        pd.read_csv(folder / f"adults_{x}_part.csv") for x in ("syn_ctgan", "train", "control")
    )
    n = int(float(share) * 10_000)
    if n:
        planted = train.iloc[np.random.default_rng(0).choice(10_000, n, replace=False)]
        synthetic = pd.concat([planted, synthetic.iloc[n:]], ignore_index=True)
    tables = arrays.read(synthetic, train, control)

    for name, value in expected.items():  # the formula, from their rates
        attempts = 300 if name.startswith("singling") else 1000
        hits = [round(r * (attempts + 3.8415) - 1.9207) for r in value[3:]]
        assert list(risk(rate(hits[0], attempts), rate(hits[1], attempts))) == pytest.approx(value[:3], abs=0.004)

    rng = np.random.default_rng(0)
    main, other = (table[rng.choice(len(table), 1000, replace=False)] for table in (tables.corpus, tables.holdout))
    successes = {}
    halves = tuple(
        [tables.names.index(name) for name in half]
        for half in (
            ("type_employer", "education", "hr_per_week", "capital_loss", "capital_gain"),
            ("race", "sex", "fnlwgt", "age", "country"),
        )
    )
    hits = [linkability.linked(linkability.links(part, tables.synthetic, halves, seed=0), 5) for part in (main, other)]
    successes["linkability"] = hits
    guessed = [inference.guesses(part, tables.synthetic, seed=0) for part in (main, other)]
    for secret in ("income", "education", "fnlwgt"):
        j = tables.names.index(secret)
        successes[f"inference_{secret}"] = [int(g[:, j].sum()) for g in guessed]
    for name, (a, c) in successes.items():
        value, low, high = risk(rate(a, 1000), rate(c, 1000))
        _, theirs_low, theirs_high, *_ = expected[name]
        assert max(low, theirs_low) <= min(high, theirs_high), (name, value)
        assert abs(value - expected[name][0]) <= 0.03 + (theirs_high - theirs_low), name

    made = predicates.univariate(tables.synthetic.distinct(), 300, rng)
    counts = [predicates.count(made, part.distinct()) for part in (tables.corpus, tables.holdout)]
    single = risk(rate(sum(c == 1 for c in counts[0]), 300), predicates.control_rate(*counts, (10_000, 3_000)))
    theirs = expected["singling_out_univariate"]
    assert max(single.low, theirs[1]) <= min(single.high, theirs[2])
