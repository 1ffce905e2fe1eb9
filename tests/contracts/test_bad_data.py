"""Bad input, whole: what every probe of memory, membership and privacy says of data that nobody should give it.

Each case goes through the run of an audit, but for the controls, and ends in numbers with intervals or in a reason.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from guardrails.assay.audit import run, scope
from guardrails.assay.audit.orchestrator import run_audit
from guardrails.core.errors import ConfigurationError
from guardrails.core.probe import Budget, Probe
from guardrails.core.registry import load_probe, probes
from guardrails.core.results import ControlOutcome, Finding, Measurement
from guardrails.core.targets import Access, Modality
from guardrails.targets.estimator import EstimatorTarget

from ..memorization.word_model import Words

FAMILIES = ("memorization", "membership", "privacy")
NAMES = [name for name in probes() if name.split(".")[0] in FAMILIES]
FEATURES = ["age", "income"]
MANY = 260
FAST = ("one-document", "one-picture", "one-row", "holdout-is-corpus")
WITHOUT_HOLDOUT = {"memorization.cliques"}
"""Outputs are held against each other: the holdout, of whatever pictures, says how alike real ones are."""
SHARED = r"(holdout|held-out)[^.]*\bin the corpus|in the corpus \(\d+ are\) can be read in the holdout"
"""How a finding names what the holdout and the corpus share."""

# What is audited


class Model(Words):
    """Writes given texts, and has a log-probability for every word: a constant, or one that is drawn."""

    name, available = "model", None
    access = frozenset({Access.OUTPUTS, Access.SAMPLING, Access.LOGPROBS})

    def __init__(self, texts: Sequence[str], *, constant: bool = False) -> None:
        super().__init__()
        self.texts, self.constant = list(texts), constant

    def continue_tokens(self, prefixes: Sequence[Sequence[int]], *, n: int) -> list[list[int]]:
        return [[0] * n for _ in prefixes]

    def token_logprobs(self, sequences: Sequence[Sequence[int]]) -> list[Any]:
        if self.constant:
            return [np.full(max(0, len(s) - 1), -1.0) for s in sequences]
        return [-np.random.default_rng(list(s) or [0]).gamma(2, 1, max(0, len(s) - 1)) for s in sequences]

    def sample_texts(self, n: int, *, seed: int, max_new_tokens: int = 64) -> list[str]:
        return [self.texts[(seed + i) % len(self.texts)] for i in range(n)]

    def generate(
        self, prompts: Sequence[str], *, max_new_tokens: int, temperature: float = 1.0, seed: int = 0
    ) -> list[str]:
        return self.sample_texts(len(prompts), seed=seed)


class Maker:
    """Makes given pictures, or rows of a given table."""

    name = "maker"
    access = frozenset({Access.OUTPUTS})

    def __init__(self, made: Any) -> None:
        self.made, self.available = made, len(made)
        self.modality = Modality.TABLE if isinstance(made, pd.DataFrame) else Modality.IMAGE

    def identity(self) -> dict[str, str]:
        return {}

    def sample_images(self, n: int, *, seed: int) -> list[Any]:
        return list(self.made[:n])

    def sample_rows(self, n: int, *, seed: int) -> pd.DataFrame:
        return self.made.iloc[:n].reset_index(drop=True)


# Data that are as they should be


def prose(n: int, name: str) -> list[str]:
    rng = Random(name)
    words = [f"word{i}" for i in range(200)]
    return [
        " ".join(rng.choices(words, k=60)) + f" code {rng.randrange(10**4, 10**5)} mail u{rng.randrange(10**6)}"
        "@example.org now " + " ".join(rng.choices(words, k=30))
        for _ in range(n)
    ]


def melodies(n: int, name: str) -> list[str]:
    rng = Random(name)
    return [f"X:{i}\nL:1/8\nK:C\n" + "".join(rng.choices("CDEFGABcdefgab", k=30)) + "|" for i in range(n)]


def molecules(n: int, name: str) -> list[str]:
    rng = Random(name)
    return ["C" + "".join(rng.choices(["C", "N", "O", "C(C)", "C(=O)", "CC(N)"], k=9)) for _ in range(n)]


def levels(n: int, name: str) -> list[str]:
    rng = Random(name)
    return ["\n".join("".join(rng.choices("#.ox", k=9)) for _ in range(8)) for _ in range(n)]


def pictures(n: int, seed: int, size: int = 32) -> list[Any]:
    coarse = np.random.default_rng(seed).integers(0, 255, (n, 4, 4, 3))
    return [np.kron(c, np.ones((size // 4, size // 4, 1))).astype(np.uint8) for c in coarse]


def people(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, n)
    return pd.DataFrame(
        {
            "age": age,
            "income": np.round(rng.normal(30_000 + 100 * age, 9_000, n)),
            "city": rng.choice(["Ulm", "Bonn", "Jena", "Gera"], n),
            "married": rng.random(n) < 0.4,
        }
    )


KINDS: dict[str, Callable[[int, str], list[str]]] = {
    "memorization.melodies": melodies,
    "memorization.molecules": molecules,
    "memorization.levels": levels,
}

# Cases: what is wrong with the corpus, the holdout or the outputs

Case = tuple[Any, Any, Any]
"""Target, corpus, holdout."""


def text_cases(kind: Callable[[int, str], list[str]]) -> dict[str, Case]:
    corpus, holdout, fresh = kind(MANY, "c"), kind(MANY, "h"), kind(MANY, "f")
    one, model = corpus[:1], Model(fresh)
    odd = ["\ud83d" + text + "\0😀" for text in corpus]
    return {
        "one-document": (model, one, holdout),
        "one-held-out-document": (model, corpus, holdout[:1]),
        "one-of-each": (model, one, holdout[:1]),
        "one-document-many-times": (model, one * MANY, holdout),
        "one-long-document": (model, ["\n\n".join(corpus)], ["\n\n".join(holdout)]),
        "tiny-documents": (model, ["a"] * 30 + ["b c"], ["d", "e f"] * 20),
        "outputs-shorter-than-a-match": (Model(["", "a", " ", "b c"]), corpus, holdout),
        "one-output-again-and-again": (Model(fresh[:1]), corpus, holdout),
        "constant-scores": (Model(fresh, constant=True), corpus, holdout),
        "holdout-is-corpus": (model, corpus, list(corpus)),
        "holdout-overlaps": (model, corpus, corpus[: MANY // 2] + holdout[: MANY // 2]),
        "odd-characters": (Model(odd), odd, ["\ud83d" + text for text in holdout]),
        "not-of-its-kind": (Model(["?? !!"] * 9), ["?? !!" + "." * i for i in range(MANY)], ["!? " * 40] * MANY),
    }


def image_cases() -> dict[str, Case]:
    corpus, holdout, fresh = pictures(150, 1), pictures(150, 2), pictures(300, 3)
    grey = [np.full((32, 32, 3), 128, np.uint8)] * 150
    flat = [[p[..., 0] for p in some] for some in (fresh, corpus, holdout)]
    return {
        "one-picture": (Maker(fresh), corpus[:1], holdout),
        "one-held-out-picture": (Maker(fresh), corpus, holdout[:1]),
        "one-output": (Maker(fresh[:1]), corpus, holdout),
        "all-alike": (Maker(grey * 2), grey, grey),
        "pictures-of-one-pixel": (Maker([p[:1, :1] for p in fresh]), [p[:1, :1] for p in corpus], holdout),
        "grey-pictures": (Maker(flat[0]), flat[1], flat[2]),
        "many-sizes": (Maker(fresh), [p[: 8 + i % 24] for i, p in enumerate(corpus)], holdout),
        "constant-outputs": (Maker(grey * 2), corpus, holdout),
        "holdout-is-corpus": (Maker(fresh), corpus, list(corpus)),
        "holdout-overlaps": (Maker(fresh), corpus, corpus[:75] + holdout[:75]),
    }


def table_cases(target: Callable[[pd.DataFrame, pd.DataFrame], Any]) -> dict[str, Case]:
    corpus, holdout, made = people(400, 1), people(400, 2), people(500, 3)
    blank, constant = corpus.assign(age=np.nan, city=None), corpus.assign(age=1, income=2, city="Ulm")
    sparse = corpus.assign(income=corpus["income"].where(corpus.index % 3 == 0))

    def case(synthetic: pd.DataFrame, real: pd.DataFrame, held: pd.DataFrame) -> Case:
        return target(synthetic, real), real, held

    return {
        "one-row": case(made, corpus[:1], holdout),
        "one-held-out-row": case(made, corpus, holdout[:1]),
        "one-synthetic-row": case(made[:1], corpus, holdout),
        "no-rows": case(made, corpus, holdout[:0]),
        "other-columns": case(made, corpus, holdout.rename(columns={"age": "years", "married": "wed"})),
        "nothing-in-common": case(made.add_prefix("x_"), corpus, holdout),
        "one-column": case(made[["age"]], corpus[["age"]], holdout[["age"]]),
        "all-missing-columns": case(made.assign(age=np.nan, city=None), blank, holdout.assign(age=np.nan, city=None)),
        "missing-in-the-holdout": case(made, corpus, holdout.assign(age=np.nan, city=None)),
        "gaps": case(made, sparse, holdout),
        "constant-columns": case(made.assign(age=1, income=2, city="Ulm"), constant, constant),
        "one-class-only": case(made.assign(married=True), corpus.assign(married=True), holdout.assign(married=True)),
        "another-kind-of-value": case(made, corpus, holdout.assign(age=holdout["age"].astype(str) + " years")),
        "infinite-values": case(made, corpus.assign(income=np.inf), holdout),
        "lists-in-cells": case(made, corpus.assign(city=[[1, 2]] * len(corpus)), holdout),
        "all-rows-alike": case(made[:1].sample(500, replace=True), corpus[:1].sample(400, replace=True), holdout),
        "holdout-is-corpus": case(made, corpus, corpus.copy()),
        "holdout-overlaps": case(made, corpus, pd.concat([corpus[:200], holdout[:200]], ignore_index=True)),
    }


def classifier(made: pd.DataFrame, corpus: pd.DataFrame) -> Any:
    """Return a classifier fitted to people, whatever is given; where that cannot be, one of one class."""
    good = people(400, 1)
    return EstimatorTarget(LogisticRegression(max_iter=200).fit(good[FEATURES], good["married"]), "classifier")


CASES: dict[str, dict[str, Case]] = {
    "prose": text_cases(prose),
    "image": image_cases(),
    "table": table_cases(lambda made, corpus: Maker(made)),
    "classifier": table_cases(classifier),
    **{name: text_cases(kind) for name, kind in KINDS.items()},
}


def cases_of(probe: Probe) -> str:
    if Modality.TABLE in probe.modalities and Access.OUTPUTS not in probe.requires:
        return "classifier"
    if probe.id in KINDS:
        return probe.id
    return "prose" if Modality.TEXT in probe.modalities else str(min(probe.modalities))


EVERY = [
    pytest.param(name, case, id=f"{name}-{case}", marks=() if case in FAST else pytest.mark.slow)
    for name in NAMES
    for case in CASES[cases_of(load_probe(name))]
]


@pytest.fixture(autouse=True)
def _without_controls(monkeypatch: pytest.MonkeyPatch) -> None:
    def known(probe: Probe, control: Any) -> ControlOutcome:
        return ControlOutcome(source=control.source, expected=control.expected, observed=control.expected, n=1)

    def plan(self: scope.Scope, assay: Any) -> Any:
        return assay.probe.plan(assay.subject(), Budget.CONTROL, seed=0)

    monkeypatch.setattr(run, "cached_outcome", known)
    monkeypatch.setattr(scope.Scope, "plan", plan)


def said(finding: Finding) -> str:
    """Return all words of a finding, but for those that every finding of its probe has."""
    measured = [m for m in (finding.measurement, *finding.details) if m]
    return " ".join([finding.reason or "", *(f"{m.reason or ''} {m.explanation}" for m in measured)])


def numbers(m: Measurement) -> Iterator[float]:
    yield from (x for x in (m.value, m.low, m.high, m.detectable) if x is not None)
    for point in (p for series in m.series for p in series.points):
        yield from (x for x in (point.y, point.low, point.high) if x is not None)


def audited(name: str, case: Case, folder: Path) -> list[Finding]:
    target, corpus, holdout = case
    try:
        result, _ = run_audit(target, corpus=corpus, holdout=holdout, probes=[name], budget="quick", out=folder / "run")
    except ConfigurationError as error:
        pytest.skip(f"refused before the run: {error}")
    log = folder / "run" / "errors.log"
    assert not log.exists(), log.read_text()
    return list(result.findings)


@pytest.mark.parametrize(("name", "case"), EVERY)
def test_bad_data_end_in_a_reason_or_in_a_number_with_its_interval(name: str, case: str, tmp_path: Path) -> None:
    findings = audited(name, CASES[cases_of(load_probe(name))][case], tmp_path)
    assert findings
    for finding in findings:
        measured = [m for m in (finding.measurement, *finding.details) if m]
        assert measured or finding.reason
        for m in measured:
            assert all(map(math.isfinite, numbers(m)))
            assert (m.value is None) == bool(m.reason)
    words = " ".join(map(said, findings))
    assert "broke" not in words
    assert "nan" not in words.lower().split()
    if case.startswith("holdout-") and name not in WITHOUT_HOLDOUT:
        assert re.search(SHARED, words), words
