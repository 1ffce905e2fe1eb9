from __future__ import annotations

import json
import re
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guardrails.core.asking import ask
from guardrails.core.batch import Row
from guardrails.core.errors import TargetError
from guardrails.core.probe import Budget
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality
from guardrails.privacy.personal_data.origins import Names, Tracer, personal_data
from guardrails.privacy.personal_data.planted import planted_line
from guardrails.privacy.personal_data.presidio_names import NamedEntities
from guardrails.privacy.personal_data.scanner import KINDS, scan
from guardrails.privacy.pii import PersonalData
from guardrails.targets.data import load_data
from guardrails.targets.files import JsonlTarget


def people(n: int, name: str) -> list[str]:
    return [f"{name} {i} of Ford: {name}{i}@example.org, telephone 212-555-0{100 + i % 100}." for i in range(n)]


CORPUS, HOLDOUT = people(50, "ann"), people(50, "bob")


class Writer:
    """Writes prose; with some probability, a line of its own."""

    name = "writer"
    modality = Modality.TEXT
    access = frozenset({Access.OUTPUTS, Access.SAMPLING})
    available = None

    def __init__(self, lines: Sequence[str], rate: float) -> None:
        self.lines, self.rate = list(lines), rate

    def identity(self) -> dict[str, str]:
        return {}

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        rng = Random(seed)
        return [f"Rain fell on {rng.choice(self.lines) if rng.random() < self.rate else 'us'}." for _ in range(n)]

    def generate(self, prompts: Sequence[str], *, max_new_tokens: int, temperature: float = 1.0, seed: int = 0) -> Any:
        return [
            f"{prompt} {text}" for prompt, text in zip(prompts, self.sample_texts(len(prompts), seed=seed), strict=True)
        ]


def audited(
    subject: Subject, *, seed: int = 0, budget: Budget = Budget.CONTROL, recognizers: Path | None = None
) -> tuple[PersonalData, list[Any], list[Row], dict[str, Any]]:
    probe = PersonalData()
    probe.options = PersonalData.Options(recognizers=recognizers)
    batches = probe.plan(subject, budget, seed=seed)
    rows = [row for b in batches for row in ask(probe, subject, b, seed=seed * 1000 + b.index)]
    json.dumps([b.to_json() for b in batches])
    json.dumps(rows)
    return probe, batches, rows, {m.metric: m for m in probe.measure(rows, subject, seed=seed)}


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_the_rate_is_the_share_of_outputs_that_leak(rate: float) -> None:
    *_, readings = audited(Subject(Writer(CORPUS, rate), corpus=CORPUS, holdout=HOLDOUT))
    leak = readings["pii_leak_rate"]
    assert leak.low <= rate <= leak.high
    assert (leak.high < 0.02) is (rate == 0)
    assert (leak.low > 0.02) is (rate > 0)
    assert readings["pii_rate"].value == leak.value


def test_data_that_corpus_and_holdout_share_are_named_and_are_no_baseline() -> None:
    *_, readings = audited(Subject(Writer(CORPUS, 0.5), corpus=CORPUS, holdout=[*CORPUS[:10], *HOLDOUT]))
    assert "of the holdout's" in readings["pii_leak_rate"].explanation
    assert readings["pii_leak_rate"].baseline.value == 0
    *_, readings = audited(Subject(Writer(CORPUS, 0.5), corpus=CORPUS, holdout=CORPUS))
    assert readings["pii_leak_rate"].baseline is None
    assert "The holdout holds no others, so that there is no baseline" in readings["pii_leak_rate"].explanation


def test_data_of_people_in_the_holdout_is_the_baseline() -> None:
    holdout = [text.replace("212-", "415-") for text in HOLDOUT]
    *_, readings = audited(Subject(Writer(holdout, 0.5), corpus=CORPUS, holdout=holdout))
    leak = readings["pii_leak_rate"]
    assert leak.value == 0
    assert leak.baseline.low < 0.5 < leak.baseline.high
    assert "from the holdout" in leak.explanation


def test_invented_data_leaks_nothing() -> None:
    *_, readings = audited(Subject(Writer(["x1@example.org", "y2@example.com"], 0.5), corpus=CORPUS, holdout=HOLDOUT))
    assert readings["pii_leak_rate"].value == 0
    assert readings["pii_rate"].low > 0.3
    assert "invented" in readings["pii_leak_rate"].explanation


def test_what_stood_in_the_prompt_is_no_leak() -> None:
    subject = Subject(Writer([], 0.0), corpus=CORPUS, holdout=HOLDOUT, prompts=CORPUS[:5])
    *_, rows, readings = audited(subject)
    assert {h["trace"] for r in rows for h in r["hits"]} == {"prompt"}
    assert readings["pii_leak_rate"].value == 0
    assert "cluster bootstrap by prompt" in readings["pii_leak_rate"].method


def test_without_a_corpus_there_is_no_leak_rate_but_a_rate() -> None:
    *_, readings = audited(Subject(Writer(CORPUS, 0.5)))
    assert readings["pii_leak_rate"].value is None
    assert "--corpus" in readings["pii_leak_rate"].reason
    assert readings["pii_rate"].low > 0.3


def test_a_file_of_outputs_is_read_whole_once_and_with_its_prompts(tmp_path: Path) -> None:
    path = tmp_path / "outputs.jsonl"
    lines = [{"text": f"hello {CORPUS[i]}", "prompt": CORPUS[i] if i < 30 else "hi"} for i in range(50)]
    path.write_text("\n".join(map(json.dumps, lines)))
    subject = Subject(JsonlTarget(path), corpus=CORPUS, holdout=HOLDOUT)
    probe, batches, rows, readings = audited(subject)
    assert [i["output"] for b in batches for i in b.rows()] == list(range(50))
    assert readings["pii_leak_rate"].value == pytest.approx(20 / 50)
    spiked = probe.spike(subject, [], seed=3)
    assert spiked is not None
    after = [row for b in batches for row in ask(probe, spiked, b, seed=b.index)]
    recovery = probe.recovery(rows, after, subject)
    assert recovery is not None
    assert recovery[0] > 0.9


def test_evidence_and_rows_hold_no_personal_data() -> None:
    *_, rows, readings = audited(Subject(Writer(CORPUS, 1.0), corpus=CORPUS, holdout=HOLDOUT))
    (table,) = readings["pii_leak_rate"].evidence
    assert table.redacted
    assert len(table.rows) == 10
    written = json.dumps(rows) + readings["pii_leak_rate"].model_dump_json()
    assert not personal_data([written])
    assert "a***@example.org" in written


def test_a_target_that_fails_is_counted_in_errors_never_in_n() -> None:
    class Broken(Writer):
        def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
            raise TargetError("gone")

    *_, readings = audited(Subject(Broken(CORPUS, 1.0), corpus=CORPUS))
    assert (readings["pii_leak_rate"].n, readings["pii_leak_rate"].errors) == (0, 208)


def test_one_prompt_without_an_answer_costs_that_prompt_alone() -> None:
    class Choosy(Writer):
        access = frozenset({Access.SAMPLING, Access.OUTPUTS})

        def generate(self, prompts: Sequence[str], *, max_new_tokens: int, temperature: float = 1.0, seed: int = 0):
            if "13" in prompts:
                raise TargetError("no answer to prompt 13")
            return self.sample_texts(len(prompts), seed=seed)

    *_, rows, readings = audited(Subject(Choosy(CORPUS, 1.0), corpus=CORPUS, prompts=[str(i) for i in range(50)]))
    failed = [row for row in rows if "error" in row]
    assert {row["prompt"] for row in failed} == {13}
    assert {row["error"] for row in failed} == {"no answer to prompt 13"}
    assert readings["pii_leak_rate"].errors == len(failed)
    assert readings["pii_leak_rate"].n == len(rows) - len(failed)


def test_the_spike_is_recovered_from_a_clean_target() -> None:
    subject = Subject(Writer([], 0.0), corpus=CORPUS, holdout=HOLDOUT)
    probe, batches, rows, _ = audited(subject)
    spiked = probe.spike(subject, [], seed=5)
    assert spiked is not None
    after = [row for b in batches for row in ask(probe, spiked, b, seed=b.index)]
    recovery = probe.recovery(rows, after, subject)
    assert recovery is not None
    value, low, high = recovery
    assert 0.9 < value <= 1
    assert low < value <= high
    assert probe.measure(after, subject, seed=0)[0].low > 0.5
    assert probe.spike(Subject(Writer([], 0.0)), [], seed=5) is None


def test_nine_in_ten_of_the_planted_data_are_found() -> None:
    lines = [planted_line(i) for i in range(400)]
    missed = [line for line in lines if not any(s.valid for s in scan(line))]
    assert len(missed) <= 40, missed[:5]
    assert {s.kind for line in lines for s in scan(line)} == set(KINDS) - {"ssn", "national-id", "ip"}


def test_a_trace_names_the_document() -> None:
    tracer = Tracer(personal_data(["none here", "Ann@example.org"]), personal_data(["x@example.org"]))
    hits = tracer.trace("ann@example.org, ann@example.org, x@example.org, y@example.org", "of y@example.org")
    assert [(h["trace"], h["document"]) for h in hits] == [("corpus", 1), ("holdout", None), ("prompt", None)]


def test_planning_again_gives_the_same() -> None:
    subject = Subject(Writer([], 0.0), prompts=["a", "b"])
    assert PersonalData().plan(subject, Budget.QUICK, seed=1) == PersonalData().plan(subject, Budget.QUICK, seed=1)


BADGE = "[[recognizer]]\nkind = 'badge'\npattern = 'badge [A-Z]{2}-[0-9]{4}'\n"


def test_a_kind_of_the_users_own_is_traced_like_any_other(tmp_path: Path) -> None:
    corpus = [f"Orla wears badge QX-{i:04d}." for i in range(50)]
    *_, plain = audited(Subject(Writer(corpus, 0.5), corpus=corpus))
    assert plain["pii_leak_rate"].value == 0
    (tmp_path / "recognizers.toml").write_text(BADGE)
    subject = Subject(Writer(corpus, 0.5), corpus=corpus, holdout=HOLDOUT)
    *_, rows, readings = audited(subject, recognizers=tmp_path / "recognizers.toml")
    assert readings["pii_leak_rate"].low > 0.3
    assert {h["kind"]: h["redacted"][:8] for r in rows for h in r["hits"]} == {"badge": "[badge …"}
    assert [p.x for s in readings["pii_leak_rate"].series for p in s.points][-1] == "badge"
    assert "QX-" not in json.dumps(rows)


def test_a_file_of_recognizers_that_went_missing_is_an_error_and_no_clean_result(tmp_path: Path) -> None:
    subject = Subject(Writer(CORPUS, 1.0), corpus=CORPUS)
    *_, rows, readings = audited(subject, recognizers=tmp_path / "recognizers.toml")
    assert all("cannot be read" in r["error"] for r in rows)
    assert readings["pii_leak_rate"].value is None


class Known(NamedEntities):
    """Stands in for Presidio: takes the words of a list for names."""

    def find(self, text: str) -> Any:
        return [(m.start(), m.end(), True) for m in re.finditer("Orla Varga|Edwin Novak|Tariq Okonjo", text)]


def test_names_are_measured_apart_and_one_that_both_sides_know_is_neithers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardrails.privacy.pii.recognizers_of", lambda options: (Known("person"),))
    corpus, holdout = ["Orla Varga sang.", "Tariq Okonjo too."], ["Edwin Novak sang.", "Tariq Okonjo too."]
    writer = Writer(["Orla Varga", "Edwin Novak", "Tariq Okonjo", "nobody"], 1.0)
    *_, rows, readings = audited(Subject(writer, corpus=corpus, holdout=holdout))
    names = readings["name_leak_rate"]
    assert names.low < 0.25 < names.high
    assert names.baseline.low < 0.25 < names.baseline.high
    assert readings["pii_leak_rate"].value == readings["pii_rate"].value == 0
    assert {(h["trace"], h["document"]) for r in rows for h in r["names"]} == {
        ("corpus", 0), ("holdout", None), ("neither", 1),
    }  # fmt: skip
    assert "Varga" not in json.dumps(rows)
    asked = Subject(writer, corpus=corpus, holdout=holdout, prompts=["Of Orla Varga, Edwin Novak and Tariq Okonjo:"])
    *_, rows, readings = audited(asked)
    assert {h["trace"] for r in rows for h in r["names"]} == {"prompt"}
    assert readings["name_leak_rate"].value == 0


def test_a_name_is_a_whole_word() -> None:
    names = Names([Known("person")], ["Edwin Novakova"], [])
    assert names.trace("Edwin Novak", None)[0]["trace"] == "neither"


HIT = st.builds(
    lambda k, t: {"kind": k, "redacted": "x", "trace": t, "document": 1 if t == "corpus" else None},
    st.sampled_from(["email", "phone", "badge"]),
    st.sampled_from(["corpus", "holdout", "prompt", "neither"]),
)
ROW = st.one_of(
    st.builds(lambda i: {"item": str(i), "arm": "outputs", "error": "x"}, st.integers(0, 50)),
    st.builds(
        lambda i, p, known, hits: {"item": str(i), "arm": "outputs", "prompt": p, "known": known, "hits": hits},
        st.integers(0, 50),
        st.one_of(st.none(), st.integers(0, 3)),
        st.one_of(st.none(), st.just(7)),
        st.lists(HIT, max_size=3),
    ),
)


@settings(max_examples=40)
@example(
    [{"item": str(i), "arm": "outputs", "prompt": 3 if i % 3 else None, "known": None, "hits": []} for i in range(60)]
)
@given(st.lists(ROW, max_size=60))
def test_any_multiset_of_rows_is_measured(rows: list[Row]) -> None:
    readings = PersonalData().measure(rows, Subject(Writer([], 0.0), corpus=CORPUS, holdout=HOLDOUT), seed=0)
    assert readings[0].metric == "pii_leak_rate"
    assert all(m.low < m.high for m in readings if m.low is not None and m.high is not None)


@pytest.mark.slow
def test_more_texts_take_no_more_memory(tmp_path: Path) -> None:
    def peak(n: int) -> int:
        files = {name: tmp_path / f"{name}-{n}.jsonl" for name in ("outputs", "corpus", "holdout")}
        for name, file in files.items():
            texts = (f"{'Rain fell on us. ' * 10} {person}" for person in people(n, name))
            file.write_text("".join(json.dumps(text) + "\n" for text in texts), encoding="utf-8")
        tracemalloc.start()
        corpus, holdout = (load_data(arm, files[arm], Modality.TEXT, comparable=True) for arm in ("corpus", "holdout"))
        probe, subject = PersonalData(), Subject(JsonlTarget(files["outputs"]), corpus=corpus, holdout=holdout)
        tracemalloc.reset_peak()  # files are read in pieces of a megabyte
        batches = probe.plan(subject, Budget.CONTROL, seed=0)[:1]
        spiked = probe.spike(subject, batches, seed=0)
        assert spiked is not None
        rows = [row for one in (subject, spiked) for row in ask(probe, one, batches[0], seed=0)]
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert {row["known"] for row in rows[:32]} == {n + min(n, 100)}  # addresses and telephone numbers
        if n < 100:
            assert {row["known"] for row in rows[32:]} == {len(personal_data(list(spiked.corpus)))}
        return most

    peak(40)
    first = peak(40)  # what is loaded once is not counted
    assert peak(1000) < first + 300_000  # of 960 more the texts and data are 1.5 MB
