"""Self-blended faces: forgeries without a donor, from which a detector learns what laying in leaves behind.

A copy of the picture, changed a little in colour, sharpness, grain and place, is laid over the picture itself with a
soft mask around the face (Shiohara & Yamasaki 2022, arXiv 2204.08376, §3.2; here the mask is an elastic ellipse, since
landmarks need a model). Whatever is the same on both sides of every such pair, as the person, light and camera are,
cannot be learnt as a mark of forgery; what is left is the mask's border and that two sources do not match.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from ...kit.video import opencv

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...kit.pictures.faces import Face

    Image = NDArray[np.uint8]
    Floats = NDArray[Any]
    """float32: pictures (H, W, 3) in 0–255, masks (H, W) in 0–1."""

RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)
"""Largest opacity of the layer, drawn evenly [arXiv 2204.08376, §3.2.3]."""
QUALITIES = (40, 100)
BLENDED = 0.1
"""A place is forged where the mask is above this share of its largest value."""


def self_blended(image: Image, face: Face, rng: np.random.Generator) -> tuple[Image, Floats]:
    """Return a picture with its own, changed copy laid over a face, and the mask of what was laid in.

    Parameters
    ----------
    image : array of uint8
        (H, W, 3).
    face : Face
        As a cascade finds it: about from the brows to the chin.
    rng : numpy.random.Generator
        Of mask, changes and opacity.

    Returns
    -------
    forged : array of uint8
        (H, W, 3).
    mask : array of float32
        (H, W): opacity of what was laid in, as a share of its largest.
    """
    base = image.astype(np.float32)
    mask = soft_mask(base.shape, face, rng)
    layer, target = (altered(base, rng), base) if rng.random() < 0.5 else (base, altered(base, rng))
    layer = moved(layer, face.box[3], rng)
    laid = target + (rng.choice(RATIOS) * mask)[..., None] * (layer - target)
    return np.round(np.clip(laid, 0, 255)).astype(np.uint8), mask


def soft_mask(shape: tuple[int, ...], face: Face, rng: np.random.Generator) -> Floats:
    """Return an elastic ellipse about a face, blurred by 1–12% of its height; one in five is cut to its lower part."""
    x, y, width, height = face.box
    down, across = height * rng.uniform(0.36, 0.58), max(width, 0.7 * height) * rng.uniform(0.28, 0.46)
    cx, cy = x + width * (0.5 + rng.uniform(-0.08, 0.08)), y + height * (0.6 + rng.uniform(-0.1, 0.1))
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    u, v = (columns - cx) / across, (rows - cy) / down
    angle, orders = np.arctan2(v, u), np.arange(1, 6)[:, None, None]
    wobble = rng.normal(0, 0.035, (2, 5))
    radius = 1 + np.tensordot(wobble[0], np.cos(orders * angle), 1) + np.tensordot(wobble[1], np.sin(orders * angle), 1)
    power = rng.uniform(1.8, 3.0)  # 2 is an ellipse, 3 nearer to a box
    inside = (np.abs(u) ** power + np.abs(v) ** power) ** (1 / power) < radius
    if rng.random() < 0.2:
        inside &= v > rng.uniform(-0.6, 0.1)
    sigma = height * np.exp(rng.uniform(np.log(0.01), np.log(0.12)))
    blurred = opencv().GaussianBlur(inside.astype(np.float32), (0, 0), max(sigma, 0.3))
    if rng.random() < 0.5:  # runs out inside the region, so that nothing is laid over hair
        blurred = np.clip(2 * blurred - 1, 0, 1)
    out: Floats = blurred / max(float(blurred.max()), 1e-6)
    return out


def altered(image: Floats, rng: np.random.Generator) -> Floats:
    """Return a picture as another camera, light, size or file might have made it."""
    cv2 = opencv()
    out = image
    if rng.random() < 0.8:
        out = out + rng.uniform(-20, 20, 3).astype(np.float32) * (rng.random() < 0.5)
        hsv = cv2.cvtColor(np.clip(out / 255, 0, 1), cv2.COLOR_RGB2HSV)
        hue, saturation, value = rng.uniform(-0.3, 0.3, 3) * (36, 1, 0.3)
        hsv[..., 0] = (hsv[..., 0] + hue) % 360
        hsv[..., 1:] = np.clip(hsv[..., 1:] * (1 + saturation, 1 + value), 0, 1)
        out = 255 * cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
        out = (out - 128) * (1 + rng.uniform(-0.1, 0.1)) + 128 + 25 * rng.uniform(-1, 1)
    kind = rng.choice(5, p=(0.45, 0.15, 0.15, 0.15, 0.1))
    if kind == 0:
        out = coarsened(out, float(np.exp(rng.uniform(np.log(1.15), np.log(4)))))
    elif kind == 1:
        soft = cv2.GaussianBlur(out, (0, 0), 1.0)
        out = out + rng.uniform(0.3, 1.2) * (out - soft)
    elif kind == 2:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 2.0))
    elif kind == 3:
        out = out + rng.normal(0, rng.uniform(1, 6), out.shape).astype(np.float32)
    else:
        out = jpeg(np.clip(out, 0, 255).astype(np.uint8), int(rng.integers(30, 80))).astype(np.float32)
    return np.asarray(out, dtype=np.float32)


def coarsened(image: Floats, factor: float) -> Floats:
    """Return a picture made `factor` times smaller, and larger again."""
    cv2 = opencv()
    height, width = image.shape[:2]
    size = max(1, round(width / factor)), max(1, round(height / factor))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    out: Floats = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return out


def moved(image: Floats, height: float, rng: np.random.Generator) -> Floats:
    """Return a picture shifted by up to 3% of a face's height across and 1.5% down, and stretched by up to 5%."""
    cv2 = opencv()
    shift = rng.uniform(-1, 1, 2) * (0.03, 0.015) * height
    stretch, middle = rng.uniform(0.95, 1.05), np.array(image.shape[1::-1]) / 2
    matrix = np.column_stack([stretch * np.eye(2), (1 - stretch) * middle + shift])
    size = image.shape[1], image.shape[0]
    out: Floats = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return out


def jpeg(image: Image, quality: int) -> Image:
    """Return a picture as it reads after it was saved as JPEG."""
    from PIL import Image as Pillow

    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Pillow.open(buffer).convert("RGB"), dtype=np.uint8)
