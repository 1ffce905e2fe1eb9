"""Association tests: the statistic against a literal loop, its p-values and intervals, word sets, targets, controls."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.bias.associations.weat import association_test, associations, effect_size
from guardrails.bias.associations.word_sets import built_in, load_word_sets
from guardrails.core.asking import ask
from guardrails.core.errors import ConfigurationError, TargetError
from guardrails.core.probe import Budget
from guardrails.core.registry import load_probe
from guardrails.core.results import Measurement
from guardrails.core.subject import Subject
from guardrails.core.targets import Access
from guardrails.targets import load_target, reference_subject
from guardrails.targets.embeddings import PlantedVectors


def cosine(a: Any, b: Any) -> float:
    return float(sum(x * y for x, y in zip(a, b, strict=True)) / (np.linalg.norm(a) * np.linalg.norm(b)))


def test_associations_and_effect_are_those_of_the_published_loop() -> None:
    rng = np.random.default_rng(0)
    x, y, a, b = (rng.normal(size=(n, 6)) for n in (5, 5, 3, 4))
    s = {
        name: [np.mean([cosine(w, v) for v in a]) - np.mean([cosine(w, v) for v in b]) for w in words]
        for name, words in (("x", x), ("y", y))
    }
    assert associations(x, a, b) == pytest.approx(s["x"])
    both = s["x"] + s["y"]
    expected = (np.mean(s["x"]) - np.mean(s["y"])) / np.std(both, ddof=1)
    assert effect_size(associations(x, a, b), associations(y, a, b)) == pytest.approx(expected)


def test_p_values_of_small_sets_count_every_partition() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(0.8, 1, 6), rng.normal(0, 1, 6)
    pool, observed = np.concatenate([x, y]), x.sum() - y.sum()
    differences = [2 * pool[list(half)].sum() - pool.sum() for half in combinations(range(12), 6)]
    outcome = association_test(x, y)
    assert outcome.exact
    assert outcome.pvalue_greater == pytest.approx(np.mean(np.array(differences) >= observed - 1e-9))
    assert outcome.pvalue == pytest.approx(np.mean(np.abs(differences) >= abs(observed) - 1e-9))


def test_p_values_of_large_sets_are_drawn_and_never_zero() -> None:
    outcome = association_test(np.linspace(5, 6, 30), np.linspace(0, 1, 30))
    assert not outcome.exact
    assert 0 < outcome.pvalue < 0.001


@settings(max_examples=60)
@given(st.integers(2, 12), st.integers(0, 10_000), st.floats(-3, 3))
def test_an_effect_lies_in_its_interval_and_between_minus_two_and_two(n: int, seed: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    outcome = association_test(rng.normal(shift, 1, n), rng.normal(0, 1, n), seed=seed)
    assert -2 <= outcome.low <= outcome.effect <= outcome.high <= 2
    assert outcome.low < outcome.high


@pytest.mark.slow
@pytest.mark.parametrize(("n", "shift"), [(8, 0.0), (8, 1.0), (25, 0.5), (5, 2.0)])
def test_intervals_hold_as_often_as_they_say(n: int, shift: float) -> None:
    from guardrails.bias.associations.weat import _interval

    rng, runs = np.random.default_rng(2), 600
    true = shift / (1 + shift**2 / 4) ** 0.5
    bounds = [_interval(rng.normal(shift, 1, n), rng.normal(0, 1, n), 0.95) for _ in range(runs)]
    assert sum(low <= true <= high for low, high in bounds) >= 0.93 * runs


def test_vectors_without_a_direction_are_refused() -> None:
    with pytest.raises(ValueError, match="no direction"):
        associations(np.zeros((2, 3)), np.ones((2, 3)), np.ones((2, 3)))


def readings(source: str | Subject, **options: Any) -> Measurement:
    probe = load_probe("bias.embeddings", options)
    subject = reference_subject(source) if isinstance(source, str) else source
    batches = probe.plan(subject, Budget.CONTROL, seed=0)
    rows = [row for batch in batches for row in ask(probe, subject, batch, seed=batch.index)]
    return probe.measure(rows, subject, seed=0)[0]


def test_a_planted_association_is_found_and_random_vectors_are_clear() -> None:
    planted, clear = readings("reference:vectors,association=1"), readings("reference:vectors")
    assert planted.low is not None
    assert clear.high is not None
    assert planted.low > 0.5 > clear.high
    assert "Evidence of an association, for these words, in: planted" in planted.explanation


def test_the_control_has_other_words_under_each_seed() -> None:
    probe, subject = load_probe("bias.embeddings"), reference_subject("reference:vectors,association=0.5")
    plans = [probe.plan(subject, Budget.CONTROL, seed=seed) for seed in (1, 1, 2)]
    texts = [{item.fields["text"] for batch in plan for item in batch.items} for plan in plans]
    assert texts[0] == texts[1]
    assert not texts[0] & texts[2]


@pytest.mark.slow
@pytest.mark.parametrize("dose", [0.25, 1.0])
def test_intervals_cover_the_planted_association_in_nineteen_of_twenty_seeds(dose: float) -> None:
    """The truth for the attributes of a seed comes from 20,000 words of X and of Y that are drawn here."""
    target, rng, covered = PlantedVectors(dose), np.random.default_rng(8), 0
    x, y = rng.normal(size=(2, 20_000, PlantedVectors.SIZE))
    for vectors, shift in ((x, 1), (y, -1)):
        vectors[:, 0] += shift * PlantedVectors.STEP * dose
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for seed in range(200):
        drawn = {side: target.embed(words[:40]) for side, words in target.word_sets(seed=seed).items()}
        unit = {side: v / np.linalg.norm(v, axis=1, keepdims=True) for side, v in drawn.items()}
        axis = unit["a"].mean(axis=0) - unit["b"].mean(axis=0)
        truth = (x @ axis).mean() - (y @ axis).mean()
        truth /= np.concatenate([x @ axis, y @ axis]).std()
        outcome = association_test(*(associations(drawn[side], drawn["a"], drawn["b"]) for side in "xy"))
        covered += outcome.low <= truth <= outcome.high
    assert covered >= 180


class Hashed:
    """Embeds a text as random numbers of its own."""

    def embed(self, texts: list[str]) -> Any:
        return np.stack([np.random.default_rng(list(text.encode())).normal(size=16) for text in texts])


def test_the_built_in_sets_are_asked_of_an_object_that_embeds() -> None:
    target = load_target(Hashed())
    assert target.access == {Access.EMBEDDINGS}
    reading = readings(Subject(target))
    assert reading.n == sum(len(sets.x) + len(sets.y) for sets in built_in())
    (table,) = reading.evidence
    assert [row[0] for row in table.rows] == [sets.name for sets in built_in()]


def test_a_spike_is_seen() -> None:
    probe, subject = load_probe("bias.embeddings"), Subject(load_target(Hashed()))
    spiked = probe.spike(subject, probe.plan(subject, Budget.QUICK, seed=0), seed=0)
    assert spiked is not None
    assert (readings(spiked).low or 0) > 0.5


def sets_file(path: Path, **changes: Any) -> Path:
    document = {
        key: {"category": key, "examples": [f"{key} word {i}" for i in range(6)]}
        for key in ("targ1", "targ2", "attr1", "attr2")
    }
    path.write_text(json.dumps(document | changes), encoding="utf-8")
    return path


def test_word_sets_are_read_from_files_in_the_published_format(tmp_path: Path) -> None:
    sets_file(tmp_path / "one.jsonl")
    sets_file(tmp_path / "two.json", targ1={"category": "flowers", "examples": ["rose", "tulip", "daisy"]})
    one, two = load_word_sets(tmp_path)
    assert (one.name, len(one.x), one.a[0]) == ("one", 6, "attr1 word 0")
    assert (two.x, len(two.y)) == (("rose", "tulip", "daisy"), 3)
    assert "flowers with attr1" in two.construct
    reading = readings(Subject(load_target(Hashed())), data=tmp_path)
    assert "insufficient evidence" in {row[0]: row[2] for row in reading.evidence[0].rows}["two"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "not one JSON object in UTF-8"),
        (b"[1]", "not one JSON object with targ1"),
        (b"{}", "'targ1' has no list of texts"),
        (b'{"targ1": {"examples": ["a", 3]}}', "'targ1' has no list of texts"),
        (b'{"targ1": {"examples": ["a", "a"]}}', "1 different texts; 2 to 1000"),
        (b"[" * 100_000, "not one JSON object"),
    ],
)
def test_files_that_are_no_word_sets_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "bad.json").write_bytes(content)
    with pytest.raises(ConfigurationError, match=message):
        load_word_sets(tmp_path / "bad.json")


def test_what_does_not_embed_is_an_error_of_the_items() -> None:
    class Flat:
        def embed(self, texts: list[str]) -> Any:
            return [1.0] * len(texts)

    target: Any = load_target(Flat())
    with pytest.raises(TargetError, match=r"returned shape \(2,\)"):
        target.embed(["a", "b"])
    reading = readings(Subject(target))
    assert reading.value is None
    assert reading.errors == 64
    for wrong in ("association=7", "bias=1", "association=much"):
        with pytest.raises(ConfigurationError, match=r"reference:vectors has one dial: association, a number in 0–1"):
            reference_subject(f"reference:vectors,{wrong}")
