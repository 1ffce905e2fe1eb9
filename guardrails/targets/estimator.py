"""A classifier that can be trained again: a fitted estimator of scikit-learn, or an object with its methods."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..core.errors import ConfigurationError, TargetError
from ..core.seeding import derive_seed32
from ..core.targets import Access, Modality

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def is_estimator(thing: Any) -> bool:
    """Whether an object has scikit-learn's ``fit`` and ``predict``, and nothing that makes outputs.

    >>> from sklearn.linear_model import LogisticRegression
    >>> is_estimator(LogisticRegression()), is_estimator(print)
    (True, False)
    """
    has = {name for name in _METHODS if callable(getattr(thing, name, None))}
    return (
        {"fit", "predict"} <= has and bool(has & {"predict_proba", "get_params"}) and not has & {"generate", "sample"}
    )


_METHODS = ("fit", "predict", "predict_proba", "get_params", "generate", "sample")


class EstimatorTarget:
    """A fitted classifier, audited with a table of the rows that it was trained on.

    Of a table the label is the last column that is no feature. The features are those of the estimator's
    ``feature_names_in_`` where it was fitted to a data frame, else all columns but the last.

    Parameters
    ----------
    estimator : object
        Fitted, with ``fit(X, y)``, ``predict_proba(X)``, ``classes_`` and ``get_params``. Where its training was
        differentially private, an attribute ``claimed_epsilon`` may say the ε at δ = 1e-5 that is claimed of it.
    name : str

    Raises
    ------
    TargetError
        Where it lacks one of these, and what to do.
    """

    modality = Modality.TABLE
    access = frozenset({Access.LOGPROBS, Access.PREDICTIONS, Access.RETRAINING})

    def __init__(self, estimator: Any, name: str) -> None:
        self.estimator, self.name = estimator, name
        if not callable(getattr(estimator, "predict_proba", None)):
            raise TargetError(
                f"{name}: {type(estimator).__name__} has no predict_proba, without which no probability of a label is"
                " known; wrap it in sklearn.calibration.CalibratedClassifierCV"
            )
        if not callable(getattr(estimator, "get_params", None)):
            raise TargetError(
                f"{name}: {type(estimator).__name__} has no get_params, so that it cannot be trained again from the"
                " start; derive it from sklearn.base.BaseEstimator"
            )
        if getattr(estimator, "classes_", None) is None:
            raise TargetError(f"{name}: the {type(estimator).__name__} has no classes_; fit it to the corpus first")

    def identity(self) -> dict[str, str]:
        """Return the kind of the estimator and a hash of its settings: what it has learnt cannot be hashed."""
        settings = repr(sorted(self.estimator.get_params().items(), key=lambda item: item[0]))
        settings = re.sub(r" at 0x[0-9a-f]+", "", settings)  # where an object of no repr lies in memory
        return {"estimator": type(self.estimator).__name__, "settings": hashlib.sha256(settings.encode()).hexdigest()}

    @property
    def claimed_epsilon(self) -> float | None:
        """The ε that is claimed of the training, or None."""
        claimed = getattr(self.estimator, "claimed_epsilon", None)
        return float(claimed) if isinstance(claimed, (int, float)) and claimed >= 0 else None

    def label(self, columns: Any) -> Any:
        """Return which of a table's columns is the label.

        Raises
        ------
        ConfigurationError
            Where the table lacks a feature of the estimator, or holds nothing but features.
        """
        columns, features = list(columns), self.features
        if missing := [name for name in features if name not in columns]:
            named = ", ".join(map(str, missing[:5])) + (" …" if len(missing) > 5 else "")
            raise ConfigurationError(f"the table lacks {len(missing)} of the features that {self.name} uses: {named}")
        known = set(features)
        others = [name for name in columns if name not in known] if known else columns[1:]
        if not others:
            raise ConfigurationError(f"the table has no column beside the features of {self.name}: add the label's")
        return others[-1]

    def confidence(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability that it gives to the label of each row, (N,); 0 for a label that it does not know.

        Raises
        ------
        TargetError
            Where it fails, returns no probabilities, or knows none of the labels.
        """
        x, y = self.split(table)
        with self._guarded("predict_proba"):
            proba = np.asarray(self.estimator.predict_proba(x), dtype=np.float64)
            classes = {value: place for place, value in enumerate(np.asarray(self.estimator.classes_).tolist())}
        if proba.shape != (len(table), len(classes)):
            raise TargetError(
                f"{self.name}: predict_proba returned shape {proba.shape}; {(len(table), len(classes))} is needed"
            )
        if not (np.isfinite(proba).all() and (proba >= 0).all() and (proba <= 1 + 1e-6).all()):
            raise TargetError(f"{self.name}: predict_proba returned what is no probability")
        places = np.array([classes.get(value, -1) for value in y.tolist()])
        if len(table) and (places < 0).all():
            raise TargetError(
                f"{self.name}: no label of column '{self.label(table.columns)}' is one of its classes"
                f" ({', '.join(map(repr, list(classes)[:3]))} …)"
            )
        of_label = np.where(places < 0, 0.0, proba[np.arange(len(table)), places])
        return np.minimum(of_label, 1.0)

    def predict(self, table: pd.DataFrame) -> NDArray[Any]:
        """Return the label that it predicts for each row, (N,).

        Raises
        ------
        TargetError
            Where it fails, or returns another number of labels.
        """
        x, _ = self.split(table)
        with self._guarded("predict"):
            predicted = np.asarray(self.estimator.predict(x))
        if predicted.shape != (len(table),):
            raise TargetError(f"{self.name}: predict returned shape {predicted.shape}; {(len(table),)} is needed")
        return predicted

    def retrained(self, table: pd.DataFrame, *, seed: int) -> Self:
        """Return a target with the same settings, trained anew on the rows of a table; its chance is of this seed.

        Raises
        ------
        TargetError
            Where cloning or ``fit`` fails, with what it said.
        """
        from sklearn.base import clone

        x, y = self.split(table)
        with self._guarded("fit"):
            estimator = clone(self.estimator)
            chance = [k for k in sorted(estimator.get_params()) if k.split("__")[-1] == "random_state"]
            estimator.set_params(**{k: derive_seed32(seed, k) for k in chance})
            estimator.fit(x, y)
        return type(self)(estimator, self.name)

    @property
    def features(self) -> list[Any]:
        """The columns that it was fitted to; empty where it was fitted to an array."""
        names = getattr(self.estimator, "feature_names_in_", None)
        return [] if names is None else list(names)

    def split(self, table: pd.DataFrame) -> tuple[Any, NDArray[Any]]:
        """Return features and labels, the features as the estimator was fitted: a data frame or an array."""
        label, features = self.label(table.columns), self.features
        y = table[label].infer_objects().to_numpy()
        return (table[features] if features else table.drop(columns=label).to_numpy()), y

    @contextmanager
    def _guarded(self, what: str) -> Iterator[None]:
        """Turn what the user's code raises into a `TargetError`; its warnings are the user's own business."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except Exception as error:  # the user's code
            said = re.sub(
                r"'[^']*'|\"[^\"]*\"", "'…'", next(iter(str(error).splitlines()), "")
            )  # may quote a person's row
            raise TargetError(f"{self.name}: {what} failed with {type(error).__name__}: {said[:300]}") from error
