"""The control matrix: the status of each control of a framework, and where a report shows it."""

import json
import re
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_factory import audit, extraction, framework_control, policy_record, self_check
from report_parts import controls

from guardrails.core.results import AuditResult, Finding, Status, WaiverRecord
from reports import render
from reports.control_matrix import STATUSES, control_rows, gaps_of

P, F, I, O, N = Status.PASS, Status.FAIL, Status.INCONCLUSIVE, Status.NOT_ASSESSED, Status.NOT_APPLICABLE  # noqa: E741


def findings(statuses: Iterable[Status], *, broken: bool = False) -> tuple[Finding, ...]:
    return tuple(
        extraction(id=f"a.p{i}/rate", probe=f"a.p{i}", status=status, controls=controls(good=not broken))
        for i, status in enumerate(statuses)
    )


def result(statuses: Iterable[Status], *names: str, broken: bool = False, **more: object) -> AuditResult:
    control = framework_control("R1", *names, **more)
    return audit(findings=findings(statuses, broken=broken), policy_record=policy_record(control))


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        ([P], "no-issue-found"),
        ([P, P, N], "no-issue-found"),
        ([P, F], "issue-found"),
        ([F, O, I], "issue-found"),
        ([P, I], "undecided"),
        ([I, O], "undecided"),
        ([P, O], "partly-assessed"),
        ([O, N], "not-assessed"),
        ([N, N], "not-applicable"),
        ([O], "not-assessed"),
    ],
)
def test_the_status_of_a_control_is_that_of_its_probes(statuses: list[Status], status: str) -> None:
    names = [f"a.p{i}" for i in range(len(statuses))]
    (row,) = control_rows(result(statuses, *names))
    assert row.status == status
    assert STATUSES[status].word


@pytest.mark.parametrize(
    ("statuses", "more", "status"),
    [
        ([P], {"absent": ("b.*",)}, "partly-assessed"),
        ([P], {"probes": ("a.p0", "a.p1")}, "partly-assessed"),
        ([N], {"absent": ("b.*",)}, "not-assessed"),
        ([P], {"probes": (), "absent": ("b.*",)}, "no-probe"),
        ([F], {"probes": (), "testable": False}, "not-by-a-test"),
        ([F, P], {"probes": ("a.p1",)}, "no-issue-found"),
    ],
)
def test_what_was_not_run_or_not_installed_leaves_a_gap(statuses, more, status) -> None:
    (row,) = control_rows(result(statuses, **({"probes": ("a.p0",)} | more)))
    assert row.status == status
    if missing := more.get("absent"):
        assert f"Not installed: {missing[0]}" in gaps_of(row)
    assert gaps_of(row)[-1] == "What nobody sees of R1."


def test_a_probe_that_failed_its_control_is_no_evidence() -> None:
    (row,) = control_rows(result([P, P], "a.p0", "a.p1", broken=True))
    assert row.status == "partly-assessed"
    assert gaps_of(row)[0] == "Failed its own control: a.p0, a.p1"
    (row,) = control_rows(result([F], "a.p0", broken=True))
    assert row.status == "not-assessed"


@given(
    st.lists(st.tuples(st.sampled_from(list(Status)), st.booleans(), st.booleans()), min_size=1, max_size=4),
    st.booleans(),
)
def test_no_issue_found_needs_every_probe_to_pass_or_not_to_apply(probes, absent) -> None:
    stored = tuple(
        extraction(id=f"a.p{i}/rate", probe=f"a.p{i}", status=status, controls=controls(good=good))
        for i, (status, good, ran) in enumerate(probes)
        if ran
    )
    control = framework_control("R1", *(f"a.p{i}" for i in range(len(probes))), absent=("b.*",) if absent else ())
    (row,) = control_rows(audit(findings=stored, policy_record=policy_record(control)))
    sound = all(ran and good and status in (P, N) for status, good, ran in probes) and not absent
    passed = any(ran and status is P for status, _, ran in probes)
    assert (row.status == "no-issue-found") is (sound and passed)
    failed = any(ran and good and status is F for status, good, ran in probes)
    assert (row.status == "issue-found") is failed


@pytest.mark.parametrize(("broken", "status"), [(False, "instruments-behaved"), (True, "instrument-misbehaved")])
def test_a_self_check_speaks_of_instruments_and_of_no_model(broken: bool, status: str) -> None:
    names = ("memorization.extraction", "privacy.pii")
    record = policy_record(framework_control("R1", *names), framework_control("R2", *names, "bias.bbq"))
    checked = self_check(broken=broken).model_copy(update={"policy_record": record})
    first, second = control_rows(checked)
    assert first.status == status
    assert second.status == ("instrument-misbehaved" if broken else "instruments-partly-checked")
    assert second.not_run == ("bias.bbq",)
    page = render(checked, "markdown").decode()
    assert "It says nothing of a model" in page
    assert re.search(r"\d+ of \d+ known samples read right, by: memorization.extraction, privacy.pii", page)


@pytest.mark.parametrize("format", ["html", "markdown"])
def test_a_report_shows_control_probes_status_evidence_and_gap(format: str) -> None:
    stored = audit(
        policy_record=policy_record(
            framework_control("R1", "memorization.extraction", "privacy.pii"),
            framework_control("R2", absent=("misuse.*",), confidence="low"),
            framework_control("R3", testable=False),
        )
    )
    text = re.sub(r"<[^>]*>|\\", "", render(stored, format).decode()).replace("&#39;", "'")
    for part in (
        "Evidence, not legal advice.", "House rules, 2026", "Issue found", "memorization.extraction/verbatim_rate",
        "Not installed: misuse.*", "No probe for it", "What no technical test can evidence", "What nobody sees of R3.",
        "confidence in id and title: low",
    ):  # fmt: skip
        assert part in text, part
    assert not re.search(r"satisfied|compliant|certified", text, re.IGNORECASE)


def test_a_probe_that_passed_one_limit_and_missed_another_is_named_by_its_findings() -> None:
    both = (
        extraction(id="a.p0/rate", probe="a.p0", status=I),
        extraction(id="a.p0/copies", probe="a.p0", status=P),
        extraction(id="a.p1/rate", probe="a.p1", status=P),
    )
    record = policy_record(framework_control("R1", "a.p0", "a.p1"))
    text = render(audit(findings=both, policy_record=record), "markdown").decode().replace("\\", "")
    assert "Passed: a.p1; Passed: a.p0/copies" in text


def test_a_failed_finding_states_its_severity_and_who_accepted_it() -> None:
    waiver = WaiverRecord(reason="accepted", owner="A. Owner", expires="2999-01-01")
    failed = extraction(id="a.p0/rate", probe="a.p0", status=F, severity="info", waiver=waiver)
    stored = audit(findings=(failed,), policy_record=policy_record(framework_control("R1", "a.p0")))
    (row,) = control_rows(stored)
    assert row.status == "issue-found"
    text = render(stored, "markdown").decode().replace("\\", "")
    assert re.search(r"Fail .*a\.p0/rate.*limit at most 1%, info severity, waived", text)


@pytest.mark.parametrize("record", [None, policy_record()])
def test_without_controls_there_is_no_section(record) -> None:
    stored = audit(policy_record=record)
    assert control_rows(stored) == ()
    assert "Controls of frameworks" not in render(stored, "html").decode()
    assert json.loads(render(stored, "controls"))["controls"] == []


def test_the_json_names_the_result_and_the_policy_that_it_is_of() -> None:
    stored = result([F, O], "a.p0", "a.p1")
    values = json.loads(render(stored, "controls"))
    assert values["note"] == "Evidence, not legal advice."
    assert (values["policy_sha256"], values["started"]) == (stored.policy_sha256, stored.timing.started)
    assert values["targets"] == [target.name for target in stored.targets]
    (row,) = values["controls"]
    assert (row["status"], row["status_in_words"], row["id"]) == ("issue-found", "Issue found", "R1")
    assert [(e["finding"], e["status"]) for e in row["evidence"]] == [
        ("a.p0/rate", "fail"),
        ("a.p1/rate", "not-assessed"),
    ]
    assert row["gaps"][0] == "Not assessed: a.p1"
    assert row["source_url"] == "https://example.org/rules"
    script = result([P], "a.p0", source_url="javascript:alert(1)")
    assert json.loads(render(script, "controls"))["controls"][0]["source_url"] == ""
    again = AuditResult.from_json(stored.to_json())
    assert render(again, "controls") == render(stored, "controls")
