"""Options of a probe: what a model may hold, and what is said of values that do not fit."""

from __future__ import annotations

from datetime import date
from enum import Enum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, SecretStr, create_model, model_validator

from guardrails.core.errors import ConfigurationError
from guardrails.core.options import ProbeOptions, opened_by, read_options
from guardrails.core.probe import Probe
from guardrails.core.registry import load_probe, probes


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Number(Enum):
    ONE = 1


def refuse(path: Path) -> None:
    raise ConfigurationError(f"{path} is wrong", "in two lines")


class Various(ProbeOptions):
    size: int = Field(3, ge=1, description="a number")
    share: float = Field(0.5, le=1, description="another")
    strict: bool = Field(False, description="a switch")
    style: Literal["short", "long"] = Field("short", description="one of two")
    colour: Colour = Field(Colour.RED, description="another of two")
    name: str | None = Field(None, max_length=20, description="a text")
    limit: Annotated[int, Field(ge=0)] | None = Field(None, description="a number or none")
    words: Path | None = Field(None, description="a file")
    checked: Annotated[Path, opened_by(refuse)] | None = Field(None, description="a file that is opened")


def test_texts_are_read_as_the_type_of_their_option() -> None:
    texts = {"size": "7", "share": "0.25", "strict": "true", "style": "long", "colour": "blue", "name": "7"}
    texts["words"] = "a/./b"
    options = read_options(Various, texts, probe="a.b")
    assert options.changed == texts | {"size": 7, "share": 0.25, "strict": True, "words": "a/b"}
    assert options.files == {"words": Path("a/b")}
    assert read_options(Various, options.changed, probe="a.b") == options


def test_what_is_the_default_is_not_changed() -> None:
    assert read_options(Various, {"size": "3", "style": "short"}, probe="a.b").changed == {}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"size": "many"}, "a.b.size: Input should be a valid integer, .* (given: 'many')"),
        ({"size": "0"}, "a.b.size: Input should be greater than or equal to 1"),
        ({"size": ""}, "a.b.size: Input should be a valid integer"),
        ({"size": "9" * 9000}, "a.b.size: "),
        ({"share": "nan"}, "a.b.share: Input should be a finite number"),
        ({"share": "inf"}, "a.b.share: "),
        ({"strict": "perhaps"}, "a.b.strict: Input should be a valid boolean"),
        ({"style": "Long"}, "a.b.style: Input should be 'short' or 'long'"),
        ({"size": True}, "a.b.size: a number is needed, not true"),
        ({"share": False}, "a.b.share: a number is needed, not false"),
        ({"limit": True}, "a.b.limit: a number is needed, not true"),
        ({"name": 7}, "a.b.name: Input should be a valid string"),
        ({"name": "x" * 21}, "a.b.name: String should have at most 20 characters"),
        ({"words": 7}, "a.b.words: a path is needed (given: '7')"),
        ({"words": ["a"]}, "a.b.words: "),
        ({"sise": "3"}, "a.b.sise: a.b has no such option. Did you mean 'size'?"),
    ],
)
def test_a_wrong_value_is_one_line(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_options(Various, values, probe="a.b")
    (line,) = raised.value.lines
    before, _, after = words.partition(".*")
    assert line.startswith(before)
    assert after in line
    assert len(line) < 300
    assert "\n" not in line


def test_every_mistake_is_said_at_once() -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_options(Various, {"size": "x", "style": "x", "shape": "x"}, probe="a.b")
    assert [line.partition(":")[0] for line in raised.value.lines] == ["a.b.size", "a.b.style", "a.b.shape"]


def test_a_probe_without_options_says_so() -> None:
    with pytest.raises(ConfigurationError, match=r"a\.b\.size: a\.b has no options"):
        read_options(ProbeOptions, {"size": 3}, probe="a.b")


def test_a_mistake_of_the_whole_names_the_probe() -> None:
    class Pair(ProbeOptions):
        low: int = Field(0, description="the lower")
        high: int = Field(1, description="the upper")

        @model_validator(mode="after")
        def _ordered(self) -> Pair:
            if self.low > self.high:
                raise ValueError("low is above high")
            return self

    with pytest.raises(ConfigurationError, match=r"^a\.b: low is above high$"):
        read_options(Pair, {"low": 3}, probe="a.b")


def test_files_are_opened_where_that_is_asked_for_and_never_else(tmp_path: Path) -> None:
    file = tmp_path / "there"
    file.touch()
    assert read_options(Various, {"checked": file}, probe="a.b").checked == file
    with pytest.raises(ConfigurationError, match=r"a\.b\.checked: .*there is wrong in two lines$"):
        read_options(Various, {"checked": file}, probe="a.b", open_files=True)
    assert read_options(Various, {"words": file}, probe="a.b", open_files=True).words == file
    for missing in (tmp_path / "none", "x" * 300, "a/" * 3000):
        with pytest.raises(ConfigurationError, match=r"a\.b\.words: there is no '"):
            read_options(Various, {"words": missing}, probe="a.b", open_files=True)


def test_a_file_may_be_a_program_unless_it_is_one_of_data() -> None:
    assert Various(words=Path("a.pt")).runs_code() == {"words": "may be a program"}
    assert Various(words=Path("a.TOML")).runs_code() == Various(name="a.pt").runs_code() == {}


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ((int, Field(description="x")), "has no default"),
        ((int, Field(3)), "has no description"),
        ((list[str], Field((), description="x")), "is neither text, a number"),
        ((dict[str, str], Field({}, description="x")), "is neither text"),
        ((int | str, Field(3, description="x")), "is neither text"),
        ((Literal[1, 2], Field(1, description="x")), "is neither text"),
        ((Number, Field(Number.ONE, description="x")), "is neither text"),
        ((bytes, Field(b"", description="x")), "is neither text"),
        ((date | None, Field(None, description="x")), "is neither text"),
        ((SecretStr | None, Field(None, description="x")), "is neither text"),
        ((Various, Field(Various(), description="x")), "is neither text"),
    ],
)
def test_what_does_not_fit_on_a_command_line_is_no_option(field: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=f"option mine of .* {words}"):
        create_model("Mine", __base__=ProbeOptions, mine=field)


def test_every_class_of_probe_has_its_own_options() -> None:
    class First(Probe):
        class Options(ProbeOptions):
            size: int = Field(3, description="a number")

        options: Options

    class Second(First):
        def __init__(self) -> None:  # as a plug-in may: it calls no other
            self.ready = True

        class Options(ProbeOptions):
            size: int = Field(5, description="a number")

    assert (First.options.size, Second.options.size, Probe.options.changed) == (3, 5, {})  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match=r"Options of .*Third is no subclass of ProbeOptions"):

        class Third(Probe):
            Options = dict  # type: ignore[assignment]


def test_a_loaded_probe_has_its_options_and_no_other_has(tmp_path: Path) -> None:
    probe = load_probe("privacy.pii", {"recognizers": tmp_path / "mine.toml"})
    assert probe.options.changed == {"recognizers": str(tmp_path / "mine.toml")}
    assert load_probe("privacy.pii").options.changed == {}
    with pytest.raises(
        ConfigurationError, match=r"privacy\.pii\.size: .* Did you mean|privacy\.pii has no such option"
    ):
        load_probe("privacy.pii", {"size": 3})


def test_options_are_at_their_defaults_in_every_probe() -> None:
    assert [id for id, cls in probes().items() if cls().options.changed] == []
