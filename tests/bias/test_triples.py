from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.bias.benchmarks.stereoset import read_stereoset
from guardrails.bias.triples import StereotypeTriples, by_target, icat, icat_interval
from guardrails.core.asking import ask
from guardrails.core.errors import ContentError
from guardrails.core.probe import Budget
from guardrails.core.registry import load_probe
from guardrails.core.subject import Subject

from .word_scorer import WordScorer, noise

WORDS = {"stereotype": "slow", "anti-stereotype": "quick", "unrelated": "purple"}


def stereoset(path: Path, *, targets: int = 8, each: int = 5, inter: bool = False) -> Path:
    """Write triples about things in the format of StereoSet."""
    examples: dict[str, list[Any]] = {"intrasentence": [], "intersentence": []}
    for split in examples if inter else ["intrasentence"]:
        for t in range(targets):
            for i in range(each):
                one = f"{split}-{t}-{i}"
                begin = f"case {i} of" if split == "intrasentence" else "They are"
                sentences = [
                    {"id": f"{one}-{k}", "sentence": f"{begin} thing{t} {word}", "gold_label": label, "labels": []}
                    for k, (label, word) in enumerate(sorted(WORDS.items()))
                ]
                context = f"Things number {i}."
                example = {"id": one, "target": f"thing{t}", "bias_type": "kind", "context": context}
                examples[split].append(example | {"sentences": sentences})
    path.write_text(json.dumps({"version": "1.0", "data": examples}), encoding="utf-8")
    return path


def leaning(stereotyped: int, sense: float = 1.0) -> WordScorer:
    """Prefers the stereotype for the first targets, its opposite for the others, and sense to nonsense or not."""

    def rule(words: list[str], i: int) -> float:
        target = next((int(w[5:]) for w in words if w.startswith("thing") and w[5:].isdigit()), 0)
        liked = "slow" if target < stereotyped else "quick"
        return {liked: -1.0, "purple": -9.0 if sense else -0.5}.get(words[i], -2.0)

    return WordScorer(rule)


def audited(path: Path, target: Any, **options: Any) -> tuple[list[Any], dict[str, Any]]:
    probe, subject = load_probe("bias.triples", {"data": str(path), **options}), Subject(target)
    batches = probe.plan(subject, Budget.STANDARD, seed=0)
    rows = [row for b in batches for row in ask(probe, subject, b, seed=0)]
    json.dumps(rows, allow_nan=False)
    return rows, {m.metric: m for m in probe.measure(rows, subject, seed=0)}


@pytest.mark.parametrize(
    ("lms", "ss", "published"),
    [(91.11, 61.93, 69.37), (83.65, 57.03, 71.89), (100, 50, 100), (100, 100, 0), (50, 50, 50)],
)
def test_icat_is_that_of_the_paper(lms: float, ss: float, published: float) -> None:
    assert 100 * icat(ss / 100, lms / 100) == pytest.approx(published, abs=0.006)


@pytest.mark.parametrize("stereotyped", [0, 4, 6, 8])
@pytest.mark.parametrize("scorer", ["sum", "token-mean"])
def test_a_known_preference_is_measured(stereotyped: int, scorer: str, tmp_path: Path) -> None:
    rows, readings = audited(stereoset(tmp_path / "dev.json"), leaning(stereotyped), scorer=scorer)
    ss = readings["stereotype_score"]
    assert len(rows) == ss.n == 40
    assert ss.value == stereotyped / 8
    assert readings["language_modelling_score"].value == 1.0
    assert readings["icat"].value == pytest.approx(1 - abs(2 * stereotyped / 8 - 1))
    for reading in readings.values():
        assert reading.low < reading.high


def test_a_model_that_likes_nonsense_gets_no_stereotype_score(tmp_path: Path) -> None:
    _, readings = audited(stereoset(tmp_path / "dev.json"), leaning(8, sense=0.0))
    assert readings["stereotype_score"].value is None
    assert "does not prefer sentences with a meaning" in readings["stereotype_score"].reason
    assert readings["language_modelling_score"].value == 0.0


def test_a_constant_scorer_is_all_ties_and_gets_no_score(tmp_path: Path) -> None:
    rows, readings = audited(stereoset(tmp_path / "dev.json"), WordScorer(lambda words, i: -1.0))
    assert len(rows) == 40
    assert {m.value for m in readings.values()} == {None}
    assert "40 of them ties" in readings["stereotype_score"].reason


def test_what_follows_a_context_is_scored_given_it(tmp_path: Path) -> None:
    path = stereoset(tmp_path / "dev.json", targets=1, each=1, inter=True)
    rows, _ = audited(path, WordScorer(noise), scorer="sum")
    row = next(row for row in rows if row["context"])
    words = ["<start>", *f"{row['context']} {row['pro']}".split()]
    first = len(row["context"].split()) + 1
    assert row["scores"][0] == pytest.approx(sum(noise(words, i) for i in range(first, len(words))))
    assert row["tokens"][0] == len(row["pro"].split())


SCORES = st.lists(
    st.tuples(st.sampled_from("abcd"), st.lists(st.integers(-3, 0).map(float), min_size=3, max_size=3)),
    min_size=1,
    max_size=40,
)


@given(SCORES)
def test_scores_are_the_averages_over_targets_of_counts(drawn: list[tuple[str, list[float]]]) -> None:
    rows = [{"target": t, "scores": s, "tokens": [1, 1, 1]} for t, s in drawn]
    ss, lms = [], []
    for target in dict(drawn):
        some = [s for t, s in drawn if t == target]
        pro, anti = sum(s[0] > s[1] for s in some), sum(s[0] < s[1] for s in some)
        better = sum((s[0] > s[2]) + (s[1] > s[2]) for s in some)
        worse = sum((s[0] < s[2]) + (s[1] < s[2]) for s in some)
        ss += [pro / (pro + anti)] if pro + anti else []
        lms += [better / (better + worse)] if better + worse else []
    scores = by_target(rows, "sum")
    assert sorted(scores.ss) == pytest.approx(sorted(ss))
    assert sorted(scores.lms) == pytest.approx(sorted(lms))
    assert scores.ties == sum(s[0] == s[1] for _, s in drawn)
    if len(scores.ss) > 1 and len(scores.lms) > 1:
        bounds = icat_interval(scores, 0)
        assert -1e-9 <= bounds.low <= bounds.value <= bounds.high <= 1 + 1e-9


def test_the_spike_is_recovered(tmp_path: Path) -> None:
    path = stereoset(tmp_path / "dev.json", inter=True)
    probe, subject = load_probe("bias.triples", {"data": str(path)}), Subject(leaning(0))
    batches = probe.plan(subject, Budget.STANDARD, seed=0)
    clean = [r for b in batches for r in ask(probe, subject, b, seed=0)]
    spiked_subject = probe.spike(subject, batches, seed=0)
    assert spiked_subject is not None
    spiked = [r for b in batches for r in ask(probe, spiked_subject, b, seed=0)]
    assert probe.recovery(clean, clean, subject)[0] == 0.0
    assert probe.recovery(clean, spiked, subject)[0] == 1.0


def test_the_built_in_triples_differ_in_one_word() -> None:
    items = StereotypeTriples().plan(Subject(WordScorer(noise)), Budget.CONTROL, seed=0)[0].items
    for item in items:
        words = [item.fields[kind].split() for kind in ("pro", "anti", "unrelated")]
        for place in zip(*words, strict=True):
            assert len(set(place)) in (1, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"[]", "no examples at"),
        (b'{"data": {"intrasentence": 3}}', "is no list"),
        (b'{"data": {"intrasentence": []}}', "no items"),
        (
            b'{"data": {"intrasentence": [{"id": "1", "target": "x", "bias_type": "y", "sentences": []}]}}',
            "gold_labels",
        ),
        (b'{"data": {"intrasentence": [7]}}', "no text in the field 'id'"),
        (b"\xff\xfe{}", "not JSON|UTF-8"),
    ],
)
def test_a_file_of_another_kind_is_one_clear_message(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "dev.json"
    path.write_bytes(content)
    with pytest.raises(ContentError, match=message):
        read_stereoset(path)


def test_three_gold_labels_are_needed_one_of_each(tmp_path: Path) -> None:
    path = stereoset(tmp_path / "dev.json", targets=1, each=1)
    path.write_text(path.read_text().replace("anti-stereotype", "stereotype"))
    with pytest.raises(ContentError, match="one each of stereotype, anti-stereotype, unrelated"):
        read_stereoset(path)
