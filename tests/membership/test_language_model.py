from __future__ import annotations

import json
import sys
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest

from guardrails.assay.audit.controls import control_subject, headline_threshold
from guardrails.assay.audit.spikes import batches_to_spike, spike_outcome
from guardrails.assay.policy.policy import judge
from guardrails.core.asking import ask
from guardrails.core.batch import Row
from guardrails.core.errors import TargetError
from guardrails.core.probe import Budget
from guardrails.core.results import Measurement
from guardrails.core.seeding import derive_seed
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality
from guardrails.membership.language_model import SHORTEST, LanguageModelMembership

PROBE = LanguageModelMembership()
WORDS = [f"w{i:03d}" for i in range(400)]
NUMBERS = {word: i for i, word in enumerate(WORDS)}


class WordModel:
    """Any word has a log-probability drawn by its place and text; in documents that it knows, a higher one."""

    name = "words"
    modality = Modality.TEXT
    access = frozenset({Access.LOGPROBS})
    context_length = 256

    def __init__(self, known: list[str], gain: float = 3.0) -> None:
        self.known = {tuple(self.encode(text)[-8:]) for text in known}
        self.gain = gain

    def identity(self) -> dict[str, str]:
        return {}

    def encode(self, text: str) -> list[int]:
        return [NUMBERS[word] for word in text.split()]

    def decode(self, tokens: Any) -> str:
        return " ".join(WORDS[t] for t in tokens)

    def token_logprobs(self, sequences: Any) -> list[Any]:
        out = []
        for s in sequences:
            rng = np.random.default_rng(derive_seed(0, *s[-20:]))
            gain = self.gain if tuple(s[-8:]) in self.known else 0.0
            out.append(np.minimum(rng.normal(gain - 6, 1, max(0, len(s) - 1)), 0))
        return out


class FullModel(WordModel):
    """One that tells the moments too."""

    def token_moments(self, sequences: Any) -> list[Any]:
        return [np.stack([v, np.full(len(v), -5.0), np.full(len(v), 2.0)], 1) for v in self.token_logprobs(sequences)]


def documents(n: int, name: str, *, words: int = 40) -> list[str]:
    rng = Random(name)
    return [" ".join(rng.choices(WORDS, k=words)) for _ in range(n)]


CORPUS, HOLDOUT = documents(120, "c"), documents(120, "h")


def audited(
    subject: Subject, budget: Budget = Budget.CONTROL, seed: int = 0, probe: LanguageModelMembership = PROBE
) -> tuple[list[Row], list[Any], dict[str, Measurement]]:
    batches = probe.plan(subject, budget, seed=seed)
    rows = [row for batch in batches for row in ask(probe, subject, batch, seed=seed)]
    json.dumps([batch.to_json() for batch in batches], allow_nan=False)
    json.dumps(rows, allow_nan=False)
    return rows, batches, {m.metric: m for m in probe.measure(rows, subject, seed=seed)}


def test_documents_that_it_knows_are_told_from_others() -> None:
    rows, _, readings = audited(Subject(FullModel(CORPUS), corpus=CORPUS, holdout=HOLDOUT))
    auc = readings["membership_auc"]
    assert auc.value == 1
    assert auc.low is not None
    assert auc.low > 0.8
    assert auc.n == 160
    assert [p.x for p in auc.series[0].points] == ["loss", "zlib", "Min-K%", "Min-K%++", "ReCaLL"]
    assert readings["blind_auc"].high is not None
    assert readings["blind_auc"].low is not None
    assert readings["blind_auc"].low < 0.5 < readings["blind_auc"].high
    assert not any(word in json.dumps(rows) for word in WORDS[:50])


def test_a_model_that_knows_none_or_both_raises_no_alarm() -> None:
    for known in ([], [*CORPUS, *HOLDOUT]):
        _, _, readings = audited(Subject(FullModel(known), corpus=CORPUS, holdout=HOLDOUT))
        auc = readings["membership_auc"]
        assert auc.low is not None
        assert auc.high is not None
        assert auc.low < 0.5 < auc.high


def test_without_moments_one_attack_less_is_run() -> None:
    _, _, readings = audited(Subject(WordModel(CORPUS), corpus=CORPUS, holdout=HOLDOUT))
    assert [p.x for p in readings["membership_auc"].series[0].points] == ["loss", "zlib", "Min-K%", "ReCaLL"]


def test_the_prefix_is_held_out_and_left_out_of_the_comparison() -> None:
    subject = Subject(WordModel([]), corpus=CORPUS, holdout=HOLDOUT)
    _, batches, _ = audited(subject, Budget.STANDARD)
    shots = batches[0].payload["shots"]
    drawn = [i["index"] for b in batches for i in b.rows() if i["arm"] == "holdout"]
    assert len(shots) == 3  # of 40 tokens; half of the context is 128
    assert sorted([*shots, *drawn]) == list(range(120))
    assert all(b.payload["shots"] == shots for b in batches)


def test_every_sequence_fits_into_the_context() -> None:
    class Strict(FullModel):
        context_length = 50

        def token_logprobs(self, sequences: Any) -> list[Any]:
            assert max(map(len, sequences)) <= 50
            return super().token_logprobs(sequences)

    _, batches, readings = audited(Subject(Strict([]), corpus=CORPUS, holdout=HOLDOUT))
    assert batches[0].payload["length"] == 25
    assert readings["membership_auc"].value is not None


def test_a_context_without_room_is_named_and_no_document_is_called_short() -> None:
    class Narrow(WordModel):
        context_length = 2 * SHORTEST - 1

    _, _, readings = audited(Subject(Narrow(CORPUS), corpus=CORPUS, holdout=HOLDOUT))
    reason = readings["membership_auc"].reason or ""
    assert "Half of the model's context holds 15 tokens; documents are compared from 16 on." in reason
    assert "fewer than 16 tokens" not in reason


def test_the_same_documents_on_both_sides_are_named() -> None:
    _, _, readings = audited(Subject(WordModel([]), corpus=CORPUS, holdout=CORPUS))
    for measurement in readings.values():
        assert measurement.value is None
        assert "120 of 120 different holdout documents also occur in the corpus" in (measurement.reason or "")


def test_holdout_documents_that_stand_in_the_corpus_are_left_out_and_named() -> None:
    holdout = [*HOLDOUT[:60], *(f"  {text.upper().lower()}\n" for text in CORPUS[:30])]
    _, batches, readings = audited(Subject(FullModel(CORPUS), corpus=CORPUS, holdout=holdout), Budget.STANDARD)
    drawn = [i["index"] for b in batches for i in b.rows() if i["arm"] == "holdout"]
    assert max([*drawn, *batches[0].payload["shots"]]) < 60
    assert "30 of 90 different holdout documents" in readings["membership_auc"].explanation
    assert "number 60, 61" in readings["membership_auc"].explanation


def test_documents_that_occur_twice_count_once() -> None:
    _, batches, _ = audited(Subject(WordModel([]), corpus=CORPUS[:50] * 3, holdout=HOLDOUT[:50] * 2), Budget.STANDARD)
    arms = [i["arm"] for b in batches for i in b.rows()]
    assert arms.count("corpus") == 50
    assert arms.count("holdout") + len(batches[0].payload["shots"]) == 50


@pytest.mark.parametrize(
    ("corpus", "holdout"), [(CORPUS[:1], HOLDOUT), (CORPUS, HOLDOUT[:1]), ([], []), (["", "  "], [" "])]
)
def test_one_document_or_none_is_a_reason(corpus: list[str], holdout: list[str]) -> None:
    _, _, readings = audited(Subject(WordModel([]), corpus=corpus, holdout=holdout))
    assert "at least 40 documents of each are needed" in (readings["membership_auc"].reason or "")


def test_short_documents_are_counted_and_said() -> None:
    corpus = [*documents(60, "l"), *documents(20, "s", words=SHORTEST - 1)]
    rows, _, readings = audited(Subject(WordModel([]), corpus=corpus, holdout=HOLDOUT))
    assert sum("short" in r for r in rows) == 20
    auc = readings["membership_auc"]
    assert auc.errors == 0
    assert auc.n == 140
    assert f"20 corpus documents have fewer than {SHORTEST} tokens" in auc.explanation


def test_a_model_that_gives_everything_one_score_leaves_the_text_alone() -> None:
    class Flat(WordModel):
        def token_logprobs(self, sequences: Any) -> list[Any]:
            return [np.full(max(0, len(s) - 1), -1.0) for s in sequences]

    _, _, readings = audited(Subject(Flat([]), corpus=CORPUS, holdout=HOLDOUT))
    auc = readings["membership_auc"]
    assert [p.x for p in auc.series[0].points] == ["zlib"]  # which differs by the text
    assert "Left out, the same for all documents: loss, Min-K%, ReCaLL" in auc.explanation


def test_a_confounded_split_is_not_assessed() -> None:
    holdout = [text.replace("w0", "w3") for text in HOLDOUT]
    _, _, readings = audited(Subject(WordModel(CORPUS), corpus=CORPUS, holdout=holdout))
    auc = readings["membership_auc"]
    assert auc.value is None
    assert "the split is confounded" in (auc.reason or "")
    assert judge(auc, headline_threshold(PROBE))[0].value == "not-assessed"


def test_a_target_that_fails_is_counted_in_errors_never_in_n() -> None:
    class Broken(WordModel):
        asked = 0

        def token_logprobs(self, sequences: Any) -> list[Any]:
            self.asked += 1
            if self.asked > 8:
                raise TargetError("out of memory")
            return super().token_logprobs(sequences)

    rows, _, readings = audited(Subject(Broken([]), corpus=CORPUS, holdout=HOLDOUT))
    errors = sum("error" in r for r in rows)
    assert errors == 32
    assert readings["membership_auc"].errors == 32
    assert readings["membership_auc"].n == 160 - 32


def test_log_probabilities_that_are_not_finite_are_errors() -> None:
    class Odd(WordModel):
        def token_logprobs(self, sequences: Any) -> list[Any]:
            return [np.full(max(0, len(s) - 1), np.nan if s[-1] % 2 else -1.0) for s in sequences]

    rows, _, readings = audited(Subject(Odd([]), corpus=CORPUS, holdout=HOLDOUT))
    assert sum("error" in r for r in rows) == readings["membership_auc"].errors > 20


def test_any_rows_can_be_measured() -> None:
    subject = Subject(FullModel(CORPUS), corpus=CORPUS, holdout=HOLDOUT)
    rows, _, _ = audited(subject)
    for some in ([], rows[:3], rows[:80], [*rows, *rows], rows[::-1]):
        assert {m.metric for m in PROBE.measure(some, subject, seed=0)} >= {"membership_auc"}
    reversed_, given = (PROBE.measure(r, subject, seed=0) for r in (rows[::-1], rows))
    assert [m.value for m in reversed_] == [m.value for m in given]


def test_the_spike_is_recovered_and_turns_the_finding() -> None:
    probe = LanguageModelMembership()
    subject = Subject(FullModel([]), corpus=CORPUS, holdout=HOLDOUT)
    clean, batches, _ = audited(subject, probe=probe)
    batches = batches_to_spike(batches)
    spiked_subject = probe.spike(subject, batches, seed=0)
    assert spiked_subject is not None
    spiked = [row for batch in batches for row in ask(probe, spiked_subject, batch, seed=0)]
    assert {r["arm"] for r in spiked} == {"corpus"}
    assert set(spiked[0]["scores"]) == set(clean[0]["scores"])
    outcome = spike_outcome(probe, clean, spiked, subject, headline_threshold(probe), seed=0)
    assert outcome.planted == 80
    assert outcome.recovery == 1
    assert outcome.smallest_dose is not None
    assert outcome.smallest_dose <= 0.5


def test_without_rows_of_either_kind_there_is_no_recovery() -> None:
    subject = Subject(WordModel([]), corpus=CORPUS, holdout=HOLDOUT)
    assert PROBE.recovery([], [], subject) is None


class HardModel(WordModel):
    """One to which each text is as hard as it says, in whatever order its words come; what it knows is a bit easier."""

    def token_logprobs(self, sequences: Any) -> list[Any]:
        out = []
        for s in sequences:
            hard = 4.0 if WORDS[s[-1]] < "w200" else 1.0
            gain = self.gain if tuple(s[-8:]) in self.known else 0.0
            out.append(np.full(len(s) - 1, gain - hard))
        return out


def test_the_reference_attack_takes_off_how_hard_a_text_is() -> None:
    def halves(n: int, name: str) -> list[str]:
        rng = Random(name)  # texts of rare words, each new, and of common ones
        return [" ".join(rng.choices(WORDS[:200] if i % 2 else WORDS[200:220], k=40)) for i in range(n)]

    corpus, holdout, reference = (halves(100, name) for name in ("corpus", "holdout", "reference"))
    subject = Subject(HardModel(corpus, gain=0.5), corpus=corpus, holdout=holdout, reference=reference)
    _, _, readings = audited(subject)
    aucs = {p.x: p.y for p in readings["membership_auc"].series[0].points}
    assert aucs["loss"] < 0.8
    assert aucs["reference"] > 0.95
    assert ", reference)" in readings["membership_auc"].method
    assert "simultaneous over the attacks" in readings["membership_auc"].method


def test_the_sixth_attack_widens_the_intervals_of_all() -> None:
    subject = Subject(FullModel(CORPUS[:60]), corpus=CORPUS, holdout=HOLDOUT)
    five = audited(subject)[2]["membership_auc"]
    six = audited(replace(subject, reference=documents(60, "r")))[2]["membership_auc"]
    bars = [{p.x: p for p in m.series[0].points} for m in (five, six)]
    assert set(bars[1]) - set(bars[0]) == {"reference"}
    assert bars[1]["loss"].low < bars[0]["loss"].low


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        (None, "--reference was not given"),
        ([], "fewer than 40 reference documents"),
        ([" ", ""] * 40, "fewer than 40 reference documents"),
        (documents(39, "r") + CORPUS[:50] + HOLDOUT, "fewer than 40 reference documents are in neither"),
        (["w001 w002"] * 60, "fewer than 40 reference documents"),
    ],
)
def test_without_reference_data_the_attack_is_left_out_and_named(reference: Any, reason: str) -> None:
    rows, _, readings = audited(Subject(WordModel(CORPUS), corpus=CORPUS, holdout=HOLDOUT, reference=reference))
    assert not any("reference" in r["scores"] for r in rows)
    assert f"The reference attack was left out: {reason}" in readings["membership_auc"].explanation


@pytest.mark.slow
def test_the_controls_are_told_apart() -> None:
    for control in PROBE.controls:
        subject = control_subject(control.source)
        rows, _, readings = audited(subject)
        status = judge(readings["membership_auc"], headline_threshold(PROBE))[0].value
        assert status == "fail" if control.expected == "found" else status in ("pass", "inconclusive")
        assert not any("error" in r for r in rows)
        assert len(readings["membership_auc"].series[0].points) == 6


@pytest.mark.slow
def test_from_the_command_line(tmp_path: Any) -> None:
    import subprocess

    subject = control_subject("reference:gpt-text")
    for name in ("corpus", "holdout"):
        lines = (json.dumps({"text": text}) for text in getattr(subject, name))
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "guardrails", "audit", "reference:gpt-text,memorize=1"),
            *("--corpus", str(tmp_path / "corpus.jsonl"), "--holdout", str(tmp_path / "holdout.jsonl")),
            *("--probes", "membership.language-model", "--out", str(tmp_path / "out"), "--budget", "quick"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "fail" in done.stdout
    (finding,) = json.loads((tmp_path / "out" / "result.json").read_text())["findings"]
    assert finding["status"] == "fail"
    assert finding["measurement"]["low"] > 0.6
    assert finding["spike"] is not None


def test_the_subject_decides_what_is_kept() -> None:
    subject = Subject(WordModel([]), corpus=CORPUS, holdout=HOLDOUT)
    first = audited(subject)[2]["blind_auc"]
    other = audited(replace(subject, holdout=[t.replace("w0", "w3") for t in HOLDOUT]))[2]["blind_auc"]
    assert first.value != other.value
    assert audited(subject)[2]["blind_auc"].value == first.value
