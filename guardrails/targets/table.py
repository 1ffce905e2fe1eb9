"""``table:<file>``: the rows that a model made, in a CSV or Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..core.base import Access, Modality
from ..core.errors import ContentError, TargetError
from .files import draw, hash_files

if TYPE_CHECKING:
    import pandas as pd

MAX_FILE = 1_000_000_000
MAX_ROWS = 10_000_000
MAX_COLUMNS = 10_000
MAX_DECODED = 4_000_000_000


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV (UTF-8, with a header) or Parquet file; sizes are bounded before anything is decoded.

    Raises
    ------
    ContentError
        For a file that is missing, too large, of another kind or not of the kind that its name says.
    """
    import pandas as pd

    if not path.is_file():
        raise ContentError(f"{path}: no such file")
    if path.stat().st_size > MAX_FILE:
        raise ContentError(f"{path}: {path.stat().st_size:,} bytes are more than the limit of {MAX_FILE:,}")
    kind = path.suffix.lower()
    try:
        if kind == ".csv":
            table = pd.read_csv(path, nrows=MAX_ROWS + 1, low_memory=False)
        elif kind == ".parquet":
            _check_parquet(path)
            table = pd.read_parquet(path)
        else:
            raise ContentError(f"{path}: '{kind}' is no kind of table that is read; give .csv or .parquet")
    except ContentError:
        raise
    except Exception as error:  # parsers of damaged files raise anything
        raise ContentError(f"{path}: not a readable {kind[1:]} file ({str(error).splitlines()[0][:200]})") from None
    _check_shape(path, *table.shape)
    return table


def _check_parquet(path: Path) -> None:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        metadata = file.metadata
        _check_shape(path, metadata.num_rows, metadata.num_columns)
        decoded = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    if decoded > MAX_DECODED:
        raise ContentError(f"{path}: {decoded:,} bytes when decoded are more than the limit of {MAX_DECODED:,}")


def _check_shape(path: Path, rows: int, columns: int) -> None:
    if rows > MAX_ROWS or columns > MAX_COLUMNS:
        raise ContentError(f"{path}: {rows:,} rows x {columns:,} columns are more than {MAX_ROWS:,} x {MAX_COLUMNS:,}")


class TableFileTarget:
    """A file of rows that a model made.

    Raises
    ------
    TargetError
        For a file that is missing, damaged, too large or without rows.
    """

    modality = Modality.TABLE
    access = frozenset({Access.OUTPUTS})

    def __init__(self, file: str | Path) -> None:
        self.name = f"table:{file}"
        self._path = Path(file)
        try:
            self._table = read_table(self._path)
        except ContentError as error:
            raise TargetError(str(error)) from None
        if self._table.empty:
            raise TargetError(f"{self.name}: the file holds no rows")

    @property
    def available(self) -> int:
        """How many rows there are."""
        return len(self._table)

    def identity(self) -> dict[str, str]:
        """Return the shape of the table and the hash of the file."""
        rows, columns = self._table.shape
        sha256 = hash_files(self._path.parent, [self._path.name])
        return {"rows": str(rows), "columns": str(columns), "sha256": sha256}

    def sample_rows(self, n: int, *, seed: int) -> pd.DataFrame:
        """Return n rows without replacement."""
        chosen = draw(self.name, self.available, n, seed, "rows")
        return self._table.iloc[chosen].reset_index(drop=True)
