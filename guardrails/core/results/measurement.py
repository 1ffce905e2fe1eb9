"""A measurement: one number with its interval, n, method and evidence."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator


class Frozen(BaseModel):
    """A part of a result: it is never changed, holds no NaN, and no field that its schema does not name."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Baseline(Frozen):
    """The value of the same statistic if the fault is known to be absent."""

    what: str
    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = Field(default=None, ge=0)


class Point(Frozen):
    """One point of a series, with its interval."""

    x: float | str
    y: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


class Series(Frozen):
    """A curve or a set of bars; a report draws it with a table behind it."""

    name: str
    x_label: str
    y_label: str
    points: tuple[Point, ...]


class Evidence(Frozen):
    """One thing a reader can look at: an excerpt (already redacted) or pictures in the run's ``media/``.

    `text` is untrusted model output: whoever renders it escapes it. `media` are paths relative to the run's folder.
    """

    kind: Literal["excerpt", "images", "table"]
    caption: str
    text: str | None = None
    media: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    redacted: bool = False


class Measurement(Frozen):
    """One number with its interval, n, method and evidence, or no number and the reason.

    `low` and `high` bound `value` with simultaneous coverage `confidence` over the measurements of one probe.
    An interval has a width: a sample of any size leaves some doubt. What has none, as a bound that is itself what holds
    with `confidence`, is `exact`.
    `detectable` is the smallest true value that this n would tell from the baseline four times in five.
    Never NaN: where nothing can be said, `value` is None and `reason` says what would be needed.
    """

    probe: str
    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    confidence: float = Field(default=0.95, gt=0, lt=1)
    n: int = Field(ge=0)
    unit: str
    higher_is_worse: bool
    method: str
    reason: str | None = None
    deterministic: bool = True
    exact: bool = Field(default=False, description="a bound or a count of all there is: no interval around it")
    baseline: Baseline | None = None
    detectable: float | None = None
    series: tuple[Series, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    explanation: str = ""
    errors: int = Field(default=0, ge=0, description="items that could not be assessed; never in n")
    first_error: str | None = Field(default=None, description="the message of the first of them")
    needed: int | None = Field(default=None, ge=0, description="the n that would say more, where that is known")

    @property
    def failed(self) -> str:
        """How many items could not be assessed, in words."""
        total = self.n + self.errors
        if self.n or not total:
            return f"{self.errors:,} of {total:,} items failed"
        return f"{total:,} item{'' if total == 1 else 's'} failed and none was assessed"

    @model_validator(mode="after")
    def _a_value_has_an_interval_and_no_value_has_a_reason(self, info: ValidationInfo) -> Self:
        if self.value is None:
            if not self.reason:
                raise ValueError("a measurement without a value needs a reason")
            return self
        if self.low is None or self.high is None:
            raise ValueError("a value needs an interval")
        if not self.low <= self.value <= self.high:
            raise ValueError(f"the interval [{self.low}, {self.high}] does not hold the value {self.value}")
        # What an earlier version wrote is read as it is.
        if self.low == self.high and not self.exact and info.mode == "python":
            raise ValueError(
                f"{self.metric}: no sample leaves no doubt; the interval [{self.low}, {self.high}] is a point"
            )
        return self


def finite(x: float) -> float | None:
    """Return x, or None where it is not a finite number: results never hold NaN."""
    return float(x) if math.isfinite(x) else None
