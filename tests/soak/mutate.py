"""Damaged copies of a file: as a disk, a broken program or an attacker with a hex editor would leave it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

MOST_BYTES = 1 << 22
EXTREMES = (0, 1, 127, 128, 254, 255)
NUMBERS = (b"-1", b"0", b"1e999", b"NaN", b"99999999999999999999999", b"2147483648", b"-9223372036854775809", b"null")
WORDS = (
    b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\\ud800", b"\x1b[2J", b"{" * 3000, b"[" * 100_000, b'{"a":' * 2000, b'"',
    b",", b"\n", b"\r", b"\t", b"../../etc/passwd", b"<script>", b"'''", b"\xf0\x9f\x98\x80" * 300,
)  # fmt: skip
Change = Callable[[bytearray, Sequence[bytes], Random], bytes]


def mutated(data: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    """Return a damaged copy of some bytes: one to three changes, mostly near the beginning.

    Parameters
    ----------
    data : bytes
    others : sequence of bytes
        Files that a part may be taken from.
    rng : Random
    """
    for _ in range(rng.choice((1, 1, 2, 3))):
        data = rng.choice(CHANGES)(bytearray(data or b"\0"), others, rng)[:MOST_BYTES]
    return data


def _place(data: bytearray, rng: Random) -> int:
    return rng.randrange(min(len(data), 300) if rng.random() < 0.6 else len(data))


def _flip(data: bytearray, _: Sequence[bytes], rng: Random) -> bytes:
    for _ in range(rng.randint(1, 8)):
        data[_place(data, rng)] ^= 1 << rng.randrange(8)
    return bytes(data)


def _extreme(data: bytearray, _: Sequence[bytes], rng: Random) -> bytes:
    at = _place(data, rng)
    width = rng.choice((1, 2, 4, 8))
    data[at : at + width] = bytes([rng.choice(EXTREMES)]) * width
    return bytes(data)


def _cut(data: bytearray, _: Sequence[bytes], rng: Random) -> bytes:
    return bytes(data[: rng.randrange(len(data))])


def _remove(data: bytearray, _: Sequence[bytes], rng: Random) -> bytes:
    at = _place(data, rng)
    del data[at : at + rng.choice((1, 4, 64, 1000))]
    return bytes(data)


def _repeat(data: bytearray, _: Sequence[bytes], rng: Random) -> bytes:
    at = _place(data, rng)
    part = data[at : at + rng.choice((1, 16, 256))]
    return bytes(data[:at] + part * rng.choice((2, 50, 3000)) + data[at:])


def _splice(data: bytearray, others: Sequence[bytes], rng: Random) -> bytes:
    other = rng.choice(others) or b"\0"
    return bytes(data[: _place(data, rng)]) + other[rng.randrange(len(other)) :]


def _insert(data: bytearray, _: Sequence[bytes], rng: Random) -> bytes:
    at = _place(data, rng)
    return bytes(data[:at]) + rng.choice((*WORDS, rng.randbytes(40))) + bytes(data[at:])


def _number(data: bytearray, _: Sequence[bytes], rng: Random) -> bytes:
    """Replace a number that is written out; where there is none, set four bytes."""
    written = list(re.finditer(rb"-?\d+(\.\d+)?", bytes(data[:100_000])))
    if not written:
        return _extreme(data, _, rng)
    match = rng.choice(written)
    return bytes(data[: match.start()]) + rng.choice(NUMBERS) + bytes(data[match.end() :])


CHANGES: tuple[Change, ...] = (_flip, _extreme, _cut, _remove, _repeat, _splice, _insert, _number)
