"""FFmpeg sees addresses in names, and playlists in content: a video is a file, whatever it is called."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from guardrails.core.errors import ContentError
from guardrails.core.targets import Modality
from guardrails.kit import video
from guardrails.kit.content import Content, facts_of
from guardrails.kit.io import encode_png
from guardrails.kit.video import Shots, is_video, opencv, read_video, write_video

SIDE, FRAMES = 32, 4


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = (np.full((SIDE, SIDE, 3), 50 * i, np.uint8) for i in range(FRAMES))
    return write_video(frames, tmp_path_factory.mktemp("plain") / "a.mkv", 10)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server that nobody may call: whether somebody did is known at the end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        yield server
        with pytest.raises(TimeoutError):
            server.accept()


def port_of(server: socket.socket) -> int:
    port: int = server.getsockname()[1]
    return port


@pytest.mark.parametrize("scheme", ["http", "tcp", "rtmp", "ftp", "gopher"])
def test_a_folder_that_is_called_like_an_address_sends_no_request(
    scheme: str, plain: Path, listener: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / f"{scheme}:" / f"127.0.0.1:{port_of(listener)}"
    folder.mkdir(parents=True)
    shutil.copy(plain, folder / "a.mkv")
    monkeypatch.chdir(tmp_path)
    path = Path(f"{scheme}:/127.0.0.1:{port_of(listener)}/a.mkv")
    assert len(list(read_video(path))) == FRAMES
    assert facts_of(path, Content(Modality.VIDEO, "Matroska"))["width"] == SIDE


NAMES = (
    "concat:a.mkv", "concat:a.mkv|a.mkv", "subfile:,,start,0,end,9,,:a.mkv", "file:b.mkv", "data:a.mkv", "cache:a.mkv",
    "crypto:a.mkv", "async:a.mkv", "pipe:0", "fd:0", "-", "-i", "b%03d.png", "b%d.jpg", "%2550", "b.m3u8", "b.ffconcat",
    "b.sdp", "b.txt", "~", "a\nb", "é?*[x]", ":memory:", "b.mpd",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_a_name(name: str, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(plain, "a.mkv")
    shutil.copy(plain, name)
    for number in range(3):  # what a pattern would find
        for beside in (f"b00{number}.png", f"b{number}.jpg"):
            Path(beside).write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))
    assert [frame.shape for frame in read_video(name)] == [(SIDE, SIDE, 3)] * FRAMES


def test_standard_input_is_not_waited_for(plain: Path, tmp_path: Path) -> None:
    """A process with a pipe as its standard input into which nothing is written: reading it would have no end."""
    shutil.copy(plain, tmp_path / "pipe:0")
    script = "from guardrails.kit.video import read_video; print(len(list(read_video('pipe:0'))))"
    read, write = os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, "-c", script], stdin=read, capture_output=True, text=True, timeout=120, check=True,
            cwd=tmp_path, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
    finally:
        os.close(read)
        os.close(write)
    assert done.stdout.split() == [str(FRAMES)]


def playlists(port: int) -> dict[str, bytes]:
    """Return files that name others, some of them behind what a container of video begins with."""
    there = f"http://127.0.0.1:{port}/a.ts".encode()
    hls = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n" + there + b"\n#EXT-X-ENDLIST\n"
    dash = (
        b'<MPD profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" type="static"><Period><BaseURL>'
        + there + b"</BaseURL></Period></MPD>"
    )  # fmt: skip
    session = b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
    script = b"ffconcat version 1.0\nfile 'a.mkv'\nfile '" + there + b"'\n"
    bare = {"hls": hls, "dash": dash, "session": session, "script": script}
    begun = (b"RIFF\n", b"\0\0\0\x08ftyp\n", b"\x1aE\xdf\xa3\n", b"OggS\n", b"G" + bytes(187) + b"G\n")
    return bare | {f"{name} in {mark!r}": mark + text for name, text in bare.items() for mark in begun}


def test_content_that_names_other_files_is_no_video(
    plain: Path, listener: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(plain, "a.mkv")
    for name, text in playlists(port_of(listener)).items():
        path = tmp_path / "playlist.avi"
        path.write_bytes(text + b" " * 400)
        with pytest.raises(ContentError, match="not a video"):
            assert not list(read_video(path)), name
        assert is_video(path) == (" in " in name)


def test_what_ffmpeg_takes_for_something_else_is_refused_though_it_begins_as_a_video(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were the first bytes no guard at all, the options would still be one."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(plain, "a.mkv")
    Path("list").write_text(f"ffconcat version 1.0\nfile '{tmp_path}/a.mkv'\n")
    monkeypatch.setattr(video, "_begins_as_video", lambda head: True)
    with pytest.raises(ContentError, match="not a video"):
        list(read_video("list"))
    monkeypatch.setattr(video, "OPTIONS", "protocol_whitelist;file|safe;0")
    assert len(list(read_video("list"))) == FRAMES  # the test's own check: without the list of formats it is read


@pytest.mark.parametrize("before", [None, "threads;1"])
def test_the_environment_is_left_as_it_was(before: str | None, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if before is None:
        monkeypatch.delenv(video.ENVIRONMENT, raising=False)
    else:
        monkeypatch.setenv(video.ENVIRONMENT, before)
    shots = iter(Shots(plain))
    next(shots)
    assert os.environ.get(video.ENVIRONMENT) == before


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mkv")
    for read in (lambda path: list(read_video(path)), is_video):
        with pytest.raises(ContentError, match=r"no such file|not a regular file"):
            read(tmp_path / "a.mkv")


def test_a_video_is_written_where_its_name_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file:").mkdir()
    write_video(np.zeros((2, 32, 32, 3), np.uint8), "file:/a.mkv", 5)
    assert Path("file:/a.mkv").is_file()


def test_decoding_ends_after_so_many_pixels(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "MAX_DECODED", 2 * SIDE * SIDE)
    shots = Shots(plain)
    assert len(list(shots)) == 2
    assert not shots.whole


def test_large_frames_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    """A header that states 16,384 x 16,384, made from that of a small video."""
    path = write_video(np.zeros((2, 32, 32, 3), np.uint8), tmp_path / "a.avi", 5)
    data, large = bytearray(path.read_bytes()), (16_384).to_bytes(4, "little")
    header, stream = data.index(b"avih") + 8, data.index(b"strf") + 8
    data[header + 32 : header + 40] = data[stream + 4 : stream + 12] = large * 2
    path.write_bytes(data)
    with pytest.raises(ContentError, match="frames have more than 50,000,000 pixels"):
        list(read_video(path))
    assert opencv().__version__
