"""One row for each item that a target is asked about, also where the target fails for some of them."""

from __future__ import annotations

import errno
import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

from .base import Batch, Row, Subject
from .errors import STOPS, GuardrailsError
from .seeding import derive_seed

IN_A_ROW = 5
"""After so many failures in a row the rest of a batch is not asked: the target is down, not one item bad."""
MACHINE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EROFS, errno.EIO})
"""Errors of the machine and not of an item: what comes next would fail, too."""
LONGEST = 240
"""Characters of a message that a row keeps."""
_PERSONAL = (
    (re.compile(r"'[^']{25,}'|\"[^\"]{25,}\""), "'[…]'"),  # a prompt or a document that the message quotes
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"), "[…]"),
    (re.compile(r"\+?\d(?:[\s().-]?\d){6,}"), "[…]"),
)


def item_by_item(**shared: Any) -> Callable[[Callable[..., list[Row]]], Callable[..., list[Row]]]:
    """Make a probe's `collect` return one row for each item, also where some of a batch cannot be had.

    The items of a batch are asked about together. Where that fails, each half is asked by itself, and so on down to
    one item, which becomes an error row. After `IN_A_ROW` failing items in a row the rest of the batch is not asked.
    Whatever is raised is a failure of the items, also a lost connection, a file that is gone and a call of `sys.exit`.
    A full disk or memory ends the run (`MACHINE`, `STOPS`). A payload without ``items`` is handed on as it is.

    Parameters
    ----------
    **shared
        What an error row holds beside the item and ``error``.
    """

    def decorate(collect: Callable[..., list[Row]]) -> Callable[..., list[Row]]:
        @wraps(collect)
        def collect_all(self: Any, subject: Subject, batch: Batch, *, seed: int) -> list[Row]:
            def rows(part: Batch, own_seed: int) -> list[Row]:
                return collect(self, subject, part, seed=own_seed)

            return rows_of(batch, rows, seed=seed, **shared) if "items" in batch.payload else rows(batch, seed)

        return collect_all

    return decorate


def rows_of(batch: Batch, make: Callable[[Batch, int], list[Row]], *, seed: int, **shared: Any) -> list[Row]:
    """Return what ``make(batch, seed)`` returns, or an error row for each item that cannot be had: `item_by_item`."""
    return _Asked(make, shared).part(batch, seed) if batch.payload["items"] else []


class _Asked:
    """One batch on its way through the target."""

    def __init__(self, rows: Callable[[Batch, int], list[Row]], shared: Mapping[str, Any]) -> None:
        self._rows = rows
        self._shared = shared
        self._in_a_row: list[str] = []
        """The errors of the items that failed since one was answered."""

    def part(self, batch: Batch, seed: int) -> list[Row]:
        items = batch.payload["items"]
        if len(self._in_a_row) >= IN_A_ROW:
            why = f"not asked after {IN_A_ROW} failures in a row: {self._in_a_row[0]}"
            return [self._failed(item, why) for item in items]
        try:
            rows = self._rows(batch, seed)
        except STOPS:
            raise
        except BaseException as error:
            if isinstance(error, OSError) and error.errno in MACHINE:
                raise
            if len(items) == 1:
                self._in_a_row.append(message(error))
                return [self._failed(items[0], self._in_a_row[-1])]
            middle = len(items) // 2
            parts = enumerate((_part(batch, 0, middle), _part(batch, middle, len(items))))
            # A seed of its own for each half: two halves must not draw the same.
            return [row for k, half in parts for row in self.part(half, derive_seed(seed, "half", k))]
        self._in_a_row.clear()
        return rows

    def _failed(self, item: Any, why: str) -> Row:
        return {**(item if isinstance(item, Mapping) else {"item": item}), **self._shared, "error": why}


def _part(batch: Batch, begin: int, end: int) -> Batch:
    """Return the batch of some of the items; ``start`` counts the items of the batches before."""
    payload = {**batch.payload, "items": batch.payload["items"][begin:end]}
    if "start" in payload:
        payload["start"] += begin
    return replace(batch, payload=payload)


def message(error: BaseException) -> str:
    """Return one short line for an error, without what it may quote of a person.

    >>> message(ValueError("no answer to 'Write to Ann Lee, 12 Elm Street, Springfield' by ann.lee@example.org"))
    "no answer to '[…]' by […]"
    """
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    if not isinstance(error, GuardrailsError | ValueError):  # these say in words what is wrong; others are defects
        last = traceback.extract_tb(error.__traceback__)[-1:]
        text = f"{type(error).__name__}: {text}" + "".join(
            f" ({Path(frame.filename).name}, line {frame.lineno})" for frame in last
        )
    for pattern, instead in _PERSONAL:
        text = pattern.sub(instead, text)
    return text if len(text) <= LONGEST else text[: LONGEST - 2] + " …"


def first_error(rows: Sequence[Row]) -> str | None:
    """Return the message of the first item that failed, or None where none did."""
    return next((str(row["error"]) for row in rows if "error" in row), None)
