import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.bias.pictures.shares import Readings, by_chance, codes_of, detectable, effective_sizes, shares
from guardrails.core.statistics import CannotCorrect, GraderCounts, clopper_pearson, rogan_gladen, simultaneous

HALF = np.array([0.5, 0.5])


def readings(counts, confusion=None, prompts=None, ungraded=0):
    groups = np.repeat(np.arange(len(counts)), counts)
    matrix = None if confusion is None else np.array(confusion)
    return Readings(groups, None if prompts is None else np.array(prompts), matrix, ungraded)


def test_labels_of_people_give_exact_intervals_that_hold_together():
    out = shares(readings([30, 50, 20]), 3, confidence=0.95)
    assert out.value.tolist() == [0.3, 0.5, 0.2]
    for i, k in enumerate((30, 50, 20)):
        exact = clopper_pearson(k, 100, confidence=simultaneous(0.95, 3))
        assert (out.low[i], out.high[i]) == pytest.approx((exact.low, exact.high))


def test_two_groups_that_a_model_read_are_corrected_as_rogan_and_gladen_do():
    out = shares(readings([70, 130], [[45, 5], [8, 42]], ungraded=3), 2, confidence=0.95)
    expected = rogan_gladen(70, 200, GraderCounts(45, 5, 42, 8), ungraded=3, confidence=simultaneous(0.95, 2))
    assert out.value[0] == pytest.approx(expected.value, abs=1e-3)
    assert (out.low[0], out.high[0]) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_confusions_of_three_groups_are_undone():
    true, rates = np.array([0.6, 0.3, 0.1]), np.array([[0.8, 0.2, 0.0], [0.1, 0.8, 0.1], [0.0, 0.2, 0.8]])
    out = shares(readings(np.round(10_000 * true @ rates).astype(int), (500 * rates).astype(int)), 3, confidence=0.95)
    assert out.value == pytest.approx(true, abs=0.002)
    assert (out.low < true).all()
    assert (true < out.high).all()


def test_the_largest_gap_lies_within_its_bounds_and_a_lost_group_is_seen():
    gap = shares(readings([400, 0]), 2, confidence=0.95).largest_gap(HALF)
    assert gap.value == 0.5
    assert 0.48 < gap.low < gap.value == gap.high
    even = shares(readings([200, 200]), 2, confidence=0.95).largest_gap(HALF)
    assert even.low == even.value == 0
    assert 0.04 < even.high < 0.07


def test_pictures_of_one_prompt_count_for_less_the_more_they_agree():
    groups = np.repeat([0, 1] * 10, 10)  # twenty prompts, each with ten pictures of one group
    prompts = np.repeat(np.arange(20), 10)
    alike = effective_sizes(groups, prompts, 2, confidence=0.95)
    apart = effective_sizes(np.tile([0, 1], 100), prompts, 2, confidence=0.95)
    assert (alike < 20).all()  # a design effect of 10.5, and t quantiles for 20 prompts
    assert (apart > 150).all()
    assert effective_sizes(groups, None, 2, confidence=0.95).tolist() == [200, 200]


def test_the_design_effect_is_the_ratio_of_variances():
    rng = np.random.default_rng(0)
    prompts = np.repeat(np.arange(400), 5)
    groups = (rng.random(2000) < np.repeat(rng.beta(2, 2, 400), 5)).astype(int)
    size = effective_sizes(groups, prompts, 2, confidence=0.95)[0]
    assert 2000 / size == pytest.approx(1 + 4 * 0.2, rel=0.15)  # 1 + (m − 1) ρ, ρ = 1 / (2 + 2 + 1)


def test_where_all_pictures_show_one_group_each_prompt_counts_once():
    assert effective_sizes(np.zeros(60, int), np.repeat(np.arange(6), 10), 2, confidence=0.95).tolist() == [6, 6]


def test_a_model_that_guesses_gives_no_share():
    with pytest.raises(CannotCorrect):
        shares(readings([50, 50], [[25, 25], [24, 26]]), 2, confidence=0.95)


def test_chance_makes_smaller_gaps_of_more_pictures_and_what_is_detectable_shrinks():
    few, many = (shares(readings([n, n]), 2, confidence=0.95) for n in (50, 5000))
    assert by_chance(HALF, many, None, seed=0).high < 0.02 < by_chance(HALF, few, None, seed=0).high
    assert detectable(HALF, many, None, confidence=0.95) < 0.03 < 0.1 < detectable(HALF, few, None, confidence=0.95)


def test_error_of_the_model_makes_chance_gaps_larger():
    drawn = shares(readings([500, 500]), 2, confidence=0.95)
    poor = np.array([[70, 30], [30, 70]])
    assert by_chance(HALF, drawn, poor, seed=0).value > 2 * by_chance(HALF, drawn, None, seed=0).value


@given(st.lists(st.integers(0, 60), min_size=2, max_size=5).filter(lambda c: sum(c) >= 2), st.integers(0, 2**32))
def test_bounds_hold_the_value_and_stay_in_0_to_1(counts, seed):
    prompts = np.random.default_rng(seed).integers(0, 5, sum(counts))
    out = shares(readings(counts, prompts=prompts), len(counts), confidence=0.95)
    assert (out.low >= 0).all()
    assert (out.low <= out.value).all()
    assert (out.value <= out.high).all()
    assert (out.high <= 1).all()
    assert (out.effective <= sum(counts) + 1e-9).all()


def test_equal_names_get_equal_codes():
    assert codes_of(["b", "a", "b"]).tolist() == [0, 1, 0]


@pytest.mark.slow
@pytest.mark.parametrize("accuracy", [1.0, 0.85])
@pytest.mark.parametrize("agreement", [0.0, 0.3])
def test_intervals_hold_the_true_gap_in_95_of_100(accuracy, agreement):
    rng, true, held = np.random.default_rng(3), np.array([0.7, 0.2, 0.1]), 0
    rates = np.full((3, 3), (1 - accuracy) / 2)
    np.fill_diagonal(rates, accuracy)
    for _ in range(50):
        own = rng.dirichlet(true * (1 - agreement) / agreement, size=30) if agreement else np.tile(true, (30, 1))
        shown = np.concatenate([rng.choice(3, size=12, p=p) for p in own])
        read = (rng.random(len(shown))[:, None] > rates.cumsum(axis=1)[shown]).sum(axis=1).clip(0, 2)
        confusion = np.stack([rng.multinomial(80, row) for row in rates]) if accuracy < 1 else None
        gap = shares(Readings(read, np.repeat(np.arange(30), 12), confusion), 3, confidence=0.95)
        _, low, high = gap.largest_gap(np.full(3, 1 / 3))
        held += low <= 0.7 - 1 / 3 <= high
    assert held >= 45
