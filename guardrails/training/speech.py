"""How the shipped weights of the detectors of synthetic speech are made, and what they are worth.

They are fitted to one set, calibrated on another and judged on the third, of `speech_sets`. A blind baseline is judged
beside: level, length, bandwidth, noise floor and dynamics, and nothing else. The null is real speech against itself,
saved once more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.statistics import Interval, auc, cluster_bootstrap, wilson
from ..deepfake.images.kinds import Scope
from ..deepfake.speech.base import AudioDetector, Heard, Model, write
from ..kit.detection.protocol import weights_of
from .material.speech_sets import KNOWN, SETS, Clip, clips, corpus_rows, described, neural_vocoders

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

RESAMPLES = 400
BAR, CONTROLLED = 0.1, "source-filter"
"""Equal error rate asked for, on the unseen vocoder of the same utterances: channel and speaker are controlled."""
SCOPE = Scope(
    frozenset(),
    "it does not tell the library's neural voices from a reading (AUC .61 [.34, .83]), nor 267 clips of 62 neural"
    " systems from 205 of people from 44 sources, all unheard (.55 [.48, .61])",
)
"""Vocoders of signal processing are what it learns from: of speech it may give no verdict."""
NEEDED = "hundreds of speakers with sentences of several seconds, and paired outputs of large neural vocoders"


def train_spectro(folder: Path, seed: int = 0) -> list[Path]:
    """Train the weights of `deepfake.spectro`: about an hour on two cores."""
    from ..deepfake.spectro import Spectro

    return _train(Spectro, folder, seed)


def _train(detector: type[AudioDetector], folder: Path, seed: int) -> list[Path]:
    """Fit on one set, calibrate on another, judge on the third; write the weights and their card.

    Raises
    ------
    ConfigurationError
        Where the environment variable ``GUARDRAILS_SPEECH`` names no folder of `scripts/fetch_speech.py`.
    """
    corpus = corpus_rows()
    networks = neural_vocoders(corpus, seed=seed)
    sets = {part: clips(corpus, part, networks[part], seed=seed) for part in SETS}
    heard = calibrated(fitted(detector.model(), sets["fit"], seed=seed), sets["calibrate"], seed=seed)
    test = judged(heard, sets, seed=seed)
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
    return write(replace(heard, scope=SCOPE), card, folder, detector.stem)


def fitted(model: type[Model], fit: Sequence[Clip], *, seed: int) -> Model:
    """Return a model that has learnt from a set."""
    labels = np.array([clip.label for clip in fit])
    pairs = np.unique([clip.pair for clip in fit], return_inverse=True)[1]
    return model.fit([clip.spectra for clip in fit], labels, _weights(fit), seed=seed, pairs=pairs)


def calibrated(model: Model, calibrate: Sequence[Clip], *, seed: int) -> Heard:
    """Return a model with its calibration on another set."""
    labels = np.array([clip.label for clip in calibrate])
    basis = f"speakers and synthesizers that it has not learnt from, seed {seed}"
    return Heard.calibrated(
        model, [clip.spectra for clip in calibrate], labels, [clip.source for clip in calibrate], basis
    )


def _weights(part: Sequence[Clip]) -> Array:
    return weights_of(np.array([clip.label for clip in part]), [clip.source for clip in part])


# What it is worth


def judged(heard: Heard, sets: Mapping[str, Sequence[Clip]], *, seed: int) -> dict[str, Any]:
    """Return the figures of the test set, with those of the blind baseline beside each."""
    test = sets["test"]
    rows = [heard.detection("", clip.spectra) for clip in test]
    scores = np.array([row.score for row in rows], dtype=np.float64)
    blind = _blind(sets["fit"])(np.stack([clip.cues for clip in test]))
    labels = np.array([clip.label for clip in test])
    real = [clip for clip in test if not clip.label]
    null = np.array([heard.model.evidence(clip.again)[0] for clip in real if clip.again is not None])
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


def _shown(interval: Interval) -> dict[str, float]:
    return {name: round(float(getattr(interval, name)), 3) for name in ("value", "low", "high")}


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


def _blind(fit: Sequence[Clip]) -> Callable[[Array], Array]:
    """Fit a logistic regression on the cues and their squares."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    x, y = np.stack([clip.cues for clip in fit]), np.array([clip.label for clip in fit])
    model = make_pipeline(StandardScaler(), PolynomialFeatures(2), LogisticRegression(max_iter=2000))
    model.fit(x, y, logisticregression__sample_weight=_weights(fit))
    return lambda new: np.asarray(model.decision_function(new), dtype=np.float64)
