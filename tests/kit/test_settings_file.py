"""Files of settings that somebody else wrote: whatever they hold, there is one line and no waiting."""

from __future__ import annotations

import json
import os
import socket
import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.core.errors import ConfigurationError, ContentError
from guardrails.kit.settings_file import MAX_DEPTH, parse_json, parse_toml, read_bounded

HOSTILE = {
    "nested arrays": "a = " + "[" * 50_000,
    "nested arrays that end": f"a = {'[' * 300}{']' * 300}",
    "nested tables": "a = " + "{b = " * 20_000,
    "dotted name": ".".join("a" * 100_000) + " = 1",
    "dotted quoted name": ".".join(['"a"'] * 50_000) + " = 1",
    "dotted name in a table": "x = {" + ".".join("a" * 100_000) + " = 1}",
    "dotted header": f"[{' . '.join('a' * 100_000)}]",
    "dotted name below the bound": ".".join("a" * 60) + " = 1",
    "long name": "a" * 400_000 + " = 1",
    "integer of many digits": f"a = {'9' * 5000}",
    "integer of 4,000 digits": f"a = {'9' * 4000}",
    "hexadecimal integer": f"a = 0x{'F' * 400_000}",
    "binary integer": f"a = [0b{'1' * 65}]",
    "not closed": 'a = """' + "x" * 500_000,
    "control characters": "a = '\x1b[2J'",
    "not UTF-8": "a = '\udcff'",
    "two values": "a = 1\na = 2",
    "half a line": "a =",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_toml_is_one_line_at_once(name: str) -> None:
    started = time.process_time()
    with pytest.raises(ContentError) as error:
        parse_toml(HOSTILE[name].encode("utf-8", "surrogateescape"), "mine.toml")
    assert time.process_time() - started < 1
    assert str(error.value).startswith("mine.toml ")
    assert len(str(error.value)) < 300
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "9" * 5000,
        f"[{'9' * 4000}]",
        "[" * 60 + "]" * 60,
        "{",
        "",
        "\x00",
        json.dumps({"k" * 5000: 1}),
    ],
)
def test_hostile_json_is_one_line(text: str) -> None:
    with pytest.raises(ContentError) as error:
        parse_json(text.encode(), "config.json")
    assert str(error.value).startswith("config.json ")
    assert len(str(error.value)) < 300


@given(
    st.dictionaries(
        st.text(alphabet="abc-_", min_size=1, max_size=9),
        st.integers(-(2**62), 2**62) | st.booleans() | st.text(alphabet="ab. []{}", max_size=40),
        max_size=8,
    )
)
def test_ordinary_settings_are_read_as_the_parser_reads_them(values: dict[str, int | bool | str]) -> None:
    text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
    assert parse_toml(b"\xef\xbb\xbf" + text.encode(), "x") == tomllib.loads(text) == values
    assert parse_json(json.dumps(values).encode(), "x") == values


def test_settings_at_the_bounds_are_read() -> None:
    deep = "[" * (MAX_DEPTH - 2) + "]" * (MAX_DEPTH - 2)
    assert (
        parse_toml(f"a = {deep}\nb = 9223372036854775807\nc.{'.'.join('d' * 20)} = 1".encode(), "x")["b"] == 2**63 - 1
    )
    assert parse_json(b'{"model_max_length": 1000000000000000019884624838656, "x": Infinity}', "x")["x"] == float("inf")


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "gone").symlink_to("nothing")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
        for path in (*tmp_path.iterdir(), Path("/dev/zero"), Path("/dev/null"), Path("a\0b"), Path("\x1b[2J")):
            with pytest.raises(ContentError) as error:
                read_bounded(path)
            assert "\n" not in str(error.value)
            assert str(error.value).isprintable()


def test_a_file_beyond_the_limit_is_refused_and_one_at_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b" " * 2000)
    assert len(read_bounded(tmp_path / "f", max_bytes=2000)) == 2000
    with pytest.raises(ContentError, match="is larger than 1 kB"):
        read_bounded(tmp_path / "f", max_bytes=1999)


@pytest.mark.parametrize("what", ["plan", "policy", "recognizers", "descriptor", "prompts", "corpus", "target"])
def test_a_pipe_in_place_of_any_input_is_refused(tmp_path: Path, what: str) -> None:
    from guardrails.assay.audit.plan import make_settings
    from guardrails.core.errors import TargetError
    from guardrails.core.targets import Modality
    from guardrails.targets import load_data, load_target

    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)
    reads = {
        "plan": lambda: make_settings({}, pipe),
        "target": lambda: load_target(f"jsonl:{pipe}"),
        "prompts": lambda: load_data("prompts", str(pipe), Modality.TEXT),
        "corpus": lambda: load_data("corpus", str(pipe), Modality.TEXT),
    }
    read = reads.get(what, lambda: make_settings({what: str(pipe)}))
    with pytest.raises((ConfigurationError, TargetError), match=r"pipe\.toml"):
        read()


@pytest.mark.parametrize("content", ["", "\n# nothing yet\n"])
def test_an_empty_plan_is_no_self_check(tmp_path: Path, content: str) -> None:
    from guardrails.assay.audit.plan import make_settings

    (tmp_path / "plan.toml").write_text(content)
    with pytest.raises(ConfigurationError, match=r"plan .*plan\.toml holds no option"):
        make_settings({}, tmp_path / "plan.toml")
