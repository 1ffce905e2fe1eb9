"""How large a share of outputs, and of held-out passages, hold a run of the corpus that counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...core.batch import Row
from ...core.results import Baseline, Measurement, Series
from ...core.statistics import Interval, smallest_detectable_rate, wilson
from . import letter_runs
from .passages import bounds, clustered, difference, rate_point
from .shared_runs import COMMON, RUN

MINIMUM = 20
HELD_OUT = "the same rate for passages that the model was not trained on, cut to the outputs' lengths"
LENGTHS = (10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1000)


def counts(row: Row) -> bool:
    """Return whether a text holds a run that counts."""
    return bool(row["length"] >= RUN and not row["prompted"])


def rate_of(rows: Sequence[Row], confidence: float, seed: int) -> tuple[Interval, str]:
    """Return the share of outputs with a run, and which interval: outputs of one prompt are no independent ones."""
    hit, prompts = [counts(r) for r in rows], [r.get("prompt") for r in rows]
    if None in prompts or len(set(prompts)) == 1:
        return wilson(sum(hit), len(hit), confidence=confidence), "Wilson interval"
    how = "Wilson interval" if len(set(prompts)) == len(prompts) else "cluster bootstrap by prompt"
    return clustered(hit, prompts, confidence=confidence, seed=seed), how


def held_out_rate(rows: Sequence[Row], confidence: float, seed: int) -> Interval:
    """Return the same share of held-out passages; those of one document are no independent ones."""
    documents = [r["item"].split(":")[1] for r in rows]
    return clustered(list(map(counts, rows)), documents, confidence=confidence, seed=seed)


def bounds_of(rate: Interval, baseline: Interval | None) -> dict[str, Any]:
    """Return a rate from the least of it that is none of new documents' to the most that it may be.

    Which of the runs a new document would have held is not known: all of them are copies, or those beyond the baseline.
    """
    low = max(0.0, difference(rate, baseline).low) if baseline else rate.low
    return {"value": rate.value, "low": min(low, rate.low), "high": rate.high}


def method_of(interval: str, baseline: Interval | None) -> str:
    """Say how the interval of a rate came about, and what does not count."""
    if baseline is None:
        return interval
    return (
        f"characters in runs of {COMMON} that other documents of the holdout hold do not count; {interval}, its lower"
        " end that of outputs minus held-out passages"
    )


def normalised_overlap(
    rows: Sequence[Row], common: Mapping[str, Any], *, confidence: float, seed: int
) -> list[Measurement]:
    """Return the share of outputs with a run of letters and digits, whatever stands between them."""
    arms = {
        arm: [
            {"item": row["item"], "prompt": row.get("prompt"), "length": row["letters"][1], "prompted": False}
            for row in rows
            if row["arm"] == arm and row.get("letters", [0])[0] >= RUN
        ]
        for arm in ("outputs", "holdout")
    }
    outputs, n, held = arms["outputs"], len(arms["outputs"]), len(arms["holdout"])
    shared: dict[str, Any] = dict(common) | {"metric": "normalised_overlap", "n": n}
    if n < MINIMUM:
        reason = f"{n} outputs of at least {RUN} letters and digits; at least {MINIMUM} are needed"
        if any(row["arm"] == "outputs" and "size" in row and "letters" not in row for row in rows):
            too_large = f"the corpus or the holdout has more than {letter_runs.MOST:,} characters"
            reason = f"{too_large}: only verbatim runs were looked for"
        return [Measurement(**shared, value=None, reason=reason, method="none", needed=MINIMUM)]
    rate, interval = rate_of(outputs, confidence, seed)
    baseline = held_out_rate(arms["holdout"], confidence, seed) if held >= MINIMUM else None
    hits = sum(map(counts, outputs))
    return [
        Measurement(
            **shared,
            **bounds_of(rate, baseline),
            method=f"longest run of letters and digits of each output in the whole corpus, in lower case and without"
            " white space, punctuation, tags, entities and the number or time that a line begins with, at least"
            f" {RUN}; {method_of(interval, baseline)}",
            baseline=Baseline(what=HELD_OUT, n=held, **bounds(baseline)) if baseline else None,
            detectable=smallest_detectable_rate(n, baseline=baseline.value if baseline else 0.0),
            explanation=f"{hits} of {n} outputs hold a run of at least {RUN} letters and digits of a training document"
            " in any case, punctuation and markup, with or without line numbers and time stamps.",
        )
    ]


def survival(arm: str, rows: Sequence[Row]) -> Series:
    """Return the share of texts whose longest run has at least x characters."""
    points = tuple(rate_point(x, [r["length"] >= x for r in rows]) for x in LENGTHS)
    return Series(name=arm, x_label="characters of the longest run, at least", y_label="share of texts", points=points)
