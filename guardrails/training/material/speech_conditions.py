"""How a recording may have been made and sent: room, noise, bandwidth, up to two codecs; drawn for both classes alike.

A seed is that of an utterance, never of a class: a recording and its version by a synthesizer pass through the same.
The plain condition is there as well, with noise at -55 dB, so that digital silence does not tell the classes apart.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...kit.sound import RATE
from .speech_channel import at_rate, coloured

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

CODECS = {
    "PCM": ("WAV", "PCM_16", RATE), "MP3": ("MP3", "MPEG_LAYER_III", RATE), "OPUS": ("OGG", "OPUS", RATE),
    "VORBIS": ("OGG", "VORBIS", RATE), "ULAW": ("WAV", "ULAW", 8_000), "GSM": ("WAV", "GSM610", 8_000),
}  # fmt: skip
"""Format and subtype of libsndfile, and the rate: the last two are those of telephones."""
SHARES = (0.25, 0.2, 0.2, 0.15, 0.1, 0.1)
SETTINGS = (0.2, 0.9)
"""`compression_level` of MP3, Opus and Vorbis: from high to low bit rates."""
NARROW, ECHO, TWICE = 0.2, 0.25, 0.3
"""Shares: limited to 4 kHz, with a room, through two codecs."""
NOISE, PLAIN_NOISE = (-50.0, -15.0), -55.0
"""dB to the speech."""
REVERBERATION, DIRECT = (0.1, 0.6), (-3.0, 10.0)
"""Seconds until the room's response fell by 60 dB, and dB of the direct sound to the rest."""
LEVEL = 0.1


@dataclass(frozen=True)
class Condition:
    """What a recording passed through.

    Attributes
    ----------
    codecs : tuple of str
        None for the plain condition.
    narrow : bool
    noise : float
        dB.
    room : tuple of float, optional
        Seconds, dB.
    """

    codecs: tuple[str, ...] = ()
    narrow: bool = False
    noise: float = PLAIN_NOISE
    room: tuple[float, float] | None = None

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Condition:
        """Draw one."""
        codecs = tuple(str(name) for name in rng.choice(list(CODECS), 1 + (rng.random() < TWICE), p=SHARES))
        room = (float(rng.uniform(*REVERBERATION)), float(rng.uniform(*DIRECT))) if rng.random() < ECHO else None
        return cls(codecs, bool(rng.random() < NARROW), float(rng.uniform(*NOISE)), room)

    @property
    def name(self) -> str:
        """The codec that leaves the most traces, as it is the last one; "plain" without one."""
        return self.codecs[-1] if self.codecs else "plain"

    def applied(self, sound: Array, rng: np.random.Generator) -> Array:
        """Return a recording at 16 kHz, (N,), as it reads after this condition, (N,)."""
        x = sound - sound.mean()
        x = x / max(float(np.sqrt((x**2).mean())), 1e-9)
        if self.room:
            x = _in_room(x, *self.room, rng)
        x = x + 10 ** (self.noise / 20) * coloured(len(x), float(rng.uniform(0, 0.95)), rng)
        if self.narrow:
            x = at_rate(at_rate(x, RATE, 8_000), 8_000, RATE)
        for codec in self.codecs:
            x = _coded(x, codec, float(rng.uniform(*SETTINGS)))
        return np.pad(x[: len(sound)], (0, max(0, len(sound) - len(x))))


def _in_room(x: Array, seconds: float, direct: float, rng: np.random.Generator) -> Array:
    from scipy.signal import fftconvolve

    time = np.arange(int(seconds * RATE)) / RATE
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / seconds)
    tail[: RATE // 500] = 0
    response = np.concatenate([[1.0], tail * 10 ** (-direct / 20) / np.sqrt((tail**2).sum())])
    out: Array = fftconvolve(x, response)[: len(x)]
    scaled: Array = out / np.sqrt((out**2).mean())
    return scaled


def _coded(x: Array, codec: str, setting: float) -> Array:
    import soundfile

    format, subtype, rate = CODECS[codec]
    scale, buffer = LEVEL / np.sqrt((x**2).mean()), io.BytesIO()
    level = {"compression_level": setting} if codec in ("MP3", "OPUS", "VORBIS") else {}
    clipped = np.clip(at_rate(x, RATE, rate) * scale, -1, 1)
    soundfile.write(buffer, clipped, rate, format=format, subtype=subtype, **level)
    buffer.seek(0)
    read: Array = soundfile.read(buffer)[0] / scale
    return at_rate(read, rate, RATE)
