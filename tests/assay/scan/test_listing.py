"""Which files a scan reads: folders, globs, remote files, and their kinds."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import fsspec
import pytest

from guardrails.assay.scan import arguments as scan_arguments
from guardrails.assay.scan.arguments import arguments_sha256, place_sha256
from guardrails.assay.scan.kinds import kinds_in
from guardrails.assay.scan.listing import Found
from guardrails.core.errors import ConfigurationError
from guardrails.core.targets import Modality

from ..scan_plugin import picture, rows
from .scanning import scanned

pytestmark = pytest.mark.usefixtures("plugin")


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
