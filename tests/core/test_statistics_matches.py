"""The excess of exact matches: beyond chance, whatever the sizes, the repeats and what the model prefers."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.core.statistics import Interval, Match, excess_matches
from guardrails.core.statistics.matches import _any, _dealt, _events


def excess(corpus: list[int], holdout: list[int], outputs: list[int]) -> Interval:
    trained, unseen, made = Counter(corpus), Counter(holdout), Counter(outputs)
    matches = [Match(n, trained[v], unseen[v]) for v, n in made.items() if trained[v] or unseen[v]]
    twins = sum(n for n in trained.values() if n > 1) + sum(n for v, n in unseen.items() if v in trained)
    return excess_matches(matches, outputs=len(outputs), corpus=len(corpus), holdout=len(holdout), twins=twins)


SIZES = st.integers(1, 3000)


@settings(deadline=None)
@given(
    values=st.lists(st.tuples(st.integers(1, 50), st.integers(0, 40), st.integers(0, 40)), max_size=30),
    more=st.tuples(st.integers(1, 2000), SIZES, SIZES),
    twins=st.floats(0, 1),
)
def test_it_is_an_interval_within_a_share_and_never_of_width_0(
    values: list[tuple[int, int, int]], more: tuple[int, int, int], twins: float
) -> None:
    matches = [Match(*v) for v in values if v[1] or v[2]]
    made, trained, unseen = (sum(v[k] for v in matches) + more[k] for k in range(3))
    interval = excess_matches(
        matches, outputs=made, corpus=trained, holdout=unseen, twins=int(twins * (trained + unseen))
    )
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    assert interval.low < interval.high


@given(of=st.integers(1, 7), data=st.data())
def test_thinning_is_the_mean_over_all_choices(of: int, data: st.DataObject) -> None:
    size, times = data.draw(st.integers(0, of)), data.draw(st.integers(0, of))
    choices = list(combinations(range(of), size))
    truth = sum(any(i < times for i in chosen) for chosen in choices) / len(choices)
    assert _any(np.array(times), size, of) == pytest.approx(truth)


@pytest.mark.parametrize(("trained", "unseen"), [(1000, 1000), (2000, 500), (500, 2000)])
@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("kinds", [40, 2000, 10**6])
def test_chance_raises_no_alarm_also_where_the_model_prefers_what_is_common(
    kinds: int, power: int, trained: int, unseen: int
) -> None:
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(20):
        p = rng.dirichlet(np.full(min(kinds, 20_000), 0.5 if kinds < 10**6 else 50))
        preferred = p**power / (p**power).sum()
        corpus, holdout = (rng.choice(len(p), n, p=p).tolist() for n in (trained, unseen))
        alarms += excess(corpus, holdout, rng.choice(len(p), 800, p=preferred).tolist()).low > 0.02
    assert alarms <= 1


@pytest.mark.parametrize(("trained", "unseen"), [(2000, 2000), (3000, 300), (300, 3000)])
@pytest.mark.parametrize("modes", [1, 5, 20])
@pytest.mark.parametrize("kinds", [200, 4000])
def test_a_model_that_writes_few_values_over_and_over_raises_no_alarm(
    kinds: int, modes: int, trained: int, unseen: int
) -> None:
    rng = np.random.default_rng(1)
    alarms = 0
    for _ in range(40):
        corpus, holdout = (rng.integers(kinds, size=n).tolist() for n in (trained, unseen))
        written = rng.integers(kinds, size=modes)
        alarms += excess(corpus, holdout, rng.choice(written, 1000).tolist()).low > 0.02
    assert alarms <= 4  # 2.5%, and its spread


def test_what_chance_deals_is_the_mean_over_all_ways_to_deal() -> None:
    corpus, holdout, total = 4, 3, 3
    dealt = [sum(i < corpus for i in places) for places in combinations(range(corpus + holdout), total)]
    events = np.array([_events(np.array([k]), np.array([total - k]), corpus, holdout)[:, 0] for k in dealt])
    assert _dealt(total, corpus, holdout) == pytest.approx(np.stack([events.mean(0), (events**2).mean(0)], axis=1))


@pytest.mark.parametrize(
    ("trained", "unseen", "repeats"),
    [(1000, 1000, 1), (2000, 500, 1), (500, 2000, 1), (5000, 250, 1), (1000, 1000, 5), (500, 2000, 5)],
)
def test_copies_are_counted_whatever_the_sizes_and_however_often_the_corpus_holds_them(
    trained: int, unseen: int, repeats: int
) -> None:
    corpus = [i // repeats for i in range(trained)]
    outputs = [*range(50), *range(-950, 0)]
    interval = excess(corpus, list(range(10_000, 10_000 + unseen)), outputs)
    assert interval.value == pytest.approx(0.05, abs=1e-9)
    assert interval.low > 0.02


def test_what_both_arms_hold_says_nothing() -> None:
    interval = excess([1] * 300 + list(range(10, 710)), [1] * 310 + list(range(1000, 1690)), [1] * 900 + [5] * 100)
    assert (interval.value, interval.low) == (0, 0)
    assert interval.high < 0.02


@pytest.mark.parametrize("wrong", [{"outputs": 0}, {"corpus": 0}, {"holdout": 0}, {"twins": 500}])
def test_impossible_counts_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"must|count"):
        excess_matches([], **{"outputs": 10, "corpus": 10, "holdout": 10, "twins": 0} | wrong)
