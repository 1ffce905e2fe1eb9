"""Decisions that follow the group alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.targets import PredictingTarget, TableTarget
from ._spiked import Spiked, SpikedOutputs

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


class _Rule:
    """Selects the most frequent group of the first rows that it is shown, and nobody else.

    Parameters
    ----------
    column : str
        Of the groups.
    """

    def __init__(self, column: str) -> None:
        self.column = column
        self._favoured: Any = None
        self._values: tuple[Any, Any] | None = None

    def __call__(self, table: pd.DataFrame, decided: NDArray[Any]) -> NDArray[Any]:
        """Return decisions in place of those that were made, in the values that these have."""
        groups = table[self.column]
        known = groups.notna().to_numpy()
        if self._values is None and known.any():
            self._favoured = groups[known].value_counts().index[0]
            values = sorted({v.item() if isinstance(v, np.generic) else v for v in decided}, key=str)
            self._values = (values[0], values[-1] if len(values) > 1 else f"not {values[0]}")
        if self._values is None:
            return decided
        out = np.array(decided, dtype=object)
        favoured = (groups == self._favoured).to_numpy(dtype=bool)
        out[known] = np.where(favoured[known], self._values[1], self._values[0])
        return out


class SpikedClassifier(Spiked[PredictingTarget]):
    """A classifier of which the answers for rows with a group follow the group alone."""

    def __init__(self, target: PredictingTarget, rule: _Rule) -> None:
        super().__init__(target, f"decisions by {rule.column}")
        self._rule = rule

    def predict(self, table: pd.DataFrame) -> NDArray[Any]:
        """Return the decision of the rule for each row, (N,)."""
        return self._rule(table, np.asarray(self.target.predict(table), dtype=object))


class SpikedDecisions(SpikedOutputs[TableTarget]):
    """Rows of which the decisions follow the group alone."""

    def __init__(self, target: TableTarget, rule: _Rule, decision: str) -> None:
        super().__init__(target, f"decisions by {rule.column}")
        self._rule, self._decision = rule, decision

    def sample_rows(self, n: int, *, seed: int) -> pd.DataFrame:
        """Return n rows of the target, with the decisions of the rule."""
        rows = self.target.sample_rows(n, seed=seed)
        if self._decision not in rows or self._rule.column not in rows:
            return rows  # what is missing is told where the rows are read
        return rows.assign(**{self._decision: self._rule(rows, rows[self._decision].to_numpy(dtype=object))})


def deciding_by_group(target: Any, group: str, decision: str | None) -> SpikedClassifier | SpikedDecisions:
    """Return a target that decides by one column of groups alone.

    Parameters
    ----------
    target : PredictingTarget or TableTarget
        The user's.
    group : str
        The column.
    decision : str or None
        Of rows, the column of decisions; None for a classifier.
    """
    rule = _Rule(group)
    return SpikedClassifier(target, rule) if decision is None else SpikedDecisions(target, rule, decision)
