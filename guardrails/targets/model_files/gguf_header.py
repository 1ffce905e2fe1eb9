"""What the header of a GGUF file says that it holds, bounded before any other code reads it."""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ...core.errors import ContentError, TargetError
from ...kit.io import MAX_STREAMED, open_file, shown
from .weights import MAX_HEADER, Weights, stamp_of

MAGIC, VERSIONS = b"GGUF", (2, 3)
TEXT, ARRAY = 8, 9
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""Types of values, as the format numbers them, in the letters of `struct`."""
MAX_NAME, MAX_DIMENSIONS, MAX_TENSORS = 1000, 4, 100_000
MAX_PART, MAX_PARTS = 10_000, 2_000_000
"""Bytes of one text of a list, as a token, and parts of all lists: what reads them takes 1.4 kB for each."""
BLOCK = re.compile(r"blk\.(\d{1,9})\.")


def check_gguf(path: Path) -> Weights:
    """Read the header of a GGUF file and return what its tensors are.

    Raises
    ------
    TargetError
        For a file that is damaged or no GGUF, that says more than it holds, or whose number of blocks is not that of
        its tensors.
    MissingExtraError
        Where the package that knows the types of tensors is absent.
    """
    try:
        with open_file(path, max_bytes=MAX_STREAMED) as file:
            header = _Header(file, path.stat().st_size)
            values, shapes = header.read()
    except (ContentError, OSError, struct.error, UnicodeDecodeError) as error:
        raise TargetError(f"the GGUF file cannot be read ({error})") from None
    blocks = 1 + max((int(m[1]) for key in shapes if (m := BLOCK.match(key))), default=-1)
    for key, value in values.items():
        if key.endswith(".block_count") and blocks and value != blocks:
            raise TargetError(f"it says {shown(key)[:50]} = {value:,}, and holds tensors of {blocks:,} blocks")
    sizes = [math.prod(shape) for shape in shapes.values()]
    largest = max((n for shape in shapes.values() for n in shape), default=0)
    return Weights(path, stamp_of(path), len(shapes), sum(sizes), largest)


@dataclass
class _Header:
    """Reads a header from its first byte to its last.

    Attributes
    ----------
    file : binary file
        At its beginning.
    size : int
        Of the whole file, in bytes.
    parts : int
        Of the lists read so far.
    """

    file: BinaryIO
    size: int
    parts: int = 0

    def read(self) -> tuple[dict[str, int], dict[str, tuple[int, ...]]]:
        """Return the integers of the file's values, and the shape of each tensor."""
        from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

        if self.bytes(len(MAGIC)) != MAGIC or self.number("I") not in VERSIONS:
            raise ContentError(f"it does not begin as one of version {' or '.join(map(str, VERSIONS))}")
        tensors, n_values = self.number("Q"), self.number("Q")
        if max(tensors, n_values) > MAX_TENSORS:
            raise ContentError(f"it says {tensors:,} tensors and {n_values:,} values; at most {MAX_TENSORS:,} are read")
        values: dict[str, int] = {}
        for _ in range(n_values):
            key = self.text(MAX_NAME)
            if (value := self.value(self.number("I"))) is not None:
                values[key] = value
        shapes: dict[str, tuple[int, ...]] = {}
        bytes_of_weights = 0
        for _ in range(tensors):
            name = self.text(MAX_NAME)
            if (dimensions := self.number("I")) > MAX_DIMENSIONS:
                raise ContentError(f"it has a tensor of {dimensions:,} dimensions")
            shape = tuple(self.number("Q") for _ in range(dimensions))
            try:
                block, taken = GGML_QUANT_SIZES[GGMLQuantizationType(self.number("I"))]
            except (ValueError, KeyError):
                raise ContentError("it has a tensor of an unknown type") from None
            size = math.prod(shape) // block * taken
            bytes_of_weights += size
            if max(self.number("Q") + size, bytes_of_weights) > self.size:
                raise ContentError(f"its tensors take more than its {self.size:,} bytes")
            shapes[name] = shape
        return values, shapes

    def value(self, kind: int) -> int | None:
        """Read a value; return it where it is an integer."""
        if kind == TEXT:
            self.bytes(self.number("Q"))
        elif kind == ARRAY:
            self.skip_list()
        elif kind in NUMBERS:
            value = self.number(NUMBERS[kind])
            return value if type(value) is int else None
        else:
            raise ContentError(f"it has a value of the unknown type {kind}")
        return None

    def skip_list(self) -> None:
        kind, n = self.number("I"), self.number("Q")
        self.parts += n
        if self.parts > MAX_PARTS:
            raise ContentError(f"its lists have {self.parts:,} parts; at most {MAX_PARTS:,} are read")
        if kind == TEXT:
            for _ in range(n):
                self.text(MAX_PART)
        elif kind in NUMBERS:
            self.bytes(n * struct.calcsize(f"<{NUMBERS[kind]}"))
        else:
            raise ContentError(f"it has a list of the type {kind}, which is not read")

    def number(self, letter: str) -> int:
        """Read a number of a type of `struct`; a float or a bool is returned as such."""
        (value,) = struct.unpack(f"<{letter}", self.bytes(struct.calcsize(f"<{letter}")))
        return value  # type: ignore[no-any-return]

    def text(self, limit: int) -> str:
        if (length := self.number("Q")) > limit:
            raise ContentError(f"it has a name or token of {length:,} bytes; at most {limit:,} are read")
        return self.bytes(length).decode("utf-8")

    def bytes(self, n: int) -> bytes:
        if self.file.tell() + n > min(self.size, MAX_HEADER):
            raise ContentError("its header is longer than the file, or than is read")
        return self.file.read(n)
