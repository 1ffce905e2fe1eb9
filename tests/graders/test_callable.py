"""A function as grader."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from guardrails.core.errors import ConfigurationError
from guardrails.core.grading import Exchange, Gradable, Grade
from guardrails.core.registry import load_grader
from guardrails.graders.callable import CallableGrader


def shouts(items: Sequence[Gradable]) -> list[bool | None]:
    return [None if "?" in str(item) else str(item).isupper() for item in items]


def test_true_and_false_are_yes_and_no_and_none_is_no_grade() -> None:
    grader = CallableGrader(shouts)
    assert grader.labels == ("yes", "no")
    assert [grade.label for grade in grader.grade(["STOP", "stop", "stop?"])] == ["yes", "no", None]
    assert "gave no label" in str(grader.grade(["?"])[0].reason)


def test_an_array_of_numpy_is_read_as_a_list() -> None:
    import numpy as np

    grader = CallableGrader(lambda items: np.array([str(item).isupper() for item in items]))
    assert [grade.label for grade in grader.grade(["STOP", "stop"])] == ["yes", "no"]


@pytest.mark.parametrize("labels", [("a", "a "), ("", "a"), ("a",)])
def test_labels_that_cannot_be_told_apart_are_refused(labels: tuple[str, ...]) -> None:
    def grade(items: Sequence[Gradable]) -> list[str]:
        return [labels[0]] * len(items)

    grade.labels = labels  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match="two different strings or more"):
        CallableGrader(grade)


def test_labels_and_grades_of_its_own() -> None:
    def size(items: Sequence[Gradable]) -> list[object]:
        return ["short" if len(item) < 9 else Grade("long", 0.1) for item in items if isinstance(item, str)]

    size.labels = ("short", "long")  # type: ignore[attr-defined]
    grades = CallableGrader(size).grade(["a", "a long text"])
    assert grades == [Grade("short"), Grade("long", 0.1)]


def test_it_is_given_exchanges() -> None:
    seen: list[Gradable] = []

    def answered(items: Sequence[Gradable]) -> list[bool]:
        seen.extend(items)
        return [True] * len(items)

    CallableGrader(answered).grade([Exchange("why", "because")])
    assert seen == [Exchange("why", "because")]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (lambda items: ["perhaps"] * len(items), "returned 'perhaps'; its labels are yes, no"),
        (lambda items: [1] * len(items), "returned int"),
        (lambda items: [Grade("perhaps")] * len(items), "returned 'perhaps'; its labels are yes, no"),
        (lambda items: "yes", "has to return a list"),
        (lambda items: iter([]), "has to return a list"),
        (lambda items: sys.exit(0), "SystemExit: 0"),
        (lambda items: 1 / 0, "ZeroDivisionError: division by zero"),
    ],
)
def test_what_goes_wrong_is_the_reason_and_no_label(answers: object, reason: str) -> None:
    (first, second) = CallableGrader(answers).grade(["one", "two"])  # type: ignore[arg-type]
    assert first.label is None
    assert second.label is None
    assert reason in str(first.reason)


def test_one_item_that_fails_leaves_the_others() -> None:
    def fragile(items: Sequence[Gradable]) -> list[bool]:
        if "bad" in items:
            raise RuntimeError("no such word")
        return [True] * len(items)

    labels = [grade.label for grade in CallableGrader(fragile).grade(["a", "bad", "b"])]
    assert labels == ["yes", None, "yes"]


@pytest.mark.parametrize("labels", [(), ("one",), "yes", ("a", "a"), (1, 2)])
def test_labels_have_to_be_two_or_more_strings(labels: object) -> None:
    def function(items: Sequence[Gradable]) -> list[bool]:
        return []

    function.labels = labels  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match="its labels have to be"):
        CallableGrader(function)


def test_a_module_of_the_users_is_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "my_grader_of_tests.py").write_text("def rude(items):\n    return ['!' in item for item in items]\n")
    grader = load_grader("python:my_grader_of_tests:rude")
    assert [grade.label for grade in grader.grade(["no!", "no"])] == ["yes", "no"]
    before = grader.sha256
    (tmp_path / "my_grader_of_tests.py").write_text("def rude(items):\n    return ['?' in item for item in items]\n")
    assert grader.sha256 != before


@pytest.mark.parametrize(
    "name", ["python:nowhere_at_all:f", "python:json", "python:json:loadz", "python:json:__name__"]
)
def test_what_is_no_function_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError):
        load_grader(name)
