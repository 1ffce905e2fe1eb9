"""The journal of a run: a log in SQLite, one transaction a batch: SIGKILL at any moment loses no finished batch.

The plan (every batch's payload) is written before the first sample and never repacked: a resumed run samples what the
first would have. Only the parent process writes. Every entry has a checksum: see `log`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...core.asking import STAGE
from ...core.batch import Batch, Row
from ...core.errors import JournalError
from ...core.results.cost import Use
from ..log import Entry, Log


class Journal(Log):
    """The settings, plan and samples of one run; samples by series (one probe on one subject).

    Parameters
    ----------
    path : Path
        The SQLite file; made where absent.

    Raises
    ------
    ConfigurationError
        Where another run has it open.
    JournalError
        Where the file is no journal, is damaged, or cannot be opened or written.
    """

    def __init__(self, path: Path) -> None:
        self._settings: dict[str, int] = {}
        self._plan: dict[str, dict[int, int]] = {}
        self._rows: dict[str, dict[int, int]] = {}
        self._seconds: dict[str, float] = {}
        self._used: dict[str, Use] = {}
        self._items: tuple[str, set[str]] = "", set()
        super().__init__(path)

    def _learn(self, number: int, entry: Entry) -> None:
        if entry.kind == "set":
            self._settings[entry.name] = number
        elif entry.kind == "plan":
            self._plan.setdefault(entry.name, {})[entry.idx] = number
        elif entry.kind == "use":
            try:
                self._used[entry.name] = self.used(entry.name) + Use.model_validate_json(entry.body)
            except ValidationError:
                raise self.strange(f"row {number} of its log") from None
        else:
            self._rows.setdefault(entry.name, {})[entry.idx] = number
            self._seconds[entry.name] = self._seconds.get(entry.name, 0.0) + entry.seconds

    def get(self, key: str) -> Any:
        """Return a stored setting, or None."""
        number = self._settings.get(key)
        return None if number is None else self._loaded(number)

    def table(self, key: str) -> dict[str, Any]:
        """Return a stored setting that is a table, empty where there is none.

        Raises
        ------
        JournalError
            Where it is something else.
        """
        value = self.get(key)
        if value is not None and not isinstance(value, dict):
            raise self.strange(key)
        return value or {}

    def _loaded(self, number: int) -> Any:
        """Return what an entry holds. Checksums tell damage; a stranger's journal can hold anything."""
        try:
            return json.loads(self.body(number))
        except (ValueError, RecursionError):
            raise self.strange(f"row {number} of its log") from None

    def strange(self, what: str) -> JournalError:
        """Return the error of a journal that holds what no run writes."""
        return JournalError(f"{self.path}: {what} is nothing that a run writes; start a new run")

    def put(self, key: str, value: Any) -> None:
        """Store a setting (JSON)."""
        self.add_plan([], {key: value})

    def add_plan(self, plan: Iterable[tuple[str, Sequence[Batch]]], settings: dict[str, Any]) -> None:
        """Write all batches of all series and the settings, in one transaction: a plan is whole or absent.

        Raises
        ------
        JournalError
            Where a batch is planned already, or the disk is full.
        """
        entries = [Entry("plan", series, json.dumps(b.to_json()), b.index) for series, batches in plan for b in batches]
        if again := next((e for e in entries if e.idx in self._plan.get(e.name, {})), None):
            raise JournalError(f"{self.path}: {again.describe()} is planned already")
        self.append([*entries, *(Entry("set", key, json.dumps(value)) for key, value in settings.items())])

    def add_stage(self, series: str, stage: int, batches: Sequence[Batch]) -> None:
        """Write the batches of a stage of follow-ups, before any of them is asked. Errors as `add_plan`."""
        self.add_plan([(series, batches)], {f"stage {series}": stage})

    def stage(self, series: str) -> int:
        """Return the last stage of follow-ups that is planned, or 0.

        Raises
        ------
        JournalError
            Where some of its batches are lost, as in a journal that was damaged and salvaged.
        """
        planned: int = max(self._plan.get(series, {}), default=0) // STAGE
        if planned != (self.get(f"stage {series}") or 0):
            raise JournalError(f"{self.path}: the follow-ups of {series} are not whole; start a new run")
        return planned

    def before_collection(self) -> str | None:
        """Return the checksum over all that was written before the first sample, or None where samples came first.

        It covers the inputs' hashes, the policy, the settings and the whole plan: see `log`.
        """
        number = self._settings.get("planned")
        sampled = min((n for rows in self._rows.values() for n in rows.values()), default=None)
        if number is None or (sampled is not None and sampled < number):
            return None
        return self.checksum(number)

    def series(self) -> list[str]:
        """Return the names of all planned series."""
        return sorted(self._plan)

    def pending(self, series: str) -> list[Batch]:
        """Return the batches of a series that are not finished, in order."""
        finished = self._rows.get(series, {})
        planned = sorted(self._plan.get(series, {}).items())
        return [self._batch(index, number) for index, number in planned if index not in finished]

    def _batch(self, index: int, number: int) -> Batch:
        try:
            return Batch.from_json(index, self._loaded(number))
        except ValueError:
            raise self.strange(f"row {number} of its log") from None

    def finish(
        self, series: str, batch: Batch, rows: Sequence[Row], seconds: float = 0.0, use: Use | None = None
    ) -> None:
        """Write the rows of one batch, which marks it finished, and what it used, in one transaction.

        Raises
        ------
        JournalError
            Where two rows of a series name the same item, or the disk is full.
        """
        items = [str(row["item"]) for row in rows]
        before = self._items_of(series)
        if again := next((item for i, item in enumerate(items) if item in before or item in items[:i]), None):
            raise JournalError(f"{self.path}: two rows of {series} name the item {again!r}: a defect of the probe")
        ordered = [row for _, row in sorted(zip(items, rows, strict=True), key=lambda pair: pair[0])]
        body = json.dumps(ordered, separators=(",", ":"), allow_nan=False)
        used = [_use(series, batch, use)] if use else []
        self.append([Entry("rows", series, body, batch.index, float(seconds)), *used])
        before.update(items)

    def add_use(self, series: str, batch: Batch, use: Use) -> None:
        """Write what a batch used that brought no rows."""
        self.append([_use(series, batch, use)])

    def used(self, series: str) -> Use:
        """Return what a series used, over all sessions."""
        return self._used.get(series, Use())

    def _items_of(self, series: str) -> set[str]:
        """Return the items of a series' finished rows; those of one series are in memory, the last asked for."""
        if self._items[0] != series:
            self._items = series, {str(row["item"]) for row in self.rows(series)}
        return self._items[1]

    def rows(self, series: str) -> list[Row]:
        """Return the finished rows of a series in the order of the plan and, inside a batch, of the item."""
        rows: list[Row] = []
        for _, number in sorted(self._rows.get(series, {}).items()):
            batch = self._loaded(number)
            if not isinstance(batch, list) or not all(isinstance(row, dict) and "item" in row for row in batch):
                raise self.strange(f"row {number} of its log")
            rows += batch
        return rows

    def seconds(self, series: str) -> float:
        """Return how long the finished batches of a series took, over all sessions."""
        return self._seconds.get(series, 0.0)

    def progress(self) -> tuple[int, int]:
        """Return (finished, planned) batches."""
        return sum(map(len, self._rows.values())), sum(map(len, self._plan.values()))


def _use(series: str, batch: Batch, use: Use) -> Entry:
    return Entry("use", series, use.model_dump_json(exclude_defaults=True), batch.index)
