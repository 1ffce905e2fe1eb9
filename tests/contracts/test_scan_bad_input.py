"""Whatever a file holds, a scan has a row for it with a reason, and goes on."""

from __future__ import annotations

import io
import json
import os
import re
import resource
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image as Pillow

from guardrails.assay.scan import identify as scan_file
from guardrails.assay.scan import run as engine
from guardrails.assay.scan.gallery import with_pictures
from guardrails.assay.scan.run import run_scan
from guardrails.core.results.scan import ScanControl, ScanResult
from guardrails.kit.video import write_video
from reports import render

DETECTOR = "deepfake.radial"
FUZZED = 5000
SEED = 0


def scanned(folder: Path, run: Path) -> list[dict[str, Any]]:
    """Scan with a detector whose controls are taken as seen."""
    outcome = ScanControl(
        detector=DETECTOR, behaved=True, auc=0.9, low=0.8, high=0.95, n=(100, 100), controls=(), reason=None
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "kept_outcome", lambda name: outcome)
        run_scan([str(folder)], detectors=[DETECTOR], out=run, workers=2)
    return [json.loads(line) for line in (run / "scan.jsonl").read_text().splitlines()]


def photograph(side: int = 128) -> Pillow.Image:
    from skimage import data

    return Pillow.fromarray(data.astronaut()[:side, :side])


def encoded(picture: Pillow.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def bomb() -> bytes:
    """A PNG whose header states 50,000 x 50,000 pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def turned() -> bytes:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    return encoded(photograph().resize((128, 96)), "JPEG", exif=exif)


def lying(folder: Path) -> bytes:
    """An AVI whose header states a billion frames of 60,000 x 60,000."""
    path = write_video(np.zeros((3, 32, 32, 3), np.uint8), folder.parent / "short.avi", 5)
    data = bytearray(path.read_bytes())
    at = data.index(b"avih") + 8
    struct.pack_into("<I", data, at + 16, 1_000_000_000)
    struct.pack_into("<II", data, at + 32, 60_000, 60_000)
    at = data.index(b"strf") + 8
    struct.pack_into("<ii", data, at + 4, 60_000, 60_000)
    return bytes(data)


def wav(samples: Any) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, 16_000, format="WAV", subtype="FLOAT")
    return buffer.getvalue()


def wide(values: Any) -> bytes:
    return encoded(Pillow.fromarray(np.asarray(values, dtype=np.uint16)), "PNG")


BAD: dict[str, Callable[[Path], bytes]] = {
    "alpha.png": lambda _: encoded(photograph().convert("RGBA"), "PNG"),
    "animated.gif": lambda _: encoded(
        photograph(), "GIF", save_all=True, append_images=[photograph().rotate(90)], duration=50
    ),
    "bomb.png": lambda _: bomb(),
    "cmyk.jpg": lambda _: encoded(photograph().convert("CMYK"), "JPEG"),
    "empty.jpg": lambda _: b"",
    "lying.avi": lying,
    "nan.wav": lambda _: wav(np.full(1600, np.nan, np.float32)),
    "no-frames.avi": lambda _: b"RIFF\x00\x01\x00\x00AVI LIST" + bytes(200),
    "one.png": lambda _: encoded(Pillow.new("RGB", (1, 1)), "PNG"),
    "silence.wav": lambda _: wav(np.zeros(16_000, np.float32)),
    "sixteen.png": lambda _: wide(np.arange(128 * 128).reshape(128, 128) * 4),
    "text.png": lambda _: b"no picture\n",
    "truncated.jpg": lambda _: encoded(photograph(), "JPEG")[:2000],
    "turned.jpg": lambda _: turned(),
}


@pytest.fixture(scope="module")
def rows_by_name(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The rows of a scan of all that is bad, by file name."""
    folder = tmp_path_factory.mktemp("bad") / "in"
    folder.mkdir()
    for name, make in BAD.items():
        (folder / name).write_bytes(make(folder))
    (folder / "up").symlink_to("..")
    (folder / "loop").symlink_to("loop")
    (folder / "gone").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    for i, name in enumerate(HOSTILE):
        with open(os.fsencode(folder) + b"/" + name, "wb") as file:
            file.write(encoded(photograph(100 + i), "PNG"))
    rows = scanned(folder, folder.parent / "run")
    assert len(rows) == len(BAD) + 4 + len(HOSTILE)
    return {row["path"].rpartition("/")[2]: row for row in rows}


HOSTILE = (
    b"line\nbreak.png", b"control\x1b[31m\x07.png", b"<script>alert(1)<.png", b"not-utf8-\xff\xfe.png",
    "\u202egnp.exe".encode(), b"{{ 7 * 7 }}.png", b"--help", b"a*?[b].png",
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("bomb.png", "more pixels than the limit of 50,000,000"),
        ("truncated.jpg", "damaged or cut short"),
        ("no-frames.avi", "not a video|no frame"),
        ("lying.avi", "limit|not a video|no frame"),
        ("up", "a link to a folder: not followed"),
        ("loop", "a link that leads to no file"),
        ("gone", "a link that leads to no file"),
        ("pipe", "not a regular file"),
    ],
)
def test_what_cannot_be_looked_at_says_why(rows_by_name: dict[str, dict[str, Any]], name: str, reason: str) -> None:
    assert re.search(reason, rows_by_name[name]["error"])
    assert rows_by_name[name]["detections"] == []


@pytest.mark.parametrize("name", ["alpha.png", "animated.gif", "cmyk.jpg", "sixteen.png", "turned.jpg", "one.png"])
def test_what_can_be_looked_at_is(rows_by_name: dict[str, dict[str, Any]], name: str) -> None:
    row = rows_by_name[name]
    assert row["error"] is None
    (said,) = row["detections"]
    assert said["score"] is not None or name == "one.png"
    assert said["reasons"]


def test_notes_say_what_is_odd(rows_by_name: dict[str, dict[str, Any]]) -> None:
    assert "animated: the first frame stands for it" in rows_by_name["animated.gif"]["notes"]
    assert "called .png, but its content is text (UTF-8)" in rows_by_name["text.png"]["notes"]
    assert "called .jpg, but its content is empty" in rows_by_name["empty.jpg"]["notes"]
    assert rows_by_name["turned.jpg"]["facts"]["orientation"] == 6
    for name in ("silence.wav", "nan.wav"):
        assert rows_by_name[name]["type"] == "audio"
        assert rows_by_name[name]["notes"] == ["no detector for audio was asked for"]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_is_a_name(rows_by_name: dict[str, dict[str, Any]], name: bytes) -> None:
    row = rows_by_name[name.decode("utf-8", "backslashreplace")]
    assert row["detections"][0]["score"] is not None
    if b"\xff" in name:
        assert bytes.fromhex(row["path_bytes"]).endswith(name)
    else:
        assert "path_bytes" not in row


def test_an_unreadable_file_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "secret.png").write_bytes(b"x")
    opened = os.open

    def refuse(path: Any, *rest: Any) -> int:
        if str(path).endswith("secret.png"):
            raise PermissionError(13, "Permission denied")
        return opened(path, *rest)

    monkeypatch.setattr(scan_file.os, "open", refuse)  # as root nothing is unreadable
    (row,) = scanned(tmp_path / "in", tmp_path / "run")
    assert row["error"] == "cannot be read: Permission denied"


def seeds(folder: Path) -> list[bytes]:
    """Valid files of every kind, small."""
    small = photograph(24)
    made = [encoded(small, format) for format in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP")]
    tone = np.sin(np.arange(800) / 9).astype(np.float32)
    for format in ("WAV", "FLAC", "OGG"):
        soundfile.write(folder / "tone", tone, 8000, format=format)
        made.append((folder / "tone").read_bytes())
    for suffix in (".avi", ".mp4"):
        made.append(write_video(np.zeros((3, 32, 32, 3), np.uint8), folder / f"film{suffix}", 5).read_bytes())
    return made


def mutated(made: list[bytes], n: int, seed: int) -> Iterator[bytes]:
    """Yield n inputs as a fuzzer makes them: bits turned, bytes set to extremes, cut, repeated, spliced."""
    rng = np.random.default_rng(seed)
    extremes = np.array([0, 1, 127, 128, 255], dtype=np.uint8)
    for i in range(n):
        data = np.frombuffer(made[i % len(made)], dtype=np.uint8).copy()
        head = min(len(data), 200) if rng.random() < 0.6 else len(data)
        at = rng.integers(0, head, size=rng.integers(1, 9))
        match rng.integers(0, 5):
            case 0:
                data[at] ^= (1 << rng.integers(0, 8, size=len(at))).astype(np.uint8)
            case 1:
                data[at] = rng.choice(extremes, size=len(at))
            case 2:
                data = data[: rng.integers(1, len(data))]
            case 3:
                start = rng.integers(0, len(data))
                data = np.concatenate([data[: start + 32], data[start:]])
            case _:
                other = np.frombuffer(made[rng.integers(len(made))], dtype=np.uint8)
                data = np.concatenate([data[: rng.integers(8, len(data))], other[rng.integers(0, len(other)) :]])
        yield data.tobytes() + i.to_bytes(3, "big")  # no two alike


@pytest.mark.slow
def test_five_thousand_broken_files_end_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for i, data in enumerate(mutated(seeds(tmp_path), FUZZED, SEED)):
        (folder / f"{i:05d}").write_bytes(data)
    rows = scanned(folder, tmp_path / "run")
    assert len(rows) == FUZZED
    stopped = "crashed|took longer than|did not get on|needs more memory"
    ended = [row for row in rows if row["error"] and re.search(stopped, row["error"])]
    assert ended == []
    for row in rows:
        assert row["error"] != ""
        assert row["error"] or row["detections"] or row["notes"] or row["facts"]
    assert sum(row["error"] is not None for row in rows) > FUZZED / 20
    assert sum(bool(row["detections"]) for row in rows) > FUZZED / 20
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # kilobytes, of whatever child was the largest
    assert largest < 3_000_000
    assert render(with_pictures(ScanResult.read(tmp_path / "run")), "html")
