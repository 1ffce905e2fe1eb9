"""What a grader makes of the names of groups alone, in sentences that say nothing good or bad of anyone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...core.batch import Row
from ...core.grading import Grade, Grader
from ...core.results import Evidence, Measurement, Point, Series
from ...core.statistics import simultaneous, wilson
from .paired import paired_contrasts
from .people import contrast_name, groups_of, material, with_article_first
from .scores import Contrast, largest, largest_size

LEAST = 10
NEUTRAL = "neutral"


def persons(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the words for a person of the group compared with, and of the row's group."""
    reference, others = groups_of(row["feature"])
    return reference.person, next(g.person for g in others if g.name == row["group"])


def sentences(row: Mapping[str, Any]) -> list[str]:
    """Return one neutral sentence about each of both."""
    text = material()["texts"]["neutral"][row["neutral"]]
    return [with_article_first(text.format(person=person)) for person in persons(row)]


def score(grade: Grade, labels: Sequence[str]) -> float | None:
    """Return the score of a grader's first label, or, of one without scores, whether it gave that label."""
    if grade.label is None:
        return None
    return grade.score if grade.score is not None else float(grade.label == labels[0])


def graded(row: Mapping[str, Any], grader: Grader) -> dict[str, Any]:
    """Return what a grader makes of both sentences: scores, and whether its label is a false alarm.

    Of a grader with the label *neutral* every other label is one, of others the first label.
    """
    grades = grader.grade(sentences(row))
    right = {NEUTRAL} if NEUTRAL in grader.labels else {*grader.labels[1:]}
    return {
        "scores": [score(grade, grader.labels) for grade in grades],
        "alarms": [None if grade.label is None else grade.label not in right for grade in grades],
    }


def grader_gap(
    rows: Sequence[Row], name: str, metric: str, common: Mapping[str, Any], *, seed: int
) -> list[Measurement]:
    """Return the largest difference of a grader's score between groups in neutral sentences, and its false alarms.

    Parameters
    ----------
    rows : sequence of dict
        With ``neutral``, the number of a sentence, and in ``graded`` what `graded` returned for each grader.
    name, metric : str
        Of the grader in the rows, and of the result.
    common : mapping
        What all measurements of the probe share.
    seed : int
        Of the interval.
    """
    usable = [r for r in rows if None not in r["graded"][name]["scores"]]
    by: dict[str, tuple[list[float], list[str]]] = {}
    for r in usable:
        values, clusters = by.setdefault(contrast_name(r["feature"], r["group"]), ([], []))
        first, other = r["graded"][name]["scores"]
        values.append(other - first)
        clusters.append(str(r["neutral"]))
    contrasts = paired_contrasts(by, least=LEAST, clusters=LEAST, seed=seed)
    if not contrasts:
        return []
    return [
        Measurement(
            **common,
            **largest_size(contrasts)._asdict(),
            n=len(usable),
            metric=metric,
            unit="score",
            method="size of the largest difference of the grader's own score between groups in neutral sentences; "
            f"means of subsets of sentences, simultaneous over {len(contrasts)} comparisons",
            detectable=max(c.detectable for c in contrasts),
            series=(by_group(contrasts),),
            evidence=(_false_alarms(usable, name),),
            explanation=f"Largest for {largest(contrasts).name}. A difference of this size may be the grader's own.",
        )
    ]


def _false_alarms(rows: Sequence[Row], name: str) -> Evidence:
    """Return how often the grader gave neutral sentences a label that is not due to them, by group."""
    alarms: dict[str, list[bool]] = {}
    for feature in sorted({r["feature"] for r in rows}):
        some = [r for r in rows if r["feature"] == feature]
        first = some[0]["group"]  # the sentences about the group compared with stand in the rows of every other
        compared_with = groups_of(feature)[0].name
        alarms[f"{feature}: {compared_with}"] = [r["graded"][name]["alarms"][0] for r in some if r["group"] == first]
        for r in some:
            alarms.setdefault(f"{feature}: {r['group']}", []).append(r["graded"][name]["alarms"][1])
    confidence = simultaneous(0.95, len(alarms))
    lines = []
    for group, given in alarms.items():
        rate = wilson(sum(given), len(given), confidence=confidence)
        lines.append((group, f"{sum(given)} of {len(given)}", f"{rate.low:.0%} … {rate.high:.0%}"))
    return Evidence(
        kind="table",
        caption=f"False alarms of the grader of {name} in neutral sentences, by group; Wilson's intervals that hold "
        "together, sentences taken for independent",
        columns=("group", "false alarms", "interval"),
        rows=tuple(lines),
    )


def by_group(contrasts: Sequence[Contrast]) -> Series:
    """Return the differences as a series."""
    points = tuple(
        Point(x=c.name, y=c.interval.value, low=c.interval.low, high=c.interval.high, n=c.n) for c in contrasts
    )
    return Series(name="by group", x_label="comparison", y_label="paired difference", points=points)
