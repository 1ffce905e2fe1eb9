"""What a file holds is told by its bytes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from guardrails.core.errors import ContentError
from guardrails.core.targets import Modality
from guardrails.kit.content import HEAD, Content, content_of, facts_of, misnamed
from guardrails.kit.video import write_video


def saved(format: str) -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (20, 10)).save(buffer, format)
    return buffer.getvalue()


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "PPM"])
def test_pictures(format: str, tmp_path: Path) -> None:
    content = content_of(saved(format)[:HEAD])
    assert content == (Modality.IMAGE, format)
    path = tmp_path / "no-suffix"
    path.write_bytes(saved(format))
    facts = facts_of(path, content)
    assert (facts["width"], facts["height"]) == (20, 10)


@pytest.mark.parametrize(("format", "named"), [("ICO", "ICO")])
def test_pictures_that_are_known_but_not_read(format: str, named: str, tmp_path: Path) -> None:
    content = content_of(saved(format)[:HEAD])
    assert content == (Modality.IMAGE, named)
    path = tmp_path / "picture"
    path.write_bytes(saved(format))
    with pytest.raises(ContentError, match=f"{named}, which is not read here"):
        facts_of(path, content)


@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG", "AIFF", "MP3"])
def test_recordings(format: str, tmp_path: Path) -> None:
    path = tmp_path / "sound"
    soundfile.write(path, np.zeros(8000, np.float32), 8000, format=format)
    content = content_of(path.read_bytes()[:HEAD])
    assert content.modality is Modality.AUDIO
    assert facts_of(path, content)["rate"] == 8000


@pytest.mark.parametrize("suffix", [".avi", ".mp4", ".mkv"])
def test_videos(suffix: str, tmp_path: Path) -> None:
    path = write_video(np.zeros((4, 32, 32, 3), np.uint8), tmp_path / f"video{suffix}", 4)
    content = content_of(path.read_bytes()[:HEAD])
    assert content.modality is Modality.VIDEO
    facts = facts_of(path, content)
    assert (facts["width"], facts["height"], facts["rate"]) == (32, 32, 4)


@pytest.mark.parametrize(
    "head", [b"plain", "naïve – 漢字".encode(), b"\xef\xbb\xbfmarked", b"BM is no bitmap", b"{}\r\n\t\f"]
)
def test_text(head: bytes) -> None:
    assert content_of(head) == (Modality.TEXT, "UTF-8")


@pytest.mark.parametrize("shift", range(4))
@pytest.mark.parametrize("character", "é漢\U0001f600")
def test_a_character_may_go_on_beyond_the_head(character: str, shift: int) -> None:
    assert content_of(("a" * shift + character * HEAD).encode()[:HEAD]).modality is Modality.TEXT


@pytest.mark.parametrize(
    ("head", "format"),
    [(b"", "empty"), (b"\0\1\2", "unknown"), (b"\xebe\xf1", "unknown"), (b"\x7fELF\x02\x01\x01", "unknown")],
)
def test_what_is_nothing_of_these(head: bytes, format: str) -> None:
    assert content_of(head) == (None, format)


def test_iso_files_by_their_brand() -> None:
    kinds = {b"avif": Modality.IMAGE, b"heic": Modality.IMAGE, b"M4A ": Modality.AUDIO, b"isom": Modality.VIDEO}
    for brand, kind in kinds.items():
        assert content_of(b"\0\0\0\x18ftyp" + brand).modality is kind


@given(st.binary(max_size=600))
def test_any_bytes_are_something(head: bytes) -> None:
    assert isinstance(content_of(head), Content)


def test_a_name_that_promises_something_else() -> None:
    assert misnamed("a.png", Content(Modality.IMAGE, "JPEG")) is None
    assert misnamed("png", Content(Modality.TEXT, "UTF-8")) is None
    assert misnamed("a.PNG", Content(None, "empty")) == "called .png, but its content is empty"


def test_headers_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for head, kind in [(b"RIFF\0\0\0\0WAVE", "audio"), (b"\x89PNG\r\n\x1a\n", "image"), (b"RIFF\0\0\0\0AVI ", "video")]:
        path.write_bytes(head)
        with pytest.raises(ContentError):
            facts_of(path, Content(Modality(kind), ""))
    assert facts_of(path, Content(None, "unknown")) == {}
