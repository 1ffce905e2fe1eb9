"""The rows that the scanner is measured on: the third part shares no template and no label with the first two."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="module")
def rows(repository: Path) -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(repository / "benchmarks" / "privacy")
        yield importlib.import_module("rows")
        for name in ("rows", "labels", "lookalikes", "invented_data"):
            sys.modules.pop(name, None)


def surroundings(part: list[Any]) -> set[tuple[str, str, str]]:
    return {(row.kind, row.text[: row.start], row.text[row.end :]) for row in part if row.kind}


@pytest.mark.slow
def test_the_third_part_is_written_in_other_ways_than_the_first_two(rows: ModuleType) -> None:
    known = surroundings(rows.rows(0)) | surroundings(rows.rows(1))
    new = surroundings(rows.rows(2))
    assert len(new) > 500
    assert {kind for kind, _, _ in new} == {*rows.GROUPED, *rows.WHOLE}
    assert not new & known


@pytest.mark.slow
def test_a_datum_stands_where_its_row_says(rows: ModuleType) -> None:
    assert all(row.text[row.start : row.end].strip() for part in range(3) for row in rows.rows(part) if row.kind)
