"""Verdicts on owners and lineages left out, by thresholds that sources of real pictures give: rates by source and kind.

`marginal` takes all photographs as one kind. `by_kind` has a threshold for pictures with a face, for drawn ones and for
the others (Vovk's Mondrian conformal prediction), each from the sources that have such pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...kit.detection.calibration import BySource
from ...kit.detection.protocol import mean_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...core.statistics import Interval
    from .elsewhere import Material

    Array = NDArray[np.float64]
    Part = tuple[NDArray[np.intp], NDArray[np.intp], Mapping[str, Array], Mapping[str, Array]]
    Calls = Callable[[Array, Sequence[str], Sequence[str], Array, Sequence[str]], NDArray[np.bool_]]
    """(scores, groups and kinds of known real pictures, scores and kinds of new ones) → which are called synthetic."""

LARGE = 20
TOLERATED = 0.1
"""Share of false alarms that a source may have under `tolerant`."""


def marginal(alpha: float) -> Calls:
    """Return: called where at most a share `alpha` of new sources' pictures score so high, drawn ones left out."""

    def calls(
        known: Array, groups: Sequence[str], kinds: Sequence[str], scores: Array, asked: Sequence[str]
    ) -> NDArray[np.bool_]:
        plain = np.array([kind != "drawn" for kind in kinds])
        return p_values(known[plain], np.asarray(groups)[plain].tolist(), scores) <= alpha

    return calls


def by_kind(alpha: float) -> Calls:
    """Return: as `marginal`, but against the pictures of the same kind alone; none where too few sources have such."""

    def calls(
        known: Array, groups: Sequence[str], kinds: Sequence[str], scores: Array, asked: Sequence[str]
    ) -> NDArray[np.bool_]:
        out = np.zeros(len(scores), dtype=bool)
        for kind in sorted(set(asked)):
            here, there = np.array([k == kind for k in kinds]), np.array([k == kind for k in asked])
            out[there] = p_values(known[here], np.asarray(groups)[here].tolist(), scores[there]) <= alpha
        return out

    return calls


def tolerant(beta: float) -> Calls:
    """Return: called above what all but a share `beta` of new sources have at most `TOLERATED` of their pictures above.

    The threshold is a quantile over sources of each one's own quantile: sources are the exchangeable units.
    """

    def calls(
        known: Array, groups: Sequence[str], kinds: Sequence[str], scores: Array, asked: Sequence[str]
    ) -> NDArray[np.bool_]:
        names = np.asarray(groups)
        each = np.sort([np.quantile(known[names == g], 1 - TOLERATED, method="higher") for g in sorted(set(groups))])
        place = int(np.ceil((1 - beta) * (len(each) + 1)))
        limit = each[place - 1] if place <= len(each) else np.inf
        return np.asarray(scores > limit)

    return calls


def p_values(known: Array, groups: Sequence[str], scores: Array) -> Array:
    """Return the conformal p-value of "real" for each score, with sources as units; 1 where none is known."""
    if not len(known):
        return np.ones(len(scores))
    sources = BySource.of(known, groups)
    return (sources.at_least(scores) + 1) / (sources.n + 1)


@dataclass(frozen=True)
class Rates:
    """What a rule comes to on one draw.

    Attributes
    ----------
    mean : Interval
        Of the share called synthetic over sources of real photographs, each counting as one, whatever kind the
        library tells.
    by_source : mapping of str to (float, int)
        That share, and of how many pictures.
    by_kind : mapping of str to Interval
        Share of real pictures told as with a face and as drawn, over sources.
    recall : Interval
        Share of generated pictures called synthetic, over lineages.
    of_all : float
        Share of all generated pictures.
    """

    mean: Interval
    by_source: Mapping[str, tuple[float, int]]
    by_kind: Mapping[str, Interval]
    recall: Interval
    of_all: float

    @property
    def worst(self) -> tuple[str, float, int]:
        """The large source with the largest share."""
        large = {name: one for name, one in self.by_source.items() if one[1] >= LARGE}
        name = max(large, key=lambda name: large[name][0])
        return (name, *large[name])

    @property
    def wrong(self) -> float:
        """Share of the calls that are wrong where half of the pictures are generated."""
        total = self.mean.value + self.recall.value
        return self.mean.value / total if total else 0.0


def called(material: Material, parts: Sequence[Part], kinds: Sequence[str], rule: Calls, draw: str) -> NDArray[Any]:
    """Return for each development row whether the rule calls it synthetic after a draw; NaN for others, (N,)."""
    labels, groups, names = material.labels, material.groups, np.asarray(kinds)
    out = np.full(len(labels), np.nan)
    for left, rest, scores, known in parts:
        real = labels[rest] == 0
        pooled = np.concatenate([x[real] for x in known.values()])
        who = [groups[i] for i in rest[real].tolist()] * len(known)
        out[left] = rule(pooled, who, names[rest[real]].tolist() * len(known), scores[draw], names[left].tolist())
    return out


def rates(material: Material, calls: NDArray[Any], kinds: Sequence[str]) -> Rates:
    """Count what was called by source, kind and lineage."""
    labels, groups, names = material.labels, np.asarray(material.groups), np.asarray(kinds)
    there = ~np.isnan(calls)
    plain = there & material.are("photograph")
    shares = {
        g: (float(calls[plain & (groups == g)].mean()), int((plain & (groups == g)).sum()))
        for g in sorted(set(groups[plain].tolist()))
    }
    made = there & (labels == 1)
    found = {g: float(calls[made & (groups == g)].mean()) for g in sorted(set(groups[made].tolist()))}
    of_kind = {}
    for kind in ("face", "drawn"):
        at = there & (labels == 0) & (names == kind)
        each = {g: float(calls[at & (groups == g)].mean()) for g in sorted(set(groups[at].tolist()))}
        if each:
            of_kind[kind] = mean_interval([(np.array(list(each.values())), list(each))])
    return Rates(
        mean_interval([(np.array([share for share, _ in shares.values()]), list(shares))]), shares, of_kind,
        mean_interval([(np.array(list(found.values())), list(found))]), float(calls[made].mean()),
    )  # fmt: skip
