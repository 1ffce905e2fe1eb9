"""The baseline reads headers only, and says what a header says."""

import numpy as np
import pytest
from PIL import Image

from guardrails.core.errors import ContentError
from guardrails.deepfake.images.file_traces import NAMES, metadata


def of(path):
    return dict(zip(NAMES, metadata(path), strict=True))


def picture(width, height):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3))
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.mark.parametrize("quality", [30, 50, 75, 90, 95])
def test_quality_is_what_it_was_saved_with(tmp_path, quality):
    picture(64, 64).save(tmp_path / "a.jpg", quality=quality)
    assert of(tmp_path / "a.jpg")["quality"] == pytest.approx(quality, abs=2)


def test_format_and_size_are_read_from_content_and_not_from_the_name(tmp_path):
    path = tmp_path / "a.jpg"
    picture(128, 64).save(path, "PNG")
    facts = of(path)
    assert (facts["is PNG"], facts["is JPEG"], facts["quality"]) == (1, 0, 0)
    assert (facts["short side"], facts["square"], facts["multiple of 64"], facts["has EXIF"]) == (6, 0, 1, 0)
    assert facts["bytes per pixel"] == pytest.approx(np.log2(path.stat().st_size / (128 * 64)))


def test_exif_is_noticed(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    picture(100, 100).save(tmp_path / "a.jpg", exif=exif)
    facts = of(tmp_path / "a.jpg")
    assert (facts["has EXIF"], facts["square"], facts["multiple of 64"]) == (1, 1, 0)


def test_what_a_header_promises_is_not_decoded(tmp_path):
    """9,000 × 9,000 pixels in a few bytes: only the header counts, so it costs nothing."""
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 7000, 7000, 8, 2, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    assert of(path)["short side"] == pytest.approx(np.log2(7000))


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n but no picture"])
def test_what_is_no_picture_is_refused(tmp_path, data):
    path = tmp_path / "bad.png"
    path.write_bytes(data)
    with pytest.raises(ContentError, match="not a picture"):
        metadata(path)
    with pytest.raises(ContentError):
        metadata(tmp_path / "absent.png")


@pytest.mark.public_data
def test_the_public_corpus_is_told_apart_without_a_look_at_one_pixel(test_data):
    """Why nothing may be trained or judged on the files as they came."""
    import csv

    from guardrails.kit.detection.linear_head import Head
    from guardrails.kit.detection.protocol import leave_one_family_out, mean_area, splits

    with open(test_data / "media" / "manifest.csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] in ("real", "generated")]
    labels = np.array([int(row["label"] == "generated") for row in rows])
    sources = [row["path"].split("/")[1] for row in rows]
    x = {"metadata": np.stack([metadata(test_data / "media" / row["path"]) for row in rows])}

    def scorer(fit, rows):
        head = Head.fit({"metadata": x["metadata"][fit]}, labels[fit])
        return head.score({"metadata": x["metadata"][rows]})

    by_family = leave_one_family_out(scorer, splits(labels, [row["family"] for row in rows], sources))
    assert mean_area(by_family, sources).low > 0.8
