"""The results of audits, scans and benchmarks: frozen models with versioned schemas, and what they are made of."""

from .audit import SCHEMA_VERSION, AuditResult, InputRecord, NotTested, TargetRecord, Timing, json_schema
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

__all__ = [
    "SCHEMA_VERSION",
    "AuditResult",
    "Baseline",
    "ControlOutcome",
    "Evidence",
    "Finding",
    "FrameworkRef",
    "InputRecord",
    "Measurement",
    "NotTested",
    "Point",
    "Power",
    "Series",
    "Severity",
    "SpikeKind",
    "SpikeOutcome",
    "Status",
    "TargetRecord",
    "Threshold",
    "Timing",
    "finite",
    "json_schema",
]
