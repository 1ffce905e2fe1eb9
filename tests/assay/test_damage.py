"""Damaged run folders: refused in one message, or the result is that of the undamaged one."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guardrails.assay import log, resume
from guardrails.assay.audit import orchestrator as audit
from guardrails.assay.audit.journal import Journal
from guardrails.assay.audit.orchestrator import run_audit
from guardrails.assay.scan import run as scan
from guardrails.assay.scan.listing import SCHEMA, Listing
from guardrails.assay.scan.run import run_scan
from guardrails.core.errors import ConfigurationError, GuardrailsError, JournalError

from . import fakes
from .scan_plugin import installed, outcome, picture, rows

FLIPS = 200


class CutError(Exception):
    """Ends a run at a batch of the test's choice."""


@pytest.fixture
def cut_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of a run with 55 of its 100 batches."""
    fakes.install(monkeypatch)
    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path / "cache"))
    for module in (audit, resume):
        monkeypatch.setattr(module, "sources_sha256", lambda: "the code")

    def cut(step: Any) -> None:
        if step.done == 55:
            raise CutError

    with pytest.raises(CutError):
        run_audit(fakes.FakeTarget(0.3), out=tmp_path / "run", progress=cut)
    return tmp_path / "run"


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a finished scan of eight pictures."""
    with installed(tmp_path_factory.mktemp("plugin")):
        top = tmp_path_factory.mktemp("scanned")
        (top / "in").mkdir()
        for i in range(8):
            (top / "in" / f"{i}.png").write_bytes(picture(30 * i + 10))
        run = top / "run"
        run_scan([str(top / "in")], detectors=["own.bright"], out=run, workers=1)
        yield run


def flip(file: Path, draw: random.Random) -> None:
    content = bytearray(file.read_bytes())
    bit = draw.randrange(8 * len(content))
    content[bit // 8] ^= 1 << bit % 8
    file.write_bytes(content)


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
        assert what in ("plan", "rows", "planned", "started", "cached_controls", "spoiled")
        assert what in ("planned", "started") or result.exit_code in (1, 3, 4)


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


@pytest.mark.slow
def test_a_scan_s_flipped_bit_is_named_or_changes_nothing(scanned: Path, tmp_path: Path) -> None:
    text, summary = (scanned / "scan.jsonl").read_bytes(), json.loads((scanned / "summary.json").read_text())
    draw, refused = random.Random(0), []
    for i in range(FLIPS):
        run = shutil.copytree(scanned, tmp_path / "run")
        flip(run / ("scan.sqlite", "scan.sqlite", "scan.jsonl")[i % 3], draw)
        try:
            run_scan([], out=run, resume=True, workers=1)
            assert (run / "scan.jsonl").read_bytes() == text
            assert json.loads((run / "summary.json").read_text()) == summary
        except GuardrailsError as error:
            refused.append(str(error))
        shutil.rmtree(run)
    assert len(refused) > FLIPS / 4
    assert all(str(run) in message and "\n" not in message for message in refused)


@pytest.mark.parametrize("last", [False, True])
def test_a_changed_row_of_a_scan_is_named_and_asked_again(scanned: Path, tmp_path: Path, last: bool) -> None:
    run = shutil.copytree(scanned, tmp_path / "run")
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


def test_a_damaged_listing_is_salvaged_or_refused(scanned: Path, tmp_path: Path) -> None:
    from sqlite3 import connect

    run = shutil.copytree(scanned, tmp_path / "run")
    with connect(run / "scan.sqlite") as db:
        db.execute("UPDATE log SET body = 'ab' WHERE kind = 'row' AND idx = 3")
    db.close()
    with pytest.raises(JournalError, match=r"row \d+ of its log \(row\) does not fit its checksum"):
        run_scan([], out=run, resume=True)
    run_scan([], out=run, resume=True, salvage=True, workers=1)
    assert rows(run) == rows(scanned)
    with connect(run / "scan.sqlite") as db:
        db.execute("UPDATE items SET place = ? WHERE number = 3", (b"/etc/hostname",))
    db.close()
    for option in (False, True):
        with pytest.raises(JournalError, match="its list of files is not the one that was made"):
            run_scan([], out=run, resume=True, salvage=option)


def test_outcomes_of_controls_that_lie_in_a_new_folder_are_not_believed(
    scanned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, failed = tmp_path / "run", outcome("own.bright", behaved=False, auc=0.5, low=0.4, high=0.6)
    run.mkdir()
    (run / "controls.json").write_text(json.dumps([outcome("own.bright")]))
    with Listing(run / "scan.sqlite") as listing:  # it holds no scan
        listing.put("controls", json.dumps([outcome("own.bright")]))
    monkeypatch.setattr(scan, "kept_outcome", lambda name: failed)
    summary, _ = run_scan([str(scanned.parent / "in")], detectors=["own.bright"], out=run, workers=1)
    assert summary["controls"] == [failed]
    assert {row["detections"][0]["verdict"] for row in rows(run)} == {"abstain"}


def stored(scanned: Path, run: Path, outcomes: str) -> Path:
    """Return the folder of a scan that is to be resumed; outcomes of controls are stored in it as a stranger might."""
    with Listing(scanned / "scan.sqlite") as listing:
        settings = listing.get("settings")
    run.mkdir()
    with Listing(run / "scan.sqlite") as listing:
        listing.fill([str(scanned.parent / "in")], without=run, settings=settings or "")
        listing.put("controls", outcomes)
    return run


@pytest.mark.parametrize(
    "text", ["", "3", "[3]", "{}", "[{}]", "[" * 100_000, json.dumps([outcome("own.bright", auc="x")]),
             json.dumps([outcome("own.bright", auc=None)]), json.dumps([outcome("own.bright", n=[1])])]
)  # fmt: skip
def test_controls_that_are_none_are_one_message(scanned: Path, tmp_path: Path, text: str) -> None:
    run = stored(scanned, tmp_path / "run", text)
    with pytest.raises(JournalError, match=r"scan.sqlite: not the outcomes of controls"):
        run_scan([], out=run, resume=True, workers=1)


@pytest.mark.parametrize("outcomes", [[], [outcome("own.slow")], [outcome("own.bright"), outcome("own.slow")]])
def test_controls_of_other_detectors_are_refused(scanned: Path, tmp_path: Path, outcomes: list[Any]) -> None:
    run = stored(scanned, tmp_path / "run", json.dumps(outcomes))
    with pytest.raises(
        JournalError, match=r"the scan began with the detectors .*, and would go on with own.bright; start a new"
    ):
        run_scan([], out=run, resume=True, workers=1)


@pytest.mark.parametrize("number", [1, 3])
def test_a_journal_of_which_nothing_can_be_salvaged_advises_a_new_run(cut_off: Path, number: int) -> None:
    damage_seconds(cut_off / "journal.sqlite", number)
    for salvage in (False, True):
        with pytest.raises(JournalError, match=rf"row {number} of its log .*start a new run") as told:
            run_audit(fakes.FakeTarget(0.3), resume=cut_off, salvage=salvage)
        assert "--salvage" not in str(told.value)


def test_a_listing_of_which_nothing_can_be_salvaged_advises_a_new_run(scanned: Path, tmp_path: Path) -> None:
    run = shutil.copytree(scanned, tmp_path / "run")
    damage_seconds(run / "scan.sqlite", 2)
    for salvage in (False, True):
        with pytest.raises(JournalError, match=r"row 2 of its log .*start a new run") as told:
            run_scan([], out=run, resume=True, salvage=salvage)
        assert "--salvage" not in str(told.value)


@pytest.mark.parametrize("of_a_scan", [False, True])
def test_salvage_is_advised_where_it_helps_and_only_there(
    cut_off: Path, scanned: Path, tmp_path: Path, of_a_scan: bool
) -> None:
    """Flips at the beginning of the file, where the tables are described, and in the whole of it."""
    opened, schema = (Listing, SCHEMA) if of_a_scan else (Journal, "")
    content = (scanned / "scan.sqlite" if of_a_scan else cut_off / "journal.sqlite").read_bytes()
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


def damage_seconds(file: Path, number: int) -> None:
    from sqlite3 import connect

    with connect(file) as db:
        db.execute("UPDATE log SET seconds = 7.5 WHERE number = ?", (number,))
    db.close()


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


def test_a_second_scan_that_begins_meanwhile_is_told_so(
    scanned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "how_to_resume", lambda folder: None)
    with pytest.raises(ConfigurationError, match="already holds a scan"):
        run_scan([str(tmp_path)], detectors=["own.bright"], out=scanned)


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


@pytest.mark.parametrize("name", ["result.part", "errors.log", "journal.lock", "journal.sqlite.damaged", "media/a.png"])
def test_a_run_does_not_write_where_a_link_leads(cut_off: Path, tmp_path: Path, name: str) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    link = cut_off / name
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(precious)
    with pytest.raises(ConfigurationError, match=rf"{name} is a link, and a run would write where it leads"):
        run_audit(fakes.FakeTarget(0.3), resume=cut_off, salvage=True)
    assert precious.read_text() == "mine"


@pytest.mark.parametrize(
    "name", ["journal.sqlite", "errors.log", "journal.lock", "media/a.png", "answers.sqlite-wal", "scan.jsonl"]
)
def test_a_run_does_not_write_into_a_hard_link(cut_off: Path, tmp_path: Path, name: str) -> None:
    precious, link = tmp_path / "precious.txt", cut_off / name
    link.parent.mkdir(exist_ok=True)
    link.touch()
    link.rename(precious)
    content = precious.read_bytes()
    link.hardlink_to(precious)
    with pytest.raises(ConfigurationError, match=rf"{name} is a hard link, and a run would write into the other file"):
        run_audit(fakes.FakeTarget(0.3), resume=cut_off, salvage=True)
    assert precious.read_bytes() == content


@pytest.mark.parametrize("name", ["result.json", "result.part", "report.html"])
def test_a_file_that_is_replaced_may_have_another_name(cut_off: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    (cut_off / name).hardlink_to(tmp_path / "precious.txt")
    run_audit(fakes.FakeTarget(0.3), resume=cut_off)
    assert json.loads((cut_off / "result.json").read_text())["findings"]
    assert (tmp_path / "precious.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["errors.log", "result.part", "journal.lock", "scan.jsonl", "media"])
def test_a_pipe_where_a_run_would_write_is_not_waited_for(cut_off: Path, name: str) -> None:
    (cut_off / name).unlink(missing_ok=True)
    os.mkfifo(cut_off / name)
    with pytest.raises(ConfigurationError, match=f"{name} is no file or folder, and a run would write to it; remove"):
        run_audit(fakes.FakeTarget(0.3), resume=cut_off)


def test_other_links_in_a_runs_folder_are_let_be(cut_off: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("data", "notes.md"):
        (cut_off / name).symlink_to(tmp_path / "data")
    assert run_audit(fakes.FakeTarget(0.3), resume=cut_off)[0].exit_code in (0, 1, 3)


def test_a_scan_does_not_write_where_a_link_leads(scanned: Path, tmp_path: Path) -> None:
    run, precious = tmp_path / "run", tmp_path / "precious.txt"
    shutil.copytree(scanned, run)
    precious.write_text("mine")
    (run / "summary.part").symlink_to(precious)
    with pytest.raises(ConfigurationError, match=r"summary\.part is a link"):
        run_scan([], out=run, resume=True)
    assert precious.read_text() == "mine"
