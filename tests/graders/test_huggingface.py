"""A sequence classifier in a folder as grader."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from guardrails.core.errors import ConfigurationError, TargetError
from guardrails.core.registry import load_grader


def test_the_label_is_chosen_by_name(classifier_folder: Path) -> None:
    texts = ["the day was awful", "the place is lovely"]
    rude = load_grader(f"hf:{classifier_folder}#rude")
    calm = load_grader(f"hf:{classifier_folder}#calm")
    assert [g.label for g in rude.grade(texts)] == ["rude", "not rude"]
    assert [g.label for g in calm.grade(texts)] == ["not calm", "calm"]
    for one, other in zip(rude.grade(texts), calm.grade(texts), strict=True):
        assert one.score == pytest.approx(1 - float(other.score or 0))
    assert rude.sha256 != calm.sha256


def test_scores_are_those_of_transformers(classifier_folder: Path) -> None:
    from transformers import pipeline

    texts = ["the day was awful", "the place is lovely", "a parcel"]
    expected = [
        next(row["score"] for row in rows if row["label"] == "rude")
        for rows in pipeline("text-classification", model=str(classifier_folder), top_k=None)(texts)
    ]
    scores = [grade.score for grade in load_grader(f"hf:{classifier_folder}#rude").grade(texts)]
    assert scores == pytest.approx(expected, abs=1e-5)


def test_a_text_beyond_the_context_is_not_graded_and_not_cut(classifier_folder: Path) -> None:
    short, long = load_grader(f"hf:{classifier_folder}#rude").grade(["a day " * 8, "a day " * 9])
    assert short.label == "not rude"
    assert long.label is None
    assert long.reason == "it has 18 tokens; the classifier reads 16"


def test_half_a_surrogate_pair_is_not_graded(classifier_folder: Path) -> None:
    (grade,) = load_grader(f"hf:{classifier_folder}#rude").grade(["\ud800 awful"])
    assert grade.label is None
    assert grade.reason


@pytest.mark.parametrize("label", ["", "#", "#angry"])
def test_the_labels_are_named_where_none_of_them_is_asked_for(classifier_folder: Path, label: str) -> None:
    with pytest.raises(ConfigurationError, match="one of: calm, rude"):
        load_grader(f"hf:{classifier_folder}{label}")


def changed(folder: Path, target: Path, **settings: object) -> Path:
    shutil.copytree(folder, target)
    config = json.loads((target / "config.json").read_text())
    (target / "config.json").write_text(json.dumps(config | settings))
    return target


def test_several_labels_at_once_are_decided_one_by_one(classifier_folder: Path, tmp_path: Path) -> None:
    folder = changed(classifier_folder, tmp_path / "several", problem_type="multi_label_classification")
    grader = load_grader(f"hf:{folder}#rude")
    assert grader.identity()["decided by"] == "sigmoid of the class ≥ 0.5"
    assert grader.grade(["the day was awful"])[0].label == "rude"


def test_a_regression_has_no_labels(classifier_folder: Path, tmp_path: Path) -> None:
    folder = changed(classifier_folder, tmp_path / "regression", problem_type="regression")
    with pytest.raises(ConfigurationError, match="regression"):
        load_grader(f"hf:{folder}#rude")


def test_a_model_without_a_trained_head_is_refused(classifier_folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(classifier_folder, tmp_path / "headless")
    place = tmp_path / "headless" / "model.safetensors"
    tensors = {k: v for k, v in load_file(place).items() if not k.startswith("classifier")}
    save_file(tensors, place, metadata={"format": "pt"})
    with pytest.raises(TargetError, match=r"lack 2 tensors \(classifier\.bias, classifier\.weight\)"):
        load_grader(f"hf:{tmp_path / 'headless'}#rude")


def test_a_pickle_is_never_read(classifier_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(classifier_folder, tmp_path / "pickled")
    (tmp_path / "pickled" / "model.safetensors").unlink()
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(TargetError, match="pickled"):
        load_grader(f"hf:{tmp_path / 'pickled'}#rude")


def test_nothing_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="no such folder"):
        load_grader("hf:organisation/name#rude")
