"""The items and labels of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardrails.core.errors import ConfigurationError, ContentError
from guardrails.core.grading import Exchange
from guardrails.graders.items import read_items, read_labels


def written(folder: Path, text: str, name: str = "texts.jsonl") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_texts_exchanges_and_nested_fields(tmp_path: Path) -> None:
    file = written(
        tmp_path, '{"text": "a", "q": "b", "data": {"body": "c"}}\n{"text": "", "q": "", "data": {"body": "d"}}\n'
    )
    assert read_items(file, "text") == ["a", ""]
    assert read_items(file, "text", "q") == [Exchange("b", "a"), Exchange("", "")]
    assert read_items(file, "data.body") == ["c", "d"]


def test_a_null_is_a_blank_text(tmp_path: Path) -> None:
    assert read_items(written(tmp_path, '{"text": null}\n'), "text") == [""]


def test_csv(tmp_path: Path) -> None:
    file = written(tmp_path, 'text,toxic\n"a, b",True\nc,False\n', "texts.csv")
    assert read_items(file, "text") == ["a, b", "c"]
    assert read_labels(file, "toxic", ("toxic", "not"), {"True": "toxic", "False": "not"}) == ["toxic", "not"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"body": "a"}\n', r"line 1: no field 'text'; its fields are body; name it with --text-field NAME"),
        ('{"text": "a"}\n{"text": 3}\n', r"line 2: a int, no text, in the field 'text'"),
        ('"a"\n', r"line 1: no field 'text'"),
        ("", "it holds no records"),
        ('{"text": \n', "not JSON"),
    ],
)
def test_a_record_without_a_text_is_named_by_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ContentError, match=message):
        read_items(written(tmp_path, text), "text")


def test_a_file_of_no_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="a file of records is needed"):
        read_items(written(tmp_path, "a\n", "texts.txt"), "text")


def test_true_false_and_numbers_are_labels_as_they_are_written(tmp_path: Path) -> None:
    file = written(tmp_path, '{"y": true}\n{"y": false}\n{"y": 1}\n{"y": "b"}\n')
    names = {"true": "a", "false": "b", "1": "a"}
    assert read_labels(file, "y", ("a", "b"), names) == ["a", "b", "a", "b"]


def test_a_value_that_is_no_label_is_shown_with_the_labels(tmp_path: Path) -> None:
    file = written(tmp_path, '{"y": "good"}\n{"y": "a"}\n{"y": "\\u001b[31m"}\n')
    with pytest.raises(ConfigurationError, match=r"holds 'good', '\\x1b\[31m'; the grader's labels are a, b; .*--map"):
        read_labels(file, "y", ("a", "b"), {})


@pytest.mark.parametrize("value", ["null", "[]", "{}"])
def test_a_record_without_a_label_is_an_error(tmp_path: Path, value: str) -> None:
    with pytest.raises(ContentError, match="line 2: no label in the field 'y'"):
        read_labels(written(tmp_path, f'{{"y": "a"}}\n{{"y": {value}}}\n'), "y", ("a", "b"), {})
