"""The commands that are disturbed: how each begins, how it is gone on with, and what its result is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardrails import cli
from guardrails.core.errors import ConfigurationError

from .child import Child, Ended

PATIENCE, FIRST = 300.0, 1800.0
"""Seconds that a command may take before it counts as hanging; the first time, with all controls to be run."""
DETECTOR = "deepfake.radial"
SHARD_BYTES = 60_000
PASSES, REFUSED = 0, 2
NOT_BEGUN = ("no run to resume", "cut off before it began", "no scan to resume")
Result = dict[str, bytes]


def command(*words: str | Path) -> Callable[[], int]:
    """Return work that runs one command line."""
    return lambda: cli.run([str(word) for word in words])


@dataclass(frozen=True)
class Job:
    """A command.

    Attributes
    ----------
    name : str
    begin, resume : callable
        Work for `Child`, run in an empty folder and in one where `begin` was cut off.
    result : callable
        Folder → what must be the same however often it was disturbed.
    """

    name: str
    begin: Callable[[], int]
    resume: Callable[[], int]
    result: Callable[[Path], Result]

    def once(self, folder: Path, work: Callable[[], int]) -> Ended:
        """Run work in a folder to its end; a new folder is made."""
        folder.mkdir(parents=True, exist_ok=True)
        return Child(work, folder).wait(PATIENCE)


@dataclass(frozen=True)
class Undisturbed:
    """How a job ends when it is left alone."""

    ended: Ended
    result: Result
    folder: Path


def undisturbed(jobs: Sequence[Job], folder: Path) -> dict[str, Undisturbed]:
    """Run jobs to their ends: side by side, which fills the cache of controls, and again, each alone."""
    places = {job.name: folder / job.name / "first" for job in jobs}
    for place in places.values():
        place.mkdir(parents=True)
    for job, child in [(job, Child(job.begin, places[job.name])) for job in jobs]:
        _check(job, child.wait(FIRST))
    alone = {}
    for job in jobs:
        place = folder / job.name / "second"
        ended = _check(job, job.once(place, job.begin))
        alone[job.name] = Undisturbed(ended, job.result(place), place)
    return alone


def _check(job: Job, ended: Ended) -> Ended:
    if ended.code not in (0, 1, 3) or ended.hung:
        raise RuntimeError(f"{job.name} fails undisturbed ({ended.code}): {ended.output}")
    return ended


def files(folder: Path, *names: str) -> Result:
    """Return whole files, and the names of all files of the run: nothing half-written may stay."""
    listed = "\n".join(sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()))
    result = {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}
    return result | {"files": listed.encode()}


def audit_result(folder: Path) -> Result:
    """Return result.json without its times and its hash, and the names of the files."""
    result = files(folder, "run/result.json")
    if "run/result.json" in result:
        parsed = json.loads(result["run/result.json"])
        del parsed["timing"], parsed["sha256"]  # the hash is over all of the result, its times too
        result["run/result.json"] = json.dumps(parsed, sort_keys=True).encode()
    return result


def verdict(result: Result) -> str | None:
    """Return the verdict of an audit's result."""
    stored = result.get("run/result.json")
    parsed: Any = json.loads(stored) if stored else {}
    return parsed.get("verdict")


def audit(name: str, target: str, data: Path, stem: str, probes: Sequence[str]) -> Job:
    """Return an audit of a target with a corpus and a holdout."""
    words: list[str | Path] = ["audit", target, "--budget", "quick", "--out", "run"]
    if stem:
        words += ["--corpus", data / f"corpus{stem}", "--holdout", data / f"holdout{stem}"]
    words += [word for probe in probes for word in ("--probes", probe)]
    return Job(name, command(*words), command("audit", "--resume", "run"), audit_result)


def audits(data: Path) -> list[Job]:
    """Return audits of texts, pictures, a table and a model."""
    return [
        audit("audit of texts", f"jsonl:{data}/outputs.jsonl", data, ".jsonl", ["privacy.pii", "memorization.overlap"]),
        audit("audit of pictures", f"dir:{data}/outputs", data, "/", ["memorization.copies"]),
        audit("audit of a table", f"table:{data}/outputs.csv", data, ".csv", ["privacy.table-distance"]),
        audit("audit of a model", "reference:gpt-text,memorize=1", data, "", ["bias.counterfactual"]),
    ]


def scan(data: Path) -> Job:
    """Return a scan of pictures that ends with a gallery."""
    words: list[str | Path] = ["scan", data / "outputs", "--detectors", DETECTOR, "--format", "html", "--out", "run"]
    resume = command("scan", "--resume", "--format", "html", "--out", "run")
    return Job("scan", command(*words), resume, scan_result)


def scan_result(folder: Path) -> Result:
    """Return the files of a scan, its summary without what it used."""
    result = files(folder, "run/scan.jsonl", "run/summary.json", "run/gallery.html")
    if "run/summary.json" in result:
        parsed = json.loads(result["run/summary.json"])
        del parsed["cost"]
        result["run/summary.json"] = json.dumps(parsed, sort_keys=True).encode()
    return result


def index(data: Path) -> Job:
    """Return the building of an index of many small shards."""

    def build() -> int:
        from guardrails.memorization.text.index_folder import build_index

        build_index.__kwdefaults__["shard_bytes"] = SHARD_BYTES  # in this child alone
        return cli.run(["index", *(str(data / f"large-{number}.jsonl") for number in range(8)), "--out", "run"])

    def result(folder: Path) -> Result:
        return files(folder, *(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()))

    return Job("index build", build, build, result)


def indexed(data: Path) -> Job:
    """Return an audit whose corpus is an index folder; it is gone on with by another audit of that folder."""
    words = ["audit", f"jsonl:{data}/outputs.jsonl", "--corpus", "index", "--probes", "memorization.overlap"]
    audit = command(*words, "--budget", "quick", "--out", "run")

    def begin() -> int:
        from guardrails.memorization.text.index_folder import build_index

        manifest = Path("index", "index.json")
        if not manifest.exists() or b'"complete": true' not in manifest.read_bytes():
            try:
                build_index([data / "corpus.jsonl"], "index", shard_bytes=SHARD_BYTES)
            except ConfigurationError as error:
                print(error)
                return REFUSED
        return audit()

    def again() -> int:
        shutil.rmtree("run", ignore_errors=True)
        return begin()

    return Job("audit of an index", begin, again, audit_result)


def rendering(run: Path, format: str) -> Job:
    """Return the rendering of a finished run."""
    render = command("report", run, "--format", format, "--out", "page")
    return Job(f"rendering as {format}", render, render, lambda folder: files(folder, "page"))
