"""The network of toxicity: its package, computed here, and the error that ships."""

from __future__ import annotations

import io
import pickle
from importlib.util import find_spec

import numpy as np
import pytest

from guardrails.core.grading import ErrorCard, graded_rate
from guardrails.graders.toxicity import CARD, LENGTH, PACKAGE, UNITS, Toxicity, _Settings

installed = pytest.mark.skipif(find_spec("toxic_classifier") is None, reason="make models")


def test_its_card_says_that_the_error_differs_between_kinds_of_text() -> None:
    card = ErrorCard.from_json(CARD.read_bytes())
    assert card.domains == ("phrases-about-groups", "wikipedia-comments")
    comments, phrases = (card.controls_for(d, "toxic") for d in ("wikipedia-comments", "phrases-about-groups"))
    assert comments.specificity().low > phrases.specificity().high + 0.3
    for control in (comments, phrases):
        assert control.command.startswith("guardrails grade toxicity ")
        assert min(control.tp + control.fn, control.tn + control.fp) > 200


def test_a_pickle_cannot_name_anything_but_the_settings() -> None:
    assert _Settings(io.BytesIO(pickle.dumps({"word_index": {"a": 1}}))).load() == {"word_index": {"a": 1}}
    with pytest.raises(KeyError):
        _Settings(io.BytesIO(pickle.dumps(print))).load()


def forward(places: list[int]) -> float:
    """Return the score by the definition of the layers, in NumPy: an oracle that shares no code with torch."""
    import h5py

    with h5py.File(io.BytesIO(PACKAGE.read()["model.weights.h5"])) as file:
        layers = {name: file[f"layers/{name}"] for name in ("embedding", "bidirectional", "dense", "dense_1")}
        x = layers["embedding"]["vars/0"][()][[0] * (LENGTH - len(places)) + places].astype(np.float64)
        halves = []
        for direction, inputs in (("forward_layer", x), ("backward_layer", x[::-1])):
            kernel, recurrent, bias = (layers["bidirectional"][f"{direction}/cell/vars/{k}"][()] for k in range(3))
            h, c, states = np.zeros(UNITS), np.zeros(UNITS), []
            for row in inputs:
                i, f, g, o = np.split(row @ kernel + h @ recurrent + bias, 4)
                c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
                h = np.tanh(c) / (1 + np.exp(-o))
                states.append(h)
            halves.append(np.max(states, axis=0))
        hidden = np.maximum(0, np.concatenate(halves) @ layers["dense"]["vars/0"][()] + layers["dense"]["vars/1"][()])
        logits = hidden @ layers["dense_1"]["vars/0"][()] + layers["dense_1"]["vars/1"][()]
    return float(1 / (1 + np.exp(-logits[0])))


@installed
@pytest.mark.models
@pytest.mark.parametrize(
    "text", ["You are a stupid idiot.", "Thanks for the source!", "a", "The word zzxqy is unknown."]
)
def test_its_score_is_that_of_the_layers(text: str) -> None:
    grader = Toxicity()
    words = text.lower().replace(".", "").replace("!", "").split()
    known = grader._parts[1]
    (grade,) = grader.grade([text])
    assert grade.score == pytest.approx(forward([known[word] for word in words if word in known]), abs=1e-5)


@installed
@pytest.mark.models
def test_a_text_with_more_words_than_it_reads_is_not_graded() -> None:
    long, unknown = Toxicity().grade(["word " * 101, "zzxqy"])
    assert long.reason == "it has 101 words that the network knows; 100 are read"
    assert "no word" in unknown.reason
    assert Toxicity().grade(["word " * 100 + "zzxqy"])[0].label == "not toxic"


@installed
@pytest.mark.models
def test_a_rate_is_corrected_in_its_domain_alone() -> None:
    grader = Toxicity()
    grades = grader.grade(["You are a stupid idiot."] * 20 + ["Thank you for the source."] * 180)
    inside = graded_rate(grades, "toxic", grader.card.controls_for("wikipedia-comments", "toxic"))
    outside = graded_rate(grades, "toxic", grader.card.controls_for("answers-of-a-chat", "toxic"))
    assert inside.corrected
    assert not outside.corrected
    assert "not measured" in outside.note
