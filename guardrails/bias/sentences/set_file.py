"""One TOML file of a sentence set: bounded, checked, and with the line in each message."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ...core.errors import ContentError
from ...kit.io import shown
from ...kit.settings_file import parse_toml, read_bounded
from .items import GROUPS, Construct

FOLDER = Path(__file__).parent
MAX_TEXT, MAX_TEXTS, MAX_ITEMS = 2000, 100, 100_000
"""Characters of one text, texts of one list, items of one file. A stranger may have written the file."""


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


I = TypeVar("I", bound=_Identified)  # noqa: E741


class SetFile:
    """A file of templates.

    Parameters
    ----------
    path : Path
        The file.
    language : str, optional
        The language that the file must name.

    Raises
    ------
    ContentError
        Where it cannot be read, is no TOML, or names another language.
    """

    def __init__(self, path: Path, language: str | None = None) -> None:
        self.where = shown(path)
        content = read_bounded(path)
        self.values = parse_toml(content, self.where)
        self.text = content.decode("utf-8-sig")
        self.language = language or ""
        if language is not None and self.values.get("language") != language:
            raise self.error(f"the language must be '{language}'", "language")

    def error(self, message: str, near: str = "", start: int = 0) -> ContentError:
        """Return an error that names the line on which `near` first stands at or after the position `start`."""
        position = self.text.find(near, start) if near else start
        line = self.text.count("\n", 0, max(position, start)) + 1
        return ContentError(f"{self.where}, line {line}: {message}")

    def word(self, key: str) -> str:
        """Return a text at the top of the file."""
        value = self.values.get(key)
        if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT:
            raise self.error(f"'{key}' must be a text", f"{key} ")
        return value

    def table(self, key: str) -> dict[str, Any]:
        """Return a table at the top of the file."""
        value = self.values.get(key)
        if not isinstance(value, dict) or not value:
            raise self.error(f"the table [{key}] is missing")
        return value

    def names(self) -> dict[str, list[str]]:
        """Return the names of people by the group that they stand for; a source is needed."""
        table = self.values.get("names")
        if table is None:
            return {}
        groups = table.get("groups") if isinstance(table, dict) else None
        source = table.get("source") if isinstance(table, dict) else None
        if not isinstance(groups, dict) or not isinstance(source, str) or not source.strip():
            raise self.error("names need a source, and groups", "[names")
        for who, names in groups.items():
            if not isinstance(names, list) or not names or not all(isinstance(n, str) and n for n in names):
                raise self.error(f"'{shown(who)}' must be a list of names", who)
        return groups

    def tables(self, key: str, needed: set[str], optional: set[str]) -> Iterator[Table]:
        """Yield the tables ``[[key]]``; each has the keys `needed` and at most the `optional` ones besides."""
        tables = self.values.get(key)
        if not isinstance(tables, list) or not tables or not all(isinstance(t, dict) for t in tables):
            raise self.error(f"no table [[{key}]]")
        headers = [match.start() for match in re.finditer(rf"(?m)^[ \t]*\[\[[ \t]*{key}[ \t]*\]\]", self.text)]
        for number, values in enumerate(tables):
            table = Table(self, values, headers[number] if len(headers) == len(tables) else 0)
            if missing := sorted(needed - set(values)):
                raise table.error(f"'{missing[0]}' is missing")
            if unknown := sorted(set(values) - needed - optional):
                known = ", ".join(sorted(needed | optional))
                raise table.error(f"no key '{shown(unknown[0])}'; known: {known}", unknown[0])
            yield table

    def unique(self, items: list[I]) -> tuple[I, ...]:
        """Return the items, whose ids must all differ: each construct has one table, and each text stands once."""
        seen: set[str] = set()
        for item in items:
            if item.id in seen:
                raise self.error(f"two items have the id '{item.id}': each construct needs one table only")
            seen.add(item.id)
        return tuple(items)


class Table:
    """One table ``[[…]]`` of a file, from the position `start` of its header on."""

    def __init__(self, file: SetFile, values: dict[str, Any], start: int) -> None:
        self.file, self.values, self.start = file, values, start

    @property
    def language(self) -> str:
        """Return the language of the file."""
        return self.file.language

    @property
    def construct(self) -> Construct:
        """Return what the table measures."""
        name = self.text("construct")
        if name not in constructs():
            raise self.error(f"no construct '{shown(name)}' in constructs.toml", name)
        return constructs()[name]

    def error(self, message: str, near: str = "") -> ContentError:
        """Return an error that names a line of this table."""
        return self.file.error(message, near, self.start)

    def check_number(self, items: int) -> None:
        """Raise ContentError if the file gives more than `MAX_ITEMS` items up to the end of this table."""
        if items > MAX_ITEMS:
            raise self.error(f"the file gives more than {MAX_ITEMS:,} items")

    def text(self, key: str) -> str:
        """Return a text of the table."""
        value = self.values[key]
        if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT:
            raise self.error(f"'{key}' must be a text of at most {MAX_TEXT:,} characters", key)
        return value

    def texts(self, key: str) -> list[str]:
        """Return a list of different texts; an absent list is empty."""
        values = self.values.get(key, [])
        if not isinstance(values, list) or len(values) > MAX_TEXTS:
            raise self.error(f"'{key}' must be a list of at most {MAX_TEXTS} texts", key)
        for k, value in enumerate(values):
            if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT:
                raise self.error(f"'{key}' must hold texts of at most {MAX_TEXT:,} characters", key)
            if value in values[:k]:
                raise self.error(f"'{shown(value)}' stands twice", value)
        return values

    def text_pairs(self, key: str) -> list[tuple[str, str]]:
        """Return a list of pairs of different texts."""
        pairs = self.values[key]
        if not isinstance(pairs, list) or not pairs or len(pairs) > MAX_TEXTS:
            raise self.error(f"'{key}' must be a list of pairs of texts", key)
        for pair in pairs:
            two = isinstance(pair, list) and len(pair) == 2 and all(isinstance(t, str) and t.strip() for t in pair)
            if not two or pair[0] == pair[1] or max(map(len, pair)) > MAX_TEXT:
                raise self.error(f"'{key}' must be a list of pairs of two different texts", key)
        return [(first, second) for first, second in pairs]


@cache
def constructs() -> dict[str, Construct]:
    """Return the constructs of all sets, by id."""
    file = SetFile(FOLDER / "constructs.toml")
    keys = {"group", "measures", "source", "limits"}
    for name, entry in file.values.items():
        if not isinstance(entry, dict) or set(entry) != keys or not all(isinstance(v, str) for v in entry.values()):
            raise file.error(f"the construct '{shown(name)}' needs the texts {', '.join(sorted(keys))}", f"[{name}]")
        if entry["group"] not in (*GROUPS, "any"):
            raise file.error(f"no group '{shown(entry['group'])}'; known: {', '.join(GROUPS)}, any", f"[{name}]")
    return {name: Construct(id=name, **entry) for name, entry in file.values.items()}
