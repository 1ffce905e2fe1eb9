"""The painter of the portraits: a head of displaced ellipsoids, lit by a lamp, seen by a parallel camera.

Each pixel's ray meets an ellipsoid of radius 1 + h; h is a sum of soft bumps (nose, brows, sockets, lips). A few rounds
of solving the quadratic for z and taking h anew find the surface; its gradient gives the normals, normals and lamp the
light. What is painted on (eyes, brows, hair, freckles) is a function of the place on the head, so it turns with it.

Directions: x to the right, y down, z towards the viewer; half the picture is 1. On the head, u and v are x and y of the
unit sphere that it is a displacement of: u = ±1 are the ears' sides, v = −1 the crown, v = 1 the chin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .portraits import Identity, State

    Floats = Any
    """Arrays of float32: numpy's own types say little of arithmetic among them."""

SIDE = 96
ROUNDS = 3
REACH, STEP = 1.3, 0.03
"""How far bumps reach (1: the ellipsoid), and the step of their gradients."""
SKIN_WRAP = (0.42, 0.26, 0.22)
KNEE = 0.7
FACE_CENTRE, FACE_WIDTH, FACE_HEIGHT = 0.24, 0.80, 0.74
"""The face on the head: an ellipse in u and v from the brows to the chin."""


@dataclass(frozen=True)
class Portrait:
    """A picture and what is known of it.

    Attributes
    ----------
    image : ndarray of uint8
        (side, side, 3).
    mask : ndarray of float32
        (side, side) in 0–1: the face from brows to chin, where hair does not hide it.
    box : tuple of float
        x, y, width, height of the face, in pixels.
    eyes : tuple of (float, float)
        x, y of the left and the right eye in the picture.
    """

    image: NDArray[np.uint8]
    mask: Floats
    box: tuple[float, float, float, float]
    eyes: tuple[tuple[float, float], tuple[float, float]]


def paint(who: Identity, how: State, side: int = SIDE) -> Portrait:
    """See `generators.faceswap.portraits.paint`."""
    ticks = (np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1
    x, y = (axis.ravel() for axis in np.meshgrid(ticks, ticks))
    turn, wall = rotation(how), _background(x, y, how)
    scene = _Scene((x - how.across) / how.scale, (y - how.down) / how.scale, turn, how, wall, side / 2 * how.scale)
    _body(scene, who, how)
    mask = _head(scene, who, how)
    light = scene.colour.reshape(3, side, side)
    edge = np.linspace(-1, 1, side, dtype=np.float32) ** 2
    light = how.exposure * light * (1 - 0.10 * (edge + edge[:, None]))  # a lens darkens the corners
    light = np.where(
        light > KNEE, 1 - (1 - KNEE) * np.exp((KNEE - light) / (1 - KNEE)), light
    )  # and film softens glare
    grain = np.random.default_rng(how.seed).standard_normal(light.shape, np.float32)
    image = np.round(np.clip(light + how.noise * grain, 0, 1) * 255).astype(np.uint8)
    box, eyes = _places(who, how, turn, side)
    return Portrait(np.ascontiguousarray(image.transpose(1, 2, 0)), mask.reshape(side, side), box, eyes)


def rotation(how: State) -> Floats:
    """Return the rotation from the head's directions to the camera's, (3, 3): yaw first, then pitch, then roll."""
    (cy, sy), (cp, sp), (cr, sr) = [(np.cos(a), np.sin(a)) for a in (how.yaw, how.pitch, how.roll)]
    yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    pitch = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return (roll @ pitch @ yaw).astype(np.float32)


def _smooth(x: Any, low: float, high: float) -> Floats:
    """0 below `low`, 1 above `high` (or the other way round), a soft step between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _bell(x: Floats, y: Floats) -> Floats:
    return np.exp(-(x * x + y * y))


def _rgb(colour: Any) -> Floats:
    return np.asarray(colour, np.float32)[:, None]


@dataclass
class _Surface:
    """Where rays meet an ellipsoid: the pixels (P,), the unit sphere's u, v, w and the normals (3, P), z, coverage."""

    at: NDArray[np.int64]
    q: Floats
    n: Floats
    z: Floats
    alpha: Floats


class _Scene:
    """The picture as it comes to be: colours (3, H W), and how near what was painted is (H W,)."""

    def __init__(self, x: Floats, y: Floats, turn: Floats, how: State, colour: Floats, pixels: float) -> None:
        self.x, self.y, self.turn, self.how, self.colour, self.pixels = x, y, turn, how, colour, pixels
        self.near = np.full(x.shape, -9, np.float32)

    def meet(self, centre: Any, axes: Any, bump: Any = None, turn: Any = None) -> _Surface:
        """Meet an ellipsoid of given centre and half axes, its radius 1 + bump(u, v, w), with all pixels' rays."""
        r = self.turn if turn is None else turn
        axes, centre = np.asarray(axes, np.float32), np.asarray(centre, np.float32)
        start = np.stack([(r[0, i] * self.x + r[1, i] * self.y - centre[i]) / axes[i] for i in range(3)])
        along = r[2] / axes
        a, b = along @ along, along @ start
        far = (start * start).sum(0)
        miss = far - b * b / a  # squared distance of the ray from the middle
        at = np.flatnonzero(miss < (REACH if bump else 1.1) ** 2)
        start, b, far, miss = start[:, at], b[at], far[at], np.sqrt(np.maximum(miss[at], 0))
        h = np.zeros(1, np.float32)
        for _ in range(ROUNDS if bump else 1):
            z = (-b + np.sqrt(np.maximum(b * b - a * (far - (1 + h) ** 2), 0))) / a
            q = (start + z * along[:, None]) / (1 + h)
            if bump:
                h = bump(*q)
        n = q.copy()
        if bump:
            n[0] -= (bump(q[0] + STEP, q[1], q[2]) - h) / STEP
            n[1] -= (bump(q[0], q[1] + STEP, q[2]) - h) / STEP
        n /= axes[:, None]
        n /= np.sqrt((n * n).sum(0)) + 1e-6
        return _Surface(at, q, r @ n, z, _smooth((1 + h - miss) * float(axes.min()) * self.pixels, -0.7, 0.9))

    def lit(
        self, albedo: Floats, n: Floats, *, wrap: Any = (0.1, 0.1, 0.1), gloss: Any = 0.0, sharp: int = 4
    ) -> Floats:
        """Return colours under lamp and surroundings; `wrap` lets light creep round, as red does in skin.

        `gloss` is the height of the shine, `sharp` how often its cosine is squared.
        """
        how = self.how
        light = np.asarray(how.light, np.float32)
        lamp = _rgb((1 + how.warmth, 1.0, 1 - how.warmth)) * how.lamp
        facing = light @ n
        w = _rgb(wrap)
        direct = np.clip((facing + w) / (1 + w), 0, None)
        around = how.ambient * (0.82 - 0.18 * n[1]) * (0.72 + 0.28 * n[2])
        half = light + np.array([0, 0, 1], np.float32)
        shine = np.clip(half @ n / np.sqrt(half @ half), 0, 1)
        for _ in range(sharp):
            shine = shine * shine
        behind = np.clip(1 - n[2], 0, 1)
        rim = 0.22 * behind * behind * behind * np.clip(0.4 - facing, 0, 1)
        return albedo * (direct * lamp + around + rim) + gloss * shine * lamp

    def over(self, surface: _Surface, colour: Floats, alpha: Floats) -> Floats:
        """Lay a surface over what is farther away; return how much of it shows, (H W,)."""
        at, z = surface.at, surface.z
        shown = alpha * np.clip((z - self.near[at]) * 60 + 0.5, 0, 1)
        self.colour[:, at] += shown * (colour - self.colour[:, at])
        self.near[at] = np.where(shown > 0.5, z, self.near[at])
        out = np.zeros(self.x.shape, np.float32)
        out[at] = shown
        return out


def _background(x: Floats, y: Floats, how: State) -> Floats:
    """A wall that runs from one colour to the other, with a few lights out of focus."""
    turn = how.scene
    run = _smooth(x * float(np.cos(turn)) + y * float(np.sin(turn)), -1.3, 1.3)
    out = _rgb(how.wall) + run * (_rgb(how.wall_too) - _rgb(how.wall))
    for k in range(4):
        px, py, size = float(np.sin(turn * (k + 3.7))), float(np.cos(turn * (k + 1.3))) * 0.8 - 0.1, 0.16 + 0.07 * k
        out = out + 0.08 * float(np.sin(turn + k)) * _smooth(np.hypot(x - px, y - py), size, size * 0.6)
    return np.clip(out, 0, 1)


def _body(scene: _Scene, who: Identity, how: State) -> None:
    """Hair behind, shoulders, neck and ears."""
    upright = np.eye(3, dtype=np.float32)
    height, width = who.height, who.width
    if who.length > 0.2:
        fall = (0.62 + 0.55 * who.length) * height
        s = scene.meet((0, fall - 1.02 * height, -0.22), (width * (1.10 + who.volume), fall, 0.38))
        edge = s.alpha * _smooth((s.q * s.q).sum(0) + s.q[0] ** 2 + 0.05 * np.sin(9 * s.q[1] + who.pattern), 2.2, 1.9)
        scene.over(s, scene.lit(_strands(s.q, who) * 0.7, s.n), edge)
    s = scene.meet((0, height + 0.15, -0.20), (0.54 * width, 0.85, 0.28))
    under = 1 - 0.55 * _smooth(s.q[1], 0.35, -0.3)  # the chin's shadow
    scene.over(s, scene.lit(_rgb(who.skin) * under, s.n, wrap=SKIN_WRAP), s.alpha)
    s = scene.meet((0, height + 0.62, -0.30), (1.12, 0.58, 0.60), turn=upright)
    collar = np.hypot(scene.x[s.at] / 0.34, (scene.y[s.at] - height * 0.98) / 0.26)
    weave = 1 + 0.05 * np.sin(60 * scene.x[s.at] + 9 * np.sin(5 * scene.y[s.at]))
    scene.over(s, scene.lit(_rgb(how.cloth) * weave, s.n), s.alpha * _smooth(collar, 0.97, 1.03))
    for side in (-1, 1):
        s = scene.meet((side * width * 0.99, 0.10 * height, -0.08), (0.07, 0.14, 0.10))
        fold = 1 - 0.45 * _bell(s.q[0] * side / 0.5, (s.q[1] + 0.1) / 0.55)
        ear = _rgb(who.skin) * _rgb((1.0, 0.93, 0.92)) * fold
        scene.over(s, scene.lit(ear, s.n, wrap=SKIN_WRAP), s.alpha)


def _head(scene: _Scene, who: Identity, how: State) -> Floats:
    """Head and hair; returns what shows of the face, (H W,)."""
    tip, mouth = who.eye_down + who.nose_long, who.mouth_down
    cheek = who.cheek * (1 + 0.6 * max(how.smile, 0))

    def bump(u: Floats, v: Floats, w: Floats) -> Floats:
        side = np.abs(u)
        h = who.chin * _bell(u / 0.3, (v - 0.92) / 0.2)
        h += cheek * _bell((side - 0.52) / 0.2, (v - 0.27) / 0.17)
        h -= 0.075 * _bell((side - who.eye_apart) / 0.22, (v - who.eye_down) / 0.13)
        h += 0.03 * _bell(u / 0.7, (v - who.eye_down + who.brow_up) / 0.1)
        down = _smooth(v, who.eye_down - 0.15, tip) * _smooth(v, tip + 0.12, tip)
        h += 1.2 * (who.bridge + 0.5 * who.nose_out * down * down) * down * np.exp(-100 * u * u)
        h += who.nose_out * _bell(u / (0.75 * who.nose_wide), (v - tip + 0.015) / 0.085)
        h += 0.055 * _bell((side - 0.85 * who.nose_wide) / 0.065, (v - tip - 0.02) / 0.06)
        h += 0.6 * who.lip_full * _bell(u / who.mouth_wide, (v - mouth) / 0.09)
        h -= 0.02 * _bell(u / 0.25, (v - mouth - 0.14) / 0.05)
        return h * np.clip(w * 3, 0, 1) - who.jaw * _smooth(v, 0.1, 1.0) * u * u  # the jaw narrows all round

    s = scene.meet((0, 0, 0), (who.width, who.height, 0.95 * who.width + 0.04), bump)
    albedo, gloss, glint = _face(s.q, who, how)
    shown = scene.over(s, scene.lit(albedo, s.n, wrap=SKIN_WRAP, gloss=gloss) + glint, s.alpha)
    inside = _smooth(np.hypot(s.q[0] / FACE_WIDTH, (s.q[1] - FACE_CENTRE) / FACE_HEIGHT), 1.03, 0.97)
    shown[s.at] *= inside * (s.q[2] > 0)
    return shown * (1 - _hair(scene, who))


def _strands(q: Floats, who: Identity) -> Floats:
    """Hair's colours, in streaks from the parting down."""
    angle = 1.6 * np.arctan2(q[0] - 0.4 * who.parting, 1.4 - q[1]) + 0.05 * who.wave * np.sin(9 * q[1] + who.pattern)
    streak = sum(np.sin(f * angle + who.pattern * (k + 1) + 2 * q[1]) for k, f in enumerate((17, 31, 57))) / 3
    return _rgb(who.hair) * (1 + 0.35 * streak)


def _hair(scene: _Scene, who: Identity) -> Floats:
    """The hair on the head; returns how much it covers, (H W,)."""
    thick = 1.0 + who.volume
    axes = (who.width * (thick - 0.02), who.height * (thick - 0.01), (0.95 * who.width + 0.04) * thick)

    def bump(u: Floats, v: Floats, w: Floats) -> Floats:
        away = (u - who.parting) / 0.12
        lift = 0.02 * (0.3 + who.wave) * np.sin(14 * u + who.pattern) - 0.03 * np.exp(-away * away)
        return lift * _smooth(v, 0.2, -0.6)

    s = scene.meet((0, -0.02, -0.03), axes, bump)
    u, v, w = s.q
    wide, away = np.abs(u), np.abs(u - who.parting)
    rag = 0.03 * np.sin(23 * u + who.pattern) + 0.02 * np.sin(41 * u + 2 * who.pattern)
    line = who.hairline + who.fringe * (1.2 - 0.4 * away) + rag - 0.06 * _bell(away / 0.25, 0 * away)
    line += (0.9 + 0.75 * who.length) * _smooth(wide, 0.66 + 0.1 * who.length, 0.98) * wide
    behind = _smooth(w, 0.25, 0.05) * _smooth(v - 0.02 - who.length, 0.06, -0.06)
    cover = s.alpha * np.maximum(_smooth(v - line, 0.035, -0.035), behind)
    shade = 0.28 * _smooth(v - line, 0.16, 0.0) * s.alpha * (1 - cover)  # on the forehead, below the hair
    scene.colour[:, s.at] *= 1 - shade
    ring = _bell((v + 0.62 + 0.04 * np.sin(19 * u + who.pattern)) / 0.16, 0 * v)  # hair shines in a band
    shine = 0.25 * max(0.0, -scene.how.light[1]) * scene.how.lamp * ring * (0.25 + _rgb(who.hair))
    albedo = _strands(s.q, who) * (0.75 + 0.25 * _smooth(line - v, 0.0, 0.3))
    return scene.over(s, scene.lit(albedo, s.n, gloss=0.10) + shine, cover)


def _face(q: Floats, who: Identity, how: State) -> tuple[Floats, Floats, Floats]:
    """Skin, brows, eyes, nose and mouth: colours before light (3, H, W), gloss (H, W), the eyes' glints (H, W)."""
    u, v, w = q
    side = np.abs(u)
    front = _smooth(w, 0.0, 0.25)
    skin, dark = _rgb(who.skin), _rgb(who.hair) * 0.8
    tip = who.eye_down + who.nose_long
    mottle = 1 + 0.02 * np.sin(13 * u + who.pattern) * np.sin(11 * v + 2 * who.pattern)
    albedo = skin * mottle
    flush = _bell((side - 0.48) / 0.24, (v - 0.36) / 0.2) + 0.8 * _bell(u / 0.14, (v - tip) / 0.1)
    albedo = albedo * (1 - who.blush * flush * _rgb((0.02, 0.16, 0.14)))
    if who.freckles:
        spots = np.sin(71 * u + 3 * np.sin(17 * v + who.pattern)) * np.sin(67 * v + 3 * np.sin(19 * u + who.pattern))
        spots = _smooth(spots, 0.45, 0.9) * _bell(side / 0.55, (v - 0.28) / 0.2)
        albedo = albedo * (1 - who.freckles * spots * _rgb((0.25, 0.38, 0.45)))
    socket = _bell((side - who.eye_apart) / 0.24, (v - who.eye_down + 0.02) / 0.13)
    albedo = albedo * (1 - 0.20 * socket * _rgb((0.8, 1.0, 1.0)))
    albedo = albedo * (1 - 0.30 * _bell(u / (0.9 * who.nose_wide), (v - tip - 0.09) / 0.035))
    nostril = _bell((side - 0.5 * who.nose_wide) / 0.05, (v - tip - 0.055) / 0.026)
    albedo = albedo * (1 - 0.75 * nostril)
    wing = _bell((side - 1.22 * who.nose_wide) / 0.035, (v - tip - 0.0) / 0.07)
    albedo = albedo * (1 - 0.25 * wing)
    cheek_line = _bell((side - 0.30 - 0.5 * (v - tip)) / 0.035, (v - 0.5) / 0.11)
    albedo = albedo * (1 - 0.22 * max(how.smile, 0) * cheek_line)
    if who.beard:
        hairy = _smooth(v - 0.42 * side, 0.34, 0.52) * (1 - _bell(u / 0.34, (v - who.mouth_down) / 0.075))
        hairy = hairy * (0.88 + 0.12 * np.sin(37 * u + 3 * np.sin(23 * v)))
        albedo = albedo + who.beard * 0.85 * hairy * (dark * 1.15 - albedo)
    albedo = _brows(albedo, u, v, who, how, dark)
    albedo, gloss_lips = _mouth(albedo, u, v, who, how)
    albedo, glint = _eyes(albedo, u, v, who, how)
    gloss = who.gloss * (0.6 + 0.8 * _bell(u / 0.12, (v - tip + 0.1) / 0.3)) + gloss_lips
    return skin + front * (albedo - skin), gloss * front, glint * front


def _brows(albedo: Floats, u: Floats, v: Floats, who: Identity, how: State, dark: Floats) -> Floats:
    s = (np.abs(u) - who.eye_apart) / (1.35 * who.eye_size)  # −1 at the nose, 1 outside
    line = (
        who.eye_down
        - who.brow_up
        - 0.035 * how.brow_raise
        + who.brow_arch * (s - 0.3) ** 2
        - 0.2 * who.eye_tilt * s * 0.3
    )
    thick = who.brow_thick * (1.1 - 0.45 * _smooth(s, -0.4, 1.1))
    hairs = 0.9 + 0.1 * np.sin(45 * u + 20 * v)
    brow = np.exp(-((((v - line) / thick) ** 2).clip(0, 9) ** 2)) * _smooth(np.abs(s), 1.08, 0.85) * hairs
    return albedo + 0.85 * brow * (dark - albedo)


def _eyes(albedo: Floats, u: Floats, v: Floats, who: Identity, how: State) -> tuple[Floats, Floats]:
    glint, shut = np.zeros_like(u), float(_smooth(np.float32(how.blink), 0.7, 1.0))
    for at in (-1, 1):
        out = at * (u - at * who.eye_apart) / who.eye_size  # −1 at the inner corner, 1 at the outer
        t = (v - who.eye_down) / who.eye_size * 1.25 + who.eye_tilt * out * 1.6
        arch = np.clip(1 - out * out, 0, 1)
        open_up, open_down = 1.05 * who.eye_open, 0.62 * who.eye_open - 0.18 * max(how.smile, 0) * who.eye_open
        top = -(open_up - how.blink * (open_up + open_down)) * np.sqrt(arch)
        low = open_down * arch
        soft = 0.10
        near = _smooth(np.abs(out), 1.04, 0.96)
        inside = _smooth(t - top, -soft, soft) * _smooth(low - t, -soft, soft) * near * (1 - shut)
        white = _rgb((0.93, 0.91, 0.89)) * (0.72 + 0.28 * _smooth(t - top, 0.0, 0.45)) * (0.80 + 0.20 * arch)
        gx, gy = at * how.gaze_across, how.gaze_down - 0.03
        radius = np.hypot(out - gx, t - gy)
        ring = _rgb(who.iris) * (0.75 + 0.9 * _smooth(radius, 0.18, 0.4) * _smooth(t - gy, -0.3, 0.35))
        ring = ring * (1 - 0.75 * _smooth(radius, 0.33, 0.47)) * (1 - 0.93 * _smooth(radius, 0.23, 0.15))
        eye = white + _smooth(radius, 0.50, 0.42) * (ring - white)
        albedo = albedo + inside * (eye - albedo)
        glint = glint + 0.75 * inside * _bell((at * (out - gx) + 0.15) / 0.12, (t - gy + 0.16) / 0.13)
        lash = (
            np.exp(-(((t - top) / 0.13) ** 2))
            * _smooth(np.abs(out), 1.12, 0.9)
            * (0.65 + 0.35 * _smooth(out, -0.6, 0.6))
        )
        albedo = albedo * (1 - 0.88 * lash)
        crease = np.exp(-(((t - top + 0.26 + 0.12 * (1 - who.lid)) / 0.08) ** 2)) * near
        albedo = albedo * (1 - 0.30 * crease)
        albedo = albedo * (1 - 0.28 * np.exp(-(((t - low) / 0.09) ** 2)) * near)
        albedo = albedo * (1 - 0.12 * np.exp(-(((t - low - 0.28) / 0.14) ** 2)) * near)
    return albedo, glint


def _mouth(albedo: Floats, u: Floats, v: Floats, who: Identity, how: State) -> tuple[Floats, Floats]:
    smile, gape = how.smile, 0.11 * how.mouth_open
    wide = who.mouth_wide * (1 + 0.16 * smile) * (1 - 0.10 * how.mouth_open)
    s = np.clip(u / wide, -1.3, 1.3)
    arch = np.clip(1 - s * s, 0, 1)
    line = who.mouth_down + 0.02 * smile - 0.075 * smile * s * s
    bow = 0.35 * np.exp(-((s / 0.16) ** 2)) - 0.25 * np.exp(-(((np.abs(s) - 0.3) / 0.2) ** 2))
    upper = line - 0.3 * gape * arch - who.lip_full * np.sqrt(arch) * (0.85 - bow)
    inner_up = line - 0.3 * gape * arch
    inner_low = line + gape * np.sqrt(arch)
    lower = inner_low + 1.15 * who.lip_full * np.sqrt(arch)
    soft = 0.014
    lips = _smooth(v - upper, -soft, soft) * _smooth(lower - v, -soft, soft) * _smooth(np.abs(s), 1.02, 0.94)
    skin = _rgb(who.skin)
    red = skin * _rgb((0.86, 0.58, 0.58)) + who.lip_red * _rgb((0.06, -0.10, -0.06)) * skin
    red = red * (1 - 0.18 * _smooth(inner_up - v, 0.0, 0.03))  # the upper lip faces down
    albedo = albedo + 0.88 * lips * (np.clip(red, 0, 1) - albedo)
    hole = _smooth(v - inner_up, -soft, soft) * _smooth(inner_low - v, -soft, soft) * _smooth(np.abs(s), 0.99, 0.88)
    hole = hole * min(1.0, gape / 0.012)
    teeth = _smooth(v - inner_up, 0.055, 0.035) * _smooth(np.abs(s), 0.85, 0.65)
    inside = _rgb((0.20, 0.06, 0.06)) + teeth * (_rgb((0.90, 0.87, 0.82)) - _rgb((0.20, 0.06, 0.06)))
    albedo = albedo + hole * (inside - albedo)
    shut = np.exp(-(((v - inner_up) / 0.016) ** 2)) * _smooth(np.abs(s), 1.08, 0.95)
    albedo = albedo * (1 - 0.55 * shut * (1 - 0.5 * hole))
    corner = _bell((np.abs(u) - wide) / 0.035, (v - line) / 0.03)
    albedo = albedo * (1 - 0.30 * corner)
    below = _bell(u / (0.7 * wide), (v - lower - 0.035) / 0.03)
    albedo = albedo * (1 - 0.16 * below)
    return albedo, 0.16 * lips * (1 - hole) * np.exp(-(((v - lower + 0.6 * who.lip_full) / 0.025) ** 2))


def _places(who: Identity, how: State, turn: Floats, side: int) -> tuple[Any, Any]:
    """Box of the face and the eyes, in pixels."""
    axes = np.array([who.width, who.height, 0.95 * who.width + 0.04])

    def project(u: Floats, v: Floats) -> Floats:
        place = np.stack([u, v, np.sqrt(np.maximum(0, 1 - u * u - v * v))], -1) * axes  # (N, 3) on the head
        seen = (place @ turn.T)[:, :2] * how.scale + np.array([how.across, how.down])
        return (seen + 1) / 2 * side

    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    rim = project(FACE_WIDTH * np.cos(angles), FACE_CENTRE + FACE_HEIGHT * np.sin(angles))
    low, high = rim.min(0), rim.max(0)
    eyes = project(np.array([-who.eye_apart, who.eye_apart]), np.full(2, who.eye_down))
    return (*low.tolist(), *(high - low).tolist()), (tuple(eyes[0].tolist()), tuple(eyes[1].tolist()))
