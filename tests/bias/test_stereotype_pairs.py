from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from guardrails.bias.benchmarks.crows_pairs import read_crows_pairs
from guardrails.bias.pairs.items import read_pairs
from guardrails.bias.stereotype_pairs import StereotypePairs, shorter_sign
from guardrails.core.asking import ask
from guardrails.core.errors import ConfigurationError, ContentError
from guardrails.core.probe import Budget
from guardrails.core.registry import load_probe
from guardrails.core.subject import Subject

from .word_scorer import WordScorer, noise


class Counting(WordScorer):
    """Counts the sentences that are scored."""

    scored = 0

    def token_logprobs(self, sequences: Any) -> list[Any]:
        self.scored += len(sequences)
        return super().token_logprobs(sequences)


GROUPS = ["lorries", "trams", "barges", "ferries"]


def crows(path: Path, n: int = 60, *, shorter: float = 0.5) -> Path:
    """Write pairs in the format of CrowS-Pairs, about things: of a share of them the first sentence is the shorter."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["", "sent_more", "sent_less", "stereo_antistereo", "bias_type", "annotations"])
        for i in range(n):
            more, less = f"Number {i} says that {GROUPS[i % 4]} are slow", f"Number {i} says that bicycles are slow"
            if i >= shorter * n:
                more = more.replace("that", "that those other")
            writer.writerow([i, more, less, "stereo" if i % 5 else "antistereo", ("kind-a", "kind-b")[i % 2], "[]"])
    return path


def prefers(share: float, n: int = 60) -> WordScorer:
    """A scorer that finds the first sentence likelier in a share of the pairs, whatever else it holds."""

    def rule(words: list[str], i: int) -> float:
        number = int(next((w for w in words if w.isdigit()), 0))
        if i != len(words) - 1:
            return 0.0
        return -1.0 if ("bicycles" not in words) == (number < share * n) else -4.0

    return WordScorer(rule)


def audited(probe: StereotypePairs, target: Any, budget: Budget = Budget.STANDARD) -> tuple[list[Any], dict[str, Any]]:
    subject = Subject(target)
    batches = probe.plan(subject, budget, seed=0)
    json.dumps([b.to_json() for b in batches])
    rows = [row for b in batches for row in ask(probe, subject, b, seed=0)]
    json.dumps(rows, allow_nan=False)
    return rows, {m.metric: m for m in probe.measure(rows, subject, seed=0)}


def with_data(path: Path, **options: Any) -> StereotypePairs:
    probe = load_probe("bias.stereotype-pairs", {"data": str(path), **options})
    assert isinstance(probe, StereotypePairs)
    return probe


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_a_known_preference_is_measured_by_every_scorer_of_the_sentence(share: float, tmp_path: Path) -> None:
    rows, readings = audited(with_data(crows(tmp_path / "pairs.csv")), prefers(share))
    headline = readings["stereotype_share"]
    assert len(rows) == headline.n == 60
    for metric in ("stereotype_share", "stereotype_share_sum", "stereotype_share_unmodified"):
        assert readings[metric].value == share
        assert readings[metric].low <= share <= readings[metric].high
    assert (headline.low > headline.baseline.high) is (share >= 0.75)
    assert headline.detectable == pytest.approx(0.688, abs=0.02)


def test_a_model_that_knows_nothing_gets_the_length_only_share_and_the_table_shows_it(tmp_path: Path) -> None:
    probe = with_data(crows(tmp_path / "pairs.csv", 200, shorter=0.8))
    _, readings = audited(probe, WordScorer(lambda words, i: -1.0))
    # Each word is worth one nat: the shorter sentence is likelier, by the sum alone.
    assert readings["stereotype_share"].value == 0.0
    assert "ties" in readings["stereotype_share"].explanation
    assert readings["stereotype_share_token_mean"].value is None
    assert "0 decided pairs" in readings["stereotype_share_token_mean"].reason
    table = readings["stereotype_share"].evidence[0]
    assert "length-only share" in table.columns
    assert {line[0] for line in table.rows} == {"kind-a", "kind-b"}


def test_scorers_that_disagree_are_counted(tmp_path: Path) -> None:
    def rule(words: list[str], i: int) -> float:
        if words[i] == "slow":  # a word that both have
            return -9.0 if "bicycles" not in words else -1.0
        return -2.0 if words[i] in GROUPS else -3.0

    _, readings = audited(with_data(crows(tmp_path / "pairs.csv", shorter=1.0)), WordScorer(rule))
    assert readings["scorer_disagreement"].value == 1.0
    assert readings["stereotype_share_modified_mean"].value == 1.0
    assert readings["stereotype_share_unmodified"].value == 0.0
    assert "in 2 of 2 constructs: kind-a, kind-b" in readings["scorer_disagreement"].explanation
    _, agreeing = audited(with_data(crows(tmp_path / "pairs.csv", shorter=1.0), scorer="unmodified"), WordScorer(rule))
    assert agreeing["stereotype_share"].value == 0.0


def test_the_spike_is_recovered_and_goes_through_the_model(tmp_path: Path) -> None:
    probe, subject = with_data(crows(tmp_path / "pairs.csv")), Subject(WordScorer(lambda w, i: noise(w, i) - 3))
    batches = probe.plan(subject, Budget.STANDARD, seed=0)
    clean = [r for b in batches for r in ask(probe, subject, b, seed=0)]
    spiked_subject = probe.spike(subject, batches, seed=0)
    assert spiked_subject is not None
    spiked = [r for b in batches for r in ask(probe, spiked_subject, b, seed=0)]
    value, low, high = probe.recovery(clean, spiked, subject)
    assert value == 1.0
    assert 0.9 < low < value <= high
    assert probe.recovery([], [], subject) is None


def test_the_controls_are_asked_about_built_in_pairs_whatever_the_data_are(tmp_path: Path) -> None:
    subject = Subject(WordScorer(noise))
    probe = with_data(crows(tmp_path / "pairs.csv"))
    assert probe.plan(subject, Budget.CONTROL, seed=0) == StereotypePairs().plan(subject, Budget.CONTROL, seed=0)
    assert probe.plan(subject, Budget.QUICK, seed=0) != StereotypePairs().plan(subject, Budget.QUICK, seed=0)


@pytest.mark.parametrize("language", ["en", "es", "de"])
def test_the_built_in_pairs_are_asked_whole_each_sentence_once(language: str) -> None:
    probe = load_probe("bias.stereotype-pairs", {"language": language})
    target = Counting(noise)
    rows, readings = audited(probe, target, Budget.QUICK)
    sentences = {row[side] for row in rows for side in ("more", "less")}
    assert len(rows) == 896
    assert {row["language"] for row in rows} == {language}
    assert target.scored == len(sentences) <= len(rows)  # four pairs of a block share four sentences
    table = readings["stereotype_share"].evidence[0]
    assert {line[0] for line in table.rows} >= {"age", "disability", "gender", "religion"}
    assert "too few to tell" not in {line[3] for line in table.rows}


def test_a_rule_of_length_is_right_in_half_of_the_built_in_pairs() -> None:
    _, readings = audited(StereotypePairs(), WordScorer(lambda words, i: -1.0), Budget.QUICK)
    assert readings["shorter_share"].value == 0.5
    assert readings["stereotype_share"].value == 0.5


def test_a_language_beside_a_file_is_a_wrong_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="language is that of the built-in pairs"):
        with_data(crows(tmp_path / "pairs.csv"), language="de")


def test_what_does_not_fit_or_is_not_finite_costs_itself_alone(tmp_path: Path) -> None:
    path, target = crows(tmp_path / "pairs.csv"), WordScorer(noise)
    long = " ".join(["very"] * 200)
    path.write_text(
        path.read_text(encoding="utf-8").replace("Number 3 says", f"Number 3 {long} says"), encoding="utf-8"
    )
    rows, readings = audited(with_data(path), target)
    (failed,) = [row for row in rows if "error" in row]
    assert "do not fit into the model's context of 128" in failed["error"]
    assert (readings["stereotype_share"].n, readings["stereotype_share"].errors) == (59, 1)


def test_pairs_that_begin_differently_are_left_out_of_a_model_without_a_start_token(tmp_path: Path) -> None:
    target = WordScorer(noise, start=False)
    rows, readings = audited(StereotypePairs(), target, Budget.QUICK)
    headline, apart = readings["stereotype_share"], sum("left_out" in row for row in rows)
    assert 200 < apart < 400
    assert headline.errors == 0
    assert 500 < headline.n <= len(rows) - apart  # less the ties
    assert f"{apart} pairs are left out" in headline.explanation
    path = tmp_path / "pairs.jsonl"
    path.write_text(
        "\n".join(
            json.dumps({"id": i, "construct": "age", "template": f"t{i}", "more": "Old lorry", "less": "New lorry"})
            for i in range(40)
        ),
        encoding="utf-8",
    )
    _, readings = audited(with_data(path), target)
    assert readings["stereotype_share"].value is None
    assert "40 pairs are left out: the sentences differ in their first token" in readings["stereotype_share"].reason


def test_pairs_of_one_template_are_too_few_and_say_so(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    lines = [
        {"id": i, "construct": "age", "template": "t", "more": f"Lorry {i} is old", "less": f"Lorry {i} is new"}
        for i in range(40)
    ]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    _, readings = audited(with_data(path), WordScorer(noise))
    assert readings["stereotype_share"].value is None
    assert "of 1 templates" in readings["stereotype_share"].reason


def test_records_with_the_fields_of_a_pair_are_read(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    record = {
        "id": "a1", "construct": "age", "group": "old", "language": "de", "template": "t1",
        "more": "Die alte Uhr geht nach.", "less": "Die neue Uhr geht nach.",
    }  # fmt: skip
    path.write_text(json.dumps(record) + "\n" + json.dumps(record | {"id": "a2", "group": ""}), encoding="utf-8")
    first, second = read_pairs(path)
    assert (first.id, first.construct, first.group, first.language) == ("a1", "age", "old", "de")
    assert second.group == ""
    assert second.template == "t1"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no items|no records|holds no"),
        (b"a,b\n1,2\n", "no text in the field 'id'"),
        (b"sent_more,sent_less,stereo_antistereo,bias_type\nx y,x y,stereo,age\n", "are the same"),
        (b"sent_more,sent_less,stereo_antistereo,bias_type\nx y,x z,maybe,age\n", "stereo_antistereo is 'maybe'"),
        (b"sent_more,sent_less,stereo_antistereo\nx y,x z,stereo\n", "no text in the field 'bias_type'"),
        (b"sent_more,sent_less,stereo_antistereo,bias_type\n,x z,stereo,age\n", "no text in the field 'sent_more'"),
        (b"sent_more,sent_less,stereo_antistereo,bias_type\n\xff\xfe,x,stereo,age\n", "UTF-8|utf-8|encod"),
        (
            b"sent_more,sent_less,stereo_antistereo,bias_type\n" + b"x" * 20_000 + b",y,stereo,age\n",
            "10,000 characters",
        ),
    ],
)
def test_a_file_of_another_kind_is_one_clear_message(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_bytes(content)
    with pytest.raises(ContentError, match=message):
        read_pairs(path)


def test_sentences_with_line_breaks_and_commas_are_whole(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(
        'n,sent_more,sent_less,stereo_antistereo,bias_type\n0,"a, ""b""\nc","a, d",stereo,age\n1,e,f,antistereo,age\n',
        encoding="utf-8",
    )
    first, second = read_crows_pairs(path)
    assert (first.more, first.less, second.group) == ('a, "b"\nc', "a, d", "antistereo")


@pytest.mark.public_data
def test_the_shorter_sentence_is_the_stereotyping_one_as_often_as_is_known(test_data: Path) -> None:
    """Of all pairs; a tie is given to the other side there, which is what the shares of decided pairs mend."""
    pairs = read_crows_pairs(test_data / "bias" / "crows_pairs" / "crows_pairs_anonymized.csv")
    assert len(pairs) == 1508
    assert sum(pair.group == "antistereo" for pair in pairs) == 218
    of_all = {"religion": 0.80, "sexual-orientation": 0.77, "race-color": 0.24}
    decided = {"religion": 0.857, "sexual-orientation": 0.8125, "race-color": 0.401}
    for construct, share in of_all.items():
        signs = [shorter_sign({"more": p.more, "less": p.less}) for p in pairs if p.construct == construct]
        assert signs.count(1) / len(signs) == pytest.approx(share, abs=0.005)
        assert signs.count(1) / (signs.count(1) + signs.count(-1)) == pytest.approx(decided[construct], abs=0.001)
