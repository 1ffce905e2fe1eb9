"""Traces against the history of a picture: what the history explains goes, and what differs by history can be told."""

import numpy as np

from guardrails.training.material.relative_traces import PARTS, less_expected, times_history

RNG = np.random.default_rng(0)
HISTORY = RNG.normal(size=(3000, 8)).astype(np.float32)
OTHER = RNG.normal(size=(3000, 3)).astype(np.float32)


def test_what_the_history_explains_is_gone_and_the_rest_is_left():
    explained = HISTORY @ RNG.normal(size=(8, 3)).astype(np.float32) * 5
    draws = {"once": {"history": HISTORY, "trace": explained + OTHER}}
    rest = less_expected(draws, ["trace"], np.arange(2500), ["once"])["once"]["trace relative"]
    left = np.arange(2500, 3000)  # rows that the regression has not seen
    assert np.corrcoef(rest[left].ravel(), OTHER[left].ravel())[0, 1] > 0.85
    assert abs(np.corrcoef(rest[left].ravel(), explained[left].ravel())[0, 1]) < 0.3


def test_a_trace_whose_sign_turns_with_the_history_can_be_told_by_a_line():
    turn = np.linalg.svd((HISTORY - HISTORY.mean(0)) / HISTORY.std(0), full_matrices=False)[2][0]
    sign = np.sign((HISTORY - HISTORY.mean(0)) / HISTORY.std(0) @ turn)
    labels = np.where(OTHER[:, 0] * sign > 0, 1.0, -1.0)
    draws = {"once": {"history": HISTORY, "trace": OTHER}}
    product = times_history(draws, ["trace"], np.arange(2500), ["once"])["once"]["trace by history"]
    assert product.shape == (3000, 3 * PARTS)
    fit, left = slice(0, 2500), slice(2500, 3000)
    for x, low, high in ((OTHER, 0.2, 0.7), (product, 0.8, 1.01)):
        beta = np.linalg.lstsq(x[fit].astype(float), labels[fit], rcond=None)[0]
        assert low < np.mean(np.sign(x[left] @ beta) == labels[left]) < high
