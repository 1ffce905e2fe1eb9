"""What a calibration by source is worth on what it has not seen."""

import numpy as np
import pytest

from guardrails.deepfake.images.source_calibration import calibration_of
from guardrails.kit.detection.calibration import pooled_calibration_error
from guardrails.training.exams.by_source import left_out


def scores(apart: float, n: int = 40, seed: int = 0) -> dict[str, dict[str, list[float]]]:
    """Three scores for each of n sources and n families; the second source is alike to a generator."""
    rng = np.random.default_rng(seed)
    real = {f"s{i}": rng.normal(apart if i == 1 else 0, 1, 3).tolist() for i in range(n)}
    return {"real": real, "generated": {f"f{i}": rng.normal(apart, 1, 3).tolist() for i in range(n)}}


def test_each_source_is_judged_by_a_calibration_without_it():
    """Counted by hand: the calibration of the others, one source at a time."""
    given = scores(9.0)
    result = left_out(given)
    for side in ("real", "generated"):
        for name, several in given[side].items():
            rest = {**given, side: {k: v for k, v in given[side].items() if k != name}}
            verdicts = calibration_of(rest).verdicts(several)
            assert result.counts[side][name] == {
                v: verdicts.count(v) for v in ("synthetic", "nothing found", "abstain")
            }
    assert result.worst == ("s1", 1.0, 3)
    assert result.shares["real"].value == pytest.approx(1 / 40)
    assert result.shares["generated"].value > 0.7
    assert result.n == 240


def test_a_source_that_is_left_in_would_hide_its_false_alarms():
    """One of 19 others is the least for a verdict: with 19 sources in all none is left to speak of the 19th."""
    few = left_out(scores(9.0, n=19))
    assert {v["synthetic"] for v in few.counts["real"].values()} == {0}
    assert all(one["abstain"] == 3 for one in few.counts["real"].values())


def test_the_error_is_that_of_ratios_on_left_out_sources_and_its_interval_is_over_sources():
    given = scores(3.0)
    rows = [
        (ratio, label)
        for label, side in enumerate(("real", "generated"))
        for name, several in given[side].items()
        for ratio in calibration_of(
            {**given, side: {k: v for k, v in given[side].items() if k != name}}
        ).log_ratio(several)
    ]  # fmt: skip
    error = left_out(given).error
    assert error.value == pytest.approx(pooled_calibration_error(*map(np.array, zip(*rows, strict=True))))
    assert error.low <= error.value <= error.high
    assert error.high - error.low > 0


def test_a_card_states_counts_intervals_and_the_worst_source():
    stated = left_out(scores(9.0)).stated()
    assert stated["real"]["sources"] == stated["generated"]["families"] == 40
    assert sum(stated["real"]["verdicts"].values()) == 120
    assert stated["real"]["worst source"] == {"source": "s1", "called synthetic": 1.0, "scores": 3}
    assert stated["real"]["called synthetic"]["low"] < stated["real"]["called synthetic"]["high"]
    assert stated["scores"] == 240
