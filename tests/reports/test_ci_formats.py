"""JUnit XML, SARIF and CSV, held against readers that are not ours."""

from __future__ import annotations

import io
import json
from pathlib import Path
from xml.etree import ElementTree

import junitparser
import pandas as pd
import pytest
import result_kinds as kinds
from hypothesis import given
from hypothesis import strategies as st

import reports
from guardrails.assay.policy.policy import failures
from guardrails.core.errors import ConfigurationError
from guardrails.core.results import AuditResult, Status
from guardrails.core.results.scan import ScanResult
from reports.exchange.csv_ import cell, table
from reports.exchange.junit import xml_text
from reports.exchange.sarif import _path_uri, _target_uri, literal

ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=40)  # half surrogate pairs too


def junit(result: AuditResult) -> dict[str, junitparser.TestCase]:
    document = junitparser.JUnitXml.fromstring(reports.render(result, "junit"))
    return {f"{case.classname}/{case.name}": case for suite in document for case in suite}


def sarif(result: AuditResult | ScanResult) -> dict:
    return kinds.sarif_run(reports.render(result, "sarif"))


def frame(result: AuditResult) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(reports.render(result, "csv")))


def one(factory, **more) -> AuditResult:
    return factory.audit(findings=(factory.extraction(**more),), not_tested=())


def test_junit_says_what_failed_and_what_was_skipped_and_why(factory):
    cases = junit(factory.audit())
    (failure,) = cases["memorization.extraction/verbatim_rate"].result
    assert isinstance(failure, junitparser.Failure)
    assert failure.message == "The whole interval lies above the limit of 1%."
    assert "10.9% [8.0%, 14.8%], n 512, limit: at most 1%" in failure.text
    (skipped,) = cases["privacy.membership/4"].result
    assert isinstance(skipped, junitparser.Skipped)
    assert (skipped.type, skipped.message) == ("not-assessed", "Missing: access 'logprobs' to the target")
    assert cases["privacy.pii/3"].result == []
    assert cases["not tested/Misuse and refusals"].result[0].message == "left out by --probes"


def test_junit_counts_what_it_holds(factory):
    document = junitparser.JUnitXml.fromstring(reports.render(factory.self_check(broken=True), "junit"))
    stated = [(suite.tests, suite.failures, suite.errors, suite.skipped) for suite in document]
    document.update_statistics()
    for suite in document:
        suite.update_statistics()
    assert [(suite.tests, suite.failures, suite.errors, suite.skipped) for suite in document] == stated
    assert (document.tests, document.failures) == (sum(s[0] for s in stated), 1)


def test_an_instrument_that_misbehaved_is_an_error_not_a_skip(factory):
    broken = one(factory, status="not-assessed", controls=factory.controls(good=False), reason="failed its control: x")
    (error,) = junit(broken)["memorization.extraction/verbatim_rate"].result
    assert isinstance(error, junitparser.Error)
    assert (error.type, error.message) == ("control-failed", "Failed its control: x")
    run = sarif(broken.model_copy(update={"verdict": "control-failed", "exit_code": 4}))
    assert run["invocations"][0]["executionSuccessful"] is False
    assert run["invocations"][0]["exitCode"] == 4
    assert [n["level"] for n in run["invocations"][0]["toolExecutionNotifications"]] == ["error"]
    assert run["results"][0]["kind"] == "open"


def test_items_that_failed_are_an_error_where_they_are_the_reason(factory):
    m = factory.measurement(None, None, None, errors=40, first_error="no answer")
    result = one(factory, status="not-assessed", measurement=m, reason=f"needs more; {failures(m)}")
    (error,) = junit(result)["memorization.extraction/verbatim_rate"].result
    assert isinstance(error, junitparser.Error)
    assert error.type == "items-failed"
    assert error.message.endswith("the first: no answer")
    assert frame(result)["errors"].tolist() == [40]
    (skipped,) = (
        junit(one(factory, status="not-assessed", measurement=m, reason="no spike was seen")).popitem()[1].result
    )
    assert isinstance(skipped, junitparser.Skipped)


@pytest.mark.parametrize(
    ("expected", "status", "state"),
    [("found", "fail", None), ("found", "pass", "failure"), ("clear", "fail", "failure"), ("clear", "pass", None),
     ("clear", "inconclusive", None), ("found", "inconclusive", "failure"), ("clear", "not-assessed", "error"),
     (None, "not-assessed", "skipped")],
)  # fmt: skip
def test_in_a_self_check_an_instrument_passes(factory, expected, status, state):
    result = one(factory, expected=expected, status=status, id="memorization.extraction/verbatim_rate@reference:x")
    (case,) = kinds.junit_cases(reports.render(result.model_copy(update={"kind": "self-check"}), "junit"))
    assert [child.tag for child in case if child.tag != "system-out"] == ([state] if state else [])
    kind = sarif(result)["results"][0]["kind"]
    assert kind == {None: "pass", "failure": "fail", "error": "open", "skipped": "open"}[state]


@pytest.mark.parametrize(
    ("status", "severity", "kind", "level"),
    [("fail", "critical", "fail", "error"), ("fail", "medium", "fail", "warning"), ("fail", "info", "fail", "note"),
     ("pass", "critical", "pass", "none"), ("inconclusive", "high", "open", "none"),
     ("not-assessed", "high", "open", "none"), ("not-applicable", "high", "notApplicable", "none")],
)  # fmt: skip
def test_sarif_kinds_and_levels(factory, status, severity, kind, level):
    (result,) = sarif(one(factory, status=status, severity=severity))["results"]
    assert (result["kind"], result["level"], result["properties"]["outcome"]) == (kind, level, status)
    assert result["properties"]["estimate"] == pytest.approx(0.1094)


def test_every_sarif_result_has_its_rule_and_its_place(factory):
    run = sarif(factory.self_check())
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules) == 5
    fingerprints = [one["partialFingerprints"]["guardrailsFinding/v1"] for one in run["results"]]
    assert len(set(fingerprints)) == len(fingerprints)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        (location,) = result["locations"]
        assert location["logicalLocations"][0]["fullyQualifiedName"].startswith("reference:")


@pytest.mark.parametrize(
    ("target", "uri"),
    [
        ("hf:models/story teller", "models/story%20teller"),
        ("jsonl:/data/a.jsonl", "file:///data/a.jsonl"),
        ("reference:gpt-text,memorize=1", "reference%3Agpt-text%2Cmemorize%3D1"),
        ("dir:../../x%y", "../../x%25y"),
        ("", "."),
        ("hf:", "hf%3A"),
    ],
)
def test_a_target_is_a_uri_reference(target, uri):
    assert _target_uri(target) == uri


def test_a_file_is_a_uri_whatever_its_bytes_are():
    assert _path_uri(b"s3://bucket/a b") == "s3://bucket/a%20b"
    assert _path_uri(b"\xff<") == "%FF%3C"
    assert _path_uri(b"javascript:alert(1)") == "javascript%3Aalert%281%29"


def test_csv_is_what_pandas_reads(factory):
    rows = frame(factory.audit())
    findings = factory.audit().findings
    measured = rows[rows["estimate"].notna()]
    assert measured["estimate"].tolist() == [
        f.measurement.value for f in findings if f.measurement and f.measurement.value is not None
    ]
    first = rows.iloc[0]
    assert (first["probe"], first["metric"], first["n"], first["limit"]) == (
        "memorization.extraction",
        "verbatim_rate",
        512,
        0.01,
    )
    assert (first["baseline_low"], first["baseline_high"]) == (0.0, 0.0074)
    assert (rows["outcome"] == "not-tested").sum() == 4


@given(ANY_TEXT)
def test_any_text_is_xml(text):
    root = ElementTree.Element("a", {"b": xml_text(text)})
    root.text = xml_text(text)
    again = ElementTree.fromstring(ElementTree.tostring(root))
    assert list(again) == []
    assert (again.text or "").replace("\r", "\n").replace("\n\n", "\n") == xml_text(text).replace("\r", "\n").replace(
        "\n\n", "\n"
    )


@given(st.lists(ANY_TEXT, min_size=1, max_size=4))
def test_any_text_is_one_cell_that_no_spreadsheet_runs(texts):
    columns = [str(i) for i in range(len(texts))]
    content = table(columns, [dict(zip(columns, texts, strict=True))])
    (row,) = kinds.csv_rows(content)
    assert list(row) == columns
    assert kinds.formulas(content) == []


@given(ANY_TEXT)
def test_any_text_is_a_sarif_message_as_it_is(text):
    message = literal(text)
    assert json.loads(json.dumps({"text": message})) == {"text": message.encode().decode()}
    assert {"{", "}"}.isdisjoint(message.replace("{{", "").replace("}}", ""))


@pytest.mark.parametrize("text", ["-0.5", "+3", "1e-7", "-.5", "12."])
def test_numbers_stay_numbers(text):
    assert cell(text) == text
    assert cell(float(text)) == float(text)


@pytest.mark.parametrize("format", ["junit", "sarif", "csv"])
def test_a_result_with_very_long_texts_is_bounded(factory, format):
    text = "<&\u202e\x00>" * 4_000
    result = factory.audit(
        findings=tuple(factory.extraction(title=text, advice=text, reason=text, id=text) for _ in range(20))
    )
    assert len(reports.render(result, format)) < 500_000


def test_a_scan_with_too_many_results_is_refused_not_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    result = kinds.scan(tmp_path)
    for format in ("junit", "sarif"):
        monkeypatch.setattr(f"reports.exchange.{format}.MOST", 10)
        with pytest.raises(ConfigurationError, match="use csv"):
            reports.render(result, format)
    assert len(kinds.csv_rows(reports.render(result, "csv"))) > 10


def test_every_status_has_a_row(factory):
    result = factory.audit(findings=tuple(factory.extraction(status=status, id=f"a.b/{status}") for status in Status))
    assert frame(result)["outcome"].tolist()[:5] == [status.value for status in Status]
