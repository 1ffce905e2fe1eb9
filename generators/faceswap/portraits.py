"""Procedural portraits: people who do not exist, painted from a few dozen numbers each.

An `Identity` is what stays of a person (shape of head, eyes, nose and mouth, skin, hair); a `State` is what changes
from picture to picture (pose, expression, light, background, camera). `paint` is a deterministic function of the two,
so that the same state of another person, the ideal of a face swap, can be painted too; a series of states is a video.
The laws that both are drawn from are all there is to know of these pictures: nobody's likeness is in them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from guardrails.core.seeding import derive_seed

from . import portrait_paint
from .portrait_paint import SIDE, Portrait

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SIDE", "Identity", "Portrait", "State", "draw_identity", "draw_state", "motion", "paint", "people"]

Colour = tuple[float, float, float]
SKIN: tuple[Colour, ...] = (
    (0.98, 0.83, 0.74),
    (0.94, 0.76, 0.64),
    (0.86, 0.66, 0.52),
    (0.73, 0.52, 0.38),
    (0.56, 0.38, 0.27),
    (0.40, 0.26, 0.19),
)
HAIR: tuple[Colour, ...] = (
    (0.07, 0.06, 0.06),
    (0.18, 0.11, 0.07),
    (0.34, 0.20, 0.11),
    (0.55, 0.36, 0.18),
    (0.80, 0.62, 0.34),
    (0.55, 0.20, 0.09),
    (0.62, 0.61, 0.60),
)
IRIS: tuple[Colour, ...] = (
    (0.22, 0.12, 0.06),
    (0.40, 0.25, 0.12),
    (0.42, 0.42, 0.20),
    (0.25, 0.42, 0.28),
    (0.30, 0.48, 0.62),
    (0.42, 0.47, 0.50),
)


@dataclass(frozen=True)
class Identity:
    """What stays of a person. Lengths are in half widths (across) or half heights (down) of the head, from its middle.

    Attributes
    ----------
    width, height, jaw, chin, cheek : float
        Half axes of the head (of half the picture); how much the jaw narrows; how far chin and cheekbones stand out.
    eye_apart, eye_down, eye_size, eye_open, eye_tilt, lid : float
        Where the eyes are, how wide and high they open, how far their outer corners rise, how heavy their lids are.
    brow_up, brow_arch, brow_thick : float
    nose_long, nose_wide, nose_out, bridge : float
    mouth_down, mouth_wide, lip_full, lip_red : float
    skin, hair, iris : tuple of float
        RGB in 0–1.
    freckles, blush, beard, gloss : float
        0–1.
    hairline, fringe, parting, volume, length, wave : float
        Height of the hairline, how deep the fringe falls, where it parts, how high the hair stands, how far it falls
        beside the face (0 short, 1 to the shoulders), how wavy it is.
    pattern : float
        Phase of freckles and strands.
    """

    width: float
    height: float
    jaw: float
    chin: float
    cheek: float
    eye_apart: float
    eye_down: float
    eye_size: float
    eye_open: float
    eye_tilt: float
    lid: float
    brow_up: float
    brow_arch: float
    brow_thick: float
    nose_long: float
    nose_wide: float
    nose_out: float
    bridge: float
    mouth_down: float
    mouth_wide: float
    lip_full: float
    lip_red: float
    skin: Colour
    hair: Colour
    iris: Colour
    freckles: float
    blush: float
    beard: float
    gloss: float
    hairline: float
    fringe: float
    parting: float
    volume: float
    length: float
    wave: float
    pattern: float


@dataclass(frozen=True)
class State:
    """What changes from picture to picture.

    Attributes
    ----------
    yaw, pitch, roll : float
        Radians.
    across, down, scale : float
        Where the head is (of half the picture) and how large.
    smile, mouth_open, blink, brow_raise, gaze_across, gaze_down : float
        Expression: 0 at rest; `blink` 1 shuts the eyes.
    light : tuple of float
        Unit vector towards the lamp: right, down, towards the viewer.
    lamp, ambient, warmth : float
        Strength of lamp and surroundings; how warm the lamp's colour is.
    wall, wall_too, cloth : tuple of float
        RGB of the background (two, that run into each other) and of the clothes.
    scene : float
        Phase of the background's soft lights.
    exposure : float
        What the camera multiplies all by.
    noise : float
        Standard deviation of the camera's grain (white 1).
    seed : int
        Of the grain.
    """

    yaw: float
    pitch: float
    roll: float
    across: float
    down: float
    scale: float
    smile: float
    mouth_open: float
    blink: float
    brow_raise: float
    gaze_across: float
    gaze_down: float
    light: Colour
    lamp: float
    ambient: float
    warmth: float
    wall: Colour
    wall_too: Colour
    cloth: Colour
    scene: float
    exposure: float
    noise: float
    seed: int


def draw_identity(rng: np.random.Generator) -> Identity:
    """Draw a person who does not exist."""
    u = rng.uniform
    tone = u(0, len(SKIN) - 1)
    hair = HAIR[rng.integers(len(HAIR))] if tone < 2.2 else HAIR[rng.integers(3)]
    iris = IRIS[rng.integers(len(IRIS))] if tone < 2.2 else IRIS[rng.integers(2)]
    bearded = rng.random() < 0.25
    long_haired = not bearded and rng.random() < 0.65
    return Identity(
        width=u(0.47, 0.54),
        height=u(0.62, 0.68),
        jaw=u(0.16, 0.34),
        chin=u(0.0, 0.07),
        cheek=u(0.0, 0.05),
        eye_apart=u(0.36, 0.43),
        eye_down=u(-0.02, 0.06),
        eye_size=u(0.19, 0.235),
        eye_open=u(0.40, 0.56),
        eye_tilt=u(-0.06, 0.16),
        lid=u(0.0, 1.0),
        brow_up=u(0.20, 0.27),
        brow_arch=u(0.01, 0.07),
        brow_thick=u(0.022, 0.05),
        nose_long=u(0.30, 0.40),
        nose_wide=u(0.13, 0.20),
        nose_out=u(0.10, 0.18),
        bridge=u(0.03, 0.08),
        mouth_down=u(0.61, 0.68),
        mouth_wide=u(0.29, 0.39),
        lip_full=u(0.05, 0.095),
        lip_red=u(0.2, 1.0) * (0.5 if bearded else 1.0),
        skin=_between(SKIN, tone, 0.015, rng),
        hair=_between((hair,), 0.0, 0.01, rng),
        iris=_between((iris,), 0.0, 0.02, rng),
        freckles=float(u(0.4, 1.0) if tone < 1.5 and rng.random() < 0.35 else 0.0),
        blush=u(0.1, 1.0),
        beard=float(u(0.4, 1.0) if bearded else 0.0),
        gloss=u(0.05, 0.22),
        hairline=u(-0.72, -0.52),
        fringe=float(u(0.1, 0.3) if long_haired and rng.random() < 0.4 else u(0.0, 0.05)),
        parting=u(-0.5, 0.5),
        volume=u(0.06, 0.16),
        length=float(u(0.5, 1.0) if long_haired else u(0.0, 0.12)),
        wave=float(u(0.0, 1.0)),
        pattern=u(0, 100),
    )


def draw_state(rng: np.random.Generator) -> State:
    """Draw a pose, an expression, a light, a background and a camera."""
    u = rng.uniform
    azimuth, elevation = u(-1.2, 1.2), u(0.15, 1.0)
    light = (np.sin(azimuth) * np.cos(elevation), -np.sin(elevation), np.cos(azimuth) * np.cos(elevation))
    wall = u(0.2, 0.7) + rng.uniform(-0.14, 0.14, 3)
    return State(
        yaw=float(np.clip(rng.normal(0, 0.28), -0.62, 0.62)),
        pitch=float(np.clip(rng.normal(0, 0.12), -0.3, 0.3)),
        roll=float(np.clip(rng.normal(0, 0.09), -0.25, 0.25)),
        across=u(-0.08, 0.08),
        down=u(-0.10, 0.02),
        scale=u(1.0, 1.15),
        smile=float(np.clip(rng.normal(0.35, 0.4), -0.4, 1.0)),
        mouth_open=float(max(0.0, rng.normal(-0.1, 0.4))),
        blink=float(rng.choice([u(0.0, 0.25), 1.0], p=[0.95, 0.05])),
        brow_raise=float(rng.normal(0, 0.35)),
        gaze_across=u(-0.3, 0.3),
        gaze_down=u(-0.12, 0.15),
        light=(float(light[0]), float(light[1]), float(light[2])),
        lamp=u(0.55, 0.85),
        ambient=u(0.42, 0.58),
        warmth=u(-0.06, 0.10),
        wall=_colour(wall),
        wall_too=_colour(wall * u(0.5, 0.9) + rng.uniform(-0.06, 0.06, 3)),
        cloth=_colour(u(0.1, 0.7) + rng.uniform(-0.2, 0.2, 3)),
        scene=u(0, 100),
        exposure=u(1.0, 1.25),
        noise=u(0.004, 0.012),
        seed=int(rng.integers(2**31)),
    )


def motion(first: State, frames: int, rate: int, rng: np.random.Generator) -> list[State]:
    """Return a video's states: the head sways, speaks and blinks; light, background and camera stay.

    Each quantity follows a slow sine of its own size, period (2–6 s; the mouth's: 0.4–0.8 s) and phase.

    Parameters
    ----------
    first : State
        What stays, and about where the head moves.
    frames, rate : int
        How many, and how many a second.
    rng : numpy.random.Generator
        Of sizes, periods and phases.

    Returns
    -------
    list of State
    """
    time = np.arange(frames) / rate
    sizes = {"yaw": 0.16, "pitch": 0.06, "roll": 0.04, "across": 0.03, "down": 0.02, "smile": 0.2, "gaze_across": 0.15}
    paths = {
        name: getattr(first, name) + size * np.sin(2 * np.pi * (time / rng.uniform(2, 6) + rng.random()))
        for name, size in sizes.items()
    }
    speech = np.sin(2 * np.pi * (time / rng.uniform(0.4, 0.8) + rng.random()))
    paths["mouth_open"] = np.clip(first.mouth_open + 0.35 * speech, 0, 1.2)
    shut = rng.uniform(0, max(time[-1], 0.1))  # one blink, about a third of a second long
    paths["blink"] = np.clip(min(first.blink, 0.25) + 1.4 * np.exp(-(((time - shut) / 0.12) ** 2)), 0, 1)
    return [
        replace(
            first,
            seed=derive_seed(first.seed, "frame", t) % 2**31,
            **{name: float(path[t]) for name, path in paths.items()},  # type: ignore[arg-type]
        )
        for t in range(frames)
    ]


def paint(who: Identity, how: State, side: int = SIDE) -> Portrait:
    """Paint a portrait.

    Parameters
    ----------
    who : Identity
        Who is painted.
    how : State
        In which pose, expression, light and place, by which camera.
    side : int
        Of the picture, in pixels.

    Returns
    -------
    Portrait
        The picture, with the face's mask, box and eyes as they truly are.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> paint(draw_identity(rng), draw_state(rng)).image.shape
    (96, 96, 3)
    """
    return portrait_paint.paint(who, how, side)


def people(n: int, rng: np.random.Generator, among: Iterable[Identity] = ()) -> list[tuple[Identity, State]]:
    """Draw n portraits: each a fresh person, or one among the given people, in a fresh state."""
    known = list(among)
    return [(known[rng.integers(len(known))] if known else draw_identity(rng), draw_state(rng)) for _ in range(n)]


def _between(steps: tuple[Colour, ...], place: float, spread: float, rng: np.random.Generator) -> Colour:
    """Return a colour between two neighbours of a scale, and a little beside."""
    below = min(int(place), len(steps) - 1)
    above = min(below + 1, len(steps) - 1)
    mixed = np.array(steps[below]) + (place - below) * (np.array(steps[above]) - np.array(steps[below]))
    return _colour(mixed + rng.normal(0, spread, 3))


def _colour(values: NDArray[np.float64]) -> Colour:
    red, green, blue = np.clip(values, 0.02, 1.0).tolist()
    return red, green, blue
