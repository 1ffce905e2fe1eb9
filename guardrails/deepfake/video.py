"""Is a face in this video manipulated, and when?

Faces are tracked (`tracks`), compared with their surroundings from frame to frame (`temporal_traces`), and scored frame
by frame by a linear head. The scores are smoothed, pooled by track and calibrated (`model`), and the suspect segments
are given in seconds (`timeline`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..core.control import Control
from ..core.detector import Detection, Detector
from ..core.errors import ConfigurationError, ContentError
from ..core.targets import Modality

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .videos.model import Labelled, VideoModel
    from .videos.tracks import Track

    Image = NDArray[np.uint8]

RATE = 12.0
"""Frames a second that are looked at, at most."""
MOST_FRAMES = 500_000
"""Frames that are decoded: four and a half hours of 30 a second."""
LEARNT = "faceswap,output=video,method=self-blend"
RESERVED = "reference:faceswap,output=video,method=poisson"


@dataclass(frozen=True)
class Footage:
    """What was followed in one video.

    Attributes
    ----------
    tracks : list of Track
    notes : tuple of str
        What is wrong with the file, though it could be read.
    looked_at : int
        Frames.
    """

    tracks: list[Track]
    notes: tuple[str, ...]
    looked_at: int


class VideoFaces(Detector):
    """Finds segments of a video in which a face was swapped, blended in or flickers.

    Items are paths, or pairs of frames and their rate: `(frames, 25.0)` with an array (T, H, W, 3) of uint8 or any
    iterable of (H, W, 3). Two frames of a video are in memory at a time.

    Parameters
    ----------
    model : path, optional
        A YuNet model to find faces with; default scikit-image's cascade: upright faces seen from the front.
    """

    id = "deepfake.video"
    title = "Manipulated faces in a video, and when"
    limits = (
        "Trained on drawn people and the library's own forgeries, tested on these and on photographs over which a "
        "camera drifts, and untested on real footage. Encoders shift its scores (docs/video.md). It uses differences "
        "between a face and its surroundings or between frames: it does not detect a video that was generated as a "
        "whole, or a forgery as fine-grained and steady as the footage. Faces must be upright, seen from the front "
        "and at least an eighth of the frame's shorter side; at most 12 frames per second are used, and a face must "
        "be tracked through 8 of them."
    )
    modalities = frozenset({Modality.VIDEO})
    controls: ClassVar[tuple[Control, ...]] = (Control(f"{RESERVED},forgery=0.5", "found"), Control(RESERVED, "clear"))
    learnt = frozenset({LEARNT})
    takes = "the path of a YuNet face model (ONNX)"

    def __init__(self, model: str | None = None) -> None:
        from ..kit.pictures.faces import find_faces, yunet

        self._finder = find_faces if model is None else yunet(model)
        self._model: VideoModel | None = None

    @property
    def model(self) -> VideoModel:
        """What was fitted, or what ships.

        Raises
        ------
        ConfigurationError
            Where the shipped weights are missing, altered or of another version.
        """
        if self._model is None:
            from .videos.model import shipped

            self._model = shipped()
        return self._model

    def fit(self, items: Sequence[Any], labels: Sequence[int], *, sources: Sequence[str] | None = None) -> Self:
        """Fit to labelled videos, each taken to be manipulated throughout or not at all; see `Detector.fit`.

        A video in which no face is followed is an error, as one that cannot be read is.
        """
        from .videos.model import VideoModel

        self._model = VideoModel.fit(
            self._labelled(items, labels, sources), basis="cross-fitted on the videos that it was fitted to"
        )
        return self

    def calibrate(self, items: Sequence[Any], labels: Sequence[int], *, sources: Sequence[str] | None = None) -> Self:
        self._model = self.model.calibrated(
            self._labelled(items, labels, sources), basis="calibrated on its own set of videos"
        )
        return self

    def _labelled(self, items: Sequence[Any], labels: Sequence[int], sources: Sequence[str] | None) -> list[Labelled]:
        import numpy as np

        from .images.base import checked
        from .videos.model import Labelled, described

        y, names = checked(self.id, items, labels, sources)
        out = []
        for i, (item, label, source) in enumerate(zip(items, y, names, strict=True)):
            tracks = self.follow(item).tracks
            if not tracks:
                raise ContentError(f"{_name(item, i)}: no face was followed in it; leave it out")
            out += [Labelled(described(t), np.full(len(t.times), bool(label)), source) for t in tracks]
        return out

    def score(self, items: Sequence[Any]) -> list[Detection]:
        return [self._detect(item, _name(item, i)) for i, item in enumerate(items)]

    def follow(self, item: Any) -> Footage:
        """Follow the faces of a video.

        Raises
        ------
        ContentError
            Where it cannot be read, or has no frame.
        """
        from ..kit.video import Shots, opencv
        from .videos.temporal_traces import Gauge
        from .videos.tracks import follow

        shots: Any = Shots(item, rate=RATE, max_frames=MOST_FRAMES) if isinstance(item, str | Path) else _given(item)
        counted = _Counted(shots)
        try:
            tracks = list(follow(counted, Gauge, finder=self._finder))
        except opencv().error as error:
            raise ContentError(f"OpenCV cannot work on its frames ({str(error).strip().splitlines()[-1]})") from None
        if not counted.n:
            raise ContentError("no frame could be read: it is empty or cut short")
        return Footage(tracks, _notes(shots) if isinstance(shots, Shots) else (), counted.n)

    def _detect(self, item: Any, name: str) -> Detection:
        model = self.model
        try:
            footage = self.follow(item)
        except ContentError as error:
            return Detection(name, None, reasons=(str(error),))
        if not footage.tracks:
            return Detection(name, None, reasons=(_nobody(footage.looked_at), *footage.notes))
        detection = model.detection(name, footage.tracks)
        return replace(detection, reasons=(*detection.reasons, *footage.notes))

    def picture(self, item: Any) -> Image | None:
        """Return evidence for a report: suspicious frames with the faces' boxes, above the scores over time.

        Parameters
        ----------
        item : path or (array, rate)
            Read twice, so that it may not be an iterator.

        Returns
        -------
        array of uint8, (H, W, 3), or None
            None where no face was followed.

        Raises
        ------
        ContentError
            Where it cannot be read.
        """
        from ..kit.video import Shots
        from .videos.evidence_picture import picture

        def shots() -> Iterator[tuple[float, Image]]:
            again: Any = Shots(item, rate=RATE, max_frames=MOST_FRAMES) if isinstance(item, str | Path) else None
            yield from _given(item) if again is None else again

        tracks = self.follow(item).tracks
        return picture(shots(), tracks, self.model) if tracks else None


class _Counted:
    """Counts what passes."""

    def __init__(self, shots: Iterable[tuple[float, Image]]) -> None:
        self.shots, self.n = shots, 0

    def __iter__(self) -> Iterator[tuple[float, Image]]:
        for shot in self.shots:
            self.n += 1
            yield shot


def _name(item: Any, place: int) -> str:
    return str(item) if isinstance(item, str | Path) else f"{place:05d}"


def _given(item: Any) -> Iterator[tuple[float, Image]]:
    """Yield times and frames of a pair of frames and rate, at most `RATE` a second.

    Raises
    ------
    ConfigurationError
        For anything else.
    ContentError
        For a frame that is none.
    """
    import numpy as np

    if not isinstance(item, tuple) or len(item) != 2 or not isinstance(item[1], int | float) or not item[1] > 0:
        raise ConfigurationError("a video is a path, or (frames, rate) with the frames a second")
    frames, rate = item
    due = 0.0
    for i, frame in enumerate(frames):
        pixels = np.asarray(frame)
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
            raise ContentError(f"frame {i} is {pixels.shape} of {pixels.dtype}, not (H, W, 3) of uint8")
        if i / rate >= due - 0.5 / rate:
            due = max(due + 1 / RATE, i / rate)
            yield i / rate, pixels


def _notes(shots: Any) -> tuple[str, ...]:
    out = []
    if not shots.whole:
        out.append(f"only its first {shots.decoded:,} frames were looked at")
    elif shots.claimed and abs(shots.claimed - shots.decoded) > max(2, 0.02 * shots.claimed):
        out.append(f"{shots.claimed:,} frames by its header, {shots.decoded:,} could be read")
    return tuple(out)


def _nobody(frames: int) -> str:
    from .videos.tracks import SHORTEST

    if frames < SHORTEST:
        return f"{frames} frame{'s' * (frames > 1)} to look at: a face must be followed through {SHORTEST}"
    return f"no face was followed through {SHORTEST} of the {frames:,} frames that were looked at"
