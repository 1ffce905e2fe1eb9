"""``guardrails bench``: detectors × generators × changes, in one result with its seeds and hashes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from ..meter import Meter
from ..sources import sources_sha256, versions
from .data import Item, data_sha256, folder_items, generator_items
from .scores import FORMATS, Scores, scored
from .tables import Parts, across, calibration, false_alarms, left_out, means, shipped

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

N = 64
LEAST = 10


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
    """Run detectors of pictures over generators and changes.

    Parameters
    ----------
    data : sequence of path
        Folders of pictures: see `bench_data`.
    detectors : sequence of str
        Globs of ids, or ``ID:ARGUMENT``. Default: every detector of pictures that needs no argument and can run here.
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
    chosen, skipped = _detectors(detectors)
    changes = _changes(perturbations)
    patterns = list(generators) or ([] if data else ["*"])
    items = [item for folder in data for item in folder_items(Path(folder))]
    items += generator_items(patterns, n, seed=seed) if patterns else []
    begun = time.perf_counter()
    with Meter() as meter:
        scores = scored(items, chosen, changes, seed=seed, progress=progress)
        if not scores.items:
            raise ConfigurationError(f"none of the {len(items)} pictures could be read: {scores.unread[0][1]}")
        parts = Parts(scores.items)
        tables = _tables(scores, parts, chosen, leave_one_family_out)
        cost = meter.lap(time.perf_counter() - begun, len(items))
    return BenchResult(
        settings=BenchSettings(
            detectors=list(chosen), generators=patterns, perturbations=[change.name for change in changes],
            data=[Path(folder).name for folder in data], leave_one_family_out=leave_one_family_out, n=n, seed=seed,
            encoded=f"both classes: one crop of 80–100%, saved as {'/'.join(FORMATS)} 70–95",
        ),
        versions=versions() | {"guardrails-audit": __version__},
        hashes=Hashes(sources=sources_sha256(), data=data_sha256(scores.items)),
        data=_counts(scores, parts),
        tables=tables,
        left_out=skipped + [LeftOut(what=name, why=why) for name, why in scores.unread],
        cost=cost,
    )  # fmt: skip


def _detectors(patterns: Sequence[str]) -> tuple[dict[str, Detector], list[LeftOut]]:
    """The detectors, and why others that were not named one by one are left out."""
    chosen: dict[str, Detector] = {}
    skipped: list[LeftOut] = []
    pictures = [id for id, cls in known_detectors().items() if Modality.IMAGE in cls.modalities]
    for pattern in patterns or ["*"]:
        if ":" in pattern or pattern in pictures:
            chosen[pattern] = _ready(pattern)
            continue
        matching = [id for id in pictures if fnmatchcase(id, pattern)]
        if not matching:
            raise ConfigurationError(f"no detector of pictures is called '{pattern}'; see: guardrails list detectors")
        for id in matching:
            try:
                chosen[id] = _ready(id)
            except (GuardrailsError, TypeError) as error:
                needs = f"it needs {known_detectors()[id].takes}" if isinstance(error, TypeError) else str(error)
                skipped.append(LeftOut(what=id, why=needs))
    if not chosen:
        raise ConfigurationError(f"no detector can run here: {'; '.join(f'{s.what}: {s.why}' for s in skipped)}")
    return chosen, skipped


def _ready(name: str) -> Detector:
    """Load a detector and try it on a small picture, so that missing weights are found before the long part."""
    import numpy as np

    detector = load_detector(name)
    if Modality.IMAGE not in detector.modalities:
        raise ConfigurationError(f"{name} reads no pictures; guardrails bench compares detectors of pictures")
    detector.score([np.random.default_rng(0).integers(0, 256, (128, 128, 3)).astype(np.uint8)])
    return detector


def _changes(names: Sequence[str]) -> list[Perturbation]:
    wanted = ["none"]
    for name in names:
        matching = [known for known in STANDARD if fnmatchcase(known, name)]
        wanted += matching or [Perturbation.parse(name).name]
    return [Perturbation.parse(name) for name in dict.fromkeys(wanted)]


def _tables(scores: Scores, parts: Parts, chosen: dict[str, Detector], leave_out: bool) -> Tables:
    first, placed = zip(*shipped(scores, parts), strict=True)
    changes = list(scores.severity)
    tables = Tables(
        shipped=list(first),
        means=list(means(first, placed, parts.sources)),
        calibration=list(calibration(scores, parts)),
        false_alarms=list(false_alarms(scores, parts)),
        severity=[_strength(name, values) for name, values in scores.severity.items()],
    )
    refit, able = Refits(scores, parts), fittable(chosen)
    if len(parts.families) > 1:
        tables = tables.model_copy(update={"across": list(across(refit, able, parts, LEAST))})
    if leave_out:
        rows, compared = zip(*left_out(refit, able, changes, parts), strict=True)
        more = {"left_out": list(rows), "left_out_means": list(means(rows, compared, parts.sources))}
        tables = tables.model_copy(update=more)
    return tables


def fittable(chosen: dict[str, Detector]) -> list[str]:
    """Return the detectors whose head is fitted anew in moments."""
    from ...deepfake.images.base import ImageDetector

    return [name for name, detector in chosen.items() if isinstance(detector, ImageDetector)]


class Refits:
    """Fits detectors anew and scores with them; the last model is kept, since several changes ask for it in turn."""

    def __init__(self, scores: Scores, parts: Parts) -> None:
        self.scores, self.parts = scores, parts
        self._last: tuple[Any, Detector] | None = None

    def __call__(self, name: str, fit: NDArray[np.intp], rows: NDArray[np.intp], change: str) -> NDArray[np.float64]:
        """Return scores of rows under a change by a model that was fitted to unchanged pictures."""
        import numpy as np

        key = (name, fit.tobytes())
        if self._last is None or self._last[0] != key:
            plain, sources = self.scores.described["none"], self.parts.sources
            model = load_detector(name).fit(
                [plain[i] for i in fit], self.parts.labels[fit].tolist(), sources=[sources[i] for i in fit]
            )
            self._last = (key, model)
        pictures = self.scores.described[change]
        detections = self._last[1].score([pictures[i] for i in rows])
        return np.array([np.nan if d.score is None else d.score for d in detections])


def _strength(name: str, values: Sequence[float]) -> StrengthRow:
    import numpy as np

    measured = np.array([v for v in values if np.isfinite(v)])
    if not len(measured):
        return StrengthRow(perturbation=name, n=0, mean=None, reason="flat pictures: nothing to measure it on")
    mean, low, high = (float(f(measured)) for f in (np.mean, np.min, np.max))
    return StrengthRow(perturbation=name, n=len(measured), mean=mean, smallest=low, largest=high)


def _counts(scores: Scores, parts: Parts) -> list[FamilyCount]:
    """How many pictures of which family and group there are."""
    rows: list[FamilyCount] = []
    for family in [*parts.families, "real"]:
        here = [item for item in scores.items if item.family == family and item.label == int(family != "real")]
        sources = {item.source for item in here}
        rows.append(FamilyCount(family=family, n=len(here), sources=len(sources), groups=_groups(here)))
    return rows


def _groups(items: Sequence[Item]) -> list[str]:
    return sorted({item.group for item in items})
