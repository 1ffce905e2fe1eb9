"""The result: never NaN, never a bare number, canonical JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from guardrails.core.results import (
    SCHEMA_VERSION,
    AuditResult,
    Baseline,
    ControlOutcome,
    Evidence,
    Finding,
    FrameworkRef,
    Measurement,
    NotTested,
    Point,
    Power,
    Series,
    Severity,
    SpikeOutcome,
    Status,
    TargetRecord,
    Threshold,
    Timing,
    finite,
    json_schema,
)


def measurement(**changes: Any) -> Measurement:
    fields = {
        "probe": "memorization.extraction",
        "metric": "extracted",
        "value": 0.2,
        "low": 0.1,
        "high": 0.3,
        "n": 100,
        "unit": "share",
        "higher_is_worse": True,
        "method": "Wilson",
    }
    return Measurement(**(fields | changes))


def control(**changes: Any) -> ControlOutcome:
    fields = {"source": "reference:gpt-text,memorize=1", "expected": "found", "observed": "found"}
    return ControlOutcome(**(fields | changes))


def finding(**changes: Any) -> Finding:
    fields = {
        "id": "memorization.extraction/extracted",
        "probe": "memorization.extraction",
        "title": "Extraction",
        "status": Status.FAIL,
        "severity": Severity.HIGH,
        "risk": "memorization",
        "measurement": measurement(),
        "threshold": Threshold(metric="extracted", limit=0.01, origin="policy"),
        "controls": (control(),),
    }
    return Finding(**(fields | changes))


def full_finding() -> Finding:
    points = (Point(x=0.0, y=0.0, low=0.0, high=0.1, n=10), Point(x="clean", y=0.5))
    return finding(
        measurement=measurement(
            baseline=Baseline(what="held-out text", value=0.0, low=0.0, high=0.02, n=100),
            series=(Series(name="by length", x_label="tokens", y_label="share", points=points),),
            evidence=(Evidence(kind="excerpt", caption="a", text="<script>\u2028 ☃"),),
        ),
        spike=SpikeOutcome(what="copies", planted=20, recovery=0.9, low=0.7, high=1.0, doses_tried=(0.1, 1.0)),
        power=Power(
            positive="p",
            negative="n",
            power=1.0,
            power_low=0.94,
            power_high=1.0,
            false_alarms=0.0,
            false_alarms_low=0.0,
            false_alarms_high=0.06,
            runs=60,
        ),
        frameworks=(
            FrameworkRef(
                framework="f", edition="1", id="i", title="t", source_url="u", retrieved="2025", confidence="low"
            ),
        ),
    )


def result(*findings: Finding) -> AuditResult:
    return AuditResult(
        guardrails_version="0.1.0",
        kind="audit",
        verdict="fail",
        exit_code=1,
        targets=(TargetRecord(name="hf:mine", modality="text", access=("logprobs",), identity={"sha256": "0"}),),
        findings=findings,
        not_tested=(NotTested(what="audio", why="no probe"),),
        policy="default",
        policy_sha256="0" * 64,
        seed=0,
        budget="quick",
        command="guardrails audit hf:mine",
        environment={"python": "3"},
        timing=Timing(started="2025-01-01T00:00:00Z", seconds=1.5),
    )


@pytest.mark.parametrize("field", ["value", "low", "high", "detectable"])
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_is_finite(field, number):
    with pytest.raises(ValidationError, match="finite number"):
        measurement(**{field: number})


@pytest.mark.parametrize("make", [Point, Baseline])
def test_parts_are_finite_too(make):
    with pytest.raises(ValidationError, match="finite number"):
        make(**({"x": 0.0, "y": math.nan} if make is Point else {"what": "w", "value": math.nan}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"low": None}, "a value needs an interval"),
        ({"high": None}, "a value needs an interval"),
        ({"value": None}, "a measurement without a value needs a reason"),
        ({"value": None, "reason": ""}, "a measurement without a value needs a reason"),
        ({"value": 0.4}, "does not hold the value 0.4"),
        ({"value": 0.0}, "does not hold the value 0.0"),
        ({"n": -1}, "greater than or equal to 0"),
        ({"confidence": 1.0}, "less than 1"),
        ({"errors": -1}, "greater than or equal to 0"),
        ({"surprise": 1}, "Extra inputs are not permitted"),
    ],
)
def test_a_measurement_refuses(changes, message):
    with pytest.raises(ValidationError, match=message):
        measurement(**changes)


def test_no_value_with_a_reason_is_a_measurement():
    silent = measurement(value=None, low=None, high=None, reason="needs 300 items, has 20", n=20, needed=300)
    assert silent.value is None
    assert silent.needed == 300


@given(*[st.floats(allow_nan=False, allow_infinity=False)] * 3)
def test_a_value_lies_in_its_interval(a, b, c):
    low, value, high = sorted((a, b, c))
    assert measurement(low=low, value=value, high=high, exact=low == high).value == value
    if value < high:
        with pytest.raises(ValidationError):
            measurement(low=value, value=low, high=high) if low < value else measurement(low=low, value=high, high=low)


def test_results_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        measurement().value = 0.5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("expected", "observed", "behaved"),
    [
        ("found", "found", True),
        ("found", "clear", False),
        ("found", "inconclusive", False),
        ("found", "not-assessed", False),
        ("clear", "clear", True),
        ("clear", "inconclusive", True),
        ("clear", "found", False),
        ("clear", "not-assessed", False),
    ],
)
def test_a_control_behaves_or_not(expected, observed, behaved):
    outcome = control(expected=expected, observed=observed)
    assert outcome.behaved is behaved
    assert finding(controls=(control(), outcome)).control_failed is not behaved


def test_without_controls_none_failed():
    assert not finding(controls=()).control_failed


def test_json_is_canonical_and_reads_back():
    written = result(full_finding(), finding(status=Status.NOT_ASSESSED, measurement=None, reason="no corpus"))
    text = written.to_json()
    assert AuditResult.from_json(text) == written
    assert AuditResult.from_json(text).to_json() == text
    assert text == json.dumps(json.loads(text), sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    assert json.loads(text)["schema_version"] == SCHEMA_VERSION


def test_the_schema_accepts_what_is_written_and_nothing_more():
    written = json.loads(result(full_finding()).to_json())
    jsonschema.validate(written, json_schema())
    jsonschema.Draft202012Validator.check_schema(json_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(written | {"surprise": 1}, json_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(written | {"verdict": "safe"}, json_schema())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": "1.0"}', '{"findings": NaN}'])
def test_what_is_not_a_result_is_refused(text):
    with pytest.raises(ValidationError):
        AuditResult.from_json(text)


def test_a_frame_has_one_row_per_finding():
    frame = result(finding(), finding(id="x", measurement=None, threshold=None, reason="why")).to_frame()
    assert list(frame["finding"]) == ["memorization.extraction/extracted", "x"]
    first, second = frame.to_dict("records")
    assert (first["status"], first["value"], first["low"], first["high"], first["n"]) == ("fail", 0.2, 0.1, 0.3, 100)
    assert (first["threshold"], first["severity"], first["metric"]) == (0.01, "high", "extracted")
    assert (second["n"], second["reason"]) == (0, "why")
    assert frame[["metric", "value", "threshold"]].isna().iloc[1].all()


def test_finite():
    assert finite(0.5) == 0.5
    assert [finite(x) for x in (math.nan, math.inf, -math.inf)] == [None] * 3


def test_no_interval_is_a_point_but_that_of_what_is_exact() -> None:
    with pytest.raises(ValidationError, match="is a point"):
        measurement(value=0.0, low=0.0, high=0.0)
    bound = measurement(value=0.0, low=0.0, high=0.0, exact=True)
    assert bound.value == 0
    # What an earlier version wrote can still be read.
    old = bound.model_dump(mode="json") | {"exact": False}
    assert Measurement.model_validate_json(json.dumps(old)).high == 0


def test_a_result_that_is_not_as_it_was_written_is_refused() -> None:
    text = result(full_finding()).to_json()
    changed = text.replace('"seed": ', '"seed": 1')
    assert changed != text
    with pytest.raises(ValidationError, match="do not fit its sha256"):
        AuditResult.from_json(changed)
    # An earlier version wrote none.
    values = json.loads(text)
    del values["sha256"]
    assert AuditResult.from_json(json.dumps(values)) == AuditResult.from_json(text)
