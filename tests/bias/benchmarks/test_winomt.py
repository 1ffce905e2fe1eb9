from __future__ import annotations

from pathlib import Path

import pytest

from guardrails.bias.benchmarks.winomt import matched, read_cases, read_translations
from guardrails.core.errors import ConfigurationError

ROWS = "male\t1\tThe nurse said that he slept.\tnurse\nfemale\t1\tThe nurse said that she slept.\tnurse\n"


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_rows_are_read_with_their_template(tmp_path: Path) -> None:
    man, woman = read_cases(written(tmp_path / "en.txt", ROWS))
    assert (man.gender, woman.gender, man.near, man.profession) == ("male", "female", 1, "nurse")
    assert man.template == woman.template
    assert man.stereotype == "female"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no row"),
        ("male\t1\tThe nurse slept.\n", "line 1"),
        ("man\t1\tThe nurse slept.\tnurse\n", "line 1"),
        ("male\t-1\tThe nurse slept.\tnurse\n", "line 1"),
        ("male\t9\tThe nurse slept.\tnurse\n", "no word number 9"),
        ("male\t1\tEl ni\xf1o\tchild\n".encode("latin-1"), "not UTF-8"),
    ],
)
def test_rows_of_another_form_are_refused(tmp_path: Path, text: str | bytes, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        read_cases(written(tmp_path / "en.txt", text))


@pytest.mark.parametrize(
    "line",
    [
        "The nurse slept. ||| La enfermera durmió.",
        "The nurse slept.\tLa enfermera durmió.",
        '{"sentence": "The nurse slept.", "translation": "La enfermera durmió."}',
        '{"source": "The nurse slept.", "target": "La enfermera durmió."}',
    ],
)
def test_translations_are_read_in_each_form(tmp_path: Path, line: str) -> None:
    (case,) = read_cases(written(tmp_path / "en.txt", "female\t1\tThe nurse  slept.\tnurse\n"))
    stored = read_translations(written(tmp_path / "es.txt", line + "\r\n"))
    assert matched([case], stored) == ["La enfermera durmió."]


def test_a_sentence_that_comes_twice_has_two_translations_and_an_absent_one_none(tmp_path: Path) -> None:
    cases = read_cases(written(tmp_path / "en.txt", ROWS.splitlines()[0] + "\n" + ROWS))
    text = "The nurse said that he slept. ||| A\nThe nurse said that he slept. ||| B\n"
    assert matched(cases, read_translations(written(tmp_path / "es.txt", text))) == ["A", "B", None]


@pytest.mark.parametrize(
    "text", ["", "only a sentence\n", "a ||| b ||| c\n", "{broken\n", '{"sentence": 3}\n', "||| x\n"]
)
def test_translations_of_another_form_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError):
        read_translations(written(tmp_path / "es.txt", text))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_cases(tmp_path / "none.txt")


@pytest.mark.public_data
def test_stereotypes_are_those_of_the_published_subsets(test_data: Path) -> None:
    folder = test_data / "bias" / "winomt"
    for name, is_pro in (("en_pro.txt", True), ("en_anti.txt", False)):
        cases = read_cases(folder / name)
        assert len(cases) == 1584
        assert all((case.gender == case.stereotype) is is_pro for case in cases)
