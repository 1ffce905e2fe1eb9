"""Video files, through OpenCV: frames in, a file out, and back."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ..core.errors import ConfigurationError, ContentError, MissingExtraError
from .io import MAX_STREAMED, open_file
from .pictures.bounds import MAX_PIXELS, check_size
from .progress import step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

CODECS = {".mkv": "FFV1", ".avi": "FFV1", ".mp4": "mp4v"}
"""FFV1 keeps every pixel as it is; mp4v is for players that read nothing else, and loses a little."""
MAX_FRAMES = 100_000
MAX_DECODED = 4_000_000_000_000
"""Pixels that are decoded of one video: ten hours of 1920 x 1080 at 50 frames a second, and frames of 50 million pixels
for less than an hour."""
CREDIBLE_FRAMES = 1e9
CREDIBLE_RATES = (1.0, 1000.0)
"""Frames a second that a header may state."""
CREDIBLE_GAP = 60.0
"""Seconds between two frames."""
ASSUMED_RATE = 25.0
HEAD = 189
CONTAINERS = (
    *((4, mark) for mark in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")),  # MP4, QuickTime
    *(
        (0, mark) for mark in (b"\x1aE\xdf\xa3", b"RIFF", b"OggS", b"FLV\x01", b"DKIF")
    ),  # Matroska, AVI, Ogg, Flash, IVF
    *((0, mark) for mark in (b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"0&\xb2u")),  # MPEG, ASF
)
"""(place, bytes) that a file of each begins with."""
DEMUXERS = "mov,matroska,webm,avi,ogg,flv,ivf,mpeg,mpegvideo,mpegts,asf"
"""FFmpeg's names for these. Playlists, scripts, session descriptions and numbered pictures name other files and
addresses in their content; none of them is opened, whatever FFmpeg takes the content for."""
OPTIONS = f"protocol_whitelist;file|format_whitelist;{DEMUXERS}|max_pixels;{MAX_PIXELS}"
ENVIRONMENT = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
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
    OSError
        Where fewer frames can be read back than were written: OpenCV does not say that the disk is full.

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
        os.path.abspath(path), cv2.VideoWriter_fourcc(*CODECS[path.suffix.lower()]), float(rate), (width, height)
    )
    if not writer.isOpened():
        raise ConfigurationError(f"{path}: OpenCV {cv2.__version__} here cannot write it; is its folder there?")
    count = 0
    try:
        for frame in chain((first,), shots):
            if frame.shape != (height, width, 3) or frame.dtype != np.uint8:
                raise ConfigurationError(
                    f"{path}: a frame is {frame.shape} {frame.dtype}, the first ({height}, {width}, 3) uint8"
                )
            writer.write(np.ascontiguousarray(frame[..., ::-1]))
            count += 1
    finally:
        writer.release()
    _check_whole(path, count)
    return path


def _check_whole(path: Path, count: int) -> None:
    """Raise OSError where a written video has fewer frames, or an AVI is shorter than its header says."""
    try:
        readable = sum(1 for _ in read_video(path, max_frames=count))
    except ContentError:
        readable = 0
    with path.open("rb") as file:
        head = file.read(8)
    cut = head[:4] == b"RIFF" and int.from_bytes(head[4:], "little") + 8 > path.stat().st_size
    if readable < count or cut:
        raise OSError(
            errno.EIO, f"not written whole, {readable} of {count} frames can be read; is the disk full?", str(path)
        )


def read_video(path: str | os.PathLike[str], *, max_frames: int = MAX_FRAMES) -> Iterator[Image]:
    """Yield a video's frames, (H, W, 3), red first; one frame in memory at a time.

    Raises
    ------
    ContentError
        Where the file is missing, no video or of more than 50 million pixels a frame.
    MissingExtraError
        Where OpenCV cannot be imported.
    """
    for _, frame in Shots(path, max_frames=max_frames):
        yield frame


class Shots:
    """A video's frames with their times, at most so many a second: iterate once; one frame is in memory at a time.

    Nothing that the header says is relied upon: the times are those of the frames, and where they do not grow, or the
    file has none, the header's rate stands in, or 25 a second where that is none between 1 and 1,000.

    Parameters
    ----------
    path : path
        Taken for a video by its first bytes, never by its name.
    rate : float, optional
        Yield no more frames a second than this; the others are not converted. Default: all.
    max_frames : int
        Decode no more than this.

    Attributes
    ----------
    claimed : int, optional
        How many frames the header says that there are.
    stated : float, optional
        Frames a second by the header, where that is credible.
    decoded : int
        How many there were so far.
    whole : bool
        Whether the end was reached within `max_frames` and `MAX_DECODED` pixels; False until then.

    Raises
    ------
    ContentError
        In iterating, where the file is missing, no video or of more than 50 million pixels a frame.
    MissingExtraError
        In iterating, where OpenCV cannot be imported.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, rate: float | None = None, max_frames: int = MAX_FRAMES
    ) -> None:
        self.path, self.rate, self.max_frames = Path(path), rate, max_frames
        self.claimed: int | None = None
        self.stated: float | None = None
        self.decoded, self.whole = 0, False

    def __iter__(self) -> Iterator[tuple[float, Image]]:
        if not self.path.is_file():
            raise ContentError(f"{self.path}: no such file")
        cv2 = opencv()
        with open_file(self.path, max_bytes=MAX_STREAMED) as file:
            if not _begins_as_video(file.read(HEAD)):
                raise ContentError(f"{self.path}: not a video that OpenCV {cv2.__version__} reads here")
            with _captured(cv2, file, self.path) as reader:
                self._bounded(*(reader.get(p) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)))
                if not reader.isOpened():
                    raise ContentError(
                        f"{self.path}: not a video that OpenCV {cv2.__version__} reads here, or its frames have more "
                        f"than {MAX_PIXELS:,} pixels"
                    )
                yield from self._frames(cv2, reader)

    def _frames(self, cv2: Any, reader: Any) -> Iterator[tuple[float, Image]]:
        count, stated = (reader.get(prop) for prop in (cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FPS))
        self.claimed = int(count) if 0 < count < CREDIBLE_FRAMES else None
        self.stated = stated if CREDIBLE_RATES[0] <= stated <= CREDIBLE_RATES[1] else None
        gap = 1 / (self.stated or ASSUMED_RATE)
        time, due, pixels = -gap, 0.0, 0
        while self.decoded < self.max_frames and pixels < MAX_DECODED:
            if not reader.grab():
                self.whole = True
                return
            step()
            self.decoded += 1
            pixels += int(reader.get(cv2.CAP_PROP_FRAME_WIDTH) * reader.get(cv2.CAP_PROP_FRAME_HEIGHT))
            told = reader.get(cv2.CAP_PROP_POS_MSEC) / 1000
            time = told if time < told < time + CREDIBLE_GAP else time + gap
            if self.rate is not None and time < due - gap / 2:
                continue
            there, frame = reader.retrieve()
            if not there:
                continue
            self._bounded(frame.shape[1], frame.shape[0])
            due = max(due + 1 / self.rate, time) if self.rate is not None else 0.0
            yield max(time, 0.0), np.ascontiguousarray(frame[..., ::-1])

    def _bounded(self, width: float, height: float) -> None:
        try:
            check_size(width, height)
        except ContentError as error:
            raise ContentError(f"{self.path}: frames of {error}") from None


@contextmanager
def _captured(cv2: Any, file: BinaryIO, path: Path) -> Iterator[Any]:
    """Open a video by its descriptor: FFmpeg sees addresses, scripts and patterns of pictures in names.

    Without a ``/dev/fd`` it gets the absolute path, in which it sees no protocol; `OPTIONS` hold for both.
    """
    descriptor = f"/dev/fd/{file.fileno()}"
    name = descriptor if os.path.exists(descriptor) else os.path.abspath(path)
    with _OPENING:  # OpenCV takes options of FFmpeg from the environment alone
        before = os.environ.get(ENVIRONMENT)
        os.environ[ENVIRONMENT] = OPTIONS
        try:
            reader = cv2.VideoCapture(name, cv2.CAP_FFMPEG)
        finally:
            if before is None:
                del os.environ[ENVIRONMENT]
            else:
                os.environ[ENVIRONMENT] = before
    try:
        yield reader
    finally:
        reader.release()


_OPENING = Lock()


def is_video(path: str | os.PathLike[str]) -> bool:
    """Say whether a file begins as one of the containers of video that are read here.

    A playlist, which would send FFmpeg to other files and addresses, is none, whatever its name.
    """
    with open_file(path, max_bytes=MAX_STREAMED) as file:
        return _begins_as_video(file.read(HEAD))


def _begins_as_video(head: bytes) -> bool:
    stream = head[:1] == head[188:] == b"G"  # MPEG-TS: packets of 188 bytes
    return stream or any(head[at : at + len(mark)] == mark for at, mark in CONTAINERS)
