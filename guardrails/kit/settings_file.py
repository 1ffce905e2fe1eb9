"""Reads a small file of settings that a stranger may have written, TOML or JSON: bounded before and after parsing."""

from __future__ import annotations

import json
import os
import re
import stat
import tomllib
from typing import Any

from ..core.errors import ContentError
from .io import shown

MAX_BYTES = 1_000_000
MAX_DEPTH, MAX_NAME, MAX_PARTS = 50, 1000, 32
"""Levels of nesting, characters of one name, and parts of one dotted name in TOML."""
TOML_BITS, JSON_BITS = 64, 128
"""Size of integers: TOML promises 64 bits; tokenizers write 10^30 for "no limit" into JSON."""

# The time of tomllib is quadratic in the parts of a dotted name: 50,000 take a minute.
_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
_MANY_PARTS = re.compile(rf"(?<![A-Za-z0-9_-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{MAX_PARTS}}}")


def read_bounded(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the bytes of a regular file; a pipe, device or socket is refused and never waited for.

    Raises
    ------
    ContentError
        Where it is missing, no regular file, cannot be read, or is larger than `max_bytes`.
    """
    where = shown(path)
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
        why = getattr(error, "strerror", None) or error
        raise ContentError(f"{where} cannot be read: {why}") from None
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise ContentError(f"{where} is no regular file")
        with open(number, "rb", closefd=False) as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise ContentError(f"{where} cannot be read: {error.strerror}") from None
    finally:
        os.close(number)
    if len(content) > max_bytes:
        raise ContentError(f"{where} is larger than {max_bytes // 1000:,} kB")
    return content


def parse_toml(content: bytes, where: str) -> dict[str, Any]:
    """Return the values of a TOML file.

    Parameters
    ----------
    content : bytes
        From `read_bounded`.
    where : str
        What messages call the file.

    Raises
    ------
    ContentError
        Where it is no TOML, nested more than `MAX_DEPTH` deep, or holds a name or an integer beyond the bounds.
    """
    try:
        text = content.decode("utf-8-sig")
        if _MANY_PARTS.search(text):
            raise ContentError(f"{where} holds a name of more than {MAX_PARTS} parts")
        values = tomllib.loads(text)
    except RecursionError:
        raise ContentError(f"{where} is not TOML: nested too deeply") from None
    except ValueError as error:
        raise ContentError(f"{where} is not TOML: {_short(error)}") from None
    _check(values, where, TOML_BITS, MAX_NAME)
    return values


def parse_json(content: bytes, where: str, *, max_name: int = MAX_NAME) -> Any:
    """Return the value of a JSON file, bounded as in `parse_toml`. Errors as there."""
    try:
        value = json.loads(content)
    except RecursionError:
        raise ContentError(f"{where} is not JSON: nested too deeply") from None
    except ValueError as error:
        raise ContentError(f"{where} is not JSON: {_short(error)}") from None
    _check(value, where, JSON_BITS, max_name)
    return value


def _check(value: Any, where: str, bits: int, max_name: int) -> None:
    """Raise ContentError for what later code could not print, copy or walk."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        for part in level:
            if isinstance(part, int) and part.bit_length() >= bits:
                raise ContentError(f"{where} holds an integer of {part.bit_length():,} bits; at most {bits} are read")
            if isinstance(part, dict) and (longest := max(map(len, part), default=0)) > max_name:
                raise ContentError(f"{where} holds a name of {longest:,} characters; at most {max_name:,} are read")
        level = [inner for part in level for inner in _inner(part)]
        if not level:
            return
    raise ContentError(f"{where} is nested more than {MAX_DEPTH} deep")


def _inner(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _short(error: ValueError) -> str:
    return str(error).replace("\n", " ")[:200]
