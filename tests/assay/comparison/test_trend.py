"""Several audits over time: their order, what became worse at which step, and what is not interpolated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored import audit, finding, rate, stored

from guardrails.assay.comparison.compare import compare
from guardrails.assay.comparison.trend import trend
from guardrails.assay.stored_audit import StoredAudit
from guardrails.core.errors import ConfigurationError
from guardrails.core.results import Threshold, Timing
from guardrails.core.results.trend import Trend


def on(day: int, *hits: int, n: int = 400, limit: float = 0.05) -> StoredAudit:
    """Return an audit that began on a day, with a rate for each count of hits."""
    findings = [
        finding(rate(k, n, metric=f"rate_{i}"), threshold=Threshold(metric=f"rate_{i}", limit=limit, origin="a test"))
        for i, k in enumerate(hits)
    ]
    return stored(*findings, timing=Timing(started=f"2026-12-{day:02}T00:00:00+00:00", seconds=1.0), seed=day)


def test_audits_are_ordered_by_their_time_whatever_the_order_given() -> None:
    runs = [on(1, 4), on(2, 5), on(3, 60), on(4, 61)]
    one = trend(runs)
    assert trend([runs[2], runs[0], runs[3], runs[1]]) == one
    assert [run.started[8:10] for run in one.runs] == ["01", "02", "03", "04"]
    (rates,) = one.findings
    assert [step.change for step in rates.steps if step] == ["unchanged", "worse", "unchanged"]
    assert (one.verdict, one.exit_code) == ("not-worse", 0)
    assert (trend(runs[:3]).verdict, trend(runs[:3]).exit_code) == ("worse", 1)
    assert Trend.from_json(one.to_json()) == one


def test_a_step_is_the_comparison_of_its_two_audits_at_its_share_of_the_level() -> None:
    runs = [on(1, 4), on(2, 16), on(3, 60)]
    (rates,) = trend(runs).findings
    for (before, after), step in zip([(runs[0], runs[1]), (runs[1], runs[2])], rates.steps, strict=True):
        (alone,) = compare(before, after, level=0.025).findings
        assert step is not None
        assert (step.change, step.difference, step.low, step.high) == (
            alone.change, alone.difference, alone.low, alone.high,
        )  # fmt: skip
        assert step.p == pytest.approx(min(1, 2 * (alone.p or 0)))


def test_a_finding_that_an_audit_does_not_have_is_a_gap() -> None:
    one = trend([on(1, 4, 4), on(2, 4), on(3, 4, 60)])
    first, second = one.findings
    assert [side is None for side in second.readings] == [False, True, False]
    assert [step.change if step else None for step in second.steps] == ["gone", "new"]
    assert [step.change if step else None for step in first.steps] == ["unchanged", "unchanged"]
    none = trend([on(1, 4), on(2, 4), on(3, 4, 60)]).findings[1]
    assert (none.steps[0], none.readings[:2]) == (None, (None, None))


def test_limits_and_units_are_those_of_each_audit() -> None:
    one = trend([on(1, 4, limit=0.1), on(2, 4), on(3, 4)])
    assert one.findings[0].limits == (0.1, 0.05, 0.05)
    points = stored(
        finding(rate(4, 400, metric="rate_0", unit="points")),
        timing=Timing(started="2026-12-02T00:00:00+00:00", seconds=1.0),
    )
    (rates,) = trend([on(1, 4), points, on(3, 4)]).findings
    assert [side.value if side else None for side in rates.readings] == [0.01, None, 0.01]
    assert "another unit" in (rates.readings[1].outcome if rates.readings[1] else "")


def test_too_few_audits_and_one_given_twice_are_refused(tmp_path) -> None:
    with pytest.raises(ConfigurationError, match="3 to 100 audits, and 2 were given"):
        trend([on(1, 4), on(2, 4)])
    for day in (1, 2):
        (tmp_path / f"{day}").mkdir()
        result = audit(finding(rate(4, 400)), seed=day)
        (tmp_path / f"{day}" / "result.json").write_text(result.to_json(), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="given twice"):
        trend([tmp_path / "1", tmp_path / "2", tmp_path / "1"])


@given(st.lists(st.integers(0, 400), min_size=3, max_size=8))
def test_nothing_changes_where_all_audits_are_equal_and_no_step_contradicts_its_difference(hits: list[int]) -> None:
    (rates,) = trend([on(day, k) for day, k in enumerate(hits, 1)]).findings
    for before, after, step in zip(hits[:-1], hits[1:], rates.steps, strict=True):
        assert step is not None
        assert step.change == "unchanged" or (step.change == "worse") == (after > before)
        if before == after:
            assert step.change == "unchanged"


@pytest.mark.slow
def test_trends_of_one_model_seldom_call_anything_worse_or_better() -> None:
    alarms = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        runs = [on(day, *(int(k) for k in rng.binomial(400, (0.02, 0.1, 0.4)))) for day in range(1, 6)]
        steps = [step for one in trend(runs).findings for step in one.steps if step]
        alarms += any(step.change in ("worse", "better") for step in steps)
    assert alarms <= 15  # 7.5 are allowed on average at 5%
