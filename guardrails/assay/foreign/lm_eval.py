"""Results of lm-evaluation-harness: ``results_<time>.json``, with ``metric,filter`` and ``metric_stderr,filter``."""

from __future__ import annotations

from typing import Any

from .reading import ForeignReading, ForeignResult, count, number, table, words


def is_lm_eval(document: Any) -> bool:
    """Whether a JSON document is a result of lm-evaluation-harness."""
    return isinstance(document, dict) and {"results", "configs", "versions"} <= document.keys()


def read(document: dict[str, Any]) -> ForeignResult:
    """Return each metric of each task; that of a group of tasks is a mean of tasks, and has no n of its own."""
    samples = {name: table(value) for name, value in table(document.get("n-samples")).items()}
    directions = {name: table(value) for name, value in table(document.get("higher_is_better")).items()}
    config = table(document.get("config"))
    readings, unusable = [], []
    for task, values in table(document.get("results")).items():
        for key, value in table(values).items():
            metric, comma, filter_ = str(key).partition(",")
            if not comma or metric.endswith("_stderr"):
                continue
            if number(value) is None:
                unusable.append(words(f"{task}/{metric}"))
                continue
            readings.append(_reading(task, metric, filter_, table(values), samples.get(task, {}), directions.get(task)))
    version = words(document.get("lm_eval_version"))
    target = words(document.get("model_name")) if document.get("model_name") else words(config.get("model_args"))
    remarks = (f"no finite number, and left out: {', '.join(unusable[:10])}",) if unusable else ()
    return ForeignResult("lm-evaluation-harness", version, target, tuple(readings), _started(document), remarks=remarks)


def _reading(
    task: str,
    metric: str,
    filter_: str,
    values: dict[str, Any],
    samples: dict[str, Any],
    directions: dict[str, Any] | None,
) -> ForeignReading:
    value, n = number(values[f"{metric},{filter_}"]), count(samples.get("effective")) or 0
    better = table(directions).get(metric)
    remarks = [] if isinstance(better, bool) else ["the file does not say whether higher is better: it is taken so"]
    if "limit" in samples or (count(samples.get("original")) or n) > n:
        remarks.append(f"{n:,} of {count(samples.get('original')) or n:,} samples were used")
    stderr = number(values.get(f"{metric}_stderr,{filter_}"))
    if stderr == 0:
        stderr = None  # all answers alike leave no spread, but doubt: lm-evaluation-harness #4019
        remarks.append("the file states a standard error of 0, which no sample has")
    # Right or wrong for each sample: the mean is a share, and n times it a count.
    hits = round(value * n) if value is not None and metric in SHARES and n and 0 <= value <= 1 else None
    if hits is not None and value is not None and abs(hits / n - value) > 1e-6:
        hits = None
    name = f"{task} / {filter_}" if filter_ != "none" else task
    return ForeignReading(name, metric, value, n, better is False, hits, stderr, remarks=tuple(remarks))


SHARES = frozenset({"acc", "acc_norm", "exact_match", "em", "acc_bytes", "acc_mutual_info"})
"""Metrics that are 0 or 1 for each sample."""


def _started(document: dict[str, Any]) -> str:
    from datetime import UTC, datetime

    seconds = number(document.get("date"))
    if seconds is None or not 0 < seconds < 4e9:
        return ""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
