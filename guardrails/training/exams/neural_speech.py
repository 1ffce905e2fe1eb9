"""What a detector of neural speech is worth on systems, speakers and sources that were left out.

Systems and sources of real speech are dealt into folds by the hash of their names. A model is fitted without one fold
of each, and without any speaker who is in them, and scores both: every system meets all real speech, and no model has
seen either. What was chosen so is reported once on the reserved systems and sources.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...core.statistics import Interval, cluster_bootstrap, wilson
from ...kit.detection.calibration import Calibration
from ..material.recorded_speech import folds
from ..speech import equal_error

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Indices = NDArray[np.intp]

FOLDS = 5
RESAMPLES = 500
ALPHA = 0.05

Scorer = Callable[["Indices", "Indices"], "Array"]
"""Rows to fit to, rows to score → scores of the latter, larger for neural speech."""


@dataclass(frozen=True)
class Rows:
    """Clips, of which one recording may have several: each through a condition of its own.

    Attributes
    ----------
    labels : array of int, (N,)
        1 = neural.
    groups, speakers : sequence of str, (N,)
        System or source of real speech; whose voice.
    versions : sequence of str, (N,)
        The utterance and its condition: what a system made of a recording has the same as the recording.
    learnt, reserved, judged : array of bool, (N,)
        Whether shipped weights may learn from it; whether it is kept for the one report; whether it is scored at all.
    """

    labels: NDArray[np.int64]
    groups: Sequence[str]
    speakers: Sequence[str]
    versions: Sequence[str]
    learnt: NDArray[np.bool_]
    reserved: NDArray[np.bool_]
    judged: NDArray[np.bool_]


@dataclass(frozen=True)
class Part:
    """Rows to fit to, and rows of either class to score."""

    fit: Indices
    neural: Indices
    real: Indices


def crossed(rows: Rows, count: int = FOLDS) -> Iterator[Part]:
    """Yield every fold of systems with every fold of sources, of the rows that are not reserved."""
    fold, neural = folds([f"fold {name}" for name in rows.groups], count), rows.labels == 1
    here = rows.judged & ~rows.reserved
    for i in range(count):
        for j in range(count):
            made, real = here & neural & (fold == i), here & ~neural & (fold == j)
            if made.any() and real.any():
                fit = _fitted(rows, made | real) & np.where(neural, fold != i, fold != j)
                yield Part(np.flatnonzero(fit), np.flatnonzero(made), np.flatnonzero(real))


def _fitted(rows: Rows, scored: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows that may be learnt from, without the speakers of those that are scored."""
    speakers = {rows.speakers[i] for i in np.flatnonzero(scored).tolist()}
    fitted: NDArray[np.bool_] = rows.learnt & ~rows.reserved & [name not in speakers for name in rows.speakers]
    return fitted


def reserved(rows: Rows) -> Part:
    """Return all that is not reserved to fit to, and what is reserved to score."""
    here = rows.judged & rows.reserved
    made, real = here & (rows.labels == 1), here & (rows.labels == 0)
    return Part(np.flatnonzero(_fitted(rows, here)), np.flatnonzero(made), np.flatnonzero(real))


@dataclass(frozen=True)
class System:
    """Equal error rate and area of one system against all real speech, and its clips."""

    eer: float
    auc: float
    n: int


def by_system(scorer: Scorer, rows: Rows, parts: Iterator[Part]) -> dict[str, System]:
    """Return the figures of every system: the mean over parts, weighted by their real clips."""
    figures: dict[str, list[tuple[float, float, int, int]]] = {}
    for part in parts:
        scores = np.asarray(scorer(part.fit, np.concatenate([part.neural, part.real])), dtype=np.float64)
        made, real = scores[: len(part.neural)], scores[len(part.neural) :]
        names = np.array([rows.groups[i] for i in part.neural.tolist()])
        for name in np.unique(names):
            of = made[names == name]
            above = (of[:, None] > real).mean() + (of[:, None] == real).mean() / 2
            figures.setdefault(str(name), []).append((equal_error(of, real), float(above), len(of), len(real)))
    out = {}
    for name, several in sorted(figures.items()):
        eer, auc, n, weights = (np.array(column) for column in zip(*several, strict=True))
        out[name] = System(float(np.average(eer, weights=weights)), float(np.average(auc, weights=weights)), int(n[0]))
    return out


def above_its_original(scorer: Scorer, rows: Rows, parts: Iterator[Part]) -> Interval | None:
    """Return how often a clip scores higher than the recording that it was made from, through the same condition.

    Words, speaker, room and channel are the same, so that a detector which knows sources instead of synthesizers is
    right half of the time, however well it tells the classes apart. Recordings are what varies; None without a pair.
    """
    above, recordings = [], []
    for part in parts:
        new = np.concatenate([part.neural, part.real])
        scores = dict(zip(new.tolist(), scorer(part.fit, new).tolist(), strict=True))
        originals = {rows.versions[i]: i for i in part.real.tolist()}
        for i in part.neural.tolist():
            if (original := originals.get(rows.versions[i])) is not None:
                difference = scores[i] - scores[original]
                above.append((difference > 0) + (difference == 0) / 2)
                recordings.append(rows.versions[i].rpartition(" ")[0])
    return cluster_bootstrap(np.array(above), recordings, resamples=RESAMPLES) if above else None


def mean_error(systems: Mapping[str, System], *, seed: int = 0) -> Interval:
    """Return the mean equal error rate; systems alone are what varies."""
    values = np.array([one.eer for one in systems.values()])
    return cluster_bootstrap(values, list(systems), resamples=RESAMPLES, seed=seed)


def called_synthetic(calibration: Calibration, scores: Array, sources: Sequence[str]) -> dict[str, Interval]:
    """Return, by source of real speech, how often it is called synthetic; its clips count as independent."""
    verdicts = np.array([verdict == "synthetic" for verdict in calibration.verdicts(scores)])
    names = np.array(sources)
    return {str(name): wilson(int(verdicts[names == name].sum()), int((names == name).sum()))
            for name in np.unique(names)}  # fmt: skip
