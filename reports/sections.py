"""An `AuditResult` as a plain `Page`: what is said, in which order. Formats only decide how it looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import zip_longest

from guardrails.core.results import AuditResult, Finding, Rescored, Status, TargetRecord

from .control_matrix import control_blocks
from .cost import cost_table, duration, requests_table
from .findings import OBSERVED, item, limit_of, mark_of, sentence_of, target_of, value_of
from .text import clip
from .tree import Block, Cell, Command, Facts, Headline, Item, Mark, Page, Part, Table
from .trim import FULL, Caps, Trim

_VERDICTS = {
    "pass": (Mark("✓", "No issue found by these checks", "good"), Mark("✓", "Every instrument behaved", "good")),
    "fail": (Mark("✕", "An issue was found", "bad"), Mark("✕", "An issue was found", "bad")),
    "inconclusive": (Mark("?", "Inconclusive", "unsure"), Mark("?", "Inconclusive", "unsure")),
    "not-assessed": (Mark("○", "Not assessed", "none"), Mark("○", "Not assessed", "none")),
    "control-failed": (Mark("✕", "A control failed", "bad"), Mark("✕", "A control failed", "bad")),
}
_HEADLINES = 5
FILTERED = 6
"""From so many findings, a reader can choose which to see."""
TONES = ("bad", "unsure", "none", "good")
_OK, _WRONG = Mark("✓", "", "good"), Mark("✕", "", "bad")


def page(result: AuditResult, caps: Caps = FULL) -> Page:
    """Return the whole report as a tree, cut to the caps."""
    trim = Trim(caps)
    ordered = [f for f in result.by_importance() if f.status is not Status.NOT_APPLICABLE]
    kept = trim.take(ordered, caps.findings, "findings, all of which are in result.json")
    anchors = {id(f): f"finding-{i}" for i, f in enumerate(kept, 1)}
    mark = _verdict(result)
    headlines_title, chosen = _headlines(result, kept)
    several = len(result.targets) > 1
    return Page(
        title=trim.text(f"{mark.word}: {_names(result)}", limit=200),
        kicker="Self-check of the instruments" if result.kind == "self-check" else "Audit",
        mark=mark,
        verdict=mark.word,
        sentence=trim.text(_sentence(result)),
        tally=_tally(result),
        headlines_title=headlines_title,
        headlines=tuple(_headline(f, anchors[id(f)], trim, several=several) for f in chosen[:_HEADLINES]),
        more=f"and {len(chosen) - _HEADLINES} more below" if len(chosen) > _HEADLINES else "",
        matrices=_matrices(result, anchors, trim) if result.kind == "self-check" else (),
        audited=tuple(
            (trim.text(t.name, limit=200), (_audited(t, trim), *_requests(result, trim)))
            for t in trim.take(result.targets, caps.rows, "targets")
        ),
        scope=_scope(result, trim),
        not_tested=_not_tested(result, trim),
        glance=_glance(kept, anchors, trim, several=several),
        controls=control_blocks(result, anchors, trim),
        items=(items := _items(result, kept, anchors, trim, several=several)),
        filters=_filters(items, self_check=result.kind == "self-check"),
        identity=_identity(result, trim),
        cut=trim.notes(),
    )


def sentence_and_mark(result: AuditResult) -> tuple[Mark, str]:
    """Return the verdict, and in one sentence how many checks it rests on."""
    return _verdict(result), _sentence(result)


def _verdict(result: AuditResult) -> Mark:
    failures = [f for f in result.findings if f.status is Status.FAIL]
    if result.verdict == "pass" and result.kind == "audit" and failures:
        kinds = {f.outcome if f.excused else "lesser" for f in failures}
        words = [word for word in ("lesser", "waived", "known") if word in kinds]
        return Mark("?", f"Only {' and '.join(words)} issues were found", "unsure")
    failed = sum(not f.excused for f in failures)
    if result.verdict == "fail" and failed > 1:
        return Mark("✕", f"{failed} issues were found", "bad")
    return _VERDICTS[result.verdict][result.kind == "self-check"]


def _names(result: AuditResult) -> str:
    names = [t.name for t in result.targets]
    return clip(names[0], 80) if len(names) == 1 else f"{len(names)} targets"


def _sentence(result: AuditResult) -> str:
    counts = Counter(f.status for f in result.findings)
    ran = len(result.findings) - counts[Status.NOT_APPLICABLE]
    if result.verdict == "control-failed":
        wrong = sum(not f.behaved for f in result.findings)
        return (
            f"{wrong} of {ran} checks gave a wrong answer on a sample whose answer is known. "
            "What such a check says of anything else is not believed."
        )
    if result.kind == "self-check":
        return _self_check_sentence(result.findings)
    name = _names(result)
    excused = sum(f.excused for f in result.findings)
    if result.verdict == "fail":
        return (
            f"{counts[Status.FAIL]} of {ran} checks of {name} failed: the whole interval of the reading "
            f"lies on the wrong side of its limit.{f' Waived or known: {excused}.' if excused else ''}"
        )
    lesser = counts[Status.FAIL]
    why = "none so severely that the audit fails"
    if excused:
        why = f"{excused} of which are waived or known" + (f"; {why} for the others" if excused < lesser else "")
    said = f"{lesser} of {ran} checks of {name} failed, {why}" if lesser else ""
    unsure, missing = counts[Status.INCONCLUSIVE], counts[Status.NOT_ASSESSED]
    if ran == 1 and not said:
        said = f"The only check of {name} "
        said += "could not be assessed" if missing else "could not tell" if unsure else "found no issue"
    elif missing == ran:
        said = f"None of {ran} checks of {name} could be assessed"
    else:
        said = said or f"None of {ran} checks of {name} found an issue"
        if unsure or missing:
            said += f"; {unsure} could not tell, and {missing} could not be assessed"
    return f"{said}. This speaks of these checks at these sample sizes, and of nothing else."


def _self_check_sentence(findings: Sequence[Finding]) -> str:
    planted = [f for f in findings if f.expected == "found"]
    clean = [f for f in findings if f.expected == "clear"]
    detected = sum(f.behaved for f in planted)
    alarms = sum(f.status is Status.FAIL for f in clean)
    return (
        f"{detected} of {len(planted)} planted faults were found; "
        f"{alarms} of {len(clean)} readings of generators without the fault raised an alarm."
    )


def _filters(items: Sequence[Item], *, self_check: bool) -> tuple[tuple[str, str], ...]:
    """Return the tones by which a reader can choose among many findings, with a word for each."""
    counts = Counter(item.mark.tone for item in items)
    if len(items) < FILTERED or len(counts) < 2:
        return ()
    words = {"bad": "Misbehaved", "good": "Behaved"} if self_check else {"bad": "Failed", "good": "Passed"}
    words |= {"unsure": "Open", "none": "Without a result"}
    return tuple((tone, f"{words[tone]} ({counts[tone]:,})") for tone in TONES if counts[tone])


def _tally(result: AuditResult) -> tuple[Mark, ...]:
    counts = Counter(mark_of(f) for f in result.by_importance())
    return tuple(Mark(m.symbol, f"{n} {m.word[0].lower()}{m.word[1:]}", m.tone) for m, n in counts.items())


def _headlines(result: AuditResult, findings: Sequence[Finding]) -> tuple[str, list[Finding]]:
    wrong = [f for f in findings if not f.behaved]
    if wrong or result.kind == "self-check":
        return "Instruments that misbehaved", wrong
    for status, title in (
        (Status.FAIL, "Issues found"),
        (Status.INCONCLUSIVE, "Undecided findings"),
        (Status.NOT_ASSESSED, "What was not assessed"),
    ):
        chosen = [f for f in findings if f.status is status and not f.excused]
        if chosen:
            return title, chosen
    return "What was checked", [f for f in findings if f.status is Status.PASS]


def _headline(finding: Finding, anchor: str, trim: Trim, *, several: bool) -> Headline:
    if not finding.behaved:
        wrong = [c for c in finding.controls if not c.behaved]
        text = (
            f"control {wrong[0].source}: expected {wrong[0].expected}, observed {wrong[0].observed}"
            if wrong
            else f"expected {finding.expected}, observed {OBSERVED[finding.status]}"
        )
        mark = Mark("✕", "Misbehaved", "bad")
    else:
        mark = mark_of(finding)
        severity = f"{finding.severity} severity" if finding.status is Status.FAIL else ""
        limit = f"limit {limit_of(finding)}" if finding.threshold and finding.measurement else ""
        measured = finding.measurement is not None and finding.measurement.value is not None
        parts = [value_of(finding.measurement), limit, severity] if measured else [sentence_of(finding)]
        text = ", ".join(p for p in parts if p)
    where = f" ({target_of(finding)})" if several and target_of(finding) else ""
    return Headline(
        anchor=anchor,
        title=trim.text(f"{finding.title}{where}", limit=200),
        mark=mark,
        text=trim.text(text, limit=300),
        question=trim.text(finding.question, limit=300),
    )


def _matrices(result: AuditResult, anchors: Mapping[int, str], trim: Trim) -> tuple[Table, ...]:
    """Return one table a modality: what each check observed where its fault is planted, and where none is."""
    tables = []
    for modality in dict.fromkeys(t.modality for t in result.targets):
        names = {t.name for t in result.targets if t.modality == modality}
        findings = [f for f in result.findings if f.expected and target_of(f) in names]
        rows: list[tuple[str | Cell, ...]] = []
        for probe in dict.fromkeys(f.probe for f in findings):
            known = [[f for f in findings if f.probe == probe and f.expected == e] for e in ("found", "clear")]
            for pair in zip_longest(*known):
                rows.append((trim.text(probe, limit=80), *(_known_cell(f, anchors, trim) for f in pair)))
        if rows:
            kept = tuple(trim.take(rows, 2 * trim.caps.rows, "rows of what is known"))
            caption = f"Checks of {modality}: what each observed on generators whose answer is known"
            tables.append(Table(trim.text(caption, limit=200), ("Check", "Fault planted", "None planted"), kept))
    return tuple(tables)


def _known_cell(finding: Finding | None, anchors: Mapping[int, str], trim: Trim) -> Cell:
    if finding is None:
        return Cell("")
    wrong = not finding.behaved
    said = {"pass": ": missed", "fail": ": false alarm"}.get(finding.status, "") if wrong else ""
    return Cell(
        OBSERVED[finding.status],
        _WRONG if wrong else _OK,
        trim.text(target_of(finding).removeprefix("reference:"), limit=120) + said,
        anchors.get(id(finding), ""),
        strong=finding.status is Status.FAIL or wrong,
    )


def _audited(target: TargetRecord, trim: Trim) -> Facts:
    given = (
        "; ".join(f"{k}: {v}" for k, v in sorted(target.data.items()))
        or "nothing: rates stand without a baseline of their own"
    )
    pairs = [
        ("Modality", target.modality),
        ("Access", ", ".join(target.access) or "none"),
        ("Given beside it", given),
        *((f"{name.capitalize()} read as", reading) for name, reading in sorted(target.read_as.items())),
    ]
    return Facts(tuple((trim.text(k, limit=80), trim.text(v, limit=600)) for k, v in pairs))


def _requests(result: AuditResult, trim: Trim) -> tuple[Block, ...]:
    """Return how the requests ended, where the target is a served model: it is the only one of its audit."""
    requests = result.timing.cost.requests if result.timing.cost else None
    return (requests_table(requests, trim),) if requests else ()


def _scope(result: AuditResult, trim: Trim) -> Facts:
    files = (("Waivers", result.waivers), ("Baseline", result.baseline))
    pairs = (
        ("Policy", result.policy),
        ("Budget", result.budget),
        ("Seed", str(result.seed)),
        ("Fails from", f"{result.fail_on} severity on"),
        *((name, f"{file.name} ({file.sha256[:12]})") for name, file in files if file),
        *([("Rescored", _rescored(result.rescored))] if result.rescored else []),
        *(("Remark", remark) for remark in result.remarks),
        ("Run", f"{result.timing.started}, {duration(result.timing.seconds)}"),
    )
    return Facts(tuple((k, trim.text(v, limit=400)) for k, v in trim.take(pairs, trim.caps.rows, "remarks")))


def _rescored(before: Rescored) -> str:
    return f"from measurements judged by policy {before.policy} ({before.policy_sha256[:12]}): {before.verdict}"


def _not_tested(result: AuditResult, trim: Trim) -> Table | None:
    rows = tuple(
        (trim.text(n.what, limit=200), trim.text(n.why, limit=1000))
        for n in trim.take(result.not_tested, trim.caps.rows, "lines of what was not tested")
    )
    return Table("What this audit says nothing about", ("Not tested", "Why"), rows) if rows else None


def _glance(kept: Sequence[Finding], anchors: Mapping[int, str], trim: Trim, *, several: bool) -> Table | None:
    columns = ("Status", "Check", *(("Target",) if several else ()), "Reading [interval]", "Limit", "n")
    rows = tuple(
        (
            Cell("", mark_of(f)),
            Cell(trim.text(f.title, limit=200), anchor=anchors[id(f)]),
            *((trim.text(target_of(f), limit=120),) if several else ()),
            trim.text(value_of(f.measurement), limit=120),
            trim.text(limit_of(f), limit=80),
            f"{f.measurement.n:,}" if f.measurement else "",
        )
        for f in kept
    )
    return Table("Every check with its status, reading and limit", columns, rows) if rows else None


def _items(
    result: AuditResult, kept: Sequence[Finding], anchors: Mapping[int, str], trim: Trim, *, several: bool
) -> tuple[Item, ...]:
    self_check = result.kind == "self-check"
    items = []
    for f in kept:
        about = " · ".join(filter(None, (f.probe, target_of(f) if several else "", f.risk)))
        urgent = not f.behaved if self_check else not f.behaved or f.status in (Status.FAIL, Status.INCONCLUSIVE)
        items.append(item(f, anchors[id(f)], trim, about=trim.text(about, limit=200), is_open=urgent))
    return tuple(items)


def _contents(target: TargetRecord) -> dict[str, str]:
    """Return the hash and the size of each input, in words."""
    said = {}
    for name, record in sorted(target.inputs.items()):
        size = f"{record.bytes:,} bytes"
        if record.files:
            size = f"{record.files:,} file{'' if record.files == 1 else 's'} of {size}"
        said[f"{name}: sha256"] = f"{record.sha256} ({size})"
    return said


def _identity(result: AuditResult, trim: Trim) -> tuple[Part, ...]:
    def facts(values: Mapping[str, str]) -> tuple[Block, ...]:
        kept = trim.take(list(values.items()), trim.caps.rows, "lines of identity")
        return (Facts(tuple((trim.text(k, limit=120), trim.text(v, limit=400)) for k, v in kept)),) if kept else ()

    run = {
        "guardrails": result.guardrails_version,
        "Result schema": result.schema_version,
        "Policy": result.policy,
        "Policy sha256": result.policy_sha256,
        "Seed": str(result.seed),
        "Budget": result.budget,
        "Exit code": str(result.exit_code),
        "Started": result.timing.started,
        "Took": duration(result.timing.seconds),
    }
    targets = trim.take(result.targets, trim.caps.rows, "identities of targets")
    cost = result.timing.cost
    per_probe = {probe: duration(seconds) for probe, seconds in sorted(result.timing.per_probe.items())}
    parts = [
        Part("This run", facts(run), folded=False),
        *(
            Part(
                f"Target {trim.text(t.name, limit=120)}",
                facts(dict(sorted(t.identity.items())) | _contents(t)),
                folded=len(targets) > 1,
            )
            for t in targets
        ),
        Part("Command", (Command(trim.text(result.command)),) if result.command else (), folded=False),
        Part("Environment", facts(dict(sorted(result.environment.items())))),
        Part("What each check used", (cost_table(cost, trim),)) if cost else Part("Time by check", facts(per_probe)),
    ]
    return tuple(p for p in parts if p.blocks)
