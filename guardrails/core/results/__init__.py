"""Results of audits, scans and benchmarks: frozen models with versioned schemas."""

from .audit import SCHEMA_VERSION, AuditResult, InputRecord, NotTested, Rescored, TargetRecord, Timing, UsedFile
from .cost import Cost, ProbeCost, Requests, Use
from .finding import (
    ControlOutcome,
    DoseReading,
    Finding,
    FrameworkRef,
    KnownFinding,
    OtherTool,
    Power,
    Severity,
    SpikeKind,
    SpikeOutcome,
    Status,
    Threshold,
    WaiverRecord,
)
from .fingerprint import fingerprint_of, metric_of, target_of
from .measurement import Baseline, Evidence, Measurement, Point, Series, finite
from .policy import FrameworkControl, PolicyRecord, PolicyThreshold
from .schema import json_schema

__all__ = [
    "SCHEMA_VERSION",
    "AuditResult",
    "Baseline",
    "ControlOutcome",
    "Cost",
    "DoseReading",
    "Evidence",
    "Finding",
    "FrameworkControl",
    "FrameworkRef",
    "InputRecord",
    "KnownFinding",
    "Measurement",
    "NotTested",
    "OtherTool",
    "Point",
    "PolicyRecord",
    "PolicyThreshold",
    "Power",
    "ProbeCost",
    "Requests",
    "Rescored",
    "Series",
    "Severity",
    "SpikeKind",
    "SpikeOutcome",
    "Status",
    "TargetRecord",
    "Threshold",
    "Timing",
    "Use",
    "UsedFile",
    "WaiverRecord",
    "fingerprint_of",
    "finite",
    "json_schema",
    "metric_of",
    "target_of",
]
