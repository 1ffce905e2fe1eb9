from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.membership.text.attacks import K, loss, min_k, min_k_plus_plus, recall, reference_ratio, zlib_ratio
from guardrails.targets.spikes.language_model import mixed_moments

log_ps = st.lists(st.floats(-30, -1e-6), min_size=1, max_size=60).map(np.array)


@given(log_ps)
def test_they_are_the_formulas_of_their_papers(log_p: np.ndarray) -> None:
    text = "Lorem ipsum"
    total = sum(log_p.tolist())
    assert loss(log_p) == pytest.approx(total / len(log_p))
    assert zlib_ratio(log_p, text) == pytest.approx(total / len(log_p) / len(zlib.compress(text.encode())))
    lowest = sorted(log_p.tolist())[: max(int(len(log_p) * K), 1)]
    assert min_k(log_p) == pytest.approx(sum(lowest) / len(lowest))
    assert recall(log_p, 2 * log_p) == pytest.approx(2)
    assert reference_ratio(log_p, 2 * log_p, 7) == pytest.approx(-total / 7)


@given(st.lists(st.lists(st.floats(-8, 8), min_size=3, max_size=9), min_size=1, max_size=12), st.data())
def test_min_k_plus_plus_against_every_token_of_the_vocabulary(rows: list[list[float]], data: st.DataObject) -> None:
    chosen, means, spreads, z = [], [], [], []
    for row in rows:
        p = np.exp(row) / np.exp(row).sum()
        token = data.draw(st.integers(0, len(row) - 1))
        mean = sum(q * np.log(q) for q in p)
        spread = np.sqrt(sum(q * (np.log(q) - mean) ** 2 for q in p))
        chosen.append(np.log(p[token]))
        means.append(mean)
        spreads.append(spread)
        z.append((np.log(p[token]) - mean) / spread if spread > 1e-6 else 0.0)
    expected = np.mean(sorted(z)[: max(1, int(len(z) * K))])
    assert min_k_plus_plus(*map(np.array, (chosen, means, spreads))) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_a_larger_score_is_a_member() -> None:
    known, new = np.full(20, -0.1), np.full(20, -4.0)
    mean, spread = np.full(20, -2.0), np.full(20, 1.0)
    assert loss(known) > loss(new)
    assert zlib_ratio(known, "text") > zlib_ratio(new, "text")
    assert min_k(known) > min_k(new)
    assert min_k_plus_plus(known, mean, spread) > min_k_plus_plus(new, mean, spread)
    assert recall(known, new) > recall(new, new)


def test_nothing_is_divided_by_zero() -> None:
    certain = np.zeros(5)
    assert np.isfinite(recall(certain, np.full(5, -1.0)))
    assert min_k_plus_plus(certain, certain, certain) == 0
    assert zlib_ratio(certain, "") == 0
    assert zlib_ratio(np.array([-1.0]), "\ud800") < 0
    assert reference_ratio(certain, certain, 0) == 0


@given(
    st.lists(st.floats(-6, 6), min_size=2, max_size=12),
    st.floats(0.05, 0.99),
    st.booleans(),
    st.data(),
)
def test_the_moments_of_a_mixture_against_its_whole_law(
    row: list[float], weight: float, comes: bool, data: st.DataObject
) -> None:
    p = np.exp(row) / np.exp(row).sum()
    token = data.draw(st.integers(0, len(p) - 1))
    if comes:
        mixed = (1 - weight) * p
        mixed[token] += weight
    else:
        mixed = np.append((1 - weight) * p, weight)  # the planted token was impossible before
    log_p, log_m = np.log(p), np.log(mixed)
    mean = (p * log_p).sum()
    moments = mixed_moments(
        np.array([log_p[token], mean, np.sqrt((p * (log_p - mean) ** 2).sum())]), weight, comes=comes
    )
    expected = (mixed * log_m).sum()
    assert moments[0] == pytest.approx(log_m[token], abs=1e-9)
    assert moments[1] == pytest.approx(expected, abs=1e-9)
    assert moments[2] == pytest.approx(np.sqrt((mixed * (log_m - expected) ** 2).sum()), abs=1e-6)
