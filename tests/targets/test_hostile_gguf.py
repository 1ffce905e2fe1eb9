"""GGUF files that a stranger made: the header is bounded, and describes the tensors that the file holds."""

from __future__ import annotations

import struct
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.core.errors import TargetError
from guardrails.targets.huggingface import HuggingFaceTarget
from guardrails.targets.model_files.gguf_header import check_gguf

if find_spec("gguf") is None or find_spec("accelerate") is None:
    pytest.skip("gguf and accelerate are not installed: make models", allow_module_level=True)

U32, F32, TEXT, ARRAY = 4, 6, 8, 9
TOKENS = ["<unk>", "<s>", "</s>", "▁the", "▁a", *"abcdefghijklmnopqrstuvwxyz"]
WIDTH, INNER, ROWS = 32, 64, len(TOKENS)
Shapes = dict[str, tuple[int, ...]]


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def listed(kind: int, values: list[Any]) -> bytes:
    parts = [text(v) if kind == TEXT else struct.pack("<f" if kind == F32 else "<I", v) for v in values]
    return struct.pack("<IIQ", ARRAY, kind, len(values)) + b"".join(parts)


def number(value: int) -> bytes:
    return struct.pack("<II", U32, value)


def block(i: int) -> Shapes:
    shapes: Shapes = {f"blk.{i}.attn_{part}.weight": (WIDTH, WIDTH) for part in ("q", "k", "v", "output")}
    shapes |= {f"blk.{i}.ffn_{part}.weight": (WIDTH, INNER) for part in ("gate", "up")}
    shapes |= {f"blk.{i}.{part}_norm.weight": (WIDTH,) for part in ("attn", "ffn")}
    return shapes | {f"blk.{i}.ffn_down.weight": (INNER, WIDTH)}


VALUES: dict[str, bytes] = {
    "general.architecture": struct.pack("<I", TEXT) + text("llama"),
    "llama.block_count": number(1),
    "llama.context_length": number(64),
    "llama.embedding_length": number(WIDTH),
    "llama.feed_forward_length": number(INNER),
    "llama.attention.head_count": number(2),
    "llama.attention.head_count_kv": number(2),
    "llama.rope.dimension_count": number(16),
    "llama.attention.layer_norm_rms_epsilon": struct.pack("<If", F32, 1e-5),
    "llama.vocab_size": number(ROWS),
    "tokenizer.ggml.model": struct.pack("<I", TEXT) + text("llama"),
    "tokenizer.ggml.tokens": listed(TEXT, TOKENS),
    "tokenizer.ggml.scores": listed(F32, [-float(i) for i in range(ROWS)]),
    "tokenizer.ggml.token_type": listed(U32, [2, 3, 3, *[1] * (ROWS - 3)]),
    "tokenizer.ggml.bos_token_id": number(1),
    "tokenizer.ggml.eos_token_id": number(2),
    "tokenizer.ggml.unknown_token_id": number(0),
}
SHAPES: Shapes = {
    "token_embd.weight": (WIDTH, ROWS), "output.weight": (WIDTH, ROWS), "output_norm.weight": (WIDTH,), **block(0),
}  # fmt: skip


def gguf(
    folder: Path, values: dict[str, bytes] | None = None, shapes: Shapes = SHAPES, *, place: int | None = None
) -> Path:
    """Write a LLaMA of float32 weights; the shapes have the fastest dimension first, as in the format."""
    values = VALUES | (values or {})
    head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(values))
    head += b"".join(text(key) + value for key, value in values.items())
    end = 0
    for name, shape in shapes.items():
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, end if place is None else place)
        end += 4 * int(np.prod(shape)) if np.prod(shape) < 10**6 else 0
    weights = np.random.default_rng(0).normal(0, 0.1, end // 4).astype("<f4").tobytes()
    folder.mkdir(exist_ok=True)
    (folder / "a.gguf").write_bytes(head + b"\0" * (-len(head) % 32) + weights)
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path / "cache"))


def refused(folder: Path, *words: str) -> None:
    with pytest.raises(TargetError) as caught:
        HuggingFaceTarget(folder)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "a.gguf" in message
    assert message.isprintable()


def test_a_sound_file_is_loaded_without_a_word(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = gguf(tmp_path / "m")
    about = check_gguf(folder / "a.gguf")
    assert (about.tensors, about.largest) == (len(SHAPES), INNER)
    assert int(HuggingFaceTarget(folder).identity()["parameters"]) == about.elements
    assert capfd.readouterr() == ("", "")


DESCRIBED: dict[str, tuple[dict[str, bytes], str]] = {
    "a million blocks": ({"llama.block_count": number(10**6)}, "says llama.block_count = 1,000,000"),
    "more blocks": ({"llama.block_count": number(3)}, "says llama.block_count = 3, and holds tensors of 1"),
    "a wide model": ({"llama.embedding_length": number(10**9)}, "hidden_size = 1,000,000,000"),
    "a wider model": ({"llama.embedding_length": number(64)}, "is of (31, 64) by its metadata, and of (31, 32)"),
    "a large vocabulary": ({"llama.vocab_size": number(10**9)}, "vocab_size = 1,000,000,000"),
    "more tokens": ({"llama.vocab_size": number(1000)}, "is of (1000, 32) by its metadata"),
    "fewer tokens": ({"llama.vocab_size": number(20)}, "is of (20, 32) by its metadata"),
    "a long context": ({"llama.context_length": number(2**31)}, "max_position_embeddings = 2,147,483,648"),
    "inner sizes": ({"llama.feed_forward_length": number(10**9)}, "intermediate_size = 1,000,000,000"),
    "other inner sizes": ({"llama.feed_forward_length": number(128)}, "describes another model than it holds"),
    "more heads": ({"llama.attention.head_count": number(4)}, "describes another model than it holds"),
    "many heads": ({"llama.attention.head_count": number(10**9)}, "cannot be read"),
    "large heads": ({"llama.rope.dimension_count": number(100_000)}, "announces"),
}


@pytest.mark.parametrize("name", DESCRIBED)
def test_what_is_described_is_what_the_file_holds(tmp_path: Path, name: str) -> None:
    values, message = DESCRIBED[name]
    refused(gguf(tmp_path / "m", values), message)


def test_no_block_is_left_out_and_none_is_random(tmp_path: Path) -> None:
    refused(gguf(tmp_path / "m", shapes=SHAPES | block(1)), "block_count = 1, and holds tensors of 2 blocks")
    less = {name: shape for name, shape in SHAPES.items() if "ffn_down" not in name}
    refused(gguf(tmp_path / "m", shapes=less), "lacks 1 of the model's tensors (model.layers.0.mlp.down_proj.weight)")


def listed_as(kind: int, n: int) -> dict[str, bytes]:
    return {"tokenizer.ggml.scores": struct.pack("<IIQ", ARRAY, kind, n)}


HEADERS: dict[str, tuple[dict[str, Any], str]] = {
    "a list of 2^60 numbers": ({"values": listed_as(F32, 2**60)}, "its lists have 1,152,921,504,606,847,0"),
    "a list beyond the file": ({"values": listed_as(F32, 10**6)}, "its header is longer than the file"),
    "a list of lists": ({"values": listed_as(ARRAY, 1)}, "a list of the type 9"),
    "a long token": ({"values": {"x": listed(TEXT, ["a" * 10_001])}}, "token of 10,001 bytes"),
    "a long name": ({"values": {"x" * 1001: number(1)}}, "1,001 bytes"),
    "an unknown value": ({"values": {"x": struct.pack("<I", 77)}}, "the unknown type 77"),
    "a large tensor": ({"shapes": SHAPES | {"x": (2**40, 2**40)}}, "its tensors take more than its"),
    "tensors that lie on each other": (
        {"shapes": SHAPES | {f"x.{i}": (INNER, 1000) for i in range(3)}, "place": 0},
        "its tensors take more than its",
    ),
    "many dimensions": ({"shapes": SHAPES | {"x": (1,) * 9}}, "9 dimensions"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_says_more_than_the_file_holds_is_refused(tmp_path: Path, name: str) -> None:
    given, message = HEADERS[name]
    path = gguf(tmp_path / "m", **given) / "a.gguf"
    if "place" in given:
        path.write_bytes(path.read_bytes()[:-600_000])
    refused(path.parent, message)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"", "longer than the file"),
        (b"GGML" + b"\0" * 40, "does not begin"),
        (b"GGUF" + struct.pack("<IQQ", 99, 0, 0), "does not begin"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**62, 0), "4,611,686,018,427,387,904 tensors"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**62), "4,611,686,018,427,387,904 values"),
    ],
)
def test_another_beginning_is_refused(tmp_path: Path, head: bytes, message: str) -> None:
    (tmp_path / "a.gguf").write_bytes(head)
    refused(tmp_path, message)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_header_is_an_error_of_the_target_or_is_read(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = gguf(tmp_path_factory.getbasetemp() / "damaged") / "a.gguf"
    content = bytearray(path.read_bytes()[:3000])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    errors: list[TargetError] = []
    try:
        assert check_gguf(path).tensors >= 0
    except TargetError as error:
        errors.append(error)
    assert all(str(error).isprintable() for error in errors)
