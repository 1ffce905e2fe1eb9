"""Options of probes as text: assignments, tables of a plan and short forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.assay.audit.options import (
    given_options,
    option_words,
    parse_assignments,
    read_given,
    shortened,
)
from guardrails.core.errors import ConfigurationError

DESCRIPTOR = "memorization.copies.descriptor"


NAME = st.text(st.characters(exclude_characters="=", exclude_categories=["Cs"]), min_size=1).filter(str.strip)


@given(NAME, st.text())
def test_what_follows_the_first_equals_sign_is_the_value(name: str, value: str) -> None:
    assert parse_assignments([f"{name}={value}"]) == {name.strip(): value}


@pytest.mark.parametrize(
    "value", ['"a"', "'a b'", "a=b=c", "a.b.c", "=", "ä€🎈", "[1, 2]", "a\nb", " a ", "x" * 100_000]
)
def test_a_value_is_taken_as_it_stands(value: str) -> None:
    assert parse_assignments([f"{DESCRIPTOR}={value}"]) == {DESCRIPTOR: value}


@given(st.lists(st.one_of(st.text(), NAME.map(lambda n: f"privacy.pii.{n}=x"), st.just("privacy.pii.recognizers=x"))))
def test_any_text_is_read_or_refused_in_lines_that_are_short(texts: list[str]) -> None:
    lines: tuple[str, ...] = ()
    try:
        read = read_given(parse_assignments(texts))
    except ConfigurationError as error:
        lines = error.lines
    else:
        assert read.keys() <= {"privacy.pii"}
    assert all(len(line) < 400 for line in lines)


@pytest.mark.parametrize("length", [1000, 1_000_000])
def test_a_hostile_length_is_refused_at_once(length: int) -> None:
    for text in (
        "x" * length,
        f"{'x' * length}=3",
        f"privacy.pii.{'x' * length}=3",
        f"{DESCRIPTOR}={'x' * length * 5}",
    ):
        with pytest.raises(ConfigurationError) as raised:
            read_given(parse_assignments([text]), open_files=True)
        assert sum(map(len, raised.value.lines)) < 6000


def test_tables_of_a_plan_and_flat_names_are_the_same() -> None:
    flat = {"options": {DESCRIPTOR: "a.onnx"}}
    by_probe = {"options": {"memorization.copies": {"descriptor": Path("a.onnx")}}}
    nested = {"options": {"memorization": {"copies": {"descriptor": "a.onnx"}}}}
    assert given_options(flat) == given_options(by_probe) == given_options(nested) == {DESCRIPTOR: "a.onnx"}
    assert given_options({"descriptor": "a.onnx"} | flat) == {DESCRIPTOR: "a.onnx"}
    assert given_options({"options": {DESCRIPTOR: None}, "descriptor": None}) == {}


def test_a_short_form_stands_for_all_its_options_or_for_none() -> None:
    both = given_options({"recognizers": "a.toml"})
    assert both == {"privacy.completion.recognizers": "a.toml", "privacy.pii.recognizers": "a.toml"}
    assert shortened(both) == {"recognizers": "a.toml"}
    assert option_words(both, probe="privacy.pii") == ["--recognizers", "a.toml"]
    one = both | {"privacy.pii.recognizers": "b.toml"}
    assert shortened(one) == one
    assert shortened({"privacy.pii.recognizers": "a.toml"}) == {"privacy.pii.recognizers": "a.toml"}
    assert option_words(one, probe="memorization.copies") == []


@pytest.mark.parametrize(
    "given", [
        {"descriptor": "a", "options": {DESCRIPTOR: "b"}},
        {"options": {DESCRIPTOR: "a", "memorization.copies": {"descriptor": "b"}}},
        {"recognizers": "a", "options": {"privacy.pii.recognizers": "b"}},
    ],
)  # fmt: skip
def test_two_values_for_one_option_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"is given two values: [ab] and [ab]"):
        given_options(given)


def test_set_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="given two values: a and b"):
        parse_assignments([f"{DESCRIPTOR}=a", f"{DESCRIPTOR}=b"])
    assert parse_assignments([f"{DESCRIPTOR}=a"] * 2) == {DESCRIPTOR: "a"}
