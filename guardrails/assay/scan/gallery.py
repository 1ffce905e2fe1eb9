"""What a scan's gallery shows: the rows with the largest likelihood ratios, their pictures and heat maps."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

from .identify import Identified, identify
from .listing import Found
from .pictures import NOTHING
from .pool import Crashed, Pool, ordered
from .summary import largest, ratio_of, read_rows

SHOWN = 500
HEATS = 24
ERRORS = 200
WORKERS = 2


def gallery_of(summary: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return what the page is made from, JSON only.

    Parameters
    ----------
    summary : mapping
        Of `scan.run_scan`.
    folder : Path
        The scan's.

    Returns
    -------
    dict
        ``summary``; ``shown``: up to 500 rows, each with ``ratio`` (None after all that have one), ``detector`` (whose
        ratio that is), and what `scan_pictures.pictures_of` says; ``more``: how many rows with
        detections are not shown; ``errors``: up to 200 rows.
    """
    rows, behaved = folder / "scan.jsonl", {o["detector"] for o in summary["controls"] if o["behaved"]}
    chosen = largest(rows, summary["controls"], SHOWN)
    scored = 0
    errors: list[dict[str, Any]] = []
    for row in read_rows(rows):
        scored += bool(row["detections"])
        if row["detections"] and len(chosen) < SHOWN and ratio_of(row, behaved) is None:
            chosen.append(row)
        if row["error"] is not None and len(errors) < ERRORS:
            errors.append(row)
    shown = [_entry(row, behaved) for row in chosen]
    names = list(dict.fromkeys(e["detector"] for e in shown[:HEATS] if e["detector"]))
    temporary = folder / "fetched"
    try:
        with Pool(names, WORKERS) as pool:
            pictures = ordered(partial(_begun, pool, temporary), enumerate(shown), ahead=2 * WORKERS)
            for entry, found in zip(shown, pictures, strict=True):
                entry |= found
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return {"summary": dict(summary), "shown": shown, "more": scored - len(shown), "errors": errors}


def _entry(row: dict[str, Any], behaved: set[str]) -> dict[str, Any]:
    ratio = ratio_of(row, behaved)
    of = [d["detector"] for d in row["detections"] if d["detector"] in behaved and d["likelihood_ratio"] == ratio]
    return {"row": row, "ratio": ratio, "detector": of[0] if ratio is not None else None}


def _begun(pool: Pool, temporary: Path, numbered: tuple[int, dict[str, Any]]) -> Future[dict[str, Any]]:
    number, entry = numbered
    row = entry["row"]
    done: Future[dict[str, Any]] = Future()
    if row["type"] not in ("image", "video"):
        done.set_result(NOTHING)
        return done
    place = bytes.fromhex(row["path_bytes"]) if "path_bytes" in row else row["path"].encode()
    one = identify(Found(number, place, None), temporary)
    if one.problem is not None or one.sha256 != row["sha256"]:  # it is gone, or another file by now
        one.drop()
        done.set_result(NOTHING)
        return done
    detector = entry["detector"] if number < HEATS else None
    done.set_running_or_notify_cancel()
    asked = pool.ask({"do": "show", "path": one.path, "modality": row["type"], "detector": detector})
    asked.add_done_callback(partial(_pictured, one, done))
    return done


def _pictured(one: Identified, done: Future[dict[str, Any]], asked: Future[dict[str, Any]]) -> None:
    one.drop()
    error = None if asked.cancelled() else asked.exception()
    if asked.cancelled() or isinstance(error, Crashed):
        done.set_result(NOTHING)
    elif error is not None:
        done.set_exception(error)
    else:
        done.set_result(asked.result())
