"""Overlap after normalisation: other white space, case, markup, line numbers and time stamps."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from random import Random
from typing import Any

import pytest

from guardrails.core.asking import ask
from guardrails.core.batch import Arm, Batch, Item
from guardrails.core.probe import Budget
from guardrails.core.subject import Subject
from guardrails.core.targets import Access, Modality
from guardrails.kit.text.stored_corpus import StoredCorpus
from guardrails.memorization.overlap import Overlap
from guardrails.memorization.text import letter_runs
from guardrails.memorization.text.index_folder import build_index

from .text_writer import CORPUS, FRESH, HOLDOUT, PROBE, Writer, audited, documents


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


@pytest.mark.slow
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


@pytest.mark.slow
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
