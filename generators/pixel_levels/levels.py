"""Game levels and terrain: the law that `pixel-levels` learns, the check that a level can be played, and pictures.

A level is 12 × 16 tiles. Four kinds are equally likely: three kinds of level, playable by construction, and terrain.

dungeon
    Rooms in two storeys. Every wall between two rooms of a storey has one gap; a locked door parts the storeys. Start
    and key are in the upper one, the exit is in the lower one. A room may have a pool; enemies and treasure lie about.
cave
    A cellular automaton [1]_: of random rock, each tile becomes what most of its 3 × 3 neighbourhood is. Start in the
    top row, exit in the bottom row, nothing that cannot be reached from there. Rock that stands free is a pool,
    treasure lies in nooks, enemies in the open.
overworld
    A river winds from top to bottom, with one or two bridges. Start and exit are on opposite sides; rocks in the field.
terrain
    A height map: a Gaussian random field of spectrum S(f) ∝ (f² + f₀²)^(−β/2), β = 5 and f₀ = 1/16 a tile, cut at
    equal steps into the digits 0 (low) to 7 (high).

The law knows no left and right (a mirrored level is as likely), and it knows two *skins*: walls and pools are rock and
lava, or trees and water. A terrain's other skin has hills for its valleys. So a mirrored or re-skinned copy of a level
is as plausible as the level.

.. [1] L. Johnson, G. N. Yannakakis and J. Togelius, "Cellular automata for real-time generation of infinite cave
   levels", PCG workshop at FDG 2010.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from guardrails.core.errors import ConfigurationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Tiles = NDArray[np.uint8]
    Bools = NDArray[np.bool_]

ROWS, COLUMNS = 12, 16
TILES = "#T.^~=SEKDm$01234567"
"""Rock, tree, floor, lava, water, bridge, start, exit, key, locked door, enemy, treasure; heights."""
KINDS = ("dungeon", "cave", "overworld", "terrain")
SKIN = np.array([TILES.index(c) for c in "T#.~^=SEKDm$76543210"], np.uint8)
"""The tile that each tile is exchanged for in the other skin; its own inverse."""
ROCK, TREE, FLOOR, LAVA, WATER, BRIDGE, START, EXIT, KEY, DOOR, ENEMY, TREASURE, LOWEST = range(13)
BLOCKED = (ROCK, TREE, LAVA, WATER)
HEIGHTS, STEP = 8, 0.6
"""How many heights there are, and how far apart in standard deviations of the field."""
BETA, CUTOFF = 5.0, 1 / 16
SIDE = 8
"""Pixels along a tile of a picture."""
_SPRITES = {  # background (None: the ground), ink, 8 × 8 bits
    ROCK: (0x6B6470, 0x4A4450, 0xFF080808FF808080),
    TREE: (None, 0x1F5B33, 0x3C7EFFFF7E181800),
    FLOOR: (None, 0x000000, 0),
    LAVA: (0xD9481C, 0xFFB43B, 0x0066990000669900),
    WATER: (0x2F6FC4, 0x8FC1F2, 0x0066990000669900),
    BRIDGE: (0x9A6B3C, 0x5E3E1E, 0x2424242424242424),
    START: (None, 0xFFFFFF, 0x40787E7840404000),
    EXIT: (0x1B1B24, 0xE8E3D3, 0x03030F0F3F3FFFFF),
    KEY: (None, 0xFFD23B, 0x0070D8DF75000000),
    DOOR: (0x5E3E1E, 0xFFD23B, 0x3C4242FFE7E7FF7E),
    ENEMY: (None, 0xB5179E, 0x243C7E5AFFBDA524),
    TREASURE: (None, 0x11C5D9, 0x003C7EFF7E3C1800),
}
_GROUND, _GRASS = 0xC9B48F, 0x8DBB63
_RELIEF = (0x1D4E89, 0x3B7DB8, 0xE3D7A3, 0x9CC069, 0x5E9A4B, 0x7F7A55, 0x9C8F80, 0xF7F7F7)
"""The colour of each height, sea to snow."""
_R, _C = np.mgrid[:ROWS, :COLUMNS]
_INSIDE = (_R > 0) & (_R < ROWS - 1) & (_C > 0) & (_C < COLUMNS - 1)


class Levels(NamedTuple):
    """N levels and their kinds.

    Attributes
    ----------
    tiles : ndarray of uint8
        (N, 12, 16), places in `TILES`.
    kinds : ndarray of int
        (N,), places in `KINDS`.
    """

    tiles: Tiles
    kinds: NDArray[np.int64]


def draw(n: int, rng: np.random.Generator, *, kinds: Sequence[int] | NDArray[np.int64] | None = None) -> Levels:
    """Draw n levels.

    Parameters
    ----------
    n : int
        How many.
    rng : numpy.random.Generator
        Where everything comes from.
    kinds : sequence of int, optional
        (n,), the kind of each as a place in `KINDS`; drawn uniformly where not given.

    Examples
    --------
    >>> drawn = draw(1, np.random.default_rng(0), kinds=[0])
    >>> len(to_text(drawn.tiles)[0].split()), bool(playable(drawn.tiles)[0])
    (12, True)
    """
    chosen = rng.integers(len(KINDS), size=n) if kinds is None else np.asarray(kinds, np.int64)
    tiles = np.empty((n, ROWS, COLUMNS), np.uint8)
    for kind, make in enumerate((_dungeons, _caves, _overworlds, _terrains)):
        of_kind = chosen == kind
        tiles[of_kind] = make(int(of_kind.sum()), rng)
    other = rng.random(n) < 0.5
    tiles[other] = SKIN[tiles[other]]
    return Levels(tiles, chosen)


def to_text(tiles: Tiles) -> list[str]:
    """Return each level (N, 12, 16) as text: rows of tile characters joined by newlines."""
    letters = np.array(list(TILES))[tiles]
    return ["\n".join("".join(row) for row in level) for level in letters]


def to_tiles(texts: Sequence[str]) -> Tiles:
    """Return the tiles (N, 12, 16) of levels given as text.

    Raises
    ------
    ConfigurationError
        Where one is not 12 rows of 16 known tiles.
    """
    out = np.empty((len(texts), ROWS, COLUMNS), np.uint8)
    for i, text in enumerate(texts):
        rows = text.split("\n")
        if len(rows) != ROWS or any(len(row) != COLUMNS for row in rows) or set(text) - {*TILES, "\n"}:
            raise ConfigurationError(
                f"level {i} is not one of pixel-levels; give {ROWS} rows of {COLUMNS} tiles out of {TILES}"
            )
        out[i] = [[TILES.index(tile) for tile in row] for row in rows]
    return out


def variants(tiles: Tiles) -> Tiles:
    """Return the four variants under which a level counts as the same, (4, N, 12, 16).

    As it is, mirrored left to right, in the other skin, both.
    """
    both = np.stack([tiles, tiles[..., ::-1]])
    return np.concatenate([both, SKIN[both]])


def kind_of(tiles: Tiles) -> NDArray[np.int64]:
    """Return the kind that the tiles show, (N,): heights, a door or a bridge; otherwise a cave."""

    def has(*wanted: int) -> Bools:
        return np.asarray(np.isin(tiles, wanted).any((1, 2)), bool)

    heights = (tiles >= LOWEST).any((1, 2))
    return np.select([heights, has(DOOR, KEY), has(BRIDGE)], [KINDS.index("terrain"), 0, 2], 1)


def reach(free: Bools, start: Bools) -> Bools:
    """Return what a walk over free tiles, in four directions, comes to from the start; all (N, rows, columns)."""
    seen = start & free
    while True:
        grown = seen.copy()
        grown[:, 1:] |= seen[:, :-1]
        grown[:, :-1] |= seen[:, 1:]
        grown[..., 1:] |= seen[..., :-1]
        grown[..., :-1] |= seen[..., 1:]
        grown &= free
        if (grown == seen).all():
            return seen
        seen = grown


def playable(tiles: Tiles) -> Bools:
    """Return whether each level has one start and one exit, and a way between them; a key opens the door. (N,)."""
    start, goal = tiles == START, tiles == EXIT
    free = ~np.isin(tiles, BLOCKED) & (tiles < LOWEST)
    without_key = reach(free & (tiles != DOOR), start)
    has_key = (without_key & (tiles == KEY)).any((1, 2))
    walked = reach(free & ((tiles != DOOR) | has_key[:, None, None]), start)
    one_each = (start.sum((1, 2)) == 1) & (goal.sum((1, 2)) == 1)
    return np.asarray(one_each & (walked & goal).any((1, 2)), bool)


def _put(tiles: Tiles, tile: int, where: Bools, rng: np.random.Generator) -> None:
    """Put the tile on one random place of those allowed (N, 12, 16), in place; nowhere if there is none."""
    chances = np.where(where, rng.random(tiles.shape), -1).reshape(len(tiles), ROWS * COLUMNS)
    best = chances.argmax(1)
    ok = np.flatnonzero(chances.max(1, initial=-1) >= 0)
    tiles.reshape(len(tiles), ROWS * COLUMNS)[ok, best[ok]] = tile


def _scatter(tiles: Tiles, tile: int, chance: float, where: Bools, rng: np.random.Generator) -> None:
    tiles[(tiles == FLOOR) & where & (rng.random(tiles.shape) < chance)] = tile


def _dungeons(n: int, rng: np.random.Generator) -> Tiles:
    def each(low: int, high: int) -> NDArray[np.int64]:  # (n, 1, 1), both ends included
        return rng.integers(low, high + 1, (n, 1, 1))

    middle = each(5, 6)
    tiles = np.where(_INSIDE & (middle != _R), FLOOR, ROCK).astype(np.uint8).reshape(n, ROWS, COLUMNS)
    upright = np.zeros((n, ROWS, COLUMNS), bool)
    for upper in (True, False):
        storey = (middle > _R) if upper else (middle < _R)
        left, right, which = each(4, 6), each(9, 11), each(0, 3)
        for column, there in ((left, which != 1), (right, which != 2)):  # both walls in half of the storeys
            gap = np.where(upper, each(1, 4), each(7, 10))
            wall = storey & _INSIDE & (column == _C) & there
            upright |= wall
            tiles[wall & (gap != _R)] = ROCK
        top, at = np.where(upper, 2, middle + 2), each(2, COLUMNS - 4)
        pool = (top <= _R) & (top + 2 > _R) & (at <= _C) & (at + 2 > _C)
        rim = storey & (at - 1 <= _C) & (at + 3 > _C)  # a pool against a wall could close a gap
        tiles[pool & ~(rim & upright).any((1, 2), keepdims=True) & (each(0, 2) > 0)] = LAVA
    walled = upright.any(1, keepdims=True)
    _put(tiles, DOOR, (middle == _R) & _INSIDE & ~walled, rng)
    for tile, storey in ((START, middle > _R), (KEY, middle > _R), (EXIT, middle < _R)):
        _put(tiles, tile, (tiles == FLOOR) & storey & ~upright, rng)
    _scatter(tiles, ENEMY, 0.05, ~upright, rng)
    _scatter(tiles, TREASURE, 0.05, ~upright, rng)
    return tiles


def _around(cells: Bools) -> NDArray[np.int64]:
    """How many of each tile's eight neighbours are set; beyond the edge all are."""
    padded = np.pad(cells, ((0, 0), (1, 1), (1, 1)), constant_values=True).astype(np.int64)
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    total: NDArray[np.int64] = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:] - cells
    return total


def _caves(n: int, rng: np.random.Generator) -> Tiles:
    kept = np.empty((0, ROWS, COLUMNS), np.uint8)
    while len(kept) < n:
        rock = ~_INSIDE | (rng.random((3 * n, ROWS, COLUMNS)) < 0.45)
        for _ in range(2):
            rock = ~_INSIDE | (_around(rock) + rock >= 5)
        tiles = np.where(rock, ROCK, FLOOR).astype(np.uint8)
        _put(tiles, START, (tiles == FLOOR) & (_R == 1), rng)
        _put(tiles, EXIT, (tiles == FLOOR) & (_R == ROWS - 2), rng)
        reached = reach(~rock, tiles == START)
        tiles[~reached] = ROCK
        standing = ~reach(~reached, np.broadcast_to(~_INSIDE, reached.shape)) & ~reached
        tiles[standing] = LAVA
        around = _around(~reached)
        _scatter(tiles, TREASURE, 0.5, around >= 6, rng)
        _scatter(tiles, ENEMY, 0.12, around == 0, rng)
        size = reached.sum((1, 2))
        kept = np.concatenate([kept, tiles[playable(tiles) & (size >= 45) & (size <= 90)]])
    return kept[:n]


def _overworlds(n: int, rng: np.random.Generator) -> Tiles:
    kept = np.empty((0, ROWS, COLUMNS), np.uint8)
    while len(kept) < n:
        m = 2 * n
        tiles = np.where(_INSIDE & (rng.random((m, ROWS, COLUMNS)) < 0.9), FLOOR, ROCK).astype(np.uint8)
        steps = np.cumsum(rng.integers(-1, 2, (m, ROWS)), 1)
        course = (rng.integers(6, 10, (m, 1)) + steps - steps[:, :1]).clip(3, COLUMNS - 4)[..., None]  # (m, 12, 1)
        before = np.concatenate([course[:, :1], course[:, :-1]], 1)
        river = (np.minimum(course, before) <= _C) & (np.maximum(course, before) >= _C) & _INSIDE
        bridges = rng.integers(2, ROWS - 2, (m, 2))[..., None, None]
        bridge = river & (bridges == _R).any(1)
        tiles[river], tiles[bridge] = LAVA, BRIDGE
        flipped = rng.random((m, 1, 1)) < 0.5
        for tile, left in ((START, ~flipped), (EXIT, flipped)):
            _put(tiles, tile, (tiles == FLOOR) & (np.where(left, 1, COLUMNS - 2) == _C), rng)
        _scatter(tiles, ENEMY, 0.04, _INSIDE, rng)
        _scatter(tiles, TREASURE, 0.03, _INSIDE, rng)
        kept = np.concatenate([kept, tiles[playable(tiles)]])
    return kept[:n]


def spectrum(rows: int, columns: int) -> NDArray[np.float64]:
    """Return the power S(f) of terrain at the frequencies of `numpy.fft.fft2`; it sums to rows · columns."""
    squared = np.fft.fftfreq(rows)[:, None] ** 2 + np.fft.fftfreq(columns) ** 2
    power = (squared + CUTOFF**2) ** (-BETA / 2)
    out: NDArray[np.float64] = power * (rows * columns / power.sum())
    return out


def _terrains(n: int, rng: np.random.Generator) -> Tiles:
    # The field repeats itself after 32 tiles, so it is drawn larger than what is kept of it.
    size = 2 * COLUMNS
    white = np.fft.fft2(rng.standard_normal((n, size, size)))
    field = np.fft.ifft2(white * np.sqrt(spectrum(size, size))).real[:, :ROWS, :COLUMNS]
    return (LOWEST + (np.floor(field / STEP) + HEIGHTS // 2).clip(0, HEIGHTS - 1)).astype(np.uint8)


def _rgb(colour: int) -> NDArray[np.float64]:
    return np.array([colour >> 16, colour >> 8 & 255, colour & 255], float)


def picture(tiles: Tiles) -> NDArray[np.uint8]:
    """Draw one level (rows, columns) in pixels, 8 to a tile; terrain as a shaded relief: (8 rows, 8 columns, 3)."""
    if (tiles >= LOWEST).any():
        return _relief(tiles.clip(LOWEST) - float(LOWEST))
    wooded = np.isin(tiles, (TREE, WATER)).any()
    ground = _rgb(_GRASS if wooded else _GROUND)
    sprites = np.zeros((LOWEST, SIDE, SIDE, 3))
    for tile, (background, ink, bits) in _SPRITES.items():
        inked = np.array([bits >> i & 1 for i in reversed(range(SIDE * SIDE))], bool).reshape(SIDE, SIDE, 1)
        sprites[tile] = np.where(inked, _rgb(ink), ground if background is None else _rgb(background))
    rows, columns = tiles.shape
    return sprites[tiles].swapaxes(1, 2).reshape(rows * SIDE, columns * SIDE, 3).astype(np.uint8)


def _relief(heights: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Colours by height between tiles, lit from the upper left."""
    rows, columns = ((np.arange(n * SIDE) + 0.5) / SIDE - 0.5 for n in heights.shape)
    tall = np.stack([np.interp(rows, np.arange(len(line)), line) for line in heights.T], axis=1)
    wide = np.stack([np.interp(columns, np.arange(len(line)), line) for line in tall])
    colours = np.array([_rgb(c) for c in _RELIEF])[np.round(wide).astype(int)]
    down, right = np.gradient(wide, axis=0), np.gradient(wide, axis=1)
    light = (1 + 1.2 * (down + right)).clip(0.6, 1.25)
    out: NDArray[np.uint8] = (colours * light[..., None]).clip(0, 255).astype(np.uint8)
    return out
