"""The result of a scan: its summary, and its rows, read one at a time."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Set
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import ConfigurationError
from ..json_object import json_object
from .cost import Use
from .migrate import FIRST, VERSIONS, extra_of, migrated

ROWS, SUMMARY = "scan.jsonl", "summary.json"
Verdict = Literal["synthetic", "manipulated", "nothing found", "abstain"]
"""As `core.detector.Verdict`, which reports do not import: it lies beside the statistics."""
SHOWN = 500
"""Rows on a page."""
MAX_ROW_BYTES = 1 << 24
MAX_SUMMARY_BYTES = 1 << 28


class _Part(BaseModel):
    # A later version may say more: that is not read.
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class ScanDetection(_Part):
    """The result of one detector for one file. `segments` are (start, end, score), in seconds."""

    detector: str
    score: float | None
    probability: float | None
    likelihood_ratio: float | None
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    calibration: str | None = None
    segments: tuple[tuple[float, float, float | None], ...] = ()


class ScanRow(_Part):
    """One file of a scan. `path_bytes` is its path in hexadecimal digits where that is not UTF-8."""

    path: str
    path_bytes: str | None = Field(default=None, pattern=r"^([0-9a-f]{2})*$")
    sha256: str | None
    size: int | None
    type: str
    format: str
    facts: dict[str, Any] = Field(default={}, description="what the file's header states")
    notes: tuple[str, ...] = ()
    duplicate_of: str | None
    detections: tuple[ScanDetection, ...]
    error: str | None

    def best(self, believed: Set[str]) -> ScanDetection | None:
        """Return the detection with the largest likelihood ratio, of the detectors that are believed; or None."""
        rated = [d for d in self.detections if d.detector in believed and d.likelihood_ratio is not None]
        return max(rated, key=lambda d: d.likelihood_ratio or 0.0, default=None)

    def line(self) -> str:
        """Return the row as a line of ``scan.jsonl``: ASCII, a newline at the end."""
        values = self.model_dump()
        if self.path_bytes is None:
            del values["path_bytes"]
        return json.dumps(values, allow_nan=False) + "\n"


class ScanControl(_Part):
    """The results of a detector for items with known answers.

    `measured_on` is `controls` in words; `missing` says that weights or a package are, so that nothing was shown.
    """

    detector: str
    behaved: bool
    auc: float | None
    low: float | None
    high: float | None
    n: tuple[int, int]
    controls: tuple[str, ...]
    reason: str | None
    measured_on: str | None = None
    missing: bool = False

    @model_validator(mode="after")
    def _what_behaved_was_measured(self) -> Self:
        if self.behaved and None in (self.auc, self.low, self.high):
            raise ValueError("a detector that behaved has an AUC with an interval")
        return self


class FilePictures(_Part):
    """What a page shows of one file: JPEG in base64, or None for nothing."""

    thumbnail: str | None = None
    heat: str | None = None
    error_levels: str | None = None
    ghosts: str | None = None


class ScanResult(_Part):
    """The result of ``guardrails scan``: its summary; the rows stay in the folder.

    Attributes
    ----------
    folder : Path
        The scan's folder; the rows stay in its ``scan.jsonl``.
    verdicts : dict
        By detector, how many of each; without duplicates and errors.
    left_out : dict
        Detector to reason.
    top, first_errors : tuple of ScanRow
        The rows with the largest likelihood ratios; the first that could not be read.
    cost : Use, optional
        Files, seconds over all sessions, and the memory of the largest process. Two scans of the same files differ only
        in this.
    pictures : tuple of FilePictures
        Of the rows that a page shows (`most_telling`, in their order), made where the files lie: from
        `assay.scan.gallery.with_pictures`.
    """

    folder: Path = Field(exclude=True)
    schema_version: str = VERSIONS["scan"]
    paths: tuple[str, ...]
    files: int = Field(ge=0)
    duplicates: int = Field(ge=0)
    errors: int = Field(ge=0)
    types: dict[str, int]
    verdicts: dict[str, dict[Verdict, int]]
    controls: tuple[ScanControl, ...]
    left_out: dict[str, str]
    top: tuple[ScanRow, ...] = ()
    first_errors: tuple[ScanRow, ...] = ()
    cost: Use | None = None
    pictures: tuple[FilePictures, ...] = Field(default=(), exclude=True, repr=False)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the result of a finished scan, of this schema version, an earlier one, or a later minor one.

        Raises
        ------
        ConfigurationError
            Where there is none in the folder, it is not one of this schema, or of a later major version.
        """
        file = folder / SUMMARY
        try:
            if file.stat().st_size > MAX_SUMMARY_BYTES:
                raise ConfigurationError(f"{file} is larger than {MAX_SUMMARY_BYTES >> 20} MiB: not a scan's summary")
            summary = json_object(file.read_text(encoding="utf-8"))
            extra_of("scan", summary.get("schema_version", FIRST))
            return cls.model_validate({**migrated("scan", summary), "folder": folder})
        except OSError as error:
            raise ConfigurationError(f"{file} cannot be read: {error.strerror or error}") from error
        except ValueError as error:
            raise ConfigurationError(f"{file} is not the summary of a scan: {_first(error)}") from error

    def to_json(self) -> str:
        """Return what ``summary.json`` holds."""
        return json.dumps(self.model_dump(), indent=2, allow_nan=False) + "\n"

    @property
    def believed(self) -> frozenset[str]:
        """The detectors that behaved on their controls."""
        return frozenset(control.detector for control in self.controls if control.behaved)

    def rows(self) -> Iterator[ScanRow]:
        """Yield the rows, one in memory at a time; after the last, hold their counts against the summary.

        Raises
        ------
        ConfigurationError
            Where the rows cannot be read, or are not those that the summary counts.
        """
        file = self.folder / ROWS
        files = duplicates = errors = 0
        verdicts: dict[str, Counter[str]] = {}
        try:
            with file.open("rb") as lines:
                while line := lines.readline(MAX_ROW_BYTES + 1):
                    files += 1
                    row = _row(line, f"{file}, row {files}")
                    duplicates += row.duplicate_of is not None
                    errors += row.error is not None
                    for detection in row.detections:
                        verdicts.setdefault(detection.detector, Counter())[detection.verdict] += 1
                    yield row
        except OSError as error:
            raise ConfigurationError(f"{file} cannot be read: {error.strerror or error}") from error
        counted = {name: counts for name, counts in self.verdicts.items() if sum(counts.values())}
        if (files, duplicates, errors, verdicts) != (self.files, self.duplicates, self.errors, counted):
            raise ConfigurationError(f"{file} does not hold the rows that {self.folder / SUMMARY} counts")


def most_telling(rows: Iterable[ScanRow], believed: Set[str], n: int) -> list[ScanRow]:
    """Return up to n rows with detections: those with the largest likelihood ratios, then others in their order.

    In case of a tie the earlier row comes first. At most 2n rows are in memory.
    """
    unrated: list[ScanRow] = []

    def rated() -> Iterator[tuple[float, int, ScanRow]]:
        for i, row in enumerate(rows):
            best = row.best(believed)
            if best is not None and best.likelihood_ratio is not None:
                yield best.likelihood_ratio, -i, row
            elif row.detections and len(unrated) < n:
                unrated.append(row)

    chosen = [row for _, _, row in heapq.nlargest(n, rated(), key=lambda one: one[:2])]
    return (chosen + unrated)[:n]


def _row(line: bytes, where: str) -> ScanRow:
    if len(line) > MAX_ROW_BYTES:
        raise ConfigurationError(f"{where} is longer than {MAX_ROW_BYTES >> 20} MiB: not a row of a scan")
    try:
        return ScanRow.model_validate(json_object(line))
    except ValueError as error:
        raise ConfigurationError(f"{where} is not a row of a scan: {_first(error)}") from error


def _first(error: ValueError) -> str:
    return str(error.errors()[0]["msg"]) if isinstance(error, ValidationError) else str(error)
