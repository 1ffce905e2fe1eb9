from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from guardrails.assay.audit.controls import control_subject
from guardrails.core.asking import ask
from guardrails.core.batch import Arm, Batch, Item, Row
from guardrails.core.errors import TargetError
from guardrails.core.probe import Budget
from guardrails.core.statistics import newcombe, wilson
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality
from guardrails.kit.text.corpus import StoredCorpus
from guardrails.memorization.overlap import MINIMUM, OUTPUTS, RUN, Overlap
from guardrails.memorization.text import letter_runs
from guardrails.memorization.text.index_folder import build_index
from guardrails.memorization.text.passages import difference
from guardrails.targets.files import JsonlTarget

PROBE = Overlap()
N = OUTPUTS[Budget.CONTROL]


class Writer:
    """Writes each of its texts in turn, whatever it is asked."""

    name = "writer"
    modality = Modality.TEXT
    access = frozenset({Access.OUTPUTS, Access.SAMPLING})
    available = None

    def __init__(self, texts: list[str]) -> None:
        self.texts, self.at = texts, 0

    def identity(self) -> dict[str, str]:
        return {}

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        self.at += n
        return [self.texts[i % len(self.texts)] for i in range(self.at - n, self.at)]

    def generate(self, prompts: Any, *, max_new_tokens: int, temperature: float = 1.0, seed: int = 0) -> list[str]:
        return self.sample_texts(len(prompts), seed=seed)


def documents(n: int, name: str, *, words: int = 60) -> list[str]:
    rng = Random(name)
    return [" ".join(f"{name}{i}w{rng.randrange(10**6)}" for _ in range(words)) for i in range(n)]


CORPUS, HOLDOUT, FRESH = documents(100, "c"), documents(400, "h"), documents(N, "f", words=20)


def audited(
    subject: Subject, budget: Budget = Budget.CONTROL, seed: int = 0, probe: Overlap = PROBE
) -> tuple[list[Row], dict[str, Any]]:
    batches = probe.plan(subject, budget, seed=seed)
    rows = [row for batch in batches for row in ask(probe, subject, batch, seed=seed)]
    json.dumps([batch.to_json() for batch in batches])
    json.dumps(rows, allow_nan=False)
    assert len({row["item"] for row in rows}) == len(rows)
    return rows, {m.metric: m for m in probe.measure(rows, subject, seed=seed)}


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
    assert "30 of 70 holdout documents stand in the corpus too" in readings["overlap_rate"].explanation
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
    assert f"{N - 3} runs stand in the prompt" in readings["overlap_rate"].explanation
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


def test_an_index_and_what_a_model_writes_are_compared_in_one_form(tmp_path: Path) -> None:
    document = "".join(f"Zeile {i}: Käse für Änne\r\n" for i in range(12))
    (tmp_path / "c.jsonl").write_text(json.dumps(document) + "\n" + json.dumps("something else entirely") + "\n")
    build_index([tmp_path / "c.jsonl"], tmp_path / "index")

    class Writer:
        name, modality, access = "writer", Modality.TEXT, frozenset({Access.OUTPUTS, Access.SAMPLING})
        available = None

        def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
            return [unicodedata.normalize("NFD", document)] * n

    subject = Subject(Writer(), corpus=StoredCorpus(tmp_path / "index"))
    (row,) = ask(Overlap(), subject, Batch(0, (Item("output:0", Arm.OUTPUTS),)), seed=0)
    assert row["length"] == len(document.replace("\r\n", "\n"))


@pytest.mark.parametrize(
    "spelt",
    [
        lambda text: text.replace(" ", "\u00a0"),
        lambda text: text.replace(" ", " \u200b"),
        lambda text: text.replace("w", "w\u00ad"),
        lambda text: text.replace(" ", "\n"),
        lambda text: text.replace(" ", "  "),
        lambda text: "\u202b" + text + "\u202c",
        lambda text: "".join(chr(ord(c) + 0xFEE0) if c != " " else c for c in text),
    ],
    ids=["nbsp", "no-width", "soft", "wrapped", "double", "direction", "fullwidth"],
)
def test_a_document_with_other_white_space_is_an_exact_copy(spelt: Any) -> None:
    corpus, holdout = documents(60, "c"), documents(60, "h")
    for texts, rate in ((corpus, 1), (documents(60, "new"), 0)):
        subject = Subject(Writer(list(map(spelt, texts))), corpus=corpus, holdout=holdout)
        batches = PROBE.plan(subject, Budget.CONTROL, seed=0)
        rows = [row for batch in batches for row in ask(PROBE, subject, batch, seed=0)]
        readings = {m.metric: m for m in PROBE.measure(rows, subject, seed=0)}
        assert readings["exact_copies"].value == rate


MARKUP: dict[str, Any] = {
    "capitals": str.upper,
    "html": lambda text: "<p>" + text.replace(" ", "</b> <b>").replace("w", "&#119;") + "<br/></p>",
    "markdown": lambda text: "> **" + text.replace(" ", "** _x_ **".replace("x", "")) + "**",
    "quotes": lambda text: " ".join(f"“{word}”," for word in text.split()),
    "bullets": lambda text: "\n".join(f"- {word}" for word in text.split()),
    "joined": lambda text: text.replace(" ", ""),
    "links": lambda text: " ".join(f'[{word}](https://example.org/{i} "{i}")' for i, word in enumerate(text.split())),
    "json": lambda text: (
        json.dumps({"é": "<p>" + text.replace(" ", "é</p>\n<p>")}).replace("\\u00e9", "").replace("/", "\\/")
    ),
    "json in json": lambda text: json.dumps(json.dumps(text.replace(" ", "\r\n\t"))),
    "json of letters": lambda text: '"' + "".join(f"\\u{ord(char):04x}" for char in text) + '"',
}


@pytest.mark.parametrize("way", MARKUP)
def test_copies_in_another_case_or_markup_are_counted_beside_verbatim_ones(way: str) -> None:
    change = MARKUP[way]
    copies = [change(text[:300]) for text in CORPUS[:30]] + [change(text) for text in FRESH]
    _, measured = audited(Subject(Writer(copies), corpus=CORPUS, holdout=HOLDOUT))
    normalised = measured["normalised_overlap"]
    assert normalised.value == pytest.approx(min(1, 30 / len(copies)), abs=0.02)
    assert normalised.n >= len(FRESH) - 5
    assert normalised.low <= normalised.value <= normalised.high
    assert normalised.baseline is not None
    assert normalised.baseline.value == 0
    assert measured["overlap_rate"].value == 0


STAMPS: dict[str, Any] = {
    "numbers": lambda i, line: f"{i:4}: {line}",
    "times": lambda i, line: f"[00:{i % 60:02}] {line}",
    "subtitles": lambda i, line: f"{i}\n00:01:{i % 60:02},345 --> 00:02:{i % 60:02},000\n{line}\n",
}


def stamped(text: str, way: str, first: int) -> str:
    words = text.split()
    lines = (" ".join(words[k : k + 3]) for k in range(0, len(words), 3))
    return "\n".join(STAMPS[way](first + i, line) for i, line in enumerate(lines))


@pytest.mark.parametrize("way", STAMPS)
def test_copies_with_other_line_numbers_or_time_stamps_are_counted(way: str) -> None:
    corpora = CORPUS, [stamped(text, way, 1) for text in CORPUS]
    copies = [stamped(text, way, 7 + i) for i, text in enumerate(CORPUS[:40])] + CORPUS[40:80]
    clean = [stamped(text, way, i) for i, text in enumerate(FRESH)]
    for corpus in corpora:
        _, readings = audited(Subject(Writer(copies), corpus=corpus, holdout=HOLDOUT))
        assert readings["normalised_overlap"].value == 1
        _, readings = audited(
            Subject(Writer(clean), corpus=corpus, holdout=[stamped(text, way, 3) for text in HOLDOUT])
        )
        assert (readings["normalised_overlap"].value, readings["normalised_overlap"].baseline.value) == (0, 0)


ROWS: dict[str, Any] = {
    "table": lambda r, i: f"{i}\t{r.random():.3f}\t{r.random():.3f}\t{r.randrange(99)}",
    "log": lambda r, i: f"{i // 60:02}:{i % 60:02} {r.choice(['pump on', 'pump off', 'valve open', 'idle'])}",
    "states": lambda r, i: f"{i}: {r.choice(['OK', 'OK', 'OK', 'failed'])}",
    "prices": lambda r, i: f"{i}. item {r.randrange(999)} at {r.randrange(10**4) / 100:.2f} EUR",
    "zeros": lambda r, i: f"{r.randrange(99)} {r.randrange(2)} {r.randrange(2)} {r.randrange(2)}",
}


@pytest.mark.parametrize("holdout", [True, False])
@pytest.mark.parametrize("kind", ROWS)
def test_clean_rows_of_numbers_hold_no_copies(kind: str, holdout: bool) -> None:
    rng = Random(kind)
    texts = ["\n".join(ROWS[kind](rng, first + i) for i in range(30)) for first in rng.choices(range(900), k=180)]
    subject = Subject(Writer(texts[:60]), corpus=texts[60:120], holdout=texts[120:] if holdout else None)
    assert audited(subject)[1]["normalised_overlap"].low < 0.025


def test_letters_that_the_prompt_holds_are_the_prompter_s_and_clean_outputs_hold_none() -> None:
    prompts = [text[:300].upper() for text in CORPUS]
    said = Writer([f"{prompt} and so on" for prompt in prompts])
    subject = Subject(said, corpus=CORPUS, holdout=HOLDOUT, prompts=prompts)
    assert audited(subject)[1]["normalised_overlap"].value == 0
    clean = audited(Subject(Writer(FRESH), corpus=CORPUS, holdout=HOLDOUT))[1]["normalised_overlap"]
    assert clean.value == 0
    assert clean.high > 0


def test_of_a_large_corpus_only_verbatim_runs_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letter_runs, "MOST", 1000)
    _, measured = audited(Subject(Writer(FRESH), corpus=CORPUS, holdout=HOLDOUT), probe=Overlap())
    assert measured["normalised_overlap"].value is None
    assert "more than 1,000 characters" in measured["normalised_overlap"].reason
    assert measured["overlap_rate"].value == 0
