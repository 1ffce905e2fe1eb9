"""Faces followed through a video: found now and then, carried on by optical flow in between.

A *track* is a stretch in which one face is seen. It is measured while it is followed (`temporal_traces.Gauge`), so that
of the video two frames are in memory, and of a track a few dozen numbers a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ...kit.pictures.faces import Face, Finder, find_faces
from ...kit.video import opencv

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

EVERY = 6
"""Frames from one search for faces to the next; where none is followed, half as many."""
MISSES = 6
"""Searches in a row that may not see a face that is followed."""
OVERLAP = 0.3
"""Of the boxes of a face found and of one followed, intersection over union, for the two to be one."""
LONGEST = 240
"""Frames after which a track is cut, to have its own middle anew."""
SHORTEST = 8
"""Frames of a track that is judged."""
FACES = 6
"""That are followed at a time: the largest."""
POINTS, ENOUGH = 40, 6
TRUST = 0.3
"""How far a search moves a box that is followed."""
ALIKE = 0.3
"""Correlation of a face with what it was a frame ago, below which it is another scene."""
CASCADE = (0.92, -0.08)
"""Height and place of a head, in sides of the cascade's box, which runs from the brows to the chin."""


@dataclass(frozen=True)
class Place:
    """Where a head is, in pixels: its middle and its height."""

    x: float
    y: float
    height: float

    @classmethod
    def of(cls, face: Face) -> Place:
        """Return the place of a face that was found: YuNet, which tells the eyes, has boxes of the whole head."""
        x, y, width, height = face.box
        grow, up = (1.0, 0.0) if face.eyes else CASCADE
        return cls(x + width / 2, y + height / 2 + up * height, grow * height)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x, y of the upper left corner, width, height: four fifths as wide as high."""
        return self.x - 0.4 * self.height, self.y - 0.5 * self.height, 0.8 * self.height, self.height

    def towards(self, other: Place, share: float) -> Place:
        """Return a place that is a share of the way to another one."""
        pairs = ((self.x, other.x), (self.y, other.y), (self.height, other.height))
        return Place(*(a + share * (b - a) for a, b in pairs))

    def overlap(self, other: Place) -> float:
        """Intersection over union of the two boxes.

        >>> Place(0, 0, 10).overlap(Place(0, 5, 10))
        0.3333333333333333
        """
        (ax, ay, aw, ah), (bx, by, bw, bh) = self.box, other.box
        across = min(ax + aw, bx + bw) - max(ax, bx)
        down = min(ay + ah, by + bh) - max(ay, by)
        shared = max(across, 0.0) * max(down, 0.0)
        return shared / (aw * ah + bw * bh - shared)


@dataclass
class Track:
    """A stretch in which one face is seen.

    Attributes
    ----------
    times : list of float
        Of its frames, in seconds.
    places : list of Place
    rows : list of array
        What was measured in each frame but the first: see `temporal_traces`.
    seen : int
        How often a search found it.
    """

    times: list[float] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    rows: list[Any] = field(default_factory=list)
    seen: int = 1
    missed: int = 0
    gauge: Any = field(default=None, repr=False)

    def append(self, time: float, place: Place) -> None:
        """Add a frame."""
        self.times.append(time)
        self.places.append(place)


def follow(
    shots: Iterable[tuple[float, Image]], gauge: Callable[[], Any], *, finder: Finder = find_faces
) -> Iterator[Track]:
    """Yield tracks as they end.

    Parameters
    ----------
    shots : iterable of (float, array)
        Seconds and (H, W, 3) of uint8, in the order of time.
    gauge : callable
        Returns what measures a track: its ``step(before, frame, place)`` is called with two frames that follow each
        other and the face's place in the second, and returns a row of numbers.
    finder : callable
        See `guardrails.kit.pictures.faces`.

    Yields
    ------
    Track
        Of at least `SHORTEST` frames in which a search found a face twice.
    """
    live: list[Track] = []
    before: Image | None = None
    grey: Any = None
    since = 0
    for time, frame in shots:
        now = _grey(frame)
        cut = before is not None and before.shape != frame.shape
        carried = [] if cut or before is None else [(t, _carried(grey, now, t.places[-1])) for t in live]
        ended = [t for t in live if cut] + [t for t, place in carried if place is None]
        there = [(t, place) for t, place in carried if place is not None]
        since += 1
        if since >= EVERY or (not there and since >= EVERY // 2) or before is None or cut:
            since = 0
            there = _matched(there, [Place.of(face) for face in finder(frame)[:FACES]])
            ended += [t for t, _ in there if t.missed > MISSES]
            there = [(t, place) for t, place in there if t.missed <= MISSES]
        live = []
        for track, place in there:
            if len(track.times) >= LONGEST:
                ended.append(track)
                track = Track([track.times[-1]], [track.places[-1]], seen=2, gauge=track.gauge)
            if track.gauge is None:
                track.gauge = gauge()
            if track.times and before is not None:
                track.rows.append(track.gauge.step(before, frame, place))
            track.append(time, place)
            live.append(track)
        yield from _judged(ended)
        before, grey = frame, now
    yield from _judged(live)


def _judged(tracks: list[Track]) -> Iterator[Track]:
    for track in tracks:
        if len(track.times) >= SHORTEST and track.seen >= 2:
            track.gauge = None
            yield track


def _matched(there: list[tuple[Track, Place]], places: list[Place]) -> list[tuple[Track, Place]]:
    """Move what is followed towards what was found, the best overlap first; what is new is a new track."""
    pairs = sorted(
        ((place.overlap(new), i, j) for i, (_, place) in enumerate(there) for j, new in enumerate(places)), reverse=True
    )
    partner: dict[int, int] = {}
    for overlap, i, j in pairs:
        if overlap >= OVERLAP and i not in partner and j not in partner.values():
            partner[i] = j
    out = []
    for i, (track, place) in enumerate(there):
        if i in partner:
            track.seen, track.missed = track.seen + 1, 0
            place = place.towards(places[partner[i]], TRUST)
        else:
            track.missed += 1
        out.append((track, place))
    new = [(Track(), places[j]) for j in range(len(places)) if j not in partner.values()]
    new = [(t, p) for t, p in new if all(p.overlap(q) < OVERLAP for _, q in out)]
    return out + new[: max(0, FACES - len(out))]


def _grey(frame: Image) -> Any:
    cv2 = opencv()
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def _carried(before: Any, now: Any, place: Place) -> Place | None:
    """Where a face went: the middle of what the points in it did (Lucas and Kanade 1981). None where they are lost."""
    cv2 = opencv()
    x, y, width, height = place.box
    left, top = max(0, int(x)), max(0, int(y))
    cut = before[top : max(top, int(y + height)), left : max(left, int(x + width))]
    if min(cut.shape) < 8:
        return None
    points = cv2.goodFeaturesToTrack(cut, POINTS, 0.01, max(2, int(height / 20)))
    if points is None or len(points) < ENOUGH:
        return None
    points = points.reshape(-1, 1, 2) + np.array([left, top], np.float32)
    moved, kept, _ = cv2.calcOpticalFlowPyrLK(before, now, points, None)
    way = (moved - points)[kept.ravel() == 1].reshape(-1, 2)
    if len(way) < ENOUGH:
        return None
    dx, dy = np.median(way, axis=0)
    spread = np.median(np.abs(way - [dx, dy]))
    if spread > 0.1 * height:  # points that scatter belong to another scene
        return None
    to = Place(place.x + float(dx), place.y + float(dy), place.height)
    inside = 0 <= to.x < now.shape[1] and 0 <= to.y < now.shape[0]
    return to if inside and _likeness(_patch(before, place), _patch(now, to)) >= ALIKE else None


def _patch(grey: Any, place: Place) -> Any:
    """The head at 32 by 32 pixels."""
    cv2 = opencv()
    scale = 32 / place.height
    matrix = [[scale, 0, 16 - scale * place.x], [0, scale, 16 - scale * place.y]]
    return cv2.warpAffine(grey, np.array(matrix, np.float32), (32, 32), borderMode=cv2.BORDER_REPLICATE)


def _likeness(first: Any, second: Any) -> float:
    """Correlation of two patches; 0 where one is flat: points are "found" in a scene that has none, too."""
    a, b = (patch.astype(np.float64) - patch.mean() for patch in (first, second))
    return float((a * b).sum() / max(np.sqrt((a * a).sum() * (b * b).sum()), 1e-9))
