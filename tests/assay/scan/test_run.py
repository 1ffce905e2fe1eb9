"""Scanning: each file in one row, in a stable order, whatever happens in between."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from guardrails.assay.scan import run as module
from guardrails.assay.scan.identify import identify
from guardrails.assay.scan.listing import Found
from guardrails.assay.scan.local import examined
from guardrails.assay.scan.pool import Crashed, Worker
from guardrails.assay.scan.run import chosen, run_scan
from guardrails.assay.scan.watch import Patience
from guardrails.assay.scan.worker import Examiner, detection_row
from guardrails.core.detector import Detection
from guardrails.core.errors import ConfigurationError, JournalError
from guardrails.core.results.scan import ScanResult
from guardrails.kit.io import read_image

from ..scan_plugin import picture, rows
from .scanning import scanned

pytestmark = pytest.mark.usefixtures("plugin")


def test_each_file_is_a_row_in_the_order_of_paths(folder: Path, finished: Path) -> None:
    file_rows = rows(finished)
    names = [f"{i}.png" for i in range(6)] + ["deep/same.jpg", "deep/words.png"]
    assert [row["path"] for row in file_rows] == [str(folder / name) for name in names]
    first, same, words = file_rows[0], file_rows[6], file_rows[7]
    assert first["type"] == "image"
    assert first["facts"] == {"width": 16, "height": 16, "mode": "RGB"}
    (said,) = first["detections"]
    assert said["score"] == pytest.approx(10 / 255)
    assert said["verdict"] == "nothing found"
    assert same["duplicate_of"] == first["path"]
    assert same["detections"] == []
    assert words["type"] == "text"
    assert "no detector for text was asked for" in words["notes"]


def test_the_summary_counts_what_the_rows_say(finished: Path) -> None:
    summary = json.loads((finished / "summary.json").read_text())
    assert (summary["files"], summary["duplicates"], summary["errors"]) == (8, 1, 0)
    assert summary["verdicts"] == {"own.bright": {"nothing found": 4, "synthetic": 2}}
    ratios = [row["detections"][0]["likelihood_ratio"] for row in summary["top"]]
    assert ratios == sorted(ratios, reverse=True)


@pytest.mark.parametrize(
    "kept", [pytest.param(0, marks=pytest.mark.slow), 1, pytest.param(5, marks=pytest.mark.slow), 8]
)
def test_a_cut_off_scan_goes_on_where_it_was(finished: Path, tmp_path: Path, kept: int) -> None:
    whole = Path(shutil.copytree(finished, tmp_path / "whole"))
    text = (whole / "scan.jsonl").read_bytes()
    lines = text.splitlines(keepends=True)
    torn = lines[kept][:40] if kept < len(lines) else b""
    (whole / "scan.jsonl").write_bytes(b"".join(lines[:kept]) + torn)
    told: list[str] = []
    run_scan([], out=whole, resume=True, emit=told.append)
    assert (whole / "scan.jsonl").read_bytes() == text
    assert "".join(told).encode() == text


def test_a_scan_says_what_it_used_over_its_sessions(finished: Path, tmp_path: Path) -> None:
    before = ScanResult.read(finished).cost
    assert before is not None
    assert before.items == 8
    assert before.seconds > 0
    again = Path(shutil.copytree(finished, tmp_path / "again"))
    whole = run_scan([], out=again, resume=True)[0].cost
    assert whole is not None
    assert whole.seconds == pytest.approx(before.seconds)  # every row was there
    half = Path(shutil.copytree(finished, tmp_path / "half"))
    lines = (half / "scan.jsonl").read_bytes().splitlines(keepends=True)
    (half / "scan.jsonl").write_bytes(b"".join(lines[:1]))
    part = run_scan([], out=half, resume=True, workers=1)[0].cost
    assert part is not None
    assert (part.items, part.seconds > 0) == (8, True)


def test_a_detection_that_is_none_is_an_error_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture(90))
    row = identify(Found(0, str(tmp_path / "a.png").encode(), None), tmp_path).row()
    answer = {"facts": {}, "notes": ["seen"], "detections": [{"detector": "own.a", "verdict": "real"}], "error": None}
    assert (examined(row, answer).error or "").startswith("what a detector says of it is no detection: detections.0.")
    said = {"detector": "own.a", "score": 1, "probability": None, "likelihood_ratio": None, "verdict": "abstain"}
    good = examined(row, answer | {"detections": [said]})
    assert (good.error, good.notes, good.detections[0].score) == (None, ("seen",), 1.0)
    assert json.loads(good.line())["detections"][0]["segments"] == []


@pytest.mark.slow
def test_a_detector_that_cannot_be_used_leaves_the_folder_free(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(ConfigurationError) as told:
        run_scan([str(folder)], detectors=["deepfake.network:absent.onnx"], out=run)
    assert "no such file" in str(told.value)
    labels: list[str] = []
    result, _ = run_scan(
        [str(folder)], detectors=["own.bright"], out=run, progress=lambda done, total, label: labels.append(label)
    )
    assert result.files == 8
    assert ScanResult.read(run) == result
    assert len(labels) == 8


def test_what_was_asked_for_cannot_change_in_between(
    folder: Path, finished: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    run = finished
    with pytest.raises(ConfigurationError, match="already holds a scan"):
        run_scan([str(folder)], detectors=["own.bright"], out=run)
    with pytest.raises(ConfigurationError, match="begun with PATH"):
        run_scan([str(tmp_path)], out=run, resume=True)
    with pytest.raises(ConfigurationError, match=r"begun with --detectors own.bright"):
        run_scan([], detectors=["own.slow"], out=run, resume=True)
    with pytest.raises(ConfigurationError, match="holds no scan"):
        run_scan([], out=tmp_path / "other", resume=True)
    with pytest.raises(ConfigurationError, match="needs --out"):
        run_scan([], resume=True)
    monkeypatch.setattr("guardrails.assay.scan.resume.sources_sha256", lambda: "changed")
    with pytest.raises(ConfigurationError, match="changed since"):
        run_scan([], out=run, resume=True)


def test_what_an_argument_names_cannot_change_in_between(folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights").write_bytes(b"one")
    named, run = f"own.named:{model}", tmp_path / "run"
    before = scanned(folder / "0.png", run, named)
    (model / "weights").write_bytes(b"two")
    with pytest.raises(ConfigurationError, match=rf"what {named} names changed since the scan in {run} began"):
        run_scan([], detectors=[named], out=run, resume=True)
    (model / "weights").write_bytes(b"one")
    run_scan([], detectors=[named], out=run, resume=True)
    assert rows(run) == before


@pytest.mark.slow
def test_a_decoder_that_crashes_is_a_row(tmp_path: Path) -> None:
    top = tmp_path / "in"
    top.mkdir()
    for i, value in enumerate([50, 0, 90, 0, 120]):
        (top / f"{i}.png").write_bytes(picture(value, side=16 + i))
    file_rows = scanned(top, tmp_path / "run", "own.deadly")
    assert [row["error"] for row in file_rows] == [None, *["the decoder crashed (signal 9)", None] * 2]
    assert [bool(row["detections"]) for row in file_rows] == [True, False, True, False, True]


@pytest.mark.slow
def test_a_decoder_that_hangs_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "white.png"
    path.write_bytes(picture(255))
    worker = Worker(["own.deadly"])
    task = {"do": "examine", "path": str(path), "modality": "image", "format": "PNG"}
    begun = time.monotonic()
    try:
        worker.ask({**task, "modality": None})
        with pytest.raises(Crashed, match="longer than 1 s"):
            worker.ask(task, patience=Patience(0.6, 0.6))
        assert worker.ask({**task, "modality": None})["notes"]
    finally:
        worker.close()
    assert time.monotonic() - begun < 50


def test_a_detector_that_breaks_is_a_reason(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture(255))
    (row,) = scanned(tmp_path / "a.png", tmp_path / "run")
    assert row["error"] is None
    assert row["detections"][0]["reasons"] == ["the detector broke (ZeroDivisionError: too bright)"]


def test_a_disk_that_fails_says_how_to_go_on(folder: Path, tmp_path: Path, monkeypatch: Any) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_write_rows", full)
    with pytest.raises(JournalError, match=r"No space left on device.*--resume"):
        scanned(folder, tmp_path / "run")


def test_detectors_are_chosen_by_glob_id_and_argument() -> None:
    assert chosen(["own.b*", "own.slow", "own.bright"]) == ["own.bright", "own.slow"]
    with pytest.raises(ConfigurationError, match=r"no detector is called 'own.brigt'.*own.bright"):
        chosen(["own.brigt"])
    with pytest.raises(ConfigurationError, match="takes no argument"):
        chosen(["own.bright:x"])
    with pytest.raises(ConfigurationError, match="unknown engine"):
        run_scan(["."], engine="rays")


def test_what_is_no_verdict_is_an_abstention() -> None:
    row = detection_row("own.a", Detection("", 0.1, 0.1, "real", ("dark",)))  # type: ignore[arg-type]
    assert row["verdict"] == "abstain"
    assert row["reasons"] == ["'real' is no verdict", "dark"]


def test_detectors_that_open_alike_share_what_was_read(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "a.png").write_bytes(picture(90))
    examiner = Examiner(["own.bright", "own.slow"])
    opened: list[Any] = []
    own_scan = sys.modules["own_scan"]
    monkeypatch.setattr(own_scan, "read_image", lambda path: opened.append(path) or read_image(path))
    answer = examiner.examine(str(tmp_path / "a.png"), "image", "PNG")
    assert len(answer["detections"]) == 2
    assert len(opened) == 1
