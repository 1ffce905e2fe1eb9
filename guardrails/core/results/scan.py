"""The result of a scan: its summary, and its rows one at a time, however many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ConfigurationError
from ..json_object import json_object

ROWS, SUMMARY = "scan.jsonl", "summary.json"
Verdict = Literal["synthetic", "manipulated", "nothing found", "abstain"]
"""As `core.detector.Verdict`, which reports do not import: it lies beside the statistics."""
MAX_ROW_BYTES = 1 << 24
MAX_SUMMARY_BYTES = 1 << 28


class _Part(BaseModel):
    # A later version may say more: that is not read.
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class ScanDetection(_Part):
    """What one detector says of one file."""

    detector: str
    score: float | None
    probability: float | None
    likelihood_ratio: float | None
    verdict: Verdict
    reasons: tuple[str, ...] = ()


class ScanRow(_Part):
    """One file of a scan. `path_bytes` is its path in hexadecimal digits where that is not UTF-8."""

    path: str
    path_bytes: str | None = Field(default=None, pattern=r"^([0-9a-f]{2})*$")
    sha256: str | None
    size: int | None
    type: str
    format: str
    notes: tuple[str, ...] = ()
    duplicate_of: str | None
    detections: tuple[ScanDetection, ...]
    error: str | None


class ScanControl(_Part):
    """What a detector made of items whose answer is known."""

    detector: str
    behaved: bool
    auc: float | None
    low: float | None
    high: float | None
    n: tuple[int, int]
    controls: tuple[str, ...]
    reason: str | None
    measured_on: str | None = None


class ScanResult(_Part):
    """The result of ``guardrails scan``.

    Attributes
    ----------
    folder : Path
        The scan's folder; the rows stay in its ``scan.jsonl``.
    gallery : dict, optional
        What the page shows, with pictures: from `assay.scan.gallery.gallery_of`.
    """

    folder: Path = Field(exclude=True)
    paths: tuple[str, ...]
    files: int = Field(ge=0)
    duplicates: int = Field(ge=0)
    errors: int = Field(ge=0)
    types: dict[str, int]
    verdicts: dict[str, dict[Verdict, int]]
    controls: tuple[ScanControl, ...]
    left_out: dict[str, str]
    gallery: dict[str, Any] | None = Field(default=None, exclude=True, repr=False)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the result of a finished scan.

        Raises
        ------
        ConfigurationError
            Where there is none in the folder, or it is not one of this schema.
        """
        file = folder / SUMMARY
        try:
            if file.stat().st_size > MAX_SUMMARY_BYTES:
                raise ConfigurationError(f"{file} is larger than {MAX_SUMMARY_BYTES >> 20} MiB: not a scan's summary")
            summary = file.read_text(encoding="utf-8")
            return cls.model_validate({**json_object(summary), "folder": folder})
        except OSError as error:
            raise ConfigurationError(f"{file} cannot be read: {error.strerror or error}") from error
        except ValueError as error:
            raise ConfigurationError(f"{file} is not the summary of a scan: {_first(error)}") from error

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


def _row(line: bytes, where: str) -> ScanRow:
    if len(line) > MAX_ROW_BYTES:
        raise ConfigurationError(f"{where} is longer than {MAX_ROW_BYTES >> 20} MiB: not a row of a scan")
    try:
        return ScanRow.model_validate(json_object(line))
    except ValueError as error:
        raise ConfigurationError(f"{where} is not a row of a scan: {_first(error)}") from error


def _first(error: ValueError) -> str:
    return str(error.errors()[0]["msg"]) if isinstance(error, ValidationError) else str(error)
