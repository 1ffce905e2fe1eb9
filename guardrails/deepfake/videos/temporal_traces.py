"""What of a face changes from frame to frame, beside what surrounds it.

From two frames that follow each other, both cut around the face's place in the second, at 96 pixels a side:

- **flow**: after the first is warped onto the second by dense optical flow (DIS, Kroeger et al. 2016, arXiv
  1603.03590), what remains in the face, in a band around its border and outside of both: fine (grain and detail) and
  coarse (brightness, things that moved unlike a surface).
- **flicker**: steps of the face's mean brightness and tint against those of its surroundings, and how these steps
  change.
- **jitter**: how the face moves against the band around it, and how abruptly; steps of a descriptor of the face (the
  copy descriptor that ships, `kit.descriptor`: the library has no network of identities).
- **face**: one frame alone: detail, colour and border of the face against what is around.

`context` then tells each number's level around a frame, if it compares the face with something, and how far it is from
the rest of its track.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ...kit.video import opencv

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .tracks import Place

    Image = NDArray[np.uint8]
    Array = NDArray[np.float64]

SIDE = 96
ROOM = 1.7
"""Side of what is cut out, in heights of the head."""
ELLIPSE = (0.36, 0.46)
"""Half axes of a face, across and down, in heights of the head."""
NEAR = 2
"""Frames to each side whose mean a level is."""
WIDTHS = {"flow": 12, "flicker": 7, "jitter": 8, "face": 12}
"""Numbers a frame, by block."""
ABSOLUTE = {"flow": (0, 1, 2, 6, 7, 8), "flicker": (0, 5, 6), "jitter": (0, 1, 2, 3, 4, 5, 6), "face": (4, 5, 6, 8, 9)}
"""Numbers, by block, that compare the face with nothing: their level follows the size of the face, the codec, the light
and the motion. Only their distance from the rest of the track is used."""
EPSILON = 0.3
"""Levels of grey that are added before a logarithm."""


class Gauge:
    """Measures one track, frame by frame."""

    def __init__(self) -> None:
        self._step: Array | None = None
        self._way: Array | None = None
        self._vectors: list[Any] = []

    def step(self, before: Image, frame: Image, place: Place) -> NDArray[np.float32]:
        """Return what is measured of a frame, all blocks in a row, from it, the one before it and the face's place."""
        first, second = (_cut(f, place) for f in (before, frame))
        flow, warped = _warped(first, second)
        rest = second - warped
        parts = [
            _flow(rest),
            self._flicker(rest),
            self._jitter(flow, second),
            _face(second),
        ]
        return np.concatenate(parts).astype(np.float32)

    def _flicker(self, rest: Any) -> Array:
        """Steps of the face's brightness and tint beyond those of what is outside."""
        inner, _, outer = _regions()
        step = rest[inner].mean(0) - rest[outer].mean(0)
        last = step if self._step is None else self._step
        self._step = step
        light, tint = step.mean(), step - step.mean()
        turn = step - last
        return np.array(
            [
                light,
                np.log(EPSILON + abs(light)),
                np.log(EPSILON + np.abs(tint).max()),
                np.log(EPSILON + abs(turn.mean())),
                np.log(EPSILON + np.abs(turn - turn.mean()).max()),
                np.log(EPSILON + np.abs(rest[inner].mean(0)).mean()),
                np.log(EPSILON + np.abs(rest[outer].mean(0)).mean()),
            ]
        )

    def _jitter(self, flow: Any, second: Any) -> Array:
        """How the face moves beside the band around it, and how its descriptor does."""
        inner, band, _ = _regions()
        way = flow[inner].mean(0) - flow[band].mean(0)
        turn = way - (way if self._way is None else self._way)
        self._way = way
        self._vectors = [*self._vectors[-2:], _vector(second)]
        steps = np.diff(np.stack(self._vectors), axis=0) if len(self._vectors) > 1 else np.zeros((1, 1))
        bend = np.diff(steps, axis=0)[-1] if len(steps) > 1 else np.zeros(1)
        torn = [flow[region].std(0).mean() for region in (inner, band)]
        return np.array(
            [
                np.log(0.05 + np.hypot(*way)),
                np.log(0.05 + np.hypot(*turn)),
                np.log(0.05 + np.hypot(*flow[band].mean(0))),
                *np.log(0.05 + np.array(torn)),
                np.log(0.01 + np.linalg.norm(steps[-1])),
                np.log(0.01 + np.linalg.norm(bend)),
                np.log(0.05 + torn[1]) - np.log(0.05 + torn[0]),
            ]
        )


def _cut(frame: Image, place: Place) -> Any:
    """The head and what is around, (96, 96, 3) of float32; beyond the frame's edge, mirrored."""
    cv2 = opencv()
    scale = SIDE / (ROOM * place.height)
    matrix = np.array(
        [[scale, 0, SIDE / 2 - scale * place.x], [0, scale, SIDE / 2 - scale * place.y]], dtype=np.float32
    )
    if scale < 0.7:  # averaged first, else a face of many pixels would be sampled here and there
        half = ROOM * place.height / 2
        left, top = max(0, int(place.x - half)), max(0, int(place.y - half))
        part = frame[top : int(place.y + half) + 1, left : int(place.x + half) + 1]
        small = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        fx, fy = small.shape[1] / part.shape[1], small.shape[0] / part.shape[0]
        matrix = np.array(
            [[1, 0, SIDE / 2 - fx * (place.x - left)], [0, 1, SIDE / 2 - fy * (place.y - top)]], dtype=np.float32
        )
        frame = small
    return cv2.warpAffine(
        frame.astype(np.float32),
        matrix,
        (SIDE, SIDE),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )


@cache
def _dis() -> Any:
    cv2 = opencv()
    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)


@cache
def _grid() -> tuple[Any, Any]:
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    return x, y


@cache
def _regions() -> tuple[Any, Any, Any]:
    """Masks of the face, of the band around its border and of what is outside."""
    x, y = _grid()
    unit = SIDE / ROOM
    r = np.hypot((x + 0.5 - SIDE / 2) / (ELLIPSE[0] * unit), (y + 0.5 - SIDE / 2) / (ELLIPSE[1] * unit))
    return r < 0.85, (r >= 0.85) & (r < 1.25), (r >= 1.35) & (r < 2.2)


def _warped(first: Any, second: Any) -> tuple[Any, Any]:
    """Flow from the second frame to the first, (96, 96, 2), and the first warped by it onto the second."""
    cv2 = opencv()
    greys = [np.clip(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), 0, 255).astype(np.uint8) for f in (second, first)]
    flow = _dis().calc(*greys, None)
    x, y = _grid()
    warped = cv2.remap(first, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return flow, warped


def _flow(rest: Any) -> Array:
    """What warping leaves, fine and coarse, in each region and one against the other."""
    cv2 = opencv()
    coarse = cv2.GaussianBlur(rest, (0, 0), 2)
    out = []
    for layer in (rest - coarse, coarse):
        size = np.abs(layer).mean(-1)
        inner, band, outer = (np.log(EPSILON + size[region].mean()) for region in _regions())
        out += [inner, band, outer, inner - outer, band - outer, band - inner]
    return np.array(out)


def _face(cut: Any) -> Array:
    """Detail, colour and border of the face in one frame."""
    cv2 = opencv()
    grey = cut.mean(-1)
    fine = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 0.8))
    middle = np.abs(cv2.GaussianBlur(grey, (0, 0), 0.8) - cv2.GaussianBlur(grey, (0, 0), 2))
    regions = _regions()
    out = []
    for layer in (fine, middle):
        inner, band, outer = (np.log(EPSILON + np.median(layer[region])) for region in regions)
        out += [inner - outer, band - inner]
    ratio = np.log(EPSILON + np.median(fine[regions[0]])) - np.log(EPSILON + np.median(middle[regions[0]]))
    colours = [cut[region].mean(0) for region in regions[:2]]
    tints = [colour - colour.mean() for colour in colours]
    return np.array(
        [
            *out,
            ratio,
            np.log(EPSILON + np.median(fine[regions[0]])),
            colours[0].mean() / 32,
            (colours[0] - colours[1]).mean() / 32,
            tints[0][0] / 16,
            tints[0][2] / 16,
            (tints[0] - tints[1])[0] / 16,
            _border(grey),
        ]
    )


def _border(grey: Any) -> float:
    """How much steeper it is across the face's border than beside it, as a logarithm."""
    x, y = _grid()
    unit = SIDE / ROOM
    u = (x + 0.5 - SIDE / 2) / (ELLIPSE[0] * unit)
    v = (y + 0.5 - SIDE / 2) / (ELLIPSE[1] * unit)
    r = np.hypot(u, v)
    gy, gx = np.gradient(grey)
    across = np.abs(gx * u + gy * v) / np.maximum(r, 1e-6)
    at, beside = (r > 0.9) & (r < 1.1), ((r > 0.7) & (r < 0.85)) | ((r > 1.15) & (r < 1.3))
    return float(np.log(1 + across[at].mean()) - np.log(1 + across[beside].mean()))


def _vector(cut: Any) -> Any:
    """The face's descriptor, (D,), of length 1."""
    from ...kit.pictures.descriptor import shipped_descriptor

    half = int(SIDE / ROOM / 2)
    part = cut[SIDE // 2 - half : SIDE // 2 + half, SIDE // 2 - half : SIDE // 2 + half]
    return shipped_descriptor().embed([np.clip(part, 0, 255).astype(np.uint8)])[0]


def context(rows: Array) -> dict[str, Array]:
    """Return what describes each frame of a track: levels around it, and how far these are from the track's.

    Parameters
    ----------
    rows : array, (T, D)
        Of `Gauge.step`.

    Returns
    -------
    dict of str to array
        Block → (T, 5 × its width − its `ABSOLUTE` numbers): the mean over five frames, but for those; its distance to
        the track's median, with its sign and without; its distance to the track's upper fifth; the logarithm of the
        deviation within the five frames.
    """
    from scipy.ndimage import uniform_filter1d

    x = np.asarray(rows, dtype=np.float64)
    size = 2 * NEAR + 1
    level = uniform_filter1d(x, size, axis=0, mode="nearest")
    spread = np.sqrt(np.maximum(uniform_filter1d(x * x, size, axis=0, mode="nearest") - level**2, 0))
    off = level - np.median(level, axis=0)
    above = level - np.quantile(level, 0.8, axis=0)
    parts = [level, off, np.abs(off), above, np.log(0.05 + spread)]
    ends = np.cumsum(list(WIDTHS.values()))[:-1]
    levels, *others = (np.split(part, ends, axis=1) for part in parts)
    return {
        name: np.concatenate([np.delete(levels[k], ABSOLUTE[name], axis=1), *(part[k] for part in others)], axis=1)
        for k, name in enumerate(WIDTHS)
    }
