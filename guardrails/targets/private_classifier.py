"""A classifier that was trained with differential privacy: the reference whose ε no lower bound may refute.

It is a network with one hidden layer that DP-SGD has trained (M. Abadi et al., "Deep Learning with Differential
Privacy", CCS 2016, arXiv 1607.00133). ``scripts/train_private.py`` makes it, with opacus, which nothing else needs:
here are its weights and their card. Nothing that depends on the rows is known beside the weights: numbers are brought
to the order of 1 by bounds that stand on the card, which were fixed without them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..core.errors import ConfigurationError
from ..core.targets import Access
from ..kit.carded_weights import read_carded
from .estimator import EstimatorTarget

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WEIGHTS = Path(__file__).parent / "weights"


class PrivateClassifier:
    """Two classes, told apart by a network with one hidden layer on numbers and one-hot categories.

    Parameters
    ----------
    card : mapping
        ``classes``, the two labels; ``numbers``, by column the value that becomes 0 and the distance to it that becomes
        1; ``levels``, by column the categories; ``claimed_epsilon`` at ``delta``; ``sha256`` of the weights.
    weights : mapping
        ``hidden_weight`` (d, h), d in the order of `features`, ``hidden_bias`` (h,), ``weight`` (h,) and ``bias`` (1,).
    """

    def __init__(self, card: Mapping[str, Any], weights: Mapping[str, NDArray[Any]]) -> None:
        self.card = card
        self.weights = {name: np.asarray(part, dtype=np.float64) for name, part in weights.items()}
        self.classes_ = np.array(card["classes"], dtype=object)
        self.feature_names_in_ = np.array([*card["numbers"], *card["levels"]], dtype=object)
        self.claimed_epsilon = float(card["claimed_epsilon"])

    @classmethod
    def load(cls, stem: str) -> Self:
        """Read the shipped weights of this name.

        Raises
        ------
        ConfigurationError
            Where there are none, or they are not those of the card.
        """
        from safetensors.numpy import load

        if not (WEIGHTS / f"{stem}.json").is_file():
            raise ConfigurationError(f"no classifier '{stem}' ships; private=1 does, for tabular")
        weights, card = read_carded(WEIGHTS, stem, command="install the library again")
        return cls(card, load(weights))

    def predict_proba(self, table: pd.DataFrame) -> Floats:
        """Return the probability of each class, (N, 2)."""
        from scipy.special import expit

        w = self.weights
        hidden = np.tanh(features(table, self.card) @ w["hidden_weight"] + w["hidden_bias"])
        second = expit(hidden @ w["weight"] + w["bias"])
        return np.stack([1 - second, second], axis=1)

    def predict(self, table: pd.DataFrame) -> NDArray[Any]:
        """Return the likelier class of each row, (N,)."""
        likelier: NDArray[Any] = self.classes_[self.predict_proba(table).argmax(axis=1)]
        return likelier

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return what identifies it: the hash of its weights."""
        return {"sha256": self.card["sha256"]}


class PrivatelyTrained(EstimatorTarget):
    """A classifier that is audited as it is: to train it again takes its own training, which counts ε."""

    access = frozenset({Access.LOGPROBS, Access.PREDICTIONS})


def features(table: pd.DataFrame, card: Mapping[str, Any]) -> Floats:
    """Return numbers between −1 and 1 and one-hot categories of a table, (N, d)."""
    numbers = [
        (table[name].to_numpy(dtype=np.float64) - middle) / reach for name, (middle, reach) in card["numbers"].items()
    ]
    words = [
        (table[name].to_numpy(dtype=object) == level).astype(np.float64)
        for name, levels in card["levels"].items()
        for level in levels
    ]
    return np.stack([*(column.clip(-1, 1) for column in numbers), *words], axis=1)
