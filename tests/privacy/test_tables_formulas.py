"""Attacks on synthetic tables: risks against independent formulas, exact cases, predicates."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.core.statistics import Interval
from guardrails.privacy import inference, linkability, singling_out, table_distance
from guardrails.privacy.tables import arrays
from guardrails.privacy.tables import predicates as _predicates
from guardrails.privacy.tables.risk import Rate, largest, mean_rate, rate, risk, smallest_risk, weak

from .people import people


@pytest.fixture(autouse=True)
def short_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up sooner where a table has too few predicates to find."""
    monkeypatch.setattr(_predicates, "TRIES", 30)


# The risk


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 500), m=st.integers(1, 500), data=st.data(), z=st.floats(0.5, 4))
def test_the_risk_is_the_papers(n: int, m: int, data: st.DataObject, z: float) -> None:
    a, c = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    confidence = math.erf(z / math.sqrt(2))

    def excess(x: float, y: float) -> float:
        return (x - y) / (1 - y)

    ra, rc = (a + z * z / 2) / (n + z * z), (c + z * z / 2) / (m + z * z)
    da, dc = (z / (t + z * z) * math.sqrt(k * (t - k) / t + z * z / 4) for k, t in ((a, n), (c, m)))
    step = 1e-6 * (1 - rc)  # derivatives by differences: another way than the formula's
    by_attack = (excess(ra + step, rc) - excess(ra - step, rc)) / (2 * step)
    by_control = (excess(ra, rc + step) - excess(ra, rc - step)) / (2 * step)
    width = math.hypot(by_attack * da, by_control * dc)
    value, low, high = risk(rate(a, n), rate(c, m), confidence=confidence)
    assert 0 <= low <= value <= high <= 1
    assert value == pytest.approx(min(1, max(0, excess(ra, rc))), abs=1e-6)
    least = z * z / (min(n, m) + z * z)  # but never to a point
    assert low == pytest.approx(min(1 - least, max(0, excess(ra, rc) - width)), abs=1e-4)
    assert high == pytest.approx(max(least, min(1, excess(ra, rc) + width)), abs=1e-4)


@given(
    a=st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    c=st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
)
@settings(deadline=None)
def test_a_risk_is_never_a_point_also_where_the_control_is_hit_more_often(
    a: tuple[int, int], c: tuple[int, int]
) -> None:
    value, low, high = risk(rate(*a), rate(*c))
    assert 0 <= low <= value <= high <= 1
    assert low < high


def test_where_nothing_leaks_the_risk_is_rarely_above_zero_for_sure() -> None:
    rng = np.random.default_rng(0)
    hits = rng.binomial(400, 0.3, size=(1000, 2))
    assert np.mean([risk(rate(int(a), 400), rate(int(c), 400)).low > 0 for a, c in hits]) < 0.04


def test_the_interval_covers() -> None:
    rng = np.random.default_rng(1)
    attack, control = rng.binomial(400, 0.44, 1000), rng.binomial(400, 0.3, 1000)
    bounds = [risk(rate(int(a), 400), rate(int(c), 400)) for a, c in zip(attack, control, strict=True)]
    assert 0.93 < np.mean([low <= 0.2 <= high for _, low, high in bounds]) < 0.97


def test_attacks_on_one_record_count_as_one_record() -> None:
    once = np.random.default_rng(2).integers(0, 2, 300).astype(float)
    assert mean_rate(once).n == pytest.approx(300, rel=0.01)
    alike = np.repeat(once[:, None], 8, axis=1).mean(axis=1)  # eight secrets that stand and fall together
    assert mean_rate(alike).n == mean_rate(once).n
    apart = np.random.default_rng(3).integers(0, 2, (300, 8)).mean(axis=1)
    assert mean_rate(apart).n == pytest.approx(2400, rel=0.2)
    assert mean_rate(np.zeros(5)) == Rate(0.0, 5.0)


def test_the_largest_risk_and_the_smallest_that_would_be_told() -> None:
    assert largest([Interval(0.1, 0.0, 0.5), Interval(0.2, 0.1, 0.3)]) == Interval(0.2, 0.1, 0.5)
    least = smallest_risk(400, rate(20, 400))
    assert least is not None
    rng = np.random.default_rng(4)
    share = 0.05 + least * 0.95
    told = [risk(rate(int(a), 400), rate(20, 400)).low > 0 for a in rng.binomial(400, share, 1000)]
    assert 0.75 < np.mean(told) < 0.99
    assert smallest_risk(5, rate(400, 400)) is None
    assert "no better than a guess" in weak(0.1, 0.1)


# Exact cases


def test_a_table_attacked_with_itself_gives_every_secret_away() -> None:
    table = people(200, 1)
    tables = arrays.read(table, table, people(200, 2))
    assert inference.guesses(tables.corpus, tables.synthetic, seed=0).all()
    assert not inference.naive(tables.corpus, tables.synthetic, seed=0).all()


@pytest.mark.parametrize(("k", "linked"), [(1, 1), (2, 4), (3, 4)])
def test_four_rows_of_which_one_is_linked_by_its_nearest_neighbour(k: int, linked: int) -> None:
    attacked = arrays.Rows(np.array([[0.0, 0], [0, 1], [4, 9], [0, 4]]), np.empty((4, 0), np.int32))
    synthetic = arrays.Rows(np.array([[0.0, 0], [1, 1], [4, 4], [9, 9]]), np.empty((4, 0), np.int32))
    links = linkability.links(attacked, synthetic, ([0], [1]), seed=0, most=4)
    assert [linkability.linked(links, k), len(links)] == [linked, 4]


def test_a_guess_links_as_often_as_two_random_choices_meet() -> None:
    for n, k in itertools.product(range(1, 7), range(1, 4)):
        chosen = [set(c) for c in itertools.combinations(range(n), min(k, n))]
        meet = np.mean([bool(a & b) for a in chosen for b in chosen])
        assert linkability.chance(n, k) == pytest.approx(meet)


@pytest.mark.parametrize(
    ("guess", "secret", "hit"),
    [(100, 104, True), (100, 106, False), (-100, -104, True), (-100, 100, False), (0, 0, True), (0, 1, False)],
)
def test_numbers_are_guessed_within_a_twentieth(guess: float, secret: float, hit: bool) -> None:
    assert inference.right(np.array([guess], float), np.array([secret], float), number=True).tolist() == [hit]
    missing = np.array([math.nan])
    assert inference.right(missing, missing, number=True).all()


# Predicates


def test_predicates_hold_for_one_row_and_are_found_where_there_are_any() -> None:
    table = arrays.read(people(300, 1), people(30, 2), people(30, 3)).synthetic
    rng = np.random.default_rng(0)
    for predicates in (_predicates.univariate(table, 100, rng), _predicates.multivariate(table, 100, rng)):
        assert len(predicates) == 100
        assert len(set(predicates)) == 100
        assert _predicates.count(predicates, table) == [1] * 100
    names, p = ("age", "income", "born"), 3
    for clause in _predicates.univariate(table, 1000, rng):
        ((column, how, value),) = clause
        assert column < p + 3
        values = table.column(column)
        hits = {"<=": values <= value, ">=": values >= value, "is": values == value}[how]
        assert hits.sum() == 1 or math.isnan(value)
    assert len(names) == p


def test_a_table_of_equal_rows_has_no_predicates() -> None:
    table = arrays.Rows(np.zeros((50, 1)), np.zeros((50, 2), np.int32))
    rng = np.random.default_rng(0)
    assert _predicates.univariate(table, 9, rng) == []
    assert _predicates.multivariate(table, 9, rng) == []
    assert len(_predicates.random(table, 9, 3, rng)) == 9


@pytest.mark.parametrize(("size", "wanted"), [(6, 3), (6, 5), (7, 1)])
def test_a_larger_holdout_is_thinned_as_all_choices_of_its_rows_say(size: int, wanted: int) -> None:
    counts = [0, 1, 2, 3, 1]
    chosen = list(itertools.combinations(range(size), wanted))
    singles = np.mean([sum(sum(i < c for i in rows) == 1 for c in counts) for rows in chosen])
    assert _predicates.control_rate([0] * 5, counts, (wanted, size)).share == pytest.approx(singles / 5)


def test_a_smaller_holdout_is_corrected_for_without_a_bias() -> None:
    # Predicates that hold for a share of all people, in a corpus of 3,000 that nothing was learnt from.
    rng = np.random.default_rng(0)
    weights = rng.exponential(1 / 3000, 400)
    corpus = [rng.binomial(3000, weights).tolist() for _ in range(40)]
    holdout = [rng.binomial(1000, weights).tolist() for _ in range(40)]
    excess = [
        sum(c == 1 for c in a) / 400 - _predicates.control_rate(a, b, (3000, 1000)).share
        for a, b in zip(corpus, holdout, strict=True)
    ]
    assert abs(np.mean(excess)) < 0.02
    risks = [
        risk(rate(sum(c == 1 for c in a), 400), _predicates.control_rate(a, b, (3000, 1000)))
        for a, b in zip(corpus, holdout, strict=True)
    ]
    assert sum(r.low > 0 for r in risks) <= 4


# Attempts that hang together


def test_rows_at_one_record_are_one_trial_as_the_variance_over_random_splits_says() -> None:
    # Records in the corpus or in the holdout by the toss of a coin, with 1 to 9 synthetic rows nearest to each.
    rng = np.random.default_rng(0)
    times = rng.integers(1, 10, size=60)
    shares = (rng.random((20_000, 60)) < 0.5) @ times / times.sum()
    worth = table_distance.trials(np.repeat(np.arange(60), times).tolist())
    assert 0.25 / shares.var() == pytest.approx(worth, rel=0.03)
    assert worth < 60 < times.sum()


def test_an_extreme_value_in_one_table_makes_its_records_no_nearer() -> None:
    rng = np.random.default_rng(2)
    plain = arrays.Rows(rng.normal(size=(40, 2)), np.zeros((40, 0), np.int32))
    extreme = arrays.Rows(np.concatenate([plain.numbers, [[100.0, 0.0]]]), np.zeros((41, 0), np.int32))
    asked = arrays.Rows(rng.normal(size=(30, 2)), np.zeros((30, 0), np.int32))
    (here, near), (there, far) = table_distance.closest(asked, extreme, plain)
    assert here.tolist() == there.tolist()
    assert near.tolist() == far.tolist()
    alone = [table_distance.distances(asked, table)[0] for table in (extreme, plain)]  # each on its own scale
    assert alone[0].mean() < alone[1].mean()


@settings(max_examples=40, deadline=None)
@given(nearest=st.lists(st.integers(0, 20), min_size=1, max_size=60))
def test_trials_are_no_more_than_the_records_and_one_at_least(nearest: list[int]) -> None:
    assert 1 <= table_distance.trials(nearest) <= len(set(nearest)) + 1e-9


def test_predicates_for_one_person_are_one_event_as_the_variance_over_random_tables_says() -> None:
    # Each of 5,000 people is in the table with probability 1 in 100; those with a predicate have 1 to 6 of them.
    rng = np.random.default_rng(1)
    of = rng.integers(1, 7, size=5000)
    drawn = rng.random((2000, 5000)) < 0.01
    successes = drawn @ of
    grows = np.mean(
        [singling_out._repeats([[i] for i in np.repeat(np.flatnonzero(row), of[row]).tolist()]) for row in drawn[:300]]
    )
    assert successes.var() / successes.mean() == pytest.approx(grows, rel=0.08)


def test_the_variance_of_nested_predicates_is_that_over_random_tables() -> None:
    # Whoever is highest is singled out by every threshold above the second: people stand in one another's way.
    rng = np.random.default_rng(2)
    thresholds = np.linspace(0.97, 0.999, 40)
    numbers, grows = [], []
    for _ in range(400):
        values = rng.random(60)
        above = [np.flatnonzero(values >= t).tolist() for t in thresholds]
        numbers.append(sum(len(there) == 1 for there in above))
        grows.append(numbers[-1] * singling_out._repeats([there if len(there) <= 2 else [] for there in above]))
    compound = np.mean([n * n for n in numbers])  # as if each person were there or not, and hit by all that is hit
    assert np.var(numbers) <= np.mean(grows) <= compound


def test_a_predicate_says_whom_it_singles_out_and_nobody_where_it_holds_for_more_than_two() -> None:
    table = arrays.Rows(np.array([[1.0], [5.0], [5.0], [7.0], [7.0], [7.0]]), np.zeros((6, 0), np.int32))
    predicates = [(_predicates.Clause(0, "is", value),) for value in (1.0, 5.0, 7.0, 9.0)]
    assert _predicates.singled_out(predicates, table) == [(1, [0]), (2, [1, 2]), (3, []), (0, [])]
    assert [n for n, _ in _predicates.singled_out(predicates, table)] == _predicates.count(predicates, table)
