"""Video files, through OpenCV: frames in, a file out, and back."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import ConfigurationError, ContentError, MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

CODECS = {".mkv": "FFV1", ".avi": "FFV1", ".mp4": "mp4v"}
"""FFV1 keeps every pixel as it is; mp4v is for players that read nothing else, and loses a little."""
MAX_FRAMES = 100_000
MAX_PIXELS = 50_000_000
LIBRARIES = {"libGL": "apt-get install libgl1", "libgthread": "apt-get install libglib2.0-0"}


def opencv() -> Any:
    """Return the module ``cv2``.

    Raises
    ------
    MissingExtraError
        Where it cannot be imported: which system library or package to install.
    """
    try:
        import cv2
    except ImportError as error:
        command = next((c for name, c in LIBRARIES.items() if name in str(error)), "pip install opencv-python")
        raise MissingExtraError(f"OpenCV ({error})", command) from None
    return cv2


def write_video(frames: Iterable[Image], path: str | os.PathLike[str], rate: float) -> Path:
    """Write frames as a video file.

    Parameters
    ----------
    frames : iterable of ndarray of uint8
        (H, W, 3), red first, all of one size; for ``.mp4`` with an even height and width.
    path : path
        Ends in ``.mkv`` or ``.avi`` (lossless) or ``.mp4`` (not).
    rate : float
        Frames a second.

    Returns
    -------
    Path

    Raises
    ------
    ConfigurationError
        For another ending, no frame, frames of several sizes, or where OpenCV here cannot write such a file.
    MissingExtraError
        Where OpenCV cannot be imported.

    Examples
    --------
    >>> write_video(np.zeros((3, 32, 32, 3), np.uint8), "black.mkv", 12).name
    'black.mkv'
    >>> len(list(read_video("black.mkv")))
    3
    """
    path = Path(path)
    if path.suffix.lower() not in CODECS:
        raise ConfigurationError(f"{path}: a video is written as {', '.join(CODECS)}")
    shots = iter(frames)
    first = next(shots, None)
    if first is None:
        raise ConfigurationError(f"{path}: a video needs a frame; none was given")
    height, width = first.shape[:2]
    if path.suffix.lower() == ".mp4" and (height % 2 or width % 2):
        raise ConfigurationError(f"{path}: an .mp4 needs even sides, these are {width} x {height}; write .mkv")
    cv2 = opencv()
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter_fourcc(*CODECS[path.suffix.lower()]), float(rate), (width, height)
    )
    if not writer.isOpened():
        raise ConfigurationError(f"{path}: OpenCV {cv2.__version__} here cannot write it; is its folder there?")
    try:
        for frame in (first, *shots):
            if frame.shape != (height, width, 3) or frame.dtype != np.uint8:
                raise ConfigurationError(
                    f"{path}: a frame is {frame.shape} {frame.dtype}, the first ({height}, {width}, 3) uint8"
                )
            writer.write(np.ascontiguousarray(frame[..., ::-1]))
    finally:
        writer.release()
    return path


def read_video(path: str | os.PathLike[str], *, max_frames: int = MAX_FRAMES) -> Iterator[Image]:
    """Yield a video's frames, (H, W, 3), red first; one frame in memory at a time.

    Raises
    ------
    ContentError
        Where the file is missing, no video or of more than 50 million pixels a frame.
    MissingExtraError
        Where OpenCV cannot be imported.
    """
    path = Path(path)
    if not path.is_file():
        raise ContentError(f"{path}: no such file")
    cv2 = opencv()
    reader = cv2.VideoCapture(str(path))
    try:
        size = reader.get(cv2.CAP_PROP_FRAME_WIDTH) * reader.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if not reader.isOpened() or size < 1:
            raise ContentError(f"{path}: not a video that OpenCV {cv2.__version__} reads here")
        if size > MAX_PIXELS:
            raise ContentError(f"{path}: {size:,.0f} pixels a frame are more than the limit of {MAX_PIXELS:,}")
        for _ in range(max_frames):
            there, frame = reader.read()
            if not there:
                return
            yield np.ascontiguousarray(frame[..., ::-1])
    finally:
        reader.release()
