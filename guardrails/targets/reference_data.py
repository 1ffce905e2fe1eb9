"""Reference generators together with the data that an auditor of each would have."""

from __future__ import annotations

import hashlib
from typing import Any

from generators.base import find_generator, stem

from ..core.errors import ConfigurationError
from ..core.subject import Subject
from .embeddings import PlantedVectors
from .estimator import EstimatorTarget
from .labelled_pictures import labelled_subject
from .private_classifier import PrivateClassifier, PrivatelyTrained
from .reference import DecidedTable, load, load_real, parse
from .reference_chat import ReferenceChatTarget

REFERENCE_ITEMS = 1000
LEAF = {0.0: 200, 0.25: 25, 0.5: 5, 1.0: 1}
"""By the dose of `overfit`: the fewest training rows in a leaf of a classifier's trees."""
TREES = 20
UNPLANTED = 300
"""Canaries that were not planted, beside those that were."""


def reference_subject(spec: str, *, reference_items: int = REFERENCE_ITEMS) -> Subject:
    """Return a reference generator together with the data that an auditor of it would have.

    Parameters
    ----------
    spec : str
        ``reference:gpt-text,memorize=1``, with or without the scheme; ``real:gan-art``; or
        ``canaries:gpt-text,memorize=1``: the same model, with its canaries for corpus and others for holdout; or
        ``reference:vectors,association=1``: embeddings with a planted association; or
        ``decisions:tabular,group_bias=1``: the rows of a generator of tables as decisions about groups; or
        ``classifier:tabular,overfit=1`` or ``classifier:tabular,private=1``: a classifier trained on the corpus of a
        generator of tables; or
        ``labelled:gan-art,collapse=1``: paintings whose styles are known, with a model that reads them.
    reference_items : int
        How many fresh items of the law that it should have learnt.

    Returns
    -------
    Subject
        With the corpus it was trained on, a holdout of the same law, and reference items. The data are the same at
        each dose and run.
    """
    if spec.startswith("canaries:"):
        return _canaries(spec.removeprefix("canaries:"))
    if spec.startswith("decisions:"):
        return _decisions(spec.removeprefix("decisions:"))
    if spec.startswith("classifier:"):
        return _classifier(spec.removeprefix("classifier:"))
    if spec.startswith("labelled:"):
        return labelled_subject(*parse(spec.removeprefix("labelled:")))
    target = load_real(spec.removeprefix("real:")) if spec.startswith("real:") else load(spec)
    if isinstance(target, ReferenceChatTarget | PlantedVectors):
        return Subject(target)
    generator = target.generator
    name = generator.name
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    return Subject(
        target=target,
        corpus=_shared(f"corpus of {name}", generator.training_items()),
        holdout=_shared(f"holdout of {name}", generator.holdout_items()),
        reference=generator.reference_items(reference_items, seed=seed),
        data_names={kind: f"{kind} items of {name}" for kind in ("corpus", "holdout", "reference")},
    )


_LATEST: dict[str, Any] = {}


def _shared(what: str, items: Any) -> Any:
    """Return items, or the equal ones of the last call: then an index that a probe built of them serves two doses."""
    import numpy as np

    last = _LATEST.get(what)
    if not (
        isinstance(items, list)
        and isinstance(last, list)
        and len(items) == len(last)
        and all(np.array_equal(one, other) for one, other in zip(items, last, strict=True))
    ):
        last = _LATEST[what] = items
    return last


def _canaries(spec: str) -> Subject:
    """Return a reference generator with the canaries that `memorize` plants, each as often as it plants them."""
    from generators.gpt_text.canaries import unplanted

    target = load(spec)
    generator = target.generator
    if not hasattr(generator, "canaries"):
        raise ConfigurationError(f"canaries:{spec}: {generator.name} has no canaries")
    return Subject(
        target=target,
        corpus=[canary.text for canary in generator.canaries() for _ in range(canary.repetitions)],
        holdout=[canary.text for canary in unplanted(UNPLANTED)],
        data_names={"corpus": f"canaries of {generator.name}", "holdout": "canaries that were not planted"},
    )


def _decisions(spec: str) -> Subject:
    """Return a reference generator of applicants, whose rows say which decision was made and what it should have been.

    It brings no other data: each row is fresh.
    """
    name, settings = parse(spec)
    generator = find_generator(name).load(**settings)
    if name != "tabular":
        raise ConfigurationError(f"decisions:{spec}: only tabular makes decisions about groups")
    return Subject(target=DecidedTable(name, settings, generator))


def _classifier(spec: str) -> Subject:
    """Return a classifier that tells the last column of a reference generator's corpus from the others.

    It is a small forest whose dial is `overfit`: at dose 1 its trees grow until each leaf holds rows of one label, at 0
    each holds 200 rows. With `private` at 1 it is a network that was trained with differential privacy.
    """
    name, settings = parse(spec)
    private, dose = settings.pop("private", 0.0), settings.pop("overfit", 0.0)
    if find_generator(name).modality != "table" or dose not in LEAF or private not in (0, 1) or (private and dose):
        raise ConfigurationError(
            f"classifier:{spec}: give a generator of tables, and overfit of {[*LEAF]} or private=1"
        )
    generator = find_generator(name).load(**settings)
    corpus: Any = generator.training_items()
    target: EstimatorTarget
    if private:
        estimator = PrivateClassifier.load(stem(name, {**settings, "private": 1.0}))
        target = PrivatelyTrained(estimator, f"classifier:{spec}")
    else:
        target = EstimatorTarget(_forest(corpus, LEAF[float(dose)]), f"classifier:{spec}")
    return Subject(
        target=target,
        corpus=corpus,
        holdout=generator.holdout_items(),
        data_names={kind: f"{kind} items of {name}" for kind in ("corpus", "holdout")},
    )


def _forest(corpus: Any, leaf: int) -> Any:
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    numbers = make_column_transformer(
        (OrdinalEncoder(), make_column_selector(dtype_exclude="number")), remainder="passthrough"
    )
    forest = ExtraTreesClassifier(TREES, min_samples_leaf=leaf, random_state=0)
    label = corpus.columns[-1]
    return make_pipeline(numbers, forest).fit(corpus.drop(columns=label), corpus[label])
