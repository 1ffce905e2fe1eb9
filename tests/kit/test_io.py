import base64
import contextlib
import io
import json
import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from guardrails.core.errors import ContentError
from guardrails.kit import io as kit
from guardrails.kit.pictures.folder import ImageFolder
from guardrails.kit.text import files
from guardrails.kit.text.corpus import read_documents

RED = (200, 30, 60)


def save(path, image, **options):
    image.save(path, **options)
    return path


def png_header(width, height):
    """A PNG that states a size and holds one pixel's worth of data."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 4)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tif", "gif"])
def test_every_format_reads_as_rgb(tmp_path, suffix):
    image = kit.read_image(save(tmp_path / f"a.{suffix}", Pillow.new("RGB", (7, 5), RED)))
    assert image.shape == (5, 7, 3)
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - RED).max() <= 6


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 90, (90, 90, 90)),
        ("1", 1, (255, 255, 255)),
        ("LA", (0, 0), (255, 255, 255)),
        ("RGBA", (200, 0, 100, 0), (255, 255, 255)),
        ("RGBA", (0, 0, 0, 128), (127, 127, 127)),
        ("P", 0, (0, 0, 0)),
    ],
)
def test_modes_become_rgb_over_white(tmp_path, mode, colour, expected):
    image = kit.read_image(save(tmp_path / "a.png", Pillow.new(mode, (3, 2), colour)))
    assert image.shape == (2, 3, 3)
    assert np.abs(image[0, 0].astype(int) - expected).max() <= 1


def test_cmyk_and_sixteen_bits(tmp_path):
    cmyk = kit.read_image(save(tmp_path / "c.jpg", Pillow.new("CMYK", (8, 8), (0, 255, 255, 0))))
    assert cmyk[4, 4, 0] > 200
    assert cmyk[4, 4, 1] < 60
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(2, 0)
    sixteen = kit.read_image(save(tmp_path / "g.png", Pillow.fromarray(ramp)))
    assert sixteen[0, 0, 0] == 0
    assert sixteen[0, -1, 2] == 255
    assert np.array_equal(sixteen[0, :, 0], np.arange(256))


def test_a_transparent_palette_lies_over_white(tmp_path):
    picture = Pillow.new("P", (2, 2), 0)
    picture.putpalette([10, 20, 30] * 256)
    image = kit.read_image(save(tmp_path / "p.png", picture, transparency=0))
    assert (image == 255).all()


STORED = {
    # How a camera stores an upright picture under each value of EXIF's tag Orientation.
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: upright.transpose(1, 0, 2)[::-1],
    7: lambda upright: upright.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda upright: upright.transpose(1, 0, 2)[:, ::-1],
}
TURNED = {
    "png": {"format": "PNG"},
    "jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    "webp": {"format": "WEBP", "lossless": True},
    "tiff": {"format": "TIFF"},
    "tiff, LZW": {"format": "TIFF", "compression": "tiff_lzw"},
    "tiff, JPEG": {"format": "TIFF", "compression": "jpeg", "quality": 95},
    "tiff, several pages": {"format": "TIFF", "save_all": True, "append_images": [Pillow.new("RGB", (5, 5))]},
    "bigtiff": {"format": "TIFF", "big_tiff": True},
    "bigtiff, LZW": {"format": "TIFF", "big_tiff": True, "compression": "tiff_lzw"},
}


def upright_pixels():
    """Smooth, and alike in no two of its eight positions."""
    y, x = np.mgrid[0:32, 0:48]
    return np.stack([x * 5, y * 7, (x + 2 * y) * 2], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", TURNED)
def test_orientation_is_applied_once_in_every_format(tmp_path, kind, orientation):
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(STORED[orientation](upright_pixels()))
    path = save(tmp_path / "o", Pillow.fromarray(stored), exif=exif, **TURNED[kind])
    picture = kit.read_image(path)
    assert picture.shape == upright_pixels().shape
    lossy = "jpeg" in (kind, TURNED[kind].get("compression"))
    assert np.abs(picture.astype(int) - upright_pixels()).mean() < (6 if lossy else 0.1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_a_tiled_tiff(tmp_path, orientation):
    stored = np.ascontiguousarray(STORED[orientation](upright_pixels()))
    height, width = stored.shape[:2]
    tiles = [stored[y : y + 16, x : x + 16].tobytes() for y in range(0, height, 16) for x in range(0, width, 16)]
    first = 8 + 2 + 12 * 12 + 4
    bits, offsets, counts = first, first + 6, first + 6 + 4 * len(tiles)
    data = counts + 4 * len(tiles)
    entries = [
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, bits), (259, 3, 1, 1), (262, 3, 1, 2),
        (274, 3, 1, orientation), (277, 3, 1, 3), (284, 3, 1, 1), (322, 3, 1, 16), (323, 3, 1, 16),
        (324, 4, len(tiles), offsets), (325, 4, len(tiles), counts),
    ]  # fmt: skip
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    for tag, kind, count, value in entries:
        head += struct.pack("<HHI", tag, kind, count) + struct.pack("<I", value)
    head += struct.pack("<I3H", 0, 8, 8, 8)
    head += struct.pack(f"<{len(tiles)}I", *(data + 768 * i for i in range(len(tiles))))
    head += struct.pack(f"<{len(tiles)}I", *[768] * len(tiles))
    (tmp_path / "t.tif").write_bytes(head + b"".join(tiles))
    assert np.array_equal(kit.read_image(tmp_path / "t.tif"), upright_pixels())


def test_only_the_first_frame_of_a_gif_is_read(tmp_path):
    frames = [Pillow.new("RGB", (4, 4), colour) for colour in ("white", "black")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (kit.read_image(tmp_path / "a.gif") == 255).all()


def test_a_gigapixel_header_is_refused_before_anything_is_decoded(tmp_path, recwarn):
    (tmp_path / "bomb.png").write_bytes(png_header(50_000, 20_001))
    (tmp_path / "middling.png").write_bytes(png_header(10_000, 10_000))  # where Pillow would only warn
    for name in ("bomb.png", "middling.png"):
        with pytest.raises(ContentError, match="pixels"):
            kit.read_image(tmp_path / name)
    assert not recwarn.list


def test_the_limit_counts_pixels(tmp_path):
    path = save(tmp_path / "a.png", Pillow.new("RGB", (10, 10)))
    assert kit.read_image(path, max_pixels=100).shape == (10, 10, 3)
    with pytest.raises(ContentError, match=r"10 x 10 pixels are more than the limit of 99"):
        kit.read_image(path, max_pixels=99)


def noise(size=64):
    return Pillow.fromarray(np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8))


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tif", "gif"])
def test_a_truncated_file_is_damaged(tmp_path, suffix):
    path = save(tmp_path / f"a.{suffix}", noise())
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ContentError, match=str(path)):
        kit.read_image(path)


@given(place=st.floats(0, 1), byte=st.integers(0, 255))
def test_a_flipped_byte_gives_a_picture_or_a_content_error(tmp_path_factory, place, byte):
    path = tmp_path_factory.mktemp("flip") / "a.png"
    data = bytearray(_PNG)
    data[int(place * (len(data) - 1))] = byte
    path.write_bytes(data)
    with contextlib.suppress(ContentError):
        assert kit.read_image(path).ndim == 3


_BUFFER = io.BytesIO()
noise(8).save(_BUFFER, "PNG")
_PNG = _BUFFER.getvalue()


@pytest.mark.parametrize("content", [b"", b"not a picture", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\x89PNG\r\n\x1a\n"])
def test_other_content_is_no_picture(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ContentError, match=r"a\.png"):
        kit.read_image(tmp_path / "a.png")


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(ContentError, match="no such file"):
        kit.read_image(tmp_path / "absent.png")
    with pytest.raises(ContentError, match="not a regular file"):
        kit.read_image(tmp_path)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    picture = Pillow.new("RGB", (4, 3), RED)
    for name in ("b.png", "a.JPG", "sub/c.png", "sub/deep/d.png", ".hidden/e.png", ".f.png"):
        save(tmp_path / name, picture, format="PNG")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "sub" / "bad.png").write_bytes(b"bad")
    os.symlink(tmp_path, tmp_path / "sub" / "loop")
    return tmp_path


def test_a_folder_is_listed_in_order_once_and_without_hidden_files(folder):
    images = ImageFolder(folder)
    assert images.names == ("a.JPG", "b.png", "sub/c.png", "sub/deep/d.png")
    assert images.ignored == (("notes.txt", "text"),)
    assert len(images) == 4
    assert images[0].shape == (3, 4, 3)
    assert images[-1].shape == (3, 4, 3)
    assert images[2:].names == ("sub/c.png", "sub/deep/d.png")
    with pytest.raises(IndexError):
        images[4]


def test_problems_are_named_and_left_out_of_what_is_readable(folder):
    images = ImageFolder(folder)
    ((name, reason),) = images.problems
    assert name == "sub/bad.png"
    assert reason == "called .png, but its content is text (UTF-8)"
    readable = images.readable()
    assert readable.names == ("a.JPG", "b.png", "sub/c.png", "sub/deep/d.png")
    assert readable.problems == images.problems
    assert len(list(readable)) == 4


def test_a_picture_is_told_by_its_content(tmp_path):
    picture = Pillow.new("RGB", (4, 3), RED)
    for i, (name, form) in enumerate(
        [("a.dat", "JPEG"), ("b", "PNG"), ("c.TXT", "WEBP"), ("d.PPM", "PPM"), ("e.avif", "AVIF"), ("f.jpg", "TIFF")]
    ):
        save(tmp_path / name, Pillow.new("RGB", (4 + i, 3), RED), format=form)
    picture.save(tmp_path / "g.webp", save_all=True, append_images=[Pillow.new("RGB", (4, 3))])  # an animation
    (tmp_path / "h.tga").write_bytes(b"\0\0\2" + b"\0" * 20)
    (tmp_path / "i.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (tmp_path / "j.md").write_text("notes")
    images = ImageFolder(tmp_path).readable()
    assert [image.shape for image in images] == [(3, 4 + i, 3) for i in range(6)]
    kinds, left_out = images.read_as.split("; left out 4: ")
    assert kinds == "6 pictures (JPEG 1, PNG 1, WEBP 1, PPM 1, AVIF 1, TIFF 1)"
    assert left_out == (
        "g.webp (several frames or pages: save each as a file of its own), h.tga (unknown: not a picture that is read"
        " here), i.heic (HEIF, which is not read here: give "
        f"{', '.join(kit.readable_formats())}), j.md (text)"
    )


def test_what_is_no_file_stops_nothing_and_is_named(tmp_path):
    save(tmp_path / "a.png", Pillow.new("RGB", (4, 3), RED))
    os.mkfifo(tmp_path / "b.png")
    for name, to in (("c.png", "nowhere"), ("d.png", "d.png"), ("e.png", "/dev/zero"), ("f", "gone")):
        (tmp_path / name).symlink_to(to)
    (tmp_path / "g\n\x1b[31m.png").write_text("hello")
    images = ImageFolder(tmp_path)
    assert images.names == ("a.png",)
    reasons = dict(images.problems)
    assert list(reasons) == ["b.png", "c.png", "d.png", "e.png", "f", "g\n\x1b[31m.png"]
    assert reasons["b.png"] == reasons["e.png"] == "not a regular file"
    assert all(reasons[name].startswith("a link that leads to no file") for name in ["c.png", "d.png", "f"])
    assert images.read_as.isprintable()
    assert images.read_as.startswith("1 pictures (PNG 1); left out 6: b.png (not a regular file), c.png (a link")


def write(path, *lines):
    path.write_bytes(b"".join(line if isinstance(line, bytes) else line.encode() + b"\n" for line in lines))
    return path


def test_documents_of_jsonl(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"text": "one", "id": 1}', "", '"two"', '{"text": "  "}', '{"text": "vier é"}')
    assert read_documents(path) == ["one", "two", "vier é"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{oops", r"a\.jsonl, line 2: not JSON"),
        ("[" * 100_000, r"line 2: not JSON \(nested too deeply\)"),
        ('{"body": "x"}', r"line 2: no field is known to be the text \('body'\)"),
        ('{"text": 3}', "line 2: "),
        ("17", "line 2: "),
        (b'"\xff\xfe\xfd"\n', r"line 2: byte 0xff at 1 is not UTF-8"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, message):
    with pytest.raises(ContentError, match=message):
        read_documents(write(tmp_path / "a.jsonl", '"fine"', line))


def test_a_line_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_LINE", 50)
    assert read_documents(write(tmp_path / "a.jsonl", json.dumps("x" * 40))) == ["x" * 40]
    with pytest.raises(ContentError, match="line 1: longer than 50 characters"):
        read_documents(write(tmp_path / "a.jsonl", json.dumps("x" * 60)))


def test_a_file_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(kit, "MAX_FILE", 3)
    with pytest.raises(ContentError, match="4 bytes are more than the limit of 3"):
        read_documents(write(tmp_path / "a.txt", b"four"))


def test_documents_of_text_files(tmp_path):
    (tmp_path / "sub").mkdir()
    write(tmp_path / "b.txt", b"\xef\xbb\xbfsecond\n\nstill second\n")
    write(tmp_path / "a.md", "first")
    write(tmp_path / "sub" / "c.txt", "third")
    write(tmp_path / "d.csv", "ignored")
    write(tmp_path / "empty.txt", b"")
    assert read_documents(tmp_path / "b.txt") == ["second\n\nstill second\n"]
    assert read_documents(tmp_path) == ["first\n", "second\n\nstill second\n", "third\n"]
    with pytest.raises(ContentError, match="no such file"):
        read_documents(tmp_path / "absent.txt")


@given(
    st.lists(st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip), max_size=8),
)
def test_jsonl_round_trip(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("j") / "a.jsonl"
    path.write_text("".join(json.dumps({"text": t}, ensure_ascii=False) + "\n" for t in texts), encoding="utf-8")
    assert read_documents(path) == texts


def test_resize_averages_what_a_pixel_covers():
    image = np.zeros((4, 8, 3), np.uint8)
    image[:, ::2] = 200
    assert (kit.resize(image, (2, 4)) == 100).all()
    assert kit.resize(image, 5).shape == (5, 5, 3)
    assert kit.resize(image[..., 0], 2).shape == (2, 2)


def test_png_round_trip_and_thumbnail():
    image = np.asarray(noise(100)).copy()
    assert np.array_equal(np.asarray(Pillow.open(io.BytesIO(kit.encode_png(image)))), image)
    assert kit.encode_png(image) == kit.encode_png(image)
    small = Pillow.open(io.BytesIO(base64.b64decode(kit.thumbnail(image[:50], 64))))
    assert small.size == (64, 32)
    assert Pillow.open(io.BytesIO(base64.b64decode(kit.thumbnail(image[:9, :9])))).size == (9, 9)


def test_the_cache_folder_is_the_users_to_choose(monkeypatch, tmp_path):
    monkeypatch.setenv("GUARDRAILS_CACHE", str(tmp_path))
    assert kit.cache_folder() == tmp_path
    monkeypatch.delenv("GUARDRAILS_CACHE")
    assert kit.cache_folder().name == "guardrails"
