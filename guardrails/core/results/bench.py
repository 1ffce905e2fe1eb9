"""The result of a benchmark of detectors: a JSON document whose tables have the columns that reports read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from ..errors import ConfigurationError
from ..json_object import json_object

SCHEMA = "guardrails-bench/1"


def _strength(name: str) -> str:
    _, equals, strength = name.partition("=")
    if equals:
        float(strength)
    return name


def _whole(rate: list[float]) -> list[float]:
    if len(rate) not in (0, 3):
        raise ValueError("a rate is its share, low and high, or empty")
    return rate


Change = Annotated[str, AfterValidator(_strength)]
Rate = Annotated[list[float], AfterValidator(_whole)]
"""Share, low and high; empty where there is none."""


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)  # what is not read may be anything


class _Compared(_Part):
    detector: str
    family: str
    perturbation: Change
    n_generated: int
    n_real: int
    auc: float | None
    auc_low: float | None
    auc_high: float | None
    tpr5: float | None
    tpr5_low: float | None
    tpr5_high: float | None
    reason: str = ""


class _Shipped(_Compared):
    called_synthetic: Rate
    called_synthetic_of_real: Rate


class _Across(_Part):
    detector: str
    fitted_to: str
    family: str
    auc: float | None
    auc_low: float | None = None
    auc_high: float | None = None
    reason: str = ""


class _Mean(_Part):
    detector: str
    perturbation: Change
    families: int
    mean_auc: float
    mean_low: float
    mean_high: float
    worst: str
    worst_auc: float
    worst_low: float
    worst_high: float


class _Calibration(_Part):
    detector: str
    perturbation: Change
    n: int
    error: float | None
    error_low: float | None = None
    error_high: float | None = None
    brier: float | None
    brier_low: float | None = None
    brier_high: float | None = None


class _FalseAlarms(_Part):
    detector: str
    source: str
    n: int
    fpr: float | None
    low: float | None
    high: float | None
    abstains: Rate


class _Severity(_Part):
    perturbation: Change
    n: int
    mean: float | None
    smallest: float | None = None
    largest: float | None = None


class _Tables(_Part):
    model_config = ConfigDict(extra="forbid")

    shipped: list[_Shipped]
    means: list[_Mean]
    calibration: list[_Calibration]
    false_alarms: list[_FalseAlarms]
    severity: list[_Severity]
    across: list[_Across] = []
    left_out: list[_Compared] = []
    left_out_means: list[_Mean] = []


class _Settings(_Part):
    detectors: list[str]
    generators: list[str]
    perturbations: list[str]
    data: list[str]
    leave_one_family_out: bool
    n: int
    seed: int
    encoded: str


class _Counts(_Part):
    family: str
    n: int


class _LeftOut(_Part):
    what: str
    why: str


class _Hashes(_Part):
    sources: str
    data: str


class BenchDocument(_Part):
    """What ``bench.json`` holds."""

    settings: _Settings
    versions: dict[str, str]
    hashes: _Hashes
    data: list[_Counts]
    tables: _Tables
    left_out: list[_LeftOut]


@dataclass(frozen=True)
class BenchResult:
    """The result of ``guardrails bench``.

    Parameters
    ----------
    document : dict
        What ``bench.json`` holds: ``settings``, ``versions``, ``hashes``, ``data``, ``tables``, ``left_out``.

    Raises
    ------
    ConfigurationError
        Where it is not a document of this schema.
    """

    document: dict[str, Any]

    def __post_init__(self) -> None:
        if self.document.get("schema") != SCHEMA:
            raise ConfigurationError(f"this is not a result of guardrails bench: its schema is not {SCHEMA}")
        try:
            BenchDocument.model_validate(self.document)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ConfigurationError(f"this is not a result of guardrails bench: {where}: {first['msg']}") from error

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        ConfigurationError
            Where the text is not a document of this schema.
        """
        try:
            document = json_object(text)
        except ValueError as error:
            raise ConfigurationError(f"this is not a result of guardrails bench: {error}") from error
        return cls(document)

    def to_json(self) -> str:
        """Return the document as canonical JSON: sorted keys, newline at the end, ASCII only."""
        return json.dumps(self.document, indent=1, sort_keys=True, allow_nan=False) + "\n"
