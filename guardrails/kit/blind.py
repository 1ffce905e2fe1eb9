"""The blind baseline: members told from non-members by the items alone, without the model.

An attack shows what the model knows only where the items themselves do not give the answer. Where members and
non-members differ in topic, date, length or size, a classifier that never asks the model tells them apart, and so does
every attack (D. Das, J. Zhang, F. Tramèr, "Blind Baselines Beat Membership Inference Attacks for Foundation Models",
2024, arXiv 2406.16201).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.results import Measurement
from ..core.statistics import Interval, delong

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

FOLDS = 5
SEED = 0
"""Of the folds: always the same, so that the same items get the same baseline."""
MARGIN = 0.05
"""How far above .5 the lower bound may lie: half of the way to the limit of .6, since what the items give away by less
cannot carry an attack across it alone. Out-of-fold scores are not independent, as DeLong's interval supposes: of 460
random splits (360 of texts, 100 of pictures; 40 to 200 a side) 29 had a lower bound above .5, and none above .55; of
460 of a table (40 to 500 a side) 25 had one above .5, and 5, all of at most 100 a side, above .55."""
HASHED = 1 << 15
BINS = 10
LEVELS = 50
"""Of a column of words, the most frequent values that are looked at."""


def confounded(blind: Interval) -> bool:
    """Whether the items alone separate members from non-members.

    >>> confounded(Interval(0.9, 0.8, 0.95)), confounded(Interval(0.55, 0.51, 0.6))
    (True, False)
    """
    return blind.low > 0.5 + MARGIN


def why_confounded(
    blind: Interval, unit: str, *, without: str = "asking the model", columns: Sequence[str] = ()
) -> str:
    """Return the reason for which a confounded split is not assessed.

    Parameters
    ----------
    blind : Interval
        The baseline.
    unit : str
        What an item is, in the plural.
    without : str
        What the baseline does not see.
    columns : sequence of str
        Columns of a table that do it by themselves: see `separating_columns`.
    """
    named = f" Columns that tell them apart by themselves: {', '.join(columns)}." if columns else ""
    return (
        f"the split is confounded: without {without}, members are separated from non-members with an AUC of"
        f" {blind.value:.2f} (95% interval {blind.low:.2f} to {blind.high:.2f}), so no attack counts; give a"
        f" holdout drawn at random from the same {unit} as the corpus{named and '.'}{named}"
    )


def blind_measurement(common: Mapping[str, Any], blind: Interval, *, without: str = "asking the model") -> Measurement:
    """Return the measurement ``blind_auc``, which stands beside every attack on membership.

    Parameters
    ----------
    common : mapping
        Fields that the probe's measurements share: its id, n, errors, `higher_is_worse`.
    blind : Interval
        The baseline.
    without : str
        What the baseline does not see.
    """
    return Measurement(
        **common,
        **blind._asdict(),
        metric="blind_auc",
        unit="AUC",
        method="logistic regression on the items alone, out-of-fold scores; DeLong's interval",
        explanation=f"How well members are separated from non-members without {without}. If the"
        f" whole interval is above {0.5 + MARGIN:g}, the split is confounded and no attack counts.",
    )


def blind_texts(members: Sequence[str], others: Sequence[str]) -> Interval:
    """Return the AUC of a classifier of hashed character 1- to 3-grams within words, and of the length.

    Parameters
    ----------
    members, others : sequence of str
        At least `FOLDS` of each.

    Returns
    -------
    Interval
        DeLong's, of out-of-fold scores: .5 where the texts are of one law, up to the noise of fitting.
    """
    import scipy.sparse as sp
    from sklearn.feature_extraction.text import HashingVectorizer

    texts = [text.encode("utf-8", "replace").decode() for text in (*members, *others)]  # half a surrogate pair
    grams = HashingVectorizer(analyzer="char_wb", ngram_range=(1, 3), n_features=HASHED).transform(texts)
    lengths = np.log1p([len(text) for text in texts])[:, None]
    return _out_of_fold(sp.hstack([grams, sp.csr_array(_standard(lengths))]).tocsr(), len(members))


def blind_pictures(members: Sequence[Any], others: Sequence[Any]) -> Interval:
    """Return the AUC of a classifier of the colour layout and the size of pictures: see `blind_texts`.

    Parameters
    ----------
    members, others : sequence of ndarray of uint8
        (H, W) or (H, W, 3); at least `FOLDS` of each.
    """
    from .pictures.features import image_features

    pictures = [*members, *others]
    sizes = np.log([picture.shape[:2] for picture in pictures])
    return blind_features(np.concatenate([image_features(pictures), sizes], axis=1), len(members))


def blind_features(features: NDArray[np.float64], members: int) -> Interval:
    """Return the AUC of a classifier of any features of the items: see `blind_texts`.

    Parameters
    ----------
    features : ndarray, (N, d)
        Finite; members first, at least `FOLDS` of each.
    members : int
        How many of the items they are.
    """
    return _out_of_fold(_standard(features) / np.sqrt(max(1, features.shape[1])), members)


def blind_table(rows: pd.DataFrame, members: int) -> Interval:
    """Return the AUC of a classifier of the columns of a table: see `blind_texts`.

    Of a number or date it sees the value and in which tenth it lies, of other columns the `LEVELS` most frequent
    values, and of each whether it is missing: so that any difference of a single column shows.

    Parameters
    ----------
    rows : DataFrame
        Members first; at least `FOLDS` of each.
    members : int
        How many of the rows they are.
    """
    import scipy.sparse as sp
    from sklearn.preprocessing import OneHotEncoder

    straight, levels = [], []
    for place in range(rows.shape[1]):
        column = rows.iloc[:, place]
        if (values := _numbers(column)) is None:
            levels.append(column.astype(str).to_numpy(object))
            continue
        known = np.isfinite(values)
        middle = values[known].mean() if known.any() else 0.0
        straight.append(np.where(known, values, middle))
        edges = np.unique(np.quantile(straight[-1], np.linspace(0, 1, BINS + 1)[1:-1]))
        levels.append(np.where(known, np.searchsorted(edges, straight[-1]), -1).astype(object))
    parts = [sp.csr_array(_standard(np.stack(straight, axis=1)))] if straight else []
    for level in levels:
        parts.append(OneHotEncoder(max_categories=LEVELS, handle_unknown="ignore").fit_transform(level[:, None]))
    features = sp.hstack(parts).tocsr() if parts else sp.csr_array((len(rows), 1))
    return _out_of_fold(features / np.sqrt(max(1, rows.shape[1])), members, strength=1.0)


def separating_columns(rows: pd.DataFrame, members: int, *, most: int = 5) -> list[str]:
    """Return the columns that tell members from non-members by themselves, with their AUC, the clearest first.

    Parameters
    ----------
    rows : DataFrame
        Members first; at least `FOLDS` of each.
    members : int
        How many of the rows they are.
    most : int
        At most so many columns.

    Returns
    -------
    list of str
        As ``'ward' (AUC 0.83)``.
    """
    alone = {name: blind_table(rows.iloc[:, [place]], members) for place, name in enumerate(rows.columns)}
    clear = sorted((name for name in alone if confounded(alone[name])), key=lambda name: -alone[name].value)
    return [f"'{name}' (AUC {alone[name].value:.2f})" for name in clear[:most]]


def _numbers(column: pd.Series) -> NDArray[np.float64] | None:
    """Return a column of numbers, dates or durations as numbers, NaN where missing, or None."""
    from pandas.api.types import is_bool_dtype, is_datetime64_any_dtype, is_numeric_dtype, is_timedelta64_dtype

    if is_datetime64_any_dtype(column.dtype) or is_timedelta64_dtype(column.dtype):
        column = (column - column.min()).dt.total_seconds()
    elif is_bool_dtype(column.dtype) or not is_numeric_dtype(column.dtype):
        return None
    numbers: NDArray[np.float64] = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre and scale each column; one that is constant becomes 0."""
    spread = values.std(axis=0)
    scaled: NDArray[np.float64] = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return scaled


def _out_of_fold(features: Any, members: int, *, strength: float = 10.0) -> Interval:
    """Fit a logistic regression on four fifths, score the last, in turn."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    label = np.arange(features.shape[0]) < members
    scores = np.empty(len(label))
    for fit, test in StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(scores, label):
        model = LogisticRegression(C=strength, class_weight="balanced", max_iter=1000).fit(features[fit], label[fit])
        scores[test] = model.decision_function(features[test])
    return delong(scores[label], scores[~label])
