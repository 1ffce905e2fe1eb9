"""Logs of inspect: ``.eval`` and ``.json``. Where the package is installed, its own reader reads them.

The format is not frozen. Without the package only version 2 is read, of which the fields below are known.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from .reading import ForeignReading, ForeignResult, array, count, number, refused, table, words

VERSION = 2
MAX_HEADER_BYTES = 1 << 26
SECONDS = 120
READER = (
    "import sys; from inspect_ai.log import read_eval_log; "
    "print(read_eval_log(sys.argv[1], header_only=True).model_dump_json())"
)
AS_MEAN = frozenset({"accuracy", "mean"})


def is_inspect(document: Any) -> bool:
    """Whether a JSON document is a log of inspect."""
    return isinstance(document, dict) and {"version", "status", "eval"} <= document.keys()


def header(path: Path) -> dict[str, Any]:
    """Return the header of a log.

    Raises
    ------
    ConfigurationError
        Where it cannot be read, or is of a version that this reader does not know and inspect is not installed.
    """
    if importlib.util.find_spec("inspect_ai") is not None:
        return _by_inspect(path)
    document = _zipped(path) if zipfile.is_zipfile(path) else json.loads(path.read_text(encoding="utf-8"))
    if not is_inspect(document):
        raise refused(path, "not a log of inspect")
    if document["version"] != VERSION:
        version = words(str(document["version"]))
        raise refused(path, f"a log of version {version}; install inspect-ai to read it (version {VERSION} needs none)")
    return dict(document)


def _by_inspect(path: Path) -> dict[str, Any]:
    """Read a log by inspect, in a process of its own: it may write, warn or fail as it likes."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", READER, str(path.resolve())],
            capture_output=True, timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise refused(path, f"inspect did not read it within {SECONDS} s") from None
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    if done.returncode:
        raise refused(path, f"inspect cannot read it: {words(lines[-1] if lines else '', 'no reason given')}")
    value = json.loads(done.stdout)
    return value if isinstance(value, dict) else {}


def _zipped(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        if "header.json" not in archive.namelist():
            raise refused(path, "the log has no header: the evaluation was cut off")
        if archive.getinfo("header.json").file_size > MAX_HEADER_BYTES:
            raise refused(path, "its header is larger than any log has")
        return json.loads(archive.read("header.json"))


def read(document: dict[str, Any]) -> ForeignResult:
    """Return each metric of each scorer."""
    evaluation, results = table(document.get("eval")), table(document.get("results"))
    status = words(document.get("status"))
    # Both are counted once an epoch; a score is that of a sample over all of its epochs.
    epochs = max(count(table(evaluation.get("config")).get("epochs")) or 1, 1)
    total, completed = (count(results.get(f"{name}_samples")) or 0 for name in ("total", "completed"))
    readings = [
        reading
        for score in map(table, array(results.get("scores")))
        for reading in _readings(words(evaluation.get("task")), score, total, completed, epochs)
    ]
    return ForeignResult(
        "inspect",
        words(table(evaluation.get("packages")).get("inspect_ai")),
        words(evaluation.get("model")),
        tuple(readings),
        words(evaluation.get("created"), ""),
        unfinished="" if status == "success" else f"the evaluation ended with status {status}",
    )


def _readings(task: str, score: dict[str, Any], total: int, completed: int, epochs: int) -> list[ForeignReading]:
    metrics = {name: table(value) for name, value in table(score.get("metrics")).items()}
    scored, unscored = count(score.get("scored_samples")), count(score.get("unscored_samples"))
    n = completed // epochs if scored is None else scored
    missed = max(-(-total // epochs) - n, unscored or 0, -(-(total - completed) // epochs), 0)
    stderr = number(metrics.get("stderr", metrics.get("bootstrap_stderr", {})).get("value"))
    readings = []
    for name, metric in metrics.items():
        value = number(metric.get("value"))
        if name in ("stderr", "bootstrap_stderr", "std", "var") or value is None:
            continue
        spread = stderr if name in AS_MEAN and stderr else None
        counted = name == "accuracy" and n and (epochs == 1 or value in (0, 1))  # else a sample may be half right
        hits = round(value * n) if counted and abs(round(value * n) / n - value) < 1e-9 else None
        remarks = ["the log does not say whether higher is better: it is taken so"]
        remarks += [f"each sample was run {epochs:,} times, and counts once"] if epochs > 1 else []
        check = f"{task} / {words(score.get('name'))}"
        readings.append(ForeignReading(check, name, value, n, False, hits, spread, missed, tuple(remarks)))
    return readings
