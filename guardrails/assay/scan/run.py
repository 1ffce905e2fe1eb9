"""``guardrails scan``: one row for every file below the given paths. Finished rows are never computed again."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ...core.errors import ConfigurationError, JournalError, did_you_mean
from ...core.registry import detectors as known_detectors
from ...core.results.scan import ROWS, SUMMARY, ScanControl, ScanDetection, ScanResult, ScanRow
from ...core.targets import Modality
from ..cluster import check_engine
from ..meter import Meter
from ..run_folder import default_folder, make_folder, write_whole, writing
from ..sources import sources_sha256
from .arguments import arguments_sha256
from .detector_controls import doubt, failed, kept_outcome
from .kinds import kinds_in
from .listing import Listing, check_path
from .local import local_rows
from .pool import Crashed, Worker
from .resume import LISTING, check_named, check_unchanged, resume_command, salvaged, stored_settings, take_up
from .summary import summary_of
from .watch import Patience

DEFAULT = ("deepfake.fusion", "deepfake.face", "deepfake.video", "deepfake.spectro")
"""What looks where nothing else is said: of these, the ones whose weights are there."""
CONTROL_PATIENCE = Patience(3600, 3600)

Report = Callable[[int, int, str], None] | None


def run_scan(
    paths: Sequence[str],
    *,
    detectors: Sequence[str] = (),
    out: Path | None = None,
    resume: bool = False,
    salvage: bool = False,
    engine: str = "local",
    workers: int | None = None,
    progress: Report = None,
    emit: Callable[[str], None] | None = None,
    tell: Callable[[str], None] | None = None,
) -> tuple[ScanResult, Path]:
    """Scan files and write ``scan.jsonl`` (one row per file) and ``summary.json``.

    Parameters
    ----------
    paths : sequence of str
        Files, folders, globs, fsspec URLs. None with `resume`: those of the run; URLs have to be named again.
    detectors : sequence of str
        Ids, globs of ids, or ``ID:ARGUMENT``. Default: `DEFAULT`.
    out : Path, optional
        The run's folder; default ``guardrails-runs/<time>-scan``.
    resume : bool
        Continue the run in `out`. Detectors whose argument may run code have to be named again.
    salvage : bool
        With `resume`: keep the rows of a damaged folder before the damage, and scan the other files again.
    engine : str
        ``local`` or ``ray``.
    workers : int, optional
        Processes on this machine; default one per core.
    progress : callable, optional
        Called with (done, total, name) after each file, and after each item of a detector's controls.
    emit : callable, optional
        Called with each line of ``scan.jsonl``, including those of earlier sessions.
    tell : callable, optional
        Called with messages: which files a resumed run reads, and which rows of a damaged folder were dropped.

    Returns
    -------
    result : ScanResult
    folder : Path

    Raises
    ------
    ConfigurationError
        For a mistake in what was asked.
    JournalError
        Where the run's folder is damaged or cannot be written.
    """
    check_engine(engine)
    if salvage and not resume:
        raise ConfigurationError("--salvage restores a damaged scan: name it with --resume")
    tell = tell or (lambda _: None)
    named = {"paths": list(paths), "detectors": list(detectors)}
    if resume:
        folder = _there(out)
        if salvage:
            salvaged(folder, tell)
    else:
        folder = out or default_folder("scan")
        _check_new(folder, named)
    make_folder(folder)
    with writing(folder):
        listing = Listing(folder / LISTING)
    with listing:
        if resume:
            settings = stored_settings(listing, folder)
            check_named(settings, named, listing, folder)
            tell(f"resuming the scan in {folder} of {', '.join(settings['paths'])}")
            check_unchanged(settings, chosen(settings["detectors"]), folder)
        else:
            settings = _begin(listing, folder, named)
        with writing(folder, resume_command(settings, folder)):
            return _finish(
                listing, settings, folder, engine=engine, workers=workers or cores(), resume=resume, salvage=salvage,
                progress=progress, emit=emit, tell=tell,
            ), folder  # fmt: skip


def _finish(
    listing: Listing,
    settings: dict[str, Any],
    folder: Path,
    *,
    engine: str,
    workers: int,
    resume: bool,
    salvage: bool,
    progress: Report,
    emit: Callable[[str], None] | None,
    tell: Callable[[str], None],
) -> ScanResult:
    """Scan what has no row yet; return the result."""
    try:
        outcomes, left_out = _believable(settings["detectors"], workers, listing, progress)
    except ConfigurationError:
        if not resume:
            listing.forget()  # a detector that cannot be used: the folder serves again
        raise
    names = [outcome.detector for outcome in outcomes]
    rows, temporary = folder / ROWS, folder / "fetched"
    done = take_up(folder, listing, names, emit, salvage=salvage)
    if salvage:
        tell(f"{done:,} of {len(listing):,} rows are kept; the others are asked again")
    with Meter() as meter:
        try:
            if engine == "ray":
                from .ray import ray_rows

                scanned = ray_rows(listing, done, names)
            else:
                scanned = local_rows(listing, done, names, folder=temporary, workers=workers)
            _write_rows(rows, _believed(scanned, outcomes), done, listing, progress, emit)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        cost = meter.lap(listing.seconds(), len(listing))
    result = summary_of(folder, settings, outcomes, left_out, cost)
    write_whole(folder / SUMMARY, result.to_json())
    return result


def scan(
    paths: Sequence[str],
    *,
    detectors: Sequence[str] = (),
    out: str | Path | None = None,
    resume: bool = False,
    workers: int | None = None,
    progress: Report = None,
) -> ScanResult:
    """Scan files for generated and manipulated content and return the result; its rows stay in its folder.

    Parameters
    ----------
    paths : sequence of str
        Files, folders, globs, fsspec URLs.
    detectors, out, resume, workers, progress
        As `run_scan` takes them.

    Raises
    ------
    ConfigurationError
        For a mistake in what was asked.
    JournalError
        Where the run's folder is damaged or cannot be written.
    """
    place = None if out is None else Path(out)
    return run_scan(
        paths, detectors=detectors, out=place, resume=resume, workers=workers, progress=progress
    )[0]  # fmt: skip


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
        matching = [pattern] if colon and id in known else [name for name in known if fnmatchcase(name, pattern)]
        if not matching:
            raise ConfigurationError(f"no detector is called '{pattern}'.{did_you_mean(id, known)}")
        out += matching
    if not out:
        raise ConfigurationError(f"name the detectors: --detectors GLOB. Known: {', '.join(known)}")
    return list(dict.fromkeys(out))


def how_to_resume(folder: Path) -> str | None:
    """Return the command that resumes the scan in a folder, or None where none has begun there."""
    if not (folder / LISTING).is_file():
        return None
    with Listing(folder / LISTING) as listing:
        return None if listing.get("settings") is None else resume_command(stored_settings(listing, folder), folder)


def _there(out: Path | None) -> Path:
    """Return the folder of a scan to go on with."""
    if out is None:
        raise ConfigurationError("--resume needs --out: the folder of the scan to continue")
    if not (out / LISTING).is_file():
        raise ConfigurationError(f"{out} holds no scan to resume")
    return out


def _check_new(folder: Path, named: dict[str, list[str]]) -> None:
    """Refuse a folder that holds a scan, and wrong names, which then leave no folder behind."""
    if how_to_resume(folder) is not None:
        raise _holds_a_scan(folder)
    if not named["paths"]:
        raise ConfigurationError("give at least one PATH to scan")
    chosen(named["detectors"])
    for path in named["paths"]:
        check_path(path)


def _begin(listing: Listing, folder: Path, named: dict[str, list[str]]) -> dict[str, Any]:
    """List the files; return the settings of a new scan."""
    if listing.get("settings") is not None:  # another scan was faster
        raise _holds_a_scan(folder)
    listing.forget()  # what a file without a scan holds is nobody's: outcomes of controls are seen to here
    arguments = arguments_sha256(chosen(named["detectors"]))
    begun = {"sources": sources_sha256(), "arguments": arguments, "current_folder": os.getcwd()}
    settings: dict[str, Any] = named | begun
    with writing(folder):
        listing.fill(named["paths"], without=folder, settings=json.dumps(settings))
    return settings


def _holds_a_scan(folder: Path) -> ConfigurationError:
    return ConfigurationError(f"{folder} already holds a scan; continue it with --resume, or use another --out")


def _believable(
    asked: Sequence[str], workers: int, listing: Listing, progress: Report
) -> tuple[list[ScanControl], dict[str, str]]:
    """Return what the detectors make of their controls, and why some are left out: their weights are missing.

    Detectors of a kind of media that the scan does not hold are shown nothing, and look at nothing.

    Raises
    ------
    ConfigurationError
        Where one that was asked for by its name cannot be used, or none is left.
    """
    names, stored = chosen(asked), listing.get("controls")
    if stored is not None:
        outcomes = _outcomes(stored, listing.path)
        if (begun := {o.detector for o in outcomes}) != (now := set(_concerned(names, listing))):
            raise JournalError(
                f"{listing.path}: the scan began with the detectors {', '.join(sorted(begun)) or 'none'}, and would "
                f"continue with {', '.join(sorted(now)) or 'none'}; start a new scan"
            )
    else:
        names, total = _concerned(names, listing), len(listing)

        def control(name: str) -> ScanControl:
            def told(shown: int) -> None:
                if progress is not None:
                    progress(0, total, f"controls of {name}: {shown} items shown")

            return _control(name, told)

        with ThreadPoolExecutor(workers) as threads:
            outcomes = list(threads.map(control, names))
    left_out = {o.detector: o.reason or "" for o in outcomes if o.missing}
    for name, reason in left_out.items():
        if name in asked or len(left_out) == len(names):
            raise ConfigurationError(reason if reason.startswith(name) else f"{name}: {reason}")
    if stored is None:
        listing.put("controls", json.dumps([o.model_dump() for o in outcomes]))
    return [o for o in outcomes if not o.missing], left_out


def _outcomes(text: str, file: Path) -> list[ScanControl]:
    """Return the outcomes of controls as they were stored.

    Raises
    ------
    JournalError
        Where they are none: the file may be anyone's.
    """
    try:
        return TypeAdapter(list[ScanControl]).validate_python(json.loads(text))
    except (ValueError, RecursionError):
        raise JournalError(f"{file}: not the outcomes of controls; start a new scan in another folder") from None


def _concerned(names: Sequence[str], listing: Listing) -> list[str]:
    """Return the detectors of kinds that the listing holds."""
    of = {name: known_detectors()[name.partition(":")[0]].modalities for name in names}
    there = kinds_in(listing.entries(), frozenset[Modality]().union(*of.values()))
    return [name for name in names if of[name] & there]


def _control(name: str, told: Callable[[int], None]) -> ScanControl:
    if (known := kept_outcome(name)) is not None:
        return known
    worker = Worker([name])
    try:
        told(0)
        return ScanControl.model_validate(worker.ask({"do": "control", "name": name}, CONTROL_PATIENCE, told))
    except Crashed as error:
        return failed(name, str(error))
    except ConfigurationError as error:
        return failed(name, str(error), missing=True)
    finally:
        worker.close()


def _believed(rows: Iterable[ScanRow], outcomes: Sequence[ScanControl]) -> Iterator[ScanRow]:
    """Withhold the verdicts of detectors that failed their controls; scores stay."""
    doubts = {o.detector: why for o in outcomes if (why := doubt(o)) is not None}

    def withheld(detection: ScanDetection) -> ScanDetection:
        if (why := doubts.get(detection.detector)) is None:
            return detection
        return detection.model_copy(update={"verdict": "abstain", "reasons": (why, *detection.reasons)})

    for row in rows:
        yield row.model_copy(update={"detections": tuple(map(withheld, row.detections))}) if doubts else row


def _write_rows(
    path: Path,
    rows: Iterator[ScanRow],
    done: int,
    listing: Listing,
    progress: Report,
    emit: Callable[[str], None] | None,
) -> None:
    total, last = len(listing), time.monotonic()
    with path.open("ab", buffering=0) as file:  # a row is one write: what is killed loses no more than its last line
        for row in rows:
            line, now = row.line(), time.monotonic()
            file.write(line.encode("ascii"))
            # A line without its checksum is cut off as an unfinished one.
            listing.add_row(done, line.encode("ascii"), now - last)
            last = now
            done += 1
            if emit is not None:
                emit(line)
            if progress is not None:
                progress(done, total, row.path)
