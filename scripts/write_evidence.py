"""Writes docs/evidence.md and docs/pictures/dose-response.svg from the score arrays in evidence/."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from guardrails.assay.audit.controls import headline_threshold
from guardrails.core.registry import load_probe, probes
from guardrails.core.statistics import wilson

ROOT = Path(__file__).resolve().parents[1]
NULLS = ROOT / "evidence" / "nulls"
PAGE = ROOT / "docs" / "evidence.md"
PICTURE = ROOT / "docs" / "pictures" / "dose-response.svg"
COLUMNS = 3
HEAD = """\
# Evidence

This page shows how often each instrument finds its planted fault, and how often it raises a false alarm. Each row is
one dose of the fault, measured with many seeds at the sample size of the controls. *Found* is the share of readings
that failed the default policy, with a 95% Wilson interval: the power at that dose, or the false alarms at dose 0.
`make evidence` makes the score arrays in `evidence/`. The tests judge each reading again, recompute every figure, and
fail if a file that the readings depend on has changed. After a change that should not alter any reading, a sample of
the readings, drawn by the new hashes, is repeated: if all of them are equal (within a hundredth of their interval,
the noise of single precision between processors), the rest is kept, and the section says so.

![Dose against reading for each instrument, with the threshold](pictures/dose-response.svg)
"""
NULL_HEAD = """\
## Null runs

Null runs test attacks in a situation in which they can only be right by chance: both arms are fresh items that no model
has read, and one of them is presented as the training data. An *alarm* is a run in which the lower bound of the
attack's 95% interval is above chance, whatever the threshold of a policy. *Power* is the share of runs with a planted
fault that the same rule detects. Intervals are 95% Wilson intervals. The table is computed from the arrays in
`evidence/nulls/`, of 200 null runs each; `python evidence/nulls.py` makes them.

| attack | target of the null runs | alarms | power |
|---|---|---|---|
"""


def stored(probe_id: str) -> dict[str, Any]:
    """Return the evidence file of a probe, or one without readings."""
    path = ROOT / "evidence" / f"{probe_id}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"readings": []}


def readings(probe_id: str) -> list[dict[str, Any]]:
    """Return the stored readings of a probe."""
    return stored(probe_id)["readings"]


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
    if note := stored(probe_id).get("confirmed"):
        again = f"{note['readings']} of the {note['of']} readings"
        yield f"The code changed since these readings: {again} were repeated and are equal.\n"
    yield "| source | seeds | median reading | range | found |\n|---|---|---|---|---|"
    for (_, source), group in by_dose(probe_id).items():
        values = [r["value"] for r in group]
        share, low, high = wilson(sum(r["status"] == "fail" for r in group), len(group))
        yield (
            f"| `{source}` | {len(group)} | {median(values):.3f} | {min(values):.3f} – {max(values):.3f} "
            f"| {share:.0%} [{low:.0%}, {high:.0%}] |"
        )
    yield ""


def null_table() -> Iterator[str]:
    """Yield the lines of the section on null runs, if there are any, and what has to be known of some."""
    files = [json.loads(path.read_text()) for path in sorted(NULLS.glob("*.json"))]
    if not files:
        return
    yield NULL_HEAD.rstrip("\n")
    notes: list[str] = []
    for file in files:
        for case in file["cases"]:
            if case["why"] and case["why"] not in notes:
                notes.append(case["why"])
            mark = f" [{notes.index(case['why']) + 1}]" if case["why"] else ""
            for attack, null in case["null"].items():
                level, planted = case["chance"][attack], case["planted"].get(attack)
                power = share_above(planted["low"], level) if planted else "—"
                alarms = share_above(null["low"], level)
                yield f"| {file['probe']}: {attack} | `{case['asked']}`{mark} | {alarms} | {power} |"
    yield ""
    yield from (f"[{i}] {note[0].upper()}{note[1:]}.\n" for i, note in enumerate(notes, 1))


def share_above(lows: Sequence[float | None], level: float) -> str:
    """Return in how many runs the lower bound lies above chance, with the interval of the share."""
    above = sum(low is not None and low > level for low in lows)
    share, low, high = wilson(above, len(lows))
    return f"{above} of {len(lows)}, {share:.1%} [{low:.1%}, {high:.1%}]"


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


def text() -> str:
    """Return the page."""
    lines = [HEAD, *null_table()] + [line for name in probes() if readings(name) for line in table(name)]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Write the page and the picture."""
    PAGE.write_text(text(), encoding="utf-8")
    draw()
    return 0


if __name__ == "__main__":
    sys.exit(main())
