"""Damaged run folders: refused in one message, or the result is that of the undamaged one."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from guardrails.assay import log
from guardrails.assay.audit import orchestrator as audit
from guardrails.assay.audit.journal import Journal
from guardrails.assay.audit.orchestrator import run_audit
from guardrails.assay.scan.listing import Listing
from guardrails.assay.scan.run import run_scan
from guardrails.core.errors import ConfigurationError, GuardrailsError, JournalError

from . import fakes
from .damage import FLIPS, damage_seconds, flip


def contents(journal: Journal) -> Any:
    """Return all that a resumed run takes from a journal."""
    settings = (
        "settings",
        "sources",
        "inputs",
        "identity",
        "policy",
        "started",
        "planned",
        "cached_controls",
        "spoiled",
    )
    series = {name: (journal.pending(name), journal.rows(name), journal.seconds(name)) for name in journal.series()}
    return [journal.get(key) for key in settings], series, journal.progress()


def without_times(result: Any) -> Any:
    values = json.loads(result.to_json())
    return {key: value for key, value in values.items() if key not in ("timing", "sha256")}


def test_a_flipped_bit_is_named_or_changes_nothing(cut_off: Path, tmp_path: Path) -> None:
    with Journal(cut_off / "journal.sqlite") as journal:
        whole = contents(journal)
    draw, refused = random.Random(0), []
    for _ in range(FLIPS):
        file = tmp_path / "journal.sqlite"
        shutil.copyfile(cut_off / "journal.sqlite", file)
        flip(file, draw)
        try:
            with Journal(file) as journal:
                assert contents(journal) == whole
        except JournalError as error:
            refused.append(str(error))
        for left in tmp_path.glob("journal.sqlite-*"):
            left.unlink()
    assert len(refused) > FLIPS / 4
    assert all(message.startswith(f"{file}") and "\n" not in message for message in refused)


@pytest.mark.slow
def test_a_salvaged_run_ends_with_the_result_of_the_undamaged_one(cut_off: Path, tmp_path: Path) -> None:
    whole = shutil.copytree(cut_off, tmp_path / "whole")
    expected = without_times(run_audit(fakes.FakeTarget(0.3), resume=whole)[0])
    draw, refused = random.Random(1), []
    for i in range(20):
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)  # a control that is known from there says so
        folder = shutil.copytree(cut_off, tmp_path / f"run{i}")
        flip(folder / "journal.sqlite", draw)
        try:
            result, _ = run_audit(fakes.FakeTarget(0.3), resume=folder, salvage=True)
        except GuardrailsError as error:
            refused.append(str(error))  # the settings or the file's first bytes are gone
            continue
        assert without_times(result) == expected
    assert len(refused) <= 5
    assert not any("\n" in message for message in refused)


def damage(folder: Path, number: int) -> None:
    """Change one row of a journal's log, as a stranger might."""
    from sqlite3 import connect

    with connect(folder / "journal.sqlite") as db:
        (body,) = db.execute("SELECT body FROM log WHERE number = ?", (number,)).fetchone()
        db.execute("UPDATE log SET body = ? WHERE number = ?", (body.replace("true", "false"), number))
    db.close()


def number_of(folder: Path, batch: int) -> int:
    with Journal(folder / "journal.sqlite") as journal:
        return journal._rows["fake.yes|target"][batch]


def test_a_changed_row_is_named_and_salvaged_up_to_it(cut_off: Path) -> None:
    with Journal(cut_off / "journal.sqlite") as journal:
        done, total = journal.progress()
    number = number_of(cut_off, 5)
    damage(cut_off, number)
    with pytest.raises(
        JournalError, match=rf"row {number} of its log \(fake.yes\|target, batch 5\).*--resume --salvage"
    ):
        run_audit(fakes.FakeTarget(0.3), resume=cut_off)
    words: list[str] = []
    target = fakes.FakeTarget(0.3)
    run_audit(target, resume=cut_off, salvage=True, tell=words.append)
    kept = 5 + done - 15
    assert done == 55
    assert f"row {number} of its log" in words[0]
    assert f"{kept} of {total} batches are kept; the others are asked again" in words[-1]
    assert len(target.asked) == 10 * 15  # of 20 batches of the target the first five
    assert (cut_off / "journal.sqlite.damaged").is_file()


@pytest.mark.parametrize("body", ["3", "[3]", "[" * 100_000, '{"a": 1}', '[{"a": 1}]'])
def test_what_no_run_writes_is_no_traceback(cut_off: Path, tmp_path: Path, body: str) -> None:
    """A stranger can make checksums that fit."""
    with Journal(cut_off / "journal.sqlite") as journal:
        entries = [entry for _, entry, _ in log._verified(journal._db, journal.path)]
    settings = {entry.name for entry in entries if entry.kind == "set"}
    assert settings >= {"inputs", "identity", "cached_controls", "spoiled", "planned", "started", "policy"}
    for what in ("plan", "rows", *settings):
        folder = tmp_path / what
        folder.mkdir()
        changed = [e._replace(body=body) if what in (e.kind, e.name) else e for e in entries]
        with Journal(folder / "journal.sqlite") as journal:
            journal.append(changed)
        try:
            result, _ = run_audit(fakes.FakeTarget(0.3), resume=folder)
        except GuardrailsError:
            continue
        assert what in ("plan", "rows", "planned", "started", "environment", "cached_controls", "spoiled")
        assert what in ("planned", "started", "environment") or result.exit_code in (1, 3, 4)


def test_a_row_that_was_removed_is_found(cut_off: Path) -> None:
    from sqlite3 import connect

    number = number_of(cut_off, 5)
    with connect(cut_off / "journal.sqlite") as db:
        db.execute("DELETE FROM log WHERE number = ?", (number,))
    db.close()
    with pytest.raises(JournalError, match=f"row {number} of its log is missing"):
        Journal(cut_off / "journal.sqlite")


def test_part_of_a_plan_is_no_plan(cut_off: Path) -> None:
    with Journal(cut_off / "journal.sqlite") as journal:
        last = max(journal._plan["fake.yes|target"].values())
    damage(cut_off, last)
    from sqlite3 import connect

    with connect(cut_off / "journal.sqlite") as db:
        db.execute("UPDATE log SET idx = 77 WHERE number = ?", (last,))
    db.close()
    assert log.salvage(cut_off / "journal.sqlite")
    with Journal(cut_off / "journal.sqlite") as journal:
        assert journal.series() == []
        assert journal.get("settings") is not None


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE batches (series TEXT)",
        "CREATE TRIGGER t AFTER INSERT ON log BEGIN DELETE FROM log; END",
        "ALTER TABLE log ADD COLUMN more TEXT",
    ],
)
def test_other_tables_are_refused(cut_off: Path, statement: str) -> None:
    from sqlite3 import connect

    with connect(cut_off / "journal.sqlite") as db:
        db.execute(statement)
    db.close()
    with pytest.raises(JournalError, match="its tables are not those that this version"):
        Journal(cut_off / "journal.sqlite")


def test_a_journal_of_the_version_before_is_refused_and_its_result_is_rendered(
    cut_off: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from sqlite3 import connect

    from guardrails import cli

    run_audit(fakes.FakeTarget(0.3), resume=cut_off)
    values = json.loads((cut_off / "result.json").read_text())
    del values["sha256"], values["targets"][0]["inputs"]
    (cut_off / "result.json").write_text(json.dumps(values | {"schema_version": "1.1"}))
    (cut_off / "journal.sqlite").unlink()
    with connect(cut_off / "journal.sqlite") as db:
        db.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
    db.close()
    for salvage in (False, True):
        with pytest.raises(JournalError, match=r"A run of another version cannot be resumed: start a new one") as told:
            run_audit(fakes.FakeTarget(0.3), resume=cut_off, salvage=salvage)
        assert "--salvage" not in str(told.value)  # there is nothing that it could keep
    assert cli.run(["report", str(cut_off), "--format", "markdown"]) == 0
    assert "fake.yes" in capsys.readouterr().out


def test_a_damaged_result_is_one_message(cut_off: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from guardrails import cli

    run_audit(fakes.FakeTarget(0.3), resume=cut_off)
    file = cut_off / "result.json"
    whole, draw = file.read_bytes(), random.Random(0)
    for i in range(20):
        flip(file, draw) if i else file.write_bytes(whole[: len(whole) // 2])
        assert cli.run(["report", str(cut_off), "--format", "json"]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert len(captured.err.splitlines()) <= 2
        file.write_bytes(whole)
    assert cli.run(["report", str(cut_off), "--format", "json"]) == 0
    assert capsys.readouterr().out.encode() == whole


@pytest.mark.parametrize("number", [1, 3])
def test_a_journal_of_which_nothing_can_be_salvaged_advises_a_new_run(cut_off: Path, number: int) -> None:
    damage_seconds(cut_off / "journal.sqlite", number)
    for salvage in (False, True):
        with pytest.raises(JournalError, match=rf"row {number} of its log .*start a new run") as told:
            run_audit(fakes.FakeTarget(0.3), resume=cut_off, salvage=salvage)
        assert "--salvage" not in str(told.value)


def test_salvage_goes_with_resume(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="name it with --resume"):
        run_audit(fakes.FakeTarget(0.3), salvage=True, out=tmp_path / "run")
    with pytest.raises(ConfigurationError, match="name it with --resume"):
        run_scan([str(tmp_path)], salvage=True, out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_that_begins_meanwhile_is_told_so(
    cut_off: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "how_to_resume", lambda folder: None)  # it looked before the other one began
    with pytest.raises(ConfigurationError, match="already holds a run"):
        run_audit(fakes.FakeTarget(0.3), out=cut_off)


def test_a_disk_that_fills_before_the_run_began_advises_no_resume(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.sqlite") as journal:
        pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
        journal._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(JournalError, match="full; nothing of the run is kept") as error:
            journal.put("settings", {"corpus": "x" * 100_000})
    assert "--resume" not in str(error.value)
    with Listing(tmp_path / "scan.sqlite") as listing:
        listing._db.execute("PRAGMA max_page_count = 1")
        with pytest.raises(JournalError, match="nothing of the run is kept"):
            listing.put("settings", "x" * 100_000)
