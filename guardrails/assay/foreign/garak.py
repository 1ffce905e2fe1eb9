"""Reports of garak: ``garak.<uuid>.report.jsonl``. An *eval* row counts the outputs that one detector flagged.

The counts are those of the detector: garak corrects at most the interval that it states, and the file does not say
whether it did (garak #2117).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .reading import ForeignReading, ForeignResult, array, count, number, words


def is_garak(first: Any) -> bool:
    """Whether the first row of a JSON Lines file is one of garak."""
    return isinstance(first, dict) and str(first.get("entry_type", "")).split(" ")[0] in ("start_run", "init", "config")


def read(rows: Iterable[dict[str, Any]]) -> ForeignResult:
    """Return the share of flagged outputs for each pair of a probe and a detector."""
    version, started, target, complete, attempts = "unknown", "", "unknown", False, 0
    readings: list[ForeignReading] = []
    for row in rows:
        kind = row.get("entry_type")
        if kind == "init":
            version, started = words(row.get("garak_version")), words(row.get("start_time"), "")
        elif kind == "start_run setup":
            complete = False  # of a further run in the same file
            names = [row.get(f"plugins.{key}") for key in ("target_type", "target_name", "model_type", "model_name")]
            target = words(":".join(name for name in names if isinstance(name, str)))
        elif kind == "eval":
            readings.append(_reading(row))
        elif kind == "attempt":
            attempts += bool(array(row.get("outputs")))
        elif kind in ("completion", "digest"):
            complete = True
    unfinished = "" if complete else "the file has no completion row: the run was cut off, or is still under way"
    remarks = () if readings else (f"{attempts:,} attempts and no eval row: nothing was scored",)
    return ForeignResult("garak", version, target, tuple(readings), started, unfinished=unfinished, remarks=remarks)


COUNTS = ("passed", "fails", "total", "total_evaluated", "total_processed", "nones")


def _reading(row: dict[str, Any]) -> ForeignReading:
    passed = count(row.get("passed"))
    scored = count(row.get("total_evaluated", row.get("total")))
    fails = count(row.get("fails"))
    detector = words(row.get("detector")).removeprefix("detector.")
    check = f"{words(row.get('probe'))} / {detector}"
    if fails is None and None not in (passed, scored):
        fails = scored - passed  # type: ignore[operator]  # the older rows
    unreadable = any(row.get(name) is not None and count(row[name]) is None for name in COUNTS)
    if unreadable or fails is None or not scored or fails > scored or (passed is not None and passed + fails != scored):
        why = "its counts do not add up" if scored or unreadable else "no output was evaluated"
        return ForeignReading(check, "flagged", None, 0, True, unscored=_unscored(row, 0), remarks=(why,))
    low, high = number(row.get("confidence_lower")), number(row.get("confidence_upper"))
    stated = () if low is None or high is None else (
        f"garak states [{low:.3g}, {high:.3g}] by {words(row.get('confidence_method'), 'an unnamed method')}; the file "
        "does not say whether that is corrected for its detector's error",
    )  # fmt: skip
    return ForeignReading(
        check, "flagged", fails / scored, scored, True, hits=fails, unscored=_unscored(row, scored), remarks=stated
    )


def _unscored(row: dict[str, Any], scored: int) -> int:
    """Return the outputs that were processed and not scored: *nones*, or what is missing of those processed."""
    nones, processed = count(row.get("nones")) or 0, count(row.get("total_processed")) or 0
    return max(nones, processed - scored, 0)
