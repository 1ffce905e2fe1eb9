"""How the heads of graders are fitted and stored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from guardrails import cli
from guardrails.graders.head import WEIGHTS
from guardrails.training import graders
from guardrails.training.graders import FOLDS, RECIPES, Example, Recipe, train_shipped

WORDS = {"kind": (1.0, 0.0), "plain": (0.0, 0.0), "cruel": (-1.0, 0.2)}


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a head learn three words, whose vectors are given here, and see a fourth label that it does not learn."""

    def vector_of(text: str, features: object = None) -> np.ndarray:
        word, _, number = text.partition(" ")
        noise = np.random.default_rng(int(number)).normal(0, 0.02, 2)
        return np.array(WORDS.get(word, (0.5, 0.5))) + noise

    monkeypatch.setattr(graders, "vector_of", vector_of)
    labels = {"kind": "positive", "plain": "neutral", "cruel": "negative", "mixed": "other"}
    examples = [Example(f"{word} {n}", label, f"{word}-{n // 2}") for word, label in labels.items() for n in range(40)]
    recipe = Recipe(lambda: examples, ("positive", "neutral", "negative"), Path(__file__))
    monkeypatch.setitem(RECIPES, "three", recipe)


@pytest.mark.usefixtures("three")
def test_what_is_stored_decides_as_what_was_fitted(tmp_path: Path) -> None:
    weights, card_path = train_shipped("three", tmp_path)
    stored = load_file(weights)
    for k, word in enumerate(WORDS):
        logits = stored["coefficients"] @ np.array(WORDS[word]) + stored["intercepts"]
        assert logits.argmax() == k
    card = json.loads(card_path.read_text())
    assert card["learnt_from"].startswith("120 texts")
    positive = next(row for row in card["controls"] if row["label"] == "positive")
    # one text of each of 20 templates; the 20 of the label that is not learnt are graded with the others
    assert (positive["tp"], positive["fn"]) == (20, 0)
    assert positive["tn"] + positive["fp"] == 60
    assert positive["fp"] >= 1


@pytest.mark.usefixtures("three")
def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    first, second = (train_shipped("three", tmp_path / name) for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_no_template_is_in_two_folds() -> None:
    templates = [f"t{n // 3}" for n in range(99)]
    folds = graders._folds(templates, 0)
    assert set(folds) == set(range(FOLDS))
    assert all(
        len({fold for t, fold in zip(templates, folds, strict=True) if t == name}) == 1 for name in set(templates)
    )


def test_two_classes_are_the_logistic_regression_of_one() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(80, 3))
    targets = (vectors[:, 0] + 0.3 * rng.normal(size=80) > 0).astype(int)
    coefficients, intercepts = graders._fit(vectors, targets, 2)
    assert coefficients.shape == (2, 3)
    given = (vectors @ coefficients.T + intercepts).argmax(axis=1)
    assert (given == targets).mean() > 0.85


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_what_ships_was_trained_on_the_texts_that_are_here(name: str) -> None:
    import hashlib

    card = json.loads((WEIGHTS / f"{name}.json").read_text(encoding="utf-8"))
    assert tuple(card["labels"]) == RECIPES[name].labels
    expected = hashlib.sha256(RECIPES[name].data.read_bytes()).hexdigest()
    assert {row["data_sha256"] for row in card["controls"]} == {expected}
    for row in card["controls"]:  # better than chance, and not believed to be perfect
        assert 1.2 < row["tp"] / (row["tp"] + row["fn"]) + row["tn"] / (row["tn"] + row["fp"]) < 2


def test_a_grader_without_a_head_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["train", "grader", "vader"]) == 2
    assert "known: sentiment, regard, refusal" in capsys.readouterr().err
