"""Faces in pictures: where they are, by a cascade that ships, by a model that the user gives, or by the user's boxes.

The cascade is scikit-image's, over local binary patterns: upright faces seen from the front. It misses faces in profile
and sometimes sees one where there is none; YuNet (Wu et al. 2023, one ONNX file, read by OpenCV) is better at both.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import ConfigurationError, ContentError
from ..io import resize, shown
from ..settings_file import read_bounded
from ..video import opencv
from .folder import ImageFolder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

Point = tuple[float, float]
SEARCHED = 320
"""Longer side, in pixels, of the picture that is searched: larger ones are made smaller first."""
SMALLEST = 0.12
"""The smallest face that is searched for, as a share of the shorter side."""
SCORE = 0.7
MAX_BOXES_FILE = 20_000_000
MAX_BOXES = 200_000
COLUMNS = ("name", "x", "y", "width", "height")
"""Of a CSV file of boxes."""


@dataclass(frozen=True)
class Face:
    """Where a face is, in pixels.

    Attributes
    ----------
    box : tuple of float
        x, y of the upper left corner, width, height.
    eyes : tuple of (float, float), optional
        x, y of the eye on the left and of the eye on the right of the picture, where they are known.
    """

    box: tuple[float, float, float, float]
    eyes: tuple[Point, Point] | None = None

    @property
    def roll(self) -> float:
        """How far the head is tilted, in radians; 0 where the eyes are not known.

        >>> Face((0, 0, 10, 10), eyes=((2, 4), (8, 4))).roll
        0.0
        """
        if self.eyes is None:
            return 0.0
        (left, up), (right, down) = self.eyes
        return math.atan2(down - up, right - left)

    @property
    def area(self) -> float:
        """Of the box, in square pixels."""
        return self.box[2] * self.box[3]


Finder = Callable[["Image"], list[Face]]


def find_faces(image: Image) -> list[Face]:
    """Find faces with scikit-image's cascade, the largest first.

    Parameters
    ----------
    image : array of uint8
        (H, W, 3). What is larger than 320 pixels is searched at that size.

    Returns
    -------
    list of Face
        Boxes run about from the brows to the chin.
    """
    scale = min(1.0, SEARCHED / max(image.shape[:2]))
    height, width = (max(1, round(n * scale)) for n in image.shape[:2])
    small = image if scale == 1 else resize(image, (height, width))
    least = max(24, round(SMALLEST * min(height, width)))
    if min(height, width) < least:
        return []
    detections = _cascade().detect_multi_scale(
        img=small, scale_factor=1.15, step_ratio=1, min_size=(least, least), max_size=(width, height)
    )
    boxes = [tuple(float(f[k]) / scale for k in ("c", "r", "width", "height")) for f in detections]
    return sorted((Face((x, y, w, h)) for x, y, w, h in boxes), key=lambda face: -face.area)


@cache
def _cascade() -> Any:
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    return Cascade(lbp_frontal_face_cascade_filename())


def yunet(model: str | os.PathLike[str]) -> Finder:
    """Return a finder that uses a YuNet model.

    Parameters
    ----------
    model : path
        The ONNX file, for example ``face_detection_yunet_2023mar.onnx`` of OpenCV's model zoo.

    Returns
    -------
    callable
        As `find_faces`, with eyes.

    Raises
    ------
    ConfigurationError
        Where the file is missing or OpenCV cannot read it as YuNet.
    """
    path = Path(model)
    if not path.is_file():
        raise ConfigurationError(f"no face model at {path}; give the path of a YuNet ONNX file")
    cv2 = opencv()
    try:
        detector = cv2.FaceDetectorYN.create(str(path), "", (SEARCHED, SEARCHED), SCORE)
    except cv2.error as error:
        reason = str(error).strip().splitlines()[-1]
        raise ConfigurationError(f"{path}: not a YuNet model that OpenCV {cv2.__version__} reads ({reason})") from None

    def find(image: Image) -> list[Face]:
        import numpy as np

        scale = min(1.0, 2 * SEARCHED / max(image.shape[:2]))
        small = resize(image, (max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale))))
        detector.setInputSize((small.shape[1], small.shape[0]))
        try:
            rows = detector.detect(np.ascontiguousarray(small[..., ::-1]))[1]
        except cv2.error as error:
            reason = str(error).strip().splitlines()[-1]
            raise ConfigurationError(f"{path}: this model does not answer as YuNet does ({reason})") from None
        return yunet_faces(rows, scale)

    return find


def yunet_faces(rows: Any, scale: float) -> list[Face]:
    """Return the faces of YuNet's answer, the largest first.

    Parameters
    ----------
    rows : array, optional
        (N, 15): box, right eye, left eye, nose, corners of the mouth, score; None where there is no face.
    scale : float
        Of the picture that was searched, over the one that the faces are wanted in.
    """
    faces = []
    for row in [] if rows is None else rows:
        x, y, w, h, *eyes = (float(value) / scale for value in row[:8])
        left, right = sorted([(eyes[0], eyes[1]), (eyes[2], eyes[3])])
        faces.append(Face((x, y, w, h), (left, right)))
    return sorted(faces, key=lambda face: -face.area)


def read_boxes(path: str | os.PathLike[str]) -> dict[str, list[Face]]:
    """Read the user's boxes.

    Parameters
    ----------
    path : path
        CSV with the columns name, x, y, width, height (others are passed over), a row per face; or JSON,
        ``{"name": [[x, y, width, height], …]}``. Names are relative to the folder of the pictures.

    Returns
    -------
    dict of str to list of Face

    Raises
    ------
    ConfigurationError
        With the file and the line (of JSON, the box), where it is missing, cannot be read, is too large or not of this
        shape.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigurationError(f"no boxes at {path}; give a CSV or JSON file")
    try:
        content = read_bounded(path, max_bytes=MAX_BOXES_FILE)
        text = _decoded(content, shown(path))
    except ContentError as error:
        raise ConfigurationError(*error.lines) from None
    rows = _json_rows(text, str(path)) if path.suffix.lower() == ".json" else _csv_rows(text, str(path))
    out: dict[str, list[Face]] = {}
    for number, (where, name, values) in enumerate(rows, 1):
        if number > MAX_BOXES:
            raise ConfigurationError(f"{where}: more than the limit of {MAX_BOXES:,} boxes")
        out.setdefault(name, []).append(Face(_box(values, where)))
    return {name: sorted(faces, key=lambda face: -face.area) for name, faces in out.items()}


def _decoded(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ContentError(
            f"{where}, line {line}: byte 0x{content[error.start]:02x} is not UTF-8; save it as UTF-8"
        ) from None


def _box(values: Any, where: str) -> tuple[float, float, float, float]:
    try:
        if isinstance(values, str | Mapping):
            raise TypeError
        x, y, width, height = map(float, values)
    except (TypeError, ValueError, OverflowError):
        got = repr(values)
        raise ConfigurationError(
            f"{where}: a box is x, y, width, height; got {got if len(got) <= 100 else f'{got[:100]} …'}"
        ) from None
    if not all(map(math.isfinite, (x, y, width, height))) or width < 1 or height < 1:
        raise ConfigurationError(f"{where}: {width:g} x {height:g} at {x:g}, {y:g} is no box in pixels")
    return x, y, width, height


def _csv_rows(text: str, path: str) -> Iterator[tuple[str, str, Sequence[Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        if missing := set(COLUMNS) - set(reader.fieldnames or ()):
            raise ConfigurationError(f"{path}, line 1: its first row names no {', '.join(sorted(missing))}")
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            if not row["name"]:
                raise ConfigurationError(f"{where}: it names no picture")
            yield where, row["name"], [row[column] for column in COLUMNS[1:]]
    except csv.Error as error:
        raise ConfigurationError(f"{path}, line {reader.reader.line_num}: not CSV ({error})") from None


def _json_rows(text: str, path: str) -> Iterator[tuple[str, str, Any]]:
    try:
        boxes = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from None
    except RecursionError:
        raise ConfigurationError(f"{path}: not JSON: nested too deeply") from None
    except ValueError:  # Python converts no more than 4,300 digits
        raise ConfigurationError(f"{path}: not JSON: an integer of more than 4,300 digits") from None
    if not isinstance(boxes, dict) or not all(isinstance(faces, list) for faces in boxes.values()):
        raise ConfigurationError(f'{path}: not an object {{"name": [[x, y, width, height], …]}}')
    for name, faces in boxes.items():
        for number, box in enumerate(faces, 1):
            yield f"{path}, '{name}', box {number}", name, box


def faces_in_folder(
    folder: str | os.PathLike[str],
    *,
    boxes: str | os.PathLike[str] | None = None,
    model: str | os.PathLike[str] | None = None,
    limit: int = 1000,
) -> Iterator[tuple[str, Image, Face]]:
    """Yield name, picture and largest face of each picture below a folder that has one, in the order of their names.

    Parameters
    ----------
    folder : path
        Searched below, too; hidden files are left out.
    boxes : path, optional
        See `read_boxes`. Pictures that it does not name are passed over.
    model : path, optional
        See `yunet`; default scikit-image's cascade.
    limit : int
        How many pictures are read at most.

    Raises
    ------
    ConfigurationError
        At the end, where there was no face: how many pictures were read, and what to do.
    """
    root = Path(folder)
    if not root.is_dir():
        raise ConfigurationError(f"no folder {root}; give one with photographs of faces")
    known = None if boxes is None else read_boxes(boxes)
    finder = find_faces if model is None else yunet(model)
    pictures = ImageFolder(root)
    read = with_face = 0
    unread = len(pictures.unusable)
    for i, name in enumerate(pictures.names[:limit]):
        if known is not None and name not in known:
            continue
        try:
            image = pictures[i]
        except ContentError:
            unread += 1
            continue
        read += 1
        faces = finder(image) if known is None else _inside(known, name, image)
        if faces:
            with_face += 1
            yield name, image, faces[0]
    if not with_face:
        how = "none that the boxes name" if known is not None else "upright faces seen from the front are found"
        raise ConfigurationError(
            f"no face in the {read} pictures read in {root} ({unread} unreadable; {how}); "
            "give the boxes (CSV: name,x,y,width,height) or the path of a YuNet model"
        )


def _inside(known: Mapping[str, list[Face]], name: str, image: Image) -> list[Face]:
    """The boxes of a picture whose middle lies in it."""
    height, width = image.shape[:2]
    boxes = ((face, *face.box) for face in known[name])
    return [face for face, x, y, w, h in boxes if 0 <= x + w / 2 < width and 0 <= y + h / 2 < height]
