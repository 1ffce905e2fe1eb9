"""The blind baseline: members told from non-members by the items alone, without the model.

An attack shows what the model knows only where the items themselves do not give the answer. Where members and
non-members differ in topic, date, length or size, a classifier that never asks the model tells them apart, and so does
every attack (D. Das, J. Zhang, F. Tramèr, "Blind Baselines Beat Membership Inference Attacks for Foundation Models",
2024, arXiv 2406.16201).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.statistics import Interval, delong

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDS = 5
SEED = 0
"""Of the folds: always the same, so that the same items get the same baseline."""
MARGIN = 0.05
"""How far above .5 the lower bound may lie: half of the way to the limit of .6, since what the items give away by less
cannot carry an attack across it alone. Out-of-fold scores are not independent, as DeLong's interval supposes: of 460
random splits (360 of texts, 100 of pictures; 40 to 200 a side) 29 had a lower bound above .5, and none above .55."""
HASHED = 1 << 15


def confounded(blind: Interval) -> bool:
    """Whether the items alone separate members from non-members.

    >>> confounded(Interval(0.9, 0.8, 0.95)), confounded(Interval(0.55, 0.51, 0.6))
    (True, False)
    """
    return blind.low > 0.5 + MARGIN


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
    from ..kit.features import image_features

    pictures = [*members, *others]
    sizes = np.log([picture.shape[:2] for picture in pictures])
    features = _standard(np.concatenate([image_features(pictures), sizes], axis=1))
    return _out_of_fold(features / np.sqrt(features.shape[1]), len(members))


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre and scale each column; one that is constant becomes 0."""
    spread = values.std(axis=0)
    scaled: NDArray[np.float64] = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return scaled


def _out_of_fold(features: Any, members: int) -> Interval:
    """Fit a logistic regression on four fifths, score the last, in turn."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    label = np.arange(features.shape[0]) < members
    scores = np.empty(len(label))
    for fit, test in StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(scores, label):
        model = LogisticRegression(C=10, class_weight="balanced", max_iter=1000).fit(features[fit], label[fit])
        scores[test] = model.decision_function(features[test])
    return delong(scores[label], scores[~label])
