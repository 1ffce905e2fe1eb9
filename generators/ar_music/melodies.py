"""Procedural tunes in the manner of folk songs: chords, rhythms and rules of counterpoint [1]_.

The law of a tune. Metre, key and form are drawn. A form is 2–4 lines of 4 bars: a line ``a`` closes on the dominant;
``A`` closes on the tonic, and begins as ``a`` did; ``B`` is new. A tune has three rhythms of a bar: its main one, a
second, and one to close a line, which all its lines lay out in like manner. A chord lies under each bar. The melody
walks over the degrees of the scale:

- notes on strong beats belong to the chord; what lies between moves by step, or by a third into the chord;
- most moves are steps; after a leap of a fourth or more the melody turns back, by step or third where it can;
- it stays within an octave and a half, and seldom repeats a note twice;
- the last note is the tonic, and comes from a neighbour or from the dominant;
- in minor the seventh degree is raised where it leads up to the tonic, the sixth where it leads up to that.

.. [1] J. J. Fux, "Gradus ad Parnassum", 1725.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from random import Random
from typing import NamedTuple, TypeVar

from .abc_notation import BAR, LINE, REPEAT, Symbols, tonic

METRES = {"4/4": 8, "3/4": 6, "6/8": 6}
"""How many eighths fill a bar."""
STRONG = {"4/4": (0, 4), "3/4": (0,), "6/8": (0, 3)}
KEYS = ("C", "D", "F", "G", "A", "Am", "Dm", "Em")
SCALES = {"": (0, 2, 4, 5, 7, 9, 11), "m": (0, 2, 3, 5, 7, 8, 10)}
RAISED = (9, 11)
"""The sixth and the seventh degree of a minor scale, where they lead up."""
LOWEST, HIGHEST = 55, 81
LENGTHS = (1, 2, 3, 4, 6, 8)
VOCABULARY: Symbols = (
    *(f"M:{metre}" for metre in METRES),
    *(f"K:{key}" for key in KEYS),
    *(BAR, LINE, REPEAT),
    *(f"{pitch}:{length}" for pitch in range(LOWEST, HIGHEST + 1) for length in LENGTHS),
)

FORMS = ("a A", "A: B:", "A: B", "A: B A", "a A: B A", "a A B A")
"""A colon: the line before it is repeated."""
RHYTHMS = {
    "4/4": (
        *((2, 2, 2, 2), (4, 2, 2), (2, 2, 4), (3, 1, 2, 2), (3, 1, 4), (1, 1, 2, 2, 2), (2, 1, 1, 2, 2)),
        *((2, 2, 1, 1, 2), (1, 1, 1, 1, 2, 2), (3, 1, 3, 1), (2, 1, 1, 2, 1, 1), (1, 1, 1, 1, 1, 1, 2)),
    ),
    "3/4": ((2, 2, 2), (4, 2), (2, 4), (3, 1, 2), (2, 1, 1, 2), (2, 2, 1, 1), (1, 1, 2, 2), (2, 1, 1, 1, 1)),
    "6/8": ((2, 1, 2, 1), (1, 1, 1, 1, 1, 1), (3, 2, 1), (2, 1, 3), (1, 1, 1, 2, 1), (2, 1, 1, 1, 1), (1, 1, 1, 3)),
}
CLOSES = {
    "4/4": ((8,), (4, 4), (2, 2, 4), (2, 6)),
    "3/4": ((6,), (2, 4), (1, 1, 4)),
    "6/8": ((6,), (3, 3), (2, 1, 3), (1, 1, 1, 3)),
}
LAYOUTS = ((0, 1, 0, 2), (0, 0, 1, 2), (0, 1, 1, 2), (0, 0, 0, 2))
"""Which rhythm each bar of a line has: the main one, the second, the closing one."""
OPEN = ((0, 3, 0, 4), (0, 5, 3, 4), (0, 0, 1, 4), (0, 4, 5, 4), (0, 3, 1, 4))
"""Chords of a line that closes on the dominant: the degree of each root, 0 for the tonic."""
CLOSED = ((0, 3, 4, 0), (0, 1, 4, 0), (0, 5, 4, 0), (0, 0, 4, 0), (3, 0, 4, 0), (5, 3, 4, 0))
HOME = (1, 4, 6)
"""The degrees that lead to the tonic: its neighbours and the dominant."""

RANGES = ((-1, 8), (-3, 7))
"""Lowest and highest degree: above the tonic, or around it."""
MOVES = {0: 0.5, 1: 5.0, 2: 1.8, 3: 0.6, 4: 0.4, 5: 0.15, 7: 0.1}
"""Weight of a move by so many degrees."""
ONWARD = 1.6
"""How much a step gains that goes on in the direction of the last one."""

T = TypeVar("T")


class Place(NamedTuple):
    """What the rules ask of a note: to be among these degrees, modulo 7; if not strict, or else to come by step."""

    among: tuple[int, ...]
    strict: bool


class Step(NamedTuple):
    """A note of the walk: its degree (0 for the tonic, 7 for that an octave higher) and its length in eighths."""

    degree: int
    length: int


def tune(rng: Random) -> Symbols:
    """Draw a tune.

    >>> tune(Random(0))[:5]
    ('M:6/8', 'K:Dm', '69:1', '67:1', '65:1')
    """
    metre, key, form = _pick(rng, tuple(METRES)), _pick(rng, KEYS), _pick(rng, FORMS).split()
    low, high = _pick(rng, RANGES)
    cells = [*rng.sample(RHYTHMS[metre], 2), _pick(rng, CLOSES[metre])]
    layout = {"A": _pick(rng, LAYOUTS), "B": _pick(rng, LAYOUTS)}
    lines: dict[str, list[list[Step]]] = {}
    last = Step(_pick(rng, (0, 2, 4)), 0)
    for name in (name[0] for name in form):
        if name not in lines:
            closed = name == "A" or name == form[-1][0]
            begun = lines["a"][:2] if name == "A" and "a" in lines else []
            rhythm = [cells[i] for i in layout[name.upper()]][len(begun) :]
            chords = _pick(rng, CLOSED if closed else OPEN)[len(begun) :]
            last = begun[-1][-1] if begun else last
            lines[name] = begun + _walk(rng, rhythm, _places(metre, rhythm, chords, closed), last, low, high)
        last = lines[name][-1][-1]
    pitches = iter(_pitches([step.degree for name in form for bar in lines[name[0]] for step in bar], key, low, high))
    out = [f"M:{metre}", f"K:{key}"]
    for name in form:
        for bar in lines[name[0]]:
            out += [f"{next(pitches)}:{step.length}" for step in bar]
            out.append(BAR)
        out[-1] = REPEAT if name[1:] else LINE
    return tuple(out)


def _places(metre: str, rhythm: Sequence[tuple[int, ...]], chords: Sequence[int], closed: bool) -> list[Place]:
    """Say for each note of a line what the rules ask of it."""
    out: list[Place] = []
    for cell, root in zip(rhythm, chords, strict=True):
        triad = tuple((root + third) % 7 for third in (0, 2, 4))
        begins = accumulate(cell[:-1], initial=0)
        out += [Place(triad, begin in STRONG[metre]) for begin in begins]
    if closed:
        out[-2:] = [Place(HOME, True), Place((0,), True)]
    else:
        out[-1] = Place(out[-1].among, True)
    return out


def _walk(
    rng: Random, rhythm: Sequence[tuple[int, ...]], places: Sequence[Place], last: Step, low: int, high: int
) -> list[list[Step]]:
    """Walk from the last note of what came before through the places; return the notes of each bar."""
    degree, move = last.degree, 0
    degrees = []
    for place in places:
        reached, weights = _reach(degree, move, place, low, high)
        to = reached[bisect(weights, rng.random() * weights[-1])]
        degree, move = to, to - degree
        degrees.append(degree)
    walked = iter(degrees)
    return [[Step(next(walked), length) for length in cell] for cell in rhythm]


@cache
def _reach(degree: int, move: int, place: Place, low: int, high: int) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return where the melody may go from a degree that it came to by a move, and the running sum of the weights."""
    weights: dict[int, float] = {}
    for to in range(low, high + 1):
        size, inside = abs(to - degree), to % 7 in place.among
        if size in MOVES and (inside if place.strict else size <= 1 or (size == 2 and inside)):
            onward = abs(move) == size == 1 and to - degree == move
            weights[to] = MOVES[size] * (ONWARD if onward else 0.1 if size == move == 0 else 1.0)
    if abs(move) >= 3:
        back = {to: weight for to, weight in weights.items() if (to - degree) * move < 0}
        gently = {to: weight for to, weight in back.items() if abs(to - degree) <= 2}
        weights = gently or back or weights
    return tuple(weights), tuple(accumulate(weights.values()))


def _pitches(degrees: Sequence[int], key: str, low: int, high: int) -> list[int]:
    """Return MIDI pitches of degrees; in minor the sixth and the seventh are raised where they lead up."""
    scale = SCALES[key[1:]]
    at = next(
        pitch
        for pitch in range(LOWEST, HIGHEST)
        if pitch % 12 == tonic(key) and pitch + 12 * (low // 7) + scale[low % 7] >= LOWEST
    )
    out: list[int] = []
    ahead, leads = degrees[-1], False
    for degree in reversed(degrees):
        # `leads`: the note ahead is the tonic, or the seventh degree that was raised itself.
        octave, step = divmod(degree, 7)
        raised = len(key) > 1 and step in (5, 6) and leads and ahead == degree + 1
        out.append(at + 12 * octave + (RAISED[step - 5] if raised else scale[step]))
        ahead, leads = degree, step == 0 or raised
    return out[::-1]


def in_key(pitch: int, key: str) -> bool:
    """Tell whether a pitch belongs to a key: to its scale, in minor also raised as sixth or seventh degree."""
    return (pitch - tonic(key)) % 12 in (*SCALES[key[1:]], *(RAISED if key[1:] else ()))


def transposed(symbols: Sequence[str]) -> list[Symbols]:
    """Return a tune in each key of its mode, its own among them, as near as it can be and fit the range.

    Keys in which it does not fit are left out.
    """
    key = next(symbol[2:] for symbol in symbols if symbol.startswith("K:"))
    pitches = [int(symbol.split(":")[0]) for symbol in symbols if symbol[0].isdigit()]
    out = []
    for other in (k for k in KEYS if k[1:] == key[1:]):
        up = (tonic(other) - tonic(key)) % 12
        fits = [i for i in (up, up - 12) if min(pitches) + i >= LOWEST and max(pitches) + i <= HIGHEST]
        if fits:
            out.append(_moved(symbols, min(fits, key=abs), other))
    return out


def _moved(symbols: Sequence[str], by: int, key: str) -> Symbols:
    def moved(symbol: str) -> str:
        if symbol[0] == "K":
            return f"K:{key}"
        pitch, _, length = symbol.partition(":")
        return f"{int(pitch) + by}:{length}" if pitch.isdigit() else symbol

    return tuple(map(moved, symbols))


def _pick(rng: Random, items: Sequence[T]) -> T:
    return items[int(rng.random() * len(items))]
