"""Whether one score tells generated pictures better than another, on the same pairs of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.statistics import Interval
from ...core.statistics.intervals import score_interval
from ...deepfake.images.fitted_head import cross_folds
from ...kit.detection.protocol import CONFIDENCE, Placed, area, clustered_variance
from .images import Kernels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...kit.detection.linear_head import Head
    from .images import Rows

    Array = NDArray[np.float64]
    Margin = tuple[Array, Sequence[Any]]


@dataclass(frozen=True)
class Comparison:
    """A head fitted anew and one in use, on pictures of sources that the new one has not seen.

    Attributes
    ----------
    anew, in_use : Interval
        AUC of each.
    difference : Interval
        Of the AUC: the new one's less that of the head in use.
    n : (int, int)
        Real and generated pictures.
    """

    anew: Interval
    in_use: Interval
    difference: Interval
    n: tuple[int, int]

    @property
    def verdict(self) -> str:
        """What the intervals support: better is what is also better than chance."""
        if self.difference.low > 0:
            better = "better than the head in use"
            return better if self.anew.low > 0.5 else f"{better}, but not shown to be better than chance"
        return (
            "worse than the head in use" if self.difference.high < 0 else "not shown to be better than the head in use"
        )

    def __str__(self) -> str:
        """Return the verdict with its figures."""
        auc = " against ".join(f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}]" for one in (self.anew, self.in_use))
        less = self.difference
        return (
            f"{self.verdict}: AUC {auc}, difference {less.value:+.2f} [{less.low:+.2f}, {less.high:+.2f}];"
            f" {self.n[0]} real and {self.n[1]} generated pictures, sources left out"
        )

    def stated(self) -> dict[str, Any]:
        """Return it as a card has it."""
        numbers = {
            name: {key: round(float(getattr(one, key)), 3) for key in Interval._fields}
            for name, one in (
                ("auc", self.anew),
                ("auc of the head in use", self.in_use),
                ("difference", self.difference),
            )
        }
        return {"verdict": self.verdict, **numbers, "real": self.n[0], "generated": self.n[1]}


def beside(rows: Rows, head: Head) -> Comparison:
    """Compare heads fitted anew, sources of judged pictures left out, with a fixed head on these pictures.

    The sources of either class are in folds; a generated picture and a real one are compared by a head that has seen
    the source of neither. A file of a generator is a source of its own, so that its family may be known, as it will be
    for the next file. Where all real pictures come from one source, none of it is fitted to. The interval says nothing
    of another training set: of comparisons without any signal, 2 to 8% were called better in simulations.

    Parameters
    ----------
    rows : Rows
        The blocks are those of the head.
    head : Head
        Which must not have learnt from these pictures: else the comparison favours it.
    """
    kernels, sources = Kernels(rows), np.asarray(rows.sources)
    asked = np.flatnonzero(rows.judged & ~rows.drawn)
    fold = cross_folds(rows.labels[asked], sources[asked].tolist())
    made, real = (asked[rows.labels[asked] == label] for label in (1, 0))
    fold_made, fold_real = (fold[rows.labels[asked] == label] for label in (1, 0))
    above = np.empty((len(made), len(real)))
    for i in np.unique(fold_made):
        for j in np.unique(fold_real):
            left = np.concatenate([made[fold_made == i], real[fold_real == j]])
            fit = np.flatnonzero(rows.learnt & ~np.isin(sources, sources[left]))
            scores, n = kernels.score(fit, left), int((fold_made == i).sum())
            above[np.ix_(fold_made == i, fold_real == j)] = _above(scores[:n], scores[n:])
    fixed = head.score({name: np.asarray(x[asked], dtype=np.float64) for name, x in rows.blocks.items()})
    of_fixed = _above(*(fixed[rows.labels[asked] == label] for label in (1, 0)))
    anew, in_use = (area(Placed(one, made, real), rows.sources) for one in (above, of_fixed))
    less = above - of_fixed
    margins = [(less.mean(axis=1), sources[made].tolist()), (less.mean(axis=0), sources[real].tolist())]
    return Comparison(anew, in_use, signed_interval(margins), (len(real), len(made)))


def _above(made: Array, real: Array) -> Array:
    return np.asarray((made[:, None] > real) + 0.5 * (made[:, None] == real), dtype=np.float64)


def difference(one: Mapping[str, Placed], other: Mapping[str, Placed], sources: Sequence[str]) -> Interval:
    """Return the mean AUC over families, one less the other, on the same pairs of pictures.

    Families and the sources of photographs are what varies, as in `protocol.mean_area`.
    """
    parts = []
    for side in (one, other):
        order = {name: np.argsort(placed.real) for name, placed in side.items()}
        parts.append({name: placed.above[:, order[name]] for name, placed in side.items()})
    less = {name: parts[0][name] - parts[1][name] for name in parts[1]}
    real = np.sort(next(iter(other.values())).real)
    by_family = np.array([x.mean() for x in less.values()])
    by_real = np.mean([x.mean(axis=0) for x in less.values()], axis=0)
    return signed_interval([(by_family, list(less)), (by_real, [sources[i] for i in real.tolist()])])


def signed_interval(margins: Sequence[Margin]) -> Interval:
    """Return Student's interval of a mean in −1 … 1 that varies with the clusters of two margins.

    Where nothing varies it is Wilson's, of as many trials as there are clusters in the margin that has the fewest: a
    few pictures that agree are no proof.
    """
    from scipy.special import stdtrit

    value = float(margins[0][0].mean())
    parts = [(v, n) for v, n in (clustered_variance(*margin) for margin in margins) if n > 1]
    variance = sum(v for v, _ in parts)
    if len(parts) < len(margins):
        return Interval(value, -1.0, 1.0)
    if not variance:
        fewest = min(n for _, n in parts)
        low, high = score_interval((value + 1) / 2, fewest, confidence=CONFIDENCE)[1:]
        return Interval(value, 2 * low - 1, 2 * high - 1)
    freedom = variance**2 / sum(v**2 / (n - 1) for v, n in parts)
    half = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * variance**0.5
    return Interval(value, max(value - half, -1.0), min(value + half, 1.0))
