"""`audit --dry-run`: asks the target nothing and says what the audit could see."""

import json

import pytest

from guardrails.assay.audit.dry_run import dry_run
from guardrails.core.batch import Arm, Batch, Item
from guardrails.core.errors import ConfigurationError

from .. import fakes


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """The fake probe alone, and a cache of its own."""
    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path / "cache"))
    fakes.install(monkeypatch)
    return fakes


def test_a_dry_run_asks_nothing_and_says_what_it_could_see(fake, monkeypatch):
    target = fake.FakeTarget(0.0)
    forecast = dry_run(target).forecasts[0]
    assert target.asked == []
    assert (forecast.samples, forecast.n, forecast.controls, forecast.limit) == (200, 200, 2, 0.1)
    assert 0.1 < forecast.detectable < 0.25
    monkeypatch.setattr(fake.FakeProbe, "size", 20)
    assert "inconclusive" in dry_run(target).forecasts[0].note


def test_a_dry_run_counts_neither_the_holdout_nor_a_curve_and_uses_the_verdicts_confidence(fake, monkeypatch):
    arms = tuple(Item(f"{arm}{i}", arm) for i in range(100) for arm in (Arm.CORPUS, Arm.HOLDOUT))
    batches = [Batch(0, arms), Batch(1, tuple(Item(f"{i.id}:8", i.arm, curve=True) for i in arms))]
    monkeypatch.setattr(fake.FakeProbe, "plan", lambda self, subject, budget, *, seed: batches)
    forecast = dry_run(fake.FakeTarget(0.0)).forecasts[0]
    assert (forecast.samples, forecast.n, forecast.confidence) == (400, 100, 0.95)
    monkeypatch.setattr(fake.FakeProbe, "shares_coverage", True)
    stricter = dry_run(fake.FakeTarget(0.0)).forecasts[0]
    assert (stricter.n, stricter.confidence) == (100, 0.975)
    assert stricter.detectable > forecast.detectable


def test_a_dry_run_says_which_probe_could_not_be_planned(fake, monkeypatch):
    def plan(self, subject, budget, *, seed):
        raise ConfigurationError("the corpus is no table")

    monkeypatch.setattr(fake.FakeProbe, "plan", plan)
    forecast = dry_run(fake.FakeTarget(0.0)).forecasts[0]
    assert (forecast.runs, forecast.note) == (False, "the corpus is no table")


@pytest.mark.parametrize(
    ("again", "said"), [(40, "holdout equals --corpus"), (7, "7 of 40 holdout documents"), (0, "")]
)
def test_a_dry_run_says_how_much_of_the_holdout_stands_in_the_corpus(tmp_path, again, said):
    texts = [f"Document {i} of many, in a few words." for i in range(80)]
    for name, some in (("corpus", texts[:40]), ("holdout", [*texts[:again], *texts[40 + again :]])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in some))
    corpus, holdout = (str(tmp_path / f"{name}.jsonl") for name in ("corpus", "holdout"))
    forecast = dry_run(f"jsonl:{corpus}", corpus=corpus, holdout=holdout, probes="memorization.overlap")
    assert [line for line in forecast.lines() if "holdout" in line][1:] == list(forecast.notes)
    assert said in "".join(forecast.notes)
    assert bool(forecast.notes) == bool(said)


def test_a_dry_run_knows_the_same_table_under_another_name(tmp_path):
    rows = "a,b,c\n" + "".join(f"{i * 7 % 13},{i * i % 17},{'xyz'[i % 3]}\n" for i in range(90))
    for name in ("out", "corpus", "holdout"):
        (tmp_path / f"{name}.csv").write_text(rows)
    given = {name: str(tmp_path / f"{name}.csv") for name in ("corpus", "holdout")}
    (note,) = dry_run(f"table:{tmp_path}/out.csv", **given, probes="privacy.linkability").notes
    assert "nothing is held out" in note
