"""How a face is laid into a picture: place, mask, colours, self-blending [1]_ and Poisson blending [2]_.

A forged picture is out = m · layer + (1 − m) · target, with a mask m in 0–1 that is soft at its edge: the classic
deepfake, and what detectors of *face X-ray* and of self-blended images look for. Or, in the mask Ω, it solves::

    Δf = Δ layer in Ω,   f = target on ∂Ω

so that the layer's gradients stay and its edge vanishes.

A `Blending` holds what makes a forgery crude. Its numbers are the doses of `faceswap`: constants, not learnt, since
blending is a procedure; what is learnt is the face that is laid in.

.. [1] K. Shiohara and T. Yamasaki, "Detecting Deepfakes with Self-Blended Images", CVPR 2022, arXiv 2204.08376; after
   Y. Li and S. Lyu, "Exposing DeepFake Videos By Detecting Face Warping Artifacts", CVPR Workshops 2019, arXiv
   1811.00656.
.. [2] P. Pérez, M. Gangnet and A. Blake, "Poisson Image Editing", SIGGRAPH 2003.
.. [3] E. Reinhard, M. Ashikhmin, B. Gooch and P. Shirley, "Color Transfer between Images", IEEE Computer Graphics and
   Applications, 2001 (here in RGB).
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from guardrails.kit.video import opencv

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from guardrails.kit.pictures.faces import Face

    Floats = Any
    """Arrays of float32: pictures (H, W, 3) in 0–255, masks (H, W) in 0–1, affine maps (2, 3)."""

MARGIN = 1.2
"""The side of a crop, in heights of the face's box."""
ELLIPSE = (0.36, 0.46)
"""Half axes of the mask, across and down, in heights of the box; across, 0.45 of a narrow box's width at most."""


@dataclass(frozen=True)
class Blending:
    """What makes a forgery crude; all 0: nothing is laid into the picture.

    Attributes
    ----------
    strength : float
        1: there is a forgery.
    hardness : float
        Of the mask's edge: 0, it runs out over an eighth of the face's height; 1, it is a cut.
    mismatch : float
        The share of the layer's own colours that stays: 0, they are carried over from the target [3]_.
    coarseness : float
        The layer is made 1 + this many times smaller, and larger again.
    astray : float
        How far the layer misses its place, in heights of the face's box.
    paste : float
        With Poisson blending, the share of the plain paste in the mixture of the two.
    shake, flash : float
        From frame to frame: standard deviations of the layer's place, in heights of the box, and of its brightness
        (white 1).
    """

    strength: float = 0.0
    hardness: float = 0.0
    mismatch: float = 0.0
    coarseness: float = 0.0
    astray: float = 0.0
    paste: float = 0.0
    shake: float = 0.0
    flash: float = 0.0

    @classmethod
    def of(cls, values: Sequence[float]) -> Blending:
        """Return what `values` held, in the order of the attributes.

        >>> Blending.of(Blending(strength=1).values()) == Blending(strength=1)
        True
        """
        return cls(**dict(zip((f.name for f in fields(cls)), map(float, values), strict=True)))

    def values(self) -> tuple[float, ...]:
        """Return the attributes as plain numbers."""
        return astuple(self)


def to_crop(face: Face, side: int) -> Floats:
    """Return the similarity (2, 3) from the picture's pixels to an upright crop of `side` pixels around the face."""
    x, y, width, height = face.box
    scale = side / (MARGIN * height)
    cos, sin = scale * math.cos(face.roll), scale * math.sin(face.roll)
    middle = np.array([x + width / 2, y + height / 2])
    turn = np.array([[cos, sin], [-sin, cos]])
    return np.column_stack([turn, side / 2 - turn @ middle]).astype(np.float32)


def warp(image: NDArray[Any], matrix: Floats, shape: tuple[int, ...]) -> Floats:
    """Return a picture (H, W, 3) or (H, W) as the affine map moves it, of another size; beyond its edge, mirrored."""
    cv2 = opencv()
    out: Floats = cv2.warpAffine(
        image.astype(np.float32),
        matrix,
        (shape[1], shape[0]),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return out


def inverse(matrix: Floats) -> Floats:
    """Return the affine map (2, 3) that undoes one."""
    turn = np.linalg.inv(matrix[:, :2])
    return np.column_stack([turn, -turn @ matrix[:, 2]]).astype(np.float32)


def chain(first: Floats, then: Floats) -> Floats:
    """Return the affine map (2, 3) that is `first`, followed by `then`."""
    out: Floats = then[:, :2] @ first
    out[:, 2] += then[:, 2]
    return out


def move(face: Face, across: float, down: float, scale: float = 1.0) -> Floats:
    """Return the map that shifts by shares of the face's height and scales about its middle."""
    x, y, width, height = face.box
    middle = np.array([x + width / 2, y + height / 2])
    shift = np.array([across, down]) * height + (1 - scale) * middle
    return np.column_stack([scale * np.eye(2), shift]).astype(np.float32)


def hard_mask(shape: tuple[int, ...], face: Face, wobble: NDArray[np.float64]) -> Floats:
    """Return a face's mask: an ellipse whose radius is elastic.

    Parameters
    ----------
    shape : tuple of int
        The picture's.
    face : Face
        Whose box and tilt it follows.
    wobble : ndarray
        (2, K): how much the radius follows the cosine and the sine of 1 … K times the angle.

    Returns
    -------
    ndarray of float32
        (H, W): 1 inside, 0 outside.
    """
    to_face = to_crop(face, 1)
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    x, y = np.tensordot(to_face[:, :2], np.stack([columns, rows]), 1) + to_face[:, 2, None, None] - 0.5
    across, down = min(ELLIPSE[0], 0.45 * face.box[2] / face.box[3]), ELLIPSE[1]
    angle = np.arctan2(y / down, x / across)
    orders = np.arange(1, wobble.shape[1] + 1)[:, None, None] * angle
    radius = 1 + np.tensordot(wobble[0], np.cos(orders), 1) + np.tensordot(wobble[1], np.sin(orders), 1)
    inside: Floats = (np.hypot(x / across, y / down) * MARGIN < radius).astype(np.float32)
    return inside


def soften(mask: Floats, height: float, hardness: float) -> Floats:
    """Return the mask with an edge that runs out inside of it: none at hardness 1, at 0 over height / 8."""
    sigma = (1 - hardness) * height / 16
    if sigma < 0.3:
        return mask
    cv2 = opencv()
    blurred = cv2.GaussianBlur(mask, (0, 0), sigma)
    return np.clip(2 * blurred - 1, 0, 1) * mask  # 0 at the old edge, 1 well inside


def coarsen(image: Floats, factor: float) -> Floats:
    """Return the picture made `factor` times smaller and larger again."""
    if factor <= 1.01:
        return image
    cv2 = opencv()
    height, width = image.shape[:2]
    small = cv2.resize(
        image, (max(1, round(width / factor)), max(1, round(height / factor))), interpolation=cv2.INTER_AREA
    )
    out: Floats = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return out


def match_colours(layer: Floats, target: Floats, mask: Floats) -> Floats:
    """Return the layer with the target's mean and standard deviation of each colour, both taken in the mask."""
    where = mask > 0.5
    here, there = layer[where], target[where]
    gain = there.std(0) / np.maximum(here.std(0), 1.0)
    return (layer - here.mean(0)) * np.clip(gain, 0.5, 2.0) + there.mean(0)


def alpha_blend(layer: Floats, target: Floats, mask: Floats) -> Floats:
    """Return m · layer + (1 − m) · target."""
    return target + mask[..., None] * (layer - target)


def poisson_blend(layer: Floats, target: Floats, mask: Floats) -> Floats:
    """Return the target with the layer's gradients in the mask: the solution of the equation above.

    Parameters
    ----------
    layer, target : ndarray of float32
        (H, W, 3).
    mask : ndarray of float32
        (H, W); Ω is where it is above ½, but for the picture's outermost pixels.
    """
    from scipy.sparse import csc_array
    from scipy.sparse.linalg import splu

    inside = mask > 0.5
    inside[[0, -1]] = inside[:, [0, -1]] = False
    rows, columns = np.nonzero(inside)
    number = np.full(inside.shape, -1)
    number[rows, columns] = np.arange(len(rows))
    if not len(rows):
        return target.copy()
    unknowns = np.arange(len(rows))
    values, i, j = [np.full(len(rows), 4.0)], [unknowns], [unknowns]
    right = 4.0 * layer[rows, columns].astype(np.float64)
    for down, across in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        near = (rows + down, columns + across)
        free = number[near] >= 0
        values.append(np.full(free.sum(), -1.0))
        i.append(unknowns[free])
        j.append(number[near][free])
        right += np.where(free[:, None], 0.0, target[near]) - layer[near]
    system = csc_array((np.concatenate(values), (np.concatenate(i), np.concatenate(j))), shape=(len(rows), len(rows)))
    out = target.copy()
    out[rows, columns] = splu(system).solve(right)
    return out


def self_blend_layer(target: Floats, face: Face, crude: Blending, rng: np.random.Generator) -> Floats:
    """Return the picture itself, with colours, sharpness and place a little changed, to be laid over it [1]_.

    The changes are drawn anew for each picture; their sizes are ±20 levels a channel and ±10% of contrast at a
    mismatch of 1, and a stretch of ±5% where the layer goes astray by .04.
    """
    shift = rng.uniform(8, 20, 3) * rng.choice([-1, 1], 3)
    contrast, stretch = 1 + 0.1 * crude.mismatch * rng.uniform(-1, 1), 1 + 1.25 * crude.astray * rng.uniform(-1, 1)
    moved = warp(target, move(face, 0, 0, stretch), target.shape)
    return (moved - 128) * contrast + 128 + crude.mismatch * shift.astype(np.float32)


def seam(out: NDArray[Any], target: NDArray[Any], mask: NDArray[Any]) -> float:
    """Return how visible the mask's border is: the mean step of the change out − target across it, in levels.

    A pixel counts where its right or lower neighbour is on the other side of the border.
    """
    change = out.astype(np.float64) - target
    inside = mask > 0
    steps = [
        np.abs(np.diff(change, axis=axis)).mean(-1)[np.diff(inside.astype(np.int8), axis=axis) != 0] for axis in (0, 1)
    ]
    sizes = np.concatenate(steps)
    return float(sizes.mean()) if len(sizes) else 0.0
