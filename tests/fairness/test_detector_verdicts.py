"""Verdicts of a scan, compared between sources as docs/fairness.md shows it."""

from __future__ import annotations

import re
from contextlib import chdir
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from guardrails.core.asking import ask
from guardrails.core.probe import Budget
from guardrails.core.registry import load_probe
from guardrails.core.results.scan import ScanDetection, ScanRow
from guardrails.core.subject import Subject
from guardrails.targets import load_target
from reports.exchange.csv_ import ScanCsv

SIZE = 60
RATES = {"old camera": 0.35, "phone": 0.05}
"""Of the real pictures of each source, the share that is called synthetic."""


def scanned(folder: Path) -> None:
    """Write a scan's CSV and what is known of its files; one file cannot be read, and one repeats another."""
    rng, rows, about = np.random.default_rng(4), [], []
    for source, rate in RATES.items():
        for truth in ("real", "synthetic"):
            wrong = rng.random(SIZE) < (rate if truth == "real" else 0.2)
            for i, called in enumerate(np.where(truth == "real", wrong, ~wrong).tolist()):
                verdict: Any = "synthetic" if called else ("abstain" if i % 5 == 0 else "nothing found")
                rows.append(row(f"{source}/{truth}-{i}.jpg", verdict))
                about.append({"path": rows[-1].path, "truth": truth, "source": source})
    rows += [row("phone/broken.jpg", None, error="not a picture"), row("phone/twice.jpg", None, of="phone/real-1.jpg")]
    (folder / "scan.csv").write_bytes(ScanCsv().render(SimpleNamespace(rows=lambda: rows)))  # type: ignore[arg-type]
    pd.DataFrame(about).to_csv(folder / "about.csv", index=False)


def row(path: str, verdict: Any, *, error: str | None = None, of: str | None = None) -> ScanRow:
    detections = (
        ()
        if verdict is None
        else tuple(
            ScanDetection(detector=name, score=None, probability=None, likelihood_ratio=None, verdict=verdict)
            for name in ("deepfake.fusion", "deepfake.face")
        )
    )
    return ScanRow(
        path=path, sha256=None, size=1, type="image", format="jpeg", duplicate_of=of, detections=detections, error=error
    )


def test_the_false_positive_rate_of_a_detector_is_compared_between_sources(tmp_path: Path, repository: Path) -> None:
    scanned(tmp_path)
    page = (repository / "docs" / "fairness.md").read_text(encoding="utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "scan.csv" in block]
    with chdir(tmp_path):
        exec(code, {})
        table = pd.read_csv("verdicts.csv")
        target = load_target(f"table:{tmp_path / 'verdicts.csv'}")
    assert len(table) == 4 * SIZE
    options = {"columns": "source", "prediction": "outcome", "label": "truth", "positive": "synthetic"}
    probe, subject = load_probe("fairness.groups", options), Subject(target)
    assert probe.missing(subject) == []
    rows = [r for b in probe.plan(subject, Budget.QUICK, seed=0) for r in ask(probe, subject, b, seed=b.index)]
    gap = {m.metric: m for m in probe.measure(rows, subject, seed=0)}["false_positive_rate_difference"]
    real = table[table["truth"] == "real"]
    rates = (real["outcome"] == "synthetic").groupby(real["source"]).mean()
    assert gap.value == pytest.approx(rates["old camera"] - rates["phone"])
    assert gap.low is not None
    assert gap.low > 0
    assert gap.n == 2 * SIZE
    assert "Higher for source = old camera than for source = phone." in gap.explanation
