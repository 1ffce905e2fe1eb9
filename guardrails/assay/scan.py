"""``guardrails scan``: every file below some paths, each in one row; what is written is never done again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..core.base import Modality
from ..core.errors import ConfigurationError, did_you_mean
from ..core.registry import detectors as known_detectors
from .detector_controls import Outcome, doubt, failed, kept_outcome
from .run_folder import write_whole, writing
from .scan_arguments import arguments_sha256
from .scan_kinds import kinds_in
from .scan_listing import Listing, check_path
from .scan_local import Row, local_rows
from .scan_pool import Crashed, Worker
from .scan_summary import summary_of
from .sources import sources_sha256

DEFAULT = ("deepfake.fusion", "deepfake.face", "deepfake.video", "deepfake.spectro")
"""What looks where nothing else is said: of these, the ones whose weights are there."""
CONTROL_PATIENCE = 3600.0
ENGINES = ("local", "ray")

Report = Callable[[int, int, str], None] | None


def run_scan(
    paths: Sequence[str],
    *,
    detectors: Sequence[str] = (),
    out: Path | None = None,
    resume: bool = False,
    engine: str = "local",
    workers: int | None = None,
    progress: Report = None,
    emit: Callable[[str], None] | None = None,
) -> tuple[dict[str, Any], Path]:
    """Scan files and write ``scan.jsonl`` (a row a file) and ``summary.json``.

    Parameters
    ----------
    paths : sequence of str
        Files, folders, globs, fsspec URLs. None with `resume`: those of the run.
    detectors : sequence of str
        Ids, globs of ids, or ``ID:ARGUMENT``. Default: `DEFAULT`.
    out : Path, optional
        The run's folder; default ``guardrails-runs/<time>-scan``.
    resume : bool
        Go on with the run in `out`.
    engine : str
        ``local`` or ``ray``.
    workers : int, optional
        Processes on this machine; default one a core.
    progress : callable, optional
        Told (done, total, name) after each file, and after each item of a detector's controls.
    emit : callable, optional
        Told each line of ``scan.jsonl``, those of an earlier sitting too.

    Returns
    -------
    summary : dict
        See `scan_summary.summary_of`.
    folder : Path

    Raises
    ------
    ConfigurationError
        For a mistake in what was asked.
    JournalError
        Where the run's folder cannot be written.
    """
    if engine not in ENGINES:
        raise ConfigurationError(f"unknown engine '{engine}'.{did_you_mean(engine, ENGINES)}")
    folder, settings = _begin(paths, detectors, out, resume)
    names = chosen(settings["detectors"])
    with writing(folder, f"guardrails scan --resume --out {folder}"), Listing(folder / "scan.sqlite") as listing:
        if listing.get("settings") is None:
            listing.fill(settings["paths"], without=folder, settings=json.dumps(settings))
        try:
            outcomes, left_out = _believable(
                names, folder, workers or cores(), settings["detectors"], listing, progress
            )
        except ConfigurationError:
            if not resume:
                listing.forget()  # a detector that cannot be used: the folder serves again
            raise
        names = [outcome["detector"] for outcome in outcomes]
        rows = folder / "scan.jsonl"
        done = _taken_up(rows, listing, emit)
        temporary = folder / "fetched"
        try:
            if engine == "ray":
                from .scan_ray import ray_rows

                found = ray_rows(listing, done, names)
            else:
                found = local_rows(listing, done, names, folder=temporary, workers=workers or cores())
            _write_rows(rows, _believed(found, outcomes), done, len(listing), progress, emit)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        summary = summary_of(rows, settings, outcomes, left_out)
        write_whole(folder / "summary.json", json.dumps(summary, indent=2) + "\n")
    return summary, folder


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_folder() -> Path:
    """Return where a scan goes if nothing else is said: ``guardrails-runs/<time>-scan``."""
    return Path("guardrails-runs") / f"{datetime.now().strftime('%Y%m%d-%H%M%S')}-scan"


def chosen(asked: Sequence[str]) -> list[str]:
    """Return the detectors that are meant by ids, globs and ``ID:ARGUMENT``.

    Raises
    ------
    ConfigurationError
        Where one means nothing.
    """
    known, out = known_detectors(), []
    for pattern in asked or [name for name in DEFAULT if name in known]:
        id, colon, argument = pattern.partition(":")
        if colon and id in known and not known[id].takes:
            raise ConfigurationError(f"{id} takes no argument; '{argument}' was given")
        found = [pattern] if colon and id in known else [name for name in known if fnmatchcase(name, pattern)]
        if not found:
            raise ConfigurationError(f"no detector is called '{pattern}'.{did_you_mean(id, known)}")
        out += found
    if not out:
        raise ConfigurationError(f"name the detectors: --detectors GLOB. Known: {', '.join(known)}")
    return list(dict.fromkeys(out))


def _begin(
    paths: Sequence[str], detectors: Sequence[str], out: Path | None, resume: bool
) -> tuple[Path, dict[str, Any]]:
    """Return the run's folder and its settings: new ones, or those that it was begun with."""
    given: dict[str, Any] = {"paths": list(paths), "detectors": list(detectors), "sources": sources_sha256()}
    folder = out or default_folder()
    begun = folder / "scan.sqlite"
    stored = None
    if begun.is_file():
        with Listing(begun) as listing:
            stored = listing.get("settings")
    if not resume:
        if stored is not None:
            raise ConfigurationError(f"{folder} already holds a scan; go on with it by --resume, or use another --out")
        if not paths:
            raise ConfigurationError("give at least one PATH to scan")
        given["arguments"] = arguments_sha256(chosen(detectors))  # a wrong name leaves no folder behind
        for path in paths:
            check_path(path)
        with writing(folder, f"guardrails scan --resume --out {folder}"):
            folder.mkdir(parents=True, exist_ok=True)
        return folder, given
    if out is None:
        raise ConfigurationError("--resume needs --out: the folder of the scan to go on with")
    if stored is None:
        raise ConfigurationError(f"{folder} holds no scan to resume")
    return folder, _same(folder, json.loads(stored), given)


def _same(folder: Path, stored: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a run that is gone on with.

    Raises
    ------
    ConfigurationError
        Where other ones are given now, or the library or a file that a detector's argument names changed: half of the
        rows would be of another scan.
    """
    for key, option in (("paths", "PATH"), ("detectors", "--detectors")):
        if given[key] and given[key] != stored[key]:
            before = " ".join(stored[key]) or "the default"
            raise ConfigurationError(
                f"the scan in {folder} was begun with {option} {before}; leave it out with --resume, or start another"
            )
    if given["sources"] != stored["sources"]:
        raise ConfigurationError(f"guardrails or a library changed since the scan in {folder} began; start a new one")
    now, before = arguments_sha256(chosen(stored["detectors"])), stored["arguments"]
    for name in dict.fromkeys([*before, *now]):
        if now.get(name) != before.get(name):
            raise ConfigurationError(
                f"what {name} names changed since the scan in {folder} began; put it back, or start a new scan"
            )
    return stored


def _believable(
    names: Sequence[str], folder: Path, workers: int, asked: Sequence[str], listing: Listing, progress: Report
) -> tuple[list[Outcome], dict[str, str]]:
    """Return what the detectors make of their controls, and why some are left out: their weights are missing.

    Detectors of a kind of media that the scan does not hold are shown nothing, and look at nothing.

    Raises
    ------
    ConfigurationError
        Where one that was asked for by its name cannot be used, or none is left.
    """
    kept = folder / "controls.json"
    if kept.is_file():
        outcomes: list[Outcome] = json.loads(kept.read_text())
    else:
        names, total = _concerned(names, listing), len(listing)

        def control(name: str) -> Outcome:
            def told(shown: int) -> None:
                if progress is not None:
                    progress(0, total, f"controls of {name}: {shown} items shown")

            return _control(name, told)

        with ThreadPoolExecutor(workers) as threads:
            outcomes = list(threads.map(control, names))
    left_out = {o["detector"]: o["reason"] for o in outcomes if o["missing"]}
    for name, reason in left_out.items():
        if name in asked or len(left_out) == len(names):
            raise ConfigurationError(reason if reason.startswith(name) else f"{name}: {reason}")
    write_whole(kept, json.dumps(outcomes))
    return [o for o in outcomes if not o["missing"]], left_out


def _concerned(names: Sequence[str], listing: Listing) -> list[str]:
    """Return the detectors of kinds that the listing holds."""
    of = {name: known_detectors()[name.partition(":")[0]].modalities for name in names}
    there = kinds_in(listing.entries(), frozenset[Modality]().union(*of.values()))
    return [name for name in names if of[name] & there]


def _control(name: str, told: Callable[[int], None]) -> Outcome:
    if (known := kept_outcome(name)) is not None:
        return known
    worker = Worker([name])
    try:
        told(0)
        return worker.ask({"do": "control", "name": name}, CONTROL_PATIENCE, told)
    except Crashed as error:
        return failed(name, str(error))
    except ConfigurationError as error:
        return failed(name, str(error)) | {"missing": True}
    finally:
        worker.close()


def _taken_up(rows: Path, listing: Listing, emit: Callable[[str], None] | None) -> int:
    """Return how many rows are written; the rest of a line that was being written is cut off.

    The hashes of an earlier sitting may run ahead of its rows: they are read anew from these.
    """
    listing.forget_hashes()
    number = end = 0
    with rows.open("a+b") as file:
        file.seek(0)
        for line in file:
            if not line.endswith(b"\n"):
                break
            sha256 = json.loads(line)["sha256"]
            if sha256 is not None:
                listing.first(sha256, number)
            if emit is not None:
                emit(line.decode("ascii"))
            number, end = number + 1, end + len(line)
        file.truncate(end)
    return number


def _believed(rows: Iterable[Row], outcomes: Sequence[Outcome]) -> Iterator[Row]:
    """Withhold the verdicts of detectors that failed their controls; scores stay."""
    doubts = {o["detector"]: why for o in outcomes if (why := doubt(o)) is not None}
    for row in rows:
        for detection in row["detections"]:
            if (why := doubts.get(detection["detector"])) is not None:
                detection |= {"verdict": "abstain", "reasons": [why, *detection["reasons"]]}
        yield row


def _write_rows(
    path: Path,
    rows: Iterator[Row],
    done: int,
    total: int,
    progress: Report,
    emit: Callable[[str], None] | None,
) -> None:
    with path.open("ab", buffering=0) as file:  # a row is one write: what is killed loses no more than its last line
        for row in rows:
            line = json.dumps(row, allow_nan=False) + "\n"
            file.write(line.encode("ascii"))
            done += 1
            if emit is not None:
                emit(line)
            if progress is not None:
                progress(done, total, row["path"])
