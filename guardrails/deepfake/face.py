"""Manipulated faces: another face, or a changed one, pasted into a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..core.control import Control
from ..core.detector import Detection
from ..core.errors import ConfigurationError, ContentError
from ..kit.pictures.bounds import MAX_PIXELS
from ..kit.pictures.faces import Face, Finder, find_faces, read_boxes, yunet
from .images.base import ImageDetector
from .images.kinds import FACE
from .images.picture import Picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .faces.network import FaceNet
    from .images.fitted_head import Fitted

    Image = NDArray[np.uint8]
    Array = NDArray[np.float64]
    Heat = NDArray[np.float32]

SMALLEST = 24
"""Sides in pixels of the smallest face that is judged."""
MAX_FACES = 16
"""Of one picture: the largest."""
NOISE_SIDE = 256
"""Of the crop whose grain is measured, at most; smaller faces at their own size."""
HEAT = 128
"""Longer side of a heat map."""


class FaceManipulation(ImageDetector):
    """Detects traces of blending: a network trained on self-blended faces, noise and borders.

    The network (0.15 million weights) predicts for each place around a face whether it was pasted in, and for the face
    whether any place was. It was trained on pictures with a changed copy of themselves blended over a face (Shiohara &
    Yamasaki 2022, arXiv 2204.08376). A linear head combines it with noise and borders (`noise_maps`).

    Parameters
    ----------
    argument : str, optional
        A YuNet model (``.onnx``), or a file of boxes (``.csv``, ``.json``; see
        `guardrails.kit.pictures.faces.read_boxes`) whose names are the ends of the items' paths. Default:
        scikit-image's cascade.
    """

    id = "deepfake.face"
    title = "Manipulated faces"
    limits = (
        "Looks for the traces of pasting a face: a picture that was generated as a whole has no such border. It "
        "was trained on procedural portraits and few photographs: it finds the library's own swaps, and on 19 "
        "real swaps of four tools it was no better than chance (docs/face-swaps.md). Faces of fewer than about 30 "
        "pixels are too small, and the cascade only detects upright faces seen from the front."
    )
    controls: ClassVar[tuple[Control, ...]] = (
        Control("reference:faceswap,forgery=1", "found"),
        Control("real:faceswap", "clear"),
    )
    learnt = frozenset({"faceswap,method=self-blend"})
    takes = "a YuNet model (.onnx) or a file of boxes (.csv, .json)"

    def __init__(self, argument: str | None = None) -> None:
        super().__init__()
        self._argument = argument
        self._net: FaceNet | None = None
        self._boxes: dict[str, list[Face]] | None = None
        self._finder: Finder = find_faces
        if argument is None:
            return
        suffix = Path(argument).suffix.lower()
        if suffix == ".onnx":
            self._finder = yunet(argument)
        elif suffix in (".csv", ".json"):
            self._boxes = read_boxes(argument)
        else:
            raise ConfigurationError(f"{self.id}:{argument}: neither {self.takes.removeprefix('a ')}")

    @classmethod
    def of(cls, net: FaceNet, fitted: Fitted) -> Self:
        """Return a detector with a network and a head just trained."""
        out = cls()
        out._net, out._fitted = net, fitted
        return out

    @property
    def fitted(self) -> Fitted:
        return shipped() if self._fitted is None else self._fitted

    def faces(self, picture: Picture) -> list[Face]:
        """Return the faces of a picture that can be judged, the largest first.

        Raises
        ------
        ContentError
            Where the picture cannot be read, or no such face is in it.
        """
        pixels = picture.pixels
        if self._boxes is None:
            faces = picture.kept(("faces", self._argument), lambda: self._finder(pixels))
        else:
            faces = _named(self._boxes, picture.name)
        if not faces:
            raise ContentError(f"{picture.name}: no face found")
        judged = [face for face in faces if _judged(face, pixels)][:MAX_FACES]
        if not judged:
            raise ContentError(f"{picture.name}: no face of at least {SMALLEST} pixels found in it")
        return judged

    def blocks(self, picture: Picture) -> Mapping[str, Array]:
        """Describe the face that the network finds most suspicious."""
        blocks, _ = described(picture.pixels, self.faces(picture), self._net)
        worst = int(blocks["network"][:, 0].argmax())
        return {name: x[worst] for name, x in blocks.items()}

    def _detect(self, picture: Picture) -> Detection:
        return self._every(picture)[0]

    def explain(self, item: Any) -> Detection:
        picture = Picture.of(item)
        worst, faces, heats = self._every(picture)
        return worst if worst.score is None else replace(worst, heat_map=heat_map(picture.pixels.shape, faces, heats))

    def _every(self, picture: Picture) -> tuple[Detection, Sequence[Face], Heat | Sequence[Heat]]:
        """Judge every face; the one with the largest score decides."""
        import numpy as np

        from ..kit.detection.calibration import ALPHA

        fitted = self.fitted
        try:
            faces = self.faces(picture)
        except ContentError as error:
            return Detection(picture.name, None, reasons=(str(error),)), (), ()
        blocks, heats = described(picture.pixels, faces, self._net)
        rows = [
            fitted.detection(picture.name, {name: x[i : i + 1] for name, x in blocks.items()})
            for i in range(len(faces))
        ]
        known = [i for i, row in enumerate(rows) if row.likelihood_ratio is not None] or list(range(len(rows)))
        worst = max(known, key=lambda i: rows[i].score or 0.0)
        row, where = rows[worst], "face at {:.0f}, {:.0f}, {:.0f} x {:.0f} pixels".format(*faces[worst].box)
        count = "" if len(faces) == 1 else f", of {len(faces)} faces"
        row = replace(row, reasons=(*row.reasons[:1], where + count, *row.reasons[1:]))
        if row.likelihood_ratio is None or row.score is None:
            return row, faces, heats
        if fitted.scope is not None and FACE not in fitted.scope.kinds:
            reasons = (fitted.scope.withheld(FACE), *row.reasons[1:])
            return Detection(row.item, row.score, reasons=reasons), faces, heats
        # One of k faces was changed, who knows which: the ratio is the mean of theirs, and k times as many can mislead.
        ratio = float(np.mean([rows[i].likelihood_ratio for i in known]))
        verdict, why = fitted.calibration.judged(row.score, alpha=ALPHA / len(known))
        row = replace(
            row, likelihood_ratio=ratio, probability=ratio / (1 + ratio), reasons=(why, *row.reasons[1:]),
            verdict="manipulated" if verdict == "synthetic" else verdict,
        )  # fmt: skip
        return row, faces, heats


def face_scores(pixels: Image, faces: Sequence[Face]) -> list[tuple[float, Heat]]:
    """Return for each face its logit, and the evidence at every place around it.

    Parameters
    ----------
    pixels : array of uint8
        (H, W, 3).
    faces : sequence of Face
        Of at least 24 pixels, with their middle in the picture, as `guardrails.kit.pictures.faces` finds them.

    Returns
    -------
    list of (float, array of float32)
        (24, 24), over the square `network.square_of` around the face.
    """
    if not faces:
        return []
    blocks, heats = described(pixels, faces)
    return list(zip(shipped().logits(blocks).tolist(), heats, strict=True))


def described(pixels: Image, faces: Sequence[Face], net: FaceNet | None = None) -> tuple[dict[str, Array], Heat]:
    """Return what is known of faces, (N, D) a block, and the logits of places, (N, 24, 24)."""
    import numpy as np

    from .faces.network import crop, read_net, square_of
    from .faces.noise_maps import border_traits, noise_traits

    places, logits = (net or read_net())(np.stack([crop(pixels, face) for face in faces]))
    crops = [crop(pixels, face, min(NOISE_SIDE, round(square_of(face)[2]))) for face in faces]
    return {
        "network": network_traits(places, logits),
        "grain": np.stack([noise_traits(one) for one in crops]).astype(np.float64),
        "border": np.stack([border_traits(one) for one in crops]).astype(np.float64),
    }, places[:, 0]


def network_traits(places: NDArray[np.float32], logits: NDArray[np.float32]) -> Array:
    """Return what the network says of faces, (N, 5).

    Its logit of a face, the mean of the most suspicious tenth of its places and of its borders, of the face's inside
    and of what is around it.
    """
    import numpy as np

    from .faces.noise_maps import INNER, OUTER, polar

    radius, _ = polar(places.shape[-1])
    flat = np.sort(places.reshape(len(places), 2, -1), axis=-1)
    top = flat[..., -(flat.shape[-1] // 10) :].mean(axis=-1)
    inside, outside = places[:, 0, radius < INNER].mean(axis=1), places[:, 0, radius > OUTER].mean(axis=1)
    return np.stack([logits, top[:, 0], top[:, 1], inside, outside], axis=1).astype(np.float64)


def heat_map(shape: tuple[int, ...], faces: Sequence[Face], heats: Heat | Sequence[Heat]) -> Heat:
    """Return a map over a picture from those of its faces: NaN where none is near, the largest where several are."""
    import numpy as np
    from scipy.ndimage import map_coordinates

    from .faces.network import square_of

    scale = HEAT / max(shape[:2])
    size = [max(1, round(n * scale)) for n in shape[:2]]
    out = np.full(size, np.nan, dtype=np.float32)
    for face, heat in zip(faces, heats, strict=True):
        left, top, side = square_of(face)
        y = ((np.arange(size[0]) + 0.5) * shape[0] / size[0] - top) / side
        x = ((np.arange(size[1]) + 0.5) * shape[1] / size[1] - left) / side
        rows, columns = np.flatnonzero((y > 0) & (y < 1)), np.flatnonzero((x > 0) & (x < 1))
        place = np.meshgrid(y[rows] * len(heat) - 0.5, x[columns] * len(heat) - 0.5, indexing="ij")
        there = np.ix_(rows, columns)
        out[there] = np.fmax(out[there], map_coordinates(heat, place, order=1, mode="nearest"))
    return out


def shipped() -> Fitted:
    """Return the head that ships.

    Raises
    ------
    ConfigurationError
        Where the weights are missing, altered or of another version.
    """
    from .images.fitted_head import read

    heads, _ = read(stem="face")
    return heads[FaceManipulation.id]


def _named(boxes: Mapping[str, list[Face]], name: str) -> list[Face]:
    """The boxes of the longest end of a path that has some."""
    parts = Path(name).parts
    return next((faces for k in range(len(parts)) if (faces := boxes.get("/".join(parts[k:])))), [])


def _judged(face: Face, pixels: Image) -> bool:
    x, y, width, height = face.box
    inside = 0 <= x + width / 2 < pixels.shape[1] and 0 <= y + height / 2 < pixels.shape[0]
    small_enough = max(width, height) <= 2 * max(pixels.shape) and max(width, height) ** 2 <= MAX_PIXELS
    return inside and min(width, height) >= SMALLEST and small_enough
