from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

import reports
from guardrails.core.errors import ConfigurationError
from guardrails.core.results import AuditResult, ControlOutcome, Cost, ProbeCost, Requests, Status
from reports.text import reading

PROMISES = re.compile(
    r"\b(safe|safely|safety|fair|unbiased|compliant|compliance|certified|guaranteed|trustworthy)\b", re.I
)


def text_of(*args, **options):
    return reports.render(*args, **options).decode()


def test_formats_are_those_that_render(factory):
    for name in reports.formats():
        assert text_of(factory.audit(), name)


def test_md_is_markdown(factory):
    assert text_of(factory.audit(), "md") == text_of(factory.audit(), "markdown")


def test_an_unknown_format_names_the_nearest():
    with pytest.raises(ConfigurationError, match="Did you mean 'markdown'"):
        text_of(None, "markdwon")


@pytest.mark.parametrize("name", ["html", "json", "markdown"])
@pytest.mark.parametrize("kind", ["audit", "self_check", "hostile"])
def test_every_format_renders_the_same_from_stored_json(factory, name, kind):
    result = getattr(factory, kind)()
    again = AuditResult.from_json(result.to_json())
    assert text_of(again, name) == text_of(result, name)


def test_json_is_the_canonical_result(factory):
    result = factory.audit()
    assert text_of(result, "json") == result.to_json()
    assert AuditResult.model_validate(json.loads(text_of(result, "json"))) == result


def test_a_report_is_written_whole(factory, tmp_path):
    path = tmp_path / "report.html"
    text = text_of(factory.audit(), "html", path)
    assert path.read_text("utf-8") == text
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_a_failed_write_keeps_the_old_report_and_leaves_nothing(factory, tmp_path, monkeypatch):
    path = tmp_path / "report.md"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ConfigurationError, match="No space left on device"):
        text_of(factory.audit(), "markdown", path)
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_missing_folder_is_one_clear_message(factory, tmp_path):
    with pytest.raises(ConfigurationError, match=r"cannot be written to .*No such file"):
        text_of(factory.audit(), "json", tmp_path / "absent" / "result.json")


@pytest.mark.parametrize("name", ["html", "markdown"])
@pytest.mark.parametrize("verdict", ["pass", "fail", "inconclusive", "not-assessed", "control-failed"])
@pytest.mark.parametrize("kind", ["audit", "self-check"])
def test_a_report_promises_nothing(factory, read, name, verdict, kind):
    base = factory.audit() if kind == "audit" else factory.self_check()
    text = text_of(base.model_copy(update={"verdict": verdict}), name)
    text = read(text).text if name == "html" else text
    assert not PROMISES.findall(text)


@pytest.mark.parametrize("name", ["html", "markdown"])
def test_every_number_stands_with_its_interval_n_limit_and_origin(factory, read, name):
    result = factory.audit()
    text = text_of(result, name)
    text = read(text).text if name == "html" else text.replace("\\", "")
    for finding in result.findings:
        if finding.status is Status.NOT_APPLICABLE:
            continue  # counted, not shown
        measured = [m for m in (finding.measurement, *finding.details) if m]
        for m in measured:
            assert reading(m.value, m.low, m.high, m.unit) in text
            if m.value is None:
                continue
            assert f"{m.n:,}" in text
            assert m.method in text
            if m.baseline:
                assert reading(m.baseline.value, m.baseline.low, m.baseline.high, m.unit) in text
            for series in m.series:
                assert all(reading(p.y, p.low, p.high) in text for p in series.points)
        for control in finding.controls:
            assert reading(control.value, control.low, control.high, "share") in text
        if finding.threshold:
            assert finding.threshold.origin in text
        if finding.spike and finding.spike.recovery is not None:
            assert reading(finding.spike.recovery, finding.spike.low, finding.spike.high, "share") in text
        if finding.power:
            assert reading(finding.power.power, finding.power.power_low, finding.power.power_high, "share") in text
        if finding.reason:
            assert finding.reason[1:] in text
    for gap in result.not_tested:
        assert gap.what in text
        assert gap.why in text
    assert result.policy_sha256 in text
    assert result.targets[0].identity["weights sha256"] in text


@pytest.mark.parametrize("name", ["html", "markdown"])
def test_no_report_is_larger_than_two_megabytes(factory, name):
    text = text_of(factory.huge(), name)
    assert len(text.encode()) <= 2_000_000
    assert "Left out of this page" in text
    assert "findings, all of which are in result.json" in text


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("pass", "No issue found by these checks"),
        ("fail", "An issue was found"),
        ("inconclusive", "Inconclusive"),
        ("not-assessed", "Not assessed"),
        ("control-failed", "A control failed"),
    ],
)
def test_the_verdict_is_the_first_heading(factory, verdict, words):
    result = factory.audit(verdict=verdict, findings=factory.findings()[verdict != "fail" :])
    assert text_of(result, "markdown").splitlines()[0].endswith(words)
    assert re.search(rf"<h1[^>]*>.*{words}</h1>", text_of(result, "html"))


def test_an_issue_below_the_failing_severity_is_still_named(factory, read):
    text = read(text_of(factory.audit(verdict="pass", exit_code=0), "html")).text
    assert "Only lesser issues were found" in text
    assert "No issue found" not in text
    assert "1 of 5 checks of hf:models/storyteller failed, none so severely that the audit fails" in text


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        (("pass",), "The only check of hf:models/storyteller found no issue."),
        (("inconclusive",), "The only check of hf:models/storyteller could not tell."),
        (("not-assessed",), "The only check of hf:models/storyteller could not be assessed."),
        (("not-assessed", "not-assessed"), "None of 2 checks of hf:models/storyteller could be assessed."),
        (("pass", "not-assessed"), "None of 2 checks of hf:models/storyteller found an issue; 0 could not tell, and 1"),
    ],
)
def test_the_first_sentence_counts_what_came_to_a_result(factory, read, statuses, said):
    by_status = {finding.status: finding for finding in factory.findings()}
    result = factory.audit(verdict="not-assessed", findings=[by_status[Status(status)] for status in statuses])
    assert said in read(text_of(result, "html")).text


def test_an_empty_audit_renders(factory):
    empty = factory.audit(findings=(), not_tested=(), targets=(), environment={}, command="", verdict="not-assessed")
    for name in reports.formats():
        assert text_of(empty, name)
    assert "No check ran" in text_of(empty, "html")


def test_a_self_check_shows_expected_and_observed(factory, read):
    good = read(text_of(factory.self_check(), "html")).text
    assert "5 of 5 planted faults were found; 0 of 15 readings" in good
    assert "Every instrument behaved" in good
    assert "Instruments that misbehaved" not in good
    bad = read(text_of(factory.self_check(broken=True), "html")).text
    assert ": missed" in bad
    assert "Instruments that misbehaved" in bad
    assert "1 missed" in bad


def test_a_misbehaved_control_is_on_the_first_screen(factory, read):
    broken = factory.extraction(
        status="not-assessed", controls=factory.controls(good=False), reason="its own control failed"
    )
    result = factory.audit(verdict="control-failed", findings=(*factory.findings()[1:], broken))
    text = read(text_of(result, "html")).text
    first = text[: text.index("All checks at a glance")]
    assert "control reference:gpt-text: expected clear, observed found" in first


def test_importing_reports_imports_nothing_heavy():
    heavy = ("jinja2", "torch", "matplotlib", "scipy", "numpy")
    code = f"import sys, reports; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(reports.__file__).parents[1]
    )
    assert done.stdout.strip() == "[]"


def test_a_notebook_shows_the_result(factory, read):
    result = factory.audit()
    page = read(result._repr_html_())
    assert "An issue was found" in page.text
    assert "10.9% [8.0%, 14.8%]" in page.text
    assert {"script", "style", "link", "html"}.isdisjoint(tag for tag, _ in page.tags)
    hostile = read(reports.render_fragment(factory.hostile()))
    assert {tag for tag, _ in hostile.tags} == {tag for tag, _ in page.tags}


def test_checks_that_do_not_apply_are_counted_and_not_listed(factory):
    applies = [f for f in factory.findings() if f.status is not Status.NOT_APPLICABLE]
    absent = [
        applies[0].model_copy(update={"id": f"x/{i}", "title": f"Absent {i}", "status": Status.NOT_APPLICABLE})
        for i in range(20)
    ]
    for format in ("html", "markdown"):
        text = text_of(factory.audit(findings=(*applies, *absent)), format)
        assert "20 not applicable" in text
        assert "Absent" not in text


def test_the_verdict_counts_the_issues(factory):
    failed = [
        f.model_copy(update={"id": f"x/{i}"}) for f in factory.findings() if f.status is Status.FAIL for i in range(3)
    ]
    for count, words in ((1, "An issue was found"), (3, "3 issues were found")):
        assert words in text_of(factory.audit(findings=tuple(failed[:count])), "markdown")


def test_an_inconclusive_clean_control_says_why_it_counts_as_behaved(factory):
    control = ControlOutcome(source="reference:x", expected="clear", observed="inconclusive", reason="it straddles")
    finding = factory.findings()[0].model_copy(update={"controls": (control,)})
    assert "no alarm, which is all that a clean sample must show; it straddles" in text_of(
        factory.audit(findings=(finding,)), "markdown"
    )


def test_every_report_explains_its_terms(factory):
    for format in ("html", "markdown"):
        text = text_of(factory.audit(), format)
        assert "Inconclusive" in text
        assert "more samples may settle it" in text


@pytest.mark.parametrize("name", ["html", "markdown"])
def test_an_instrument_check_is_called_so_and_says_nothing_of_recovery(factory, name):
    finding = next(f for f in factory.audit().findings if f.spike)
    check = finding.spike.model_copy(update={"kind": "instrument-check", "recovery": None, "low": None, "high": None})
    text = rendered(factory, name, finding.model_copy(update={"spike": check}))
    assert "Instrument check: seen from 2% of the items on" in text
    assert "not whether the target would give such items away" in text
    assert "recovered" not in text
    assert "recovered" in rendered(factory, name, finding)


@pytest.mark.parametrize("name", ["html", "markdown"])
def test_a_pass_without_a_spike_says_so(factory, name):
    finding = next(f for f in factory.audit().findings if f.spike)
    passed = finding.model_copy(update={"spike": None, "status": Status.PASS})
    assert "Nothing was planted in this target" in rendered(factory, name, passed)
    failed = finding.model_copy(update={"spike": None, "status": Status.FAIL})
    assert "Nothing was planted in this target" not in rendered(factory, name, failed)


def rendered(factory, name, finding):
    return text_of(factory.audit().model_copy(update={"findings": (finding,)}), name)


def test_how_the_input_was_read_stands_with_what_was_audited(factory):
    result = factory.audit()
    target = result.targets[0].model_copy(update={"read_as": {"corpus": "`;`-separated, 12 columns (3 dates)"}})
    for format in ("html", "markdown"):
        text = text_of(result.model_copy(update={"targets": (target,)}), format).replace("\\", "")
        first = (
            text[: text.index("What was not tested")] if format == "markdown" else text[: text.index('id="not-tested"')]
        )
        assert "12 columns (3 dates)" in first
        assert "Corpus read as" in first


def test_how_the_requests_ended_is_a_table_with_what_was_audited(factory):
    result = factory.audit()
    made = Requests(
        sent=1041, repeated=12, answered=1000, refused=3, empty=2, filtered=7, not_sent=5, reused=40,
        failed={"<b>odd</b>": 1, "the server answered 500": 21}, prompt_tokens=12_000, completion_tokens=900,
    )  # fmt: skip
    total = ProbeCost()
    timing = result.timing.model_copy(update={"cost": Cost(total=total, per_probe={}, requests=made)})
    result = result.model_copy(update={"timing": timing})
    text = text_of(result, "html")
    table = text[text.index("<caption>How the requests to the model ended") :].partition("</table>")[0]
    rows = re.findall(r"<tr>\s*<th scope=.row.[^>]*>(.*?)</th>\s*<td[^>]*>(.*?)</td>\s*</tr>", table, re.DOTALL)
    assert [[unescape(cell).strip() for cell in row] for row in rows] == [
        ["Requests sent", "1,041"],
        ["of these, sent again after a failure", "12"],
        ["Answered", "1,000"],
        ["of these, refused", "3"],
        ["of these, empty", "2"],
        ["Filtered by the server", "7"],
        ["Failed", "22"],
        ["of these, <b>odd</b>", "1"],
        ["of these, the server answered 500", "21"],
        ["Not sent", "5"],
        ["Stored answers used again", "40"],
        ["Tokens in + out", "12,000 + 900"],
    ]
    assert text.index('id="audited"') < text.index("How the requests to the model ended") < text.index('id="glance"')
    assert "| Requests sent | 1,041 |" in text_of(result, "markdown")
    assert "How the requests" not in text_of(factory.audit(), "html")
