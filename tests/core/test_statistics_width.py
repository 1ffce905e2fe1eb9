"""No interval is a point: a sample of any size leaves some doubt."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from guardrails.core.statistics import (
    clopper_pearson,
    cluster_bootstrap,
    delong,
    newcombe,
    tpr_at_fpr,
    wilson,
    worst_case,
)

HITS = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
# Also constant, and one item alone.
SCORES = st.lists(st.integers(0, 3), min_size=1, max_size=80)
CONFIDENCE = st.sampled_from([0.8, 0.95, 0.999])


@given(first=HITS, second=HITS, errors=st.integers(0, 50), confidence=CONFIDENCE)
@settings(deadline=None)
def test_of_rates_and_their_differences(
    first: tuple[int, int], second: tuple[int, int], errors: int, confidence: float
) -> None:
    for low, high in (
        wilson(*first, confidence=confidence)[1:],
        clopper_pearson(*first, confidence=confidence)[1:],
        worst_case(*first, errors, confidence=confidence)[1:],
        newcombe(*first, *second, confidence=confidence)[1:],
    ):
        assert low < high


@given(positive=SCORES, negative=SCORES, confidence=CONFIDENCE)
@settings(deadline=None)
def test_of_rankings(positive: list[int], negative: list[int], confidence: float) -> None:
    _, low, high = delong(positive, negative, confidence=confidence)
    assert low < high
    if (interval := tpr_at_fpr(positive, negative, fpr=0.2, confidence=confidence)) is not None:
        assert interval.low < interval.high


@given(hits=st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 5)), min_size=2, max_size=40))
@example(hits=[(0.0, 1), (0.5, 0), (1.0, 1)])  # clusters of one mean
@settings(deadline=None, max_examples=50)
def test_of_means_over_clusters(hits: list[tuple[float, int]]) -> None:
    values, clusters = zip(*hits, strict=True)
    if len(set(clusters)) > 1:
        _, low, high = cluster_bootstrap(values, clusters, resamples=200)
        assert low < high
