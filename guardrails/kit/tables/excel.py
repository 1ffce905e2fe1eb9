"""The first sheet of an Excel file (``.xlsx``) that holds anything, by openpyxl."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import ContentError, MissingExtraError
from .strays import stray_row

if TYPE_CHECKING:
    import pandas as pd

INSTALL = "pip install 'guardrails-audit[excel]'"


def read_excel(path: Path, *, max_rows: int, max_columns: int, max_decoded: int) -> pd.DataFrame:
    """Return the first sheet with values; its first row that is not empty is the header.

    Raises
    ------
    ContentError
        For a damaged or too large file, or a row that has more values than the header has names.
    MissingExtraError
        Where openpyxl is not installed.
    """
    _check_archive(path, max_decoded)
    try:
        import openpyxl
    except ImportError:
        raise MissingExtraError("openpyxl", INSTALL) from None
    book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
    try:
        sheets = book.worksheets
        for sheet in sheets:
            sheet.reset_dimensions()  # a sheet may state a size that it does not have
            rows = list(islice(_rows(path, sheet, max_columns), max_rows + 2))
            if len(rows) > max_rows + 1:
                raise ContentError(f"{path}: more than {max_rows:,} rows")
            if rows:
                named = f", sheet '{sheet.title}' of {len(sheets)}" if len(sheets) > 1 else ""
                table = _table(path, rows)
                table.attrs["read_as"] = f"Excel{named}"
                return table
    finally:
        book.close()
    raise ContentError(f"{path}: no sheet holds anything")


def _check_archive(path: Path, max_decoded: int) -> None:
    with zipfile.ZipFile(path) as archive:
        if not any(name.startswith("xl/") for name in archive.namelist()):
            raise ContentError(f"{path}: a ZIP archive, not an Excel file; unpack it first")
        decoded = sum(member.file_size for member in archive.infolist())
    if decoded > max_decoded:
        raise ContentError(f"{path}: {decoded:,} bytes when unpacked are more than the limit of {max_decoded:,}")


def _rows(path: Path, sheet: Any, max_columns: int) -> Iterator[tuple[int, list[Any]]]:
    """Yield (number, values) of each row that is not empty, without the empty cells at its end."""
    for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
        values = list(row[: max_columns + 1])
        while values and values[-1] in (None, ""):
            values.pop()
        if len(values) > max_columns:
            raise ContentError(f"{path}, row {number}: more than {max_columns:,} columns")
        if values:
            yield number, values


def _table(path: Path, rows: list[tuple[int, list[Any]]]) -> pd.DataFrame:
    import pandas as pd

    names = ["" if name is None else str(name).strip() for name in rows[0][1]]
    for number, values in rows[1:]:
        if len(values) > len(names):
            raise ContentError(f"{path}, row {number}: {len(values)} values under a header of {len(names)} names")
    width = len(names)
    columns = list(zip(*([*values, *[None] * (width - len(values))] for _, values in rows[1:]), strict=True))
    used = [j for j in range(width) if names[j] or any(value is not None for value in (columns or [()] * width)[j])]
    table = pd.DataFrame(
        {j: pd.Series(columns[j] if columns else [], dtype=object) for j in used}, index=range(len(rows) - 1)
    )
    table.columns = pd.Index([names[j] or f"Unnamed: {j}" for j in used], dtype=object)
    texts = [table.iloc[:, j].map(str, na_action="ignore").fillna("").astype("str") for j in range(len(used))]
    if (stray := stray_row(texts)) is not None:
        raise ContentError(f"{path}, row {rows[stray + 1][0]}: words where the other rows have numbers: take it out")
    return table
