"""Speech by source and filter: what is said (phrases of syllables), and the articulation as tracks over time.

A phrase is 4–7 syllables of one consonant and one vowel, without meaning. A speaker has a pitch, a vocal tract between
the average man's and the average woman's (a little beyond both), a breathiness and a room. `articulate` turns both into
`Tracks`, a value every 5 ms for pitch, loudness of each source, and formants; a target holds through its phone, and
smoothing over 60 ms makes the transitions. `generators.voice.model` makes the sound.

Sources: vowel formants are the averages of Peterson and Barney, "Control Methods Used in a Study of the Vowels", J.
Acoust. Soc. Am. 24, 1952; those of l, r, w and y, and bandwidths, are near those of Klatt, "Software for a
cascade/parallel formant synthesizer", J. Acoust. Soc. Am. 67, 1980; places of other consonants are loci after Delattre,
Liberman and Cooper, J. Acoust. Soc. Am. 27, 1955.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RATE = 16_000
HOP = 80
"""Samples between the values of a track: 5 ms."""
VOWELS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "ee": ((270, 2290, 3010), (310, 2790, 3310)),
    "i": ((390, 1990, 2550), (430, 2480, 3070)),
    "e": ((530, 1840, 2480), (610, 2330, 2990)),
    "a": ((660, 1720, 2410), (860, 2050, 2850)),
    "ah": ((730, 1090, 2440), (850, 1220, 2810)),
    "aw": ((570, 840, 2410), (590, 920, 2710)),
    "u": ((440, 1020, 2240), (470, 1160, 2680)),
    "oo": ((300, 870, 2240), (370, 950, 2670)),
    "uh": ((640, 1190, 2390), (760, 1400, 2780)),
    "er": ((490, 1350, 1690), (500, 1640, 1960)),
}
"""F1, F2, F3 in Hz: men, women."""
UPPER = ((3500, 4500, 5500, 6500), (4050, 5200, 6350, 7450))
"""F4 to F7, those of all phones: men, women. A tract of 17.5 cm has a formant in every 1,000 Hz."""
BANDWIDTHS = (65.0, 85.0, 130.0, 220.0, 280.0, 350.0, 400.0)
FORMANTS = len(BANDWIDTHS)


@dataclass(frozen=True)
class Consonant:
    """How a consonant is made.

    Attributes
    ----------
    kind : str
    voiced : bool
    formants : tuple of float
        F1, F2, F3 that its transitions start from, in Hz, for the average man.
    noise : tuple of float
        Centre and bandwidth in Hz of its frication, and its loudness beside a vowel's; zeros where it has none.
    """

    kind: Literal["plosive", "fricative", "nasal", "glide"]
    voiced: bool
    formants: tuple[float, float, float]
    noise: tuple[float, float, float] = (0.0, 0.0, 0.0)


CONSONANTS = {
    "p": Consonant("plosive", False, (300, 900, 2200), (900, 1400, 0.12)),
    "t": Consonant("plosive", False, (300, 1800, 2700), (4200, 2200, 0.14)),
    "k": Consonant("plosive", False, (300, 2000, 2400), (2000, 900, 0.14)),
    "b": Consonant("plosive", True, (250, 900, 2200), (900, 1400, 0.07)),
    "d": Consonant("plosive", True, (250, 1800, 2700), (4000, 2200, 0.09)),
    "g": Consonant("plosive", True, (250, 2000, 2400), (2000, 900, 0.09)),
    "f": Consonant("fricative", False, (340, 1100, 2100), (5500, 5000, 0.04)),
    "s": Consonant("fricative", False, (320, 1600, 2600), (6000, 1500, 0.12)),
    "sh": Consonant("fricative", False, (300, 1800, 2700), (3300, 1300, 0.12)),
    "z": Consonant("fricative", True, (260, 1600, 2600), (6000, 1500, 0.06)),
    "m": Consonant("nasal", True, (270, 1000, 2200)),
    "n": Consonant("nasal", True, (270, 1700, 2600)),
    "l": Consonant("glide", True, (330, 1050, 2800)),
    "r": Consonant("glide", True, (320, 1060, 1400)),
    "w": Consonant("glide", True, (300, 630, 2150)),
    "y": Consonant("glide", True, (270, 2070, 3000)),
}


@dataclass(frozen=True)
class Speaker:
    """Who speaks, and where.

    Attributes
    ----------
    tract : float
        0 the average man's formants, 1 the average woman's, others on the line through both.
    f0 : float
        The middle of the pitch, in Hz.
    breath : float
        Noise of the breath beside the voice.
    tilt : float
        Hz above which the voice falls off faster.
    open_quotient : float
        The share of a cycle for which the glottis is open.
    jitter, shimmer : float
        Standard deviation of the length and of the strength of single cycles.
    room : tuple of float
        Seconds in which the room's echo falls by 60 dB; its loudness beside the voice; loudness of the background.
    """

    tract: float
    f0: float
    breath: float
    tilt: float
    open_quotient: float
    jitter: float
    shimmer: float
    room: tuple[float, float, float]


@dataclass(frozen=True)
class Tracks:
    """The articulation of one phrase, every 5 ms: T values of each.

    Attributes
    ----------
    f0 : ndarray
        (T,), Hz.
    voice, breath, noise : ndarray
        (T,), loudness of voicing, of breath through the tract, and of frication.
    formants, bandwidths : ndarray
        (T, 7), Hz.
    noise_at : ndarray
        (T, 2), centre and bandwidth of the frication, Hz.
    vowels : tuple
        Of each vowel: its name, and the first and last value that are the vowel's middle third.
    """

    f0: Floats
    voice: Floats
    breath: Floats
    noise: Floats
    formants: Floats
    bandwidths: Floats
    noise_at: Floats
    vowels: tuple[tuple[str, int, int], ...]


def draw_speaker(rng: np.random.Generator) -> Speaker:
    """Draw a speaker: higher voices go with shorter tracts, as in the averages of Peterson and Barney."""
    tract = rng.uniform(-0.15, 1.15)
    return Speaker(
        tract=tract,
        f0=float(120 * (210 / 120) ** tract * np.exp(0.10 * rng.standard_normal())),
        breath=rng.uniform(0.02, 0.08),
        tilt=rng.uniform(1200, 2600),
        open_quotient=rng.uniform(0.5, 0.7),
        jitter=rng.uniform(0.005, 0.012),
        shimmer=rng.uniform(0.03, 0.08),
        room=(rng.uniform(0.12, 0.35), rng.uniform(0.08, 0.2), 10 ** rng.uniform(-2.6, -1.9)),
    )


def draw_phrase(rng: np.random.Generator) -> tuple[tuple[str, str], ...]:
    """Draw 4–7 syllables, each a consonant and a vowel."""
    n = int(rng.integers(4, 8))
    consonants, vowels = rng.choice(list(CONSONANTS), n), rng.choice(list(VOWELS), n)
    return tuple((str(c), str(v)) for c, v in zip(consonants, vowels, strict=True))


def formants_of(vowel: str, tract: float) -> Floats:
    """Return the seven formants of a vowel for a vocal tract, in Hz.

    >>> formants_of("ah", 0.0).tolist()
    [730.0, 1090.0, 2440.0, 3500.0, 4500.0, 5500.0, 6500.0]
    """
    man, woman = (np.array(VOWELS[vowel][i] + UPPER[i], float) for i in (0, 1))
    out: Floats = man * (woman / man) ** tract
    return out


def articulate(phrase: tuple[tuple[str, str], ...], speaker: Speaker, rng: np.random.Generator) -> Tracks:
    """Return the tracks of a phrase, 1–2 s with short silence around it; `rng` decides timing, stress and melody."""
    pieces, vowels = [_silence(int(rng.integers(10, 24)))], []
    at = len(pieces[0])
    seconds = min(rng.uniform(0.17, 0.23), 1.35 / len(phrase))
    for place, (consonant, vowel) in enumerate(phrase):
        stress, last = rng.uniform(0.65, 1.0), 1.3 if place == len(phrase) - 1 else 1.0
        onset = _consonant(CONSONANTS[consonant], speaker, rng)
        long = max(14, int(seconds * last * stress**0.5 / 0.005 * rng.uniform(0.85, 1.1)) - len(onset))
        nucleus = _steady(long, formants_of(vowel, speaker.tract), voice=stress, breath=stress * speaker.breath)
        pieces += [onset, nucleus]
        vowels.append((vowel, at + len(onset) + long // 3, at + len(onset) + 2 * long // 3))
        at += len(onset) + long
    pieces.append(_silence(max(int(rng.integers(20, 36)), 200 - at)))  # 1 s at least
    steps = np.concatenate(pieces)  # (T, 12)
    for row in range(len(steps) - 1, -1, -1):  # silence takes the formants of what comes next
        if not steps[row, 5]:
            steps[row, 5:] = steps[row + 1, 5:] if row + 1 < len(steps) else formants_of("uh", speaker.tract)
    voice, breath, noise = (_smooth(steps[:, i], 5) for i in range(3))
    formants = np.exp(_smooth(np.log(steps[:, 5:]), 13))
    # A closed tract or nose takes energy from the lower formants: bandwidths follow how low F1 is.
    wider = 1 + 1.2 * np.clip((400 - formants[:, :1]) / 150, 0, 1) * (steps[:, :1] < 0.5)
    time = np.arange(len(steps)) * HOP / RATE
    end_of_speech = at * HOP / RATE
    return Tracks(
        f0=_melody(time, len(phrase), speaker, rng),
        voice=voice * (1 - 0.2 * time / time[-1]) * np.clip((end_of_speech - time) / 0.15, 0.0, 1.0) ** 0.5,
        breath=breath + 0.5 * speaker.breath * _bump(time, end_of_speech, 0.04),  # the last air goes out
        noise=noise,
        formants=formants,
        bandwidths=np.array(BANDWIDTHS) * _smooth(wider[:, 0], 7)[:, None],
        noise_at=np.where(steps[:, 3:4] > 0, steps[:, 3:5], (2000.0, 2000.0)),
        vowels=tuple(vowels),
    )


def _steady(
    n: int,
    formants: Floats,
    *,
    voice: float = 0.0,
    breath: float = 0.0,
    noise: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Floats:
    """(n, 12): loudness of voice, breath and noise; centre and bandwidth of the noise; formants."""
    return np.tile([voice, breath, noise[2], noise[0], noise[1], *formants], (n, 1))


def _silence(n: int) -> Floats:
    return np.zeros((n, 5 + FORMANTS))


def _consonant(consonant: Consonant, speaker: Speaker, rng: np.random.Generator) -> Floats:
    longer = 1.18**speaker.tract  # formants of shorter tracts are higher, all alike
    formants = np.array([*consonant.formants, *UPPER[0]]) * longer
    n = int(rng.integers(12, 20))
    if consonant.kind == "plosive":
        closure = _steady(n - 4, formants, voice=0.12 if consonant.voiced else 0.0)
        burst = _steady(3, formants, noise=consonant.noise, voice=0.1 * consonant.voiced)
        release = _steady(2 if consonant.voiced else 8, formants, breath=0.1, voice=0.3 * consonant.voiced)
        return np.concatenate([closure, burst, release])
    if consonant.kind == "fricative":
        voice = 0.25 if consonant.voiced else 0.0
        return _steady(n + 4, formants, noise=consonant.noise, voice=voice, breath=0.01)
    return _steady(n, formants, voice=0.35 if consonant.kind == "nasal" else 0.6, breath=0.3 * speaker.breath)


def _melody(time: Floats, syllables: int, speaker: Speaker, rng: np.random.Generator) -> Floats:
    """f0 in Hz: declination, an accent on some syllables, slow drift, and the flutter of Klatt and Klatt 1990."""
    share = time / time[-1]
    semitones = rng.uniform(1, 3) - rng.uniform(2, 6) * share
    for _ in range(int(rng.integers(1, max(2, syllables // 2) + 1))):
        semitones += rng.uniform(0.5, 4) * _bump(share, rng.uniform(0.1, 0.85), 0.07)
    phases = rng.uniform(0, 2 * np.pi, 4)
    flutter = sum(np.sin(2 * np.pi * f * time + p) for f, p in zip((12.7, 7.1, 4.7, 1.3), phases, strict=True))
    out: Floats = speaker.f0 * 2 ** ((semitones + 0.12 * flutter) / 12)
    return out


def _bump(x: Floats, centre: float, width: float) -> Floats:
    out: Floats = np.exp(-0.5 * ((x - centre) / width) ** 2)
    return out


def _smooth(track: Floats, n: int) -> Floats:
    """Average along time with a raised cosine of n values; the ends are held. (T,) or (T, K)."""
    window = np.hanning(n + 2)[1:-1]
    if track.ndim == 2:
        return np.stack([_smooth(column, n) for column in track.T], axis=1)
    return np.convolve(np.pad(track, n // 2, mode="edge"), window / window.sum(), mode="valid")
