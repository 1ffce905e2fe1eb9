"""Synthetic applicants for a loan: a table of mixed columns whose law is known, with a decision that can be unfair.

Nobody is in it: the law below is all there is to know. Age is 18 + 60 · Beta(1.8, 2.6) years. Education, a region and a
group come next; the group depends on nothing, and nothing but an unfair decision depends on it::

    years employed  (age − 18 − years of education beyond school) · Beta(2.2, 1.8)
    log income      9.9 + 0.16 education + 0.10 region + 0.012 years − 0.0004 (age − 50)² + 0.30 ε
    logit debt      −0.9 − 0.7 (log income − 10.2) + 0.75 ε               debt as a share of the income
    score           620 + 70 (0.8 (log income − 10.2) − 0.5 (logit debt + 0.9) + 0.03 (years − 14) + 0.6 ε)
    decision        approved where score + 30 ε > 605
    defaulted       with probability 1 / (1 + exp(2.2 + 0.9 (score − 620) / 70))

with a new ε ~ N(0, 1) each time. In a share `gap` of the decisions merit has no part: group A is approved and group B
refused. So P(approved | A) − P(approved | B) = gap, over all applicants and among those of any one score alike; at
gap 0 the decision looks at the score alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Codes = NDArray[np.int64]

GROUP_A = 0.6
"""P(group = A)."""
APPROVED = 0.58
"""P(approved) at gap 0, of a million applicants."""
REGIONS = (0.3, 0.3, 0.4)


@dataclass(frozen=True)
class Column:
    """A column of the table, and how its values are whole numbers (codes).

    Attributes
    ----------
    name : str
    levels : tuple of str
        Of a category: code k stands for the k-th. Empty for a number.
    step, low, high : float
        Of a number: it is a multiple of `step`, within these bounds; its code is how many steps it is.
    """

    name: str
    levels: tuple[str, ...] = ()
    step: float = 1.0
    low: float = 0.0
    high: float = 0.0

    @property
    def bounds(self) -> tuple[int, int]:
        """The lowest and the highest code."""
        return (0, len(self.levels) - 1) if self.levels else (round(self.low / self.step), round(self.high / self.step))


NUMBERS = (
    Column("age", low=18, high=78),
    Column("years_employed", low=0, high=60),
    Column("income", step=100, low=4_000, high=400_000),
    Column("debt_ratio", step=0.001, low=0, high=1),
    Column("score", low=300, high=850),
)
CATEGORIES = (
    Column("education", ("school", "trade", "bachelor", "master")),
    Column("region", ("country", "town", "city")),
    Column("group", ("A", "B")),
    Column("decision", ("refused", "approved")),
    Column("defaulted", ("no", "yes")),
)
COLUMNS = (*NUMBERS, *CATEGORIES)
AT = {column.name: place for place, column in enumerate(COLUMNS)}
"""The place of each column."""


def draw(n: int, rng: np.random.Generator, gap: float = 0.0) -> Codes:
    """Draw n applicants.

    Parameters
    ----------
    n : int
        How many.
    rng : numpy.random.Generator
        Where all quantities come from.
    gap : float
        P(approved | A) − P(approved | B), 0–1.

    Returns
    -------
    ndarray of int
        (n, 10), codes; `to_table` makes a table of them.

    Examples
    --------
    >>> draw(2, np.random.default_rng(0)).shape
    (2, 10)
    """

    def normal() -> NDArray[np.float64]:
        return rng.standard_normal(n)

    age = 18 + 60 * rng.beta(1.8, 2.6, n)
    education = np.searchsorted([-0.3, 0.5, 1.2], normal() - 0.01 * (age - 42))
    region = rng.choice(len(REGIONS), n, p=REGIONS)
    years = (age - 18 - np.array([0, 2, 4, 6])[education]).clip(0) * rng.beta(2.2, 1.8, n)
    log_income = 9.9 + 0.16 * education + 0.10 * region + 0.012 * years - 0.0004 * (age - 50) ** 2 + 0.30 * normal()
    logit_debt = -0.9 - 0.7 * (log_income - 10.2) + 0.75 * normal()
    merit = 0.8 * (log_income - 10.2) - 0.5 * (logit_debt + 0.9) + 0.03 * (years - 14) + 0.6 * normal()
    score = 620 + 70 * merit
    group = (rng.random(n) >= GROUP_A).astype(int)
    approved = np.where(rng.random(n) < gap, group == 0, score + 30 * normal() > 605)
    defaulted = rng.random(n) < 1 / (1 + np.exp(2.2 + 0.9 * (score - 620) / 70))
    numbers = (age, years, np.exp(log_income), 1 / (1 + np.exp(-logit_debt)), score)
    steps = [np.round(values / column.step) for values, column in zip(numbers, NUMBERS, strict=True)]
    codes = np.stack([*steps, education, region, group, approved, defaulted], axis=1).astype(np.int64)
    return codes.clip(*np.transpose([column.bounds for column in COLUMNS]))


def to_table(codes: Codes) -> pd.DataFrame:
    """Return the rows (n, 10) that codes stand for, as a data frame.

    >>> rows = to_table(np.array([[40, 12, 305, 210, 640, 2, 0, 1, 1, 0]]))
    >>> next(rows.itertuples(index=False, name=None))
    (40, 12, 30500, 0.21, 640, 'bachelor', 'country', 'B', 'approved', 'no')
    """
    import pandas as pd

    return pd.DataFrame({column.name: _decode(codes[:, place], column) for place, column in enumerate(COLUMNS)})


def _decode(codes: Codes, column: Column) -> NDArray[np.generic]:
    if column.levels:
        return np.array(column.levels, dtype=object)[codes]
    return codes * round(column.step) if column.step >= 1 else np.round(codes * column.step, 3)


def to_codes(table: pd.DataFrame) -> Codes:
    """Return the codes (n, 10) of the rows of a table: the inverse of `to_table`.

    Raises
    ------
    ConfigurationError
        For a column that is missing, or a value that no applicant can have.
    """
    from guardrails.core.errors import ConfigurationError

    missing = [column.name for column in COLUMNS if column.name not in table]
    if missing:
        raise ConfigurationError(f"the table has no column {', '.join(missing)}; give the columns {', '.join(AT)}")
    codes = np.empty((len(table), len(COLUMNS)), np.int64)
    for place, column in enumerate(COLUMNS):
        low, high = column.bounds
        if column.levels:
            column_codes = table[column.name].map({level: k for k, level in enumerate(column.levels)}).to_numpy(float)
            what = f"one of {', '.join(column.levels)}"
        else:
            column_codes = np.round(table[column.name].to_numpy(float) / column.step)
            what = f"a number from {column.low:g} to {column.high:g}"
        bad = ~((column_codes >= low) & (column_codes <= high))
        if bad.any():
            row = int(bad.argmax())
            raise ConfigurationError(f"row {row}, {column.name}: {table[column.name].iloc[row]!r} is not {what}")
        codes[:, place] = column_codes
    return codes
