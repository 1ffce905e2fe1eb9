"""The interface of a renderer: one format of one kind of result, as bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from guardrails.core.results import AuditResult
from guardrails.core.results.bench import BenchResult
from guardrails.core.results.comparison import Comparison
from guardrails.core.results.scan import ScanResult
from guardrails.core.results.trend import Trend

Result = AuditResult | ScanResult | BenchResult | Comparison | Trend
KINDS: dict[type[Result], str] = {
    AuditResult: "audit",
    ScanResult: "scan",
    BenchResult: "bench",
    Comparison: "compare",
    Trend: "trend",
}
"""The kinds of result, and the command that each comes from."""

R = TypeVar("R", AuditResult, ScanResult, BenchResult, Comparison, Trend)


class Renderer(ABC, Generic[R]):
    """One format of one kind of result.

    A renderer shows what is in the result and computes nothing. The same result gives the same bytes. Every text of a
    result is untrusted: it must arrive as text in whatever reads the format. No outcome is left out or changed.

    Attributes
    ----------
    format : str
        The value of ``--format``: lower-case letters, digits and hyphens.
    accepts : type
        `AuditResult`, `ScanResult`, `BenchResult`, `Comparison` or `Trend`. No other renderer has this format for this
        kind.
    title : str
        What the format is for, in one line, as ``guardrails list formats`` shows it.
    """

    format: ClassVar[str]
    accepts: ClassVar[type[Result]]
    title: ClassVar[str]

    @abstractmethod
    def render(self, result: R, *, run_folder: Path | None = None) -> bytes:
        """Return the result in this format.

        Parameters
        ----------
        result : AuditResult, ScanResult, BenchResult, Comparison or Trend
            Of the kind that `accepts` names.
        run_folder : Path, optional
            The run's folder; its ``media/`` holds the pictures of an audit.

        Raises
        ------
        ConfigurationError
            Where the format cannot hold this result.
        """
