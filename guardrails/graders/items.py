"""The items of a file: what is graded, and the true labels where it has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..core.errors import ConfigurationError, ContentError
from ..core.grading import Exchange, Gradable
from ..kit.io import shown
from ..kit.text.record_shapes import Record, at_path
from ..kit.text.records import RECORD_SUFFIXES, records_of

SHOWN = 8


def read_items(path: Path, text_field: str, prompt_field: str | None = None) -> list[Gradable]:
    """Return the items of a file of records: JSON Lines, JSON, CSV or Parquet.

    Dots in the name of a field lead into nested ones. With `prompt_field`, what was asked, each item is an `Exchange`.

    Raises
    ------
    ContentError
        For a file that cannot be read, holds nothing, or a record whose field is no text.
    """
    items: list[Gradable] = []
    for record in _records(path):
        text = _string(record, text_field, "--text-field")
        items.append(text if prompt_field is None else Exchange(_string(record, prompt_field, "--prompt-field"), text))
    if not items:
        raise ContentError(f"{shown(path)}: it holds no records")
    return items


def read_labels(path: Path, field: str, labels: tuple[str, ...], names: Mapping[str, str]) -> list[str]:
    """Return the true label of every record.

    True, false and numbers are read as they are written. `names` maps what stands in the file to one of the grader's
    `labels`, where that is not the label itself.

    Raises
    ------
    ConfigurationError
        Where a value is no label.
    ContentError
        For a record without a value.
    """
    values = [_value(record, field) for record in _records(path)]
    truth = [names.get(value, value) for value in values]
    if unknown := list(dict.fromkeys(value for value, label in zip(values, truth, strict=True) if label not in labels)):
        some = ", ".join(f"'{shown(value[:50])}'" for value in unknown[:SHOWN])
        raise ConfigurationError(
            f"{shown(path)}: the field '{shown(field)}' holds {some}; the grader's labels are {', '.join(labels)}; say "
            f"which is which: --map VALUE=LABEL for each"
        )
    return truth


def _records(path: Path) -> Iterator[Record]:
    if path.suffix.lower() not in RECORD_SUFFIXES:
        known = ", ".join(sorted(RECORD_SUFFIXES))
        raise ContentError(f"{shown(path)}: a file of records is needed ({known})")
    return records_of(path)


def _string(record: Record, field: str, option: str) -> str:
    value = at_path(record.value, field)
    if isinstance(value, str):
        return value
    if value is None and isinstance(record.value, dict) and field in record.value:
        return ""
    names = list(record.value) if isinstance(record.value, dict) else []
    known = f"; its fields are {', '.join(shown(str(name)) for name in names[:SHOWN])}" if names else ""
    what = "no field" if value is None else f"a {type(value).__name__}, no text, in the field"
    raise ContentError(f"{record.where}: {what} '{shown(field)}'{known}; name it with {option} NAME")


def _value(record: Record, field: str) -> str:
    value: Any = at_path(record.value, field)
    if value is None or isinstance(value, dict | list):
        raise ContentError(f"{record.where}: no label in the field '{shown(field)}'")
    return str(value).lower() if isinstance(value, bool) else str(value)
