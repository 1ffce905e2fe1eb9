"""Text files as they come: UTF-8, UTF-16, UTF-32 or cp1252, plain or gzipped, with any line ends, within bounds."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import os
import re
import tempfile
import zlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from ...core.errors import ContentError
from .. import io as kit_io
from ..io import check_file, shown

MAX_LINE = 10_000_000
HEAD = 2**16
"""Bytes at the beginning of a file that are looked at for a pattern of NUL bytes."""
FEW = 16
"""Characters of UTF-16 without a mark below which half of them have to be Latin."""
CHUNK = 2**20
MARKS = {
    b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16",
    b"\xef\xbb\xbf": "utf-8-sig",
}  # fmt: skip
"""Byte-order marks; the first that fits counts."""
COMPRESSED = {b"(\xb5/\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"PK\3\4": "zip"}
GZIP = b"\x1f\x8b"
_CONTROLS = re.compile(rb"[\0-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
"""Control characters that no text has; white space, form feed and the escape of terminals are left out."""
_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
"""A character of several bytes in UTF-8."""
_UNDEFINED = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_UNUSUAL = re.compile(
    rb"[A-Za-z][\x80\x82-\x84\x86-\x89\x8b\x95\x98\x99\x9b\xa1-\xa9\xab-\xb4\xb6\xb8\xb9\xbb-\xbf\xd7\xf7][A-Za-z]"
    rb"|[a-z][\x8a\x8c\x8e\x9f\xc0-\xd6\xd8-\xde]|[\xa1-\xff]{3}"
    rb"|[\xd0\xdd\xde\xf0\xfd\xfe]"
)
"""What cp1252 hardly has: a symbol between two letters, a capital after a small letter, three accents in a row, and
ð, ý, þ, which are other letters in the code pages of Turkish, Czech, Croatian and Romanian. Icelandic has to be UTF-8.
"""
_HIGH = bytes(range(128, 256))
CENTRAL = bytes(
    byte for byte, *pair in zip(_HIGH, *(_HIGH.decode(page, "replace") for page in ("cp1252", "cp1250")), strict=True)
    if pair[0] != pair[1]
)  # fmt: skip
"""Bytes that are another character in Central European text: ``ñ`` is ``ń`` there, and ``è`` is ``č``."""
MAX_ACCENTED = 0.4
"""Largest share of letters beyond ASCII in text that is taken for cp1252: French has 5%, Cyrillic nearly all."""


class TextFile:
    """One text file. Its encoding is decided over the whole file before anything is read from it.

    Attributes
    ----------
    path : Path
    suffix : str
        In lower case, without ``.gz``.

    Raises
    ------
    ContentError
        For what is missing, too large, compressed in another way, or no text.
    """

    def __init__(self, path: Path) -> None:
        check_file(path)
        self.path = path
        suffixes = [suffix.lower() for suffix in path.suffixes]
        self.suffix = next((suffix for suffix in reversed(suffixes) if suffix != ".gz"), "")

    @cached_property
    def encoding(self) -> str:
        """The codec that reads it: ``utf-8``, ``utf-8-sig``, ``utf-16…``, ``utf-32`` or ``cp1252``."""
        with self._binary() as file:
            return _encoding(file, shown(self.path))

    @property
    def notes(self) -> list[str]:
        """How the file was decoded, where it is not plain UTF-8."""
        if self.encoding in ("utf-8", "utf-8-sig"):
            return []
        if self.encoding != "cp1252":
            return [f"decoded as {self.encoding.upper()}"]
        with self._binary() as file:
            return [f"decoded as cp1252{central_european(file)}"]

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield (number, line) for every line, without its end; LF, CRLF and CR end one."""
        where = shown(self.path)
        number = 0
        try:
            with self._binary() as binary, self._decoded(binary) as text:
                while line := text.readline(MAX_LINE + 1):
                    number += 1
                    if len(line) > MAX_LINE:
                        raise ContentError(f"{where}, line {number}: longer than {MAX_LINE:,} characters")
                    if "\0" in line:
                        place = line.index("\0")
                        raise ContentError(f"{where}, line {number}: a NUL byte at {place}: this is no text")
                    yield number, line.removesuffix("\n")
        except UnicodeError as error:
            raise ContentError(f"{where}, after line {number}: not {self.encoding} ({error})") from None

    def chunks(self) -> Iterator[str]:
        """Yield the text in pieces of about a million characters, its line ends as LF."""
        try:
            with self._binary() as binary, self._decoded(binary) as text:
                while piece := text.read(CHUNK):
                    yield piece
        except UnicodeError as error:
            raise ContentError(f"{shown(self.path)}: not {self.encoding} ({error})") from None

    def text(self) -> str:
        """Return all of it."""
        text = "".join(self.chunks())
        if "\0" in text:
            raise ContentError(f"{shown(self.path)}: a NUL byte at {text.index(chr(0))}: this is no text")
        return text

    def _binary(self) -> IO[bytes]:
        """Open the file; what is gzipped is unpacked to a temporary file first, and no further than the limit."""
        file = None
        try:
            file = self.path.open("rb")
            head = file.read(8)
            file.seek(0)
        except OSError as error:
            if file is not None:
                file.close()
            raise ContentError(f"{shown(self.path)}: cannot be read ({error.strerror or error})") from None
        kind = next((kind for mark, kind in COMPRESSED.items() if head.startswith(mark)), None)
        if kind:
            file.close()
            raise ContentError(f"{shown(self.path)}: compressed ({kind}); unpack it first")
        return _unpacked(file, self.path) if head.startswith(GZIP) else file

    def _decoded(self, binary: IO[bytes]) -> io.TextIOWrapper:
        errors = "surrogatepass" if self.encoding.startswith("utf-") else "strict"
        return io.TextIOWrapper(binary, encoding=self.encoding, errors=errors, newline=None)


def _unpacked(file: IO[bytes], path: Path) -> IO[bytes]:
    whole = tempfile.TemporaryFile()  # noqa: SIM115  the caller closes it
    try:
        with file, gzip.GzipFile(fileobj=file) as packed:
            while piece := packed.read(CHUNK):
                if whole.tell() + len(piece) > kit_io.MAX_FILE:
                    raise ContentError(f"{shown(path)}: unpacked it is larger than {kit_io.MAX_FILE:,} bytes")
                whole.write(piece)
    except (OSError, EOFError, zlib.error) as error:
        whole.close()
        raise ContentError(f"{shown(path)}: cannot be unpacked ({error})") from None
    except ContentError:
        whole.close()
        raise
    whole.seek(0)
    return whole


def _encoding(file: IO[bytes], where: str) -> str:
    head = file.read(HEAD)
    if marked := next((codec for mark, codec in MARKS.items() if head.startswith(mark)), None):
        if marked != "utf-8-sig":
            return marked
    elif b"\0" in head:
        if (wide := _wide(head)) is None:
            raise ContentError(f"{where}: a NUL byte at {head.index(0)}: this is no text")
        return wide
    file.seek(0)
    if (bad := _not_utf8(file)) is None:
        return marked or "utf-8"
    file.seek(0)
    if _is_cp1252(file):
        return "cp1252"
    place, byte = bad
    file.seek(0)
    before = file.read(place)
    line, column = before.count(b"\n") + 1, place - before.rfind(b"\n") - 1
    raise ContentError(f"{where}, line {line}: byte 0x{byte:02x} at {column} is not UTF-8; save the file as UTF-8")


def text_encoding(head: bytes, *, cut: bool) -> str | None:
    """Return the encoding of a file that is text as far as its first bytes say, or None.

    Parameters
    ----------
    head : bytes
        The first bytes of the file.
    cut : bool
        Whether the file goes on: its last character may then be cut.
    """
    try:
        codec = _encoding(io.BytesIO(_whole_characters(head) if cut else head), "")
        text = codecs.getincrementaldecoder(codec)("strict").decode(head, final=not cut)
    except (ContentError, UnicodeError):
        return None
    return None if _has_controls(text) else codec.removesuffix("-sig").upper().replace("CP", "cp")


def _whole_characters(head: bytes) -> bytes:
    """Cut a UTF-8 character that goes on beyond the end."""
    for back in range(1, min(4, len(head)) + 1):
        if head[-back] >= 0xC0:
            return head[:-back]
        if head[-back] < 0x80:
            break
    return head


def _wide(head: bytes) -> str | None:
    """Return which UTF-16 text without a mark is: NUL bytes on one side of the pairs alone, and many of them."""
    head = head[: len(head) // 2 * 2]
    first, second = head[::2].count(0), head[1::2].count(0)
    others = any(byte >= 0x80 or (0 < byte < 0x20 and byte not in b"\t\n\r\f") for byte in head)
    least = 1 / 8 if others and len(head) >= 2 * FEW else 1
    if min(first, second) or 2 * max(first, second) < len(head) // 2 * least:
        return None
    codec = "utf-16-be" if first else "utf-16-le"
    try:
        text = codecs.getincrementaldecoder(codec)("strict").decode(head, final=False)
    except UnicodeError:
        return None
    return None if _has_controls(text) else codec


def _has_controls(text: str) -> bool:
    return _CONTROLS.search(text.encode("utf-8", "surrogatepass")) is not None


def _not_utf8(file: IO[bytes]) -> tuple[int, int] | None:
    """Return place and value of the first byte that is not UTF-8; half of a surrogate pair is let through."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogatepass")
    done = 0
    while True:
        piece = file.read(CHUNK)
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            return done - pending + error.start, error.object[error.start]
        if not piece:
            return None
        done += len(piece)


def _is_cp1252(file: IO[bytes]) -> bool:
    """Whether 8-bit text is that of Western Europe: accents are few, and no byte says that it is something else."""
    letters = high = sequences = strange = 0
    hungarian: set[int] = set()
    ascii_letters = bytes(range(65, 91)) + bytes(range(97, 123))
    while piece := file.read(CHUNK):
        if _UNDEFINED.search(piece) or _CONTROLS.search(piece):
            return False
        letters += len(piece) - len(piece.translate(None, ascii_letters))
        high += len(piece) - len(piece.translate(None, bytes(range(128, 256))))
        sequences += len(_SEQUENCE.findall(piece))
        strange += len(_UNUSUAL.findall(piece))
        hungarian |= {0xF5, 0xFB} & set(piece)  # õ and û, which no Western language has both
    if len(hungarian) == 2:
        return False
    return high <= MAX_ACCENTED * (letters + high) and 20 * sequences <= high and 100 * strange <= high


def central_european(file: IO[bytes]) -> str:
    r"""Return how many characters of a cp1252 file would be others in cp1250, as part of a sentence; "" for none.

    The two code pages cannot be told apart by a few accents: ``Gda\xf1sk`` may be meant with ``ñ`` or ``ń``.
    """
    n = 0
    while piece := file.read(CHUNK):
        n += len(piece) - len(piece.translate(None, CENTRAL))
    return f" ({n:,} {'character' if n == 1 else 'characters'} would be read differently as cp1250)" if n else ""


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; readers differ in which of two values of one key they take.

    Raises
    ------
    ContentError
        For a key that stands twice, with different values.
    """
    value = dict(pairs)
    if len(value) < len(pairs):
        for key, other in pairs:
            if value[key] != other:
                raise ContentError(f"the key {shown(repr(key))} stands twice in one object, with different values")
    return value


def parse_json(text: str, where: str) -> Any:
    """Return a JSON value.

    Raises
    ------
    ContentError
        Where it is none, nested too deeply, or an object has two values for one key.
    """
    try:
        return json.loads(text, object_pairs_hook=unique_keys)
    except ContentError as error:
        raise ContentError(f"{where}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise ContentError(f"{where}: not JSON ({getattr(error, 'msg', None) or 'nested too deeply'})") from None


def read_jsonl(path: str | os.PathLike[str]) -> Iterator[tuple[int, Any]]:
    """Yield (line number, value) for each line of a JSONL file that is not blank, one line in memory at a time.

    Raises
    ------
    ContentError
        With file and line, for a line that is not JSON or longer than `MAX_LINE`; for a file that is no text.
    """
    for number, line in TextFile(Path(path)).lines():
        if line.strip():
            yield number, parse_json(line, f"{shown(path)}, line {number}")
