"""Audits generative models, with controls and intervals.

Before a reading of a model counts, its instrument is checked on a known positive and a known negative. Every number has
an interval. The names below are public; each is loaded when it is first used, so ``import guardrails`` takes
milliseconds.

Examples
--------
A small generative model that ships with the library, trained with a planted fault: it has memorized its training texts.

>>> import guardrails as gr
>>> target = gr.load_target("reference:gpt-text,memorize=1")
>>> result = gr.audit(target, probes=["memorization.extraction"], budget="quick", seed=0)
>>> [str(finding.status) for finding in result.findings]
['fail']
>>> len(result.to_frame())
1
>>> b"memorization.extraction" in gr.render(result, "markdown")
True
>>> gr.load_detector("deepfake.radial").score([])
[]
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reports import render
    from reports.renderer import Renderer

    from .assay.audit.orchestrator import audit
    from .assay.bench.run import bench
    from .assay.comparison.compare import compare
    from .assay.comparison.trend import trend
    from .assay.scan.run import scan
    from .core.control import Control
    from .core.detector import Detection, Detector
    from .core.errors import (
        ChangedInputError,
        ConfigurationError,
        ContentError,
        EndpointError,
        GuardrailsError,
        InstallConflictError,
        JournalError,
        MissingExtraError,
        NotApplicable,
        TargetError,
    )
    from .core.grading import Exchange, Grade, Grader
    from .core.options import ProbeOptions
    from .core.probe import Budget, Probe
    from .core.registry import load_detector, load_grader, load_probe
    from .core.results import AuditResult, Finding, Measurement, Severity, Status
    from .core.results.bench import BenchResult
    from .core.results.scan import ScanResult
    from .core.subject import Subject
    from .core.targets import Access, Modality, Target
    from .targets import load_target

__version__ = "0.1.0"

__all__ = [
    "Access",
    "AuditResult",
    "BenchResult",
    "Budget",
    "ChangedInputError",
    "ConfigurationError",
    "ContentError",
    "Control",
    "Detection",
    "Detector",
    "EndpointError",
    "Exchange",
    "Finding",
    "Grade",
    "Grader",
    "GuardrailsError",
    "InstallConflictError",
    "JournalError",
    "Measurement",
    "MissingExtraError",
    "Modality",
    "NotApplicable",
    "Probe",
    "ProbeOptions",
    "Renderer",
    "ScanResult",
    "Severity",
    "Status",
    "Subject",
    "Target",
    "TargetError",
    "Verification",
    "__version__",
    "audit",
    "bench",
    "bundle",
    "compare",
    "load_detector",
    "load_grader",
    "load_probe",
    "load_target",
    "render",
    "scan",
    "trend",
    "verify",
]

_HOMES = {
    "guardrails.assay.audit.orchestrator": ("audit",),
    "guardrails.assay.bench.run": ("bench",),
    "guardrails.assay.bundle.verify": ("Verification", "verify"),
    "guardrails.assay.bundle.write": ("bundle",),
    "guardrails.assay.comparison.compare": ("compare",),
    "guardrails.assay.comparison.trend": ("trend",),
    "guardrails.assay.scan.run": ("scan",),
    "guardrails.core.control": ("Control",),
    "guardrails.core.detector": ("Detection", "Detector"),
    "guardrails.core.options": ("ProbeOptions",),
    "guardrails.core.probe": ("Budget", "Probe"),
    "guardrails.core.subject": ("Subject",),
    "guardrails.core.targets": ("Access", "Modality", "Target"),
    "guardrails.core.results.bench": ("BenchResult",),
    "guardrails.core.errors": (
        "ChangedInputError",
        "ConfigurationError",
        "ContentError",
        "EndpointError",
        "GuardrailsError",
        "InstallConflictError",
        "JournalError",
        "MissingExtraError",
        "NotApplicable",
        "TargetError",
    ),
    "guardrails.core.grading": ("Exchange", "Grade", "Grader"),
    "guardrails.core.registry": ("load_detector", "load_grader", "load_probe"),
    "guardrails.core.results": ("AuditResult", "Finding", "Measurement", "Severity", "Status"),
    "guardrails.core.results.scan": ("ScanResult",),
    "guardrails.targets": ("load_target",),
    "reports": ("render",),
    "reports.renderer": ("Renderer",),
}
_NEED_ALL_PACKAGES = frozenset(
    {"audit", "bench", "bundle", "compare", "load_target", "render", "scan", "trend", "verify"}
)
"""What imports ``generators`` or ``reports``, whose place a file of the user's own of that name may take."""
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'guardrails' has no attribute '{name}'")
    if name in _NEED_ALL_PACKAGES:
        from .core.install import check_install

        check_install()
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
