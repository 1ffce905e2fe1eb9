"""Writes docs/evidence.md and docs/pictures/dose-response.svg from the score arrays in evidence/."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from guardrails.assay.controls import headline_threshold
from guardrails.core.registry import load_probe, probes
from guardrails.core.statistics import wilson

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "pictures" / "dose-response.svg"
COLUMNS = 3
HEAD = """\
# Evidence

How often each instrument finds its planted fault, and how often it cries wolf: each row is one dose of the fault, read
under many seeds at the size at which controls run. *Found* is the share of readings that failed the default policy,
with a 95% Wilson interval: the power at that dose, or the false alarms at dose 0. `make evidence` makes the score
arrays in `evidence/`; the tests compute every figure from them again, and flag arrays that other code made.

![Dose against reading for each instrument, with the threshold](pictures/dose-response.svg)
"""


def readings(probe_id: str) -> list[dict[str, Any]]:
    """Return the stored readings of a probe."""
    path = ROOT / "evidence" / f"{probe_id}.json"
    return json.loads(path.read_text())["readings"] if path.exists() else []


def by_dose(probe_id: str) -> dict[tuple[float, str], list[dict[str, Any]]]:
    """Return the readings of each source, by its dose; real data as a positive control count as dose 1."""
    positive = next(c.source for c in load_probe(probe_id).controls if c.expected == "found")
    groups: dict[tuple[float, str], list[dict[str, Any]]] = {}
    for r in readings(probe_id):
        dose = re.search(r"=([\d.]+)$", r["source"])
        place = float(dose[1]) if dose else float(r["source"] == positive)
        groups.setdefault((place, r["source"]), []).append(r)
    return dict(sorted(groups.items()))


def table(probe_id: str) -> Iterator[str]:
    """Yield the lines of one probe's section."""
    probe = load_probe(probe_id)
    limit = headline_threshold(probe).limit
    yield f"## {probe_id}\n"
    yield f"`{probe.headline}`, threshold {limit:g}.\n"
    yield "| source | seeds | median reading | range | found |\n|---|---|---|---|---|"
    for (_, source), group in by_dose(probe_id).items():
        values = [r["value"] for r in group]
        share, low, high = wilson(sum(r["status"] == "fail" for r in group), len(group))
        yield (
            f"| `{source}` | {len(group)} | {median(values):.3f} | {min(values):.3f} – {max(values):.3f} "
            f"| {share:.0%} [{low:.0%}, {high:.0%}] |"
        )
    yield ""


def draw() -> None:
    """Draw dose against reading for each probe."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "guardrails"
    import matplotlib.pyplot as plt

    known = [name for name in probes() if readings(name)]
    rows = -(-len(known) // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(11, 2.8 * rows), layout="constrained", squeeze=False)
    for axis in axes.flat[len(known) :]:
        axis.set_visible(False)
    for axis, name in zip(axes.flat, known, strict=False):
        for (dose, _), group in by_dose(name).items():
            shift = [dose + 0.06 * (i / len(group) - 0.5) for i in range(len(group))]
            axis.plot(shift, [r["value"] for r in group], ".", color="#1b5e8a", markersize=3, rasterized=True)
        axis.axhline(headline_threshold(load_probe(name)).limit, color="#b3261e", linestyle="--", linewidth=1)
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("dose", fontsize=9)
        axis.set_ylabel(load_probe(name).headline, fontsize=9)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE, metadata={"Date": None})


def main() -> int:
    """Write the page and the picture."""
    lines = [HEAD] + [line for name in probes() if readings(name) for line in table(name)]
    (ROOT / "docs" / "evidence.md").write_text("\n".join(lines).rstrip() + "\n")
    draw()
    return 0


if __name__ == "__main__":
    sys.exit(main())
