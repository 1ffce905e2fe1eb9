"""``manifest.csv`` of a folder of pictures: what each file is and where it comes from."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...core.errors import ConfigurationError

NAME = "manifest.csv"
MAX_ROWS = 1_000_000


def read_manifest(folder: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield the rows of ``folder/manifest.csv``; ``path`` is always one that stays below the folder.

    Raises
    ------
    ConfigurationError
        With the line, where the file cannot be read, lacks a column, names a path outside or has a million rows.
    """
    manifest = folder / NAME
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if missing := {"path", *columns} - set(reader.fieldnames or ()):
                raise ConfigurationError(f"{manifest}: the columns {', '.join(sorted(missing))} are missing")
            for number, row in enumerate(reader):
                if number >= MAX_ROWS:
                    raise ConfigurationError(f"{manifest}: more than the limit of {MAX_ROWS:,} rows")
                path = row["path"] or ""
                if not path or Path(path).is_absolute() or ".." in Path(path).parts:
                    raise ConfigurationError(
                        f"{manifest}, line {reader.line_num}: {path!r} is no file below the folder: it lies outside"
                    )
                yield row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{manifest}: {error}") from None
