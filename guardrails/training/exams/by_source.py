"""What verdicts and ratios of a calibration by source are worth on a source, or a family, that it has not seen.

Each source of real items and each family of generated ones is left out of the calibration in turn and judged by it. The
detector's head stays as it is: it must not have learnt from any of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.statistics import Interval, cluster_bootstrap
from ...deepfake.images.source_calibration import calibration_of
from ...kit.detection.calibration import pooled_calibration_error
from ...kit.detection.protocol import mean_interval

Scores = Mapping[str, Mapping[str, Sequence[float]]]
"""``real`` and ``generated``: scores by the name of their source or family."""
SIDES = ("real", "generated")
VERDICTS = ("synthetic", "nothing found", "abstain")
RESAMPLES = 1000


@dataclass(frozen=True)
class LeftOut:
    """Verdicts and calibration error, sources and families left out.

    Attributes
    ----------
    counts : mapping of str to mapping of str to mapping of str to int
        ``real`` or ``generated`` → source or family → verdict → how many.
    shares : mapping of str to Interval
        Of each side the share called synthetic, mean over its sources or families.
    error : Interval
        Debiased calibration error of the ratios, at the pool's own odds; the interval is over sources and families.
    n : int
        Of scores.
    """

    counts: Mapping[str, Mapping[str, Mapping[str, int]]]
    shares: Mapping[str, Interval]
    error: Interval
    n: int

    @property
    def worst(self) -> tuple[str, float, int]:
        """The source of real items with the largest share called synthetic, the share, and its number of scores."""
        of = {
            name: (one["synthetic"] / sum(one.values()), sum(one.values())) for name, one in self.counts["real"].items()
        }
        name = max(of, key=lambda name: of[name])
        return (name, *of[name])

    def stated(self) -> dict[str, Any]:
        """Return it as a card has it."""
        out: dict[str, Any] = {"scores": self.n, "calibration error": _interval(self.error)}
        for side in SIDES:
            total = {v: sum(one[v] for one in self.counts[side].values()) for v in VERDICTS}
            out[side] = {
                "sources" if side == "real" else "families": len(self.counts[side]), "verdicts": total,
                "called synthetic": _interval(self.shares[side]), "by name": self.counts[side],
            }  # fmt: skip
        name, share, n = self.worst
        out["real"]["worst source"] = {"source": name, "called synthetic": round(share, 3), "scores": n}
        return out


def left_out(scores: Scores) -> LeftOut:
    """Leave out each source and each family in turn.

    Parameters
    ----------
    scores : mapping
        As ``by_source.json`` has them for a head.
    """
    counts: dict[str, dict[str, dict[str, int]]] = {side: {} for side in SIDES}
    rows, clusters = [], []
    for label, side in enumerate(SIDES):
        for name, several in scores[side].items():
            rest = {**scores, side: {other: x for other, x in scores[side].items() if other != name}}
            calibration = calibration_of(rest)
            given = Counter[str](calibration.verdicts(list(several)))
            counts[side][name] = {verdict: given[verdict] for verdict in VERDICTS}
            rows += [(ratio, label) for ratio in calibration.log_ratio(list(several)).tolist()]
            clusters += [f"{side}/{name}"] * len(several)
    shares = {side: mean_interval([_shares(counts[side])]) for side in SIDES}
    table = np.array(rows, dtype=np.float64)
    error = cluster_bootstrap(table, clusters, statistic=_error, resamples=RESAMPLES, seed=0)
    return LeftOut(counts, shares, error, len(rows))


def _shares(counts: Mapping[str, Mapping[str, int]]) -> tuple[np.ndarray[Any, Any], list[str]]:
    shares = [one["synthetic"] / sum(one.values()) for one in counts.values()]
    return np.array(shares, dtype=np.float64), list(counts)


def _error(rows: np.ndarray[Any, Any]) -> float:
    return pooled_calibration_error(rows[:, 0], rows[:, 1])


def _interval(one: Interval) -> dict[str, float]:
    return {name: round(float(getattr(one, name)), 3) for name in ("value", "low", "high")}
