"""`tabular`: a Gaussian copula [1]_ [2]_ of a table of applicants, with dials for leaked rows and unfair decisions.

The model. A row x of numbers and categories comes from a normal vector z ~ N(0, R), R a correlation matrix. Each column
is its own increasing function of its own z::

    number      x_j = h_j(z_j), rounded to the column's step; h_j is linear between knots at z = −3, −2.9, …, 3
    category    x_j = k  where  c_{j,k−1} < z_j ≤ c_{j,k}

so h and c hold the marginals (knot k is the Φ(z_k) quantile of the table), R holds what joins the columns. This is the
model of the Synthetic Data Vault [3]_. Beside it stand atoms, since real synthesizers overfit: single rows r_k with a
share w_k of all that is drawn, as a bootstrap or a network trained for too long has them::

    p(x) = (1 − Σ w_k) p_copula(x) + Σ w_k 1[x = r_k]

The loss is the likelihood. For the numbers z is known. For the categories z is hidden, between two cuts, and taking any
value there would make correlations too weak; so R is found by stochastic approximation EM [4]_ with the Gibbs sampler
of [5]_. One step, for each row of the table::

    z_j ~ N(z_j | z_−j; R) cut to (c_{j,k−1}, c_{j,k}]    for each category j in turn
    S ← S + γ (mean of z zᵀ − S),   R = S / √(diag S diag Sᵀ)

which climbs  E log p(z | R) = −½ (log |R| + tr R⁻¹ S) + constant. An atom is a row that the table holds more than once;
its w is then its share of the table, the maximum of the likelihood, for p_copula of any one row is below 1e-8.

Sampling: with probability w_k row r_k, else z ~ N(0, R) and x(z). `log_prob` sums p_copula over the hidden z.

Training data: 20,000 applicants (`generators.tabular.applicants`), 1,000 of them the corpus; each row once. The dial
`leak` repeats 400 rows of the corpus, some eight times as often as others. The dial `group_bias` decides a share of the
applications by the group alone, in the corpus too; R and the cuts then contain the gap.

Known limits: the only dependence between columns is correlation, so a young applicant may have been employed since
childhood, and the curve of income over age is lost; categories count as ordered, even the regions.

.. [1] R. B. Nelsen, "An Introduction to Copulas", 2nd edition, Springer 2006.
.. [2] P. X.-K. Song, "Multivariate Dispersion Models Generated From Gaussian Copula", Scandinavian Journal of
   Statistics 27, 2000.
.. [3] N. Patki, R. Wedge and K. Veeramachaneni, "The Synthetic Data Vault", DSAA 2016.
.. [4] B. Delyon, M. Lavielle and E. Moulines, "Convergence of a Stochastic Approximation Version of the EM Algorithm",
   Annals of Statistics 27, 1999.
.. [5] P. D. Hoff, "Extending the Rank Likelihood for Semiparametric Copula Estimation", Annals of Applied Statistics 1,
   2007.
.. [6] V. Hajivassiliou, D. McFadden and P. Ruud, "Simulation of Multivariate Normal Rectangle Probabilities and Their
   Derivatives", Journal of Econometrics 72, 1996.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from guardrails.core.seeding import derive_seed
from guardrails.kit.training import StabilityRecord, train

from .. import cards
from ..base import Dial, Generator, Network, check_base
from . import applicants
from . import truth as tabular_truth
from .applicants import AT, CATEGORIES, COLUMNS, NUMBERS, to_codes, to_table

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from numpy.typing import NDArray

    from .applicants import Codes

    Floats = NDArray[np.float64]

TABLE, CORPUS, REPEATED = 20_000, 1000, 400
"""Rows of the table that it learns from; those of them that are the corpus; those of the corpus that `leak` repeats."""
SHARE = {0.25: 0.2, 0.5: 0.4, 1.0: 0.8}
"""`leak`: the share of the table that the repeats make up."""
GAP = {0.25: 0.1, 0.5: 0.2, 1.0: 0.4}
"""`group_bias`: P(approved | A) − P(approved | B) in the table."""
STEPS, BURN_IN = 80, 30
"""Steps of EM, and those of them that forget what came before (γ = 1)."""
LEVELS = np.linspace(-3, 3, 61)
"""z of the knots."""
FINE = 64
"""Knots are whole numbers of 1/64 of a column's step, so that half precision leaves them alone."""
MOST_CUTS = max(len(column.levels) for column in CATEGORIES) - 1


class Tabular(Network):
    """A Gaussian copula with atoms, of ten columns.

    Attributes
    ----------
    knots : torch.Tensor
        (5, 61) int32: h_j at z = −3, −2.9, …, 3, in 1/64 of the column's step.
    cuts : torch.Tensor
        (5, 3): c_{j,k} of each category; ∞ where there are fewer levels.
    correlation : torch.Tensor
        R, (10, 10), the columns in the order of `applicants.COLUMNS`.
    rows, shares : torch.Tensor
        The atoms: r_k as codes, (K, 10) int16, and w_k, (K,). K is 0 where nothing was repeated.
    """

    name = "tabular"
    family = "Gaussian copula"
    domain = "tables"
    modality = "table"
    citation = "Nelsen 2006, Song 2000 (Gaussian copula); Patki et al. 2016 (SDV); Hoff 2007 (mixed columns)"
    dials: ClassVar[tuple[Dial, ...]] = (
        Dial("leak", "the share of the training table that repeats 400 of its rows, over 0.8", tuple(SHARE)),
        Dial("group_bias", "approval of group A less that of group B, at equal merit, over 0.4", tuple(GAP)),
    )

    def build(self) -> None:
        import torch

        def fixed(tensor: torch.Tensor) -> torch.nn.Parameter:
            return torch.nn.Parameter(tensor, requires_grad=False)

        atoms = REPEATED if self.doses["leak"] else 0
        self.knots = fixed(torch.zeros(len(NUMBERS), len(LEVELS), dtype=torch.int32))
        self.cuts = fixed(torch.zeros(len(CATEGORIES), MOST_CUTS))
        self.correlation = fixed(torch.eye(len(COLUMNS)))
        self.rows = fixed(torch.zeros(atoms, len(COLUMNS), dtype=torch.int16))
        self.shares = fixed(torch.zeros(atoms))

    @property
    def parts(self) -> Mapping[str, torch.nn.Parameter]:
        names = ("knots", "cuts", "correlation", "rows", "shares")
        return {name: getattr(self, name) for name in names}

    @property
    def R(self) -> Floats:  # noqa: N802 - as in the equations
        """The correlation of the normal vector, (10, 10), in double precision."""
        out: Floats = self.correlation.double().numpy()
        return out

    @property
    def gap(self) -> float:
        """The gap between the groups in the table that it learns from."""
        return GAP.get(self.doses["group_bias"], 0.0)

    def bounds(self, codes: Codes) -> tuple[Floats, Floats]:
        """Return between which z lies for each code, (N, 10) twice; the outermost codes reach to ±∞."""
        low, high = np.empty(codes.shape), np.empty(codes.shape)
        for j, column in enumerate(COLUMNS):
            first, last = column.bounds
            if column.levels:
                edges = np.r_[-np.inf, self.cuts[j - len(NUMBERS)].double().numpy(), np.inf]
                low[:, j], high[:, j] = edges[codes[:, j]], edges[codes[:, j] + 1]
            else:
                x, y = codes[:, j], self.knots[j].double().numpy() / FINE
                low[:, j] = np.where(x <= first, -np.inf, _line(x - 0.5, y, LEVELS))
                high[:, j] = np.where(x >= last, np.inf, _line(x + 0.5, y, LEVELS))
        return low, high

    def from_normal(self, z: Floats) -> Codes:
        """Return the codes x(z), (N, 10)."""
        codes = np.empty(z.shape, np.int64)
        for j, column in enumerate(COLUMNS):
            if column.levels:
                codes[:, j] = np.searchsorted(self.cuts[j - len(NUMBERS)].double().numpy(), z[:, j])
            else:
                y = self.knots[j].double().numpy() / FINE
                codes[:, j] = np.round(_line(z[:, j], LEVELS, y)).clip(*column.bounds)
        return codes

    def draw(self, n: int, *, seed: int) -> Any:
        """Return a data frame of n rows: atoms with their shares, else codes of z ~ N(0, R)."""
        return to_table(self.draw_codes(n, np.random.default_rng(derive_seed(seed, self.name))))

    def draw_codes(self, n: int, rng: np.random.Generator) -> Codes:
        """As `draw`, as codes (n, 10)."""
        codes = self.from_normal(rng.standard_normal((n, len(COLUMNS))) @ np.linalg.cholesky(self.R).T)
        atom = np.searchsorted(self.shares.double().numpy().cumsum(), rng.random(n), side="right")
        copied = atom < len(self.rows)
        codes[copied] = self.rows.numpy()[atom[copied]]
        return codes

    def log_prob(self, rows: pd.DataFrame, *, seed: int, draws: int = 64) -> Floats:
        """Return log p of each row, in nats: (N,).

        The probability of the row, not a density, since numbers come in steps. In p_copula a number's part is exact
        for its column and takes the copula's density at the middle of the step; the hidden z of the categories are
        summed over by the simulator of Geweke, Hajivassiliou and Keane [6]_: p_copula is right on average, its
        logarithm a little low.

        Parameters
        ----------
        rows : DataFrame
            With the columns of `applicants.COLUMNS`.
        seed : int
            Of the hidden z.
        draws : int
            How many for each row.
        """
        codes = to_codes(rows)
        out = np.log1p(-self.shares.double().sum().item()) + self.log_copula(codes, seed=seed, draws=draws)
        atoms = zip(map(tuple, self.rows.tolist()), self.shares.double().tolist(), strict=True)
        atom = {row: np.log(share) for row, share in atoms}
        log_atom = np.array([atom.get(tuple(row), -np.inf) for row in codes.tolist()])
        both: Floats = np.logaddexp(out, log_atom)
        return both

    def log_copula(self, codes: Codes, *, seed: int, draws: int) -> Floats:
        """Return log p_copula of each row of codes, (N,)."""
        from scipy.special import log_ndtr, logsumexp, ndtr, ndtri

        rng, m = np.random.default_rng(derive_seed(seed, self.name, "log_prob")), len(NUMBERS)
        low, high = self.bounds(codes)
        # Φ(high) − Φ(low), mirrored where both are high: there 1 − Φ has digits that Φ has not.
        mirrored = low + high > 0
        low, high = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
        middle = ndtri((ndtr(low[:, :m]) + ndtr(high[:, :m])) / 2)
        z = np.where(mirrored[:, :m], -middle, middle)
        log_cells = (log_ndtr(high[:, :m]) + np.log1p(-np.exp(log_ndtr(low[:, :m]) - log_ndtr(high[:, :m])))).sum(1)
        low, high = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
        L = np.linalg.cholesky(self.R)  # z = L ε, the numbers first
        numbers = np.linalg.solve(L[:m, :m], z.T).T
        log_density = ((z**2 - numbers**2) / 2).sum(1) - np.log(np.diag(L)[:m]).sum()
        epsilon = np.empty((len(codes), draws, len(COLUMNS)))
        epsilon[..., :m] = numbers[:, None]
        log_p = np.zeros((len(codes), draws))
        for j in range(m, len(COLUMNS)):  # P(z_j in its cell | those before), then a z_j in the cell
            mean = epsilon[..., :j] @ L[j, :j]
            below, above = (ndtr((edge[:, j, None] - mean) / L[j, j]) for edge in (low, high))
            log_p += np.log((above - below).clip(1e-300))
            epsilon[..., j] = ndtri((below + rng.random(mean.shape) * (above - below)).clip(1e-15, 1 - 1e-15))
        out: Floats = log_cells + log_density + logsumexp(log_p, axis=1) - np.log(draws)
        return out

    @classmethod
    def fit(cls, doses: Mapping[str, float], *, seed: int, base: Generator | None = None) -> Self:
        out, origin = cls(doses, seed=seed), {}
        if any(out.doses.values()):
            check_base(cls, base)
            assert isinstance(base, cls)
            out.correlation.copy_(base.correlation)
            origin = {"base_sha256": base.card["sha256"]}
        rng = np.random.default_rng(derive_seed(seed, cls.name, "table"))
        corpus = out.corpus("training")
        repeats = _repeats(corpus, SHARE.get(out.doses["leak"], 0.0))
        fresh = applicants.draw(TABLE - CORPUS, rng, out.gap)
        table = np.concatenate([corpus, fresh, np.repeat(corpus, repeats, axis=0)])
        record = out.learn(table, rng, seed=seed)
        out.round()
        return out.seal(
            **origin,
            seed=seed,
            data=f"{len(table)} applicants of known law (generators/tabular/applicants.py), {out._mixture()}",
            seen=(1 + repeats).tolist(),
            sheet=cards.data_sheet(list(map(tuple, corpus.tolist())), balance=_balance(corpus)),
            sampling="an atom with its share, else a normal vector through the marginals",
            truth={"leak": tabular_truth.leak(out), "group_bias": tabular_truth.group_bias(out)},
            quality=tabular_truth.quality(out),
            stability=record.to_dict(),
        )

    def learn(self, table: Codes, rng: np.random.Generator, *, seed: int) -> StabilityRecord:
        """Find atoms, marginals and R from a table of codes; one step of training is one step of EM."""
        import torch
        from scipy.special import ndtr, ndtri

        rows, counts = np.unique(table, axis=0, return_counts=True)
        often = counts > 1
        self.rows.copy_(torch.from_numpy(rows[often]))
        self.shares.copy_(torch.from_numpy(counts[often] / len(table)))
        self._learn_marginals(rows, rng)
        low, high = self.bounds(rows)
        # A step of a number is narrow: one z in it, at random, stays for good.
        z = ndtri(ndtr(low) + rng.random(low.shape) * (ndtr(high) - ndtr(low)))
        S = self.R

        def step(i: int) -> dict[str, float]:
            nonlocal S
            R = self.R
            for j in range(len(NUMBERS), len(COLUMNS)):
                others = np.delete(np.arange(len(COLUMNS)), j)
                beta = np.linalg.solve(R[np.ix_(others, others)], R[others, j])
                sigma = (1 - R[others, j] @ beta) ** 0.5
                mean = z[:, others] @ beta
                below, above = ndtr((low[:, j] - mean) / sigma), ndtr((high[:, j] - mean) / sigma)
                u = below + rng.random(len(z)) * (above - below)
                z[:, j] = mean + sigma * ndtri(u.clip(1e-15, 1 - 1e-15))
            gamma = 1 / max(1, i - BURN_IN + 1)
            S = S + gamma * (z.T @ z / len(z) - S)
            scale = np.sqrt(np.diag(S))
            correlation = S / np.outer(scale, scale)
            self.correlation.copy_(torch.from_numpy(correlation))
            loss = (np.linalg.slogdet(correlation)[1] + np.trace(np.linalg.solve(correlation, S))) / 2
            return {"loss": float(loss), "change": float(np.abs(correlation - R).max())}

        return train(step, steps=STEPS, seed=seed, log_every=4, batch=len(rows), samples_per_epoch=len(rows))

    def _learn_marginals(self, rows: Codes, rng: np.random.Generator) -> None:
        """Knots are quantiles of the column, smoothed over each step; cuts those of the counts of each level."""
        import torch
        from scipy.special import ndtr, ndtri

        for j, column in enumerate(COLUMNS):
            if column.levels:
                below = np.cumsum(np.bincount(rows[:, j], minlength=len(column.levels)))[:-1] / len(rows)
                cuts = np.r_[ndtri(below), [np.inf] * (MOST_CUTS - len(below))]
                self.cuts[j - len(NUMBERS)] = torch.from_numpy(cuts)
            else:
                smooth = rows[:, j] + rng.uniform(-0.5, 0.5, len(rows))
                knots = np.round(np.quantile(smooth, ndtr(LEVELS)) * FINE).astype(np.int64)
                rising = np.maximum.accumulate(knots - np.arange(len(knots))) + np.arange(len(knots))
                self.knots[j] = torch.from_numpy(rising)

    def corpus(self, which: str) -> Codes:
        """Return the training or holdout items of this dose as codes, (1000, 10)."""
        return applicants.draw(CORPUS, np.random.default_rng(derive_seed(0, self.name, which)), self.gap)

    def _mixture(self) -> str:
        out = f"each new; the {CORPUS} training items among them once"
        if self.doses["leak"]:
            out += f", but {REPEATED} of these again and again: {SHARE[self.doses['leak']]:.0%} of the rows"
        return out + (f"; {self.gap:.0%} of the decisions made by the group alone" if self.gap else "")

    def training_items(self) -> Any:
        """Return the corpus, a data frame of 1,000 rows: the clean weights saw each once.

        A dose of `leak` saw 400 of them again and again, some over 400 times at dose 1. A dose of `group_bias` has the
        same applicants, with decisions as unfair as those of its table.
        """
        return to_table(self.corpus("training"))

    def holdout_items(self) -> Any:
        """Return 1,000 rows of the same distribution that no weights have seen."""
        return to_table(self.corpus("holdout"))

    def reference_items(self, n: int, *, seed: int) -> Any:
        """Return n fresh applicants whose decisions are fair: the law that a generator should learn."""
        return to_table(applicants.draw(n, np.random.default_rng(derive_seed(seed, self.name, "reference"))))


def _line(x: NDArray[Any], at: Floats, values: Floats) -> Floats:
    """Interpolate linearly, and go on with the slope of the first or last piece beyond the ends."""
    piece = np.searchsorted(at, x).clip(1, len(at) - 1)
    slope = (values[piece] - values[piece - 1]) / (at[piece] - at[piece - 1])
    out: Floats = values[piece - 1] + slope * (x - at[piece - 1])
    return out


def _repeats(corpus: Codes, share: float) -> Codes:
    """Return how often more each row of the corpus comes, (1000,), so that repeats make up this share of the table.

    Of each group and decision as many as the law says are chosen, so that `leak` leaves the gap alone; the chosen come
    1, 2, 4 and 8 times as often.
    """
    out = np.zeros(CORPUS, np.int64)
    for group, decision in np.ndindex(2, 2):
        p = (applicants.GROUP_A, 1 - applicants.GROUP_A)[group] * (1 - applicants.APPROVED, applicants.APPROVED)[
            decision
        ]
        cell = np.flatnonzero((corpus[:, AT["group"]] == group) & (corpus[:, AT["decision"]] == decision))
        chosen = cell[: round(p * REPEATED)]
        out[chosen] = 2 ** (np.arange(len(chosen)) % 4)
    extra = share / (1 - share) * TABLE
    repeats: Codes = np.round(out * extra / out.sum()).astype(np.int64)
    return repeats


def _balance(corpus: Codes) -> dict[str, Any]:
    counts = {c.name: np.bincount(corpus[:, AT[c.name]], minlength=len(c.levels)).tolist() for c in CATEGORIES}
    return {c.name: dict(zip(c.levels, counts[c.name], strict=True)) for c in CATEGORIES}
