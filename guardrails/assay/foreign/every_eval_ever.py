"""Records of every-eval-ever: one JSON document with ``evaluation_results``."""

from __future__ import annotations

from typing import Any

from .reading import ForeignReading, ForeignResult, array, count, number, table, words

KNOWN = ("0.1.", "0.2.", "0.3.")


def is_every_eval_ever(document: Any) -> bool:
    """Whether a JSON document is a record of every-eval-ever."""
    return isinstance(document, dict) and {"schema_version", "evaluation_results"} <= document.keys()


def read(document: dict[str, Any]) -> ForeignResult:
    """Return each score; without a number of samples or a standard error it has no interval."""
    source = table(document.get("source_metadata"))
    model = table(document.get("model_info"))
    readings = []
    for row in map(table, array(document.get("evaluation_results"))):
        details, config = table(row.get("score_details")), table(row.get("metric_config"))
        uncertainty = table(details.get("uncertainty"))
        error = uncertainty.get("standard_error")
        stderr = number(table(error).get("value")) if isinstance(error, dict) else number(error)
        n = count(uncertainty.get("num_samples")) or 0
        lower = config.get("lower_is_better")
        remarks = () if isinstance(lower, bool) else ("the record does not say whether higher is better: taken so",)
        readings.append(
            ForeignReading(
                words(row.get("evaluation_name")),
                words(config.get("evaluation_description"), "score"),
                number(details.get("score")),
                n,
                lower is True,
                stderr=stderr or None,
                remarks=remarks,
                interval=_interval(table(uncertainty.get("confidence_interval"))),
            )
        )
    tool = words(source.get("source_organization_name"), "every-eval-ever")
    return ForeignResult(
        "every-eval-ever",
        words(document.get("schema_version")),
        words(model.get("id"), words(model.get("name"))),
        tuple(readings),
        words(document.get("evaluation_timestamp"), ""),
        remarks=(f"the scores are those that {tool} reported",),
    )


def _interval(stated: dict[str, Any]) -> tuple[float, float, float] | None:
    low, high, level = (number(stated.get(name)) for name in ("lower", "upper", "confidence_level"))
    if low is None or high is None or level is None or not (low < high and 0 < level < 1):
        return None
    return low, high, level
