"""The journal of a run: SQLite in WAL mode, one transaction a batch: SIGKILL at any moment loses no finished batch.

The plan (every batch's payload) is written before the first sample and never repacked: a resumed run samples what the
first would have. Only the parent process writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..core.base import Batch, Row
from .run_folder import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    series TEXT NOT NULL, idx INTEGER NOT NULL, payload TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0, PRIMARY KEY (series, idx));
CREATE TABLE IF NOT EXISTS samples (
    series TEXT NOT NULL, item TEXT NOT NULL, batch INTEGER NOT NULL, row TEXT NOT NULL,
    PRIMARY KEY (series, item)) WITHOUT ROWID;
"""


class Journal(Database):
    """The samples of one run, by series (one probe on one subject).

    Parameters
    ----------
    path : Path
        The SQLite file; made where absent.

    Raises
    ------
    JournalError
        Where the file is no journal, or cannot be opened or written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, SCHEMA)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._guard():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def get(self, key: str) -> Any:
        """Return a stored setting, or None."""
        with self._guard():
            found = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return json.loads(found[0]) if found else None

    def put(self, key: str, value: Any) -> None:
        """Store a setting (JSON)."""
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    def add_plan(self, plan: Iterable[tuple[str, Sequence[Batch]]], settings: dict[str, Any]) -> None:
        """Write all batches of all series and the settings, in one transaction: a plan is whole or absent."""
        with self._transaction():
            for series, batches in plan:
                self._db.executemany(
                    "INSERT INTO batches (series, idx, payload) VALUES (?, ?, ?)",
                    [(series, b.index, json.dumps(b.payload)) for b in batches],
                )
            for key, value in settings.items():
                self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    def series(self) -> list[str]:
        """Return the names of all planned series."""
        with self._guard():
            return [r[0] for r in self._db.execute("SELECT DISTINCT series FROM batches ORDER BY series")]

    def pending(self, series: str) -> list[Batch]:
        """Return the batches of a series that are not finished, in order."""
        with self._guard():
            found = self._db.execute(
                "SELECT idx, payload FROM batches WHERE series = ? AND done = 0 ORDER BY idx", (series,)
            )
            return [Batch(index, json.loads(payload)) for index, payload in found]

    def finish(self, series: str, batch: Batch, rows: Sequence[Row], seconds: float = 0.0) -> None:
        """Write the rows of one batch and mark it finished, in one transaction.

        Raises
        ------
        JournalError
            Where two rows of a series name the same item, or the disk is full.
        """
        with self._transaction():
            self._db.executemany(
                "INSERT INTO samples VALUES (?, ?, ?, ?)",
                [
                    (series, str(row["item"]), batch.index, json.dumps(row, separators=(",", ":"), allow_nan=False))
                    for row in rows
                ],
            )
            self._db.execute(
                "UPDATE batches SET done = 1, seconds = ? WHERE series = ? AND idx = ?", (seconds, series, batch.index)
            )

    def rows(self, series: str) -> list[Row]:
        """Return the finished rows of a series in the order of the plan and, inside a batch, of the item."""
        with self._guard():
            found = self._db.execute("SELECT row FROM samples WHERE series = ? ORDER BY batch, item", (series,))
            return [json.loads(row) for (row,) in found]

    def seconds(self, series: str) -> float:
        """Return how long the finished batches of a series took, over all sittings."""
        with self._guard():
            return float(
                self._db.execute(
                    "SELECT COALESCE(SUM(seconds), 0) FROM batches WHERE series = ?", (series,)
                ).fetchone()[0]
            )

    def progress(self) -> tuple[int, int]:
        """Return (finished, planned) batches."""
        with self._guard():
            done, total = self._db.execute("SELECT COALESCE(SUM(done), 0), COUNT(*) FROM batches").fetchone()
            return int(done), int(total)
