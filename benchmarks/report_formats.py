"""Formats of reports: time and memory for 10,000 findings, and whether the tools of each format accept them.

    python benchmarks/report_formats.py [--findings 10000] [--only FORMAT …]

Each format is written in a new process from one stored result, which has 1,000 pictures. Bars: 10 s of processor time
and 500 MB beyond a process that has only read the result. The page needs at most 500 MB in all, has at most 2 MB, and
states what was cut. Where the package that validates a format is installed (``requirements-report_formats.txt``), a
small report of every status and one with hostile texts are given to it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {"oscal": "trestle", "avid": "avidtools", "every-eval-ever": "every_eval_ever"}
"""The packages that validate, by format. CycloneDX, SARIF, JUnit and model cards are validated by the tests."""
SECONDS, MEGABYTES, PAGE = 10.0, 500.0, 2.0
PICTURES = 1000
MEASURED = """
import sys, time
from pathlib import Path
from guardrails.core.results import AuditResult
import reports
run, format = Path(sys.argv[1]), sys.argv[2]
result = AuditResult.from_json((run / "result.json").read_text(encoding="utf-8"))
def now():
    line = next(line for line in open("/proc/self/status") if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024 / 1e6
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew: reading the result is no part of a format
base, start = now(), time.process_time()
content = reports.render(result, format, run_folder=run)
high = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(time.process_time() - start, int(high.split()[1]) * 1024 / 1e6 - base, base, len(content) / 1e6)
print("findings, all of which are in result.json" in content.decode())
"""


def mistake(format: str, content: bytes) -> str | None:
    """Return the first mistake that the package of a format finds in a report, or None."""
    document = json.loads(content)
    try:
        match format:
            case "oscal":
                from trestle.oscal.assessment_results import AssessmentResults

                AssessmentResults.model_validate(document["assessment-results"])
            case "avid":
                from avidtools.datamodels.report import Report

                Report.model_validate(document)
            case "every-eval-ever":
                import jsonschema

                spec = find_spec(PACKAGES[format])
                assert spec is not None
                assert spec.origin is not None
                schema = Path(spec.origin).parent / "schemas" / "eval.schema.json"
                jsonschema.validate(document, json.loads(schema.read_text(encoding="utf-8")))
    except Exception as error:
        if isinstance(error, ImportError):
            raise
        return f"{type(error).__name__}: {str(error)[:300]}"
    return None


def validated(format: str) -> str:
    """Return what the package of a format says of three reports."""
    import report_factory
    import result_kinds

    import reports

    package = PACKAGES[format]
    if find_spec(package) is None:
        return f"not validated: {package} is not installed"
    results = [report_factory.audit(), report_factory.self_check(broken=True), result_kinds.hostile_audit()]
    mistakes = [m for result in results if (m := mistake(format, reports.render(result, format)))]
    return mistakes[0] if mistakes else f"{len(results)} reports accepted by {package}"


def write_run(folder: Path, findings: int) -> None:
    """Write a run of many findings with pictures."""
    import report_factory as factory

    from guardrails.core.results import Evidence

    for i in range(PICTURES):
        factory.png(folder / "media" / f"{i}.png", shade=i % 200)
    plain, controls = factory.measurement(0.1, 0.08, 0.13), factory.controls()
    parts = []
    for i in range(findings):
        pictures = Evidence(kind="images", caption="a copy", media=(f"media/{i}.png",))
        m = plain.model_copy(update={"evidence": (pictures,)}) if i < PICTURES else plain
        more = {"details": (), "spike": None, "power": None, "controls": controls[:1]}
        parts.append(factory.extraction(id=f"memorization.extraction/metric_{i}", measurement=m, **more))
    (folder / "result.json").write_text(factory.audit(findings=tuple(parts)).to_json(), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--findings", type=int, default=10_000)
    parser.add_argument("--only", nargs="*", help="formats")
    asked = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "reports")]
    import reports

    formats = asked.only or reports.formats()
    bad = False
    print("| format | s | MB beyond the result | MB in all | size, MB | validation |\n|---|--:|--:|--:|--:|---|")
    with tempfile.TemporaryDirectory() as folder:
        write_run(Path(folder), asked.findings)
        for format in formats:
            command = [sys.executable, "-c", MEASURED, folder, format]
            done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
            measured, said = done.stdout.splitlines()
            seconds, memory, base, size = map(float, measured.split())
            checked = validated(format) if format in PACKAGES else "in the tests"
            over = seconds > SECONDS or memory > MEGABYTES or (": " in checked and "not validated" not in checked)
            over |= format == "html" and (base + memory > MEGABYTES or size > PAGE or said != "True")
            bad |= over
            numbers = f"{seconds:.1f} | {memory:.0f} | {base + memory:.0f} | {size:.1f}"
            print(f"| {format} | {numbers} | {checked} |{' OVER' if over else ''}")
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
