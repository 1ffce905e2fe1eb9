"""WinoMT: sentences with a person of known gender, and files of their translations.

The format of the benchmark is one row per line: the gender (``male``, ``female`` or ``neutral``), the number of the
word that names the person, the sentence, the profession, with tabs between them.

G. Stanovsky, N. A. Smith, L. Zettlemoyer, "Evaluating Gender Bias in Machine Translation", ACL 2019.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from ...core.errors import ConfigurationError
from ..grammatical_gender.cases import Case, without_gender

MOST_BYTES = 64 << 20
MOST_ROWS = 20_000
LONGEST = 1000
"""Characters of a sentence and of a translation."""


def read_cases(path: Path) -> tuple[Case, ...]:
    """Return the sentences of a file in WinoMT's format.

    Raises
    ------
    ConfigurationError
        For a file that cannot be read, or a row of another form, with its number.
    """
    return _cases(path, _version(path))


@lru_cache(maxsize=4)
def _cases(path: Path, version: object) -> tuple[Case, ...]:
    out = []
    for number, line in _lines(path):
        cells = line.split("\t")
        if len(cells) != 4 or cells[0] not in ("male", "female", "neutral") or not cells[1].isdecimal():
            raise ConfigurationError(
                f"{path}, line {number}: a row is gender (male, female, neutral), number of a word, sentence and "
                "profession, with tabs between them"
            )
        gender, near, sentence, profession = (cell.strip() for cell in cells)
        if int(near) >= len(sentence.split()):
            raise ConfigurationError(f"{path}, line {number}: the sentence has no word number {near}")
        name = " ".join(profession.split()).removeprefix("the ").removeprefix("an ").removeprefix("a ")
        out.append(Case(sentence, name, gender, f"{without_gender(sentence)} {name}", int(near)))
    if not out:
        raise ConfigurationError(f"{path}: the file holds no row")
    return tuple(out)


def read_translations(path: Path) -> Mapping[str, Sequence[str]]:
    """Return the translations of each sentence of a file, in its order.

    Each line is ``sentence ||| translation``, or both with a tab between them, or a JSON object with ``sentence`` (or
    ``source``) and ``translation`` (or ``target``). Sentences are compared without their spaces and case.

    Raises
    ------
    ConfigurationError
        For a file that cannot be read, or a line of another form.
    """
    return _translations(path, _version(path))


@lru_cache(maxsize=4)
def _translations(path: Path, version: object) -> Mapping[str, Sequence[str]]:
    out: dict[str, list[str]] = {}
    for number, line in _lines(path):
        pair = _pair(line)
        if pair is None or not pair[0].strip():
            raise ConfigurationError(
                f"{path}, line {number}: a line is 'sentence ||| translation', both with a tab between them, or a JSON "
                "object with 'sentence' and 'translation'"
            )
        sentence, translation = key(pair[0]), pair[1].strip()
        if max(map(len, pair)) > LONGEST:
            raise ConfigurationError(f"{path}, line {number}: more than {LONGEST} characters")
        out.setdefault(sentence, []).append(translation)
    if not out:
        raise ConfigurationError(f"{path}: the file holds no translation")
    return out


def matched(cases: Sequence[Case], translations: Mapping[str, Sequence[str]]) -> list[str | None]:
    """Return the translation of each case: of a sentence that comes more than once, the first, the second and so on.

    None where the file has no translation of a sentence.
    """
    times: Counter[str] = Counter()
    out: list[str | None] = []
    for case in cases:
        sentence = key(case.sentence)
        stored = translations.get(sentence)
        out.append(stored[min(times[sentence], len(stored) - 1)] if stored else None)
        times[sentence] += 1
    return out


def key(sentence: str) -> str:
    """Return a sentence in the form in which sentences are compared."""
    return "".join(sentence.lower().split())


def _pair(line: str) -> tuple[str, str] | None:
    if line.lstrip().startswith("{"):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            return None
        cells = [record.get("sentence", record.get("source")), record.get("translation", record.get("target"))]
        return (cells[0], cells[1]) if all(isinstance(cell, str) for cell in cells) else None
    cells = line.split("|||") if "|||" in line else line.split("\t")
    return (cells[0], cells[1]) if len(cells) == 2 else None


def _version(path: Path) -> object:
    """Return what changes where a file does, so that one that is read for every batch is parsed once."""
    try:
        state = path.stat()
    except OSError as error:
        raise ConfigurationError(f"{path}: the file cannot be read ({error.strerror})") from None
    return state.st_mtime_ns, state.st_size


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that hold anything, with their numbers from 1."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{path}: the file cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: the file is not UTF-8; save it as UTF-8") from None
    lines = text.split("\n")
    if len(data) > MOST_BYTES or len(lines) > MOST_ROWS + 1:
        raise ConfigurationError(f"{path}: at most {MOST_ROWS:,} rows and {MOST_BYTES >> 20} MiB are read")
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield number, line.rstrip("\r")
