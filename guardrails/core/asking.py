"""One row for each item that a target is asked about, also where the target fails for some of them."""

from __future__ import annotations

import errno
import re
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from .batch import Batch, Row
from .errors import STOPS, ChangedInputError, GuardrailsError
from .probe import Probe
from .seeding import derive_seed
from .subject import Subject

IN_A_ROW = 5
"""After so many failures in a row the rest of a batch is not asked: the target is down, not one item bad."""
MACHINE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EROFS, errno.EIO})
"""Errors of the machine and not of an item: what comes next would fail, too."""
IN_WORDS = (GuardrailsError, ValueError)
"""Errors that say in words what is wrong; others are defects."""
STAGE = 1_000_000
"""Batches of the plan and of each stage of follow-ups, at most: a batch's index says which it is of."""
LONGEST = 240
"""Characters of a message that a row keeps."""
_PERSONAL = (
    (re.compile(r"'[^']{25,}'|\"[^\"]{25,}\""), "'[…]'"),  # a prompt or a document that the message quotes
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"), "[…]"),
    (re.compile(r"\+?\d(?:[\s().-]?\d){6,}"), "[…]"),
)


def ask(probe: Probe, subject: Subject, batch: Batch, *, seed: int, defects: list[str] | None = None) -> list[Row]:
    """Return a probe's rows of a batch, with an error row for each item that cannot be had: `rows_of`."""

    def collect(part: Batch, seed_of_part: int) -> list[Row]:
        return probe.collect(subject, part, seed=seed_of_part)

    return rows_of(batch, collect, seed=seed, defects=defects)


def follow_ups(probe: Probe, rows: Sequence[Row], stage: int) -> list[Batch]:
    """Return a probe's batches of a stage of follow-ups, numbered from `stage` · `STAGE`; none after its last stage."""
    if stage > probe.stages:
        return []
    batches = [batch for batch in probe.follow_up(rows, stage) if batch.items]
    return [replace(batch, index=stage * STAGE + k) for k, batch in enumerate(batches)]


def rows_of(
    batch: Batch, make: Callable[[Batch, int], list[Row]], *, seed: int, defects: list[str] | None = None
) -> list[Row]:
    """Return what ``make(batch, seed)`` returns, or an error row for each item that cannot be had.

    The items of a batch are asked about together. Where that fails, each half is asked by itself, and so on down to one
    item, which becomes an error row: the beginning of its row and ``error``. After `IN_A_ROW` failing items in a row
    the rest of the batch is not asked, unless its answers are there already (`TargetError.partial`). Whatever is
    raised is a failure of the items, also a lost connection, a file that is gone and a call of `sys.exit`. A full disk
    or memory ends the run (`MACHINE`, `STOPS`), and an input that changed ends the series, as does any failure of a
    batch that is not divisible. A batch of no item is not asked. To `defects` goes the traceback of an item's failure
    that says nothing in words, as of a slip in the probe.
    """
    if not batch.items:
        return []
    return _Asked(make, [] if defects is None else defects).part(batch, seed) if batch.divisible else make(batch, seed)


class _Asked:
    """One batch on its way through the target."""

    def __init__(self, make: Callable[[Batch, int], list[Row]], defects: list[str]) -> None:
        self._make, self._defects = make, defects
        self._in_a_row: list[str] = []
        """The errors of the items that failed since one was answered."""

    def part(self, batch: Batch, seed: int, *, answered: bool = False) -> list[Row]:
        """Return the rows of a part; `answered` says that the target holds the answers of those that have one."""
        if len(self._in_a_row) >= IN_A_ROW and not answered:
            why = f"not asked after {IN_A_ROW} failures in a row: {self._in_a_row[0]}"
            return [item.row() | {"error": why} for item in batch.items]
        try:
            rows = self._make(batch, seed)
        except (*STOPS, ChangedInputError):
            raise
        except BaseException as error:
            if isinstance(error, OSError) and error.errno in MACHINE:
                raise
            if len(batch.items) == 1:
                self._in_a_row.append(message(error))
                if not isinstance(error, IN_WORDS):
                    self._defects.append(traceback.format_exc())
                return [batch.items[0].row() | {"error": self._in_a_row[-1]}]
            answered = answered or getattr(error, "partial", False)
            middle = len(batch.items) // 2
            parts = (replace(batch, items=batch.items[:middle]), replace(batch, items=batch.items[middle:]))
            # A seed of its own for each half: two halves must not draw the same.
            return [
                row
                for k, half in enumerate(parts)
                for row in self.part(half, derive_seed(seed, "half", k), answered=answered)
            ]
        self._in_a_row.clear()
        return rows


def message(error: BaseException) -> str:
    """Return one short line for an error, without what it may quote of a person.

    >>> message(ValueError("no answer to 'Write to Ann Lee, 12 Elm Street, Springfield' by ann.lee@example.org"))
    "no answer to '[…]' by […]"
    """
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    if not isinstance(error, IN_WORDS):
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
