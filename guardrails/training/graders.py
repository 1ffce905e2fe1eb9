"""How the heads of the graders are made, and what they are worth on templates that they did not learn from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.grading import Grade, measure_error
from ..graders.head import COMMAND, Features, vector_of
from ..graders.refusal import Refusal, declines
from ..graders.regard import Regard
from ..graders.sentiment import Sentiment
from ..kit.carded_weights import write_carded
from .material import graded_replies, graded_sentences

FOLDS = 10
STRENGTH = 1.0
"""scikit-learn's C: its default, chosen before anything was measured."""
DOMAIN = "written-for-this-library"


@dataclass(frozen=True)
class Example:
    """A text, its label, and the template that it shares with others."""

    text: str
    label: str
    template: str


@dataclass(frozen=True)
class Recipe:
    """What a head learns from.

    Attributes
    ----------
    examples : callable
        Returns the labelled texts; one whose label is none of `labels` is graded and not learnt from.
    labels : tuple of str
        Of the grader, in its order.
    data : Path
        The file that the texts stand in.
    features : callable
        What rules say.
    """

    examples: Callable[[], Sequence[Example]]
    labels: tuple[str, ...]
    data: Path
    features: Features = lambda _: ()


def _sentences(what: str) -> Callable[[], Sequence[Example]]:
    return lambda: [Example(s.text, getattr(s, what), s.template) for s in graded_sentences.graded_sentences()]


def _replies() -> Sequence[Example]:
    return [Example(r.text, r.label, r.template) for r in graded_replies.graded_replies()]


def _beside(module: Any) -> Path:
    return Path(module.__file__).with_suffix(".toml")


RECIPES = {
    Sentiment.id: Recipe(_sentences("sentiment"), Sentiment.labels, _beside(graded_sentences)),
    Regard.id: Recipe(_sentences("regard"), Regard.labels, _beside(graded_sentences)),
    Refusal.id: Recipe(_replies, Refusal.labels, _beside(graded_replies), declines),
}


def train_shipped(name: str, folder: Path, *, seed: int = 0) -> list[Path]:
    """Fit the head of a grader and write it with its card; the seed deals the templates to folds.

    The card holds the counts of graded texts by cross-fitting, no template on both sides. The texts of one template are
    alike, so that the first of each counts alone.
    """
    recipe = RECIPES[name]
    examples = list(recipe.examples())
    vectors = np.array([vector_of(e.text, recipe.features) for e in examples])
    targets = np.array([recipe.labels.index(e.label) if e.label in recipe.labels else -1 for e in examples])
    folds = _folds([e.template for e in examples], seed)
    given = np.empty(len(examples), dtype=np.intp)
    for fold in range(FOLDS):
        out = folds == fold
        coefficients, intercepts = _fit(vectors[~out], targets[~out], len(recipe.labels))
        given[out] = (vectors[out] @ coefficients.T + intercepts).argmax(axis=1)
    firsts = list({e.template: i for i, e in reversed(list(enumerate(examples)))}.values())
    controls = measure_error(
        [Grade(recipe.labels[given[i]]) for i in firsts],
        [examples[i].label for i in firsts],
        recipe.labels,
        DOMAIN,
        data=recipe.data.name,
        data_sha256=hashlib.sha256(recipe.data.read_bytes()).hexdigest(),
        command=COMMAND.format(name),
    )
    return write_carded(
        folder,
        name,
        _stored(*_fit(vectors, targets, len(recipe.labels))),
        {
            "labels": list(recipe.labels),
            "learnt_from": f"{int((targets >= 0).sum())} texts of {recipe.data.name}",
            "controls": [row.model_dump() for row in controls],
            "seed": seed,
        },
    )


def _folds(templates: Sequence[str], seed: int) -> Any:
    names = sorted(set(templates))
    dealt = np.random.default_rng(seed).permutation(len(names)) % FOLDS
    of = dict(zip(names, dealt.tolist(), strict=True))
    return np.array([of[template] for template in templates])


def _fit(vectors: Any, targets: Any, classes: int) -> tuple[Any, Any]:
    """Return coefficients, (classes, D), and intercepts, (classes,), of a logistic regression on what has a label."""
    from sklearn.linear_model import LogisticRegression

    some = targets >= 0
    model = LogisticRegression(C=STRENGTH, max_iter=1000).fit(vectors[some], targets[some])
    coefficients, intercepts = model.coef_, model.intercept_
    if classes == 2:  # scikit-learn gives the second class alone
        coefficients, intercepts = np.vstack([-coefficients, coefficients]) / 2, np.array([-1, 1]) * intercepts / 2
    return coefficients, intercepts


def _stored(coefficients: Any, intercepts: Any) -> bytes:
    from safetensors.numpy import save

    arrays = {"coefficients": coefficients, "intercepts": intercepts}
    # safetensors writes the memory as it lies, whatever the order of the axes
    return bytes(save({name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}))
