"""What a head is worth on lineages of generators and owners of real pictures that it has not seen.

Rows set apart are in no fit and choose nothing. Of the others one part of the lineages and one of the owners is left
out at a time; thresholds come from a second leaving-out inside what is fitted to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...kit.detection.linear_head import FLAT
from ...kit.detection.protocol import Placed, folds_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..material.corpora import Row

    Array = NDArray[np.float64]
    Places = NDArray[np.intp]
    Blocks = Mapping[str, Array]
    Draws = Mapping[str, Blocks]

    Fit = Callable[[Array, NDArray[np.int64], Sequence[str], Array], Array]
    """(coordinates, labels, groups, shares of the groups' weight) → coefficients, the last one the intercept."""

FOLDS = 5
SMALL = {"lineage": 10, "family": 3}
"""Lineages and families of fewer pictures are left out together."""
ART = 0.1
"""What art counts for beside photographs: see `protocol.ART`."""
STEPS = 12
STEP = 0.3
"""Rounds of group DRO, and the size of a step of its weights."""


@dataclass(frozen=True)
class Material:
    """Rows, and their vectors after each draw: arrays of (N, D).

    Attributes
    ----------
    rows : sequence of Row
        (N,).
    draws : mapping of str to mapping of str to array
        By draw, then by block.
    taught : sequence of str
        Draws that are learnt from.
    """

    rows: Sequence[Row]
    draws: Draws
    taught: Sequence[str]

    @property
    def labels(self) -> NDArray[np.int64]:
        """1 = generated, (N,)."""
        return np.array([row.label for row in self.rows], dtype=np.int64)

    @property
    def groups(self) -> list[str]:
        """Lineage or owner, (N,)."""
        return [row.group for row in self.rows]

    @property
    def apart(self) -> NDArray[np.bool_]:
        """Which rows are set apart, (N,)."""
        return np.array([row.apart for row in self.rows])

    def are(self, kind: str) -> NDArray[np.bool_]:
        """Which rows are of a kind, (N,)."""
        return np.array([row.kind == kind for row in self.rows])


class Coordinates:
    """Blocks as coordinates in which a linear head with a ridge penalty is the same as on the blocks themselves.

    Every number is standardised over the rows that are learnt from and every block divided by the root of its length;
    then all is turned so that no more coordinates are left than there are rows. So a fit costs the same for any number
    of blocks. Labels play no part in it.
    """

    def __init__(self, material: Material, names: Sequence[str], learnt: NDArray[np.bool_]) -> None:
        self.learnt = np.flatnonzero(learnt)
        taught = [np.concatenate([material.draws[d][n][self.learnt] for d in material.taught]) for n in names]
        mean = [x.mean(axis=0) for x in taught]
        scale = [np.maximum(x.std(axis=0), FLAT) * x.shape[1] ** 0.5 for x in taught]

        def standard(draw: str) -> NDArray[np.float32]:
            parts = [(material.draws[draw][n] - m) / s for n, m, s in zip(names, mean, scale, strict=True)]
            return np.concatenate(parts, axis=1).astype(np.float32)

        whole = {draw: standard(draw) for draw in material.draws}
        known = np.concatenate([whole[d][self.learnt] for d in material.taught])
        if known.shape[1] > len(known):
            values, vectors = np.linalg.eigh(known @ known.T)
            strong = values > 1e-6 * values[-1]
            turn = known.T @ (vectors[:, strong] / np.sqrt(values[strong]))
            self.of = {draw: x @ turn for draw, x in whole.items()}
        else:
            self.of = whole
        self.taught = tuple(material.taught)

    def fitted(self, at: Places) -> Array:
        """Return the coordinates of rows after every draw that is learnt from, one draw after the other."""
        return np.concatenate([self.of[draw][at] for draw in self.taught]).astype(np.float64)


def logistic(penalty: float, power: float = 0.5) -> Fit:
    """Return a logistic regression in which a group weighs as its size to the power of 1 − `power`: at 1 all alike."""

    def fit(x: Array, labels: NDArray[np.int64], groups: Sequence[str], shares: Array) -> Array:
        return _newton(x, labels, weights_of(labels, groups, shares, power), penalty)

    return fit


def robust(penalty: float, power: float = 0.5) -> Fit:
    """Return a logistic regression for the groups that it does worst on (group DRO; Sagawa et al. 2020, 1911.08731).

    The weight of a group grows with its loss, in `STEPS` rounds that each fit anew; classes go on weighing the same.
    """

    def fit(x: Array, labels: NDArray[np.int64], groups: Sequence[str], shares: Array) -> Array:
        codes = np.unique([f"{y} {g}" for y, g in zip(labels.tolist(), groups, strict=True)], return_inverse=True)[1]
        base = weights_of(labels, groups, shares, power)
        factor, beta = np.ones(codes.max() + 1), np.zeros(x.shape[1] + 1)
        for _ in range(STEPS):
            w = base * factor[codes]
            for label in (0, 1):
                w[labels == label] *= 0.5 / w[labels == label].sum()
            beta = _newton(x, labels, w, penalty, beta)
            losses = np.logaddexp(0, -np.where(labels == 1, 1, -1) * (x @ beta[:-1] + beta[-1]))
            mean = np.bincount(codes, base * losses) / np.bincount(codes, base)
            factor = factor * np.exp(STEP * mean)
        return beta

    return fit


def weights_of(labels: NDArray[np.int64], groups: Sequence[str], shares: Array, power: float) -> Array:
    """Return weights with a sum of ½ for each class, (N,).

    >>> weights_of(np.array([0, 0, 0, 1]), ["a", "a", "b", "c"], np.ones(4), 1.0).tolist()
    [0.125, 0.125, 0.25, 0.5]
    """
    weights = shares.astype(np.float64)
    codes = np.unique([f"{y} {g}" for y, g in zip(labels.tolist(), groups, strict=True)], return_inverse=True)[1]
    weights = weights * np.bincount(codes)[codes] ** -power
    for label in (0, 1):
        weights[labels == label] *= 0.5 / weights[labels == label].sum()
    return weights


def _newton(x: Array, labels: NDArray[np.int64], weights: Array, penalty: float, start: Array | None = None) -> Array:
    """Return the minimum of the weighted cross-entropy with a ridge penalty; the intercept is free."""
    from scipy.optimize import minimize

    signs = np.where(labels == 1, 1.0, -1.0)

    def loss(beta: Array) -> tuple[float, Array]:
        margins = signs * (x @ beta[:-1] + beta[-1])
        pull = -signs * weights / (1 + np.exp(np.clip(margins, -60, 60)))
        value = weights @ np.logaddexp(0, -margins) + penalty / 2 * beta[:-1] @ beta[:-1]
        return float(value), np.append(x.T @ pull + penalty * beta[:-1], pull.sum())

    first = np.zeros(x.shape[1] + 1) if start is None else start
    return np.asarray(minimize(loss, first, jac=True, method="L-BFGS-B", options={"maxiter": 200}).x, dtype=np.float64)


class Exam:
    """One head on one material: fits, scores of what was left out, and comparisons by lineage.

    Parameters
    ----------
    material : Material
    members : sequence of sequence of str
        Blocks of each member. Every member has a head of its own; its scores are divided by their spread and added.
    fit : Fit
    every : bool
        Whether every development row may be learnt from, whatever its licence: the method, not what can ship.
    """

    def __init__(self, material: Material, members: Sequence[Sequence[str]], fit: Fit, *, every: bool) -> None:
        self.material, self.fit = material, fit
        learnt = np.array([(row.learnt or every) and row.kind != "swap" and not row.apart for row in material.rows])
        self.learnt, self.members = learnt, [Coordinates(material, names, learnt) for names in members]

    def head(self, at: Places) -> list[Array]:
        """Fit every member to rows after every draw that is learnt from; scores have a spread of 1 over these."""
        times = len(self.material.taught)
        labels, groups = self.material.labels[at], [self.material.groups[i] for i in at.tolist()]
        shares = np.where(self.material.are("art")[at], ART, 1.0)
        heads = []
        for member in self.members:
            x = member.fitted(at)
            beta = self.fit(x, np.tile(labels, times), groups * times, np.tile(shares, times))
            heads.append(beta / max(float((x @ beta[:-1]).std()), FLAT))
        return heads

    def scores(self, heads: Sequence[Array], draw: str, at: Places) -> Array:
        """Return the scores of rows after one draw: larger is more synthetic."""
        each = [m.of[draw][at].astype(np.float64) @ h[:-1] + h[-1] for m, h in zip(self.members, heads, strict=True)]
        return np.asarray(np.mean(each, axis=0), dtype=np.float64)

    def left_out(self, draws: Sequence[str], unit: str = "lineage") -> dict[str, dict[str, Placed]]:
        """Leave out each unit with each fold of owners, and compare their pictures: by draw, then by unit.

        Parameters
        ----------
        draws : sequence of str
            After which pictures are judged.
        unit : str
            ``lineage``: all models of one descent; ``family``: one family of a manifest, whose relatives may be learnt
            from, as a new model of a known kind would be met.
        """
        m, names = self.material, self._names(unit)
        real = np.flatnonzero((m.labels == 0) & m.are("photograph") & ~m.apart)
        made = np.flatnonzero((m.labels == 1) & ~m.apart)
        fold = folds_of([m.groups[i] for i in real.tolist()])
        parts: dict[str, dict[str, list[Placed]]] = {draw: {} for draw in draws}
        for several in left_together([names[i] for i in made.tolist()], SMALL[unit]):
            for k in range(FOLDS):
                left = real[fold == k]
                owners = {m.groups[i] for i in left.tolist()}
                out = [
                    name in several if y else group in owners
                    for y, name, group in zip(m.labels, names, m.groups, strict=True)
                ]
                heads = self.head(np.flatnonzero(self.learnt & ~np.array(out)))
                for draw in draws:
                    against = self.scores(heads, draw, left)
                    for name in several:
                        of = made[[names[i] == name for i in made.tolist()]]
                        placed = _placed(self.scores(heads, draw, of), against, of, left)
                        parts[draw].setdefault(name, []).append(placed)
        return {draw: {name: _joined(several) for name, several in by.items()} for draw, by in parts.items()}

    def _names(self, unit: str) -> list[str]:
        return self.material.groups if unit == "lineage" else [row.family for row in self.material.rows]

    def set_apart(self, draws: Sequence[str]) -> dict[str, dict[str, Placed]]:
        """Fit to all that may be learnt from and compare what was set apart: to be read once, at the end."""
        m, heads = self.material, self.head(np.flatnonzero(self.learnt))
        real = np.flatnonzero((m.labels == 0) & m.are("photograph") & m.apart)
        out: dict[str, dict[str, Placed]] = {}
        for draw in draws:
            against = self.scores(heads, draw, real)
            for name in sorted({row.group for row in m.rows if row.apart and row.label}):
                of = np.flatnonzero((m.labels == 1) & m.apart & np.array([g == name for g in m.groups]))
                out.setdefault(draw, {})[name] = _placed(self.scores(heads, draw, of), against, of, real)
        return out

    def nested(self, draws: Sequence[str]) -> list[tuple[Places, Places, dict[str, Array], dict[str, Array]]]:
        """Return for every outer fold: rows left out, rows to calibrate on, and the scores of both by draw.

        Those to calibrate on are scored by heads that have not seen them, nor the rows left out.
        """
        outer, parts = self.folds(), []
        for k in range(FOLDS):
            left, rest = np.flatnonzero(outer == k), np.flatnonzero((outer >= 0) & (outer != k))
            heads, inner = self.head(rest[self.learnt[rest]]), self._folds_of(rest)
            known = {draw: np.empty(len(rest)) for draw in draws}
            for j in range(FOLDS):
                other = self.head(rest[self.learnt[rest] & (inner != j)])
                for draw in draws:
                    known[draw][inner == j] = self.scores(other, draw, rest[inner == j])
            parts.append((left, rest, {draw: self.scores(heads, draw, left) for draw in draws}, known))
        return parts

    def folds(self) -> NDArray[np.int64]:
        """A fold for each development row, −1 for what is set apart: no lineage and no owner is in two."""
        fold = np.full(len(self.material.rows), -1)
        at = np.flatnonzero(~self.material.apart & ~self.material.are("swap"))
        fold[at] = self._folds_of(at)
        return fold

    def _folds_of(self, at: Places) -> NDArray[np.int64]:
        m, fold = self.material, np.empty(len(at), dtype=np.int64)
        for label in (0, 1):
            of = np.flatnonzero(m.labels[at] == label)
            fold[of] = folds_of([m.groups[i] for i in at[of].tolist()], FOLDS)
        return fold


def left_together(names: Sequence[str], small: int) -> list[list[str]]:
    """Return what to leave out at a time: each large unit alone, those with fewer than `small` pictures together.

    >>> left_together(["a"] * 10 + ["b", "c"], 10)
    [['a'], ['b', 'c']]
    """
    sizes = {name: names.count(name) for name in sorted(set(names))}
    few = [name for name, n in sizes.items() if n < small]
    return [*([name] for name, n in sizes.items() if n >= small), *([few] if few else [])]


def _placed(made: Array, real: Array, of: Places, against: Places) -> Placed:
    return Placed((made[:, None] > real[None]) + 0.5 * (made[:, None] == real[None]), of, against)


def _joined(parts: Sequence[Placed]) -> Placed:
    above = np.concatenate([placed.above for placed in parts], axis=1)
    return Placed(above, parts[0].generated, np.concatenate([placed.real for placed in parts]))
