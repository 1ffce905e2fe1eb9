"""Telling whose result a file is, and reading it. Everything in it is a stranger's."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from itertools import chain
from lzma import LZMAError
from pathlib import Path
from typing import Any

from ...core.errors import ConfigurationError
from ...kit.io import open_regular
from . import every_eval_ever, garak, inspect_ai, lm_eval, promptfoo
from .reading import MAX_READINGS, ForeignResult, refused

MAX_BYTES = 1 << 29
MAX_LINE_BYTES = 1 << 26
KNOWN = "a report of garak (.report.jsonl), or a result of lm-evaluation-harness, inspect, promptfoo or every-eval-ever"
_READERS = (
    (lm_eval.is_lm_eval, lm_eval.read),
    (promptfoo.is_promptfoo, promptfoo.read),
    (every_eval_ever.is_every_eval_ever, every_eval_ever.read),
)


def load_foreign(path: str | Path) -> ForeignResult:
    """Read a result of another tool; which one is told by its content.

    Parameters
    ----------
    path : path
        A file of up to 512 MiB.

    Returns
    -------
    ForeignResult

    Raises
    ------
    ConfigurationError
        Where there is no such file, it is of no known tool, is damaged or cut off, or holds no figure.
    """
    path = Path(path)
    if not path.is_file():
        raise refused(path, "no such file")
    if path.stat().st_size > MAX_BYTES:
        raise refused(path, f"larger than {MAX_BYTES >> 20} MiB")
    try:
        result = _read(path)
    except ConfigurationError:
        raise
    except (ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error, LZMAError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else "damaged or cut off"
        if isinstance(error, RuntimeError) and "encrypted" in str(error):
            why = "encrypted"
        raise refused(path, f"{why}; expected {KNOWN}") from error
    except OSError as error:
        raise refused(path, str(error.strerror or error)) from error
    if len(result.readings) > MAX_READINGS:
        raise refused(path, f"{len(result.readings):,} figures are more than a report can list ({MAX_READINGS:,})")
    if not result.readings:
        raise refused(path, "; ".join((f"a result of {result.tool} without a figure", *result.remarks)))
    return result


def _read(path: Path) -> ForeignResult:
    if zipfile.is_zipfile(path):
        return inspect_ai.read(inspect_ai.header(path))
    rows = _rows(path)
    first = next(rows, None)
    if first is None:
        raise refused(path, f"empty; expected {KNOWN}")
    if garak.is_garak(first):
        return garak.read(chain([first], (row for row in rows if isinstance(row, dict))))
    document = first if isinstance(first, dict) else {}
    if inspect_ai.is_inspect(document):
        return inspect_ai.read(inspect_ai.header(path))
    for fits, read in _READERS:
        if fits(document):
            if next(rows, None) is not None:
                raise refused(path, "more than one document; give each in a file of its own")
            return read(document)
    raise refused(path, f"not a result that can be read; expected {KNOWN}")


def _rows(path: Path) -> Iterator[Any]:
    """Yield the rows of a JSON Lines file, or the one document of a JSON file."""
    with open_regular(path) as stream:
        line = stream.readline(MAX_LINE_BYTES)
        if not line:
            return
        try:
            first = json.loads(line)
        except ValueError:  # a document over several lines
            yield json.loads(line + stream.read(MAX_BYTES))
            return
        yield first
        while line := stream.readline(MAX_LINE_BYTES):
            if line.strip():
                yield json.loads(line)
