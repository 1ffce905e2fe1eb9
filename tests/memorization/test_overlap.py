from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from guardrails.assay.audit.controls import control_subject
from guardrails.core.asking import ask
from guardrails.core.errors import TargetError
from guardrails.core.probe import Budget
from guardrails.core.statistics import newcombe, wilson
from guardrails.core.subject import Subject
from guardrails.kit.text.stored_corpus import StoredCorpus
from guardrails.memorization.overlap import MINIMUM, RUN, Overlap
from guardrails.memorization.text.index_folder import build_index
from guardrails.memorization.text.passages import difference
from guardrails.targets.files import JsonlTarget

from .text_writer import CORPUS, FRESH, HOLDOUT, PROBE, N, Writer, audited


def copying(share: float) -> list[str]:
    """Return fresh texts, a share of which hold 120 characters of a training document."""
    return [
        text[:50] + CORPUS[i % 100][30 : 30 + RUN + 20] + text[50:] if i < share * len(FRESH) else text
        for i, text in enumerate(FRESH)
    ]


@pytest.mark.parametrize("share", [0, 0.25, 1])
def test_the_rate_is_the_share_of_outputs_that_copy(share: float) -> None:
    rows, readings = audited(Subject(Writer(copying(share)), corpus=CORPUS, holdout=HOLDOUT))
    rate = readings["overlap_rate"]
    assert rate.value == share
    assert (rate.n, rate.errors, rate.baseline.value, rate.baseline.n) == (N, 0, 0, N)
    excess = newcombe(round(share * N), N, 0, N, confidence=0.975)
    assert rate.low == pytest.approx(max(0, excess.low))
    assert rate.high == wilson(round(share * N), N, confidence=0.975).high
    assert tuple(excess) == pytest.approx(
        (readings["overlap_excess"].value, readings["overlap_excess"].low, readings["overlap_excess"].high)
    )
    hit = [row for row in rows if row["arm"] == "outputs" and row["length"] >= RUN]
    assert all(row["length"] >= RUN + 20 for row in hit)
    assert all(row["document"] == int(row["item"].split(":")[1]) % 100 and row["documents"] == 1 for row in hit)


def test_one_character_less_does_not_count() -> None:
    texts = ["<" + CORPUS[i % 100][: RUN - (i % 2)] + ">" * 9 for i in range(N)]
    _, readings = audited(Subject(Writer(texts), corpus=CORPUS))
    assert readings["overlap_rate"].value == 0.5


LICENCE = "This text may be copied by anyone, as it is, for whatever purpose, without asking for permission at all. "


@pytest.mark.slow
def test_text_that_new_documents_hold_too_is_no_copy() -> None:
    rows, readings = audited(
        Subject(
            Writer([LICENCE + text for text in FRESH]),
            corpus=[text + LICENCE for text in CORPUS],
            holdout=[LICENCE + text for text in HOLDOUT],
        )
    )
    for metric in ("overlap_rate", "normalised_overlap"):
        assert readings[metric].value == readings[metric].baseline.value == 0
    assert f"{N} outputs hold such a run only with text of held-out documents" in readings["overlap_rate"].explanation
    assert readings["overlap_excess"].low < 0 < readings["overlap_excess"].high
    assert all(row["length"] < RUN <= row["common"] for row in rows)


@pytest.mark.slow
def test_a_copy_of_a_document_with_common_text_counts_by_the_rest_of_it() -> None:
    corpus, holdout = ([LICENCE + text for text in texts] for texts in (CORPUS, HOLDOUT))
    copies = [f"{LICENCE}{CORPUS[i % 100][:RUN]}" if i < N / 4 else LICENCE + text for i, text in enumerate(FRESH)]
    less = [text[: len(LICENCE) + RUN - 1] for text in copies]
    for texts, share in ((copies, 0.25), (less, 0)):
        rows, readings = audited(Subject(Writer(texts), corpus=corpus, holdout=holdout))
        assert (readings["overlap_rate"].value, readings["overlap_rate"].baseline.value) == (share, 0)
        assert [row["length"] for row in rows if "key" in row] == [RUN] * round(share * N)
    _, readings = audited(Subject(Writer([text.upper() for text in copies]), corpus=corpus, holdout=holdout))
    assert readings["normalised_overlap"].value == readings["overlap_rate"].value == 0
    longer = [f"<p>{LICENCE}{CORPUS[i % 100][: 2 * RUN]}".upper() for i in range(N)]
    _, readings = audited(Subject(Writer(longer), corpus=corpus, holdout=holdout))
    assert readings["normalised_overlap"].value == 1


def test_text_that_one_held_out_document_alone_shares_with_the_corpus_counts_in_the_baseline() -> None:
    holdout = [f"{CORPUS[i]} {text}" if i < 60 else text for i, text in enumerate(HOLDOUT[:120])]
    _, readings = audited(Subject(Writer(FRESH), corpus=CORPUS, holdout=holdout))
    assert readings["overlap_rate"].baseline.value == 0.5
    assert readings["overlap_rate"].value == 0


@pytest.mark.slow
def test_runs_that_as_many_new_documents_hold_are_neither_a_fault_nor_a_pass() -> None:
    outputs = [f"{CORPUS[i % 50]} {text}" if i % 2 else text for i, text in enumerate(FRESH)]
    holdout = [f"{CORPUS[50 + i % 50]} {text}" if i < 50 else text for i, text in enumerate(HOLDOUT[:100])]
    _, readings = audited(Subject(Writer(outputs), corpus=CORPUS, holdout=holdout))
    for metric in ("overlap_rate", "normalised_overlap"):
        rate = readings[metric]
        assert (rate.value, rate.baseline.value) == (0.5, 0.5)
        assert (rate.low, rate.high) == (0, pytest.approx(0.56, abs=0.01))


def test_a_held_out_document_that_stands_in_the_corpus_hides_no_copy() -> None:
    holdout = [*HOLDOUT[:40], *CORPUS]
    _, readings = audited(Subject(Writer(copying(1)), corpus=CORPUS, holdout=holdout))
    assert readings["overlap_rate"].value == 1


@pytest.mark.slow
def test_passages_of_a_spike_are_none_that_new_documents_hold() -> None:
    corpus, holdout = ([2 * LICENCE + text for text in texts] for texts in (CORPUS, HOLDOUT))
    subject = Subject(Writer(FRESH), corpus=corpus, holdout=holdout)
    clean, _ = audited(subject)
    spiked_subject = PROBE.spike(subject, [], seed=1)
    assert spiked_subject is not None
    spiked, readings = audited(spiked_subject)
    assert readings["overlap_rate"].value == 1
    assert PROBE.recovery(clean, spiked, subject) == tuple(wilson(N, N))
    same = Subject(Writer(FRESH), corpus=[2 * LICENCE] * 50, holdout=[f"{i} {2 * LICENCE}" for i in range(50)])
    assert PROBE.spike(same, [], seed=1) is None


def test_held_out_passages_are_no_longer_than_the_outputs() -> None:
    short = [text[: 110 + i % 40] for i, text in enumerate(FRESH)]
    rows, _ = audited(Subject(Writer(short), corpus=CORPUS, holdout=HOLDOUT))
    sizes = {arm: sorted(row["size"] for row in rows if row["arm"] == arm) for arm in ("outputs", "holdout")}
    assert sizes["outputs"] == sizes["holdout"]


def test_a_few_long_documents_of_the_holdout_are_cut_into_passages() -> None:
    rows, readings = audited(Subject(Writer(FRESH), corpus=CORPUS, holdout=[" ".join(HOLDOUT)]))
    assert (
        readings["overlap_rate"].baseline.n == len({row["item"] for row in rows if row["arm"] == "holdout"}) > MINIMUM
    )


def test_held_out_documents_in_the_corpus_are_left_out_and_named() -> None:
    holdout = [*HOLDOUT[:40], *(f"  {text}\n" for text in CORPUS[:30])]
    _, readings = audited(Subject(Writer(FRESH), corpus=CORPUS, holdout=holdout))
    assert readings["overlap_rate"].baseline.value == 0
    assert readings["overlap_rate"].baseline.n == 40
    assert "30 of 70 holdout documents also occur in the corpus" in readings["overlap_rate"].explanation
    _, readings = audited(Subject(Writer(FRESH), corpus=CORPUS, holdout=CORPUS))
    assert readings["overlap_rate"].baseline is None
    assert "a baseline needs" in readings["overlap_rate"].explanation


def test_without_a_holdout_the_rate_stands_and_says_what_is_missing() -> None:
    _, readings = audited(Subject(Writer(copying(1)), corpus=CORPUS))
    assert readings["overlap_rate"].value == 1
    assert readings["overlap_rate"].baseline is None
    assert "--holdout" in readings["overlap_rate"].explanation
    assert "cannot be told from copies" in readings["overlap_rate"].explanation
    assert "overlap_excess" not in readings


def test_a_run_that_the_prompt_holds_is_the_prompter_s() -> None:
    asked = [f"Repeat: {text}" for text in CORPUS]
    subject = Subject(Writer(CORPUS), corpus=CORPUS, prompts=[*asked, "Say something of your own"])
    rows, readings = audited(replace(subject, target=Writer([*CORPUS, CORPUS[0]])))
    assert sum(row["length"] >= RUN and not row["prompted"] for row in rows) == 3
    assert f"{N - 3} runs occur in the prompt" in readings["overlap_rate"].explanation
    assert "cluster bootstrap by prompt" in readings["overlap_rate"].method


def test_short_outputs_are_left_out_and_said() -> None:
    _, readings = audited(Subject(Writer([*FRESH[:40], "", "short"]), corpus=CORPUS))
    assert readings["overlap_rate"].n == N - 14
    assert "14 outputs are shorter than 100 characters" in readings["overlap_rate"].explanation
    _, readings = audited(Subject(Writer(["", "short"]), corpus=CORPUS))
    rate = readings["overlap_rate"]
    assert (rate.value, rate.n, rate.needed) == (None, 0, MINIMUM)
    assert "0 outputs of at least 100 characters; at least 20 are needed" in rate.reason


def test_the_evidence_says_where_and_not_what() -> None:
    secret = "Telephone 0123456 of a@b.example " + " ".join(f"word{i}" for i in range(40))
    corpus = [*CORPUS, secret, secret]
    rows, readings = audited(Subject(Writer([secret[:180], *copying(0.5)]), corpus=corpus))
    (table,) = readings["overlap_rate"].evidence
    assert table.redacted
    assert table.rows[0][0] == "180"
    assert table.rows[0][2] in ("100", "101")
    assert table.rows[0][3] == "2"
    assert len({row[2] for row in table.rows}) == len(table.rows) == 5
    for text in (str(table.rows), json.dumps(rows)):
        assert "0123456" not in text
        assert "b.example" not in text
        assert secret[60:100] not in text


def test_the_curve_is_the_share_of_outputs_with_a_run_at_least_so_long() -> None:
    rows, readings = audited(Subject(Writer(copying(0.25)), corpus=CORPUS, holdout=HOLDOUT))
    outputs, held, eidetic = readings["overlap_rate"].series
    assert (outputs.name, held.name, eidetic.name) == ("outputs", "holdout", "k-eidetic")
    assert [(p.x, p.y, p.n) for p in eidetic.points] == [(1, 1, len({r["key"] for r in rows if "key" in r}))]
    lengths = [row["length"] for row in rows if row["arm"] == "outputs"]
    assert [p.y for p in outputs.points] == [sum(n >= p.x for n in lengths) / N for p in outputs.points]
    assert next(p.y for p in outputs.points if p.x == RUN) == readings["overlap_rate"].value


def test_a_file_of_outputs_is_read_with_its_prompts(tmp_path: Path) -> None:
    file = tmp_path / "o.jsonl"
    lines = [{"text": text} for text in FRESH[:30]] + [{"text": CORPUS[0], "prompt": CORPUS[0]}, {"text": CORPUS[1]}]
    file.write_text("\n".join(map(json.dumps, lines)))
    _, readings = audited(Subject(JsonlTarget(file), corpus=CORPUS))
    assert readings["overlap_rate"].value == 1 / 32


@pytest.mark.slow
def test_an_index_gives_what_the_texts_give(tmp_path: Path) -> None:
    file = tmp_path / "c.jsonl"
    file.write_text("\n".join(map(json.dumps, [*CORPUS, CORPUS[0] + " again"])))
    build_index([file], tmp_path / "index", shard_bytes=5000)
    stored = StoredCorpus(tmp_path / "index")
    texts = copying(0.25)
    rows, readings = audited(Subject(Writer(texts), corpus=stored, holdout=HOLDOUT), probe=Overlap())
    same_rows, same = audited(Subject(Writer(texts), corpus=list(stored), holdout=HOLDOUT), probe=Overlap())
    assert readings["overlap_rate"].value == same["overlap_rate"].value == 0.25
    assert [row["length"] for row in rows] == [row["length"] for row in same_rows]
    assert [row.get("documents") for row in rows] == [row.get("documents") for row in same_rows]
    assert "2 of 101 training documents are near-duplicates of another" in readings["overlap_rate"].explanation


@pytest.mark.parametrize("corpus", [["one document only, " + "x" * 300], ["", " "], ["tiny"]])
def test_a_poor_corpus_is_no_crash(corpus: list[str]) -> None:
    subject = Subject(Writer(FRESH), corpus=corpus, holdout=HOLDOUT)
    _, readings = audited(subject)
    assert readings["overlap_rate"].value == 0
    assert (PROBE.spike(subject, [], seed=0) is None) == (max(map(len, corpus)) < RUN)


def test_a_target_that_fails_is_an_error_and_no_output() -> None:
    class Broken(Writer):
        def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
            if self.at:
                raise TargetError("gone")
            return super().sample_texts(n, seed=seed)

    rows, readings = audited(Subject(Broken(FRESH), corpus=CORPUS))
    assert readings["overlap_rate"].n == 64
    assert readings["overlap_rate"].errors == N - 64
    assert all(row["error"].endswith("gone") for row in rows[64:])


@pytest.mark.slow
def test_a_spike_is_found_in_every_output_and_leaves_the_holdout_alone() -> None:
    subject = Subject(Writer(FRESH), corpus=CORPUS, holdout=HOLDOUT)
    clean, _ = audited(subject)
    spiked_subject = PROBE.spike(subject, [], seed=1)
    assert spiked_subject is not None
    spiked = [
        row
        for batch in PROBE.plan(subject, Budget.CONTROL, seed=0)
        for row in ask(PROBE, spiked_subject, batch, seed=0)
    ]
    spiked = [row for row in spiked if row["arm"] == "outputs"]
    assert PROBE.recovery(clean, spiked, subject) == tuple(wilson(N, N))
    assert PROBE.recovery(clean, [], subject) is None
    assert PROBE.measure([*clean, *spiked], subject, seed=0)[0].value == 0.5


def test_a_difference_of_two_wilson_intervals_is_newcombe_s() -> None:
    for k1, n1, k2, n2 in ((56, 70, 48, 80), (0, 20, 0, 30), (20, 20, 0, 30)):
        made = difference(wilson(k1, n1), wilson(k2, n2))
        assert made == pytest.approx(newcombe(k1, n1, k2, n2))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "low", "high"), [("reference:gpt-text,memorize=1", 0.04, 1), ("reference:gpt-text", 0, 0.01)]
)
def test_its_controls_are_told_apart(source: str, low: float, high: float) -> None:
    _, readings = audited(control_subject(source), probe=Overlap())
    assert low <= readings["overlap_rate"].value <= high
    assert readings["overlap_rate"].baseline.value < 0.02
