"""Tunes to be seen and heard: a piano roll, a sound made by adding up harmonics, and a Standard MIDI File [1]_.

.. [1] MIDI Manufacturers Association, "Standard MIDI Files 1.0", RP-001, 1996.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack
from typing import TYPE_CHECKING

import numpy as np

from .abc_notation import notes

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE = 11_025
HARMONICS = (1.0, 0.5, 0.25, 0.12, 0.06)
"""Amplitudes of the fundamental and of its multiples."""
ATTACK, DECAY, RELEASE = 0.008, 0.45, 0.05
"""Seconds: until a note is at its loudest; until it has sunk to 1/e; for the rest to fade when it ends."""
TICKS = 240
"""Of MIDI, in an eighth."""
LOUD = 96


def piano_roll(symbols: Sequence[str], *, per_eighth: int = 2, repeats: bool = False) -> NDArray[np.uint8]:
    """Return which of the 128 pitches of MIDI sound when: (128, T), 2 where a note begins, 1 where it goes on.

    >>> piano_roll(("60:1", "62:2"))[[60, 62]].tolist()
    [[2, 1, 0, 0, 0, 0], [0, 0, 2, 1, 1, 1]]
    """
    written = notes(symbols, repeats=repeats)
    end = max((note.start + note.length for note in written), default=0)
    out = np.zeros((128, round(end * per_eighth)), np.uint8)
    for start, length, pitch in written:
        first = round(start * per_eighth)
        out[pitch, first : round((start + length) * per_eighth)] = 1
        out[pitch, first : first + 1] = 2
    return out


def sound(symbols: Sequence[str], *, speed: float = 4.5, rate: int = RATE, repeats: bool = True) -> NDArray[np.float32]:
    """Return a tune as sound in −1 … 1, one channel; it is played at this many eighths a second.

    Each note is Σₖ aₖ sin(2π k f t) for k f below half the rate, f = 440 · 2^((pitch − 69) / 12), under an envelope.
    """
    written = notes(symbols, repeats=repeats)
    end = float(max((note.start + note.length for note in written), default=0)) / speed
    out = np.zeros(round((end + RELEASE) * rate) if written else 0, np.float32)
    for start, length, pitch in written:
        seconds, frequency = float(length) / speed, 440 * 2 ** ((pitch - 69) / 12)
        t = np.arange(int((seconds + RELEASE) * rate)) / rate
        wave = sum(
            a * np.sin(2 * np.pi * k * frequency * t) for k, a in enumerate(HARMONICS, 1) if k * frequency < rate / 2
        )
        envelope = np.minimum(t / ATTACK, 1) * np.exp(-t / DECAY) * np.clip((seconds + RELEASE - t) / RELEASE, 0, 1)
        at = round(float(start) / speed * rate)
        out[at : at + len(t)] += (wave * envelope)[: len(out) - at]
    return out / max(1.0, float(abs(out).max(initial=0)) / 0.9)


def midi(symbols: Sequence[str], *, speed: float = 4.5, repeats: bool = True) -> bytes:
    """Return a tune as a Standard MIDI File of one track."""
    events: list[tuple[int, bytes]] = []
    for start, length, pitch in notes(symbols, repeats=repeats):
        events.append((round(start * TICKS), bytes([0x90, pitch, LOUD])))
        events.append((round((start + length) * TICKS), bytes([0x80, pitch, 0])))
    track = b"\0\xff\x51\x03" + round(2e6 / speed).to_bytes(3, "big")  # microseconds in a quarter
    now = 0
    for at, event in sorted(events):  # at the same time 0x80 comes first: a note ends before the next begins
        track += _variable(at - now) + event
        now = at
    track += b"\0\xff\x2f\0"
    return b"MThd" + pack(">IHHH", 6, 0, 1, 2 * TICKS) + b"MTrk" + pack(">I", len(track)) + track


def _variable(n: int) -> bytes:
    """A number in MIDI's bytes of 7 bits, the highest first; all but the last have their top bit set."""
    out = [n & 0x7F]
    while n := n >> 7:
        out.append(0x80 | n & 0x7F)
    return bytes(reversed(out))
