"""The result of a benchmark of detectors: tables whose rows have the columns that reports read."""

from __future__ import annotations

import json
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from ..errors import ConfigurationError
from ..json_object import json_object
from .cost import Use
from .migrate import VERSIONS, extra_of, migrated

OLD = "guardrails-bench/1"
"""What the field ``schema`` was before there was a ``schema_version``."""


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
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", allow_inf_nan=False)


class Comparison(_Part):
    """The scores of generated pictures held against those of real ones; what has no score is counted apart."""

    n_generated: int
    n_real: int
    unscored: int = 0
    unscored_real: int = 0
    auc: float | None
    auc_low: float | None
    auc_high: float | None
    tpr5: float | None
    tpr5_low: float | None
    tpr5_high: float | None
    reason: str = ""


class FamilyRow(Comparison):
    """A detector, fitted to all families but this one, on this family under a change."""

    detector: str
    family: str
    perturbation: Change


class ShippedRow(FamilyRow):
    """A detector with the weights that it came with, on a family under a change."""

    called_synthetic: Rate
    called_synthetic_of_real: Rate
    abstains: Rate = []
    abstains_on_real: Rate = []


class AcrossRow(_Part):
    """A detector that was fitted to one family, on another."""

    detector: str
    fitted_to: str
    family: str
    n_generated: int | None = None
    n_real: int | None = None
    unscored: int = 0
    unscored_real: int = 0
    auc: float | None
    auc_low: float | None = None
    auc_high: float | None = None
    tpr5: float | None = None
    tpr5_low: float | None = None
    tpr5_high: float | None = None
    reason: str = ""


class MeanRow(_Part):
    """The mean of a detector over the families under a change, and the worst of them.

    `data` and `kind`: over these alone; empty: over all. `n_generated` and `n_real` count the items with a score.
    """

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
    data: str = ""
    kind: str = ""
    n_generated: int | None = None
    n_real: int | None = None


class CalibrationRow(_Part):
    """How well a detector's probabilities are calibrated; `without` counts items that got none.

    `data` and `kind`: on these alone; empty: on all.
    """

    detector: str
    perturbation: Change
    n: int
    without: int = 0
    error: float | None
    error_low: float | None = None
    error_high: float | None = None
    brier: float | None
    brier_low: float | None = None
    brier_high: float | None = None
    reason: str = ""
    data: str = ""
    kind: str = ""


class VerdictsRow(_Part):
    """The verdicts of a detector on real or on generated items of a kind.

    `share` is that called synthetic, as a mean over `units`: sources of real items, families of generated ones.
    `worst` is the unit of twenty items or more with the largest share; empty where there is none.
    """

    detector: str
    perturbation: Change
    data: str
    kind: str
    label: Literal["real", "generated"]
    n: int
    units: int
    synthetic: int
    nothing_found: int
    abstain: int
    share: Rate
    worst: str = ""
    worst_share: Rate = []


class FalseAlarmsRow(_Part):
    """How often a detector calls the real pictures of a source synthetic."""

    detector: str
    source: str
    n: int
    fpr: float | None
    low: float | None
    high: float | None
    abstains: Rate = []


class StrengthRow(_Part):
    """How strong a change was, as measured."""

    perturbation: Change
    n: int
    mean: float | None
    smallest: float | None = None
    largest: float | None = None
    reason: str = ""


class Tables(_Part):
    """The tables of a benchmark; the last three are empty where they were not asked for."""

    model_config = ConfigDict(extra="forbid")

    shipped: list[ShippedRow]
    means: list[MeanRow]
    calibration: list[CalibrationRow]
    false_alarms: list[FalseAlarmsRow]
    severity: list[StrengthRow]
    verdicts: list[VerdictsRow] = []
    across: list[AcrossRow] = []
    left_out: list[FamilyRow] = []
    left_out_means: list[MeanRow] = []


class BenchSettings(_Part):
    """What was asked for."""

    detectors: list[str]
    generators: list[str]
    perturbations: list[str]
    data: list[str]
    leave_one_family_out: bool
    n: int
    seed: int
    encoded: str


class FamilyCount(_Part):
    """How many pictures of a family there were, from how many sources."""

    family: str
    n: int
    sources: int | None = None
    groups: list[str] = []


class LeftOut(_Part):
    """What did not run, and why."""

    what: str
    why: str


class Hashes(_Part):
    """Of the code and of the pictures."""

    sources: str
    data: str


class BenchResult(_Part):
    """The result of ``guardrails bench``: what ``bench.json`` holds."""

    schema_version: str = VERSIONS["bench"]
    settings: BenchSettings
    versions: dict[str, str]
    hashes: Hashes
    data: list[FamilyCount]
    tables: Tables
    left_out: list[LeftOut]
    cost: Use | None = None

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote, in this version, an earlier one, or a later one with the same major number.

        Raises
        ------
        ConfigurationError
            Where the text is not a document of this schema, or its schema has a later major version.
        """
        try:
            document = json_object(text)
        except ValueError as error:
            raise ConfigurationError(f"this is not a result of guardrails bench: {error}") from error
        if "schema_version" not in document and document.get("schema") != OLD:
            raise ConfigurationError("this is not a result of guardrails bench: it has no schema_version")
        values = migrated("bench", document)
        try:
            return cls.model_validate(values, extra=extra_of("bench", document.get("schema_version", "1.0")))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ConfigurationError(f"this is not a result of guardrails bench: {where}: {first['msg']}") from error

    def to_json(self) -> str:
        """Return the document as canonical JSON: sorted keys, newline at the end, ASCII only."""
        return json.dumps(self.model_dump(), indent=1, sort_keys=True, allow_nan=False) + "\n"
