"""What both classes pass through before a detector of speech is fitted or judged: one random channel.

Rate, codec, level, noise and what is cut off are drawn without a look at the recording or its class, so that none of
them can tell the classes apart.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from ...kit.sound import RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

RATES, RATE_SHARES = (8_000, 11_025, 16_000), (0.4, 0.2, 0.4)
CODECS = ("PCM", "ULAW", "VORBIS", "MP3", "GSM")
LEVEL, NOISE = (-35.0, -15.0), (-60.0, -30.0)
"""dB: of the recording to full scale, of the noise to the recording."""
CUT = 0.3
"""Seconds that may be cut off at either end."""


def passed(sound: Array, *, seed: int) -> tuple[Array, str]:
    """Return a recording at 16 kHz, (N,), as it is after a random channel, at 16 kHz, and the codec of the channel.

    Parameters
    ----------
    sound : array, (N,)
        Of any level.
    seed : int
        Of this clip: derive it from the name of the utterance, never from its class.
    """
    rng = np.random.default_rng(seed)
    rate, codec = int(rng.choice(RATES, p=RATE_SHARES)), str(rng.choice(CODECS))
    level, noise, ends = rng.uniform(*LEVEL), rng.uniform(*NOISE), (rng.random(2) * CUT * RATE).astype(int)
    tilt, hiss = rng.uniform(0, 0.95), rng
    cut = sound[ends[0] : max(len(sound) - ends[1], ends[0] + RATE)]
    cut = cut - cut.mean()
    cut = cut / max(float(np.sqrt((cut**2).mean())), 1e-9)
    loud = (cut + 10 ** (noise / 20) * coloured(len(cut), tilt, hiss)) * 10 ** (level / 20)
    return coded(np.clip(loud, -1, 1), rate, codec), codec


def coded(sound: Array, rate: int, codec: str) -> Array:
    """Return a recording as it reads after a codec at a rate; GSM is at 8 kHz whatever the rate."""
    import soundfile

    rate = 8_000 if codec == "GSM" else rate
    rate = 16_000 if codec == "MP3" and rate == 11_025 else rate
    buffer = io.BytesIO()
    format, subtype = {
        "PCM": ("WAV", "PCM_16"), "ULAW": ("WAV", "ULAW"), "VORBIS": ("OGG", "VORBIS"),
        "MP3": ("MP3", "MPEG_LAYER_III"), "GSM": ("WAV", "GSM610"),
    }[codec]  # fmt: skip
    soundfile.write(buffer, at_rate(sound, RATE, rate), rate, format=format, subtype=subtype)
    buffer.seek(0)
    return at_rate(soundfile.read(buffer)[0], rate, RATE)


def at_rate(sound: Array, source_rate: int, rate: int) -> Array:
    """Return a recording at another rate."""
    from scipy.signal import resample_poly

    common = int(np.gcd(source_rate, rate))
    resampled: Array = sound if source_rate == rate else resample_poly(sound, rate // common, source_rate // common)
    return resampled


def coloured(n: int, tilt: float, rng: np.random.Generator) -> Array:
    """Return noise of unit power, (n,): white for a tilt of 0, falling with frequency towards 1."""
    from scipy.signal import lfilter

    noise = lfilter([1.0], [1.0, -tilt], rng.standard_normal(n))
    scaled: Array = noise / noise.std()
    return scaled
