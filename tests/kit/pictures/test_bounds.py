"""Pictures that ask for more than they give: each is refused before it is decoded, and ordinary ones are not."""

from __future__ import annotations

import io
import itertools
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from guardrails.core.errors import ContentError
from guardrails.core.targets import Modality
from guardrails.deepfake.images.file_traces import metadata
from guardrails.kit.content import Content, facts_of
from guardrails.kit.io import read_image, read_picture
from guardrails.kit.pictures import bounds
from guardrails.kit.pictures.bounds import Metered, _blocks, _scans, check_size
from guardrails.kit.pictures.folder import ImageFolder


def encoded(format: str, side: int = 64, **options: Any) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    out = io.BytesIO()
    Pillow.fromarray(pixels).save(out, format, **options)
    return out.getvalue()


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *before: bytes, coded: bytes | None = None) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    coded = zlib.compress(bytes(height * (1 + -(-width // 8)))) if coded is None else coded
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + chunk(b"IDAT", coded) + chunk(b"IEND")


def segment(marker: int, data: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def jpeg(*segments: bytes) -> bytes:
    plain = encoded("JPEG")
    return plain[:2] + b"".join(segments) + plain[2:]


def scanned(width: int, height: int, scans: int) -> bytes:
    """Return a progressive JPEG of one scan of nothing after the other."""
    plain = encoded("JPEG", progressive=True)
    size = plain.index(b"\xff\xc2") + 5
    head = plain[:size] + struct.pack(">HH", height, width) + plain[size + 4 : plain.index(b"\xff\xda")]
    nothing = b"\xff\xda\0\x08\x01\x01\0\x01\x05\0" + bytes(16)
    return head + b"\xff\xda\0\x0c\x03\x01\0\x02\0\x03\0\0\0\0" + bytes(16) + nothing * scans + b"\xff\xd9"


def codestream(side: int, style: bytes, *, in_tile: bool = False) -> bytes:
    """Return the JPEG 2000 codestream of an empty picture; its style may stand in the header of the tile alone."""
    size = segment(0x51, struct.pack(">HIIIIIIIIH", 0, side, side, 0, 0, side, side, 0, 0, 1) + b"\x07\x01\x01")
    plain = segment(0x52, bytes([0, 0, 0, 1, 0, 5, 4, 4, 0, 1]))
    custom = segment(0x52, bytes([1, 0, 0, 1, 0]) + style)
    steps = segment(0x5C, b"\x40" + b"\x40" * 16)
    tile = (custom if in_tile else b"") + b"\xff\x93"
    part = b"\xff\x90" + struct.pack(">HHIBB", 10, 0, 12 + len(tile), 0, 1) + tile
    return b"\xff\x4f" + size + (plain if in_tile else custom) + steps + part + b"\xff\xd9"


def boxed(stream: bytes) -> bytes:
    """Return a codestream as a JP2 file."""
    side = struct.unpack(">II", stream[8:16])
    header = struct.pack(">IIHBBBB", side[1], side[0], 1, 7, 7, 0, 0)
    colour = struct.pack(">I", 15) + b"colr\x01\0\0" + struct.pack(">I", 17)
    inner = struct.pack(">I", 22) + b"ihdr" + header + colour
    return (
        b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\x14ftypjp2 \0\0\0\0jp2 "
        + struct.pack(">I", 8 + len(inner)) + b"jp2h" + inner
        + struct.pack(">I", 8 + len(stream)) + b"jp2c" + stream
    )  # fmt: skip


def tiff(*extra: tuple[int, int, int, int]) -> bytes:
    entries = sorted(
        [(256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1),
         (279, 4, 1, 64), *extra]
    )  # fmt: skip
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + directory + bytes(4 + 5_000_000)


def webp_canvas(width: int, height: int) -> bytes:
    sides = b"".join(struct.pack("<I", n - 1)[:3] for n in (width, height))
    still = encoded("WEBP", lossless=True)[12:]
    frame = bytes(6) + struct.pack("<I", 63)[:3] * 2 + bytes(4) + still
    chunks = [(b"VP8X", b"\x02\0\0\0" + sides), (b"ANIM", bytes(6)), (b"ANMF", frame)]
    body = b"WEBP" + b"".join(k + struct.pack("<I", len(d)) + d + bytes(len(d) % 2) for k, d in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


PRECINCTS = bytes([5, 4, 4, 0, 1]) + b"\x00" + b"\x11" * 5
EXIF = b"Exif\0\0MM\0*\0\0\0\x08\0\0" + bytes(60_000)
HOSTILE = {
    "a row of pixels on end": (lambda: png(1, 49_999_999, coded=zlib.compress(b"\0\0")), "no side may be longer"),
    "a long row of pixels": (lambda: png(49_999_999, 1, coded=zlib.compress(b"\0\0")), "no side may be longer"),
    "narrow": (lambda: b"P4 20 70000\n" + bytes(210_000), "no side may be longer"),
    "EXIF in many segments": (lambda: jpeg(*[segment(0xE1, EXIF)] * 20), "EXIF of"),
    "EXIF of a PNG": (lambda: png(8, 8, chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\0" + bytes(1 << 20))), "EXIF of"),
    "metadata without end": (lambda: jpeg(*[segment(0xE5, bytes(65_000))] * 300), "bytes of metadata"),
    "metadata with a scan in it": (
        lambda: jpeg(segment(0xE5, b"\xff\xda" + bytes(65_000)), *[segment(0xE1, EXIF)] * 300), "EXIF of"
    ),
    "EXIF after other metadata": (
        lambda: jpeg(*[segment(0xE5, b"\xff\xda" + bytes(65_000))] * 270, *[segment(0xE1, EXIF)] * 300),
        "bytes of metadata",
    ),
    "ten thousand scans": (lambda: scanned(64, 64, 10_000), "scans"),
    "sixty scans of fifty megapixels": (lambda: scanned(7000, 7000, 60), "scans"),
    "precincts of a pixel": (lambda: codestream(7000, PRECINCTS), "precincts"),
    "precincts of a pixel in a box": (lambda: boxed(codestream(7000, PRECINCTS)), "precincts"),
    "precincts of a pixel in a tile": (lambda: codestream(7000, PRECINCTS, in_tile=True), "precincts"),
    "code-blocks of 16 pixels": (lambda: codestream(7000, bytes([5, 0, 0, 0, 1]) + b"\xff" * 6), "code-blocks"),
    "a directory of numbers": (lambda: tiff((40_000, 3, 2_000_000, 8)), "numbers"),
    "a tile of gigabytes": (lambda: tiff((322, 4, 1, 60_000), (323, 4, 1, 60_000)), "more than the limit"),
    "comments between digits": (lambda: b"P2 64 64 255\n" + b"#a\n" * 2000 + b"0 " * 4096, "2,000 comments"),
    "a canvas of gigabytes": (lambda: webp_canvas(16_383, 16_383), "more than the limit"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_asks_for_too_much_is_refused_before_it_is_decoded(name: str, tmp_path: Path) -> None:
    make, why = HOSTILE[name]
    path = tmp_path / "hostile.png"
    path.write_bytes(make())
    for read in (read_image, metadata):
        with pytest.raises(ContentError, match=why):
            read(path)


@pytest.mark.parametrize(
    "data", [png(8, 8, chunk(b"tEXt", b"a\0") * 2000), png(8, 8, chunk(b"prVt") * 2000), jpeg(b"\xff" * 6000)]
)
def test_millions_of_chunks_or_fill_bytes_end(data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(data)
    assert read_image(path).shape[2] == 3
    monkeypatch.setattr(bounds, "MAX_READS", 4000)
    with pytest.raises(ContentError, match=r"a\.png: more than 4,000 chunks or fill bytes"):
        read_image(path)


def test_a_decoder_that_reads_the_same_bytes_again_and_again_is_stopped() -> None:
    file = Metered(io.BytesIO(bytes(100_000)), 250_000)
    for _ in range(2):
        assert len(file.read()) == 100_000
        file.seek(0)
    with pytest.raises(ContentError, match="again and again"):
        file.read()


def test_decimal_digits_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.ppm"
    path.write_bytes(b"P2 4 4 255\n" + b"7 " * 16)
    assert (read_image(path) == 7).all()
    monkeypatch.setattr(bounds, "MAX_PLAIN", 20)
    with pytest.raises(ContentError, match="decimal digits"):
        read_image(path)


@pytest.mark.slow
def test_a_narrow_picture_costs_no_memory(tmp_path: Path) -> None:
    """The facts of a scan and the reading of a folder, each in a process of its own that measures itself."""
    path = tmp_path / "a.png"
    path.write_bytes(png(1, 49_999_999, coded=zlib.compress(b"\0\0")))
    script = """
import resource, sys
from pathlib import Path
from guardrails.core.targets import Modality
from guardrails.core.errors import ContentError
from guardrails.kit.content import Content, facts_of
from guardrails.kit.pictures.folder import ImageFolder
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
path = Path(sys.argv[1])
try:
    facts_of(path, Content(Modality.IMAGE, "PNG"))
except ContentError:
    print("refused")
print(len(ImageFolder(path.parent).problems), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    refused, numbers = done.stdout.splitlines()
    problems, kilobytes = map(int, numbers.split())
    assert (refused, problems) == ("refused", 1)
    assert kilobytes < 100_000


def test_the_facts_of_a_scan_have_the_same_bounds(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(1, 70_000))
    with pytest.raises(ContentError, match=r"^1 x 70000 pixels: no side"):
        facts_of(path, Content(Modality.IMAGE, "PNG"))
    ((name, why),) = ImageFolder(tmp_path).problems
    assert (name, why) == ("a.png", "1 x 70000 pixels: no side may be longer than 65,535")


ORDINARY = {
    "JPEG": {"quality": 90}, "progressive": {"format": "JPEG", "progressive": True}, "PNG": {}, "GIF": {}, "TIFF": {},
    "JPEG2000": {}, "small blocks": {"format": "JPEG2000", "codeblock_size": (16, 16), "irreversible": True},
    "tiled": {"format": "JPEG2000", "tile_size": (64, 64), "precinct_size": (64, 64)}, "WEBP": {}, "AVIF": {},
    "BMP": {}, "PPM": {},
}  # fmt: skip


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_pictures_are_read(name: str, tmp_path: Path) -> None:
    options = {"format": name} | ORDINARY[name]
    path = tmp_path / "a"
    path.write_bytes(encoded(side=256, **options))
    with Pillow.open(path) as picture:
        exact = np.asarray(picture.convert("RGB"))
    assert np.array_equal(read_picture(path).pixels, exact)


def test_long_pictures_up_to_the_limit_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(1, bounds.MAX_SIDE))
    assert read_image(path).shape == (bounds.MAX_SIDE, 1, 3)
    check_size(bounds.MAX_SIDE, 762)
    with pytest.raises(ContentError, match="limit of 50,000,000"):
        check_size(bounds.MAX_SIDE, 763)


@pytest.mark.parametrize("progressive", [False, True])
def test_scans_are_counted_as_they_stand_there(progressive: bool) -> None:
    """Coded data has no marker in it, so that in a file without metadata all that look like scans are scans."""
    data = encoded("JPEG", progressive=progressive)
    assert _scans(io.BytesIO(data)) == data.count(b"\xff\xda") >= 1
    behind = data + b"\xff\xda" * 5000  # what follows a picture is not decoded: a second one, a video
    assert _scans(io.BytesIO(behind)) == data.count(b"\xff\xda")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 3))
def test_counting_scans_ends_whatever_stands_there(tail: bytes, marks: int) -> None:
    data = b"\xff\xd8" + b"\xff\xda\0\x02" * marks + tail
    assert marks <= _scans(io.BytesIO(data)) <= data.count(b"\xff\xda")


@settings(max_examples=100, deadline=None)
@given(
    st.integers(4, 9), st.integers(0, 3), st.integers(0, 4), st.integers(0, 4),
    st.lists(st.tuples(st.integers(1, 8), st.integers(1, 8)), min_size=4, max_size=4),
)  # fmt: skip
def test_blocks_are_counted_by_cutting(side: int, levels: int, wide: int, high: int, sizes: list[Any]) -> None:
    """Of a square with a side that is a power of two, every resolution is cut without a rest."""
    style = bytes([levels, wide, high, 0, 1, *(across | down << 4 for across, down in sizes[: levels + 1])])
    total = 0
    for level in range(levels + 1):
        length, (across, down) = 2**side >> (levels - level), sizes[level]
        halved = int(level > 0)
        block = [min(2 ** (n + 2), 2 ** max(0, p - halved)) for n, p in ((wide, across), (high, down))]
        corners = itertools.product(range(0, length, block[0]), range(0, length, block[1]))
        total += sum(1 for _ in corners)
    assert _blocks(4**side, style, custom=True) <= total
    assert 4 * _blocks(4**side, style, custom=True) + 4 * (levels + 1) >= total or min(sizes) < (side, side)
