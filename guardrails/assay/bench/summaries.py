"""Means, verdicts and calibration over all items, over each data set, and over each kind of item."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ...core.results.bench import CalibrationRow, MeanRow, VerdictsRow
from ...kit.detection.protocol import mean_interval
from .scores import Scores
from .tables import SYNTHETIC, Parts, calibration, means, rate, shipped

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABELS: tuple[Literal["real", "generated"], ...] = ("real", "generated")
LARGE = 20
"""Items of a source or family from which on its own share is told."""


@dataclass
class Summaries:
    """The rows of the three tables."""

    means: list[MeanRow] = field(default_factory=list)
    verdicts: list[VerdictsRow] = field(default_factory=list)
    calibration: list[CalibrationRow] = field(default_factory=list)


def summaries(scores: Scores) -> Summaries:
    """Return the summaries of everything, of each data set, and of each kind in these."""
    out = Summaries()
    for data, kind, part in parts_of(scores):
        where, parts = {"data": data, "kind": kind}, Parts(part.items)
        if parts.families:
            rows, placed = zip(*shipped(part, parts), strict=True)
            out.means += [row.model_copy(update=where) for row in means(rows, placed, parts.sources)]
        out.calibration += [row.model_copy(update=where) for row in calibration(part, parts)]
        out.verdicts += verdicts(part, data, kind)
    return out


def parts_of(scores: Scores) -> Iterator[tuple[str, str, Scores]]:
    """Yield (data, kind, the scores of these): first all items; then, where there are several, each data set.

    Data of a single family are not told apart: their row is that of the family. Real items without a kind, as human
    speech, belong to every kind.
    """
    items = scores.items
    groups = list(dict.fromkeys(item.group for item in items))
    families = {group: {item.family for item in items if item.label and item.group == group} for group in groups}
    apart = [group for group in groups if len(families[group]) > 1] if len(groups) > 1 else []
    kinds = sorted({item.kind for item in items if item.kind})
    for data in ("", *apart):
        there = [i for i, item in enumerate(items) if data in ("", item.group)]
        yield data, "", scores.only(there)
        for kind in kinds:
            rows = [i for i in there if items[i].kind == kind or not (items[i].kind or items[i].label)]
            if any(items[i].kind for i in rows):
                yield data, kind, scores.only(rows)


def verdicts(scores: Scores, data: str, kind: str) -> Iterator[VerdictsRow]:
    """Yield the verdicts of each detector after each change, on real and on generated items."""
    units = np.array([item.family if item.label else item.source for item in scores.items])
    labels = np.array([item.label for item in scores.items])
    for (detector, change), given in scores.verdict.items():
        for label, name in enumerate(LABELS):
            rows = np.flatnonzero(labels == label)
            if not len(rows):
                continue
            said = np.array([given[i] for i in rows.tolist()], dtype=object)
            called, names = np.isin(said, SYNTHETIC), np.unique(units[rows])
            shares = np.array([called[units[rows] == unit].mean() for unit in names])
            share = [round(x, 6) for x in mean_interval([(shares, names.tolist())])]
            yield VerdictsRow(
                detector=detector, perturbation=change, data=data, kind=kind, label=name, n=len(rows),
                units=len(names), synthetic=int(called.sum()), nothing_found=int((said == "nothing found").sum()),
                abstain=int((said == "abstain").sum()), share=share,
                **_worst(called, units[rows]),
            )  # fmt: skip


def _worst(called: NDArray[np.bool_], units: NDArray[Any]) -> dict[str, Any]:
    """Return the unit of `LARGE` items or more with the largest share, and the share; nothing where there is none."""
    large = [unit for unit in np.unique(units) if (units == unit).sum() >= LARGE]
    if not large:
        return {}
    worst = max(large, key=lambda unit: float(called[units == unit].mean()))
    return {"worst": str(worst), "worst_share": rate(called[units == worst])}
