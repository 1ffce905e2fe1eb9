"""One finding as an `Item` of the tree."""

from __future__ import annotations

import re
from collections.abc import Sequence

from guardrails.core.results import ControlOutcome, Evidence, Finding, Measurement, Series, SpikeOutcome, Status

from .charts import Chart, CurveChart, CurvePoint, Dot, IntervalChart, Role, drawable
from .text import number, reading
from .tree import Block, Cell, Command, Excerpt, Facts, Figure, Item, Mark, Part, Pictures, Prose, Table
from .trim import Trim

MARKS = {
    Status.PASS: Mark("✓", "Pass", "good"),
    Status.FAIL: Mark("✕", "Fail", "bad"),
    Status.INCONCLUSIVE: Mark("?", "Inconclusive", "unsure"),
    Status.NOT_ASSESSED: Mark("○", "Not assessed", "none"),
    Status.NOT_APPLICABLE: Mark("–", "Not applicable", "none"),
}
EXCUSED = {"waived": Mark("◇", "Waived", "unsure"), "known": Mark("≈", "Known", "unsure")}
"""Failed findings that do not fail the audit."""
OBSERVED = {
    Status.FAIL: "found",
    Status.PASS: "clear",
    Status.INCONCLUSIVE: "inconclusive",
    Status.NOT_ASSESSED: "not assessed",
    Status.NOT_APPLICABLE: "not applicable",
}
BEHAVED = Mark("✓", "behaved", "good")
MISBEHAVED = Mark("✕", "misbehaved", "bad")
_ROLES: dict[str, tuple[Role, str]] = {"found": ("found", "faulty"), "clear": ("clear", "clean")}
_CONTROLS_DRAWN = 8
ADDRESS = re.compile(r"https://[A-Za-z0-9.-]+(/[^\s<>\"'\\]*)?")


def target_of(finding: Finding) -> str:
    """Return the target's name in a self-check, whose findings are named ``probe/metric@target``; else nothing."""
    return finding.id.partition("@")[2] if finding.expected else ""


def mark_of(finding: Finding) -> Mark:
    """Return the status; in a self-check, whether it is what is known of the target."""
    if finding.outcome in EXCUSED:
        return EXCUSED[finding.outcome]
    if finding.expected is None or finding.status in (Status.NOT_ASSESSED, Status.NOT_APPLICABLE):
        return MARKS[finding.status]
    right, wrong = {"found": ("Found, as planted", "Missed"), "clear": ("No alarm, none planted", "False alarm")}[
        finding.expected
    ]
    return Mark("✓", right, "good") if finding.behaved else Mark("✕", wrong, "bad")


def value_of(m: Measurement | None) -> str:
    """Return a measurement's value with its interval."""
    return "no number" if m is None else reading(m.value, m.low, m.high, m.unit)


def limit_of(finding: Finding) -> str:
    """Return the threshold as ``at most 1%``."""
    m, threshold = finding.measurement, finding.threshold
    if threshold is None:
        return "none"
    word = "at most" if m is None or m.higher_is_worse else "at least"
    return f"{word} {number(threshold.limit, m.unit if m else '')}"


def sentence_of(finding: Finding) -> str:
    """Say in one sentence why the finding has its status."""
    m, threshold = finding.measurement, finding.threshold
    if finding.reason and finding.status is not Status.FAIL:
        return finding.reason[:1].upper() + finding.reason[1:]
    if m is None or m.value is None or threshold is None:
        return (m.reason if m else None) or "Nothing was measured."
    bad, good = ("above", "below") if m.higher_is_worse else ("below", "above")
    limit = f"the limit of {number(threshold.limit, m.unit)}"
    if finding.status is Status.FAIL:
        return f"The whole interval lies {bad} {limit}.{excuse_of(finding)}"
    if finding.status is Status.PASS:
        return f"The whole interval lies {good} {limit}."
    return f"The interval straddles {limit}, so this run cannot tell."


def excuse_of(finding: Finding) -> str:
    """Return, after a space, who waived a failed finding or how it compares with the baseline; else nothing."""
    if w := finding.waiver:
        return f" Waived until {w.expires} by {w.owner}: {w.reason}"
    if k := finding.known:
        word = "Known" if finding.excused else "Failed before"
        return f" {word}: it failed in the baseline; {k.note}."
    return ""


def item(finding: Finding, anchor: str, trim: Trim, *, about: str, is_open: bool) -> Item:
    """Return the finding with everything that stands behind it."""
    lead: list[Block] = []
    parts: list[Part] = []
    if trim.caps.parts:
        if finding.question:
            lead.append(Prose(trim.text(finding.question)))
        lead += _figure(finding, trim)
        facts = tuple((name, trim.text(value)) for name, value in _facts(finding))
        lead += [Facts(facts)] if facts else []
        parts = [part for part in _parts(finding, trim) if part.blocks]
    return Item(
        anchor=anchor,
        title=trim.text(finding.title, limit=200),
        about=about,
        mark=mark_of(finding),
        reading=trim.text(value_of(finding.measurement)),
        sentence=trim.text(sentence_of(finding)),
        lead=tuple(lead),
        parts=tuple(parts),
        open=is_open,
    )


def _facts(finding: Finding) -> list[tuple[str, str]]:
    m, threshold = finding.measurement, finding.threshold
    facts: list[tuple[str, str]] = []
    if finding.expected:
        facts.append(("Known of this target", f"the fault is {'planted' if finding.expected == 'found' else 'absent'}"))
    if o := finding.measured_by:
        facts.append(("Measured by", f"{o.tool} {o.version}, of {o.target}; {o.file}, SHA-256 {o.sha256}"))
    if threshold:
        facts.append(("Limit", f"{limit_of(finding)}, {threshold.severity} severity. {threshold.origin}"))
        facts.append(("Required", "yes, by the policy" if threshold.required else "no"))
    if w := finding.waiver:
        facts.append(("Waived", f"by {w.owner} until {w.expires}: {w.reason}"))
    if k := finding.known:
        unit = m.unit if m else ""
        facts.append(("In the baseline", f"fail, {reading(k.value, k.low, k.high, unit)}, n = {k.n:,}. {k.note}"))
    if finding.options:
        values = "; ".join(f"{name} = {value}" for name, value in sorted(finding.options.items()))
        facts.append(("How it was set", f"{values}; everything else, by default. The controls were run with the same"))
    if m is None:
        return facts
    facts.append(("Measured", f"{m.metric}, n = {m.n:,}"))
    if m.value is not None:
        facts.append(("Interval", f"{m.confidence:.0%} simultaneous coverage. {m.method}"))
    if m.errors:
        facts.append(("Items that failed", f"{m.errors:,}, not counted in n; the verdict allows for the worst case"))
    if m.baseline:
        b = m.baseline
        n = f", n = {b.n:,}" if b.n is not None else ""
        facts.append(("Baseline", f"{reading(b.value, b.low, b.high, m.unit)}{n}: {b.what}"))
    if m.detectable is not None:
        facts.append(("Smallest effect seen", f"{number(m.detectable, m.unit)}, four times in five at this n"))
    if m.needed is not None:
        facts.append(("Would say more", f"n = {m.needed:,}"))
    if not m.deterministic:
        facts.append(("Repeatable", "no: this number differs a little between two runs"))
    return facts


def _figure(finding: Finding, trim: Trim) -> list[Block]:
    """Return the reading between what is known: the baseline and the two controls, on one axis."""
    m = finding.measurement
    if m is None or m.value is None:
        return []
    dots = [Dot("this target", m.value, m.low, m.high)]
    counts = [f"{m.n:,}"]
    if b := m.baseline:
        dots.append(Dot(trim.text(f"baseline: {b.what}", limit=200), b.value, b.low, b.high, "baseline"))
        counts.append("" if b.n is None else f"{b.n:,}")
    for c in finding.controls[:_CONTROLS_DRAWN]:
        if c.value is not None:
            role, word = _ROLES[c.expected]
            dots.append(Dot(trim.text(f"{word}: {c.source}", limit=200), c.value, c.low, c.high, role))
            counts.append(f"{c.n:,}")
    limit = finding.threshold.limit if finding.threshold else None
    title, unit = trim.text(f"{finding.title}: {m.metric}", limit=200), trim.text(m.unit, limit=40)
    chart = IntervalChart(title, unit, tuple(dots), limit, m.higher_is_worse)
    rows = tuple((d.label, reading(d.value, d.low, d.high, chart.unit), n) for d, n in zip(dots, counts, strict=True))
    if limit is not None:
        rows += (("limit", number(limit, chart.unit), ""),)
    table = Table(f"The figures of the chart: {chart.title}", ("What", "Value [interval]", "n"), rows)
    values = [v for d in dots for v in (d.value, d.low, d.high) if v is not None] + ([] if limit is None else [limit])
    return [Figure(chart, table)] if drawable(values) else [table]


def _parts(finding: Finding, trim: Trim) -> list[Part]:
    m = finding.measurement
    urgent = finding.status in (Status.FAIL, Status.INCONCLUSIVE, Status.NOT_ASSESSED)
    series = [s for each in (m, *finding.details) if each for s in each.series]
    evidence = [e for each in (m, *finding.details) if each for e in each.evidence]
    return [
        Part("What the number means", _prose(m.explanation if m else "", trim), folded=False),
        Part("What to do", _prose(finding.advice if urgent else "", trim), folded=False),
        Part("What this check cannot see", _prose(finding.limits, trim), folded=False),
        Part(
            f"Evidence ({len(evidence)})",
            _evidence(evidence, trim, blurred=_sensitive(finding)),
            folded=finding.status is not Status.FAIL,
        ),
        _controls(finding.controls, m.unit if m else "", trim),
        _spike(finding, trim),
        _power(finding, trim),
        Part(f"Curves ({len(series)})", tuple(b for s in trim.take(series, 6, "curves") for b in _series(s, trim))),
        Part(f"Further measurements ({len(finding.details)})", _details(finding, trim)),
        _frameworks(finding, trim),
        Part("Reproduce this finding", (Command(trim.text(finding.command)),) if finding.command else ()),
    ]


def _prose(text: str, trim: Trim) -> tuple[Block, ...]:
    return (Prose(trim.text(text)),) if text else ()


def _controls(controls: Sequence[ControlOutcome], unit: str, trim: Trim) -> Part:
    rows = tuple(
        (
            trim.text(c.source, limit=200),
            c.expected,
            c.observed.replace("-", " "),
            trim.text(reading(c.value, c.low, c.high, unit), limit=120),
            f"{c.n:,}",
            Cell("", BEHAVED if c.behaved else MISBEHAVED),
            trim.text(_control_note(c), limit=300),
        )
        for c in trim.take(controls, trim.caps.rows, "controls")
    )
    good = sum(c.behaved for c in controls)
    columns = ("Sample", "Expected", "Observed", "Value [interval]", "n", "Instrument", "Note")
    table = Table("What the instrument said of samples whose answer is known", columns, rows)
    return Part(f"Controls: {good} of {len(controls)} behaved", (table,) if rows else (), folded=good == len(controls))


def _control_note(c: ControlOutcome) -> str:
    inconclusive = "no alarm, which is all that a clean sample must show; " if c.behaved else ""
    reason = f"{inconclusive if c.observed == 'inconclusive' else ''}{c.reason or ''}"
    return ". ".join(filter(None, ["kept from an earlier run" if c.cached else "", reason]))


_CHECK = (
    "The planted items took the place of what the target made, in the same form. So this tests what comes after the"
    " target, and not whether the target would give such items away."
)
SENSITIVE = frozenset({"memorization", "membership", "privacy"})
"""Risks whose evidence may show what a model was trained on."""
_UNSPIKED = (
    "Nothing was planted in this target for this measurement: that it would have seen the fault is known from the"
    " controls alone."
)


def _spike(finding: Finding, trim: Trim) -> Part:
    s = finding.spike
    if s is None:
        return _no_spike(finding)
    facts = [("Planted", f"{s.planted:,} items: {s.what}")]
    if s.recovery is not None:
        facts.append(("Of these the check saw", reading(s.recovery, s.low, s.high, "share")))
    if s.kind == "instrument-check":
        facts.append(("What it shows", _CHECK))
    if s.smallest_dose is not None:
        facts.append(("Smallest dose visible here", f"{number(s.smallest_dose, 'share')} of the items"))
    elif s.doses_tried:
        facts.append(("Smallest dose visible here", "none of those tried"))
    if s.doses_tried:
        facts.append(("Doses tried", ", ".join(number(d, "share") for d in s.doses_tried)))
    if s.reason:
        facts.append(("Note", s.reason))
    blocks = (Facts(tuple((k, trim.text(v)) for k, v in facts)),)
    return Part(_spike_title(s), blocks)


def _spike_title(s: SpikeOutcome) -> str:
    if s.kind == "instrument-check":
        least = "" if s.smallest_dose is None else f": seen from {number(s.smallest_dose, 'share')} of the items on"
        return f"Instrument check{least}"
    seen = "no recovery measured" if s.recovery is None else f"{reading(s.recovery, s.low, s.high, 'share')} recovered"
    return f"Spike in this target: {seen}"


def _no_spike(finding: Finding) -> Part:
    """Say of a pass of the user's target that nothing was planted beside it."""
    if finding.status is not Status.PASS or finding.expected:
        return Part("", ())
    return Part("No spike", (Prose(_UNSPIKED),))


def _power(finding: Finding, trim: Trim) -> Part:
    p = finding.power
    if p is None:
        return Part("", ())
    power = reading(p.power, p.power_low, p.power_high, "share")
    alarms = reading(p.false_alarms, p.false_alarms_low, p.false_alarms_high, "share")
    facts = (
        ("Faulty sample found", f"{power} of the runs: {p.positive}"),
        ("Clean sample raised an alarm", f"{alarms} of the runs: {p.negative}"),
        ("Runs of each", f"{p.runs:,}"),
        *((("Measured with", "the default options, not with those of this run"),) if finding.options else ()),
    )
    title = f"Power, measured beforehand: found {power}, false alarms {alarms}"
    return Part(title, (Facts(tuple((k, trim.text(v)) for k, v in facts)),))


def _sensitive(finding: Finding) -> bool:
    """Whether its pictures may show training data of the user's; those of a self-check are the library's."""
    return finding.risk in SENSITIVE and not finding.expected


def _evidence(evidence: Sequence[Evidence], trim: Trim, *, blurred: bool) -> tuple[Block, ...]:
    blocks: list[Block] = []
    for e in trim.take(evidence, trim.caps.evidence, "pieces of evidence"):
        caption = trim.text(e.caption, limit=300)
        if e.text is not None:
            blocks.append(Excerpt(caption, trim.excerpt(e.text), e.redacted))
        if e.media:
            blocks.append(Pictures(caption, trim.take(e.media, trim.caps.pictures, "pictures"), blurred))
        if e.rows:
            blocks.append(_evidence_table(e, caption, trim))
    return tuple(blocks)


def _evidence_table(e: Evidence, caption: str, trim: Trim) -> Table:
    columns = tuple(trim.text(c, limit=80) for c in trim.take(e.columns, 12, "columns of evidence"))
    rows = tuple(
        tuple(trim.text(cell, limit=300) for cell in row[: len(columns) or 12])
        for row in trim.take(e.rows, trim.caps.rows, "rows of evidence")
    )
    return Table(f"{caption} (redacted)" if e.redacted else caption, columns, rows)


def _series(s: Series, trim: Trim) -> tuple[Block, ...]:
    points = trim.take(s.points, trim.caps.rows, "points of curves")
    if not points:
        return ()
    name, x_label, y_label = (trim.text(t, limit=120) for t in (s.name, s.x_label, s.y_label))
    labels = [number(p.x) if isinstance(p.x, float) else trim.text(p.x, limit=120) for p in points]
    rows = tuple(
        (label, reading(p.y, p.low, p.high), "" if p.n is None else f"{p.n:,}")
        for label, p in zip(labels, points, strict=True)
    )
    table = Table(f"The figures of the chart: {name}", (x_label, f"{y_label} [interval]", "n"), rows)
    ys = [v for p in points for v in (p.y, p.low, p.high) if v is not None]
    numeric = [CurvePoint(p.x, p.y, p.low, p.high) for p in points if isinstance(p.x, float)]
    chart: Chart
    if len(numeric) == len(points):
        chart = CurveChart(name, x_label, y_label, tuple(numeric))
        fits = drawable(ys) and drawable(p.x for p in numeric)
    else:
        chart = IntervalChart(
            f"{name} ({y_label})", "", tuple(Dot(x, p.y, p.low, p.high) for x, p in zip(labels, points, strict=True))
        )
        fits = drawable(ys)
    return (Figure(chart, table),) if fits else (table,)


def _details(finding: Finding, trim: Trim) -> tuple[Block, ...]:
    rows = tuple(
        (
            trim.text(d.metric, limit=120),
            trim.text(value_of(d), limit=120),
            f"{d.n:,}",
            trim.text(
                reading(d.baseline.value, d.baseline.low, d.baseline.high, d.unit) if d.baseline else "none", limit=120
            ),
            trim.text(d.reason or d.explanation or d.method, limit=300),
        )
        for d in trim.take(finding.details, trim.caps.rows, "further measurements")
    )
    columns = ("Metric", "Value [interval]", "n", "Baseline", "Note")
    return (Table("Further measurements, for which the policy sets no limit", columns, rows),) if rows else ()


def _frameworks(finding: Finding, trim: Trim) -> Part:
    refs = trim.take(finding.frameworks, trim.caps.rows, "framework controls")
    rows = tuple(
        tuple(trim.text(t, limit=200) for t in (f"{r.framework} {r.edition}", r.id, r.title, r.confidence, r.retrieved))
        for r in refs
    )
    links = tuple((trim.text(r.id, limit=200), r.source_url) for r in refs if ADDRESS.fullmatch(r.source_url))
    columns = ("Framework", "Control", "Title", "Confidence in id and title", "Read on")
    table = Table("Controls that this finding gives evidence for: evidence, not legal advice", columns, rows, links)
    return Part(f"Framework controls ({len(finding.frameworks)})", (table,) if rows else ())
