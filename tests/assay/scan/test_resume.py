"""A scan that goes on in a world that changed: refused, or each row says what was read."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guardrails.assay.scan import resume as scan_resume
from guardrails.assay.scan.listing import Listing
from guardrails.assay.scan.run import run_scan
from guardrails.core.errors import ConfigurationError, JournalError

from ..scan_plugin import installed, picture, rows


@pytest.fixture(scope="module", autouse=True)
def top(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with two scans that were begun there by relative paths, ``a`` of one folder and ``b`` of another."""
    top = tmp_path_factory.mktemp("top")
    with installed(tmp_path_factory.mktemp("plugin")), pytest.MonkeyPatch.context() as patch:
        patch.chdir(top)
        for name, first in (("a", 10), ("b", 15)):
            (top / f"in-{name}").mkdir()
            for i in range(6):
                (top / f"in-{name}" / f"{i}.png").write_bytes(picture(30 * i + first))
            run_scan([f"in-{name}"], detectors=["own.bright"], out=Path(name), workers=1)
        yield top


@pytest.fixture
def run(top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a scan with three of its six rows, beside what it scans."""
    shutil.copytree(top, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(top)
    lines = (tmp_path / "a" / "scan.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "a" / "scan.jsonl").write_bytes(b"".join(lines[:3]))
    return tmp_path / "a"


@pytest.mark.slow
def test_relative_paths_are_not_those_of_another_folder(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for named in ([], ["in-a"]):
        with pytest.raises(ConfigurationError, match=r"was begun in .*, and its path in-a would be another one here"):
            run_scan(named, out=run, resume=True)
    assert len(rows(run)) == 3


@pytest.mark.slow
def test_a_row_has_the_hash_of_what_was_read(run: Path, top: Path) -> None:
    places = [top / "in-a" / f"{i}.png" for i in range(6)]
    before = [place.read_bytes() for place in places]
    try:
        for place, other in ((0, 5), (5, 0)):
            places[place].write_bytes(before[other])
        places[1].unlink()
        places[4].unlink()
        run_scan([], out=run, resume=True, workers=1)
    finally:
        for place, content in zip(places, before, strict=True):
            place.write_bytes(content)
    read = [before[0], before[1], before[2], before[3], None, before[0]]
    assert [row["sha256"] for row in rows(run)] == [c and hashlib.sha256(c).hexdigest() for c in read]
    assert "No such file" in rows(run)[4]["error"]
    assert rows(run)[5]["duplicate_of"] == "in-a/0.png"


@pytest.mark.parametrize("file", ["scan.jsonl", "scan.sqlite"])
def test_a_file_of_another_scan_is_refused(run: Path, file: str) -> None:
    shutil.copyfile(run.parent / "b" / file, run / file)
    with pytest.raises(JournalError, match="row 1 does not fit its checksum"):
        run_scan([], out=run, resume=True)


def test_rows_without_their_listing_are_no_scan(run: Path) -> None:
    (run / "scan.sqlite").unlink()
    with pytest.raises(ConfigurationError, match="holds no scan to resume"):
        run_scan([], out=run, resume=True)


def test_a_listing_without_its_rows_is_scanned_anew(run: Path, top: Path) -> None:
    (run / "scan.jsonl").unlink()
    run_scan([], out=run, resume=True, workers=1)
    assert rows(run) == rows(top / "a")


def scan_of(folder: Path, **settings: Any) -> dict[str, Any]:
    return {"paths": ["in"], "detectors": [], "sources": "", "arguments": {}} | settings


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, []),
        ({"paths": ["s3://bucket/a"]}, ["paths"]),
        ({"detectors": ["deepfake.own:module:Class"]}, ["detectors"]),
        ({"detectors": ["deepfake.features:folder"]}, ["detectors"]),
        ({"detectors": ["deepfake.reconstruction:python:a:b"]}, ["detectors"]),
        ({"detectors": ["deepfake.network:absent.onnx"]}, ["detectors"]),
        ({"detectors": ["deepfake.network:here.onnx#centre", "deepfake.*"]}, []),
    ],
)
def test_what_runs_code_or_reaches_a_network_is_named_again(
    tmp_path: Path, settings: dict[str, Any], named: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.onnx").write_bytes(b"")
    given = scan_of(tmp_path, **settings)
    assert list(scan_resume.to_be_named(given)) == named
    with Listing(tmp_path / "scan.sqlite") as listing:
        nothing: dict[str, list[str]] = {"paths": [], "detectors": []}
        if named:
            with pytest.raises(ConfigurationError, match="If you trust it, name it again"):
                scan_resume.check_named(given, nothing, listing, tmp_path)
        scan_resume.check_named(given, nothing | {name: given[name] for name in named}, listing, tmp_path)


def test_a_listing_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    with Listing(tmp_path / "scan.sqlite") as listing:
        listing._db.execute("INSERT INTO items VALUES (0, ?, NULL)", (b"http://127.0.0.1/inside",))
        for paths in (["in"], ["http://example.org/pictures"], ["s3://bucket"]):
            given = scan_of(tmp_path, paths=paths)
            with pytest.raises(JournalError, match="which no PATH of the scan holds"):
                scan_resume.check_named(given, {"paths": paths, "detectors": []}, listing, tmp_path)


@pytest.mark.parametrize("text", ["[]", "3", "{}", '{"paths": 3}', "nonsense", '{"paths": [1], "detectors": []}'])
def test_settings_that_are_none_are_one_message(tmp_path: Path, text: str) -> None:
    with Listing(tmp_path / "scan.sqlite") as listing:
        listing.put("settings", text)
        with pytest.raises(JournalError, match="not the settings of a scan"):
            scan_resume.stored_settings(listing, tmp_path)
