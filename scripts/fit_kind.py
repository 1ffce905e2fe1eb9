"""Fits what tells drawn pictures from photographs: python scripts/fit_kind.py ART PHOTOGRAPHS

Both folders are those of `scripts/fetch_photographs.py`, whose licences permit to learn from them. A source weighs by
the root of its size. Before the weights are written, the area under the curve on sources left out is printed.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from guardrails.core.statistics import auc
from guardrails.deepfake.images.encoder import default_encoder
from guardrails.deepfake.images.fitted_head import cross_folds
from guardrails.deepfake.images.kinds import LAYER, WEIGHTS
from guardrails.training.material.pictures import of_folder

STRENGTH = 0.01
"""Inverse of the penalty, as scikit-learn has it."""


def fit(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Return coefficients and intercept on vectors as they are."""
    from sklearn.linear_model import LogisticRegression

    mean, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
    model = LogisticRegression(C=STRENGTH, max_iter=4000).fit((x - mean) / scale, y, sample_weight=weights)
    coefficients = model.coef_[0] / scale
    return coefficients, float(model.intercept_[0] - coefficients @ mean)


def fitted(x: np.ndarray, y: np.ndarray, sources: list[str]) -> dict[str, np.ndarray]:
    """Fit to all, after printing what is reached on sources left out."""
    sizes = Counter(sources)
    weights = np.array([sizes[source] ** -0.5 for source in sources])
    for label in (0, 1):
        weights[y == label] *= len(y) / 2 / weights[y == label].sum()
    fold, scores = cross_folds(y, sources), np.empty(len(y))
    for k in np.unique(fold):
        coefficients, intercept = fit(x[fold != k], y[fold != k], weights[fold != k])
        scores[fold == k] = x[fold == k] @ coefficients + intercept
    print(f"AUC on sources left out: {auc(scores[y == 1], scores[y == 0]):.3f}")
    for margin in (-1.0, 0.0):
        print(f"above {margin}: {(scores[y == 1] > margin).sum()} of {(y == 1).sum()} drawn, "
              f"{(scores[y == 0] > margin).sum()} of {(y == 0).sum()} photographs")  # fmt: skip
    coefficients, intercept = fit(x, y, weights)
    return {"coefficients": coefficients.astype(np.float32), "intercept": np.array([intercept], np.float32)}


def main(art: str, photographs: str) -> int:
    """Write the weights."""
    examples = [*of_folder(Path(art), 0), *of_folder(Path(photographs), 0)]
    x = np.stack([default_encoder().blocks(e.read())[LAYER] for e in examples]).astype(np.float64)
    y = np.array([int(e.family == "art") for e in examples])
    WEIGHTS.write_bytes(save(fitted(x, y, [e.source for e in examples])))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
