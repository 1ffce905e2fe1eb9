"""Two audits compared: what is worse beyond noise, and what cannot be compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import CLEAR, audit, edited, finding, measured, rate, run, stored

from guardrails.assay.comparison.compare import compare
from guardrails.assay.comparison.differences import paired, two_sample
from guardrails.assay.stored_audit import StoredAudit, read_audit
from guardrails.core.errors import ConfigurationError
from guardrails.core.results import AuditResult, Severity, Status, TargetRecord
from guardrails.core.results.comparison import ComparedFinding, Comparison
from guardrails.core.statistics import mcnemar, newcombe


def only(comparison: Comparison) -> ComparedFinding:
    (one,) = comparison.findings
    return one


def test_a_rate_that_rose_far_is_worse_and_one_that_fell_is_better() -> None:
    low, high = stored(finding(rate(2, 100))), stored(finding(rate(30, 100)))
    worse, better = only(compare(low, high)), only(compare(high, low))
    assert (worse.change, better.change) == ("worse", "better")
    assert compare(low, high).exit_code == 1
    assert compare(high, low).exit_code == 0
    assert worse.difference == pytest.approx(0.28)
    assert worse.low == pytest.approx(-(better.high or 0))
    assert 0 < worse.low < 0.28 < (worse.high or 0)


def test_where_lower_is_worse_a_fall_is_worse() -> None:
    more = {"higher_is_worse": False, "unit": "points", "metric": "score"}
    before, after = (finding(measured(v, v - 1, v + 1, 400, **more)) for v in (50.0, 40.0))
    assert only(compare(stored(before), stored(after))).change == "worse"


def test_the_same_audit_twice_is_unchanged_with_an_interval() -> None:
    one = stored(finding(rate(7, 90)), finding(rate(0, 200, metric="near_extraction_rate")))
    comparison = compare(one, one)
    assert (comparison.verdict, comparison.exit_code) == ("not-worse", 0)
    for change in comparison.findings:
        assert (change.change, change.difference, change.p) == ("unchanged", 0, 1)
        assert change.low is not None
        assert change.low < 0 < (change.high or 0)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(60, 200), st.integers(60, 200))
def test_two_rates_have_newcombes_interval(k: int, j: int, n: int, m: int) -> None:
    low, high = two_sample(rate(k, n), rate(j, m)).bounds(0.95)
    expected = newcombe(j, m, k, n)
    assert (low, high) == (pytest.approx(expected.low, abs=1e-6), pytest.approx(expected.high, abs=1e-6))


@given(st.integers(0, 80), st.integers(0, 80))
def test_the_p_value_is_where_the_interval_reaches_zero(k: int, j: int) -> None:
    difference = two_sample(rate(k, 80), rate(j, 80))
    if 1e-9 < difference.p < 0.999:
        low, high = difference.bounds(1 - difference.p)
        assert min(abs(low), abs(high)) < 1e-6


def test_pairs_of_hits_are_tested_exactly() -> None:
    before, after = [0.0] * 90 + [1.0] * 10, [0.0] * 80 + [1.0] * 20
    difference = paired(before, after, range(100))
    assert difference is not None
    assert difference.p == mcnemar(10, 0)
    assert difference.value == pytest.approx(0.1)
    assert difference.pairs == 100


def test_items_of_one_document_are_no_independent_pairs() -> None:
    before, after = [0.0] * 40, [1.0] * 10 + [0.0] * 30
    alone, together = paired(before, after, range(40)), paired(before, after, [i // 10 for i in range(40)])
    assert alone is not None
    assert together is not None
    assert alone.p < 0.01 < together.p == 1.0  # one document of four differs
    assert paired(before, after, [1] * 40) is None
    assert paired(before, before, [i // 10 for i in range(40)]) is None  # no noise is known: two samples tell it


def test_the_same_run_of_clustered_items_twice_is_unchanged(tmp_path: Path) -> None:
    one = run(tmp_path / "a", [i % 10 == 0 for i in range(60)], per_document=3)
    change = only(compare(one, one))
    assert (change.change, change.pairs) == ("unchanged", 0)
    assert (change.low or 0) < 0 < (change.high or 0)


@pytest.mark.parametrize(
    "m",
    [
        measured(1e300, -1e308, 1e300, 1, unit="nats"), measured(0.5, 0.4, 0.6, 3, confidence=1 - 1e-16, unit="nats"),
    ],
)  # fmt: skip
def test_numbers_that_overflow_are_not_compared(m: Any) -> None:
    other = measured(1.0, 0.5, 1.5, 50, unit="nats")
    comparison = compare(stored(finding(m)), stored(finding(other)))
    assert only(comparison).change in ("not-comparable", "unchanged")
    assert Comparison.from_json(comparison.to_json()) == comparison


def test_audits_of_the_same_items_are_paired_by_their_journals(tmp_path: Path) -> None:
    hits = [i % 10 == 0 for i in range(120)]
    more = [hit or i % 20 == 1 for i, hit in enumerate(hits)]
    before, after = run(tmp_path / "a", hits), run(tmp_path / "b", more)
    one = only(compare(before, after))
    assert (one.change, one.pairs) == ("worse", 120)
    assert one.p == pytest.approx(mcnemar(6, 0))
    unpaired = only(compare(StoredAudit(before.result), StoredAudit(after.result)))
    assert (unpaired.change, unpaired.pairs) == ("unchanged", 0)


@pytest.mark.parametrize("what", ["other items", "other data", "damaged", "other result", "no journal", "no database"])
def test_without_the_same_items_two_samples_are_compared(what: str, tmp_path: Path) -> None:
    hits = [i % 10 == 0 for i in range(60)]
    before = run(tmp_path / "a", hits)
    after = run(tmp_path / "b", hits, fields={"prefix": 30} if what == "other items" else None)
    if what == "other data":
        target = after.result.targets[0]
        other = {"corpus": target.inputs["corpus"].model_copy(update={"sha256": "f" * 64})}
        targets = (target.model_copy(update={"inputs": other}),)
        after = StoredAudit(after.result.model_copy(update={"targets": targets}), after.folder)
    elif what == "other result":
        after = StoredAudit(audit(finding(rate(9, 60))), after.folder)
    elif what == "no journal":
        (tmp_path / "b" / "journal.sqlite").unlink()
    elif what == "no database":
        (tmp_path / "b" / "journal.sqlite").write_text("nothing")
    elif what == "damaged":
        path = tmp_path / "b" / "journal.sqlite"
        path.write_bytes(path.read_bytes().replace(b'"matched":50', b'"matched":51'))
    one = only(compare(before, after))
    assert (one.change, one.pairs) == ("unchanged", 0)
    assert one.method.startswith("two samples")


SAME = finding(rate(3, 100))
VALID = finding(rate(0, 200))
REASONS: dict[str, tuple[Any, str]] = {
    "not assessed": (
        finding(None, status=Status.NOT_ASSESSED, reason="missing: --corpus"),
        "not assessed after: missing",
    ),
    "spike unseen": (
        finding(rate(3, 100), status=Status.NOT_ASSESSED, reason="the spike failed"),
        "not assessed after: the sp",
    ),
    "too many errors": (finding(rate(3, 100, errors=20), threshold=None), "20 of 120 items failed"),
    "not applicable": (
        finding(None, status=Status.NOT_APPLICABLE, reason="looks at text"),
        "not applicable after: looks",
    ),
    "options": (finding(rate(3, 100), options={"prefix": 30}), "other options: prefix was the default before and 30"),
    "control": (
        finding(rate(3, 100), controls=(CLEAR.model_copy(update={"observed": "inconclusive"}),)),
        "another outcome of a control: reference:gpt-text was clear before and inconclusive after",
    ),
    "control failed": (
        finding(rate(3, 100), controls=(CLEAR.model_copy(update={"observed": "found"}),)),
        "its control failed after",
    ),
    "unit": (finding(rate(3, 100, unit="risk")), "another measure: in share before and in risk after"),
    "method": (finding(rate(3, 100, method="greedy continuation of 30 tokens")), "measured in another way"),
    "exact": (finding(measured(0.5, 0.5, 0.5, 100, exact=True)), "a bound without an interval after"),
}


@pytest.mark.parametrize("name", REASONS)
def test_what_cannot_be_compared_says_why(name: str) -> None:
    other, reason = REASONS[name]
    comparison = compare(stored(SAME), stored(other))
    assert only(comparison).change == "not-comparable"
    assert reason in only(comparison).reason
    assert (comparison.verdict, comparison.exit_code) == ("nothing-compared", 3)


def test_numbers_of_the_sample_in_a_method_do_not_matter() -> None:
    before, after = (finding(rate(3, 100, method=f"closer than {t}; Wilson")) for t in (0.113, 0.2))
    assert only(compare(stored(before), stored(after))).change == "unchanged"


def test_readings_by_other_code_are_not_compared() -> None:
    other = {"python": "3.11", "sources": "1" * 64, "code": "2" * 64}
    after = stored(SAME, environment=other)
    assert "measured by other code of guardrails 0.1.0" in only(compare(stored(SAME), after)).reason
    after = stored(SAME, environment=other, guardrails_version="0.2.0")
    assert "measured by guardrails 0.1.0 before and 0.2.0 after" in only(compare(stored(SAME), after)).reason
    assert (
        "does not state which code" in only(compare(stored(SAME, environment={}), stored(SAME, environment={}))).reason
    )
    library = compare(stored(SAME), stored(SAME, environment={**other, "code": "c" * 64, "torch": "9"}))
    assert only(library).change == "unchanged"
    assert any("other versions of torch" in note for note in library.notes)


def test_new_and_gone_findings_are_listed_and_are_not_worse() -> None:
    other = finding(rate(50, 100, probe="privacy.pii", metric="pii_leak_rate"), status=Status.FAIL)
    comparison = compare(stored(SAME), stored(SAME, other))
    assert {f.id: f.change for f in comparison.findings}["privacy.pii/pii_leak_rate"] == "new"
    assert comparison.exit_code == 0
    assert {f.change for f in compare(stored(SAME, other), stored(SAME)).findings} == {"unchanged", "gone"}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"targets": (TargetRecord(name="x", modality="image", access=()),)}, "makes text and the other image"),
        ({"kind": "self-check"}, "one result is of an audit and the other of a self-check"),
        ({"targets": ()}, "one target makes text and the other nothing"),
    ],
)
def test_audits_of_two_kinds_are_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        compare(stored(SAME), stored(SAME, **more))


def test_two_empty_audits_are_no_pass() -> None:
    assert compare(stored(), stored()).exit_code == 3


def test_fingerprints_do_not_depend_on_what_was_measured() -> None:
    one = only(compare(stored(SAME), stored(finding(rate(60, 100), severity=Severity.LOW))))
    assert one.fingerprint == only(compare(stored(SAME), stored(SAME))).fingerprint
    assert len(one.fingerprint) == 64


def test_a_comparison_comes_back_as_it_was_written() -> None:
    comparison = compare(stored(SAME), stored(finding(rate(60, 100))))
    assert Comparison.from_json(comparison.to_json()) == comparison


def test_an_audit_of_an_earlier_schema_is_compared(tmp_path: Path) -> None:
    later = {"fail_on", "waivers", "baseline", "rescored", "remarks"}
    document = edited(audit(VALID), schema_version="1.4")
    import json

    values = {key: value for key, value in json.loads(document).items() if key not in later}
    for one in values["findings"]:
        del one["waiver"], one["known"]
    (tmp_path / "old.json").write_text(json.dumps(values))
    assert only(compare(read_audit(tmp_path / "old.json"), stored(VALID))).change == "unchanged"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not the result of an audit"),
        ("[]", "is not the result of an audit"),
        (b"\xff", "not UTF-8 text"),
        (edited(audit(SAME), schema_version="2.0"), "Upgrade guardrails"),
        (edited(audit(SAME), verdict="safe"), "verdict: Input should be"),
        (edited(audit(SAME)), "is pass, and its interval"),
        (edited(audit(VALID), verdict="fail", exit_code=1), "its verdict is fail"),
        (AuditResult.to_json(audit(SAME)).replace('"quick"', '"small"'), "not as it was written"),
    ],
)
def test_a_file_that_is_no_result_is_one_message(content: str | bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigurationError, match=message):
        read_audit(tmp_path)
