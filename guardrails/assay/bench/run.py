"""``guardrails bench``: detectors × generators × changes, in one result with its seeds and hashes."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence, Set
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from ... import __version__
from ...core.detector import Detector
from ...core.errors import ConfigurationError, GuardrailsError
from ...core.registry import detectors as known_detectors
from ...core.registry import load_detector
from ...core.results.bench import (
    BenchResult,
    BenchSettings,
    FamilyCount,
    Hashes,
    LeftOut,
    StrengthRow,
    Tables,
)
from ...core.targets import Modality
from ...kit.pictures.changes import STANDARD, Perturbation
from ...kit.sound import RATE
from ..meter import Meter
from ..sources import sources_sha256, versions
from .data import Item, data_sha256, folder_items, generator_items
from .recordings import heard, holds_recordings, recording_items, recording_tables
from .refits import Refits
from .scores import FORMATS, Scores, fittable, scored
from .summaries import summaries
from .tables import Parts, across, false_alarms, left_out, means, shipped

if TYPE_CHECKING:
    pass

N = 64
LEAST = 10
WHAT = {Modality.IMAGE: "pictures", Modality.AUDIO: "recordings"}
ENCODED = {
    Modality.IMAGE: f"both classes of pictures: one crop of 80–100%, saved as {'/'.join(FORMATS)} 70–95",
    Modality.AUDIO: "both classes of recordings: one channel at 16 kHz",
}


def bench(
    data: Sequence[Path] = (),
    *,
    detectors: Sequence[str] = (),
    generators: Sequence[str] = (),
    perturbations: Sequence[str] = (),
    leave_one_family_out: bool = False,
    n: int = N,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> BenchResult:
    """Run detectors of pictures over generators and changes, and detectors of speech over recordings.

    Parameters
    ----------
    data : sequence of path
        Folders of pictures (see `data`) or of recordings (see `recordings`).
    detectors : sequence of str
        Globs of ids, or ``ID:ARGUMENT``. Default: every detector of what the data are that needs no
        argument and can run here.
    generators : sequence of str
        Globs of reference generators of pictures. Default: all of them, or none where data are given.
    perturbations : sequence of str
        Of `kit.perturb`, or globs of its standard ones. ``none`` is always there. Default: only that.
    leave_one_family_out : bool
        Also fit every detector that can be fitted to all families but one, and score that one.
    n : int
        Pictures per generator, and equally many real ones.
    seed : int
        Seed of the generators, and of crops and encoding.
    progress : callable, optional
        Takes (done, total, label).

    Returns
    -------
    BenchResult
        Its `tables`, and what they were made from.

    Raises
    ------
    ConfigurationError
        For a pattern that names nothing, a folder that is none, too few families or sources.
    """
    folders, patterns = _folders(data), list(generators) or ([] if data else ["*"])
    speech = [folder for folder in folders if holds_recordings(folder)]
    there = {Modality.AUDIO} if speech else set()
    if patterns or len(speech) < len(folders):
        there.add(Modality.IMAGE)
    chosen, skipped = _detectors(detectors, there)
    changes = _changes(perturbations)
    pictures = [item for folder in folders if folder not in speech for item in folder_items(folder)]
    pictures += generator_items(patterns, n, seed=seed) if patterns else []
    recordings = [item for folder in speech for item in recording_items(folder)]
    begun, results = time.perf_counter(), []
    with Meter() as meter:
        if pictures:
            seeing = _of(chosen, Modality.IMAGE)
            scores = scored(pictures, seeing, changes, seed=seed, progress=progress)
            parts = _parts(scores, "pictures")
            results.append((scores, parts, _tables(scores, parts, seeing, leave_one_family_out)))
        if recordings:
            scores = heard(recordings, _of(chosen, Modality.AUDIO), progress=progress)
            parts = _parts(scores, "recordings")
            results.append((scores, parts, recording_tables(scores, parts)))
        cost = meter.lap(time.perf_counter() - begun, len(pictures) + len(recordings))
    read = [item for scores, _, _ in results for item in scores.items]
    return BenchResult(
        settings=BenchSettings(
            detectors=list(chosen), generators=patterns, perturbations=[change.name for change in changes],
            data=[folder.name for folder in folders], leave_one_family_out=leave_one_family_out, n=n, seed=seed,
            encoded=" and ".join(ENCODED[kind] for kind in sorted(there)),
        ),
        versions=versions() | {"guardrails-audit": __version__},
        hashes=Hashes(sources=sources_sha256(), data=data_sha256(read)),
        data=[row for scores, parts, _ in results for row in _counts(scores, parts)],
        tables=_joined([tables for _, _, tables in results]),
        left_out=skipped + [LeftOut(what=name, why=why) for scores, _, _ in results for name, why in scores.unread],
        cost=cost,
    )  # fmt: skip


def _folders(data: Sequence[Path]) -> list[Path]:
    """Return the folders by their whole paths: their names tell their items apart."""
    folders = [Path(os.path.abspath(folder)) for folder in data]
    for name, n in Counter(folder.name for folder in folders).items():
        if n > 1:
            raise ConfigurationError(
                f"{n} folders are called '{name}'; items and tables tell folders apart by their names"
            )
    return folders


def _of(chosen: dict[str, Detector], kind: Modality) -> dict[str, Detector]:
    return {name: detector for name, detector in chosen.items() if kind in detector.modalities}


def _parts(scores: Scores, what: str) -> Parts:
    if not scores.items:
        raise ConfigurationError(f"none of the {len(scores.unread)} {what} could be read: {scores.unread[0][1]}")
    return Parts(scores.items)


def _joined(several: Sequence[Tables]) -> Tables:
    return Tables(**{name: [row for one in several for row in getattr(one, name)] for name in Tables.model_fields})


def _detectors(patterns: Sequence[str], there: Set[Modality]) -> tuple[dict[str, Detector], list[LeftOut]]:
    """The detectors, and why others that were not named one by one are left out."""
    chosen: dict[str, Detector] = {}
    skipped: list[LeftOut] = []
    what = " or ".join(WHAT[kind] for kind in sorted(there, reverse=True))
    able = [id for id, cls in known_detectors().items() if there & cls.modalities]
    for pattern in patterns or ["*"]:
        if ":" in pattern or pattern in able:
            chosen[pattern] = _ready(pattern, there)
            continue
        matching = [id for id in able if fnmatchcase(id, pattern)]
        if not matching:
            raise ConfigurationError(f"no detector of {what} is called '{pattern}'; see: guardrails list detectors")
        for id in matching:
            try:
                chosen[id] = _ready(id, there)
            except (GuardrailsError, TypeError) as error:
                needs = f"it needs {known_detectors()[id].takes}" if isinstance(error, TypeError) else str(error)
                skipped.append(LeftOut(what=id, why=needs))
    if not chosen:
        raise ConfigurationError(f"no detector can run here: {'; '.join(f'{s.what}: {s.why}' for s in skipped)}")
    for kind in sorted(there):
        if not _of(chosen, kind):
            raise ConfigurationError(f"none of {', '.join(chosen)} reads {WHAT[kind]}, which the data hold")
    return chosen, skipped


def _ready(name: str, there: Set[Modality]) -> Detector:
    """Load a detector and try it on a small item, so that missing weights are found before the long part."""
    import numpy as np

    detector, rng = load_detector(name), np.random.default_rng(0)
    kinds = there & detector.modalities
    if not kinds:
        what = " and no ".join(WHAT[kind] for kind in sorted(there, reverse=True))
        raise ConfigurationError(
            f"{name} reads no {what}; guardrails bench compares detectors of pictures or of speech"
        )
    if Modality.IMAGE in kinds:
        detector.score([rng.integers(0, 256, (128, 128, 3)).astype(np.uint8)])
    else:
        detector.score([(rng.normal(0, 0.1, RATE), RATE)])
    return detector


def _changes(names: Sequence[str]) -> list[Perturbation]:
    wanted = ["none"]
    for name in names:
        matching = [known for known in STANDARD if fnmatchcase(known, name)]
        wanted += matching or [Perturbation.parse(name).name]
    return [Perturbation.parse(name) for name in dict.fromkeys(wanted)]


def _tables(scores: Scores, parts: Parts, chosen: dict[str, Detector], leave_out: bool) -> Tables:
    changes, summed = list(scores.severity), summaries(scores)
    tables = Tables(
        shipped=[row for row, _ in shipped(scores, parts)],
        means=summed.means,
        calibration=summed.calibration,
        false_alarms=list(false_alarms(scores, parts)),
        severity=[_strength(name, values) for name, values in scores.severity.items()],
        verdicts=summed.verdicts,
    )
    refit, able = Refits(scores, parts, LEAST), [name for name, detector in chosen.items() if fittable(detector)]
    if len(parts.families) > 1:
        tables = tables.model_copy(update={"across": list(across(refit, able, parts, LEAST))})
    if leave_out:
        rows, compared = zip(*left_out(refit, able, changes, parts), strict=True)
        more = {"left_out": list(rows), "left_out_means": list(means(rows, compared, parts.sources))}
        tables = tables.model_copy(update=more)
    return tables


def _strength(name: str, values: Sequence[float]) -> StrengthRow:
    import numpy as np

    measured = np.array([v for v in values if np.isfinite(v)])
    if not len(measured):
        return StrengthRow(perturbation=name, n=0, mean=None, reason="flat pictures: nothing to measure it on")
    mean, low, high = (float(f(measured)) for f in (np.mean, np.min, np.max))
    return StrengthRow(perturbation=name, n=len(measured), mean=mean, smallest=low, largest=high)


def _counts(scores: Scores, parts: Parts) -> list[FamilyCount]:
    """How many items of which family and group there are."""
    rows: list[FamilyCount] = []
    for family in [*parts.families, "real"]:
        here = [item for item in scores.items if item.family == family and item.label == int(family != "real")]
        sources = {item.source for item in here}
        rows.append(FamilyCount(family=family, n=len(here), sources=len(sources), groups=_groups(here)))
    return rows


def _groups(items: Sequence[Item]) -> list[str]:
    return sorted({item.group for item in items})
