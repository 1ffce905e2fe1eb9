"""``table:<file>``: the rows that a model made, in a CSV, TSV, Parquet or Excel file."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.base import Access, Modality
from ..core.errors import ContentError, TargetError
from ..kit.tables.files import read_table
from .files import draw, hash_files

if TYPE_CHECKING:
    import pandas as pd


class TableFileTarget:
    """A file of rows that a model made.

    Attributes
    ----------
    table : DataFrame
        The rows as they stand in the file: of a text file, every cell is text. An audit decides on the kinds of its
        columns together with the corpus and the holdout: `guardrails.targets.tables.read_together`.

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
            self.table = read_table(self._path)
        except ContentError as error:
            raise TargetError(str(error)) from None
        if self.table.empty:
            raise TargetError(f"{self.name}: the file holds no rows")

    @property
    def available(self) -> int:
        """How many rows there are."""
        return len(self.table)

    def identity(self) -> dict[str, str]:
        """Return the shape of the table and the hash of the file."""
        rows, columns = self.table.shape
        sha256 = hash_files(self._path.parent, [self._path.name])
        return {"rows": str(rows), "columns": str(columns), "sha256": sha256}

    def sample_rows(self, n: int, *, seed: int) -> pd.DataFrame:
        """Return n rows without replacement, each column typed by this file alone."""
        chosen = draw(self.name, self.available, n, seed, "rows")
        return self._typed.iloc[chosen].reset_index(drop=True)

    @cached_property
    def _typed(self) -> pd.DataFrame:
        from ..kit.tables.kinds import decide

        return decide({"target": self.table}).frames["target"]
