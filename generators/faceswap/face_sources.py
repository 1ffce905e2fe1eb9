"""Where `faceswap` gets its untouched pictures: people who do not exist, or the user's photographs.

A `Take` is one picture, or the frames of one video, with the faces in it, and beside it the donor whose face could be
laid over them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from guardrails.core.errors import ConfigurationError
from guardrails.core.seeding import derive_seed
from guardrails.kit.io import resize
from guardrails.kit.pictures.faces import Face, faces_in_folder

from .portraits import Identity, Portrait, State, draw_identity, draw_state, motion, paint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

PERSONS = {"A": 0, "B": 10}
"""The two people whom the autoencoder knows, by the number that they are drawn from."""
RATE = 12
PHOTO_SIDE = 256
ROOM = 2.0
"""How much of a photograph is kept around a face, in heights of its box."""


@dataclass(frozen=True)
class Take:
    """Frames of one person, and of the donor.

    Attributes
    ----------
    frames : list of ndarray of uint8
        (H, W, 3) each; one for a picture.
    faces : list of Face
        One per frame.
    identity, donor : str
        Who is seen, and who is not.
    donor_frames, donor_faces : list
        As many, or none where the donor is known by a decoder, or is the person itself.
    """

    frames: list[Image]
    faces: list[Face]
    identity: str
    donor: str
    donor_frames: Sequence[Image] = ()
    donor_faces: Sequence[Face] = ()

    def still(self, frames: int) -> Take:
        """Return the first frame as a video in which nothing moves."""
        return Take(self.frames[:1] * frames, self.faces[:1] * frames, self.identity, self.donor)


class FaceSource(Protocol):
    """A source of takes."""

    def take(self, rng: np.random.Generator, frames: int, method: str) -> Take:
        """Return a take of so many frames, with what the method needs of a donor."""


@cache
def person(name: str) -> Identity:
    """Return who it is: A or B, or anyone by the number that they were drawn from."""
    seed = derive_seed(PERSONS[name], "faceswap", "person") if name in PERSONS else int(name)
    return draw_identity(np.random.default_rng(seed))


def face_of(portrait: Portrait) -> Face:
    """Return a portrait's face as it truly is."""
    return Face(portrait.box, portrait.eyes)


class Portraits:
    """Takes of procedural people: A or B for the autoencoder, for the other methods someone new each time."""

    def take(self, rng: np.random.Generator, frames: int, method: str) -> Take:
        """Return a take; a donor for Poisson blending holds pose and speech, in a light of their own."""
        if method == "autoencoder":
            who, donor = ("A", "B") if rng.random() < 0.5 else ("B", "A")
        else:
            who, donor = str(rng.integers(2**62)), str(rng.integers(2**62))
        states = _states(rng, frames)
        shots = [paint(person(who), state) for state in states]
        seen, faces = [shot.image for shot in shots], [face_of(shot) for shot in shots]
        if method != "poisson":
            return Take(seen, faces, who, donor if method == "autoencoder" else who)
        other = draw_state(rng)
        acted = ("yaw", "pitch", "smile", "mouth_open", "blink", "gaze_across", "seed")
        doubles = [
            paint(person(donor), replace(other, **{name: getattr(state, name) for name in acted})) for state in states
        ]
        return Take(seen, faces, who, donor, [d.image for d in doubles], [face_of(d) for d in doubles])


def _states(rng: np.random.Generator, frames: int) -> list[State]:
    first = draw_state(rng)
    return [first] if frames == 1 else motion(first, frames, RATE, rng)


class Photographs:
    """Takes of the user's photographs: a square around the largest face of each; in a video, the camera drifts.

    Parameters
    ----------
    folder : path
    boxes, model : path, optional
        See `guardrails.kit.pictures.faces.faces_in_folder`, which also bounds what is read.
    side : int
        Of the pictures, in pixels.

    Raises
    ------
    ConfigurationError
        Where the folder has no face.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        boxes: str | os.PathLike[str] | None = None,
        model: str | os.PathLike[str] | None = None,
        side: int = PHOTO_SIDE,
    ) -> None:
        self.folder = Path(folder)
        self.side = side
        faces = faces_in_folder(folder, boxes=boxes, model=model)
        self.photographs = [(name, *_cut(image, face, side)) for name, image, face in faces]

    def take(self, rng: np.random.Generator, frames: int, method: str) -> Take:
        """Return a take; the donor is another photograph.

        Raises
        ------
        ConfigurationError
            For the autoencoder, which knows procedural people alone; for Poisson blending of a single photograph.
        """
        if method == "autoencoder":
            raise ConfigurationError(
                "faceswap's autoencoder knows its two procedural people alone; for photographs load it with "
                "method='self-blend' or method='poisson'"
            )
        if method == "poisson" and len(self.photographs) < 2:
            raise ConfigurationError(f"one face in {self.folder}: Poisson swaps need two; add one, or use self-blend")
        first = int(rng.integers(len(self.photographs)))
        second = (first + 1 + int(rng.integers(max(1, len(self.photographs) - 1)))) % len(self.photographs)
        who, image, face = self.photographs[first]
        shots = _drift(image, face, frames, rng)
        if method != "poisson":
            return Take([s for s, _ in shots], [f for _, f in shots], who, who)
        donor, other, theirs = self.photographs[second]
        return Take([s for s, _ in shots], [f for _, f in shots], who, donor, [other] * frames, [theirs] * frames)


def _cut(image: Image, face: Face, side: int) -> tuple[Image, Face]:
    """A square of the picture around the face, of `side` pixels, and where the face is in it."""
    x, y, width, height = face.box
    half = min(ROOM * height / 2 * 1.15, min(image.shape[:2]) / 2)
    left = float(np.clip(x + width / 2 - half, 0, image.shape[1] - 2 * half))
    up = float(np.clip(y + height / 2 - half, 0, image.shape[0] - 2 * half))
    rows, columns = slice(int(up), int(up + 2 * half)), slice(int(left), int(left + 2 * half))
    square = image[rows, columns]
    scale = side / square.shape[0]
    eyes = face.eyes and tuple(((ex - columns.start) * scale, (ey - rows.start) * scale) for ex, ey in face.eyes)
    box = ((x - columns.start) * scale, (y - rows.start) * scale, width * scale, height * scale)
    return resize(square, side), Face(box, eyes)  # type: ignore[arg-type]


def _drift(image: Image, face: Face, frames: int, rng: np.random.Generator) -> list[tuple[Image, Face]]:
    """A picture as it is; or a video of it, in which the camera drifts by up to 3% of the side."""
    from .face_blending import warp

    if frames == 1:
        return [(image, face)]
    way, side = rng.uniform(-0.03, 0.03, 2), image.shape[0]
    shots = []
    for t in np.linspace(-1, 1, frames):
        dx, dy = (way * t * side).tolist()
        matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
        shot = np.round(np.clip(warp(image, matrix, image.shape), 0, 255)).astype(np.uint8)
        x, y, width, height = face.box
        eyes = face.eyes and tuple((ex + dx, ey + dy) for ex, ey in face.eyes)
        shots.append((shot, Face((x + dx, y + dy, width, height), eyes)))  # type: ignore[arg-type]
    return shots
