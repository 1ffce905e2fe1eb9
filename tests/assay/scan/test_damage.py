"""Damaged folders of scans: refused in one message, or the rows are those of the undamaged one."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from guardrails.assay import log
from guardrails.assay.audit.journal import Journal
from guardrails.assay.scan import run as scan
from guardrails.assay.scan.listing import SCHEMA, Listing
from guardrails.assay.scan.run import run_scan
from guardrails.core.errors import ConfigurationError, GuardrailsError, JournalError

from ..damage import FLIPS, damage_seconds, flip
from ..scan_plugin import control, outcome, rows, summary


@pytest.mark.slow
def test_a_scan_s_flipped_bit_is_named_or_changes_nothing(finished_scan: Path, tmp_path: Path) -> None:
    text = (finished_scan / "scan.jsonl").read_bytes()
    draw, refused = random.Random(0), []
    for i in range(FLIPS):
        run = shutil.copytree(finished_scan, tmp_path / "run")
        flip(run / ("scan.sqlite", "scan.sqlite", "scan.jsonl")[i % 3], draw)
        try:
            run_scan([], out=run, resume=True, workers=1)
            assert (run / "scan.jsonl").read_bytes() == text
            assert summary(run) == summary(finished_scan)
        except GuardrailsError as error:
            refused.append(str(error))
        shutil.rmtree(run)
    assert len(refused) > FLIPS / 4
    assert all(str(run) in message and "\n" not in message for message in refused)


@pytest.mark.parametrize("last", [False, True])
def test_a_changed_row_of_a_scan_is_named_and_asked_again(finished_scan: Path, tmp_path: Path, last: bool) -> None:
    run = shutil.copytree(finished_scan, tmp_path / "run")
    text = (run / "scan.jsonl").read_text()
    lines = text.splitlines(keepends=True)
    number = 7 if last else 2
    lines[number] = lines[number].replace('"verdict": "', '"verdict": "n')
    (run / "scan.jsonl").write_text("".join(lines))
    with pytest.raises(JournalError, match=f"row {number + 1} does not fit its checksum.*--resume --salvage"):
        run_scan([], out=run, resume=True)
    words: list[str] = []
    run_scan([], out=run, resume=True, salvage=True, workers=1, tell=words.append)
    assert (run / "scan.jsonl").read_text() == text
    assert words[-1] == f"{number} of 8 rows are kept; the others are asked again"


def test_a_damaged_listing_is_salvaged_or_refused(finished_scan: Path, tmp_path: Path) -> None:
    from sqlite3 import connect

    run = shutil.copytree(finished_scan, tmp_path / "run")
    with connect(run / "scan.sqlite") as db:
        db.execute("UPDATE log SET body = 'ab' WHERE kind = 'row' AND idx = 3")
    db.close()
    with pytest.raises(JournalError, match=r"row \d+ of its log \(row\) does not fit its checksum"):
        run_scan([], out=run, resume=True)
    run_scan([], out=run, resume=True, salvage=True, workers=1)
    assert rows(run) == rows(finished_scan)
    with connect(run / "scan.sqlite") as db:
        db.execute("UPDATE items SET place = ? WHERE number = 3", (b"/etc/hostname",))
    db.close()
    for option in (False, True):
        with pytest.raises(JournalError, match="its list of files is not the one that was made"):
            run_scan([], out=run, resume=True, salvage=option)


def test_outcomes_of_controls_that_lie_in_a_new_folder_are_not_believed(
    finished_scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, failed = tmp_path / "run", control("own.bright", behaved=False, auc=0.5, low=0.4, high=0.6)
    run.mkdir()
    (run / "controls.json").write_text(json.dumps([outcome("own.bright")]))
    with Listing(run / "scan.sqlite") as listing:  # it holds no scan
        listing.put("controls", json.dumps([outcome("own.bright")]))
    monkeypatch.setattr(scan, "kept_outcome", lambda name: failed)
    result, _ = run_scan([str(finished_scan.parent / "in")], detectors=["own.bright"], out=run, workers=1)
    assert result.controls == (failed,)
    assert {row["detections"][0]["verdict"] for row in rows(run)} == {"abstain"}


def stored(finished_scan: Path, run: Path, outcomes: str) -> Path:
    """Return the folder of a scan that is to be resumed; outcomes of controls are stored in it as a stranger might."""
    with Listing(finished_scan / "scan.sqlite") as listing:
        settings = listing.get("settings")
    run.mkdir()
    with Listing(run / "scan.sqlite") as listing:
        listing.fill([str(finished_scan.parent / "in")], without=run, settings=settings or "")
        listing.put("controls", outcomes)
    return run


@pytest.mark.parametrize(
    "text", ["", "3", "[3]", "{}", "[{}]", "[" * 100_000, json.dumps([outcome("own.bright", auc="x")]),
             json.dumps([outcome("own.bright", auc=None)]), json.dumps([outcome("own.bright", n=[1])])]
)  # fmt: skip
def test_controls_that_are_none_are_one_message(finished_scan: Path, tmp_path: Path, text: str) -> None:
    run = stored(finished_scan, tmp_path / "run", text)
    with pytest.raises(JournalError, match=r"scan.sqlite: not the outcomes of controls"):
        run_scan([], out=run, resume=True, workers=1)


@pytest.mark.parametrize("outcomes", [[], [outcome("own.slow")], [outcome("own.bright"), outcome("own.slow")]])
def test_controls_of_other_detectors_are_refused(finished_scan: Path, tmp_path: Path, outcomes: list[Any]) -> None:
    run = stored(finished_scan, tmp_path / "run", json.dumps(outcomes))
    with pytest.raises(
        JournalError, match=r"the scan began with the detectors .*, and would continue with own.bright; start a new"
    ):
        run_scan([], out=run, resume=True, workers=1)


def test_a_listing_of_which_nothing_can_be_salvaged_advises_a_new_run(finished_scan: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished_scan, tmp_path / "run")
    damage_seconds(run / "scan.sqlite", 2)
    for salvage in (False, True):
        with pytest.raises(JournalError, match=r"row 2 of its log .*start a new run") as told:
            run_scan([], out=run, resume=True, salvage=salvage)
        assert "--salvage" not in str(told.value)


@pytest.mark.slow
@pytest.mark.parametrize("of_a_scan", [False, True])
def test_salvage_is_advised_where_it_helps_and_only_there(
    cut_off: Path, finished_scan: Path, tmp_path: Path, of_a_scan: bool
) -> None:
    """Flips at the beginning of the file, where the tables are described, and in the whole of it."""
    opened, schema = (Listing, SCHEMA) if of_a_scan else (Journal, "")
    content = (finished_scan / "scan.sqlite" if of_a_scan else cut_off / "journal.sqlite").read_bytes()
    draw, refused, file = random.Random(3), [], tmp_path / "damaged" / "file.sqlite"
    for i in range(120):
        file.parent.mkdir()
        bit = draw.randrange(8 * (4096 if i % 2 else len(content)))
        file.write_bytes(content[: bit // 8] + bytes([content[bit // 8] ^ 1 << bit % 8]) + content[bit // 8 + 1 :])
        try:
            opened(file).close()
        except JournalError as error:
            refused.append(str(error))
            if "--salvage" in refused[-1]:
                assert log.salvage(file, schema, tables=("items",) if of_a_scan else ())
                opened(file).close()
        shutil.rmtree(file.parent)
    advised = ["--salvage" in message for message in refused]
    assert all("start a new" in message for message in refused)
    assert {True, False} == set(advised)


def test_a_second_scan_that_begins_meanwhile_is_told_so(
    finished_scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "how_to_resume", lambda folder: None)
    with pytest.raises(ConfigurationError, match="already holds a scan"):
        run_scan([str(tmp_path)], detectors=["own.bright"], out=finished_scan)
