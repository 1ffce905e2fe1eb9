"""How often ``guardrails compare`` calls an unchanged audit worse or better, and how often it finds a true change.

Each simulated audit has twelve findings: rates of n 30 to 400 (Wilson), AUCs of two normal samples (DeLong)
and means (Student), some of few samples, with intervals at 95%, as probes store them. Beside these: the readings of
every probe on the reference generators (``evidence``), where two seeds of one source are an unchanged model.

Run: ``python benchmarks/compare_noise.py [RUNS]``
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from scipy import stats

from guardrails.assay.comparison.compare import compare
from guardrails.assay.comparison.differences import two_sample
from guardrails.assay.stored_audit import StoredAudit
from guardrails.core.results import AuditResult, Finding, Measurement, Severity, Status, TargetRecord, Timing
from guardrails.core.statistics import delong, wilson

RATES = ((0.0, 200), (0.02, 200), (0.05, 128), (0.3, 60), (0.5, 30), (0.9, 100), (0.99, 400))
AUCS = ((0.0, 50, 50), (1.0, 40, 80))
MEANS = ((8, 1.0), (30, 3.0), (200, 0.5))


def measurement(name: str, value: float, low: float, high: float, n: int, unit: str) -> Measurement:
    return Measurement(
        probe=name, metric="m", value=value, low=low, high=high, n=n, unit=unit, higher_is_worse=True, method="m"
    )


def law(rng: np.random.Generator, shift: float) -> list[Measurement]:
    """Return the measurements of one audit; `shift` moves the third rate, in points of probability."""
    out = []
    for i, (p, n) in enumerate(RATES):
        value, low, high = wilson(int(rng.binomial(n, p + (shift if i == 2 else 0.0))), n)
        out.append(measurement(f"rate{i}", value, low, high, n, "share"))
    for i, (d, m, n) in enumerate(AUCS):
        value, low, high = delong(rng.normal(d, 1, m), rng.normal(0, 1, n))
        out.append(measurement(f"auc{i}", value, low, high, m + n, "AUC"))
    for i, (n, spread) in enumerate(MEANS):
        x = rng.normal(1, spread, n) if i else rng.standard_exponential(n)
        half = stats.t.ppf(0.975, n - 1) * x.std(ddof=1) / np.sqrt(n)
        out.append(measurement(f"mean{i}", float(x.mean()), float(x.mean() - half), float(x.mean() + half), n, "nats"))
    return out


def audit(measurements: list[Measurement]) -> StoredAudit:
    findings = tuple(
        Finding(
            id=f"{m.probe}/{m.metric}", probe=m.probe, title=m.probe, status=Status.PASS, severity=Severity.LOW,
            risk="quality", measurement=m,
        )
        for m in measurements
    )  # fmt: skip
    return StoredAudit(
        AuditResult(
            guardrails_version="0", kind="audit", verdict="pass", exit_code=0, findings=findings, not_tested=(),
            targets=(TargetRecord(name="simulated", modality="text", access=()),), policy="p", policy_sha256="0",
            seed=0, budget="quick", command="", environment={"code": "1"}, timing=Timing(started="", seconds=0.0),
        )
    )  # fmt: skip


def changed(runs: int, shift: float, seed: int) -> dict[str, object]:
    """Return how often an unchanged finding was called worse or better, and how often the shifted one was worse."""
    rng = np.random.default_rng(seed)
    alarms = worse = 0
    for _ in range(runs):
        changes = {f.id: f.change for f in compare(audit(law(rng, 0.0)), audit(law(rng, shift))).findings}
        shifted = changes.pop("rate2/m") if shift else "unchanged"
        worse += shifted == "worse"
        alarms += bool({"worse", "better"} & set(changes.values()))
    return {"runs": runs, "any false alarm": wilson(alarms, runs), "worse": wilson(worse, runs)}


def reference_generators(folder: Path) -> dict[str, object]:
    """Return how often two seeds of the same reference generators differ, and how often clean and faulty ones do."""
    sources: dict[str, dict[int, list[Measurement]]] = {"first": {}, "last": {}}
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        unit, higher = (document["headline"][key] for key in ("unit", "higher_is_worse"))
        names = sorted({reading["source"] for reading in document["readings"]})
        for reading in document["readings"]:
            for place, name in (("first", names[0]), ("last", names[-1])):
                if reading["source"] == name and reading["value"] is not None and reading["low"] < reading["high"]:
                    m = Measurement(
                        probe=document["probe"], metric="m", value=reading["value"], low=reading["low"],
                        high=reading["high"], n=reading["n"], unit=unit, higher_is_worse=higher, method="m",
                    )  # fmt: skip
                    sources[place].setdefault(reading["seed"], []).append(m)
    pairs = [(of[i], of[i + 30]) for of in sources.values() for i in range(30)]
    compared = [compare(audit(a), audit(b)) for a, b in pairs]
    alarms = sum(any(f.change in ("worse", "better") for f in c.findings) for c in compared)
    alone = sum(two_sample(a, b).p <= 0.05 for x, y in pairs for a, b in _together(x, y))
    together = sum(len(_together(x, y)) for x, y in pairs)
    faults = [compare(audit(sources["first"][i]), audit(sources["last"][i + 30])) for i in range(30)]
    differ = Counter(f.id for c in faults for f in c.findings if f.change in ("worse", "better"))
    return {
        "audits": len(pairs),
        "findings of each": sorted({len(c.findings) for c in compared}),
        "any false alarm": wilson(alarms, len(pairs)),
        "one finding at 5%, not adjusted": (alone, together, wilson(alone, together)),
        "planted fault told from none, by probe, of 30": dict(sorted(differ.items())),
    }


def _together(a: list[Measurement], b: list[Measurement]) -> list[tuple[Measurement, Measurement]]:
    after = {m.probe: m for m in b}
    return [(m, after[m.probe]) for m in a if m.probe in after]


def main(runs: int) -> None:
    out = {f"shift {shift:g}": changed(runs if not shift else runs // 4, shift, 17) for shift in (0.0, 0.1, 0.15, 0.2)}
    out["reference generators"] = reference_generators(Path(__file__).parents[1] / "evidence")
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
