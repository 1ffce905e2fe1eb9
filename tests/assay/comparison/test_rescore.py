"""A finished audit under another policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stored import CLEAR, METRIC, PROBE, audit, finding, rate

from guardrails.assay.audit.rescore import rescore
from guardrails.assay.policy.policy import load_policy
from guardrails.assay.stored_audit import StoredAudit
from guardrails.core.errors import ConfigurationError
from guardrails.core.results import (
    AuditResult,
    Cost,
    DoseReading,
    Finding,
    ProbeCost,
    SpikeOutcome,
    Status,
    Timing,
    Use,
)
from guardrails.core.statistics import wilson


def dose(share: float, hits: int, n: int = 200) -> DoseReading:
    value, low, high = wilson(hits, n)
    return DoseReading(dose=share, value=value, low=low, high=high, n=n)


SPIKE = SpikeOutcome(
    what="documents",
    planted=200,
    smallest_dose=0.1,
    doses_tried=(0.05, 0.1),
    readings=(dose(0.05, 10), dose(0.1, 20), dose(0.5, 100), dose(1.0, 200)),
)
PASSED = finding(rate(0, 200), spike=SPIKE)


def policy(folder: Path, *rows: dict[str, Any]) -> str:
    text = 'name = "own"\ndescription = "of a test"\nextends = "default"\n'
    for row in rows:
        values = {"probe": PROBE, "origin": "by hand, for this test", **row}
        text += "[[threshold]]\n" + "".join(f"{k} = {v!r}\n".replace("True", "true") for k, v in values.items())
    path = folder / "own.toml"
    path.write_text(text)
    return str(path)


def again(folder: Path, *findings: Finding, rows: tuple[dict[str, Any], ...], **more: Any) -> AuditResult:
    name = policy(folder, *rows)
    return rescore(StoredAudit(audit(*findings, **more), None, "a" * 64), load_policy(name), policy_name=name)


def only(result: AuditResult) -> Finding:
    return next(f for f in result.findings if f.id == f"{PROBE}/{METRIC}")


@pytest.mark.parametrize(
    ("hits", "limit", "status"),
    [
        (30, 0.05, Status.FAIL),
        (30, 0.15, Status.INCONCLUSIVE),
        (30, 0.3, Status.PASS),
        (0, 0.01, Status.INCONCLUSIVE),
    ],
)
def test_a_verdict_follows_the_limit(hits: int, limit: float, status: Status, tmp_path: Path) -> None:
    result = again(tmp_path, finding(rate(hits, 200), spike=SPIKE), rows=({"metric": METRIC, "limit": limit},))
    assert only(result).status is status
    assert only(result).threshold is not None
    assert result.exit_code == {"pass": 0, "fail": 1, "inconclusive": 3}[status.value]
    assert result.rescored is not None
    assert (result.rescored.policy, result.rescored.policy_sha256) == ("default", "e" * 64)
    assert result.rescored.result_sha256 == "a" * 64
    assert result.policy_sha256 == load_policy(str(tmp_path / "own.toml")).sha256
    assert only(result).measurement == rate(hits, 200)


def test_the_smallest_dose_follows_the_limit(tmp_path: Path) -> None:
    result = again(tmp_path, PASSED, rows=({"metric": METRIC, "limit": 0.3},))
    spike = only(result).spike
    assert spike is not None
    assert (spike.smallest_dose, spike.doses_tried) == (0.5, (0.05, 0.1, 0.5))
    unseen = SPIKE.model_copy(update={"readings": SPIKE.readings[:2]})
    result = again(tmp_path, finding(rate(0, 200), spike=unseen), rows=({"metric": METRIC, "limit": 0.3},))
    assert only(result).status is Status.NOT_ASSESSED
    assert "a fault like it would not be seen here either" in (only(result).reason or "")


def test_a_result_without_the_readings_of_its_doses_does_not_pass_another_limit(tmp_path: Path) -> None:
    older = finding(rate(0, 200), spike=SPIKE.model_copy(update={"readings": ()}))
    result = again(tmp_path, older, rows=({"metric": METRIC, "limit": 0.3},))
    assert only(result).status is Status.NOT_ASSESSED
    assert "no reading of its spike at each dose" in (only(result).reason or "")
    assert only(again(tmp_path, older, rows=({"metric": METRIC, "limit": 0.05},))).status is Status.PASS


def test_what_was_not_gated_had_no_spike_and_is_no_pass(tmp_path: Path) -> None:
    ungated = finding(rate(0, 200), threshold=None, status=Status.NOT_ASSESSED, reason="policy 'x' has no threshold")
    result = again(tmp_path, ungated, rows=({"metric": METRIC, "limit": 0.05},))
    assert only(result).status is Status.NOT_ASSESSED
    assert "no spike was planted" in (only(result).reason or "")
    failing = ungated.model_copy(update={"measurement": rate(60, 200)})
    assert only(again(tmp_path, failing, rows=({"metric": METRIC, "limit": 0.05},))).status is Status.FAIL


def test_a_metric_that_was_not_gated_gets_a_finding_of_its_own(tmp_path: Path) -> None:
    with_detail = PASSED.model_copy(update={"details": (rate(90, 200, metric="near_extraction_rate"),)})
    result = again(tmp_path, with_detail, rows=({"metric": "near_extraction_rate", "limit": 0.2},))
    assert {f.id: f.status for f in result.findings}[f"{PROBE}/near_extraction_rate"] is Status.FAIL
    assert only(result).status is Status.PASS


def test_a_metric_that_was_not_measured_is_not_assessed(tmp_path: Path) -> None:
    result = again(tmp_path, PASSED, rows=({"metric": "extraction_excess", "limit": 0.2, "required": True},))
    absent = next(f for f in result.findings if f.id.endswith("extraction_excess"))
    assert absent.status is Status.NOT_ASSESSED
    assert "which the probe did not measure" in (absent.reason or "")
    assert result.exit_code == 3


@pytest.mark.parametrize(
    ("stored", "status", "reason"),
    [
        (
            finding(None, status=Status.NOT_ASSESSED, reason="missing: --corpus"),
            Status.NOT_ASSESSED,
            "missing: --corpus",
        ),
        (finding(None, status=Status.NOT_APPLICABLE, reason="of text"), Status.NOT_APPLICABLE, "of text"),
        (
            finding(rate(0, 200), controls=(CLEAR.model_copy(update={"observed": "found"}),)),
            Status.NOT_ASSESSED,
            "failed its control",
        ),
        (finding(rate(0, 200), controls=()), Status.NOT_ASSESSED, "its controls were not run"),
    ],
)
def test_what_the_stored_samples_cannot_answer_stays_open(
    stored: Finding, status: Status, reason: str, tmp_path: Path
) -> None:
    one = only(again(tmp_path, stored, rows=({"metric": METRIC, "limit": 0.3},)))
    assert one.status is status
    assert reason in (one.reason or "")


def test_mostly_empty_outputs_do_not_pass(tmp_path: Path) -> None:
    use = ProbeCost(reading=Use(outputs=100, empty=80))
    timing = Timing(started="now", seconds=1.0, cost=Cost(total=use, per_probe={PROBE: use}))
    one = only(again(tmp_path, PASSED, rows=({"metric": METRIC, "limit": 0.3},), timing=timing))
    assert one.status is Status.NOT_ASSESSED
    assert "80 of 100 outputs are empty" in (one.reason or "")


def test_a_probe_that_is_not_here_is_not_assessed(tmp_path: Path) -> None:
    other = finding(rate(0, 200, probe="mine.own", metric="rate"))
    result = again(tmp_path, PASSED, other, rows=({"metric": METRIC, "limit": 0.3},))
    assert "the probe is not here" in ({f.id: f for f in result.findings}["mine.own/rate"].reason or "")


def test_a_command_names_the_new_policy(tmp_path: Path) -> None:
    one = PASSED.model_copy(update={"command": "guardrails audit x --policy old --budget quick"})
    command = only(again(tmp_path, one, rows=({"metric": METRIC, "limit": 0.3},))).command
    assert command == f"guardrails audit x --policy {tmp_path / 'own.toml'} --budget quick"


def test_a_self_check_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="a self-check has no verdict by a policy"):
        again(tmp_path, PASSED, rows=({"metric": METRIC, "limit": 0.3},), kind="self-check")
