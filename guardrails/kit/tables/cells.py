"""One column of one table before its kind is decided: distinct texts, or values that already have a type."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from unicodedata import normalize

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

Kind = Literal["number", "date", "duration", "truth", "category"]
Outcome = tuple[Kind, dict[str, "pd.Series[Any]"], dict[str, list[str]]]
"""What a column is: its kind, and by table its typed values and what is said of how they were read."""

MISSING = frozenset(
    {"", "NA", "N/A", "n/a", "N.A.", "n.a.", "#N/A", "<NA>", "NaN", "nan", "-nan", "NaT", "null", "NULL", "Null"}
    | {"(null)", "None", "nil", "?", "-", "–", "—", ".", "\\N", "#NULL!", "#DIV/0!", "#VALUE!", "#REF!"}
)
"""Texts that stand for a missing value, in every table alike."""
LONGEST = 10**15
_INVISIBLE = str.maketrans({"\ufeff": "", "\u200b": "", "\u00ad": ""})
_FORMULA = re.compile(r'="(.*)"')


@dataclass
class Cells:
    """One column of one table.

    Attributes
    ----------
    codes : ndarray of int, (n,)
        Place of each row's text in `texts`; −1 where the value is missing.
    texts : list of str
        The distinct texts, without missing values; empty where `values` is given.
    values : Series, optional
        Values that had a type when the table was read (numbers, dates, durations, truth values).
    kind : str, optional
        What `values` hold.
    marks : set of str
        Which texts other than the empty one stood for a missing value.
    bounds : set of str
        Which texts gave only a bound, such as ``<5``, and are read as the number.
    """

    codes: NDArray[np.int64]
    texts: list[str]
    values: pd.Series[Any] | None
    kind: Kind | None
    marks: set[str]
    bounds: set[str] = field(default_factory=set)

    @property
    def empty(self) -> bool:
        """Whether every value is missing."""
        return bool(self.values.isna().all()) if self.values is not None else not self.texts

    def spread(self, values: NDArray[Any], missing: Any) -> NDArray[Any]:
        """Return one value per row from one value per distinct text."""
        out = np.full(len(self.codes), missing, dtype=values.dtype)
        present = self.codes >= 0
        out[present] = values[self.codes[present]]
        return out

    def words(self) -> tuple[NDArray[np.int64], list[str]]:
        """Return codes and texts, also of values that had a type: whole numbers without a decimal point."""
        import pandas as pd

        if self.values is None:
            return self.codes, self.texts
        codes, distinct = pd.factorize(self.values.astype(object))
        return codes, [_word(value) for value in distinct]


def cells(column: pd.Series[Any]) -> Cells:
    """Return a column of a data frame as cells: typed values as they are, all else as text.

    Objects that are numbers, dates or truth values throughout count as typed.
    """
    import pandas as pd

    values, kind = _typed(column)
    if kind is not None:
        return Cells(np.empty(0, np.int64), [], values, kind, set())
    if not isinstance(column.dtype, pd.StringDtype):
        column = column.astype(object).map(str, na_action="ignore")
    codes, distinct = pd.factorize(column)
    cleaned = [_clean(text) for text in distinct.tolist()]
    if cleaned and all(len(text) > 1 and text[0] == text[-1] == "'" for text in cleaned if text not in MISSING):
        cleaned = [text[1:-1] if text not in MISSING else text for text in cleaned]
    marks = {text for text in cleaned if text in MISSING and text}
    places = {text: i for i, text in enumerate(dict.fromkeys(text for text in cleaned if text not in MISSING))}
    merged = np.array([places.get(text, -1) for text in cleaned] + [-1], np.int64)
    return Cells(merged[codes], list(places), None, None, marks)


def _clean(text: str) -> str:
    text = text.strip() if text.isascii() else normalize("NFKC", text.translate(_INVISIBLE)).strip()
    formula = _FORMULA.fullmatch(text) if text.startswith("=") else None  # how spreadsheets keep leading zeros
    return formula[1] if formula else text


def _word(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _typed(column: pd.Series[Any]) -> tuple[pd.Series[Any], Kind | None]:
    """Return a column with the kind that its type says, or None for text."""
    import pandas as pd
    from pandas.api import types

    if column.dtype == object:
        inferred = types.infer_dtype(column, skipna=True)
        if inferred in ("integer", "floating", "mixed-integer-float", "decimal"):
            column = pd.to_numeric(column, errors="coerce")
        elif inferred in ("date", "datetime", "datetime64"):
            column = pd.to_datetime(column, errors="coerce", utc=True)
        elif inferred in ("timedelta", "timedelta64"):
            column = pd.to_timedelta(column, errors="coerce")
        elif inferred == "boolean":
            column = column.astype("boolean")
    if types.is_bool_dtype(column.dtype):
        return column, "truth"
    if types.is_datetime64_any_dtype(column.dtype):
        return column, "date"
    if types.is_timedelta64_dtype(column.dtype):
        return column, "duration"
    if types.is_integer_dtype(column.dtype) and column.abs().max() >= LONGEST:
        return column, None  # longer than a float keeps apart: codes, as in a text file
    if types.is_numeric_dtype(column.dtype) and not types.is_complex_dtype(column.dtype):
        return column, "number"
    return column, None


def objects(column: NDArray[Any]) -> pd.Series[Any]:
    """Return a column of objects."""
    import pandas as pd

    return pd.Series(column, dtype=object)
