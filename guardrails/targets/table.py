"""``table:<file>``: the rows that a model made, in a CSV, TSV, Parquet or Excel file; or a data frame of them."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import ContentError, TargetError
from ..core.targets import Access, Modality
from ..kit.tables.files import read_table
from .files import draw, hash_files

if TYPE_CHECKING:
    import pandas as pd


class FrameTarget:
    """Rows that a model made.

    Parameters
    ----------
    table : DataFrame
        The rows as they were given. An audit decides on the kinds of the columns together with the corpus and the
        holdout: `guardrails.targets.joint_tables.read_together`.
    name : str

    Raises
    ------
    TargetError
        For a table without rows.
    """

    modality = Modality.TABLE
    access = frozenset({Access.OUTPUTS})

    def __init__(self, table: pd.DataFrame, name: str = "python:DataFrame") -> None:
        self.table, self.name = table, name
        if table.empty:
            raise TargetError(f"{name}: the table holds no rows")

    @property
    def available(self) -> int:
        """How many rows there are."""
        return len(self.table)

    def identity(self) -> dict[str, str]:
        """Return the shape of the table and a hash of its values."""
        rows, columns = self.table.shape
        return {"rows": str(rows), "columns": str(columns), "sha256": self._hash()}

    def _hash(self) -> str:
        import pandas as pd

        # As text, 1 is "1" and a missing value is "nan": an audit reads these otherwise.
        values = pd.util.hash_pandas_object(self.table.astype(str), index=False).to_numpy()
        columns = f"{list(self.table.columns)} {[str(dtype) for dtype in self.table.dtypes]}"
        missing = self.table.isna().to_numpy()
        return hashlib.sha256(columns.encode() + values.tobytes() + missing.tobytes()).hexdigest()

    def sample_rows(self, n: int, *, seed: int) -> pd.DataFrame:
        """Return n rows without replacement, each column typed by this table alone."""
        chosen = draw(self.name, self.available, n, seed, "rows")
        return self._typed.iloc[chosen].reset_index(drop=True)

    @cached_property
    def _typed(self) -> pd.DataFrame:
        from ..kit.tables.kinds import decide

        return decide({"target": self.table}).frames["target"]


class TableFileTarget(FrameTarget):
    """A file of rows that a model made; of a text file, every cell of `table` is text.

    Raises
    ------
    TargetError
        For a file that is missing, damaged, too large or without rows.
    """

    def __init__(self, file: str | Path) -> None:
        self._path = Path(file)
        try:
            table = read_table(self._path)
        except ContentError as error:
            raise TargetError(str(error)) from None
        super().__init__(table, f"table:{file}")

    def _hash(self) -> str:
        return hash_files(self._path.parent, [self._path.name])
