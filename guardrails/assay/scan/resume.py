"""When a scan may be resumed: by the same code, with the same detectors; what runs code or is remote is named again.

As of an audit's folder, what a scan's folder names is not run or fetched unless the user names it too.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...core.errors import ConfigurationError, JournalError
from ...core.json_object import json_object
from ...core.results.scan import ROWS, ScanRow
from ..log import salvage
from ..run_folder import DamagedError
from ..sources import sources_sha256
from .arguments import arguments_sha256
from .listing import SCHEMA, Listing, is_url

LISTING = "scan.sqlite"
DATA_FILES = (".onnx", ".csv", ".json")
"""Files that a detector's argument may name without being able to run code."""
HOSTS = ("http", "https", "ftp", "sftp", "webdav", "webdavs")
"""Schemes of which the place in a listing has the host that the path had."""


def stored_settings(listing: Listing, folder: Path) -> dict[str, Any]:
    """Return the settings that a scan began with.

    Raises
    ------
    ConfigurationError
        Where none has begun.
    JournalError
        Where they are not those of a scan.
    """
    text = listing.get("settings")
    if text is None:
        raise ConfigurationError(f"{folder} holds no scan to resume")
    try:
        stored = json_object(text)
        lists = [stored["paths"], stored["detectors"]]
        valid = all(isinstance(stored[key], str) for key in ("sources", "current_folder"))
        valid = valid and isinstance(stored["arguments"], dict)
        valid = valid and all(isinstance(one, list) and all(isinstance(s, str) for s in one) for one in lists)
    except (ValueError, KeyError, TypeError):
        valid = False
    if not valid:
        raise JournalError(f"{listing.path}: not the settings of a scan: start a new one")
    return dict(stored)


def to_be_named(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return which of ``paths`` and ``detectors`` have to be named again to resume a scan, and why."""
    named = {}
    if url := next((path for path in settings["paths"] if is_url(path)), None):
        named["paths"] = f"{url} reaches a network"
    if detector := next((name for name in settings["detectors"] if _runs_code(name)), None):
        named["detectors"] = f"{detector} may run code or reach a network"
    return named


def _runs_code(detector: str) -> bool:
    _, colon, argument = detector.partition(":")
    file = argument.partition("#")[0]
    return bool(colon) and not (file.lower().endswith(DATA_FILES) and os.path.isfile(file))


def resume_command(settings: Mapping[str, Any], folder: Path) -> str:
    """Return the command that resumes a scan."""
    named = to_be_named(settings)
    words = ["guardrails", "scan", *(settings["paths"] if "paths" in named else ())]
    for name in settings["detectors"] if "detectors" in named else ():
        words += ["--detectors", name]
    return shlex.join([*words, "--resume", "--out", str(folder)])


def check_named(
    settings: Mapping[str, Any], named: Mapping[str, Sequence[str]], listing: Listing, folder: Path
) -> None:
    """Refuse what is named otherwise than when the scan began, and what runs code or is remote and is not named.

    Raises
    ------
    ConfigurationError
    """
    for key, option in (("paths", "PATH"), ("detectors", "--detectors")):
        if named[key] and list(named[key]) != settings[key]:
            before = " ".join(settings[key]) or "the default"
            raise ConfigurationError(
                f"the scan in {folder} was begun with {option} {before}; leave it out with --resume, or start another"
            )
    for key, why in to_be_named(settings).items():
        if not named[key]:
            raise ConfigurationError(
                f"the scan in {folder} cannot be resumed by its folder alone: {why}; nothing was run. If you trust it, "
                f"name it again: {resume_command(settings, folder)}"
            )
    allowed = {_origin(path) for path in settings["paths"] if is_url(path)}
    for entry in listing.entries():
        if entry.remote and _origin(os.fsdecode(entry.place)) not in allowed:
            raise JournalError(
                f"{listing.path}: it lists {entry.name}, which no PATH of the scan holds: start a new one"
            )


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc if parts.scheme in HOSTS else ""


def check_unchanged(settings: Mapping[str, Any], names: Sequence[str], folder: Path) -> None:
    """Refuse other code, another file that a detector's argument names, and relative paths that begin elsewhere.

    Half of the rows would be of another scan. What the listed files hold may change: each row has the hash of what was
    read.

    Raises
    ------
    ConfigurationError
    """
    if settings["sources"] != sources_sha256():
        raise ConfigurationError(f"guardrails or a library changed since the scan in {folder} began; start a new one")
    begun_in, here = settings["current_folder"], os.getcwd()
    relative = next((path for path in settings["paths"] if not is_url(path) and not os.path.isabs(path)), None)
    if relative is not None and here != begun_in:
        raise ConfigurationError(
            f"the scan in {folder} was begun in {begun_in}, and its path {relative} would be another one here, in "
            f"{here}; resume it from there, or start a new scan"
        )
    now, before = arguments_sha256(names), settings["arguments"]
    for name in dict.fromkeys([*before, *now]):
        if now.get(name) != before.get(name):
            raise ConfigurationError(
                f"what {name} names changed since the scan in {folder} began; put it back, or start a new scan"
            )


def salvaged(folder: Path, tell: Callable[[str], None]) -> None:
    """Restore a damaged listing up to the damage, and say so.

    Raises
    ------
    ConfigurationError, JournalError
        See `log.salvage`.
    """
    outcome = salvage(folder / LISTING, SCHEMA, tables=("items",))
    if outcome is not None:
        tell(f"{folder / LISTING}: {outcome.why}; the damaged file is {LISTING}.damaged")


def take_up(
    folder: Path, listing: Listing, names: Sequence[str], emit: Callable[[str], None] | None, *, salvage: bool
) -> int:
    """Return how many rows are written and whole; the rest of a line that was being written is cut off.

    The hashes of an earlier session may run ahead of its rows: they are read anew from these.

    Raises
    ------
    JournalError
        At the first row that is not as it was written; with `salvage` it and the rows after it are cut off.
    """
    listing.forget_hashes()
    number = end = 0
    checksums = listing.row_checksums()
    with (folder / ROWS).open("a+b") as file:
        file.seek(0)
        for line in file:
            stated = next(checksums, None)
            if stated is None or not line.endswith(b"\n"):
                break
            row = _row(line, names) if hashlib.sha256(line).hexdigest() == stated else None
            if row is None:
                if salvage:
                    break
                raise DamagedError(folder / ROWS, f"row {number + 1} does not fit its checksum")
            if row.sha256 is not None:
                listing.first(row.sha256, number)
            if emit is not None:
                emit(line.decode("ascii"))
            number, end = number + 1, end + len(line)
        file.truncate(end)
    listing.keep_rows(number)
    return number


def _row(line: bytes, names: Sequence[str]) -> ScanRow | None:
    """Return a row of a scan by these detectors, or None where it is none."""
    try:
        row = ScanRow.model_validate(json_object(line))
        bytes.fromhex(row.sha256 or "")
    except ValueError:
        return None
    return row if all(detection.detector in names for detection in row.detections) else None
