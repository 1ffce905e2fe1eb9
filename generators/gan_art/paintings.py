"""Procedural paintings in eight named styles: the modes that a generator of them has to cover.

A painting is a function of its style and of a few quantities in 0–1 (places, angles, widths, colours), drawn uniformly;
the styles are equally likely. All of it is drawn here: no artist's work is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Painter = Callable[["_Brush"], Floats]

SIDE = 32
QUANTITIES = 32
"""The most quantities that a style has; the others are not looked at."""
_Y, _X = np.mgrid[:SIDE, :SIDE].astype(np.float32)


class Paintings(NamedTuple):
    """n paintings and what they were painted from.

    Attributes
    ----------
    images : ndarray of uint8
        (n, 32, 32, 3).
    styles : ndarray of int
        (n,), places in `STYLES`.
    quantities : ndarray of float32
        (n, 32), in 0–1, as drawn: before a `spread` below 1 moves them towards the middle.
    """

    images: NDArray[np.uint8]
    styles: NDArray[np.int64]
    quantities: Floats


def draw(
    n: int,
    rng: np.random.Generator,
    *,
    styles: Sequence[int] | NDArray[np.int64] | None = None,
    spread: float = 1.0,
) -> Paintings:
    """Paint n pictures with random quantities.

    Parameters
    ----------
    n : int
        How many.
    rng : numpy.random.Generator
        Where the quantities, and the styles, come from.
    styles : sequence of int, optional
        (n,), the style of each picture as a place in `STYLES`; drawn uniformly where not given.
    spread : float
        The share of their range, around its middle, that the quantities are painted with: at 0, all paintings of a
        style are the same.

    Returns
    -------
    Paintings

    Examples
    --------
    >>> images, styles, _ = draw(2, np.random.default_rng(0), styles=[4, 7])
    >>> images.shape, [STYLES[s] for s in styles]
    ((2, 32, 32, 3), ['grid', 'checker'])
    """
    which = rng.integers(len(STYLES), size=n) if styles is None else np.asarray(styles, np.int64)
    quantities = rng.random((n, QUANTITIES), np.float32)
    used = quantities if spread == 1 else 0.5 + np.float32(spread) * (quantities - 0.5)
    return Paintings(paint(which, used), which, quantities)


def balance(styles: NDArray[np.int64]) -> dict[str, int]:
    """Return how many paintings there are of each style."""
    return dict(zip(STYLES, np.bincount(styles, minlength=len(STYLES)).tolist(), strict=True))


def paint(styles: NDArray[np.int64], quantities: Floats) -> NDArray[np.uint8]:
    """Paint the pictures with these styles (n,) and quantities (n, 32): (n, 32, 32, 3)."""
    images = np.empty((len(styles), SIDE, SIDE, 3), np.uint8)
    for style, painter in enumerate(_PAINTERS.values()):
        places = np.flatnonzero(styles == style)
        if len(places):
            picture = painter(_Brush(quantities[places]))
            images[places] = np.round(picture.clip(0, 1) * 255).astype(np.uint8)
    return images


class _Brush:
    """Reads the quantities of n pictures one after the other; each comes as (n, 1, 1), for pixels (n, 32, 32)."""

    def __init__(self, quantities: Floats) -> None:
        self._left = iter(quantities.T[..., None, None])

    def between(self, low: float, high: float) -> Floats:
        value: Floats = low + (high - low) * next(self._left)
        return value

    def color(self, r: float, g: float, b: float, spread: float = 0.08) -> Floats:
        """(n, 1, 1, 3), near the given one."""
        return np.stack([self.between(value - spread, value + spread) for value in (r, g, b)], axis=-1)

    def blend(self, one: Floats, other: Floats) -> Floats:
        """A colour between two."""
        mixed: Floats = one + self.between(0, 1)[..., None] * (other - one)
        return mixed


def _ground(color: Floats) -> Floats:
    return np.broadcast_to(color, (len(color), SIDE, SIDE, 3)).copy()


def _over(picture: Floats, where: Floats, color: Floats) -> None:
    """Lay a colour over the picture in place; `where` is (n, 32, 32) in 0–1."""
    picture += where[..., None] * (color - picture)


def _edge(distance: Floats) -> Floats:
    """Inside (1) or outside (0) by the signed distance in pixels, with an edge two pixels wide, as paint has."""
    inside: Floats = np.clip(distance / 2 + 0.5, 0, 1)
    return inside


def _box(y: Floats, x: Floats, height: Floats | float, width: Floats | float, angle: Floats) -> Floats:
    """A box around (y, x); half sides in pixels, angle in radians."""
    dy, dx = _Y - y, _X - x
    cos, sin = np.cos(angle), np.sin(angle)
    return _edge(np.minimum(height - np.abs(cos * dy - sin * dx), width - np.abs(sin * dy + cos * dx)))


def _stripes(b: _Brush) -> Floats:
    """Parallel bands of two warm colours, upright to slanting."""
    angle, period = b.between(-0.6, 0.6), b.between(8, 13)
    across = np.cos(angle) * (_X - 15.5) + np.sin(angle) * (_Y - 15.5) + b.between(-2, 2)
    picture = _ground(b.color(0.95, 0.8, 0.45))
    _over(picture, _edge(np.abs(across % period - period / 2) - period / 4), b.color(0.75, 0.25, 0.15, 0.12))
    return picture


def _suprematist(b: _Brush) -> Floats:
    """A black box, a red one and a blue bar, tilted on an off-white ground."""
    picture = _ground(b.color(0.93, 0.9, 0.84, 0.04))
    angle = b.between(-0.5, 0.5)
    black = _box(b.between(9, 13), b.between(9, 15), b.between(5, 7), b.between(5, 7), angle)
    _over(picture, black, b.color(0.08, 0.08, 0.1, 0.05))
    red = _box(b.between(20, 24), b.between(18, 24), b.between(3, 5), b.between(3, 5), angle)
    _over(picture, red, b.color(0.82, 0.15, 0.12))
    blue = _box(b.between(23, 27), b.between(10, 14), 1.6, b.between(7, 10), 0.5 * angle - 0.4)
    _over(picture, blue, b.color(0.12, 0.25, 0.65))
    return picture


def _pointillist(b: _Brush) -> Floats:
    """Round dots on a light ground, their colour turning from green to violet across the picture."""
    picture = _ground(b.color(0.96, 0.94, 0.88, 0.03))
    angle, shift_y, shift_x = b.between(0, 6.28), b.between(-1, 1), b.between(-1, 1)
    row = np.floor((_Y + shift_y) / 8)
    y, x = (_Y + shift_y) % 8 - 4, (_X + shift_x + 4 * (row % 2)) % 8 - 4
    mix = 0.5 + (np.cos(angle) * (_X - 15.5) + np.sin(angle) * (_Y - 15.5)) / 32
    one, other = b.color(0.2, 0.6, 0.35, 0.12), b.color(0.5, 0.3, 0.75, 0.12)
    _over(picture, _edge(b.between(2, 3.2) - np.hypot(y, x)), one + mix.clip(0, 1)[..., None] * (other - one))
    return picture


def _landscape(b: _Brush) -> Floats:
    """A sky that pales towards the horizon, a sun, and two ranges of hills."""
    top, low = b.blend(b.color(0.25, 0.5, 0.85), b.color(0.45, 0.3, 0.6)), b.color(0.98, 0.8, 0.62)
    picture: Floats = top + (_Y / 20).clip(0, 1)[None, ..., None] * (low - top)
    sun = _edge(b.between(2.5, 4) - np.hypot(_Y - b.between(6, 12), _X - b.between(8, 24)))
    _over(picture, sun, b.color(1, 0.93, 0.6, 0.05))
    for height, color in ((18, b.color(0.35, 0.5, 0.45)), (24, b.color(0.16, 0.33, 0.18))):
        wave = np.sin((_X - 15.5) * b.between(0.2, 0.3) + b.between(-1.5, 1.5))
        _over(picture, _edge(_Y - height - b.between(-1.5, 1.5) - b.between(1, 2.5) * wave), color)
    return picture


def _grid(b: _Brush) -> Floats:
    """White cells between black lines; one is red, one blue, one yellow."""
    picture = _ground(b.color(0.95, 0.95, 0.93, 0.03))
    y1, y2, x1, x2 = b.between(7, 13), b.between(19, 25), b.between(7, 13), b.between(19, 25)
    above, below, left, right = (_edge(z) for z in (y1 - _Y, _Y - y2, x1 - _X, _X - x2))
    _over(picture, above * left, b.color(0.85, 0.1, 0.1))
    _over(picture, below * right, b.color(0.1, 0.2, 0.65))
    _over(picture, above * right, b.color(0.95, 0.82, 0.15))
    ink = b.color(0.05, 0.05, 0.05, 0.03)
    for line, axis in ((y1, _Y), (y2, _Y), (x1, _X), (x2, _X)):
        _over(picture, _edge(1.2 - np.abs(axis - line)), ink)
    return picture


def _circles(b: _Brush) -> Floats:
    """Rings around one point, blue and orange in turn."""
    radius = np.hypot(_Y - b.between(12, 19), _X - b.between(12, 19)) + b.between(0, 2)
    period = b.between(8, 11)
    picture = _ground(b.color(0.12, 0.3, 0.6))
    _over(picture, _edge(np.abs(radius % period - period / 2) - period / 4), b.color(0.95, 0.55, 0.2))
    return picture


def _strokes(b: _Brush) -> Floats:
    """Long soft strokes of one direction, green to white, on a dark ground."""
    picture = _ground(b.color(0.1, 0.14, 0.22, 0.04))
    angle, green, white = b.between(-0.6, 0.6), b.color(0.3, 0.75, 0.6, 0.1), b.color(0.88, 0.92, 0.85, 0.1)
    for k in range(4):
        dy, dx = _Y - (4.5 + 7 * k) - b.between(-1.5, 1.5), _X - b.between(10, 22)
        across, along = np.cos(angle) * dy - np.sin(angle) * dx, np.sin(angle) * dy + np.cos(angle) * dx
        where = np.exp(-((across / 2) ** 2) - (along / b.between(7, 11)) ** 4)
        _over(picture, where, b.blend(green, white))
    return picture


def _checker(b: _Brush) -> Floats:
    """Black and white squares that swell around a point."""
    y, x = _Y - b.between(12, 19), _X - b.between(12, 19)
    swell = 1 + b.between(0.3, 1.0) * np.exp(-(y**2 + x**2) / 90)
    period = b.between(10, 13)
    wave = np.sin(2 * np.pi * y / swell / period) * np.sin(2 * np.pi * x / swell / period)
    picture = _ground(b.color(0.06, 0.06, 0.07, 0.04))
    _over(picture, (0.5 + 1.5 * wave).clip(0, 1), b.color(0.95, 0.95, 0.95, 0.04))
    return picture


_PAINTERS: dict[str, Painter] = {
    "stripes": _stripes,
    "suprematist": _suprematist,
    "pointillist": _pointillist,
    "landscape": _landscape,
    "grid": _grid,
    "circles": _circles,
    "strokes": _strokes,
    "checker": _checker,
}
STYLES = tuple(_PAINTERS)
