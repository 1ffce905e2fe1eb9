from __future__ import annotations

import builtins
import errno
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from guardrails.core.errors import ConfigurationError, ContentError, MissingExtraError
from guardrails.kit.pictures.faces import Face, faces_in_folder, find_faces, read_boxes, yunet, yunet_faces
from guardrails.kit.video import opencv, read_video, write_video


def astronaut() -> np.ndarray[Any, np.dtype[np.uint8]]:
    from skimage.data import astronaut as load

    return np.asarray(load(), np.uint8)


def test_the_cascade_finds_the_astronaut_s_face() -> None:
    image = astronaut()
    face = find_faces(image)[0]
    x, y, width, height = face.box
    assert x < 224 < x + width  # the tip of the nose
    assert y < 120 < y + height
    assert face.roll == 0
    twice = find_faces(np.kron(image, np.ones((2, 2, 1), np.uint8)))[0]
    assert np.array(twice.box) / 2 == pytest.approx(np.array(face.box), abs=12)


def test_where_there_is_no_face_none_is_found() -> None:
    assert find_faces(np.full((200, 300, 3), 128, np.uint8)) == []
    assert find_faces(np.zeros((5, 5, 3), np.uint8)) == []


def test_roll_is_the_angle_between_the_eyes() -> None:
    assert Face((0, 0, 9, 9), eyes=((2, 2), (4, 4))).roll == pytest.approx(math.pi / 4)


def test_yunet_s_rows_become_faces() -> None:
    small, large = np.arange(15.0), np.arange(15.0)
    large[2:4] = 50, 60
    large[4:8] = 9, 5, 4, 6  # the right eye of the person is on the left, but a mirror may turn that round
    faces = yunet_faces(np.stack([small, large]), 0.5)
    assert faces[0] == Face((0, 2, 100, 120), ((8, 12), (18, 10)))
    assert faces[1].box == (0, 2, 4, 6)
    assert yunet_faces(None, 1.0) == []


def test_a_face_model_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no face model"):
        yunet(tmp_path / "missing.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no model" * 20)
    with pytest.raises(ConfigurationError, match=r"bad\.onnx"):
        yunet(tmp_path / "bad.onnx")


def test_boxes_are_read_from_csv_and_json(tmp_path: Path) -> None:
    (tmp_path / "boxes.csv").write_text(
        "name,x,y,width,height,who\na.png,1,2,3,4,me\na.png,0,0,10,10,\nb/c.png,5,6,7,8,\n"
    )
    (tmp_path / "boxes.json").write_text(
        json.dumps({"a.png": [[1, 2, 3, 4], [0, 0, 10, 10]], "b/c.png": [[5, 6, 7, 8]]})
    )
    expected = {"a.png": [Face((0, 0, 10, 10)), Face((1, 2, 3, 4))], "b/c.png": [Face((5, 6, 7, 8))]}
    assert read_boxes(tmp_path / "boxes.csv") == read_boxes(tmp_path / "boxes.json") == expected


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("a.csv", "name,x,y\nb.png,1,2\n", "height, width"),
        ("a.csv", "name,x,y,width,height\nb.png,1,2,three,4\n", "line 2"),
        ("a.csv", "name,x,y,width,height\nb.png,1,2\n", "line 2"),
        ("a.csv", "name,x,y,width,height\nb.png,1,2,0,4\n", "no box"),
        ("a.csv", "", "names no"),
        ("a.json", "[1]", "not an object"),
        ("a.json", '{"a.png": [[1, 2, 3]]}', "box 1"),
        ("a.json", '{"a.png": [[1, 2, NaN, 4]]}', "no box"),
        ("a.json", "{", "a.json"),
        ("a.json", "[" * 100_000, "a.json"),
    ],
)
def test_boxes_of_another_shape_are_refused(tmp_path: Path, name: str, text: str, what: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigurationError, match=what):
        read_boxes(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "where"),
    [
        ("a.csv", b"name,x,y,width,height\nb.png,1,2,30,40\nc.png,1,2,30,\xff\n", "a.csv, line 3: byte 0xff"),
        ("a.csv", b"name,x,y,width,height\n" + b"b" * 200_000 + b",1,2,30,40\n", "a.csv, line 2: not CSV"),
        ("a.csv", b"x,y,width,height,name\n1,2,30,40\n", "a.csv, line 2: it names no picture"),
        ("a.csv", b"", "a.csv, line 1: its first row"),
        ("a.json", b'{"b.png": [[1, 2, 3, 4],\n [1, 2', "a.json, line 2: not JSON"),
        ("a.json", b'{"b.png": [[1, 2, 3, ' + b"9" * 4000 + b"]]}", "a.json, 'b.png', box 1: a box is"),
        ("a.json", b'{"b.png": [[1, 2, 3, ' + b"9" * 5000 + b"]]}", "a.json: not JSON: an integer"),
        ("a.json", b'{"b.png": [[1, 2, 3, 4], "1234"]}', "a.json, 'b.png', box 2: a box is"),
        ("a.json", b"[" * 100_000, "a.json: not JSON: nested too deeply"),
    ],
)
def test_malformed_boxes_are_refused_by_file_and_line(tmp_path: Path, name: str, content: bytes, where: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        read_boxes(tmp_path / name)
    assert str(refused.value).startswith(f"{tmp_path}{os.sep}{where}")
    assert len(str(refused.value)) < 400 + len(str(tmp_path))


def test_boxes_that_cannot_be_read_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "a.csv").write_text("name,x,y,width,height\n")
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ConfigurationError, match=r"a\.csv cannot be read: Permission denied"):
        read_boxes(tmp_path / "a.csv")


def test_missing_or_binary_boxes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no boxes"):
        read_boxes(tmp_path / "none.csv")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match=r"b\.csv"):
        read_boxes(tmp_path / "b.csv")


def test_a_folder_s_faces_in_the_order_of_names(tmp_path: Path) -> None:
    Image.fromarray(astronaut()).save(tmp_path / "b.png")
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "c.png").write_bytes(b"no picture")
    ((name, image, face),) = faces_in_folder(tmp_path)
    assert name == "b.png"
    assert image.shape == (512, 512, 3)
    assert face == find_faces(image)[0]
    (tmp_path / "boxes.json").write_text(
        json.dumps({"a.png": [[5, 5, 20, 20], [90, 90, 30, 30]], "z.png": [[1, 1, 2, 2]]})
    )
    ((name, _, face),) = faces_in_folder(tmp_path, boxes=tmp_path / "boxes.json")
    assert (name, face.box) == ("a.png", (5, 5, 20, 20))  # the larger box is outside of the picture


def test_a_folder_without_a_face_says_what_to_do(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "c.png").write_bytes(b"no picture")
    with pytest.raises(ConfigurationError, match=r"no face in the 1 pictures read .*1 unreadable.*YuNet"):
        list(faces_in_folder(tmp_path))
    with pytest.raises(ConfigurationError, match="no folder"):
        list(faces_in_folder(tmp_path / "none"))


@pytest.mark.public_data
def test_faces_of_real_photographs_are_found(test_data: Path) -> None:
    folder = test_data / "media" / "real" / "faceswap-warp"
    names = [name for name, _, _ in faces_in_folder(folder, limit=5)]
    assert len(names) >= 4


# Videos


def clip(side: int = 32) -> np.ndarray[Any, np.dtype[np.uint8]]:
    rows, columns = np.mgrid[:side, :side]
    frames = [np.stack([rows * 5 + 3 * t, columns * 5, rows + columns], -1) for t in range(6)]
    return np.stack(frames).astype(np.uint8)


@pytest.mark.parametrize("suffix", [".mkv", ".avi"])
def test_a_lossless_video_is_read_back_as_it_was(tmp_path: Path, suffix: str) -> None:
    path = write_video(clip(), tmp_path / f"a{suffix}", 12)
    assert np.array_equal(np.stack(list(read_video(path))), clip())
    assert len(list(read_video(path, max_frames=2))) == 2


def test_an_mp4_is_near_to_what_was_written(tmp_path: Path) -> None:
    back = np.stack(list(read_video(write_video(list(clip(64)), tmp_path / "a.mp4", 12))))
    assert back.shape == clip(64).shape
    assert np.abs(back.astype(int) - clip(64)).mean() < 12


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"\.mkv"):
        write_video(clip(), tmp_path / "a.gif", 12)
    with pytest.raises(ConfigurationError, match="needs a frame"):
        write_video([], tmp_path / "a.mkv", 12)
    with pytest.raises(ConfigurationError, match="even"):
        write_video(clip(31), tmp_path / "a.mp4", 12)
    with pytest.raises(ConfigurationError, match="a frame is"):
        write_video([clip()[0], clip(16)[0]], tmp_path / "a.mkv", 12)
    with pytest.raises(ContentError, match="no such file"):
        list(read_video(tmp_path / "none.mkv"))
    (tmp_path / "bad.mkv").write_bytes(b"no video")
    with pytest.raises(ContentError, match="not a video"):
        list(read_video(tmp_path / "bad.mkv"))


@pytest.mark.parametrize(("reason", "command"), [("libGL.so.1: cannot open", "libgl1"), ("no module", "opencv-python")])
def test_without_opencv_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, reason: str, command: str) -> None:
    real = builtins.__import__

    def broken(name: str, *rest: Any, **more: Any) -> Any:
        if name == "cv2":
            raise ImportError(reason)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(MissingExtraError, match=command):
        opencv()
