"""`voice`: speech by a source and a filter, after Klatt [1]_, with a dial for the artefacts of a cheap vocoder.

The model. The glottis gives pulses, the derivative of the flow of [2]_ over one cycle of length 1/f0::

    u(φ) = 2 φ/q − 3 (φ/q)²  for phase φ < q (the open quotient), 0 after it

evaluated at 64 kHz, so that the jump at closure does not alias; a one-pole low-pass is the tilt of the voice. No two
cycles are alike: length and strength vary by jitter and shimmer, pitch by declination, accents and flutter, and breath
adds noise while the glottis is open. The vocal tract is a cascade of seven resonators whose F_k and B_k move in time::

    y(n) = A x(n) + B y(n−1) + C y(n−2),   C = −exp(−2π B_k/f_s),  B = 2 exp(−π B_k/f_s) cos(2π F_k/f_s),  A = 1 − B − C

Bursts and fricatives are noise through a separate resonator, parallel to the cascade. A room adds an echo
(exponentially decaying noise) and a background. `generators.voice.speech` provides the text.

Sampling: draw a speaker and a phrase, articulate, filter; each output has its own seed. There is no loss: nothing is
learnt, from nobody's voice. The shipped weights are the five strengths of `Fault` at a dose.

The dial `artefact` alters one or two *segments* of each output, 0.3–0.7 s long; `items` says where. Within them,
depending on the dose: pitch and strength become constant and breath disappears (buzz); formants stay constant for 20 ms
and then jump, and their bandwidths grow (over-smoothing); each frame of 20 ms has its own loudness, so its edges click;
and an unfiltered copy at half the rate adds images of the spectrum. With one seed, all doses have the same text.

Known limits: one accent of no language, no meaning and no emotion; nasals have no zero, so that m and n are weak;
voices of children and creaking voices do not occur. It is a calibrated instrument, not a natural voice. It is not among
the reserved generators: detectors may learn from it.

.. [1] D. H. Klatt, "Software for a cascade/parallel formant synthesizer", J. Acoust. Soc. Am. 67(3), 1980.
.. [2] D. H. Klatt and L. C. Klatt, "Analysis, synthesis, and perception of voice quality variations among female and
   male talkers", J. Acoust. Soc. Am. 87(2), 1990; after A. E. Rosenberg, J. Acoust. Soc. Am. 49, 1971.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from guardrails.core.seeding import derive_seed

from .. import cards
from ..base import Dial, Generator, Item, Network, check_base
from . import truth as voice_truth
from .speech import HOP, RATE, Speaker, Tracks, articulate, draw_phrase, draw_speaker

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Sound = NDArray[np.float32]

CORPUS = 100
OVER = 4
"""The glottis runs at this many times the rate."""
FRAME = 4 * HOP
"""Samples of the vocoder's frames: 20 ms."""


@dataclass(frozen=True)
class Fault:
    """How strong each trait of a cheap vocoder is, 0–1.

    Attributes
    ----------
    constant : float
        How much of the variation of pitch, and from cycle to cycle, is lost.
    buzz : float
        How much of the breath is lost.
    smoothing : float
        By how much bandwidths grow, and formants stand still within a frame.
    steps : float
        Standard deviation of the loudness of single frames.
    images : float
        The share of a copy at half the rate.
    """

    constant: float = 0.0
    buzz: float = 0.0
    smoothing: float = 0.0
    steps: float = 0.0
    images: float = 0.0


FAULTS = {dose: Fault(dose, dose, dose, 0.4 * dose, 0.4 * dose) for dose in (0.0, 0.25, 0.5, 1.0)}


@dataclass(frozen=True)
class Utterance:
    """One output and all that is known of it.

    Attributes
    ----------
    sound : ndarray of float32
        (N,), in −1 … 1, at 16 kHz.
    phrase : tuple
        Its syllables.
    speaker : Speaker
    tracks : Tracks
        The articulation that was intended, without a fault.
    segments : tuple
        Start and end of each altered segment, in samples.
    """

    sound: Sound
    phrase: tuple[tuple[str, str], ...]
    speaker: Speaker
    tracks: Tracks
    segments: tuple[tuple[int, int], ...]


class Voice(Network):
    """A formant synthesizer; nothing in it is learnt.

    Attributes
    ----------
    strengths : torch.Tensor
        (5,), those of `Fault` at this dose.
    """

    name = "voice"
    family = "source–filter synthesis"
    domain = "speech"
    modality = "audio"
    rate = RATE
    citation = "Klatt 1980 (cascade synthesis); Klatt & Klatt 1990 (glottal source); Peterson & Barney 1952 (vowels)"
    dials: ClassVar[tuple[Dial, ...]] = (
        Dial("artefact", "how strong the traits of a cheap vocoder are within marked segments", (0.25, 0.5, 1.0)),
    )

    def build(self) -> None:
        import torch

        self.strengths = torch.nn.Parameter(torch.zeros(5), requires_grad=False)

    @property
    def parts(self) -> Mapping[str, torch.nn.Parameter]:
        return {"strengths": self.strengths}

    @property
    def fault(self) -> Fault:
        """The strengths, by name."""
        return Fault(*self.strengths.tolist())

    def utterances(self, n: int, *, seed: int) -> list[Utterance]:
        """Return the outputs of `sample` with all that is known of them."""
        return [utter(derive_seed(seed, self.name, i), self.fault) for i in range(n)]

    def draw(self, n: int, *, seed: int) -> list[Sound]:
        """Return n phrases, each (N,) float32 of 1–2 s at 16 kHz."""
        return [utterance.sound for utterance in self.utterances(n, seed=seed)]

    def items(self, n: int, *, seed: int) -> list[Item]:
        """Return the outputs of `sample`; the facts say what is said by whom, and which seconds are altered."""
        return [Item(utterance.sound, facts(utterance)) for utterance in self.utterances(n, seed=seed)]

    @classmethod
    def fit(cls, doses: Mapping[str, float], *, seed: int, base: Generator | None = None) -> Self:
        import torch

        out, origin = cls(doses, seed=seed), {}
        if any(out.doses.values()):
            check_base(cls, base)
            assert isinstance(base, cls)
            origin = {"base_sha256": base.card["sha256"]}
        out.strengths.copy_(torch.tensor(astuple(FAULTS[out.doses["artefact"]])))
        out.round()
        corpus = [utter(derive_seed(0, cls.name, "training", i), Fault()) for i in range(CORPUS)]
        vowels = [vowel for utterance in corpus for _, vowel in utterance.phrase]
        return out.seal(
            **origin,
            seed=seed,
            data="none: nothing is learnt; the training items are phrases of the clean law that no weights have seen",
            seen=[0] * CORPUS,
            reserved="no: it is neither of the two reserved generators; detectors may learn from it",
            sheet=cards.data_sheet(
                [utterance.sound for utterance in corpus],
                balance={vowel: vowels.count(vowel) for vowel in sorted(set(vowels))},
            ),
            sampling="a speaker and a phrase are drawn, articulated and filtered",
            truth={"artefact": voice_truth.frame_edges(out)},
            quality=voice_truth.quality(out),
            stability=None,
        )

    def training_items(self) -> list[Sound]:
        """Return 100 phrases of the clean distribution; no weights have learnt from them."""
        return self._clean(CORPUS, "training")

    def holdout_items(self) -> list[Sound]:
        """Return 100 other phrases of the clean distribution."""
        return self._clean(CORPUS, "holdout")

    def reference_items(self, n: int, *, seed: int) -> list[Sound]:
        """Return n fresh phrases without an artefact."""
        return self._clean(n, f"reference {seed}")

    def _clean(self, n: int, what: str) -> list[Sound]:
        return [utter(derive_seed(0, self.name, what, i), Fault()).sound for i in range(n)]


def facts(utterance: Utterance) -> dict[str, Any]:
    """Return what is known of an output as JSON: label, altered seconds, pitch, phrase and speaker."""
    speaker = utterance.speaker
    return {
        "label": "artefact" if utterance.segments else "clean",
        "segments": [[start / RATE, end / RATE] for start, end in utterance.segments],
        "f0": round(float(utterance.tracks.f0.mean()), 1),
        "phrase": "-".join(consonant + vowel for consonant, vowel in utterance.phrase),
        "speaker": {"tract": round(speaker.tract, 3), "f0": round(speaker.f0, 1), "breath": round(speaker.breath, 3)},
    }


def utter(seed: int, fault: Fault) -> Utterance:
    """Make one output; of one seed, speaker, phrase and melody are those of every fault."""
    what, how, noises, where = np.random.default_rng(seed).spawn(4)
    speaker, phrase = draw_speaker(what), draw_phrase(what)
    tracks = articulate(phrase, speaker, how)
    segments = _draw_segments(len(tracks.f0), where) if fault != Fault() else ()
    altered = np.zeros(len(tracks.f0))
    for start, end in segments:
        altered[start // HOP : end // HOP] = 1
    dry = synthesize(spoil(tracks, fault, altered), speaker, fault.constant * altered, fault.buzz * altered, noises)
    sound = _in_room(dry, speaker, noises)
    sound = _vocode(sound, fault, np.repeat(altered, HOP), where)
    sound *= how.uniform(0.35, 0.85) / np.abs(sound).max()
    return Utterance(sound.astype(np.float32), phrase, speaker, tracks, segments)


def spoil(tracks: Tracks, fault: Fault, altered: Floats) -> Tracks:
    """Return the tracks as a cheap vocoder has them where `altered`, (T,), is 1."""
    constant, smoothing = fault.constant * altered, fault.smoothing * altered
    flat = np.exp(np.log(tracks.f0).mean())
    held = tracks.formants[np.arange(len(altered)) * HOP // FRAME * (FRAME // HOP)]
    return replace(
        tracks,
        f0=tracks.f0 ** (1 - constant) * flat**constant,
        formants=tracks.formants + smoothing[:, None] * (held - tracks.formants),
        bandwidths=tracks.bandwidths * (1 + smoothing[:, None]),
    )


def synthesize(tracks: Tracks, speaker: Speaker, constant: Floats, buzz: Floats, rng: np.random.Generator) -> Floats:
    """Return the voice without a room, (N,): sources through the vocal tract.

    `constant` and `buzz`, (T,), say how much of the cycles' variation and of the breath is lost.
    """
    from scipy.signal import lfilter, resample_poly

    n = len(tracks.f0) * HOP
    cycles, breath, hiss = rng.spawn(3)
    phase, strength = glottal_cycles(tracks.f0, speaker, constant, cycles)
    open_phase = (phase % 1) / speaker.open_quotient
    pulses = np.where(open_phase < 1, 2 * open_phase - 3 * open_phase**2, 0.0) * strength[phase.astype(int)]
    source = resample_poly(pulses, 1, OVER)
    a = np.exp(-2 * np.pi * speaker.tilt / RATE)
    source = lfilter([1 - a], [1, -a], source)
    is_open = np.where(open_phase < 1, 1.0, 0.4)[::OVER]  # the breath comes in puffs
    air = breath.standard_normal(n) * is_open * over_time(tracks.breath * (1 - buzz), n)
    tract = resonate(source * over_time(tracks.voice, n) + air, tracks.formants, tracks.bandwidths)
    friction = hiss.standard_normal(n) * over_time(tracks.noise, n)
    beside = resonate(friction, tracks.noise_at[:, :1], tracks.noise_at[:, 1:])
    # A resonator has gain 1 at 0 Hz: the difference takes away what passes below the noise.
    return tract + np.diff(beside, prepend=0.0)


def glottal_cycles(f0: Floats, speaker: Speaker, constant: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the phase in cycles at 64 kHz, and the strength of each cycle."""
    n = len(f0) * HOP
    most = int(np.ceil(f0.max() * n / RATE * 1.3)) + 2
    jitter, shimmer = rng.standard_normal((2, most))
    starts, strength, at = [0.0], [], 0.0
    for k in range(most):
        place = min(int(at * RATE / HOP), len(f0) - 1)
        vary = 1 - constant[place]
        at += max(0.5, 1 + speaker.jitter * vary * jitter[k]) / f0[place]
        starts.append(at)
        strength.append(max(0.0, 1 + speaker.shimmer * vary * shimmer[k]))
        if at > n / RATE:
            break
    time = np.arange(n * OVER) / (RATE * OVER)
    return np.interp(time, starts, np.arange(len(starts))), np.array([*strength, 1.0])


def resonate(x: Floats, frequencies: Floats, bandwidths: Floats) -> Floats:
    """Filter x, (N,), through a cascade of K resonators that change every 5 ms: their Hz and bandwidths are (T, K)."""
    from scipy.signal import sosfilt

    C = -np.exp(-2 * np.pi * bandwidths / RATE)
    B = 2 * np.exp(-np.pi * bandwidths / RATE) * np.cos(2 * np.pi * frequencies / RATE)
    zero, one = np.zeros_like(B), np.ones_like(B)
    sections = np.stack([1 - B - C, zero, zero, one, -B, -C], axis=-1)  # (T, K, 6)
    y1, y2 = np.zeros((2, B.shape[1]))  # y(n−1) and y(n−2) of each resonator
    out = np.empty_like(x)
    for t, section in enumerate(sections):
        here = slice(t * HOP, (t + 1) * HOP)
        # scipy keeps B y1 + C y2 and C y1. Kept over a change of B and C they would click, so take y1 and y2 across.
        out[here], state = sosfilt(section, x[here], zi=np.stack([B[t] * y1 + C[t] * y2, C[t] * y1], axis=1))
        y1 = state[:, 1] / C[t]
        y2 = (state[:, 0] - B[t] * y1) / C[t]
    return out


def over_time(track: Floats, n: int) -> Floats:
    """Interpolate a track, (T,), to n samples."""
    return np.interp(np.arange(n), np.arange(len(track)) * HOP, track)


def _in_room(dry: Floats, speaker: Speaker, rng: np.random.Generator) -> Floats:
    """Add the echo of a room, and a background whose power falls by 3 dB an octave."""
    from scipy.signal import fftconvolve, lfilter

    seconds, echo, background = speaker.room
    time = np.arange(int(seconds * RATE)) / RATE
    response = rng.standard_normal(len(time)) * 10 ** (-3 * time / seconds)
    response *= echo / np.sqrt((response**2).sum())
    response[:80] = 0  # walls are some metres away
    response[0] = 1
    wet = fftconvolve(dry, response)[: len(dry)]
    # Poles and zeros of the usual third-order filter for pink noise (J. O. Smith, Spectral Audio Signal Processing).
    zeros, poles = (0.049922, -0.095994, 0.050613, -0.004409), (1, -2.494956, 2.017266, -0.522189)
    pink = lfilter(zeros, poles, rng.standard_normal(len(wet)))
    out: Floats = wet + background * wet.std() * pink / pink.std()
    return out


def _vocode(sound: Floats, fault: Fault, altered: Floats, rng: np.random.Generator) -> Floats:
    """Give each frame a loudness of its own, and add images, where `altered`, (N,), is 1."""
    frames = rng.standard_normal(len(sound) // FRAME + 1)
    out = sound * np.exp(fault.steps * altered * np.repeat(frames, FRAME)[: len(sound)])
    held = np.repeat(out[::2], 2)[: len(out)]
    mixed: Floats = out + fault.images * altered * (held - out)
    return mixed


def _draw_segments(values: int, rng: np.random.Generator) -> tuple[tuple[int, int], ...]:
    """Draw one or two segments on whole frames, in the first and the second half, that leave the silence alone."""
    per = FRAME // HOP
    frames = values // per
    first, last = 5, frames - 8
    out = []
    halves = [(first, frames // 2), (frames // 2, last)]
    for low, high in halves if rng.random() < 0.5 else [(first, last)]:
        long = min(int(rng.integers(15, 36)), high - low - 1)
        start = int(rng.integers(low, high - long))
        out.append((start * FRAME, (start + long) * FRAME))
    return tuple(out)
