"""Results of audits, scans and benchmarks: frozen models with versioned schemas."""

from .audit import SCHEMA_VERSION, AuditResult, InputRecord, NotTested, TargetRecord, Timing
from .cost import Cost, ProbeCost, Requests, Use
from .finding import (
    ControlOutcome,
    Finding,
    FrameworkRef,
    Power,
    Severity,
    SpikeKind,
    SpikeOutcome,
    Status,
    Threshold,
)
from .measurement import Baseline, Evidence, Measurement, Point, Series, finite
from .policy import FrameworkControl, PolicyRecord, PolicyThreshold
from .schema import json_schema

__all__ = [
    "SCHEMA_VERSION",
    "AuditResult",
    "Baseline",
    "ControlOutcome",
    "Cost",
    "Evidence",
    "Finding",
    "FrameworkControl",
    "FrameworkRef",
    "InputRecord",
    "Measurement",
    "NotTested",
    "Point",
    "PolicyRecord",
    "PolicyThreshold",
    "Power",
    "ProbeCost",
    "Requests",
    "Series",
    "Severity",
    "SpikeKind",
    "SpikeOutcome",
    "Status",
    "TargetRecord",
    "Threshold",
    "Timing",
    "Use",
    "finite",
    "json_schema",
]
