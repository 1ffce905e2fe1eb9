"""The pictures of a scan's page: thumbnails and heat maps of the rows that it shows."""

from __future__ import annotations

import shutil
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

from ...core.results.scan import ROWS, SHOWN, FilePictures, ScanResult, ScanRow, most_telling
from .identify import identify
from .listing import Found
from .pool import Crashed, Pool, ordered
from .summary import read_rows

HEATS = 24
WORKERS = 2


def with_pictures(result: ScanResult) -> ScanResult:
    """Return the result with the pictures of the rows that its page shows.

    The first 24 have a heat map of the detector that gives the largest likelihood ratio. A file that is gone, or
    another one by now, has no picture.
    """
    shown = most_telling(read_rows(result.folder / ROWS), result.believed, SHOWN)
    best = [row.best(result.believed) for row in shown[:HEATS]]
    detectors = [one.detector if one else None for one in best] + [None] * (len(shown) - len(best))
    names = list(dict.fromkeys(name for name in detectors if name))
    temporary = result.folder / "fetched"
    try:
        with Pool(names, WORKERS) as pool:
            numbered = enumerate(zip(shown, detectors, strict=True))
            pictures = tuple(ordered(partial(_begun, pool, temporary), numbered, ahead=2 * WORKERS))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return result.model_copy(update={"pictures": pictures})


def _begun(pool: Pool, temporary: Path, numbered: tuple[int, tuple[ScanRow, str | None]]) -> Future[FilePictures]:
    number, (row, detector) = numbered
    done: Future[FilePictures] = Future()
    if row.type not in ("image", "video"):
        done.set_result(FilePictures())
        return done
    place = row.path.encode() if row.path_bytes is None else bytes.fromhex(row.path_bytes)
    one = identify(Found(number, place, None), temporary)
    if one.problem is not None or one.sha256 != row.sha256:
        one.drop()
        done.set_result(FilePictures())
        return done
    done.set_running_or_notify_cancel()
    asked = pool.ask({"do": "show", "path": one.path, "modality": row.type, "detector": detector})

    def pictured(asked: Future[dict[str, Any]]) -> None:
        one.drop()
        error = None if asked.cancelled() else asked.exception()
        if asked.cancelled() or isinstance(error, Crashed):
            done.set_result(FilePictures())
        elif error is not None:
            done.set_exception(error)
        else:
            done.set_result(FilePictures.model_validate(asked.result()))

    asked.add_done_callback(pictured)
    return done
