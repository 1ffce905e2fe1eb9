"""Ask an ONNX file for tensors inside its graph: its list of outputs is replaced, the rest kept byte for byte.

A file is a protocol buffer, a row of fields each with a number: field 7 of a model is its graph, field 12 of a graph
one of its outputs (onnx.proto3). So nothing needs to be parsed beyond these two levels, and the `onnx` package is not
needed. onnxruntime then leaves out every node that no output needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

GRAPH, OUTPUT = 7, 12
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types."""
FLOAT = b"\x0a\x02\x08\x01"
"""A TypeProto of tensors of float32 whose shape is not stated."""


def with_outputs(model: bytes, names: Sequence[str]) -> bytes:
    """Return a serialised model whose outputs are these float tensors of its graph, in this order.

    Raises
    ------
    ValueError
        For bytes that are no protocol buffer with a graph. Whether the tensors exist is for onnxruntime to say.
    """
    outputs = b"".join(_field(OUTPUT, _field(1, name.encode()) + _field(2, FLOAT)) for name in names)
    parts: list[memoryview | bytes] = []
    for number, content, whole in _fields(memoryview(model)):
        if number != GRAPH:
            parts.append(whole)
            continue
        kept = b"".join(inner for field, _, inner in _fields(content) if field != OUTPUT)
        parts.append(_field(GRAPH, kept + outputs))
    if not any(isinstance(part, bytes) for part in parts):
        raise ValueError("no graph in it")
    return b"".join(parts)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | BYTES) + _varint(len(content)) + content


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Yield the number, the content and the whole of every field."""
    at = 0
    while at < len(message):
        start = at
        key, at = _read_varint(message, at)
        if key & 7 == VARINT:
            length = _read_varint(message, at)[1] - at
        elif key & 7 == BYTES:
            length, at = _read_varint(message, at)
        elif key & 7 in (FIXED64, FIXED32):
            length = 8 if key & 7 == FIXED64 else 4
        else:
            raise ValueError(f"a field of the unknown wire type {key & 7}")
        if at + length > len(message):
            raise ValueError("cut short")
        yield key >> 3, message[at : at + length], message[start : at + length]
        at += length


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return a number, seven bits a byte and the lowest first, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("cut short")
        value |= (message[at] & 127) << shift
        at += 1
        if message[at - 1] < 128:
            return value, at
    raise ValueError("a number of more than ten bytes")
