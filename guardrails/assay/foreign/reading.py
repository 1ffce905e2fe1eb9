"""One figure of another tool, as that tool's file states it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ...core.errors import ConfigurationError

MAX_READINGS = 20_000
"""More figures than a report could list."""


@dataclass(frozen=True)
class ForeignReading:
    """One figure: a share of counted samples, or a mean with its standard error.

    Attributes
    ----------
    check : str
        What measured it, in the tool's words: ``dan.Dan_11_0 / mitigation.MitigationBypass``.
    metric : str
        The tool's name of the figure.
    value : float or None
        As the tool states it, or the share of `hits`.
    n : int
        Samples that were scored; those that failed or could not be scored are not among them.
    hits : int, optional
        How many of the n show what the metric counts. Without it the value is no share of counted samples.
    stderr : float, optional
        The standard error that the tool states.
    interval : (float, float, float), optional
        The bounds that the tool states, and their confidence.
    unscored : int
        Samples that the tool attempted and could not score, or that failed.
    higher_is_worse : bool
    remarks : tuple of str
        What a reader must know of the figure, as an interval that the tool states.
    """

    check: str
    metric: str
    value: float | None
    n: int
    higher_is_worse: bool
    hits: int | None = None
    stderr: float | None = None
    unscored: int = 0
    remarks: tuple[str, ...] = ()
    interval: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class ForeignResult:
    """All figures of one file.

    Attributes
    ----------
    tool, version : str
        Which tool wrote the file; the version is ``unknown`` where it does not say.
    target : str
        What was tested, in the tool's words.
    started : str
        When, or empty.
    readings : tuple of ForeignReading
    corrected : bool
        Whether the tool corrected its figures for the error of its own detectors or graders.
    unfinished : str
        Why the file is not that of a whole run, or empty.
    """

    tool: str
    version: str
    target: str
    readings: tuple[ForeignReading, ...]
    started: str = ""
    corrected: bool = False
    unfinished: str = ""
    remarks: tuple[str, ...] = field(default=())


def number(value: object) -> float | None:
    """Return a finite number, or None for anything else; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an integer that no float holds
        return None


def count(value: object) -> int | None:
    """Return a number of samples, or None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        return None
    return value


def words(value: object, otherwise: str = "unknown") -> str:
    """Return a text of up to 200 characters."""
    return value[:200] if isinstance(value, str) and value else otherwise


def table(value: object) -> dict[str, object]:
    """Return a JSON object, empty where it is none."""
    return value if isinstance(value, dict) else {}


def array(value: object) -> list[object]:
    """Return a JSON array, empty where it is none."""
    return value if isinstance(value, list) else []


def refused(path: object, why: str) -> ConfigurationError:
    """Return the error of a file that cannot be read."""
    return ConfigurationError(f"{path}: {why}")
