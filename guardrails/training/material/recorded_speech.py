"""Recordings of people and of neural synthesizers, listed in a manifest; which of them may choose a model.

A third of the systems and a third of the sources of real speech are reserved by the hash of their names. What is
chosen (features, heads, thresholds) is chosen on the others; the reserved ones are reported on once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...core.errors import ConfigurationError
from ...kit.pictures.manifest import read_manifest
from ...kit.sound import RATE, read_sound
from .pictures import permitted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

COLUMNS = ("path", "label", "system", "speaker", "source", "licence", "pair", "rate", "seconds")
REAL, NEURAL = "real", "neural"
RESERVED_SHARE = 3
"""One name in so many is reserved."""
SECONDS, LEAST_SECONDS = 1.5, 0.8
"""Of a stretch that is looked at; shorter ones than the second are left out."""
EDGE = 0.03
"""A frame of 10 ms is silent below this share of the loudest."""


@dataclass(frozen=True)
class Recording:
    """One row of a manifest.

    Attributes
    ----------
    path : Path
    label : int
        1 = neural.
    group : str
        What is left out as one: the system, or the source of real speech.
    speaker : str
        Whose voice it is; of a synthesizer, whose voice it learnt.
    utterance : str
        What it has in common with its versions by other systems, or its own name: it seeds the channel.
    learnt : bool
        Whether its licence lets shipped weights learn from it.
    rate : int
        Samples a second of the file.
    seconds : float
        Of the file.
    """

    path: Path
    label: int
    group: str
    speaker: str
    utterance: str
    learnt: bool
    rate: int
    seconds: float

    @property
    def reserved(self) -> bool:
        """Whether nothing may be chosen by it."""
        return reserved(self.group)


def reserved(name: str) -> bool:
    """Whether a system or a source of real speech is kept for the one report.

    >>> [reserved(name) for name in ("HiFi-GAN", "WaveGlow", "Kokoro v1.0")]
    [False, True, True]
    """
    return hashlib.sha256(name.encode()).digest()[0] % RESERVED_SHARE == 0


def recordings(folder: Path) -> list[Recording]:
    """Return the rows of ``manifest.csv`` in a folder.

    Raises
    ------
    ConfigurationError
        Where there is no manifest, it lacks a column, or has another label than real or neural.
    """
    rows = list(read_manifest(folder, COLUMNS))
    if strange := {row["label"] for row in rows} - {REAL, NEURAL}:
        raise ConfigurationError(f"{folder}: labels are {REAL} or {NEURAL}, not {', '.join(sorted(strange))}")
    return [_recording(folder, row) for row in rows]


def _recording(folder: Path, row: Mapping[str, str]) -> Recording:
    neural = row["label"] == NEURAL
    speaker = row["speaker"].split(" (")[0]
    return Recording(
        folder / row["path"], int(neural), row["system"] if neural else row["source"],
        "Thorsten" if speaker.startswith("Thorsten") else speaker, row["pair"] or row["path"],
        permitted(row["licence"]), int(row["rate"]), float(row["seconds"]),
    )  # fmt: skip


def read_stretch(recording: Recording) -> Array:
    """Return the first 1.5 s at 16 kHz after the silence at its start, without the silence at the end."""
    return stretch(read_sound(recording.path))


def stretch(sound: NDArray[np.floating]) -> Array:
    """Return at most 1.5 s of a sound at 16 kHz, (N,), between the silences at both ends."""
    frame = RATE // 100
    level = np.sqrt((sound[: len(sound) // frame * frame].reshape(-1, frame).astype(np.float64) ** 2).mean(axis=1))
    loud = np.flatnonzero(level > EDGE * level.max(initial=0.0))
    if not len(loud):
        return np.zeros(0)
    start, stop = int(loud[0]) * frame, (int(loud[-1]) + 1) * frame
    return np.asarray(sound[start : min(stop, start + int(SECONDS * RATE))], dtype=np.float64)


def folds(names: Sequence[str], count: int) -> NDArray[np.int64]:
    """Return a fold per item by the hash of its name: the same whatever else is there.

    >>> folds(["a", "b", "a"], 5).tolist()
    [0, 1, 0]
    """
    return np.array([int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % count for name in names])
