"""Tokenizers that a stranger made: no text explodes, none takes for ever, and a panic is an error of the target."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import threading
import time
import unicodedata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.core.errors import TargetError
from guardrails.targets.huggingface import HuggingFaceTarget
from guardrails.targets.language import tokenizer_limits
from guardrails.targets.language.tokenizer import TextTokenizer
from guardrails.targets.language.tokenizer_limits import TimedTokenizer, _emoji_growth, check_emoji, check_parts


@pytest.fixture
def copy(model_folder: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    return folder


def replace(pattern: dict[str, str], content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}


def sequence(kind: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", kind: list(parts)}


def charsmap(text: str) -> str:
    return base64.b64encode((4).to_bytes(4, "little") + b"\0\0\0\0" + text.encode() + b"\0").decode()


DOUBLED = replace({"String": "a"}, "aa")
HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "a chain of replacements": ({"normalizer": sequence("normalizers", *[DOUBLED] * 40)}, "1,099,511,627,776 long"),
    "one long replacement": ({"normalizer": replace({"String": "a"}, "b" * 2000)}, "2,000 long"),
    "a replacement of nothing": ({"normalizer": replace({"String": ""}, "b" * 2000)}, "long"),
    "a replacement by a pattern": ({"normalizer": replace({"Regex": "."}, "b" * 2000)}, "long"),
    "chains within chains": (
        {"normalizer": sequence("normalizers", *[sequence("normalizers", *[DOUBLED] * 4)] * 4)},
        "65,536 long",
    ),
    "900 for one": ({"normalizer": replace({"String": "a"}, "b" * 900)}, "900 long; at most 128"),
    "900 in two steps": (
        {"normalizer": sequence("normalizers", replace({"String": "a"}, "b" * 30), replace({"String": "b"}, "c" * 30))},
        "900 long",
    ),
    "characters that a later step makes long": (
        {"normalizer": sequence("normalizers", replace({"String": "a"}, "\ufdfa" * 50), {"type": "NFKC"})},
        "900 long",
    ),
    "what is put before": ({"normalizer": {"type": "Prepend", "prepend": "b" * 2000}}, "long"),
    "a map of characters": (
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": charsmap("b" * 2000)}},
        "2,000 long",
    ),
    "a map that is none": ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "!"}}, "damaged"),
    "a decoder": ({"decoder": sequence("decoders", *[DOUBLED] * 40)}, "decoder can make"),
    "many added tokens": ({"added_tokens": [{"content": "x"}] * 100_001}, "100,001 tokens"),
    "long added tokens": ({"added_tokens": [{"content": "x" * 6_000_000}]}, "6,000,000 characters"),
    "one long token": ({"model": {"vocab": {"x" * 100_001: 1}}}, "token of 100,001"),
    "one long token in a list": ({"model": {"vocab": [["x" * 100_001, 0.0]]}}, "token of 100,001"),
    "no description": ({"normalizer": [1]}, "does not describe"),
    "a number for tokens": ({"added_tokens": 3}, "does not describe"),
    "tokens without names": ({"added_tokens": [{}]}, "does not describe"),
    "a replacement without a pattern": ({"normalizer": {"type": "Replace"}}, "does not describe"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_part_is_refused(name: str) -> None:
    parts, message = HOSTILE[name]
    with pytest.raises(TargetError, match=message):
        check_parts(parts)


def test_ordinary_parts_are_read() -> None:
    check_parts({})
    check_parts(
        {
            "normalizer": sequence(
                "normalizers",
                {"type": "Prepend", "prepend": "▁"},
                replace({"String": " "}, "▁"),
                replace({"Regex": " {2,}"}, " "),
                {"type": "Precompiled", "precompiled_charsmap": charsmap("(株)")},
                {"type": "NFKC"},
            ),
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
            "decoder": sequence("decoders", replace({"String": "▁"}, " "), {"type": "Strip", "content": " "}),
            "added_tokens": [{"content": "<s>"}],
            "model": {"vocab": {"a": 1}},
        }
    )


LONGEST = unicodedata.normalize("NFKC", "\ufdfa")
LLAMA = sequence("normalizers", {"type": "Prepend", "prepend": "▁"}, replace({"String": " "}, "▁"))
QUOTES = [replace({"String": "``"}, '"'), replace({"String": "''"}, '"')]
MAP = {"type": "Precompiled", "precompiled_charsmap": charsmap(LONGEST)}
BERT = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "lowercase": True}
ORDINARY: dict[str, Any] = {
    "BERT": BERT,
    "GPT-2": None,
    "Gemma": replace({"String": " "}, "▁"),
    "LLaMA": LLAMA,
    "Qwen": {"type": "NFC"},
    "T5": sequence("normalizers", MAP, {"type": "Strip"}, replace({"Regex": " {2,}"}, "▁")),
    "ALBERT": sequence(
        "normalizers", *QUOTES, {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}, MAP,
        replace({"Regex": " {2,}"}, " "),
    ),
    "a map, and a mark before": sequence("normalizers", MAP, *LLAMA["normalizers"]),
    "line ends as words": sequence("normalizers", MAP, replace({"String": "\n"}, "<0x0A>")),
}  # fmt: skip


@pytest.mark.parametrize("name", ORDINARY)
def test_normalizers_of_ordinary_tokenizers_are_read(copy: Path, name: str) -> None:
    assert len(LONGEST) == 18
    described = json.loads((copy / "tokenizer.json").read_text())
    check_parts(described | {"normalizer": ORDINARY[name]})
    if MAP not in (ORDINARY[name] or {}).get("normalizers", []):  # this map is for its texts alone
        (copy / "tokenizer.json").write_text(json.dumps(described | {"normalizer": ORDINARY[name]}))
        assert HuggingFaceTarget(copy).name.startswith("hf:")


def test_a_growing_normalizer_is_refused_before_it_is_asked(copy: Path) -> None:
    described = json.loads((copy / "tokenizer.json").read_text())
    described["normalizer"] = sequence("normalizers", *[DOUBLED] * 40)
    described["added_tokens"][0] |= {"content": "a", "normalized": True}
    (copy / "tokenizer.json").write_text(json.dumps(described))
    with pytest.raises(TargetError, match="normalizer can make"):
        HuggingFaceTarget(copy)


def test_a_pattern_that_panics_is_an_error_of_the_target(copy: Path) -> None:
    """PanicException is no Exception: it would end the run with the exit code of a failed finding."""
    described = json.loads((copy / "tokenizer.json").read_text())
    described["pre_tokenizer"] = {
        "type": "Split", "pattern": {"Regex": "(z+)+$|\\s"}, "behavior": "Removed", "invert": False
    }  # fmt: skip
    (copy / "tokenizer.json").write_text(json.dumps(described))
    made = HuggingFaceTarget(copy)
    assert made.decode(made.encode("the cat")) == "the cat"
    with pytest.raises(TargetError, match=r"the tokenizer broke \(PanicException: .*retry-limit"):
        made.encode("z" * 60 + "b")
    assert made.decode(made.encode("the cat")) == "the cat"


@pytest.mark.slow
def test_a_text_that_takes_too_long_is_an_error_and_no_other_is_asked(monkeypatch: Any) -> None:
    monkeypatch.setattr(tokenizer_limits, "SECONDS", 0.1)
    released = threading.Event()
    slow = TimedTokenizer(
        SimpleNamespace(encode=lambda text: released.wait() if text == "slow" else [1], pad_token="p")
    )
    assert slow.encode("quick") == [1]
    assert slow.pad_token == "p"
    started = time.monotonic()
    with pytest.raises(TargetError, match="more than 0 s for 4 characters"):
        slow.encode("slow")
    with pytest.raises(TargetError, match="not asked again"):
        slow.encode("quick")
    assert time.monotonic() - started < 10
    released.set()


@pytest.mark.parametrize("error", [ValueError("a\nb"), OverflowError(), RecursionError("deep")])
def test_whatever_a_tokenizer_raises_is_an_error_of_the_target(error: Exception) -> None:
    def broken(*args: Any, **options: Any) -> Any:
        raise error

    with pytest.raises(TargetError, match=f"the tokenizer broke .{type(error).__name__}"):
        TimedTokenizer(SimpleNamespace(decode=broken)).decode([1])


def test_many_tokens_around_a_text_are_refused(copy: Path) -> None:
    described = json.loads((copy / "tokenizer.json").read_text())
    pieces = [{"SpecialToken": {"id": "<end>", "type_id": 0}}] * 5000
    described["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [*pieces, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<end>": {"id": "<end>", "ids": [0], "tokens": ["<end>"]}},
    }
    (copy / "tokenizer.json").write_text(json.dumps(described))
    with pytest.raises(TargetError, match="5,000 tokens around each text"):
        HuggingFaceTarget(copy)


def test_a_text_of_end_tokens_alone_is_read_at_once(target: Any) -> None:
    text = TextTokenizer(target.tokenizer, 16)
    started = time.process_time()
    assert text.encode("<end> " * 100_000) == []
    assert time.process_time() - started < 20


def replaced_one_after_the_other(text: str, emoji: dict[str, str]) -> str:
    """As the tokenizer of GPT-NeoX-Japanese does before it looks for words."""
    for space, name in ((" ", "<SP>"), ("\n", "<BR>"), ("\t", "<TAB>")):
        text = text.replace(space, name)
    for before, after in emoji.items():
        text = text.replace(before, after)
    return text


@given(
    st.dictionaries(st.text("ab<☺", min_size=1, max_size=3), st.text("abc|", max_size=4), max_size=5),
    st.text("ab<☺ \n", min_size=1, max_size=12),
)
def test_no_text_grows_more_by_its_emoji_than_is_foreseen(emoji: dict[str, str], text: str) -> None:
    assert len(replaced_one_after_the_other(text, emoji)) <= _emoji_growth(emoji) * len(text) + 1e-9


def test_emoji_that_multiply_are_refused_and_many_that_do_not_are_read() -> None:
    plain = {chr(0x1F300 + i): f"<|emoji{i % 12 + 1}|>" for i in range(700)} | {
        "(^^)": "<|emoji1|>",
        "<3": "<|emoji2|>",
    }
    back = {f"<|emoji{i}|>": "☺" for i in range(1, 13)}
    check_emoji({"emoji": plain, "emoji_inv": back})
    letters = "abcdefghijklmnop"
    doubled = {one: 2 * two for one, two in itertools.pairwise(letters)}
    assert len(replaced_one_after_the_other("a", doubled)) == 2**15
    for hostile, message in [
        ({"emoji": doubled, "emoji_inv": back}, "a character 212,992 long"),
        ({"emoji": plain, "emoji_inv": {"<|emoji1|>": "x" * 2000}}, "2,000"),
        ({"emoji": {"": "x"}, "emoji_inv": {}}, "does not describe"),
        ({"emoji": {"a": 1}, "emoji_inv": {}}, "does not describe"),
        ({"emoji": [1], "emoji_inv": {}}, "does not describe"),
        ({}, "does not describe"),
    ]:
        with pytest.raises(TargetError, match=message):
            check_emoji(hostile)
