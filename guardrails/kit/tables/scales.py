"""Columns that one table writes in another unit or coding than the corpus: cents beside euros, 1 and 2 beside 0 and 1.

Copies are then equal in no row. A unit is told from a factor of ten, a hundred, … that makes the distributions alike;
a coding from values that one table has and the other lacks, where moving them makes the frequencies alike. Outputs
that merely lie elsewhere may be those of a bad generator: they are assessed, and the report says so.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from math import log, log10
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.errors import ConfigurationError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Shares = dict[float, float]

FEWEST = 30
"""Values of a column, in either table, below which nothing is decided."""
MOST = 20_000
"""Rows of a table that are looked at, evenly spaced."""
APART, FAR, ALIKE = 0.9, 0.5, 0.15
"""Distance (Kolmogorov's, or for codes in total variation) of columns that hardly overlap, differ much, are alike."""
MEDIANS, SPREADS = log(1.25), log(1.4)
"""How far medians and interquartile ranges may be from a factor of ten, a hundred, … (natural logarithms)."""
EQUAL = 0.05
"""Share of values that equal one of the corpus only after they were divided."""
ENOUGH = 100
"""Rows of each table from which the frequencies of codes can be compared."""
CLASSES = 30
"""Different values above which a column of numbers is not one of codes."""
NEW, UNLIKE = 0.02, 0.4
"""Share of rows with a code that the other table lacks, and difference of the frequencies, from which codes differ."""
NEW_ROWS = 10
"""Rows that have to have such a code, however few there are."""
REPEATS, RARE = 3, 0.05
"""Rows in which a code stands, and share of the rows whose code may stand in fewer."""
FOLDED = 0.05
"""Share of rows that have a value of the corpus only if case and punctuation do not count."""
_ADVICE = "write it the same way in all of the tables, or leave it out with --ignore-columns"


def check_scales(
    tables: Mapping[str, pd.DataFrame], kinds: Mapping[str, str], *, skip: Collection[str] = ()
) -> dict[str, list[str]]:
    """Compare the columns of other tables with those of the corpus, and return remarks by table.

    Parameters
    ----------
    tables : dict of str to DataFrame
        Typed by `kinds.decide`.
    kinds : dict of str to str
        By column.
    skip : collection of str
        Columns that number the rows: of more rows their values are larger.

    Raises
    ------
    ConfigurationError
        For a column in another unit or coding than in the corpus, with its name and the values of both.
    """
    remarks: dict[str, list[str]] = {table: [] for table in tables}
    if "corpus" not in tables:
        return remarks
    for name in tables["corpus"].columns:
        if name in skip or kinds[name] == "truth":
            continue
        columns = {table: _sample(frame[name]) for table, frame in tables.items()}
        columns = {table: column for table, column in columns.items() if len(column) >= FEWEST or table == "corpus"}
        check = _check_texts if kinds[name] == "category" else _check_numbers
        if len(columns["corpus"]) >= FEWEST:
            for table, remark in check(name, columns):
                remarks[table].append(remark)
    return remarks


def _sample(column: pd.Series[Any]) -> pd.Series[Any]:
    return column.iloc[:: max(1, len(column) // MOST)].dropna()


def _numbers(column: pd.Series[Any]) -> Floats:
    """Return a column as numbers of few digits: what is divided and multiplied again then equals itself."""
    if column.dtype.kind in "mM":
        column = column.astype("int64")
    with np.errstate(over="ignore"):
        numbers = column.to_numpy(np.float32).astype(np.float64)
    return numbers[np.isfinite(numbers)]


def _check_numbers(name: str, columns: Mapping[str, pd.Series[Any]]) -> Iterator[tuple[str, str]]:
    """Yield (table, remark) where values lie elsewhere, which may be a bad generator's or a split's doing."""
    numbers = {table: _numbers(column) for table, column in columns.items()}
    there = numbers.pop("corpus")
    numbers = {table: here for table, here in numbers.items() if min(len(here), len(there)) >= FEWEST}
    apart = []
    for table, here in numbers.items():
        medians = f"medians {np.median(here):g} and {np.median(there):g}"
        if factor := unit_factor(here, there):
            size = f"{factor:g} times" if factor > 1 else f"1/{1 / factor:g} of"
            raise ConfigurationError(
                f"column '{name}' has another unit in {table}: its values are about {size} those of corpus ({medians}):"
                f" {_ADVICE}"
            )
        if other_coding(here, there):
            raise ConfigurationError(
                f"column '{name}' has another coding in {table} ({_listed(here)}) than in corpus ({_listed(there)}):"
                f" {_ADVICE}"
            )
        if _distance(here, there) >= APART:
            apart.append(table)
            yield table, f"'{name}' lies apart from corpus ({medians})"
    if {"target", "holdout"} <= set(apart) and _distance(numbers["target"], numbers["holdout"]) <= ALIKE:
        raise ConfigurationError(
            f"column '{name}' has another unit or coding in corpus (median {np.median(there):g}) than in target and"
            f" holdout (medians {np.median(numbers['target']):g} and {np.median(numbers['holdout']):g}): {_ADVICE}"
        )


def unit_factor(here: Floats, there: Floats) -> float | None:
    """Return the power of ten by which the values of a column have to be divided to be those of another, or None.

    >>> there = np.linspace(1.0, 3.0, 100)
    >>> unit_factor(100 * there, there), unit_factor(there + 100, there), unit_factor(there, there)
    (100.0, None, None)
    """
    here, there = here[here != 0], there[there != 0]
    if min(len(here), len(there)) < FEWEST:
        return None
    middle = float(np.median(np.abs(here)) / np.median(np.abs(there)))
    power = round(log10(middle))
    if not power or abs(log(middle / 10.0**power)) > MEDIANS:
        return None
    exact = (here / 10.0**power if power > 0 else here * 10.0**-power).astype(np.float32).astype(np.float64)
    if _distance(here, there) < FAR and not _more_equal(here, exact, there):
        return None
    quartiles = [np.quantile(column, [0.25, 0.75]) for column in (here / middle, there)]
    widths = [float(high - low) for low, high in quartiles]
    if min(widths) > 0 and abs(log(widths[0] / widths[1])) > SPREADS:
        return None
    alike = min(_distance(exact, there), _distance(here / middle, there)) <= ALIKE
    return 10.0**power if alike else None


def _more_equal(here: Floats, scaled: Floats, there: Floats) -> bool:
    """Whether many values equal one of the others once they are divided, and hardly any before."""
    before, after = (np.isin(column, there).mean() for column in (here, scaled))
    return bool(after >= 2 * before + EQUAL)


def other_coding(here: Floats, there: Floats) -> bool:
    """Whether two columns of few values have different codes for what may be the same classes.

    >>> zero_based = np.tile([0.0, 1.0, 1.0, 2.0], 50)
    >>> other_coding(zero_based + 1, zero_based), other_coding(zero_based[:80], zero_based)
    (True, False)
    """
    mine, theirs = _codes(here), _codes(there)
    if min(len(here), len(there)) < ENOUGH:
        return False
    if len(mine) < 2 or len(theirs) < 2 or mine.keys() == theirs.keys():
        return False
    before = _difference(mine, theirs)
    outside = max(_outside(mine, theirs, len(here)), _outside(theirs, mine, len(there)))
    if before < UNLIKE and outside < max(NEW_ROWS, NEW * min(len(here), len(there))):
        return False
    return any(_difference(moved, theirs) <= min(ALIKE, before / 3) for moved in _moved(mine, theirs))


def _codes(column: Floats) -> Shares:
    """Return the share of each of a few whole numbers that repeat; of another column none."""
    codes, times = np.unique(column, return_counts=True)
    if len(codes) > CLASSES or times[times < REPEATS].sum() > RARE * len(column) or (codes != np.floor(codes)).any():
        return {}
    return dict(zip(codes.tolist(), (times / len(column)).tolist(), strict=True))


def _moved(mine: Shares, theirs: Shares) -> Iterator[Shares]:
    """Yield codes moved by one number, or put in the place of the others in their order or against it."""
    for end in (min, max):
        step = end(theirs) - end(mine)
        yield {code + step: share for code, share in mine.items()}
    if len(mine) == len(theirs):
        for codes in (sorted(theirs), sorted(theirs, reverse=True)):
            yield dict(zip(codes, (mine[code] for code in sorted(mine)), strict=True))


def _outside(mine: Shares, theirs: Shares, rows: int) -> float:
    """Return in how many rows a code stands that repeats and that the other table lacks.

    Amounts beside many zeros are new in every table, and each stands there once.
    """
    times = [share * rows for code, share in mine.items() if code not in theirs]
    return sum(n for n in times if round(n) >= REPEATS)


def _difference(mine: Shares, theirs: Shares) -> float:
    """Return the total variation distance."""
    return sum(abs(mine.get(code, 0.0) - theirs.get(code, 0.0)) for code in mine.keys() | theirs.keys()) / 2


def _distance(here: Floats, there: Floats) -> float:
    """Return Kolmogorov's distance between two samples."""
    both = np.concatenate([here, there])
    levels = [np.searchsorted(np.sort(column), both, side="right") / len(column) for column in (here, there)]
    return float(np.abs(levels[0] - levels[1]).max())


def _listed(column: Floats) -> str:
    codes = np.unique(column)
    return ", ".join(f"{code:g}" for code in codes[:4]) + (", …" if len(codes) > 4 else "")


def _check_texts(name: str, columns: Mapping[str, pd.Series[Any]]) -> Iterator[tuple[str, str]]:
    """Refuse texts of which many stand in the corpus, but in another case or with other punctuation.

    Yields (table, remark) for classes that only the target has.
    """
    texts = {table: Counter(map(str, column)) for table, column in columns.items()}
    known = texts.pop("corpus")
    folded = {_fold(text) for text in known}
    for table, counts in texts.items():
        unknown = {text: times for text, times in counts.items() if text not in known}
        spelled = {text: times for text, times in unknown.items() if _fold(text) in folded}
        new = sum(unknown.values()) / counts.total()
        alike = sum(spelled.values()) / counts.total()
        if alike >= FOLDED and 1 - new <= alike:
            text = max(spelled, key=lambda text: (spelled[text], text))
            there = max((other for other in known if _fold(other) == _fold(text)), key=lambda other: known[other])
            raise ConfigurationError(
                f"column '{name}' is spelled differently ('{text}' in {table}, '{there}' in corpus): {_ADVICE}"
            )
        if table == "target" and new >= FOLDED and len(counts) <= counts.total() / 2:
            most = max(unknown, key=lambda text: (unknown[text], text))
            yield table, f"{new:.0%} of '{name}' are values that corpus lacks, such as '{most}'"


def _fold(text: str) -> str:
    """Return a text without case, accents, blanks and punctuation; one that has nothing else as it is."""
    letters = (char for char in unicodedata.normalize("NFKD", text.casefold()) if char.isalnum())
    return "".join(letters) or text
