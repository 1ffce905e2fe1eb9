"""Graders, error cards and graded rates."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.assay.policy.policy import MAX_ERROR_SHARE
from guardrails.core.errors import ConfigurationError, MissingExtraError, TargetError
from guardrails.core.grading import (
    BATCH,
    MAX_UNGRADED,
    ErrorCard,
    Exchange,
    Gradable,
    Grade,
    Grader,
    LabelledControls,
    answer_of,
    card_of,
    graded_rate,
    measure_error,
)
from guardrails.core.statistics import GraderCounts, rogan_gladen, wilson, worst_case


class Loud(Grader):
    """Takes capitals for loud."""

    id = "loud"
    title = question = limits = "toy"
    labels = ("loud", "quiet")
    longest = 50

    def __init__(self, version: str = "1") -> None:
        self.version = version
        self.batches: list[int] = []

    def identity(self) -> dict[str, str]:
        return {"version": self.version}

    def label_items(self, items: Sequence[Gradable]) -> list[Grade]:
        self.batches.append(len(items))
        if any("broken" in answer_of(item) for item in items):
            raise ValueError("cannot\nread this")
        return [Grade("loud" if answer_of(item).isupper() else "quiet") for item in items]


def test_blank_and_long_items_are_not_graded_and_keep_their_place() -> None:
    items: list[Gradable] = [
        "HI",
        " \n",
        "x" * 51,
        "hi",
        Exchange("HI", ""),
        Exchange("x" * 50, "HI"),
        Exchange("", "HI"),
    ]
    grades = Loud().grade(items)
    assert [grade.label for grade in grades] == ["loud", None, None, "quiet", None, None, "loud"]
    assert [grades[i].reason for i in (1, 2, 4)] == [
        "it is blank",
        "it has 51 characters; at most 50 are read",
        "it is blank",
    ]


def test_one_item_that_fails_leaves_the_others_and_its_reason_is_one_line() -> None:
    grades = Loud().grade(["HI", "broken", "hi"])
    assert [grade.label for grade in grades] == ["loud", None, "quiet"]
    assert grades[1].reason == "ValueError: cannot read this"


def test_items_come_in_batches() -> None:
    grader = Loud()
    grader.grade(["a"] * (2 * BATCH + 1))
    assert grader.batches == [BATCH, BATCH, 1]
    assert grader.grade([]) == []


@pytest.mark.parametrize(
    ("grades", "message"),
    [
        ([], "0 grades for 1 items"),
        ([Grade("shrill")], "gave the label 'shrill'"),
        ([Grade("loud", score=float("nan"))], "gave the score or agreement nan; both are numbers in 0–1"),
        ([Grade("loud", score=1e9)], "gave the score or agreement 1000000000.0"),
        ([Grade("loud", score="high")], "gave the score or agreement 'high'"),  # type: ignore[arg-type]
        ([Grade("loud", agreement=float("inf"))], "gave the score or agreement inf"),
    ],
)
def test_a_grader_that_breaks_the_contract_is_an_error(
    grades: list[Grade], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Loud, "label_items", lambda self, items: grades)
    with pytest.raises(TargetError, match=message):
        Loud().grade(["a"])


@pytest.mark.parametrize(
    "error", [MissingExtraError("x", "pip install x"), ConfigurationError("no"), KeyboardInterrupt()]
)
def test_what_is_no_fault_of_an_item_is_raised(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Loud, items: Sequence[Gradable]) -> list[Grade]:
        raise error

    monkeypatch.setattr(Loud, "label_items", fail)
    with pytest.raises(type(error)):
        Loud().grade(["a", "b"])


LABELS = st.sampled_from(["a", "b", "c"])


@given(st.lists(st.tuples(LABELS, st.sampled_from(["a", "b", "c", None])), max_size=60))
def test_the_error_of_each_label_counts_every_item_once(pairs: list[tuple[str, str | None]]) -> None:
    truth, grades = [true for true, _ in pairs], [Grade(given) for _, given in pairs]
    for row in measure_error(grades, truth, ("a", "b", "c"), "here"):
        assert row.tp == pairs.count((row.label, row.label))
        assert row.tp + row.fn + row.ungraded_positive == truth.count(row.label)
        assert row.tn + row.fp + row.ungraded_negative == len(truth) - truth.count(row.label)
        assert row.tp + row.fp == [given for _, given in pairs].count(row.label)
        assert row.ungraded_positive + row.ungraded_negative == [given for _, given in pairs].count(None)


CONTROLS = LabelledControls(domain="here", label="a", tp=90, fn=10, tn=95, fp=5)


def test_sensitivity_and_specificity_have_wilsons_interval() -> None:
    assert CONTROLS.sensitivity() == wilson(90, 100)
    assert CONTROLS.specificity() == wilson(95, 100)
    assert LabelledControls(domain="here", label="a", tp=0, fn=0, tn=1, fp=0).sensitivity() is None


def grades_of(a: int, b: int, none: int = 0) -> list[Grade]:
    return [Grade("a")] * a + [Grade("b")] * b + [Grade(None, reason="it is blank")] * none


def test_a_rate_is_corrected_in_the_domain_and_says_by_what() -> None:
    rate = graded_rate(grades_of(30, 170), "a", CONTROLS)
    assert (rate.value, rate.low, rate.high) == rogan_gladen(30, 200, GraderCounts(90, 10, 95, 5))
    assert rate.corrected
    assert rate.controls == CONTROLS
    assert rate.apparent == wilson(30, 200)
    assert rate.reason is None


def test_elsewhere_it_stays_as_graded_and_says_so() -> None:
    rate = graded_rate(grades_of(30, 170, 2), "a", None)
    assert (rate.value, rate.low, rate.high) == worst_case(30, 200, 2)
    assert not rate.corrected
    assert "not measured" in rate.note


def test_what_could_not_be_graded_widens_the_interval_and_above_one_in_twenty_there_is_no_rate() -> None:
    assert MAX_UNGRADED == MAX_ERROR_SHARE
    whole, some = graded_rate(grades_of(30, 165), "a", CONTROLS), graded_rate(grades_of(30, 160, 10), "a", CONTROLS)
    assert some.low < whole.low < whole.high < some.high
    assert (some.n, some.ungraded) == (190, 10)
    many = graded_rate(grades_of(30, 159, 11), "a", CONTROLS)
    assert (many.value, many.low, many.high) == (None, None, None)
    assert many.reason == "11 of 200 items could not be graded, more than 5%; the first: it is blank"


@pytest.mark.parametrize("grades", [[], grades_of(0, 0, 3)])
def test_nothing_graded_is_no_rate(grades: list[Grade]) -> None:
    rate = graded_rate(grades, "a", CONTROLS)
    assert rate.value is None
    assert rate.reason


@pytest.mark.parametrize(
    "controls",
    [
        CONTROLS.model_copy(update={"tp": 50, "fn": 50, "tn": 50, "fp": 50}),
        CONTROLS.model_copy(update={"tp": 0, "fn": 0}),
        CONTROLS.model_copy(update={"tp": 100, "fn": 0, "tn": 0, "fp": 100}),
    ],
)
def test_a_grader_that_tells_nothing_apart_gives_no_rate_and_a_reason(controls: LabelledControls) -> None:
    rate = graded_rate(grades_of(30, 170), "a", controls)
    assert rate.value is None
    assert rate.reason
    assert not rate.corrected


def test_the_error_of_another_label_is_refused() -> None:
    with pytest.raises(ValueError, match="says nothing of 'b'"):
        graded_rate(grades_of(1, 1), "b", CONTROLS)


def test_a_card_survives_json_and_a_later_minor_version() -> None:
    card = card_of(Loud(), "loud", [CONTROLS.model_copy(update={"label": "loud"})])
    assert ErrorCard.from_json(card.to_json()) == card
    later = json.loads(card.to_json()) | {"schema_version": "1.9", "novelty": [1]}
    assert ErrorCard.from_json(json.dumps(later)).controls == card.controls


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"grader": "x", "grader_sha256": "", "controls": [{}]}', "\ud800", '{"a": NaN}',
     '{"schema_version": "2.0", "grader": "x", "grader_sha256": "", "controls": []}',
     CONTROLS.model_dump_json().join(('{"grader": "x", "grader_sha256": "", "controls": [', "]}")).replace("90", "-1")],
)  # fmt: skip
def test_what_is_no_card_is_one_clear_error(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^here is no error card"):
        ErrorCard.from_json(text, "here")


def test_a_card_with_two_rows_for_one_label_and_domain_is_refused() -> None:
    other = CONTROLS.model_copy(update={"tp": 1})
    card = card_of(Loud(), "loud", [CONTROLS])
    text = json.dumps(json.loads(card.to_json()) | {"controls": [c.model_dump() for c in (CONTROLS, other)]})
    with pytest.raises(ConfigurationError, match=r"controls: .*the label 'a' has two rows for the domain '"):
        ErrorCard.from_json(text)


def test_a_card_of_another_version_of_the_grader_is_refused_by_name() -> None:
    card = card_of(Loud("1"), "loud")
    card.check(Loud("1"))
    with pytest.raises(ConfigurationError, match="differs from the one in use in version"):
        card.check(Loud("2"))


def test_a_domain_measured_again_takes_the_place_of_the_old_figures() -> None:
    rows = [LabelledControls(domain=d, label="a", tp=n, fn=0, tn=1, fp=0) for d, n in (("x", 1), ("y", 2), ("x", 3))]
    card = card_of(Loud(), "loud").with_domain(rows[:1]).with_domain(rows[1:2]).with_domain(rows[2:])
    assert card.domains == ("x", "y")
    assert card.controls_for("x", "a") == rows[2]
    assert card.controls_for("z", "a") is None
