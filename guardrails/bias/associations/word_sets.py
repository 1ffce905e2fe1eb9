"""Sets of words or sentences for association tests: the built-in ones, and files in the format of SEAT.

A file is one JSON object, or a folder of such files (``.json``, ``.jsonl``), with four sets under ``targ1``, ``targ2``,
``attr1`` and ``attr2``, each ``{"category": …, "examples": [text, …]}``.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...core.errors import ConfigurationError

KEYS = ("targ1", "targ2", "attr1", "attr2")
LARGEST_FILE = 4 << 20
MOST_FILES, MOST_EXAMPLES, LONGEST = 100, 1000, 500


@dataclass(frozen=True)
class WordSets:
    """One association test.

    Attributes
    ----------
    name : str
    construct : str
        What is asked, in words.
    x, y, a, b : tuple of str
        Two sets of targets of one size, and two of attributes.
    """

    name: str
    construct: str
    x: tuple[str, ...]
    y: tuple[str, ...]
    a: tuple[str, ...]
    b: tuple[str, ...]


@cache
def built_in() -> tuple[WordSets, ...]:
    """Return the tests that were written for this library."""
    data = tomllib.loads((Path(__file__).parent / "word_sets.toml").read_text(encoding="utf-8"))
    return tuple(
        WordSets(t["name"], t["construct"], *(tuple(t[side]) for side in ("x", "y", "a", "b"))) for t in data["test"]
    )


def load_word_sets(path: Path) -> tuple[WordSets, ...]:
    """Return the tests of a file or folder.

    Targets of different size are cut to the smaller size, as published tests were.

    Raises
    ------
    ConfigurationError
        For a path that holds no test, and a file that is not of this format; with its name.
    """
    files = sorted(p for p in path.iterdir() if p.suffix in (".json", ".jsonl")) if path.is_dir() else [path]
    if not files:
        raise ConfigurationError(f"{path}: no .json or .jsonl file with word sets")
    if len(files) > MOST_FILES:
        raise ConfigurationError(f"{path}: {len(files)} files; at most {MOST_FILES} are read")
    return tuple(test for file in files for test in _of_file(file))


def _of_file(file: Path) -> Iterator[WordSets]:
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise ConfigurationError(f"{file}: larger than {LARGEST_FILE >> 20} MiB")
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise ConfigurationError(f"{file}: not one JSON object in UTF-8") from None
    if not isinstance(document, dict):
        raise ConfigurationError(f"{file}: not one JSON object with {', '.join(KEYS)}")
    sets = {key: _examples(document.get(key), key, file) for key in KEYS}
    size = min(len(sets["targ1"]), len(sets["targ2"]))
    names = [str(document[key].get("category", key))[:60] for key in KEYS]
    construct = f"{names[0]} with {names[2]}, {names[1]} with {names[3]}"
    yield WordSets(file.stem, construct, sets["targ1"][:size], sets["targ2"][:size], sets["attr1"], sets["attr2"])


def _examples(value: Any, key: str, file: Path) -> tuple[str, ...]:
    texts = value.get("examples") if isinstance(value, dict) else None
    if not isinstance(texts, list) or not all(isinstance(t, str) and 0 < len(t) <= LONGEST for t in texts):
        raise ConfigurationError(f"{file}: '{key}' has no list of texts under 'examples'")
    unique = tuple(dict.fromkeys(texts))
    if not 2 <= len(unique) <= MOST_EXAMPLES:
        raise ConfigurationError(f"{file}: '{key}' has {len(unique)} different texts; 2 to {MOST_EXAMPLES} are needed")
    return unique
