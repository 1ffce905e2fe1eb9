"""Rates that an imperfect grader measured: against other computations of the same, and by simulation."""

from __future__ import annotations

from itertools import product
from math import sqrt

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from guardrails.core.statistics import (
    CannotCorrect,
    GraderCounts,
    clopper_pearson,
    graded_difference,
    newcombe,
    paired_graded_difference,
    rogan_gladen,
    youden,
)

HITS = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
ERRORS = st.builds(GraderCounts, st.integers(9, 200), st.integers(0, 20), st.integers(9, 200), st.integers(0, 20))
PERFECT = GraderCounts(10**9, 0, 10**9, 0)


def lang_reiczigel(k: int, n: int, e: GraderCounts) -> tuple[float, float]:
    """Return the interval of Lang and Reiczigel, Preventive Veterinary Medicine 113 (2014) 13–22."""
    z = stats.norm.ppf(0.975)
    positive, negative = e.tp + e.fn, e.tn + e.fp
    p, se, sp = (k + z * z / 2) / (n + z * z), (e.tp + 1) / (positive + 2), (e.tn + 1) / (negative + 2)
    rate = (p + sp - 1) / (se + sp - 1)
    of_se, of_sp = se * (1 - se) / (positive + 2), sp * (1 - sp) / (negative + 2)
    spread = sqrt(p * (1 - p) / (n + z * z) + rate**2 * of_se + (1 - rate) ** 2 * of_sp) / (se + sp - 1)
    middle = rate + 2 * z * z * (rate * of_se - (1 - rate) * of_sp)
    return middle - z * spread, middle + z * spread


def melded_by_draws(k: int, n: int, e: GraderCounts, draws: int = 400_000) -> tuple[float, float]:
    """Return the melded bounds from random draws of the three confidence distributions."""
    rng = np.random.default_rng(0)

    def beta(a: int, b: int) -> np.ndarray:
        return np.full(draws, float(b == 0)) if 0 in (a, b) else rng.beta(a, b, draws)

    def rates(p: np.ndarray, se: np.ndarray, sp: np.ndarray, useless: float) -> np.ndarray:
        index = se + sp - 1
        return np.where(index > 0, np.clip((p + sp - 1) / np.where(index > 0, index, 1), 0, 1), useless)

    low = rates(beta(k, n - k + 1), beta(e.tp + 1, e.fn), beta(e.tn, e.fp + 1), 0.0)
    high = rates(beta(k + 1, n - k), beta(e.tp, e.fn + 1), beta(e.tn + 1, e.fp), 1.0)
    return float(np.quantile(low, 0.025)), float(np.quantile(high, 0.975))


CASES = [
    (30, 200, GraderCounts(90, 10, 95, 5)),
    (0, 50, GraderCounts(20, 0, 30, 0)),
    (46, 50, GraderCounts(28, 2, 25, 5)),
    (120, 500, GraderCounts(70, 30, 80, 20)),
    (9, 60, GraderCounts(13, 2, 14, 1)),
    (200, 500, GraderCounts(30, 15, 29, 16)),
]


@pytest.mark.parametrize(("k", "n", "errors"), CASES)
def test_the_bounds_are_those_of_random_draws(k: int, n: int, errors: GraderCounts) -> None:
    rate = rogan_gladen(k, n, errors)
    assert (rate.low, rate.high) == pytest.approx(melded_by_draws(k, n, errors), abs=0.004)


@pytest.mark.parametrize(("k", "n", "errors"), CASES)
def test_more_nodes_change_no_bound(k: int, n: int, errors: GraderCounts, monkeypatch: pytest.MonkeyPatch) -> None:
    rates = [rogan_gladen(k, n, errors, confidence=level) for level in (0.95, 0.98)]
    monkeypatch.setattr("guardrails.core.statistics.graded.NODES", 61)
    monkeypatch.setattr("guardrails.core.statistics.graded.REACH", 5.5)
    for rate, level in zip(rates, (0.95, 0.98), strict=True):
        assert rogan_gladen(k, n, errors, confidence=level) == pytest.approx(tuple(rate), abs=0.004)


@given(hits=HITS)
@settings(deadline=None, max_examples=15)
def test_a_perfect_grader_gives_the_exact_interval(hits: tuple[int, int]) -> None:
    assert rogan_gladen(*hits, PERFECT) == pytest.approx(clopper_pearson(*hits), abs=1e-5)


def test_with_many_items_it_is_near_the_interval_of_lang_and_reiczigel() -> None:
    for k, se, sp in product((1200, 2000, 3000), (0.8, 0.95), (0.85, 0.97)):
        errors = GraderCounts(round(2000 * se), 2000 - round(2000 * se), round(2000 * sp), 2000 - round(2000 * sp))
        rate, other = rogan_gladen(k, 4000, errors), lang_reiczigel(k, 4000, errors)
        assert (rate.low, rate.high) == pytest.approx(other, abs=0.005)
        assert rate.value == pytest.approx((k / 4000 + sp - 1) / (se + sp - 1))


@given(hits=HITS, errors=ERRORS, ungraded=st.integers(0, 20))
@settings(deadline=None, max_examples=25)
def test_the_interval_holds_the_value_has_a_width_and_grows_with_what_could_not_be_graded(
    hits: tuple[int, int], errors: GraderCounts, ungraded: int
) -> None:
    try:
        rate = rogan_gladen(*hits, errors)
        wider = rogan_gladen(*hits, errors, ungraded=ungraded)
    except CannotCorrect:
        assume(False)
    assert 0 <= rate.low <= rate.value <= rate.high <= 1
    assert rate.low < rate.high
    assert wider.low <= rate.low + 1e-9
    assert wider.high >= rate.high - 1e-9


@pytest.mark.parametrize("errors", [(10, 10, 10, 10), (5, 15, 5, 15), (12, 8, 11, 9), (0, 5, 5, 0), (0, 1, 0, 1)])
def test_a_grader_that_may_be_no_better_than_chance_corrects_nothing(errors: tuple[int, int, int, int]) -> None:
    with pytest.raises(CannotCorrect, match="better than chance"):
        rogan_gladen(10, 50, GraderCounts(*errors))
    with pytest.raises(CannotCorrect, match="better than chance"):
        graded_difference(10, 50, 5, 50, GraderCounts(*errors))


@pytest.mark.parametrize(("errors", "what"), [((0, 0, 9, 1), "with the label"), ((9, 1, 0, 0), "without the label")])
def test_a_grader_measured_on_one_kind_alone_corrects_nothing(errors: tuple[int, int, int, int], what: str) -> None:
    with pytest.raises(CannotCorrect, match=f"on no item {what}"):
        rogan_gladen(10, 50, GraderCounts(*errors))


def test_rates_that_the_measured_error_rules_out_are_refused() -> None:
    errors = GraderCounts(80, 20, 80, 20)
    with pytest.raises(CannotCorrect, match="0 of 500 is too few"):
        rogan_gladen(0, 500, errors)
    with pytest.raises(CannotCorrect, match="500 of 500 is too many"):
        rogan_gladen(500, 500, errors)
    with pytest.raises(CannotCorrect, match="so large a difference"):
        graded_difference(500, 500, 0, 500, errors)
    # A little below 20% false positives is chance, and read as if it were 20%.
    assert rogan_gladen(75, 500, errors)[1:] == rogan_gladen(100, 500, errors)[1:]
    assert rogan_gladen(430, 500, errors)[1:] == rogan_gladen(400, 500, errors)[1:]


@pytest.mark.parametrize("wrong", [{"k": 5, "n": 4}, {"k": 0, "n": 0}, {"k": 1, "n": 4, "ungraded": -1}])
def test_impossible_counts_are_value_errors(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"not a count|at least one|negative") as raised:
        rogan_gladen(**wrong, errors=PERFECT)
    assert not isinstance(raised.value, CannotCorrect)


def test_a_perfect_grader_leaves_the_difference_as_it_is() -> None:
    each = newcombe(60, 200, 30, 200, confidence=0.975)
    assert graded_difference(60, 200, 30, 200, PERFECT) == pytest.approx(each, abs=1e-6)


@given(first=HITS, second=HITS, errors=ERRORS, ungraded=st.tuples(st.integers(0, 9), st.integers(0, 9)))
@settings(deadline=None, max_examples=25)
def test_a_difference_and_its_mirror_image_are_the_same(
    first: tuple[int, int], second: tuple[int, int], errors: GraderCounts, ungraded: tuple[int, int]
) -> None:
    try:
        there = graded_difference(*first, *second, errors, ungraded=ungraded)
        back = graded_difference(*second, *first, errors, ungraded=ungraded[::-1])
        graded = graded_difference(*first, *second, errors)
    except CannotCorrect:
        assume(False)
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))
    assert there.low < there.high
    assert there.low <= graded.low


@given(pairs=st.tuples(*[st.integers(0, 100)] * 3), errors=ERRORS)
@settings(deadline=None, max_examples=25)
def test_pairs_and_their_mirror_image_are_the_same(pairs: tuple[int, int, int], errors: GraderCounts) -> None:
    b, c, equal = pairs
    assume(sum(pairs))
    try:
        there, back = (paired_graded_difference(*d, b + c + equal, errors, ungraded=2) for d in ((b, c), (c, b)))
    except CannotCorrect:
        assume(False)
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))
    assert there.low < there.high


def test_youden_is_sensitivity_and_specificity_less_one() -> None:
    assert youden(GraderCounts(90, 10, 80, 20)).value == pytest.approx(0.7)


RUNS = 12
RATES, LABELLED, SIZES = (0.0, 0.01, 0.1, 0.5), (15, 150), (50, 500)
ABILITIES = ((0.6, 0.6), (0.6, 0.99), (0.99, 0.6), (0.8, 0.8), (0.99, 0.99))


def measured(rng: np.random.Generator, se: float, sp: float, labelled: int) -> GraderCounts | None:
    """Return the counts of a grader on labelled items of each kind; None where they show nothing."""
    tp, tn = (int(rng.binomial(labelled, p)) for p in (se, sp))
    errors = GraderCounts(tp, labelled - tp, tn, labelled - tn)
    return errors if youden(errors).low > 0 else None


@pytest.mark.slow
def test_the_interval_covers_the_true_rate() -> None:
    rng, cells = np.random.default_rng(0), []
    for rate, (se, sp), n, labelled in product(RATES, ABILITIES, SIZES, LABELLED):
        covered = []
        while len(covered) < RUNS:
            k = int(rng.binomial(n, rate * se + (1 - rate) * (1 - sp)))
            errors = measured(rng, se, sp, labelled)
            if errors is None:
                continue
            try:
                _, low, high = rogan_gladen(k, n, errors)
            except CannotCorrect:
                continue
            covered.append(low <= rate <= high)
        cells.append(sum(covered))
    # No cell is worse than 95% beyond chance (80 cells), and all together are not.
    assert min(cells) >= stats.binom.ppf(0.05 / len(cells), RUNS, 0.95)
    assert sum(cells) >= 0.95 * RUNS * len(cells)


def test_a_grader_whose_labels_are_swapped_is_told_so_and_not_to_be_measured_longer() -> None:
    with pytest.raises(
        CannotCorrect, match=r"better than chance, but worse: .* is -0\.80 \[.*; check which label is which$"
    ):
        rogan_gladen(10, 50, GraderCounts(tp=5, fn=45, tn=5, fp=45))
    with pytest.raises(CannotCorrect, match=r"not shown to be .* is -0\.04 \[.*; measure it on more labelled items$"):
        rogan_gladen(10, 50, GraderCounts(tp=24, fn=26, tn=24, fp=26))


@pytest.mark.slow
def test_the_intervals_of_differences_cover_the_true_difference() -> None:
    rng, hits = np.random.default_rng(1), {"independent": 0, "paired": 0}
    trials = 0
    for (r1, r2), (se, sp), n, labelled in product(
        ((0.1, 0.1), (0.5, 0.3), (0.01, 0.2)), ((0.7, 0.8), (0.95, 0.9)), SIZES, (30, 150)
    ):
        for _ in range(50):
            errors = measured(rng, se, sp, labelled)
            true = rng.random((n, 1)) < [[r1, r2]]
            graded = np.where(true, rng.random((n, 2)) < se, rng.random((n, 2)) >= sp)
            k1, k2 = graded.sum(axis=0).tolist()
            b, c = int((graded[:, 0] & ~graded[:, 1]).sum()), int((graded[:, 1] & ~graded[:, 0]).sum())
            try:
                apart = graded_difference(k1, n, k2, n, errors) if errors else None
                paired = paired_graded_difference(b, c, n, errors) if errors else None
            except CannotCorrect:
                continue
            if apart and paired:
                trials += 1
                hits["independent"] += apart.low <= r1 - r2 <= apart.high
                hits["paired"] += paired.low <= r1 - r2 <= paired.high
    assert trials > 1000
    assert min(hits.values()) >= 0.95 * trials
